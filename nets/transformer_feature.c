/* transformer_feature.c: feature matrices of the transformer over the one-hot tokens of positions 0 and 1 ('=' fixed).
 *
 * The Jacobian factors. For a class c let r_c = W_O D_c [heads, dh], D_c the gradient of logit c by the residual stream
 * after attention. With a_jh the attention of head h on position j, v_jh its value, o_h the mixed value and
 * u_h = W_K[h] q_h / sqrt(dh),
 *     dlogit_c / dx_j = sum_h a_jh [ W_V[h] r_ch + u_h (v_jh - o_h) . r_ch ],
 * so per head dh + 1 numbers carry a row of the Jacobian: S = mean of P^T P, P [p, 2, heads, dh + 1], is accumulated in
 * double and G = T S T^T with T [p, heads, dh + 1] = (W_E W_V[h], W_E u_h). The gradient passes active neurons only:
 * r = W_U^T W_O^T + sum over k of s'_k (W_out W_U)_k^T (W_O W_in)_k. */
#include "transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tf_feature_kinds[] = {"agop", "nfm", "nfm_q", "nfm_k", "nfm_v", NULL};

typedef struct jacobian { /* what is the same for every pair */
    real *logit;          /* [dm, p] rows of W_out W_U */
    real *value;          /* [dm, d] rows of (W_O W_in)^T */
    real *skip;           /* [p, d] W_U^T W_O^T */
} jacobian;

typedef struct jacobian_work { /* one thread's */
    real *slope;               /* [TF_BLOCK, dm] */
    real *logit, *value;       /* rows of the active neurons */
    real *r;                   /* [p, d + 2 heads]: r_c, and (v_jh - o_h) . r_ch for j = 0, 1 */
    real *gram;                /* r^T r */
    double *s;                 /* [2e, 2e], e = heads (dh + 1): sum of P^T P */
    double *mean;              /* [p, 2e]: sum of P when centred */
} jacobian_work;

static int extended(const tf_sizes *s)
{
    return s->heads * (s->dh + 1);
}

static void jacobian_take(jacobian *j, gk_pool *pool, const tf_sizes *s)
{
    j->logit = gk_pool_take(pool, (size_t)s->dm * (size_t)s->p, sizeof(real));
    j->value = gk_pool_take(pool, (size_t)s->dm * (size_t)s->d, sizeof(real));
    j->skip = gk_pool_take(pool, (size_t)s->p * (size_t)s->d, sizeof(real));
}

static void jacobian_work_take(jacobian_work *k, gk_pool *pool, const tf_sizes *s)
{
    const size_t columns = (size_t)(s->d + 2 * s->heads), e2 = (size_t)(2 * extended(s));
    k->slope = gk_pool_take(pool, TF_BLOCK * (size_t)s->dm, sizeof(real));
    k->logit = gk_pool_take(pool, (size_t)s->dm * (size_t)s->p, sizeof(real));
    k->value = gk_pool_take(pool, (size_t)s->dm * (size_t)s->d, sizeof(real));
    k->r = gk_pool_take(pool, (size_t)s->p * columns, sizeof(real));
    k->gram = gk_pool_take(pool, columns * columns, sizeof(real));
    k->s = gk_pool_take(pool, e2 * e2, sizeof(double));
    k->mean = gk_pool_take(pool, (size_t)s->p * e2, sizeof(double));
}

static void jacobian_fill(jacobian *j, const gk_model *m)
{
    const tf_sizes *s = &m->s;
    net_gemm(false, false, s->dm, s->p, s->d, 1, m->w.w_out, s->d, m->w.w_u, s->vocab, 0, j->logit, s->p);
    net_gemm(true, true, s->dm, s->d, s->d, 1, m->w.w_in, s->dm, m->w.w_o, s->d, 0, j->value, s->d);
    net_gemm(true, true, s->p, s->d, s->d, 1, m->w.w_u, s->vocab, m->w.w_o, s->d, 0, j->skip, s->d);
}

/* k->r for pair i of the block. */
static void jacobian_rows(jacobian_work *k, const jacobian *j, const tf_block *f, int i, const tf_sizes *s)
{
    const real *slope = k->slope + (ptrdiff_t)i * s->dm;
    const int columns = s->d + 2 * s->heads;
    int active = 0;
    for (ptrdiff_t n = 0; n < s->dm; n++) {
        if (slope[n] == 0) continue;
        real *logit = k->logit + (ptrdiff_t)active * s->p;
        for (int c = 0; c < s->p; c++) logit[c] = slope[n] * j->logit[n * s->p + c];
        memcpy(k->value + (ptrdiff_t)active * s->d, j->value + n * s->d, (size_t)s->d * sizeof(real));
        active++;
    }
    for (ptrdiff_t c = 0; c < s->p; c++) memcpy(k->r + c * columns, j->skip + c * s->d, (size_t)s->d * sizeof(real));
    if (active > 0) net_gemm(true, false, s->p, s->d, active, 1, k->logit, s->p, k->value, s->d, 1, k->r, columns);
    const real *o = f->o + (ptrdiff_t)i * s->d;
    for (int pos = 0; pos < 2; pos++) {
        const real *v = f->v + (ptrdiff_t)(2 * i + pos) * s->d;
        for (ptrdiff_t c = 0; c < s->p; c++) {
            real *row = k->r + c * columns;
            for (int h = 0; h < s->heads; h++) {
                real sum = 0;
#pragma omp simd reduction(+ : sum)
                for (int q = h * s->dh; q < (h + 1) * s->dh; q++) sum += (v[q] - o[q]) * row[q];
                row[s->d + pos * s->heads + h] = sum;
            }
        }
    }
}

