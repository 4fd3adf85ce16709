/* layout.c: where everything goes. Margins follow from the text they must hold, so nothing is cut and nothing lies over
 * data: the legend has its own strip above the panels, notes one below. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define EDGE 4.0
#define GAP  5.0 /* between neighbouring panels' texts */

int plot_room_x(const plot_panel *p)
{
    return p->pw < 60 ? 2 : (int)(p->pw / 32) + 1;
}
int plot_room_y(const plot_panel *p)
{
    return p->ph < 35 ? 2 : (int)(p->ph / 18) + 1;
}

double plot_key_width(cairo_t *cr, const plot_key *key)
{
    return (key->kind == PLOT_KEY_MARK ? 9 : 18) + plot_text_width(cr, key->label) + 9;
}

typedef struct margins {
    double left, right, top, bottom;
} margins;

/* Widest tick label of a panel of curves; the panel's height is known. */
static double y_labels_width(cairo_t *cr, const plot_panel *p)
{
    double widest = 0;
    if (p->kind == PLOT_HEAT) {
        for (int i = 0; i < p->y.n_labels; i++) widest = fmax(widest, plot_text_width(cr, p->y.text[i]));
        return widest;
    }
    plot_tick ticks[PLOT_TICKS];
    int n = plot_scale_ticks(&p->y.scale, plot_room_y(p), ticks);
    for (int i = 0; i < n; i++)
        if (!ticks[i].minor) widest = fmax(widest, plot_text_width(cr, ticks[i].text));
    return widest;
}

static margins margins_of(cairo_t *cr, const plot_panel *p)
{
    margins m = {0, 0, 0, 0};
    plot_font(cr, PLOT_TITLE, true);
    if (p->title) m.top += 11;
    if (p->subtitle) m.top += 9;
    if (p->kind == PLOT_WORDS) return m;
    if (plot_has_flags(p)) m.top += 6;
    for (int i = 0; i < p->n_shades; i++) {
        if (!p->shades[i].label) continue;
        m.top += 9;
        break;
    }
    plot_font(cr, PLOT_TEXT, false);
    if (p->y.label) m.left += plot_break(cr, p->y.label, p->ph) ? 18 : 10;
    if (!p->y.bare) m.left += y_labels_width(cr, p) + 5;
    if (!p->x.bare) m.bottom += p->kind == PLOT_HEAT && p->x.n_labels == 0 ? 2 : 11;
    if (p->x.label) m.bottom += 9;
    if (p->kind == PLOT_CURVES || p->kind == PLOT_BARS) {
        /* the last tick label may stand half beyond the end of the axis */
        m.right = p->x.scale.kind == PLOT_PHASE ? 14 : PLOT_BEYOND;
        if (p->x.scale.kind == PLOT_PHASE) m.left = fmax(m.left, 12);
    }
    if (p->bar) m.right += 34;
    if (p->bar && p->bar_label) m.right += 9;
    return m;
}

/* Lays the legend out and returns its height. */
static double legend_height(cairo_t *cr, const gk_plot_figure *f)
{
    if (f->n_keys == 0) return 0;
    plot_font(cr, PLOT_TEXT, false);
    double x = 0;
    int lines = 1;
    for (int i = 0; i < f->n_keys; i++) {
        double w = plot_key_width(cr, &f->keys[i]);
        if (x > 0 && x + w - 9 > f->width - 2 * EDGE) {
            lines++;
            x = 0;
        }
        x += w;
    }
    return lines * 10.0 + 3;
}

static int figure_columns(gk_plot_figure *f, cairo_t *cr, double *left, double *width)
{
    margins col[PLOT_COLS];
    memset(col, 0, sizeof col);
    double weights = 0, used = 2 * EDGE + GAP * (f->cols - 1);
    for (int i = 0; i < f->n; i++) {
        plot_panel *p = &f->panels[i];
        p->ph = f->row_height[p->row] > 0 ? f->row_height[p->row] : 100;
        margins m = margins_of(cr, p);
        col[p->col].left = fmax(col[p->col].left, m.left);
        col[p->col].right = fmax(col[p->col].right, m.right);
    }
    for (int c = 0; c < f->cols; c++) {
        used += col[c].left + col[c].right;
        weights += f->col_weight[c];
    }
    if (f->width - used < 20 * f->cols)
        return gk_error(GK_USAGE, "%.0f mm are too narrow for %d panels side by side; at least %.0f mm are needed",
                        f->width * 25.4 / 72, f->cols, (used + 30 * f->cols) * 25.4 / 72);
    double x = EDGE;
    for (int c = 0; c < f->cols; c++) {
        left[c] = x + col[c].left;
        width[c] = (f->width - used) * f->col_weight[c] / weights;
        x = left[c] + width[c] + col[c].right + GAP;
    }
    return GK_OK;
}

static void place(gk_plot_figure *f, plot_panel *p, double x, double y, double w, double h)
{
    p->px = x;
    p->py = y;
    p->pw = w;
    p->ph = h;
    if (!p->square) return;
    double cell = fmin(w / p->cols, h / p->rows);
    p->pw = cell * p->cols;
    p->ph = cell * p->rows;
    if (f->cols > 1 && !p->bar) p->px += (w - p->pw) / 2;
}

int plot_layout(gk_plot_figure *f)
{
    cairo_surface_t *surface = cairo_recording_surface_create(CAIRO_CONTENT_COLOR, NULL);
    cairo_t *cr = cairo_create(surface);
    double left[PLOT_COLS], width[PLOT_COLS], y = EDGE;
    int error = figure_columns(f, cr, left, width);
    if (f->title) y += 12;
    f->legend_y = y;
    y += legend_height(cr, f);
    for (int r = 0; r < f->rows && !error; r++) {
        double top = 0, bottom = 0, height = f->row_height[r];
        for (int i = 0; i < f->n; i++) {
            const plot_panel *p = &f->panels[i];
            if (p->row != r) continue;
            margins m = margins_of(cr, p);
            top = fmax(top, m.top);
            bottom = fmax(bottom, m.bottom);
            if (f->row_height[r] == 0 && p->square) height = fmax(height, width[p->col] * p->rows / p->cols);
        }
        y += top;
        for (int i = 0; i < f->n; i++)
            if (f->panels[i].row == r)
                place(f, &f->panels[i], left[f->panels[i].col], y, width[f->panels[i].col], height);
        y += height + bottom + GAP;
    }
    plot_font(cr, PLOT_SMALL, false);
    f->notes_y = y;
    for (int i = 0; i < f->n_notes; i++) y += 8.5 * plot_wrap(cr, f->notes[i], f->width - 2 * EDGE, NULL);
    f->height = y + EDGE - (f->n_notes ? 0 : GAP / 2);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return error;
}

int gk_plot_panels(const gk_plot_figure *f)
{
    return f->n;
}

void gk_plot_size(const gk_plot_figure *f, double *width, double *height)
{
    *width = f->width;
    *height = f->height;
}

void gk_plot_point(const gk_plot_figure *f, int panel, double x, double y, double *px, double *py)
{
    const plot_panel *p = &f->panels[panel];
    *px = p->px + p->pw * plot_scale_map(&p->x.scale, x);
    *py = p->py + p->ph * (1 - plot_scale_map(&p->y.scale, y));
}

void gk_plot_cell(const gk_plot_figure *f, int panel, int row, int col, double *px, double *py)
{
    const plot_panel *p = &f->panels[panel];
    double r = p->upward ? p->rows - 1 - row : row;
    *px = p->px + p->pw * (col + 0.5) / p->cols;
    *py = p->py + p->ph * (r + 0.5) / p->rows;
}
