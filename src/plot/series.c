/* series.c: what is done to numbers before they are drawn: thinning, seed means, alignment of runs. */
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_index(const void *a, const void *b)
{
    int i = *(const int *)a, j = *(const int *)b;
    return (i > j) - (i < j);
}

/* Adds the first, lowest, highest and last of a column's points, without repeats, in order. */
static int flush(int *index, int kept, const int *four)
{
    int sorted[4];
    memcpy(sorted, four, sizeof sorted);
    qsort(sorted, 4, sizeof sorted[0], by_index);
    for (int i = 0; i < 4; i++)
        if (i == 0 || sorted[i] != sorted[i - 1]) index[kept++] = sorted[i];
    return kept;
}

int plot_thin(const double *x, const double *y, int n, const plot_scale *scale, int columns, int *index)
{
    if (n <= 2 * columns) {
        for (int i = 0; i < n; i++) index[i] = i;
        return n;
    }
    int kept = 0, column = -1, four[4] = {0}; /* first, lowest, highest, last of the open column */
    for (int i = 0; i < n; i++) {
        double t = plot_scale_map(scale, x[i]);
        bool gap = isnan(t) || isnan(y[i]);
        int c = gap ? -1 : (int)floor(t * columns);
        if (c != column && column != -1) kept = flush(index, kept, four);
        if (gap) {
            if (kept == 0 || column != -1) index[kept++] = i; /* one NaN stands for the whole gap */
        } else if (c != column) {
            for (int k = 0; k < 4; k++) four[k] = i;
        } else {
            if (y[i] < y[four[1]]) four[1] = i;
            if (y[i] > y[four[2]]) four[2] = i;
            four[3] = i;
        }
        column = c;
    }
    return column != -1 ? flush(index, kept, four) : kept;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Straight between the neighbours of x; NaN outside the curve and beside gaps. *hint: where the last search ended. */
static double at(const gk_plot_curve *c, double x, int *hint)
{
    int i = *hint;
    while (i + 1 < c->n && c->step[i + 1] <= x) i++;
    *hint = i;
    if (i >= c->n || x < c->step[i]) return NAN;
    if (x == c->step[i]) return c->value[i];
    if (i + 1 >= c->n) return NAN;
    double w = (x - c->step[i]) / (c->step[i + 1] - c->step[i]);
    return c->value[i] + w * (c->value[i + 1] - c->value[i]);
}

int plot_mean_of(plot_mean *out, const gk_plot_curve *const *curves, int n, bool geometric)
{
    size_t total = 0;
    for (int c = 0; c < n; c++) total += (size_t)curves[c]->n;
    double *x = gk_alloc(4 * total + 1, sizeof *x);
    int *hint = gk_calloc((size_t)n + 1, sizeof *hint);
    if (!x || !hint) {
        free(x);
        free(hint);
        return GK_FAILED;
    }
    size_t m = 0;
    for (int c = 0; c < n; c++)
        for (int i = 0; i < curves[c]->n; i++) x[m++] = curves[c]->step[i];
    qsort(x, m, sizeof *x, by_value);
    size_t unique = 0;
    for (size_t i = 0; i < m; i++)
        if (unique == 0 || x[i] != x[unique - 1]) x[unique++] = x[i];
    *out = (plot_mean){(int)unique, x, x + total, x + 2 * total, x + 3 * total};
    for (size_t i = 0; i < unique; i++) {
        double sum = 0, squares = 0;
        int k = 0;
        for (int c = 0; c < n; c++) {
            double v = at(curves[c], x[i], &hint[c]);
            if (geometric) v = v > 0 ? log(v) : NAN;
            if (!isfinite(v)) continue;
            k++;
            double d = v - sum / (k > 1 ? k - 1 : 1); /* Welford: squares of deviations from the running mean */
            if (k > 1) squares += d * d * (k - 1) / k;
            sum += v;
        }
        double mean = k ? sum / k : NAN, sd = k > 1 ? sqrt(squares / (k - 1)) : 0;
        out->mean[i] = geometric ? exp(mean) : mean;
        out->low[i] = geometric ? exp(mean - sd) : mean - sd;
        out->high[i] = geometric ? exp(mean + sd) : mean + sd;
    }
    free(hint);
    return GK_OK;
}

const gk_plot_curve *gk_plot_run_curve(const gk_plot_run *run, const char *name)
{
    for (int i = 0; i < run->n_curves; i++)
        if (strcmp(run->curves[i].name, name) == 0) return &run->curves[i];
    return NULL;
}

double gk_plot_run_event(const gk_plot_run *run, const char *kind)
{
    for (int i = 0; i < run->n_events; i++)
        if (strcmp(run->events[i].kind, kind) == 0) return run->events[i].step;
    return NAN;
}

/* The knots of the phase axis: steps of -1, 0, 1, 2. Without the event a knot is the end, and the axis stops there. */
static int knots(const gk_plot_run *run, double step[4])
{
    double memorised = gk_plot_run_event(run, "memorised"), grokked = gk_plot_run_event(run, "grokked");
    step[0] = 0;
    step[1] = isnan(memorised) ? run->last : memorised;
    if (isnan(memorised)) return 2;
    step[2] = isnan(grokked) ? run->last : fmax(grokked, memorised);
    if (isnan(grokked)) return 3;
    step[3] = fmax(run->last, step[2]);
    return 4;
}

double gk_plot_align(const gk_plot_run *run, gk_plot_axis axis, double step)
{
    if (axis == GK_PLOT_FRACTION) return run->last > 0 ? step / run->last : 0;
    if (axis != GK_PLOT_PHASE) return step;
    double k[4];
    int n = knots(run, k);
    for (int i = 1; i < n; i++) /* a knot that coincides with the one before it wins: phases of no length are skipped */
        if (step < k[i]) return i - 2 + (step - k[i - 1]) / (k[i] - k[i - 1]);
    return n - 2;
}

double gk_plot_unalign(const gk_plot_run *run, gk_plot_axis axis, double x)
{
    if (axis == GK_PLOT_FRACTION) return x * run->last;
    if (axis != GK_PLOT_PHASE) return x;
    double k[4];
    int n = knots(run, k);
    if (x <= -1) return k[0];
    for (int i = 1; i < n; i++)
        if (x <= i - 1) return k[i - 1] + (x - (i - 2)) * (k[i] - k[i - 1]);
    return k[n - 1];
}

/* Up to so many steps are too few for both axes: the events would fall between them. */
enum { FEW = 10 };

int gk_plot_pick(const gk_plot_run *run, const double *steps, int n, int most, int *index)
{
    if (n <= most) {
        for (int i = 0; i < n; i++) index[i] = i;
        return n;
    }
    bool *keep = gk_calloc((size_t)n, sizeof *keep);
    if (!keep) return 0;
    double log_last = log1p(steps[n - 1]);
    double first = gk_plot_align(run, GK_PLOT_PHASE, steps[0]),
           span = gk_plot_align(run, GK_PLOT_PHASE, steps[n - 1]) - first;
    bool by_phase = most <= FEW && !isnan(gk_plot_run_event(run, "memorised"));
    for (int k = 0; k < most; k++) { /* even k: logarithmic targets, odd: phases; the ends belong to both */
        double t = most > 1 ? (double)k / (most - 1) : 1, best = INFINITY;
        double want = k % 2 || by_phase ? gk_plot_unalign(run, GK_PLOT_PHASE, first + span * t) : expm1(t * log_last);
        int nearest = k == most - 1 ? n - 1 : 0;
        for (int i = 0; i < n && k > 0 && k < most - 1; i++) {
            double d = keep[i] ? INFINITY : fabs(log1p(steps[i]) - log1p(want));
            if (d < best) {
                best = d;
                nearest = i;
            }
        }
        keep[nearest] = true;
    }
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (keep[i]) index[kept++] = i;
    free(keep);
    return kept;
}
