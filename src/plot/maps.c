/* maps.c: the kinds `matrix`, `spectrum` and `grid`, and the views of a feature matrix. */
#include "plot.h"

#include "gk_structure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* out [rows-?]: one p x p block in discrete-log order, [p-1, p-1] with row length ldo. */
static int reorder_block(double *out, int ldo, const double *block, int ld, int p)
{
    int q = p - 1;
    double *part = gk_alloc((size_t)q * (size_t)q, sizeof *part);
    int error = part ? gk_reorder_dlog(part, block, ld, p) : GK_FAILED;
    for (int i = 0; i < q && !error; i++)
        memcpy(out + (size_t)i * (size_t)ldo, part + (size_t)i * (size_t)q, (size_t)q * sizeof *out);
    free(part);
    return error;
}

int gk_plot_view_apply(const gk_plot_frame *frame, int p, gk_plot_view view, double **data, int *rows, int *cols)
{
    int n = frame->rows;
    *data = NULL;
    if (n != frame->cols || (n != 2 * p && n != p))
        return gk_error(GK_USAGE, "the %s of step %g is %d x %d; a feature matrix of p = %d is %d x %d", frame->kind,
                        frame->step, frame->rows, frame->cols, p, 2 * p, 2 * p);
    bool part = view.block && n == 2 * p; /* a p x p matrix is its own block */
    const double *from = part ? frame->data + (size_t)p * (size_t)n : frame->data;
    int size = part ? p : n, q = view.reorder ? size / p * (p - 1) : size;
    double *own = gk_alloc((size_t)size * (size_t)size, sizeof *own), *moved = NULL;
    if (!own) return GK_FAILED;
    for (int i = 0; i < size; i++)
        memcpy(own + (size_t)i * (size_t)size, from + (size_t)i * (size_t)n, (size_t)size * sizeof *own);
    /* the diagonal of A is no diagonal of M: only M's own goes */
    for (int i = 0; i < size && view.nodiag && !part; i++) own[(size_t)i * (size_t)(size + 1)] = 0;
    int error = GK_OK;
    if (view.reorder) {
        moved = gk_alloc((size_t)q * (size_t)q, sizeof *moved);
        if (!moved) error = GK_FAILED;
        for (int b = 0; b < size / p && !error; b++)
            for (int c = 0; c < size / p && !error; c++)
                error = reorder_block(moved + (size_t)b * (size_t)(p - 1) * (size_t)q + (size_t)c * (size_t)(p - 1), q,
                                      own + (size_t)b * (size_t)p * (size_t)size + (size_t)c * (size_t)p, size, p);
        free(own);
        own = moved;
    }
    if (error) {
        free(own);
        return error;
    }
    *data = own;
    *rows = *cols = q;
    return GK_OK;
}

/* Names the halves of M by the inputs they belong to, or the sides of its block. */
static void name_sides(gk_plot_figure *f, plot_panel *h, int p, gk_plot_view view, bool roomy)
{
    if (p <= 0) return;
    bool whole = h->rows > p;
    const char *order = view.reorder ? "log " : "";
    plot_side *sides[2] = {&h->x, &h->y};
    for (int s = 0; s < 2; s++) {
        plot_side *side = sides[s];
        if (whole) {
            side->n_labels = 2;
            for (int i = 0; i < 2; i++) {
                side->at[i] = h->rows * (0.25 + 0.5 * i);
                side->text[i] = plot_say(f, "%s%s", order, i == 0 ? "x" : "y");
            }
        } else if (roomy) {
            side->label = plot_say(f, s == 0 ? "%sx (first input)" : "%sy (second input)", order);
        }
    }
    if (whole) h->line_at = h->rows / 2.0;
}

static const char *limit_text(gk_plot_figure *f, const plot_panel *h)
{
    char number[32];
    if (h->empty) return "all 0";
    plot_number(number, sizeof number, h->limit_hi);
    return plot_say(f, h->clipped ? "±%s, beyond cut" : "±%s", number);
}

