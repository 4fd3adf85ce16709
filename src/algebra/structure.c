/* structure.c: circulant deviation, circulance and circulant projection of a block under any grouping of its entries,
 * and the four standard groupings. */
#include "gk_structure.h"
#include "gk_number.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Group of row key r and column key c, both in 0..modulus-1: (r - c) mod modulus. */
static inline int group_of(int32_t r, int32_t c, int modulus)
{
    int d = r - c;
    return d < 0 ? d + modulus : d;
}

typedef struct means {
    double *of_group; /* [modulus], freed with free() */
    double overall;   /* mean of all kept entries */
    double norm_sq;   /* sum of squares of all kept entries */
    int64_t kept;     /* number of kept entries */
    int rows;         /* number of kept rows */
} means;

static bool take_means(means *m, const double *a, int lda, const gk_grouping *g)
{
    assert(g->n >= 0 && g->modulus > 0 && lda >= g->n);
    size_t modulus = (size_t)g->modulus;
    *m = (means){.of_group = gk_calloc(2 * modulus, sizeof(double))};
    if (!m->of_group) return false;
    double *count = m->of_group + modulus;
    for (int i = 0; i < g->n; i++) {
        if (g->row[i] < 0) continue;
        assert(g->row[i] < g->modulus);
        const double *line = a + (size_t)i * (size_t)lda;
        m->rows++;
        for (int j = 0; j < g->n; j++) {
            if (g->column[j] < 0) continue;
            assert(g->column[j] < g->modulus);
            int group = group_of(g->row[i], g->column[j], g->modulus);
            m->of_group[group] += line[j];
            m->norm_sq += line[j] * line[j];
            count[group] += 1;
            m->kept++;
        }
    }
    for (size_t k = 0; k < modulus; k++) {
        m->overall += m->of_group[k];
        if (count[k] > 0) m->of_group[k] /= count[k];
    }
    if (m->kept > 0) m->overall /= (double)m->kept;
    return true;
}

gk_circularity gk_circularity_of(const double *a, int lda, const gk_grouping *g)
{
    gk_circularity result = {NAN, NAN};
    means m;
    if (!take_means(&m, a, lda, g)) return result;
    double within = 0, total = 0; /* sums of squares about the group's mean and about the mean of all */
    for (int i = 0; i < g->n; i++) {
        if (g->row[i] < 0) continue;
        const double *line = a + (size_t)i * (size_t)lda;
        for (int j = 0; j < g->n; j++) {
            if (g->column[j] < 0) continue;
            double from_group = line[j] - m.of_group[group_of(g->row[i], g->column[j], g->modulus)];
            double from_all = line[j] - m.overall;
            within += from_group * from_group;
            total += from_all * from_all;
        }
    }
    free(m.of_group);
    if (m.norm_sq == 0) return result;
    result.deviation = within / ((double)m.rows * m.norm_sq);
    /* A constant block is circulant; what is left of it about its mean is rounding. */
    result.circulance = total <= 1e-24 * m.norm_sq ? 1 : 1 - within / total;
    return result;
}

void gk_circulant_project(double *a, int lda, const gk_grouping *g)
{
    means m;
    bool known = take_means(&m, a, lda, g); /* without memory the result is NaN, never the block unprojected */
    for (int i = 0; i < g->n; i++) {
        if (g->row[i] < 0) continue;
        double *line = a + (size_t)i * (size_t)lda;
        for (int j = 0; j < g->n; j++) {
            if (g->column[j] < 0) continue;
            line[j] = known ? m.of_group[group_of(g->row[i], g->column[j], g->modulus)] : NAN;
        }
    }
    free(m.of_group);
}

const char *gk_ordering_name(gk_ordering o)
{
    static const char *const names[GK_ORDERINGS] = {"toeplitz", "hankel", "toeplitz_dlog", "hankel_dlog"};
    assert((unsigned)o < GK_ORDERINGS);
    return names[o];
}

static int require_prime(const char *what, int p)
{
    if (gk_is_prime(p)) return GK_OK;
    return gk_error(GK_USAGE, "%s: p = %d is not prime; discrete logarithms need a prime p", what, p);
}

int gk_ordering_keys(gk_grouping *g, int32_t *keys, int p, gk_ordering o)
{
    assert(p > 0);
    int32_t *row = keys, *column = keys + p;
    bool logarithms = o == GK_TOEPLITZ_DLOG || o == GK_HANKEL_DLOG, hankel = o == GK_HANKEL || o == GK_HANKEL_DLOG;
    int modulus = p;
    if (logarithms) {
        int result = require_prime(gk_ordering_name(o), p);
        if (result != GK_OK) return result;
        modulus = p - 1;
        gk_discrete_log(p, column, row); /* the powers go where the column keys will be */
        memcpy(column, row, (size_t)p * sizeof *column);
    } else {
        for (int i = 0; i < p; i++) row[i] = column[i] = i;
    }
    /* r - (-c) = r + c: Hankel is Toeplitz with the columns' keys negated */
    for (int i = 0; hankel && i < p; i++) {
        if (column[i] > 0) column[i] = modulus - column[i];
    }
    *g = (gk_grouping){.n = p, .modulus = modulus, .row = row, .column = column};
    return GK_OK;
}

gk_ordering gk_best_ordering(const double *a, int lda, int p, gk_circularity *best)
{
    gk_ordering winner = GK_TOEPLITZ;
    gk_circularity of_winner = {NAN, NAN};
    int32_t *keys = gk_alloc(2 * (size_t)p, sizeof *keys);
    int orderings = gk_is_prime(p) ? GK_ORDERINGS : GK_TOEPLITZ_DLOG;
    for (int o = 0; keys && o < orderings; o++) {
        gk_grouping g;
        if (gk_ordering_keys(&g, keys, p, (gk_ordering)o) != GK_OK) continue;
        gk_circularity c = gk_circularity_of(a, lda, &g);
        if (isnan(of_winner.circulance) || c.circulance > of_winner.circulance) {
            winner = (gk_ordering)o;
            of_winner = c;
        }
    }
    free(keys);
    if (best) *best = of_winner;
    return winner;
}

int gk_reorder_dlog(double *out, const double *a, int lda, int p)
{
    int result = require_prime("discrete-log order", p);
    if (result != GK_OK) return result;
    int32_t *power = gk_alloc(2 * (size_t)p, sizeof *power);
    if (!power) return GK_FAILED;
    gk_discrete_log(p, power, power + p);
    for (int i = 0; i < p - 1; i++) {
        const double *line = a + (size_t)power[i] * (size_t)lda;
        double *row = out + (size_t)i * (size_t)(p - 1);
        for (int j = 0; j < p - 1; j++) row[j] = line[power[j]];
    }
    free(power);
    return GK_OK;
}
