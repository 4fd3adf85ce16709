/* features.c: feature matrices made circulant by hand: random ones, and the projection of a learned one. */
#include "gk_matrix.h"
#include "gk_structure.h"
#include "gk_task.h"

#include <stdlib.h>

static void form_keys(int32_t *keys, int p, const int32_t *f, const int32_t *dlog, int modulus, bool negate)
{
    for (int a = 0; a < p; a++) {
        keys[a] = dlog ? dlog[f[a]] : f[a];
        if (negate && keys[a] > 0) keys[a] = modulus - keys[a];
    }
}

void gk_form_grouping(gk_grouping *g, int32_t *keys, int p, const int32_t *u, const int32_t *v, const int32_t *dlog,
                      bool control)
{
    *g = (gk_grouping){.n = p, .modulus = dlog ? p - 1 : p, .row = keys, .column = keys + p};
    form_keys(keys, p, v, dlog, g->modulus, control);
    form_keys(keys + p, p, u, dlog, g->modulus, false);
}

int gk_circulant_features(double *out, const gk_grouping *g, gk_random *r, double power)
{
    const size_t n = (size_t)g->n, m = (size_t)g->modulus, size = 2 * n;
    double *star = gk_calloc(size * size + m, sizeof *star);
    if (!star) return GK_FAILED;
    double *c = star + size * size;
    for (size_t k = 0; k < m; k++) c[k] = gk_random_uniform(r);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            const double a = (i == j ? 1.0 : 0.0) - 1.0 / g->n;
            star[i * size + j] = star[(n + i) * size + n + j] = a;
            if (g->row[i] < 0 || g->column[j] < 0) continue;
            const double entry = c[(size_t)(g->row[i] - g->column[j] + g->modulus) % m];
            star[(n + i) * size + j] = star[j * size + n + i] = entry;
        }
    }
    const int code = gk_sym_power(out, star, 2 * g->n, power);
    free(star);
    return code;
}

int gk_task_features(double *out, const struct gk_task *t, bool control, uint64_t seed, double power)
{
    if (t->form == GK_FORM_NONE || (t->form == GK_FORM_PRODUCT && !t->dlog))
        return gk_error(GK_USAGE,
                        "circulant features: %s mod %d is neither u(x) + v(y) nor u(x) v(y) over a prime; add, sub, "
                        "mul, div and x^2+y^2 are",
                        t->op, t->p);
    int32_t *keys = gk_alloc(2 * (size_t)t->p, sizeof *keys);
    if (!keys) return GK_FAILED;
    gk_grouping g;
    gk_random r;
    gk_form_grouping(&g, keys, t->p, t->u, t->v, t->form == GK_FORM_PRODUCT ? t->dlog : NULL, control);
    gk_random_seed(&r, seed, GK_STREAM_FEATURES);
    const int code = gk_circulant_features(out, &g, &r, power);
    free(keys);
    return code;
}

/* a I + b 11' over the entries with kept keys: the means of the diagonal and of the rest. */
static void flatten(double *block, int ld, const int32_t *keys, int n)
{
    double diagonal = 0, rest = 0;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; keys[i] >= 0 && j < n; j++) {
            if (keys[j] < 0) continue;
            *(i == j ? &diagonal : &rest) += block[(size_t)i * (size_t)ld + (size_t)j];
            kept += i == j;
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; keys[i] >= 0 && j < n; j++) {
            if (keys[j] < 0) continue;
            block[(size_t)i * (size_t)ld + (size_t)j] = i == j ? diagonal / kept : rest / ((double)kept * (kept - 1));
        }
    }
}

void gk_circulant_enforce(double *m, const gk_grouping *g)
{
    const int n = g->n, ld = 2 * n;
    const size_t size = (size_t)n;
    double *block = m + size * (size_t)ld;
    flatten(m, ld, g->column, n);
    flatten(block + size, ld, g->row, n);
    gk_circulant_project(block, ld, g);
    for (size_t i = 0; i < size; i++) { /* M is symmetric: the upper block is the lower one's transpose */
        for (size_t j = 0; j < size; j++) m[j * (size_t)ld + size + i] = block[i * (size_t)ld + j];
    }
}
