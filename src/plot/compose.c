/* compose.c: a figure's memory and its parts, for the composers to fill. */
#include "plot.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory of a figure: each block begins with the address of the one before it (64 bytes keep the rest aligned). */
void *plot_keep(gk_plot_figure *f, size_t count, size_t item)
{
    if (f->failed) return NULL;
    unsigned char *block = gk_calloc(count * item + 64, 1);
    if (!block) {
        f->failed = true;
        return NULL;
    }
    memcpy(block, &f->blocks, sizeof f->blocks);
    f->blocks = block;
    return block + 64;
}

int plot_figure_new(gk_plot_figure **out, double width_mm, const char *title)
{
    *out = NULL;
    if (!(width_mm >= 40 && width_mm <= 1000))
        return gk_error(GK_USAGE, "a figure cannot be %g mm wide; 40 to 1000 is possible", width_mm);
    gk_plot_figure *f = gk_calloc(1, sizeof *f);
    if (!f) return GK_FAILED;
    f->width = width_mm * 72 / 25.4;
    if (title) f->title = plot_say(f, "%s", title);
    *out = f;
    return GK_OK;
}

void gk_plot_free(gk_plot_figure *f)
{
    if (!f) return;
    for (void *block = f->blocks; block;) {
        void *before;
        memcpy(&before, block, sizeof before);
        free(block);
        block = before;
    }
    free(f);
}

const char *plot_say(gk_plot_figure *f, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t n = strlen(text) + 1;
    char *kept = plot_keep(f, n, 1);
    if (!kept) return "";
    memcpy(kept, text, n);
    return kept;
}

const double *plot_copy(gk_plot_figure *f, const double *x, size_t n)
{
    double *kept = plot_keep(f, n + 1, sizeof *x);
    if (kept && n) memcpy(kept, x, n * sizeof *x);
    return kept;
}

plot_panel *plot_panel_add(gk_plot_figure *f, plot_kind kind, int row, int col)
{
    if (f->n == PLOT_PANELS || row >= PLOT_ROWS || col >= PLOT_COLS) {
        gk_error(GK_USAGE, "too many panels for one figure; %d are possible", PLOT_PANELS);
        f->failed = true;
        return NULL;
    }
    plot_panel *p = &f->panels[f->n];
    p->lines = plot_keep(f, PLOT_LINES, sizeof *p->lines);
    p->marks = plot_keep(f, PLOT_MARKS, sizeof *p->marks);
    if (f->failed) return NULL;
    f->n++;
    p->kind = kind;
    p->row = row;
    p->col = col;
    if (row >= f->rows) f->rows = row + 1;
    if (col >= f->cols) f->cols = col + 1;
    if (f->col_weight[col] == 0) f->col_weight[col] = 1;
    return p;
}

plot_line *plot_line_add(gk_plot_figure *f, plot_panel *p, const double *x, const double *y, int n, int colour,
                         plot_dash dash)
{
    if (p->n_lines == PLOT_LINES) {
        gk_error(GK_USAGE, "too many curves in one panel; %d are possible", PLOT_LINES);
        f->failed = true;
        return NULL;
    }
    const double *kx = plot_copy(f, x, (size_t)n), *ky = plot_copy(f, y, (size_t)n);
    if (f->failed) return NULL;
    plot_line *line = &p->lines[p->n_lines++];
    *line = (plot_line){.x = kx, .y = ky, .n = n, .colour = colour, .dash = dash};
    return line;
}

void plot_mark_add(gk_plot_figure *f, plot_panel *p, plot_mark mark)
{
    if (!isnan(mark.x) && !f->failed && p->n_marks < PLOT_MARKS) p->marks[p->n_marks++] = mark;
}

void plot_shade_add(plot_panel *p, double from, double to, const char *label)
{
    if (!(from < to) || p->n_shades == PLOT_SHADES) return;
    p->shades[p->n_shades++] = (plot_shade){from, to, label};
}

void plot_key_add(gk_plot_figure *f, plot_key key)
{
    for (int i = 0; i < f->n_keys; i++)
        if (f->keys[i].kind == key.kind && strcmp(f->keys[i].label, key.label) == 0) return;
    if (f->n_keys == PLOT_KEYS) return;
    int at = f->n_keys++;
    for (; at > 0 && key.kind != PLOT_KEY_MARK && f->keys[at - 1].kind == PLOT_KEY_MARK; at--)
        f->keys[at] = f->keys[at - 1];
    f->keys[at] = key; /* lines before marks */
}