/* to [heads, dh + 1] += factor * (the same columns of `row` [d + 2 heads]) weighted by position pos's attention a [..,
 * 3] */
static void add_spread(double *to, double factor, const real *row, const real *a, int pos, const tf_sizes *s)
{
    for (int h = 0; h < s->heads; h++) {
        double *part = to + h * (s->dh + 1);
        const double weight = factor * (double)a[3 * h + pos];
        for (int q = 0; q < s->dh; q++) part[q] += weight * (double)row[h * s->dh + q];
        part[s->dh] += weight * (double)row[s->d + pos * s->heads + h];
    }
}

/* Adds pair i's P^T P to k->s, and P to k->mean when centred. */
static void jacobian_add(jacobian_work *k, const tf_block *f, int i, bool centred, const tf_sizes *s)
{
    const int columns = s->d + 2 * s->heads, e = extended(s);
    const real *a = f->a + (ptrdiff_t)i * s->heads * 3;
    net_gemm(true, false, columns, columns, s->p, 1, k->r, columns, k->r, columns, 0, k->gram, columns);
    for (int pos = 0; pos < 2; pos++) {
        for (int h = 0; h < s->heads; h++) {
            for (int q = 0; q <= s->dh; q++) {
                const int from = q < s->dh ? h * s->dh + q : s->d + pos * s->heads + h;
                double *to = k->s + (ptrdiff_t)(pos * e + h * (s->dh + 1) + q) * 2 * e;
                const real *row = k->gram + (ptrdiff_t)from * columns;
                add_spread(to, (double)a[3 * h + pos], row, a, 0, s);
                add_spread(to + e, (double)a[3 * h + pos], row, a, 1, s);
            }
        }
    }
    for (ptrdiff_t c = 0; centred && c < s->p; c++) {
        add_spread(k->mean + c * 2 * e, 1, k->r + c * columns, a, 0, s);
        add_spread(k->mean + c * 2 * e + e, 1, k->r + c * columns, a, 1, s);
    }
}

/* Thread t's share of the training pairs. */
static void jacobian_part(gk_model *m, const jacobian *j, jacobian_work *k, int t)
{
    const tf_sizes *s = &m->s;
    tf_block *f = &m->work[t].f;
    int from, to;
    net_share(m->n.split->n_train, t, m->n.threads, &from, &to);
    for (; from < to; from += TF_BLOCK) {
        const int rows = net_rows(to, from, TF_BLOCK);
        tf_plain_attention(m, f, m->n.split->train + from, rows);
        tf_plain_neurons(m, f, rows);
        net_activation_slope(k->slope, f->z, (size_t)rows * (size_t)s->dm, m->n.activation);
        for (int i = 0; i < rows; i++) {
            jacobian_rows(k, j, f, i, s);
            jacobian_add(k, f, i, m->n.centring, s);
        }
    }
}

/* k[0].s = mean of P^T P, less the product of means when centred: the threads' sums in order. */
static void jacobian_join(gk_model *m, jacobian_work *k)
{
    const int e2 = 2 * extended(&m->s), n = m->n.split->n_train;
    const size_t ns = (size_t)e2 * (size_t)e2, nm = (size_t)m->s.p * (size_t)e2;
    for (int t = 1; t < m->n.threads; t++) {
        for (size_t i = 0; i < ns; i++) k[0].s[i] += k[t].s[i];
        for (size_t i = 0; i < nm; i++) k[0].mean[i] += k[t].mean[i];
    }
    for (size_t i = 0; i < ns; i++) k[0].s[i] /= n;
    for (size_t i = 0; i < nm; i++) k[0].mean[i] /= n;
    gk_gram(true, e2, m->s.p, -1, k[0].mean, e2, 1, k[0].s, e2); /* mean is 0 unless centred */
}

