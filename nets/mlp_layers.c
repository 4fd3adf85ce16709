/* mlp_layers.c: the layers of the two-layer network, forward and backward. */
#include "mlp.h"

void mlp_gather_forward(real *z, const int32_t *cells, const real *w1, int n, int p, int width)
{
    for (int i = 0; i < n; i++) {
        const real *x = w1 + cells[i] / p, *y = w1 + p + cells[i] % p;
        real *row = z + (ptrdiff_t)i * width;
        for (int k = 0; k < width; k++) row[k] = x[(ptrdiff_t)k * 2 * p] + y[(ptrdiff_t)k * 2 * p];
    }
}

void mlp_gather_backward(real *dw1, const real *dz, const int32_t *cells, int n, int p, int width)
{
    for (int i = 0; i < n; i++) {
        /* z_i = W1[:, x_i] + W1[:, p + y_i] */
        real *x = dw1 + cells[i] / p, *y = dw1 + p + cells[i] % p;
        const real *row = dz + (ptrdiff_t)i * width;
        for (int k = 0; k < width; k++) {
            x[(ptrdiff_t)k * 2 * p] += row[k];
            y[(ptrdiff_t)k * 2 * p] += row[k];
        }
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