int gk_plot_matrices(gk_plot_figure **out, const gk_plot_frame *frames, int n, const char *const *titles, int p,
                     gk_plot_view view, const gk_plot_options *options)
{
    gk_plot_figure *f;
    *out = NULL;
    if (n < 1) return gk_error(GK_USAGE, "there is no matrix to draw");
    double width = options->width_mm > 0 ? options->width_mm : n > 6 ? GK_PLOT_PAGE_MM : GK_PLOT_COLUMN_MM;
    int error = plot_figure_new(&f, width, options->title);
    if (error) return error;
    int columns = (int)(f->width / 76); /* 27 mm each */
    if (columns > PLOT_COLS) columns = PLOT_COLS;
    if (columns < 1) columns = 1;
    int lines = (n + columns - 1) / columns;
    if (lines > 0) columns = (n + lines - 1) / lines; /* even rows */
    bool clipped = false;
    for (int i = 0; i < n && !f->failed; i++) {
        plot_panel *h = plot_panel_add(f, PLOT_HEAT, i / columns, i % columns);
        if (!h) break;
        h->title = titles ? plot_say(f, "%s", titles[i]) : NULL;
        h->square = true;
        plot_heat_data(f, h, frames[i].data, frames[i].rows, frames[i].cols);
        name_sides(f, h, p, view, n == 1);
        h->y.bare = i % columns > 0;
        h->bar = n == 1;
        if (n > 1)
            h->subtitle = limit_text(f, h);
        else if (h->clipped)
            plot_note_add(f, "The largest 0.5 % of the values are cut at the ends of the colour bar.");
        clipped = clipped || h->clipped;
    }
    if (n > 1)
        plot_note_add(
            f, clipped ? "Blue negative, white 0, red positive; each panel has its own limit, given above it; where it "
                         "says so, the largest 0.5 % are cut."
                       : "Blue negative, white 0, red positive; each panel has its own limit, given above it.");
    return plot_figure_done(f, out);
}

/* ---- spectra ---- */

/* Energies of one source over training: data [n, steps], row k-1 is frequency k; only steps with as many frequencies.
 */
static int spectrum_panel(gk_plot_figure *f, const gk_plot_run *run, const char *source, int row)
{
    const gk_plot_spectrum *of[4096];
    int steps = 0;
    for (int i = 0; i < run->n_spectra && steps < 4096; i++)
        if (strcmp(run->spectra[i].source, source) == 0 && (steps == 0 || run->spectra[i].n == of[0]->n))
            of[steps++] = &run->spectra[i];
    int n = of[0]->n;
    double *share = plot_keep(f, (size_t)n * (size_t)steps + 1, sizeof *share);
    plot_panel *h = plot_panel_add(f, PLOT_HEAT, row, 0), *b = plot_panel_add(f, PLOT_BARS, row, 1);
    plot_bar *bars = plot_keep(f, (size_t)n + 1, sizeof *bars);
    if (f->failed) return GK_FAILED;
    double most = 0, top = 0;
    for (int t = 0; t < steps; t++) {
        double sum = 0;
        for (int k = 0; k < n; k++) sum += of[t]->energy[k];
        for (int k = 0; k < n; k++) {
            double v = sum > 0 ? of[t]->energy[k] / sum : NAN;
            share[(size_t)k * (size_t)steps + (size_t)t] = v;
            most = fmax(most, isnan(v) ? 0 : v);
            if (t == steps - 1) bars[k] = (plot_bar){k + 1, isnan(v) ? 0 : v};
            if (t == steps - 1) top = fmax(top, isnan(v) ? 0 : v);
        }
    }
    h->rows = n;
    h->cols = steps;
    h->data = share;
    h->upward = true;
    h->limit_lo = 0;
    h->limit_hi = most > 0 ? most : 1;
    h->bar = true;
    h->bar_label = "share of energy";
    h->title = plot_say(f, "%s: %s", run->label, source);
    h->y.label = "frequency k";
    h->x.label = plot_say(f, "%s (stored steps, equal widths)", run->unit ? run->unit : "step");
    int marks = steps < 4 ? steps : 4; /* each column is a stored step, whatever lies between */
    for (int i = 0; i < marks; i++) {
        int t = marks == 1 ? 0 : (int)lround((double)i * (steps - 1) / (marks - 1));
        h->x.at[h->x.n_labels] = t + 0.5;
        h->x.text[h->x.n_labels++] = plot_say(f, "%g", of[t]->step);
    }
    plot_scale s = {PLOT_LINEAR, 0.5, n + 0.5, false};
    plot_tick ticks[PLOT_TICKS];
    int nt = plot_scale_ticks(&s, 4, ticks);
    for (int i = 0; i < nt && h->y.n_labels < PLOT_LABELS; i++) {
        h->y.at[h->y.n_labels] = ticks[i].at - 0.5;
        h->y.text[h->y.n_labels++] = plot_say(f, "%s", ticks[i].text);
    }
    b->title = plot_say(f, "%s %g", run->unit ? run->unit : "step", of[steps - 1]->step);
    b->bars = bars;
    b->n_bars = n;
    b->x.scale = s;
    b->y.scale = plot_scale_fit(PLOT_LINEAR, 0, top > 0 ? top * 1.05 : 1, 0);
    b->x.label = "frequency k";
    b->y.label = "share of energy";
    f->row_height[row] = 76;
    return GK_OK;
}

