/* mlp_penalty.c: AGOP regularisation (Mallinar et al. 2024, section 5): weight * tr G, G the AGOP of the batch. With
 * Q = W2^T W2, E = W1 T (W1 for plain one-hot inputs), R = E E^T and S the mean over the batch of s'_i s'_i^T,
 *     tr G = sum of the entries of Q o S o R,
 *     dW2 = 2 W2 (S o R),   dE = 2 (Q o S) E + sum_i dh_i X_i^T,   dh_i = s''_i o (2/n) (Q o R) s'_i. */
#include "mlp.h"

#include <string.h>

void mlp_penalty_take(gk_model *m)
{
    const size_t square = (size_t)m->width * (size_t)m->width;
    mlp_penalty *k = &m->penalty;
    if (!(k->weight > 0)) return;
    k->slopes = gk_pool_take(&m->n.pool, square, sizeof(real));
    k->inward = gk_pool_take(&m->n.pool, square, sizeof(real));
    k->outward = gk_pool_take(&m->n.pool, square, sizeof(real));
    k->product = gk_pool_take(&m->n.pool, square, sizeof(real));
}

static void multiply(real *out, const real *a, const real *b, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = a[i] * b[i];
}

/* S of the batch; z and a of the work space hold the last block's h and s'. */
static void slope_moments(gk_model *m, const int32_t *cells, int n)
{
    mlp_work *k = &m->work[0];
    const int width = m->width;
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = net_rows(n, from, MLP_BLOCK);
        mlp_gather_forward(k->z, cells + from, m->inputs.columns, m->in, rows, m->n.p, width);
        net_activation_slope(k->a, k->z, (size_t)rows * (size_t)width, m->n.activation);
        net_gemm(true, false, width, width, rows, (real)(1.0 / n), k->a, width, k->a, width, from > 0,
                 m->penalty.slopes, width);
    }
}

/* dcolumns += sum_i dh_i X_i^T, with product = Q o R and `scale` = 2 weight / n */
static void add_curvature(gk_model *m, const int32_t *cells, int n, real scale, real *dcolumns)
{
    mlp_work *k = &m->work[0];
    const int width = m->width;
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = net_rows(n, from, MLP_BLOCK);
        const size_t count = (size_t)rows * (size_t)width;
        mlp_gather_forward(k->z, cells + from, m->inputs.columns, m->in, rows, m->n.p, width);
        net_activation_slope(k->a, k->z, count, m->n.activation);
        net_gemm(false, false, rows, width, width, scale, k->a, width, m->penalty.product, width, 0, k->da, width);
        net_activation_curve(k->z, k->z, count, m->n.activation);
        multiply(k->da, k->da, k->z, count);
        mlp_gather_backward(dcolumns, m->in, k->da, cells + from, rows, m->n.p, width);
    }
}

double mlp_penalty_gradient(gk_model *m, const int32_t *cells, int n, real *dcolumns, real *dw2)
{
    const int width = m->width, in = m->in;
    const size_t square = (size_t)width * (size_t)width;
    const real *e = m->inputs.columns, *w2 = m->w.w2, twice = (real)(2 * m->penalty.weight);
    mlp_penalty *k = &m->penalty;
    double trace = 0;
    slope_moments(m, cells, n);
    net_gemm(false, true, width, width, in, 1, e, in, e, in, 0, k->inward, width);
    net_gemm(true, false, width, width, m->n.p, 1, w2, width, w2, width, 0, k->outward, width);
    multiply(k->product, k->slopes, k->inward, square);
    for (size_t i = 0; i < square; i++) trace += (double)k->product[i] * (double)k->outward[i];
    net_gemm(false, false, m->n.p, width, width, twice, w2, width, k->product, width, 1, dw2, width);
    multiply(k->product, k->outward, k->slopes, square);
    net_gemm(false, false, width, in, width, twice, k->product, width, e, in, 1, dcolumns, in);
    multiply(k->product, k->outward, k->inward, square);
    add_curvature(m, cells, n, twice / (real)n, dcolumns);
    return m->penalty.weight * trace;
}