void plot_note_add(gk_plot_figure *f, const char *note)
{
    for (int i = 0; i < f->n_notes; i++)
        if (strcmp(f->notes[i], note) == 0) return;
    if (f->n_notes < 8) f->notes[f->n_notes++] = note;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void plot_heat_data(gk_plot_figure *f, plot_panel *p, const double *data, int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols, m = 0;
    p->rows = rows;
    p->cols = cols;
    p->data = plot_copy(f, data, n);
    p->diverging = true;
    double *size = plot_keep(f, n + 1, sizeof *size);
    if (!size) return;
    for (size_t i = 0; i < n; i++)
        if (isfinite(data[i])) size[m++] = fabs(data[i]);
    qsort(size, m, sizeof *size, by_value);
    double most = m ? size[m - 1] : 0, usual = m ? size[(size_t)((double)(m - 1) * 0.995)] : 0;
    p->clipped = usual > 0 && most > 1.5 * usual;
    double limit = p->clipped ? usual : most;
    p->empty = m > 0 && most == 0;
    if (!(limit > 0)) limit = 1;
    p->limit_lo = -limit;
    p->limit_hi = limit;
}

static void widen(double v, double *lo, double *hi)
{
    if (!isfinite(v)) return;
    *lo = fmin(*lo, v);
    *hi = fmax(*hi, v);
}

static double largest(const plot_panel *p)
{
    double least = INFINITY, most = 0;
    for (int l = 0; l < p->n_lines; l++)
        for (int i = 0; i < p->lines[l].n; i++) {
            widen(p->lines[l].y[i], &least, &most);
            if (p->lines[l].high) widen(p->lines[l].high[i], &least, &most);
        }
    return most;
}

/* A loss at the rounding error of its numbers would flatten all others: a logarithmic axis ends at the smallest value
 * that is not under PLOT_DECADES of the largest. */
void plot_fit(plot_panel *p, plot_scale_kind xk, plot_scale_kind yk, double floor, double ceil)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    const double least = yk == PLOT_LOG ? PLOT_DECADES * largest(p) : -INFINITY;
    bool zero = false;
    p->cut = false;
    for (int l = 0; l < p->n_lines; l++) {
        const plot_line *line = &p->lines[l];
        for (int i = 0; i < line->n; i++) {
            double y = line->y[i], x = line->x[i];
            if (xk == PLOT_LOG && x == 0) zero = true;
            if (xk != PLOT_LOG || x > 0) widen(x, &x0, &x1);
            if (yk == PLOT_LOG && !(y > 0)) continue;
            p->cut = p->cut || y < least;
            if (y >= least) widen(y, &y0, &y1);
            if (!line->low) continue;
            if (yk != PLOT_LOG || (line->low[i] > 0 && line->low[i] >= least)) widen(line->low[i], &y0, &y1);
            if (line->high[i] >= least) widen(line->high[i], &y0, &y1);
        }
    }
    for (int i = 0; i < p->n_marks; i++) {
        if (xk == PLOT_LOG && p->marks[i].x == 0) zero = true;
        if (xk != PLOT_LOG || p->marks[i].x > 0) widen(p->marks[i].x, &x0, &x1);
    }
    if (isfinite(floor)) y0 = fmin(y0, floor);
    if (isfinite(ceil)) y1 = fmax(y1, ceil);
    p->x.scale = xk == PLOT_PHASE && x0 <= x1 ? (plot_scale){PLOT_PHASE, fmin(x0, 0), fmax(x1, 1), false}
                                              : plot_scale_fit(xk, x0, x1, 0.01);
    p->x.scale.zero = zero;
    p->y.scale = plot_scale_fit(yk, y0, y1, 0.04);
}

int plot_figure_done(gk_plot_figure *f, gk_plot_figure **out)
{
    int error = f->failed ? GK_FAILED : plot_layout(f);
    if (!error) {
        int drawn, total;
        plot_count_points(f, &drawn, &total); /* how many fit is known once the widths are */
        if (drawn < total) {
            plot_note_add(
                f, plot_say(f, "%d of %d points drawn: per quarter point of width the first, lowest, highest and last.",
                            drawn, total));
            error = f->failed ? GK_FAILED : plot_layout(f);
        }
    }
    if (error) {
        gk_plot_free(f);
        *out = NULL;
        return error;
    }
    *out = f;
    return GK_OK;
}
