/* plot.h: inside the plot room. A figure is a grid of panels; a panel is a set of lines over two scales, or a heat map.
 * Composers (curves.c, maps.c, compare.c) fill it, layout.c places it, draw_*.c paint it. Lengths are points. */
#ifndef GK_PLOT_ROOM_H
#define GK_PLOT_ROOM_H

#include "gk_plot.h"

#include <cairo.h>

/* ---- colours ---- */

typedef struct plot_rgb {
    double r, g, b;
} plot_rgb;

extern const plot_rgb plot_ink, plot_grey, plot_pale; /* text and axes; secondary text; grids */

/* Okabe and Ito's palette without its yellow, which is too light for lines; index modulo 7, negative: ink. */
plot_rgb plot_colour(int index);
/* t in -1..1, clamped: blue, white at 0, red (ColorBrewer RdBu, fit for colour-blind readers). */
plot_rgb plot_diverging(double t);
/* t in 0..1, clamped: viridis. */
plot_rgb plot_sequential(double t);

/* ---- scales ---- */

typedef enum plot_scale_kind { PLOT_LINEAR, PLOT_LOG, PLOT_PHASE } plot_scale_kind;

typedef struct plot_scale {
    plot_scale_kind kind;
    double lo, hi; /* of a logarithmic scale both positive */
    bool zero;     /* logarithmic only: 0 has a slot before lo */
} plot_scale;

typedef struct plot_tick {
    double at;
    bool minor; /* no label */
    char text[24];
} plot_tick;

enum { PLOT_TICKS = 96 };

/* 0..1 along the axis (outside for values beyond lo and hi), NaN for what it cannot show. */
double plot_scale_map(const plot_scale *s, double v);
/* Ticks for an axis that has room for about `labels` labels; returns how many, at most PLOT_TICKS. */
int plot_scale_ticks(const plot_scale *s, int labels, plot_tick *ticks);
/* A scale that shows lo..hi with `pad` of its length free at either end; NaN or reversed bounds: no data. */
plot_scale plot_scale_fit(plot_scale_kind kind, double lo, double hi, double pad);
/* A number as a figure shows it: 3 digits, powers of ten raised. */
void plot_number(char *out, size_t size, double v);
/* A cosine: 2 decimals, a true minus, no −0.00. */
void plot_hundredths(char *out, size_t size, double v);

/* ---- series ---- */

/* Keeps at most 4 points (first, lowest, highest, last) for each of `columns` equal shares of the scale, in order, and
 * one NaN where a gap was. index [n] gets the kept indices; returns how many. With few points all are kept. */
int plot_thin(const double *x, const double *y, int n, const plot_scale *scale, int columns, int *index);

typedef struct plot_mean {
    int n;
    double *x, *mean, *low, *high; /* one block at x, freed with free(x) */
} plot_mean;
/* Mean and mean -+ one standard deviation (n-1) of several curves at the union of their steps, each interpolated within
 * its own range; geometric (over positive values) on request. */
int plot_mean_of(plot_mean *out, const gk_plot_curve *const *curves, int n, bool geometric);

/* ---- the figure ---- */

typedef enum plot_dash { PLOT_SOLID, PLOT_DASHED, PLOT_DOTTED, PLOT_DASHDOT } plot_dash;

typedef struct plot_line {
    const double *x, *y, *low, *high; /* low and high NULL without a band */
    int n, colour;
    plot_dash dash;
} plot_line;

typedef struct plot_mark { /* an event on the upper edge */
    double x;
    int colour;
    bool filled, rule, flag; /* rule: a hairline through the panel; flag: a triangle above it */
} plot_mark;

typedef struct plot_shade {
    double from, to;
    const char *label;
} plot_shade;

typedef struct plot_bar {
    double x, y;
} plot_bar;

/* The smallest share of the largest value that a logarithmic axis of values still shows. */
#define PLOT_DECADES 1e-11

enum { PLOT_LABELS = 16, PLOT_MARKS = 128, PLOT_LINES = 128, PLOT_SHADES = 4 };

typedef struct plot_side { /* one axis of a panel */
    const char *label;
    plot_scale scale;
    bool bare;    /* no tick labels: the panel below has them */
    int n_labels; /* heat maps: named positions in cells */
    double at[PLOT_LABELS];
    const char *text[PLOT_LABELS];
} plot_side;

typedef enum plot_kind { PLOT_CURVES, PLOT_BARS, PLOT_HEAT, PLOT_WORDS } plot_kind;

typedef struct plot_panel {
    plot_kind kind;
    int row, col;
    const char *title, *subtitle, *words;
    plot_side x, y;
    int n_lines, n_marks, n_shades, n_bars;
    plot_line *lines;
    plot_mark *marks;
    plot_shade shades[PLOT_SHADES];
    plot_bar *bars;
    int colour; /* of bars */
    bool cut;   /* some values lie below the vertical axis */
    /* heat maps */
    int rows, cols;
    const double *data; /* [rows, cols], row 0 at the top, or at the bottom when `upward` */
    double limit_lo, limit_hi;
    bool diverging, square, numbers, bar, upward, log_colour, clipped, empty; /* empty: all cells are 0 */
    const char *bar_label;
    double line_at; /* cell index of a thin dividing line, both ways; 0: none */
    const int *counts;
    /* set by the layout */
    double px, py, pw, ph;
} plot_panel;

