/* adamw.h: AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) in PyTorch's form, inline so
 * that a pass over the state may do more than update it. */
#ifndef GK_NETS_ADAMW_H
#define GK_NETS_ADAMW_H

#include "nets.h"

#include <math.h>

struct net_rates { /* of one update */
    real keep;     /* 1 - lr decay */
    real beta1, beta2, one_beta1, one_beta2, eps;
    real step; /* lr / (1 - beta1^t) */
    real root; /* 1 / sqrt(1 - beta2^t) */
};

/* The rates of update number `updates` (from 0, whose warmed-up learning rate is 0 when there is a warm-up). */
static inline net_rates net_rates_at(const net *n, int64_t updates)
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

/* w, m, v [count] after one update with gradient g. */
static inline void net_adamw_inline(real *w, real *m, real *v, const real *g, size_t count, const net_rates r)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        m[i] = r.beta1 * m[i] + r.one_beta1 * g[i];
        v[i] = r.beta2 * v[i] + r.one_beta2 * g[i] * g[i];
        w[i] = r.keep * w[i] - r.step * m[i] / (real_sqrt(v[i]) * r.root + r.eps);
    }
}

#endif
