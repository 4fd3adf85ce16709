/* mlp_feature.c: feature matrices of the two-layer network, in double. The AGOP needs no Jacobian: with J_i = W2
 * diag(s'_i) W1, (1/n) sum_i J_i^T J_i = W1^T [(W2^T W2) o (1/n) sum_i s'_i s'_i^T] W1 (o: entrywise product); centring
 * replaces the mean of s' s'^T by the covariance of s'. One class's share of it comes from its Jacobian, which is a row
 * a sample. With random features W1 is W1 T throughout: matrices are over the one-hot pairs. */
#include "mlp.h"

#include <stdlib.h>
#include <string.h>

const char *const mlp_feature_kinds[] = {"agop", "nfm", NULL};

/* slopes [rows, width] = s' of the learnt cells from..from+rows-1, at most a block */
static void slopes_of(gk_model *m, int from, int rows, double *slopes)
{
    mlp_work *k = &m->work[0];
    const size_t count = (size_t)rows * (size_t)m->width;
    mlp_gather_forward(k->z, m->n.split->learn + from, m->inputs.columns, m->in, rows, m->n.p, m->width);
    net_activation_slope(k->a, k->z, count, m->n.activation);
    net_widen(slopes, k->a, count);
}

/* second [width, width] = (1/n) sum_i s'_i s'_i^T over the training cells, less the means' product when centred. */
static int slope_moments(gk_model *m, double *second)
{
    const int width = m->width, n = m->n.split->n_learn;
    const size_t row = (size_t)width;
    double *slopes = gk_alloc(MLP_BLOCK * row, sizeof *slopes), *mean = gk_calloc(row, sizeof *mean);
    if (!slopes || !mean) {
        free(slopes);
        free(mean);
        return GK_FAILED;
    }
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = n - from < MLP_BLOCK ? n - from : MLP_BLOCK;
        slopes_of(m, from, rows, slopes);
        for (int i = 0; i < rows; i++)
            for (size_t j = 0; j < row; j++) mean[j] += slopes[(size_t)i * row + j] / n;
        gk_gram(true, width, rows, 1.0 / n, slopes, width, from == 0 ? 0 : 1, second, width);
    }
    for (size_t i = 0; m->n.centring && i < row; i++)
        for (size_t j = 0; j < row; j++) second[i * row + j] -= mean[i] * mean[j];
    free(slopes);
    free(mean);
    return GK_OK;
}

/* The same for s = square, s'_i = 2 W1 X_i: second = half W1^T with half [width, 2p] = 4 W1 C, C [2p, 2p] the second
 * moments of the pairs. */
static int square_moments(const gk_model *m, const double *w1, double *half)
{
    const int p = m->n.p, n = m->n.split->n_train;
    const size_t row = 2 * (size_t)p;
    double *c = gk_calloc(row * row + row, sizeof *c);
    if (!c) return GK_FAILED;
    double *mean = c + row * row;
    for (int i = 0; i < n; i++) {
        const size_t x = (size_t)(m->n.split->train[i] / p), y = (size_t)(p + m->n.split->train[i] % p);
        c[x * row + x] += 4.0 / n;
        c[y * row + y] += 4.0 / n;
        c[x * row + y] += 4.0 / n;
        c[y * row + x] += 4.0 / n;
        mean[x] += 2.0 / n;
        mean[y] += 2.0 / n;
    }
    for (size_t i = 0; m->n.centring && i < row; i++)
        for (size_t j = 0; j < row; j++) c[i * row + j] -= mean[i] * mean[j];
    gk_gemm(false, false, m->width, 2 * p, 2 * p, 1, w1, 2 * p, c, 2 * p, 0, half, 2 * p);
    free(c);
    return GK_OK;
}

enum { AGOP_ROWS = 64 }; /* of K at a time: no matrix of the width's square need be whole, or leave the second cache */

typedef struct agop_work {
    bool squares;
    double *moments; /* second [width, width], or of squares half [width, 2p] */
    double *k;       /* [AGOP_ROWS, width] rows of K */
    double *readout; /* [AGOP_ROWS, width] of W2^T W2 */
    double *t;       /* [width, 2p] K W1 */
} agop_work;

/* Rows from..from+rows-1 of K = (W2^T W2) o second, from their diagonal on: k->k [rows, width - from]. */
static void kernel_rows(const gk_model *m, const agop_work *k, const double *w1, const double *w2, int from, int rows)
{
    const int p = m->n.p, width = m->width, columns = width - from;
    const ptrdiff_t at = from;
    gk_gemm(true, false, rows, columns, p, 1, w2 + at, width, w2 + at, width, 0, k->readout, columns);
    if (k->squares)
        gk_gemm(false, true, rows, columns, 2 * p, 1, k->moments + at * 2 * p, 2 * p, w1 + at * 2 * p, 2 * p, 0, k->k,
                columns);
    for (ptrdiff_t i = 0; i < rows; i++) {
        const double *second = k->squares ? k->k + i * columns : k->moments + (at + i) * width + at;
        for (ptrdiff_t j = 0; j < columns; j++) k->k[i * columns + j] = second[j] * k->readout[i * columns + j];
    }
}

