/* group.c: the cyclic group on which a task is an addition, and its Fourier basis in the order of the exponents. */
#include "measure.h"
#include "gk_fourier.h"
#include "gk_matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Exponents of the values f[0..p-1]: the values themselves, or their discrete logarithms. */
static void exponents(int32_t *out, const int32_t *f, const gk_task *t)
{
    for (int a = 0; a < t->p; a++) {
        const int32_t value = f ? f[a] : a;
        out[a] = t->form == GK_FORM_PRODUCT ? t->dlog[value] : value;
    }
}

/* inverse[e] = the argument with exponent e; false unless each of the m exponents occurs exactly once. */
static bool invert(int32_t *inverse, const int32_t *exponent, int p, int m)
{
    int found = 0;
    for (int e = 0; e < m; e++) inverse[e] = -1;
    for (int a = 0; a < p; a++) {
        if (exponent[a] < 0) continue;
        if (exponent[a] >= m || inverse[exponent[a]] >= 0) return false;
        inverse[exponent[a]] = a;
        found++;
    }
    return found == m;
}

/* Fills sum_of, and checks that the labels are what the exponents say on every kept cell. */
static bool add_exponents(gk_group *g, const gk_task *t, int m)
{
    for (int x = 0; x < t->p; x++) {
        for (int y = 0; y < t->p; y++) {
            const int cell = x * t->p + y;
            g->sum_of[cell] = -1;
            if (g->x[x] < 0 || g->y[y] < 0) continue;
            const int32_t sum = (g->x[x] + g->y[y]) % m;
            if (t->labels[cell] != g->class_of[sum]) return false;
            g->sum_of[cell] = sum;
        }
    }
    return true;
}

int gk_group_init(gk_group *g, const gk_task *t)
{
    memset(g, 0, sizeof *g);
    if (t->form == GK_FORM_NONE || !t->u || !t->v || (t->form == GK_FORM_PRODUCT && !t->dlog)) return GK_OK;
    const int m = t->form == GK_FORM_PRODUCT ? t->p - 1 : t->p;
    const size_t p = (size_t)t->p, order = (size_t)m;
    if (m < 2) return GK_OK;
    g->x = gk_alloc(3 * p + 3 * order + p * p, sizeof *g->x);
    g->basis = gk_alloc(order * order + 2 * order, sizeof *g->basis);
    if (!g->x || !g->basis) {
        gk_group_free(g);
        return GK_FAILED;
    }
    g->y = g->x + p;
    g->z = g->y + p;
    g->x_of = g->z + p;
    g->y_of = g->x_of + order;
    g->class_of = g->y_of + order;
    g->sum_of = g->class_of + order;
    exponents(g->x, t->u, t);
    exponents(g->y, t->v, t);
    exponents(g->z, NULL, t);
    if (!invert(g->x_of, g->x, t->p, m) || !invert(g->y_of, g->y, t->p, m) || !invert(g->class_of, g->z, t->p, m) ||
        !add_exponents(g, t, m)) {
        gk_group_free(g);
        return GK_OK;
    }
    g->m = m;
    gk_fourier_basis(g->basis, m);
    g->cosine = g->basis + order * order;
    g->sine = g->cosine + order;
    for (int a = 0; a < m; a++) {
        const double angle = 2 * acos(-1.0) * a / m;
        g->cosine[a] = cos(angle);
        g->sine[a] = sin(angle);
    }
    return GK_OK;
}

void gk_group_free(gk_group *g)
{
    free(g->x);
    free(g->basis);
    memset(g, 0, sizeof *g);
}

void gk_group_transform(const gk_group *g, const double *w, int columns, const int32_t *of, double *gathered,
                        double *transformed)
{
    const size_t c = (size_t)columns;
    for (int a = 0; a < g->m; a++) memcpy(gathered + (size_t)a * c, w + (size_t)of[a] * c, c * sizeof *w);
    gk_gemm(false, false, g->m, columns, g->m, 1, g->basis, g->m, gathered, columns, 0, transformed, columns);
}
