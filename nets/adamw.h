/* adamw.h: AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) in PyTorch's form, inline so
 * that a pass over the state may do more than update it. */
#ifndef GK_NETS_ADAMW_H
#define GK_NETS_ADAMW_H

#include "vector.h"

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

/* One vector of w, m, v after one update with gradient g. */
static inline void net_adamw_vec(vec *w, vec *m, vec *v, vec g, const net_rates r)
{
    *m = r.beta1 * *m + r.one_beta1 * g;
    *v = r.beta2 * *v + r.one_beta2 * g * g;
    *w = r.keep * *w - r.step * *m / (vec_sqrt(*v) * r.root + r.eps);
}

/* The same for the first `count` lanes at w, m, v and g, of any alignment. */
static inline void net_adamw_some(real *w, real *m, real *v, const real *g, size_t count, const net_rates r)
{
    vec a = {0}, b = {0}, c = {0}, d = {0};
    const size_t bytes = count * sizeof *w;
    memcpy(&a, w, bytes);
    memcpy(&b, m, bytes);
    memcpy(&c, v, bytes);
    memcpy(&d, g, bytes);
    net_adamw_vec(&a, &b, &c, d, r);
    memcpy(w, &a, bytes);
    memcpy(m, &b, bytes);
    memcpy(v, &c, bytes);
}

/* w, m, v [count] after one update with gradient g. */
static inline void net_adamw_inline(real *w, real *m, real *v, const real *g, size_t count, const net_rates r)
{
    size_t i = 0;
    for (; i + VEC <= count; i += VEC) net_adamw_some(w + i, m + i, v + i, g + i, VEC, r);
    if (i < count) net_adamw_some(w + i, m + i, v + i, g + i, count - i, r);
}

#endif
