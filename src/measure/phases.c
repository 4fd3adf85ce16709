/* phases.c: memorised, circuit, grokked, cleaned: the phases of Nanda et al. 2023, section 5, found from curves instead
 * of by eye. Pure functions of numbers. */
#include "gk_measure.h"

#include <math.h>

static const double MEMORISED = 0.99, GROKKED = 0.95;

static int64_t first_above(const gk_curve *c, double level)
{
    for (int i = 0; c && i < c->n; i++) {
        if (c->value[i] >= level) return c->step[i];
    }
    return -1;
}

/* The first step from which the curve never leaves `level` downwards again. */
static int64_t stays_above(const gk_curve *c, double level)
{
    int i = c ? c->n : 0;
    while (i > 0 && c->value[i - 1] >= level) i--; /* a NaN ends the stretch, too */
    return c && i < c->n ? c->step[i] : -1;
}

/* Middle of the stretch over which the curve falls fastest per unit of log(1 + step): grokking lives on a logarithmic
 * axis. A stretch spans a quarter of its step, or one interval where samples are sparser, so that jitter does not win.
 */
static int64_t steepest_fall(const gk_curve *c, int64_t from)
{
    double fastest = 0;
    int64_t found = -1;
    for (int i = 0; c && i < c->n; i++) {
        if (c->step[i] < from || isnan(c->value[i])) continue;
        int j = i + 1;
        while (j < c->n - 1 && (double)(c->step[j] + 1) < 1.25 * (double)(c->step[i] + 1)) j++;
        if (j >= c->n || isnan(c->value[j])) continue;
        const double length = log((double)(c->step[j] + 1) / (double)(c->step[i] + 1));
        const double rate = (c->value[i] - c->value[j]) / length;
        if (!(rate > fastest)) continue;
        fastest = rate;
        found = c->step[(i + j) / 2];
    }
    return found;
}

/* The first step from which the curve stays within a twentieth of its whole fall above its final value; -1 if it fell
 * by less than a hundredth. */
static int64_t fall_ends(const gk_curve *c, int64_t from)
{
    double highest = -INFINITY;
    for (int i = 0; c && i < c->n; i++) highest = fmax(highest, c->value[i]);
    if (!c || c->n == 0) return -1;
    const double last = c->value[c->n - 1], fall = highest - last;
    if (!(fall > 0.01 * fabs(highest))) return -1;
    int i = c->n;
    while (i > 0 && c->value[i - 1] <= last + fall / 20 && c->step[i - 1] >= from) i--;
    return i < c->n ? c->step[i] : -1;
}

gk_phases gk_phases_of(const gk_curve *train_accuracy, const gk_curve *test_accuracy, const gk_curve *hidden,
                       const gk_curve *weight_norm)
{
    gk_phases p;
    p.memorised = first_above(train_accuracy, MEMORISED);
    p.grokked = stays_above(test_accuracy, GROKKED);
    p.circuit = steepest_fall(hidden, p.memorised);
    p.cleaned = p.grokked < 0 ? -1 : fall_ends(weight_norm, p.grokked);
    return p;
}
