/* activation.c: the pointwise functions between the layers, forward and backward. */
#include "nets.h"

#include <math.h>
#include <string.h>

static const double half_root = 0.70710678118654752440;   /* 1/sqrt(2) */
static const double root_two_pi = 0.39894228040143267794; /* 1/sqrt(2 pi) */

static inline real sigmoid(real z)
{
    const real e = real_exp(-real_fabs(z)); /* never overflows */
    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static inline real gelu(real z)
{
    return z * (real)0.5 * (1 + real_erf(z * (real)half_root));
}

static inline real gelu_slope(real z)
{
    return (real)0.5 * (1 + real_erf(z * (real)half_root)) + z * (real)root_two_pi * real_exp(z * z * (real)-0.5);
}

/* log(1 + e^z) without overflow */
static inline real softplus(real z)
{
    return (z > 0 ? z : 0) + real_log1p(real_exp(-real_fabs(z)));
}

static inline real swish_slope(real z)
{
    const real s = sigmoid(z);
    return s * (1 + z * (1 - s));
}

void net_activate(real *out, const real *z, size_t count, net_activation s)
{
    switch (s) {
    case NET_QUADRATIC:
        for (size_t i = 0; i < count; i++) out[i] = z[i] * z[i];
        return;
    case NET_RELU:
        for (size_t i = 0; i < count; i++) out[i] = z[i] > 0 ? z[i] : 0;
        return;
    case NET_GELU:
        for (size_t i = 0; i < count; i++) out[i] = gelu(z[i]);
        return;
    case NET_SWISH:
        for (size_t i = 0; i < count; i++) out[i] = z[i] * sigmoid(z[i]);
        return;
    case NET_SOFTPLUS:
        for (size_t i = 0; i < count; i++) out[i] = softplus(z[i]);
        return;
    }
}

void net_activation_slope(real *out, const real *z, size_t count, net_activation s)
{
    switch (s) {
    case NET_QUADRATIC:
        for (size_t i = 0; i < count; i++) out[i] = 2 * z[i];
        return;
    case NET_RELU:
        for (size_t i = 0; i < count; i++) out[i] = z[i] > 0 ? 1 : 0;
        return;
    case NET_GELU:
        for (size_t i = 0; i < count; i++) out[i] = gelu_slope(z[i]);
        return;
    case NET_SWISH:
        for (size_t i = 0; i < count; i++) out[i] = swish_slope(z[i]);
        return;
    case NET_SOFTPLUS:
        for (size_t i = 0; i < count; i++) out[i] = sigmoid(z[i]);
        return;
    }
}

void net_activation_curve(real *out, const real *z, size_t count, net_activation s)
{
    switch (s) {
    case NET_QUADRATIC:
        for (size_t i = 0; i < count; i++) out[i] = 2;
        return;
    case NET_RELU:
        memset(out, 0, count * sizeof *out);
        return;
    case NET_GELU:
        for (size_t i = 0; i < count; i++)
            out[i] = (real)root_two_pi * real_exp(z[i] * z[i] * (real)-0.5) * (2 - z[i] * z[i]);
        return;
    case NET_SWISH:
        for (size_t i = 0; i < count; i++) {
            const real f = sigmoid(z[i]);
            out[i] = f * (1 - f) * (2 + z[i] * (1 - 2 * f));
        }
        return;
    case NET_SOFTPLUS:
        for (size_t i = 0; i < count; i++) {
            const real f = sigmoid(z[i]);
            out[i] = f * (1 - f);
        }
        return;
    }
}

void net_activate_backward(real *dz, const real *dout, const real *z, size_t count, net_activation s)
{
    switch (s) {
    case NET_QUADRATIC: /* out = z^2 */
        for (size_t i = 0; i < count; i++) dz[i] = dout[i] * 2 * z[i];
        return;
    case NET_RELU: /* out = max(z, 0) */
        for (size_t i = 0; i < count; i++) dz[i] = z[i] > 0 ? dout[i] : 0;
        return;
    case NET_GELU: /* out = z (1 + erf(z / sqrt 2)) / 2 */
        for (size_t i = 0; i < count; i++) dz[i] = dout[i] * gelu_slope(z[i]);
        return;
    case NET_SWISH: /* out = z sigmoid(z) */
        for (size_t i = 0; i < count; i++) dz[i] = dout[i] * swish_slope(z[i]);
        return;
    case NET_SOFTPLUS: /* out = log(1 + e^z) */
        for (size_t i = 0; i < count; i++) dz[i] = dout[i] * sigmoid(z[i]);
        return;
    }
}
