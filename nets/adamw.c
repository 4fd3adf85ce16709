/* adamw.c: AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) in PyTorch's form. */
#include "nets.h"

#include <math.h>

net_rates net_rate(const net *n, int64_t updates)
{
    const double t = (double)updates + 1;
    const double warm = n->warmup > 0 && updates < n->warmup ? (double)updates / (double)n->warmup : 1;
    const double lr = n->lr * warm;
    return (net_rates){
        .keep = (real)(1 - lr * n->decay),
        .beta1 = (real)n->beta1,
        .beta2 = (real)n->beta2,
        .one_beta1 = (real)(1 - n->beta1),
        .one_beta2 = (real)(1 - n->beta2),
        .eps = (real)n->eps,
        .step = (real)(lr / (1 - pow(n->beta1, t))),
        .root = (real)(1 / sqrt(1 - pow(n->beta2, t))),
    };
}

void net_adamw(real *w, real *m, real *v, const real *g, size_t count, const net_rates *rates)
{
    const net_rates r = *rates;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        m[i] = r.beta1 * m[i] + r.one_beta1 * g[i];
        v[i] = r.beta2 * v[i] + r.one_beta2 * g[i] * g[i];
        w[i] = r.keep * w[i] - r.step * m[i] / (real_sqrt(v[i]) * r.root + r.eps);
    }
}
