/* gk_plot.h: pictures. The room gets plain numbers and gives bytes: it knows no database. A figure is made by one of
 * the kinds below and then drawn, by one routine, as SVG, PDF or PNG; equal data gives equal bytes. */
#ifndef GK_PLOT_H
#define GK_PLOT_H

#include "gk_base.h"

#define GK_PLOT_COLUMN_MM 85.0  /* one column of a two-column paper */
#define GK_PLOT_PAGE_MM   178.0 /* both columns */

/* ---- the data of a run, all borrowed ---- */

typedef struct gk_plot_curve {
    const char *name; /* the metric, e.g. test_loss */
    int n;
    const double *step, *value; /* [n] steps ascending; a NaN value is a gap */
} gk_plot_curve;

typedef struct gk_plot_event {
    const char *kind; /* memorised | circuit | grokked | cleaned | ... */
    double step;
} gk_plot_event;

typedef struct gk_plot_frame {
    const char *kind; /* agop, sqrt_agop, nfm, metric ... */
    double step;
    int rows, cols;
    const double *data; /* [rows, cols] */
} gk_plot_frame;

typedef struct gk_plot_spectrum {
    const char *source; /* e.g. "features": what was transformed */
    double step;
    int n;
    const double *energy; /* [n] of frequency 1..n, not negative */
} gk_plot_spectrum;

typedef struct gk_plot_run {
    const char *label, *method, *unit; /* unit of a step: epoch | iteration */
    const char *loss;                  /* what its train_loss and test_loss are: mse | cross_entropy; NULL: not known */
    const char *group;                 /* runs with equal group differ in seeds only; NULL: stands alone */
    double last;                       /* the last step */
    int n_curves, n_events, n_frames, n_spectra;
    const gk_plot_curve *curves;
    const gk_plot_event *events;
    const gk_plot_frame *frames;
    const gk_plot_spectrum *spectra; /* steps ascending within a source */
} gk_plot_run;

/* Borrowed curve of a name, or NULL. */
const gk_plot_curve *gk_plot_run_curve(const gk_plot_run *run, const char *name);
/* Step of the first event of a kind, NaN if there is none. */
double gk_plot_run_event(const gk_plot_run *run, const char *kind);

/* ---- the horizontal axis ---- */

typedef enum gk_plot_axis {
    GK_PLOT_LOG,      /* steps, logarithmic; step 0 gets a slot of its own at the left */
    GK_PLOT_LINEAR,   /* steps */
    GK_PLOT_FRACTION, /* step / last step */
    GK_PLOT_PHASE,    /* -1 start, 0 memorised, 1 grokked, 2 end; straight in between */
} gk_plot_axis;

/* Where a step of `run` stands on an axis. Under PHASE a run that never memorised ends at 0 and one that never grokked
 * at 1. */
double gk_plot_align(const gk_plot_run *run, gk_plot_axis axis, double step);
/* The inverse for FRACTION and PHASE: a step (not rounded). */
double gk_plot_unalign(const gk_plot_run *run, gk_plot_axis axis, double at);

typedef enum gk_plot_scale { GK_PLOT_AUTO, GK_PLOT_Y_LINEAR, GK_PLOT_Y_LOG } gk_plot_scale;

typedef struct gk_plot_options {
    double width_mm; /* 0: the kind's own */
    gk_plot_axis x;
    gk_plot_scale y;
    const char *title; /* NULL: none */
} gk_plot_options;

/* ---- figures: each returns GK_OK and *out (freed with gk_plot_free), GK_USAGE for data that cannot be drawn, or
 * GK_NOTFOUND for runs that have nothing of the kind ---- */

typedef struct gk_plot_figure gk_plot_figure;

/* Metrics over steps; metrics of one family (train_loss, test_loss, ...) share a panel, runs of one group become their
 * mean with a band of one standard deviation (geometric on a logarithmic axis). metrics: NULL-terminated. */
int gk_plot_curves(gk_plot_figure **out, const gk_plot_run *runs, int n, const char *const *metrics,
                   const gk_plot_options *options);

/* Hidden measures against visible ones, one panel a family, phases shaded (Nanda et al. 2023, figure 7; Mallinar et al.
 * 2024, figures 2 and 5). One run: its steps; several: aligned by phase unless options->x says FRACTION. metrics NULL:
 * those of the standard list that the runs have. */
int gk_plot_progress(gk_plot_figure **out, const gk_plot_run *runs, int n, const char *const *metrics,
                     const gk_plot_options *options);

/* The view of a feature matrix M [2p,2p] (or of a [p,p] block). */
typedef struct gk_plot_view {
    bool nodiag;  /* diagonals of M (and so of its own half blocks) shown as 0 */
    bool block;   /* only A = M[p:2p, 0:p], rows second input y, columns first input x */
    bool reorder; /* each p x p block in discrete-log order, row and column 0 dropped; p prime */
} gk_plot_view;

/* Applies a view. *data [rows, cols] is malloc'ed. GK_USAGE when the shape or p does not allow it. */
int gk_plot_view_apply(const gk_plot_frame *frame, int p, gk_plot_view view, double **data, int *rows, int *cols);

/* Heat maps with diverging colours around 0, one a frame, as small multiples; frames are drawn as given and labelled
 * with `titles` [n]. p: where the halves meet (0: not a feature matrix). One frame gets a colour bar, several each
 * their own limit, written beneath. */