/* k->t = K W1. K is symmetric: what is right of its diagonal's blocks counts for the rows below them, too. */
static void add_kernel(const gk_model *m, const agop_work *k, const double *w1, const double *w2)
{
    const int columns = 2 * m->n.p, width = m->width, in = m->in;
    for (int from = 0; from < width; from += AGOP_ROWS) {
        const int rows = net_rows(width, from, AGOP_ROWS), right = width - from, below = right - rows;
        const double *here = w1 + (ptrdiff_t)from * in;
        double *t = k->t + (ptrdiff_t)from * columns;
        kernel_rows(m, k, w1, w2, from, rows);
        gk_gemm(false, false, rows, columns, right, 1, k->k, right, here, in, from > 0, t, columns);
        if (below > 0)
            gk_gemm(true, false, below, columns, rows, 1, k->k + rows, right, here, in, from > 0,
                    t + (ptrdiff_t)rows * columns, columns);
    }
}

/* out [2p, 2p] = W1^T K W1, less the coordinate of the task where there are two; w1 and w2 in double. */
static int agop(gk_model *m, const double *w1, const double *w2, double *out)
{
    const int p = m->n.p, width = m->width;
    const bool squares = m->n.activation == NET_QUADRATIC && !m->n.split->two;
    const size_t n = (size_t)width, block = AGOP_ROWS * n, moments = n * (squares ? 2 * (size_t)p : n);
    double *memory = gk_alloc(moments + 2 * block + 2 * n * (size_t)p, sizeof *memory);
    if (!memory) return GK_FAILED;
    agop_work k = {.squares = squares, .moments = memory, .k = memory + moments};
    k.readout = k.k + block;
    k.t = k.readout + block;
    const int code = squares ? square_moments(m, w1, k.moments) : slope_moments(m, k.moments);
    if (code == GK_OK) {
        add_kernel(m, &k, w1, w2);
        gk_gemm(true, false, 2 * p, 2 * p, width, 1, w1, m->in, k.t, 2 * p, 0, out, 2 * p);
    }
    free(memory);
    return code;
}

int mlp_feature(gk_model *m, const char *kind, double *out)
{
    const int p = m->n.p, width = m->width;
    const size_t n1 = (size_t)width * (size_t)m->in, n2 = (size_t)width * (size_t)p;
    double *w1 = gk_alloc(n1, sizeof *w1), *w2 = gk_alloc(n2, sizeof *w2);
    int code = w1 && w2 ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        net_widen(w1, m->inputs.columns, n1);
        net_widen(w2, m->w.w2, n2);
        if (strcmp(kind, "agop") == 0)
            code = agop(m, w1, w2, out);
        else if (strcmp(kind, "nfm") == 0) /* W1^T W1 */
            gk_gram(true, 2 * p, width, 1, w1, m->in, 0, out, 2 * p);
        else
            code = gk_error(GK_NOTFOUND, "mlp: no feature matrix '%s'; there are agop, nfm", kind);
    }
    free(w1);
    free(w2);
    return code;
}

/* out [2p, 2p] = mean of g g^T over the learnt cells, g_i = (W2[class] o s'_i)^T W1: n x width x 2p, no matrix of the
 * width's square. */
int mlp_class_agop(gk_model *m, int class, double *out)
{
    const int p = m->n.p, width = m->width, n = m->n.split->n_learn;
    const size_t row = 2 * (size_t)p, size = (size_t)width * row, block = MLP_BLOCK * (size_t)width;
    double *w = gk_alloc(size + block + MLP_BLOCK * row + row, sizeof *w); /* [width, 2p] W1, rows times W2[class] */
    if (!w) return GK_FAILED;
    double *slopes = w + size, *g = slopes + block, *mean = g + MLP_BLOCK * row;
    memset(mean, 0, row * sizeof *mean);
    for (size_t k = 0; k < (size_t)width; k++) {
        const double of_class = (double)m->w.w2[(size_t)class * (size_t)width + k];
        for (size_t a = 0; a < row; a++) w[k * row + a] = of_class * (double)m->inputs.columns[k * (size_t)m->in + a];
    }
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = n - from < MLP_BLOCK ? n - from : MLP_BLOCK;
        slopes_of(m, from, rows, slopes);
        gk_gemm(false, false, rows, 2 * p, width, 1, slopes, width, w, 2 * p, 0, g, 2 * p);
        for (size_t i = 0; i < (size_t)rows * row; i++) mean[i % row] += g[i] / n;
        gk_gram(true, 2 * p, rows, 1.0 / n, g, 2 * p, from == 0 ? 0 : 1, out, 2 * p);
    }
    if (m->n.centring) gk_gram(true, 2 * p, 1, -1, mean, 2 * p, 1, out, 2 * p);
    free(w);
    return GK_OK;
}