int gk_plot_spectra(gk_plot_figure **out, const gk_plot_run *runs, int n, const gk_plot_options *options)
{
    gk_plot_figure *f;
    int row = 0;
    *out = NULL;
    int error = plot_figure_new(&f, options->width_mm > 0 ? options->width_mm : GK_PLOT_PAGE_MM, options->title);
    if (error) return error;
    for (int r = 0; r < n && !error; r++) {
        for (int i = 0; i < runs[r].n_spectra && !error; i++) {
            bool seen = false;
            for (int j = 0; j < i; j++)
                seen = seen || strcmp(runs[r].spectra[j].source, runs[r].spectra[i].source) == 0;
            if (!seen && runs[r].spectra[i].n > 0)
                error = spectrum_panel(f, &runs[r], runs[r].spectra[i].source, row++);
        }
    }
    if (!error && row == 0) {
        gk_plot_free(f);
        return gk_error(GK_NOTFOUND, "these runs have no spectra: no stored matrix or checkpoint to transform");
    }
    f->col_weight[0] = 1.5;
    if (error) f->failed = true;
    return plot_figure_done(f, out);
}

/* ---- grid ---- */

static bool all_equal(const int *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (v[i] != v[0]) return false;
    return true;
}

/* A setting's value as an axis shows it: a number by 3 digits, any other text as it is. */
static void short_label(char *out, size_t size, const char *text)
{
    double v;
    if (gk_text_real(text, &v) == GK_OK) plot_number(out, size, v);
    else snprintf(out, size, "%s", text);
}

static bool short_labels_differ(const char *const *text, int n)
{
    char before[64] = "", here[64];
    for (int i = 0; i < n; i++) { /* they are in order, so that equal ones are neighbours */
        short_label(here, sizeof here, text[i]);
        if (i > 0 && strcmp(before, here) == 0) return false;
        memcpy(before, here, sizeof before);
    }
    return true;
}

int gk_plot_grid(gk_plot_figure **out, const gk_plot_map *map, const gk_plot_options *options)
{
    gk_plot_figure *f;
    *out = NULL;
    if (map->nx < 1 || map->ny < 1) return gk_error(GK_USAGE, "the grid has no cells");
    int error = plot_figure_new(&f, options->width_mm > 0 ? options->width_mm : GK_PLOT_COLUMN_MM, options->title);
    if (error) return error;
    plot_panel *h = plot_panel_add(f, PLOT_HEAT, 0, 0);
    size_t n = (size_t)map->nx * (size_t)map->ny;
    double lo = INFINITY, hi = -INFINITY;
    bool gaps = false, empty = false;
    if (h) {
        for (size_t i = 0; i < n; i++) {
            const bool none = map->counts && map->counts[i] == 0;
            gaps = gaps || (isnan(map->value[i]) && !none);
            empty = empty || none;
            if (!isfinite(map->value[i]) || (map->log_colour && !(map->value[i] > 0))) continue;
            lo = fmin(lo, map->value[i]);
            hi = fmax(hi, map->value[i]);
        }
        plot_scale s = plot_scale_fit(map->log_colour ? PLOT_LOG : PLOT_LINEAR, lo, hi, 0);
        h->rows = map->ny;
        h->cols = map->nx;
        h->data = plot_copy(f, map->value, n);
        h->limit_lo = s.lo;
        h->limit_hi = s.hi;
        h->log_colour = map->log_colour;
        h->upward = h->numbers = true;
        h->bar = lo <= hi; /* no value, no colour to explain */
        h->bar_label = plot_say(f, "%s", map->value_name);
        if (map->counts && all_equal(map->counts, n)) {
            if (map->counts[0] > 1) plot_note_add(f, plot_say(f, "%d runs in each cell.", map->counts[0]));
        } else if (map->counts) {
            int *counts = plot_keep(f, n, sizeof *counts);
            if (counts) memcpy(counts, map->counts, n * sizeof *counts);
            h->counts = counts;
        }
        plot_side *sides[2] = {&h->x, &h->y};
        for (int side = 0; side < 2; side++) {
            int count = side == 0 ? map->nx : map->ny, every = (count + PLOT_LABELS - 1) / PLOT_LABELS;
            if (side == 0 && count > 8) every = (count + 7) / 8;
            const char *const *text = side == 0 ? map->x_labels : map->y_labels;
            const bool brief = short_labels_differ(text, count);
            for (int i = 0; i < count; i += every) {
                char label[64];
                short_label(label, sizeof label, text[i]);
                sides[side]->at[sides[side]->n_labels] = i + 0.5;
                sides[side]->text[sides[side]->n_labels++] = plot_say(f, "%s", brief ? label : text[i]);
            }
            sides[side]->label = plot_say(f, "%s", side == 0 ? map->x_name : map->y_name);
        }
        double row = 26; /* points a row of cells */
        if (map->ny > 6) row = 156.0 / map->ny;
        f->row_height[0] = fmax(h->bar ? 84 : 40, row * map->ny); /* the bar's title needs its length */
        if (gaps) plot_note_add(f, plot_say(f, "Grey: %s.", map->absent ? map->absent : "no value"));
        if (empty) plot_note_add(f, "White: no run.");
    }
    return plot_figure_done(f, out);
}