int gk_plot_matrices(gk_plot_figure **out, const gk_plot_frame *frames, int n, const char *const *titles, int p,
                     gk_plot_view view, const gk_plot_options *options);

/* The methods of one split: accuracies above, frames[i] (already viewed, final) below, similarity [n,n] beside them
 * (cosines; NaN: no value). similarity_title says what it is. */
int gk_plot_compare(gk_plot_figure **out, const gk_plot_run *runs, int n, const gk_plot_frame *frames, int p,
                    gk_plot_view view, const double *similarity, const char *similarity_title,
                    const gk_plot_options *options);

/* Energy per frequency over training, one row of panels a run and source: over steps, and the last one as bars. */
int gk_plot_spectra(gk_plot_figure **out, const gk_plot_run *runs, int n, const gk_plot_options *options);

/* A phase diagram over two settings: value [ny, nx], NaN where there is none (drawn grey, `absent` says why); counts
 * [ny, nx] or NULL: runs behind each cell, which is left white where there are 0. Labels are the settings' values in axis
 * order, ny bottom up. */
typedef struct gk_plot_map {
    const char *x_name, *y_name, *value_name, *absent;
    int nx, ny;
    const char *const *x_labels, *const *y_labels;
    const double *value;
    const int *counts;
    bool log_colour;
} gk_plot_map;
int gk_plot_grid(gk_plot_figure **out, const gk_plot_map *map, const gk_plot_options *options);

void gk_plot_free(gk_plot_figure *f);

/* ---- drawing ---- */

typedef enum gk_plot_format { GK_PLOT_SVG, GK_PLOT_PDF, GK_PLOT_PNG } gk_plot_format;

/* From the ending of a file name; GK_USAGE for any other than .svg .pdf .png. */
int gk_plot_format_of(const char *path, gk_plot_format *format);
/* The figure as bytes, malloc'ed. dpi matters for PNG only (0: 300). */
int gk_plot_render(const gk_plot_figure *f, gk_plot_format format, double dpi, unsigned char **bytes, size_t *n);
/* Into a file whose ending says the format, whole or not at all. */
int gk_plot_write(const gk_plot_figure *f, const char *path, double dpi);

/* Writes bytes to `path` through a file beside it that is then renamed, so that a reader sees the old or the new one.
 */
int gk_plot_save(const char *path, const void *bytes, size_t n);

/* ---- the page: runs compared in one self-contained HTML file ---- */

typedef struct gk_plot_pair {
    const char *key, *value;
} gk_plot_pair;

typedef struct gk_plot_page_run {
    gk_plot_run run; /* frames: symmetric feature matrices; spectra: of those frames, source = the frame's kind */
    int64_t id;
    const char *uid, *status, *started_at; /* texts may be NULL */
    double wall_seconds;
    int n_settings;
    const gk_plot_pair *settings;
} gk_plot_page_run;

typedef struct gk_plot_metric {
    const char *name, *unit, *description;
} gk_plot_metric;

typedef struct gk_plot_page {
    const char *title, *task, *split, *version; /* task: e.g. "x + y mod 61"; split: its sha256 */
    int p;
    int n, n_metrics, n_sql;
    const gk_plot_page_run *runs;
    const gk_plot_metric *metrics;
    const gk_plot_pair
        *sql; /* figure (glance curves matrices spectra measures settings) and the query that made its data */
    const int32_t *order; /* [p-1] powers of the primitive root, for the discrete-log view; NULL: no such view */
    int refresh;          /* seconds after which an open page reads itself again; 0: never */
} gk_plot_page;

/* The page as text, malloc'ed and NUL-terminated. Curves are thinned to a share of about 1.3 MB (the page says n of N);
 * matrices are kept to 8 bits (p over 80) or 16 bits of their largest off-diagonal value, diagonals in full. */
int gk_plot_page_html(const gk_plot_page *page, char **html, size_t *n);

/* Which of n ascending steps to keep when only `most` may stay: the first, the last, and those nearest to equal
 * distances on the logarithmic and on the phase axis of `run`; of 10 or fewer all by phase once the run has memorised,
 * so that 4 are start, memorised, grokked and end. index [n], ascending; returns how many. */
int gk_plot_pick(const gk_plot_run *run, const double *steps, int n, int most, int *index);

/* ---- where things were drawn, in points (1/72 inch) from the top left ---- */

int gk_plot_panels(const gk_plot_figure *f);
void gk_plot_size(const gk_plot_figure *f, double *width, double *height);
/* Where (x, y) in data units of a panel of curves is drawn; NaN if the axis cannot show it. */
void gk_plot_point(const gk_plot_figure *f, int panel, double x, double y, double *px, double *py);
/* The centre of a cell of a heat map. */
void gk_plot_cell(const gk_plot_figure *f, int panel, int row, int col, double *px, double *py);

/* ---- text ---- */

/* `values` [n] squeezed into `width` characters of eighth blocks (UTF-8) plus a terminator; a character is the mean of
 * its share, a space where all of it is NaN. log: logarithms of the positive values. lo, hi: the range, NaN: their own.
 * out holds 3*width + 1 bytes. */
void gk_plot_sparkline(char *out, const double *values, int n, int width, bool log, double lo, double hi);

#endif