/* tokens [p, heads, dh + 1]: W_E W_V[h] and W_E u_h, in double. */
static void token_basis(double *tokens, const gk_model *m, const real *q_l)
{
    const tf_sizes *s = &m->s;
    const double scale = 1 / sqrt(s->dh);
    const int e = extended(s);
    for (ptrdiff_t h = 0; h < s->heads; h++) {
        const real *w_v = m->w.w_v + h * s->d * s->dh, *w_k = m->w.w_k + h * s->d * s->dh;
        for (ptrdiff_t t = 0; t < s->p; t++) {
            double *row = tokens + t * e + h * (s->dh + 1);
            memset(row, 0, (size_t)(s->dh + 1) * sizeof *row);
            for (ptrdiff_t i = 0; i < s->d; i++) {
                const double x = (double)m->w.w_e[t * s->d + i];
                for (ptrdiff_t q = 0; q < s->dh; q++) {
                    row[q] += x * (double)w_v[i * s->dh + q];
                    row[s->dh] += x * scale * (double)w_k[i * s->dh + q] * (double)q_l[h * s->dh + q];
                }
            }
        }
    }
}

static int agop(gk_model *m, double *out)
{
    const tf_sizes *s = &m->s;
    const int p = s->p, e = extended(s), threads = m->n.threads;
    gk_pool pool = {0};
    jacobian j = {0};
    jacobian_work *k = NULL;
    double *tokens = NULL, *half = NULL;
    for (int pass = 0; pass < 2; pass++) { /* count, then take */
        if (pass == 1 && gk_pool_alloc(&pool) != GK_OK) return GK_FAILED;
        jacobian_take(&j, &pool, s);
        k = gk_pool_take(&pool, (size_t)threads, sizeof *k);
        for (int t = 0; t < threads; t++) {
            jacobian_work work;
            jacobian_work_take(&work, &pool, s);
            if (k) k[t] = work;
        }
        tokens = gk_pool_take(&pool, (size_t)p * (size_t)e, sizeof *tokens);
        half = gk_pool_take(&pool, (size_t)p * (size_t)e, sizeof *half);
    }
    jacobian_fill(&j, m);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) jacobian_part(m, &j, &k[t], t);
    jacobian_join(m, k);
    tf_block *f = &m->work[0].f;
    tf_embed_forward(f->x, f->x_l, NULL, &m->w, 0, s);
    tf_project_forward(f->q_l, f->x_l, m->w.w_q, 1, s);
    token_basis(tokens, m, f->q_l);
    for (int a = 0; a < 2; a++) {
        for (int b = 0; b < 2; b++) { /* G_ab = T S_ab T^T */
            const double *s_ab = k[0].s + (ptrdiff_t)a * e * 2 * e + b * e;
            gk_gemm(false, false, p, e, e, 1, tokens, e, s_ab, 2 * e, 0, half, e);
            gk_gemm(false, true, p, p, e, 1, half, e, tokens, e, 0, out + (ptrdiff_t)a * p * 2 * p + b * p, 2 * p);
        }
    }
    gk_pool_free(&pool);
    return GK_OK;
}

/* out = blockdiag(N, N) with N = X X^T over the p class tokens, X = W_E (w NULL) or W_E times every head's w. */
static int gram_of_tokens(gk_model *m, const real *w, double *out)
{
    const tf_sizes *s = &m->s;
    const int p = s->p, d = s->d;
    double *x = gk_alloc((size_t)p * (size_t)d, sizeof *x);
    double *e = gk_alloc((size_t)p * (size_t)d, sizeof *e), *wd = gk_alloc((size_t)d * (size_t)d, sizeof *wd);
    if (x && e && wd) {
        net_widen(e, m->w.w_e, (size_t)p * (size_t)d);
        if (w) net_widen(wd, w, (size_t)d * (size_t)d);
        for (ptrdiff_t h = 0; w && h < s->heads; h++)
            gk_gemm(false, false, p, s->dh, d, 1, e, d, wd + h * d * s->dh, s->dh, 0, x + h * s->dh, d);
        memset(out, 0, 4 * (size_t)p * (size_t)p * sizeof *out);
        gk_gram(false, p, d, 1, w ? x : e, d, 0, out, 2 * p);
        gk_gram(false, p, d, 1, w ? x : e, d, 0, out + (ptrdiff_t)p * 2 * p + p, 2 * p);
    }
    const int code = x && e && wd ? GK_OK : GK_FAILED;
    free(x);
    free(e);
    free(wd);
    return code;
}

int tf_feature(gk_model *m, const char *kind, double *out)
{
    if (strcmp(kind, "agop") == 0) return agop(m, out);
    if (strcmp(kind, "nfm") == 0) return gram_of_tokens(m, NULL, out);
    if (strcmp(kind, "nfm_q") == 0) return gram_of_tokens(m, m->w.w_q, out);
    if (strcmp(kind, "nfm_k") == 0) return gram_of_tokens(m, m->w.w_k, out);
    if (strcmp(kind, "nfm_v") == 0) return gram_of_tokens(m, m->w.w_v, out);
    return gk_error(GK_NOTFOUND, "transformer: no feature matrix '%s'; there are agop, nfm, nfm_q, nfm_k, nfm_v", kind);
}
