/* mlp_layers.c: the layers of the two-layer network, forward and backward. */
#include "mlp.h"

void mlp_gather_forward(real *z, const int32_t *cells, const real *w1, int in, int n, int p, int width)
{
    for (int i = 0; i < n; i++) {
        const bool second = cells[i] >= p * p;
        const real *x = w1 + (cells[i] / p - (second ? p : 0)), *y = w1 + p + cells[i] % p, *t = w1 + 2 * p;
        real *row = z + (ptrdiff_t)i * width;
        for (int k = 0; k < width; k++) row[k] = x[(ptrdiff_t)k * in] + y[(ptrdiff_t)k * in];
        for (int k = 0; second && k < width; k++) row[k] += t[(ptrdiff_t)k * in];
    }
}

void mlp_gather_backward(real *dw1, int in, const real *dz, const int32_t *cells, int n, int p, int width)
{
    for (int i = 0; i < n; i++) {
        /* z_i = W1[:, x_i] + W1[:, p + y_i] + t_i W1[:, 2p] */
        const bool second = cells[i] >= p * p;
        real *x = dw1 + (cells[i] / p - (second ? p : 0)), *y = dw1 + p + cells[i] % p, *t = dw1 + 2 * p;
        const real *row = dz + (ptrdiff_t)i * width;
        for (int k = 0; k < width; k++) {
            x[(ptrdiff_t)k * in] += row[k];
            y[(ptrdiff_t)k * in] += row[k];
        }
        for (int k = 0; second && k < width; k++) t[(ptrdiff_t)k * in] += row[k];
    }
}

void mlp_readout_forward(real *out, const real *a, const real *w2, int n, int p, int width)
{
    net_gemm(false, true, n, p, width, 1, a, width, w2, width, 0, out, p);
}

void mlp_readout_backward(real *da, real *dw2, const real *dout, const real *a, const real *w2, int n, int p, int width)
{
    /* out = a W2^T */
    if (da) net_gemm(false, false, n, width, p, 1, dout, p, w2, width, 0, da, width);
    net_gemm(true, false, p, width, n, 1, dout, p, a, width, 1, dw2, width);
}