typedef struct plot_key {
    enum { PLOT_KEY_LINE, PLOT_KEY_BAND, PLOT_KEY_MARK } kind;
    int colour;
    plot_dash dash;
    bool filled;
    const char *label;
} plot_key;

enum { PLOT_ROWS = 16, PLOT_COLS = 8, PLOT_PANELS = 64, PLOT_KEYS = 24 };

struct gk_plot_figure {
    double width, height;
    const char *title;
    int rows, cols;
    double row_height[PLOT_ROWS]; /* of the plotting area; 0: what its square heat maps need */
    double col_weight[PLOT_COLS];
    plot_panel panels[PLOT_PANELS];
    int n;
    plot_key keys[PLOT_KEYS];
    int n_keys;
    const char *notes[8];
    int n_notes;
    void *blocks;             /* the figure's memory, a list */
    bool failed;              /* memory ran out while composing */
    double legend_y, notes_y; /* set by the layout */
};

/* ---- compose.c: what the composers fill a figure with ---- */

int plot_figure_new(gk_plot_figure **out, double width_mm, const char *title);
/* Memory that lives as long as the figure; NULL once memory is out (and then the figure has failed). */
void *plot_keep(gk_plot_figure *f, size_t count, size_t item);
const char *plot_say(gk_plot_figure *f, const char *fmt, ...) GK_PRINTF(2, 3);
const double *plot_copy(gk_plot_figure *f, const double *x, size_t n);
/* NULL when the figure is full or has failed. */
plot_panel *plot_panel_add(gk_plot_figure *f, plot_kind kind, int row, int col);
plot_line *plot_line_add(gk_plot_figure *f, plot_panel *p, const double *x, const double *y, int n, int colour,
                         plot_dash dash);
/* A mark without a place (NaN) is left out. */
void plot_mark_add(gk_plot_figure *f, plot_panel *p, plot_mark mark);
void plot_shade_add(plot_panel *p, double from, double to, const char *label);
/* A key that is there already is not repeated. */
void plot_key_add(gk_plot_figure *f, plot_key key);
void plot_note_add(gk_plot_figure *f, const char *note);
/* Copies `data` and sets its symmetric limit to the largest |value|, or, when a few cells dwarf the rest, to
 * their 99.5th percentile (clipped = true). */
void plot_heat_data(gk_plot_figure *f, plot_panel *p, const double *data, int rows, int cols);
/* Lays the figure out and gives it to the caller, or frees it and passes the failure on. */
int plot_figure_done(gk_plot_figure *f, gk_plot_figure **out);
/* Fits both scales of a panel of curves to its lines, bands and marks. `floor` and `ceil`: bounds that must be shown,
 * or NaN. */
void plot_fit(plot_panel *p, plot_scale_kind x, plot_scale_kind y, double floor, double ceil);

/* ---- ink.c ---- */

/* Sizes of type. */
#define PLOT_SMALL 6.5
#define PLOT_TEXT  7.0
#define PLOT_TITLE 7.5

void plot_font(cairo_t *cr, double size, bool bold);
double plot_text_width(cairo_t *cr, const char *text);
/* Lines of `text` wrapped to `width`, calling `put` for each (NULL: only counts). */
int plot_wrap(cairo_t *cr, const char *text, double width, void (*put)(cairo_t *cr, const char *line, int i));
void plot_set(cairo_t *cr, plot_rgb c);
/* Text with its anchor at (x, y): h, v 0 left/top, .5 middle, 1 right/bottom. */
void plot_text(cairo_t *cr, double x, double y, const char *text, double h, double v);
void plot_dash_set(cairo_t *cr, plot_dash dash);
void plot_triangle(cairo_t *cr, double x, double y, plot_rgb colour, bool filled);
/* Does a panel have triangles above it? */
bool plot_has_flags(const plot_panel *p);

/* ---- layout.c ---- */

int plot_layout(gk_plot_figure *f);
/* Where a label of two or more words, too long for `length`, is broken in two: the index of a space, or 0. */
size_t plot_break(cairo_t *cr, const char *text, double length);
/* A panel of curves leaves this much to its right for what stands half beyond the end of its axis. */
#define PLOT_BEYOND 9.0
/* How many tick labels fit. */
int plot_room_x(const plot_panel *p);
int plot_room_y(const plot_panel *p);
/* Width that a legend key takes at the current font, gap included. */
double plot_key_width(cairo_t *cr, const plot_key *key);

/* ---- draw.c, draw_curves.c, draw_heat.c ---- */

void plot_draw_curves(cairo_t *cr, const plot_panel *p);
void plot_draw_heat(cairo_t *cr, const plot_panel *p);
void plot_draw_figure(cairo_t *cr, const gk_plot_figure *f);
/* How many of the points of all lines survive thinning. */
void plot_count_points(const gk_plot_figure *f, int *drawn, int *total);

/* ---- svg.c ---- */

/* Renumbers the ids that cairo takes from a counter of the process, so that equal figures are equal bytes. *text is
 * malloc'ed before and after. */
int plot_svg_renumber(unsigned char **text, size_t *n);

#endif
