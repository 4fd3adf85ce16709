/* transformer_agop.c: the AGOP of the transformer over the one-hot tokens of positions 0 and 1 ('=' fixed), no Jacobian
 * of it ever formed.
 *
 * For a class c let r_c = W_O D_c [d: heads x dh], D_c the gradient of logit c by the residual stream after attention.
 * With a_jh the attention of head h on position j, v_jh its value, o_h the mixed value and u_h = W_K[h] q_h / sqrt(dh),
 *     dlogit_c / dx_j = sum_h a_jh [ W_V[h] r_ch + u_h (v_jh - o_h) . r_ch ],
 * so d + heads numbers a position carry a row of the Jacobian: S = mean of P^T P, P [p, 2, d + heads], and
 * G = T S T^T with T [p, d + heads] = (W_E W_V, W_E u). P's columns are those of r [p, d] and of r rel [p, 2 heads], rel
 * holding v_jh - o_h of each head, times attention: per pair one Gram matrix r^T r, from which rel^T r^T r and
 * rel^T r^T r rel follow, spread into S by its attention weights. One class's share of G is that of its row alone.
 *
 * r = W_U^T W_O^T + sum over neurons k of s'_k (W_out W_U)_k^T (W_O W_in)_k. With ReLU s' is 0 or 1, and pairs with the
 * same x have much the same neurons on: r of their majority is computed once, and each pair adds or takes away only the
 * neurons that it has otherwise. Without that every pair costs p x d x (neurons that are on), and the product r^T r. */
#include "tile.h"
#include "transformer.h"

#include <math.h>
#include <stdlib.h>

enum {
    TOGETHER = 4,           /* pairs whose Gram matrices are added to the sum at a time, as large as each of them, */
    TOGETHER_BYTES = 1 << 20 /* where they fit the second-level cache */
};

typedef struct columns { /* row lengths and other sizes; padding is 0 */
    int first, classes;  /* the classes whose Jacobian rows are summed: all p, or one */
    int d;               /* residual columns of r: d rounded up to a panel */
    int line;            /* factors over classes: their number rounded up, an odd number of cache lines */
    int block;           /* columns of a Gram matrix that are computed at a time: whole heads where that fits a panel */
    int mixed;           /* of P at one position: d_model, */
    int one;             /* and behind them one a head, both rounded up to vectors */
    int gram;            /* rows of a Gram matrix: `mixed`, and below them one for j = 0, 1 and every head */
    int together;        /* pairs at a time: TOGETHER or 1 */
} columns;

typedef struct factors { /* what is the same for every pair */
    real *logit;         /* [dm, line] rows of W_out W_U */
    real *value;         /* [dm, d] rows of (W_O W_in)^T, by panels: [d / PANEL][dm][PANEL] */
    real *skip;          /* [classes, d] W_U^T W_O^T */
} factors;

typedef struct agop_work { /* one thread's */
    real *slope;           /* [TF_BLOCK, dm] s' */
    real *shared;          /* [dm] s' that the pairs with one x share */
    real *logit, *value;   /* packed rows of the neurons in work, value by panels */
    real *r_shared, *r;    /* [classes, d] */
    real *relative;        /* [2, d] v_j - o */
    int waiting;           /* pairs that stand in these three and are not yet in `part` */
    real *gram;            /* [together][gram, d] r^T r and below it rel^T r^T r, of which a row is rel_jh^T r_h^T r */
    real *corner;          /* [together][2 heads, 2 heads] rel^T r^T r rel */
    real *attention;       /* [together][2, one] a_jh of each column of P */
    real *part;            /* [2 one, 2 one] sum of P^T P over one block */
    double *s;             /* the same over all of this thread's pairs */
    double *mean;          /* [classes, 2 one] sum of P when centred */
} agop_work;

static columns columns_of(const tf_sizes *s, int first, int classes)
{
    const int line = 64 / (int)sizeof(real), lines = (classes + line - 1) / line;
    const int d = round_up(s->d, PANEL), mixed = round_up(s->d, VEC);
    int block = s->dh;
    while (block % VEC != 0 || block < 2 * VEC) block += s->dh;
    const int gram = mixed + 2 * s->heads;
    const bool fit = TOGETHER * (size_t)gram * (size_t)d * sizeof(real) <= TOGETHER_BYTES;
    return (columns){.first = first,
                     .classes = classes,
                     .d = d,
                     .line = (lines | 1) * line,
                     .block = block < PANEL ? block : PANEL,
                     .gram = gram,
                     .together = fit ? TOGETHER : 1,
                     .mixed = mixed,
                     .one = mixed + round_up(s->heads, VEC)};
}

static void factors_take(factors *f, gk_pool *pool, const tf_sizes *s, columns c)
{
    f->logit = gk_pool_take(pool, (size_t)s->dm * (size_t)c.line, sizeof(real));
    f->value = gk_pool_take(pool, (size_t)s->dm * (size_t)c.d, sizeof(real));
    f->skip = gk_pool_take(pool, (size_t)c.classes * (size_t)c.d, sizeof(real));
}

static void work_take(agop_work *k, gk_pool *pool, const tf_sizes *s, columns c)
{
    const size_t classes = (size_t)c.classes, dm = (size_t)s->dm, d = (size_t)c.d, two = 2 * (size_t)c.one;
    k->slope = gk_pool_take(pool, TF_BLOCK * dm, sizeof(real));
    k->shared = gk_pool_take(pool, dm, sizeof(real));
    k->logit = gk_pool_take(pool, dm * (size_t)c.line, sizeof(real));
    k->value = gk_pool_take(pool, dm * d, sizeof(real));
    k->r_shared = gk_pool_take(pool, classes * d, sizeof(real));
    k->r = gk_pool_take(pool, classes * d, sizeof(real));
    k->relative = gk_pool_take(pool, 2 * d, sizeof(real));
    k->waiting = 0;
    const size_t together = (size_t)c.together;
    k->gram = gk_pool_take(pool, together * (size_t)c.gram * d, sizeof(real));
    k->corner = gk_pool_take(pool, together * 4 * (size_t)(s->heads * s->heads), sizeof(real));
    k->attention = gk_pool_take(pool, together * two, sizeof(real));
    k->part = gk_pool_take(pool, two * two, sizeof(real));
    k->s = gk_pool_take(pool, two * two, sizeof(double));
    k->mean = gk_pool_take(pool, classes * two, sizeof(double));
}

/* `value` [d] of neuron `at` of `count`, into panels */
static void put_value(real *panels, const real *value, int at, int count, int d)
{
    for (int q = 0; q < d; q += PANEL)
        memcpy(panels + (ptrdiff_t)q * count + (ptrdiff_t)at * PANEL, value + q,
               (size_t)net_rows(d, q, PANEL) * sizeof(real));
}

static int factors_fill(factors *f, const gk_model *m, columns c)
{
    const tf_sizes *s = &m->s;
    real *value = gk_alloc((size_t)s->dm * (size_t)s->d, sizeof *value);
    if (!value) return GK_FAILED;
    const real *w_u = m->w.w_u + c.first;
    net_gemm(false, false, s->dm, c.classes, s->d, 1, m->w.w_out, s->d, w_u, s->vocab, 0, f->logit, c.line);
    net_gemm(true, true, s->dm, s->d, s->d, 1, m->w.w_in, s->dm, m->w.w_o, s->d, 0, value, s->d);
    net_gemm(true, true, c.classes, s->d, s->d, 1, w_u, s->vocab, m->w.w_o, s->d, 0, f->skip, c.d);
    for (int n = 0; n < s->dm; n++) put_value(f->value, value + (ptrdiff_t)n * s->d, n, s->dm, s->d);
    free(value);
    return GK_OK;
}

/* r += sum over neurons of (slope - base) logit^T value; base NULL: 0 */
static void add_neurons(real *r, agop_work *k, const factors *f, const real *slope, const real *base, const tf_sizes *s,
                        columns c)
{
    int count = 0;
    for (ptrdiff_t n = 0; n < s->dm; n++) {
        const real factor = base ? slope[n] - base[n] : slope[n];
        if (factor == 0) continue;
        const real *from = f->logit + n * c.line;
        real *logit = k->logit + (ptrdiff_t)count * c.line;
        for (int o = 0; o < c.line; o++) logit[o] = factor * from[o];
        for (int q = 0; q < c.d; q += PANEL)
            memcpy(k->value + ((ptrdiff_t)q * s->dm + (ptrdiff_t)count * PANEL),
                   f->value + (ptrdiff_t)q * s->dm + n * PANEL, PANEL * sizeof(real));
        count++;
    }
    for (int q = 0; q < c.d; q += PANEL)
        tile_panel(r + q, c.d, (tile_left){k->logit, 1, c.line}, (tile_right){k->value + (ptrdiff_t)q * s->dm, PANEL},
                   c.classes, count, true);
}

/* k->r_shared of `rows` pairs with the same x, from row `first` of the block. */
static void share_neurons(agop_work *k, const factors *f, int first, int rows, bool relu, const tf_sizes *s, columns c)
{
    const real *slope = k->slope + (ptrdiff_t)first * s->dm;
    memset(k->shared, 0, (size_t)s->dm * sizeof(real));
    for (int i = 0; relu && i < rows; i++)
        for (int n = 0; n < s->dm; n++) k->shared[n] += slope[(ptrdiff_t)i * s->dm + n];
    for (int n = 0; n < s->dm; n++) k->shared[n] = 2 * k->shared[n] > (real)rows ? 1 : 0;
    memcpy(k->r_shared, f->skip, (size_t)c.classes * (size_t)c.d * sizeof(real));
    add_neurons(k->r_shared, k, f, k->shared, NULL, s, c);
}

/* k->r, k->relative and the next k->attention, of pair i of the block. */
static void pair_rows(agop_work *k, const factors *f, const tf_block *b, int i, const tf_sizes *s, columns c)
{
    const real *a = b->a + (ptrdiff_t)i * s->heads * 3, *o = b->o + (ptrdiff_t)i * s->d;
    memcpy(k->r, k->r_shared, (size_t)c.classes * (size_t)c.d * sizeof(real));
    add_neurons(k->r, k, f, k->slope + (ptrdiff_t)i * s->dm, k->shared, s, c);
    for (int j = 0; j < 2; j++) {
        const real *v = b->v + (ptrdiff_t)(2 * i + j) * s->d;
        real *on = k->attention + (ptrdiff_t)(2 * k->waiting + j) * c.one;
        for (int q = 0; q < s->d; q++) {
            k->relative[(ptrdiff_t)j * c.d + q] = v[q] - o[q];
            on[q] = a[3 * (q / s->dh) + j];
        }
        for (int h = 0; h < s->heads; h++) on[c.mixed + h] = a[3 * h + j];
    }
}

static real dot(const real *a, const real *b, int n)
{
    real sum = 0;
    if (n < VEC) { /* a vector's sum would cost more than it saves */
        for (int i = 0; i < n; i++) sum += a[i] * b[i];
        return sum;
    }
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* gram = r^T r. Of a residual row the columns of its head and of those behind are computed, and then mirrored. */
static void gram_residual(real *gram, const agop_work *k, const tf_sizes *s, columns c)
{
    const ptrdiff_t d = c.d;
    for (int q = 0; q < s->d; q += c.block) {
        const int width = net_rows(c.d, q, c.block), last = net_rows(s->d, q, width) + q - 1;
        tile_columns(gram + q, d, (tile_left){k->r, 1, d}, (tile_right){k->r + q, d}, (last / s->dh + 1) * s->dh,
                     c.classes, width, false);
    }
    for (int q = 0; q < s->d; q += c.block) {
        const int width = net_rows(c.mixed, q, c.block), below = q + width;
        if (below < c.mixed) vec_transpose_all(gram + below * d + q, d, gram + q * d + below, d, width, c.mixed - below);
    }
}

/* below [2 heads, d] = rel^T gram, by heads */
static void gram_below(real *below, const real *gram, const agop_work *k, const tf_sizes *s, columns c)
{
    const ptrdiff_t d = c.d;
    for (ptrdiff_t h = 0; h < s->heads; h++)
        tile_columns(below + h * d, s->heads * d, (tile_left){k->relative + h * s->dh, d, 1},
                     (tile_right){gram + h * s->dh * d, d}, 2, s->dh, c.mixed, false);
}

/* corner [2 heads, 2 heads] = below rel */
static void gram_corner(real *corner, const real *below, const agop_work *k, const tf_sizes *s, columns c)
{
    for (ptrdiff_t row = 0; row < 2 * s->heads; row++)
        for (ptrdiff_t i = 0; i < 2; i++)
            for (ptrdiff_t q = 0; q < s->d; q += s->dh)
                *corner++ = dot(below + row * c.d + q, k->relative + i * c.d + q, s->dh);
}

/* The next k->gram and k->corner. */
static void pair_gram(agop_work *k, const tf_sizes *s, columns c)
{
    real *gram = k->gram + (ptrdiff_t)k->waiting * c.gram * c.d, *below = gram + (ptrdiff_t)c.mixed * c.d;
    gram_residual(gram, k, s, c);
    gram_below(below, gram, k, s, c);
    gram_corner(k->corner + (ptrdiff_t)k->waiting * 4 * s->heads * s->heads, below, k, s, c);
}

/* k->part at (j, row; i, q) += the sum over `pairs` waiting pairs, a constant once inlined, of a_j a_i times row `in_gram`
 * of the Gram matrix, for `rows` rows of one head, j from..to-1 and the columns q from `start` on. */
static inline __attribute__((always_inline)) void spread_rows(agop_work *k, int row, int in_gram, int rows, int from,
                                                              int to, int start, columns c, const int pairs)
{
    const ptrdiff_t one = c.one, two = 2 * one, d = c.d, pair = c.gram * d;
    const real *gram = k->gram + in_gram * d;
    for (ptrdiff_t q = start; q < c.mixed; q += VEC)
        for (ptrdiff_t j = from; j < to; j++) {
            vec weight[TOGETHER][2];
#pragma GCC unroll 4
            for (int b = 0; b < pairs; b++) {
                const real *on = k->attention + b * two;
#pragma GCC unroll 2
                for (int i = 0; i < 2; i++) weight[b][i] = vec_of(on[j * one + row]) * vec_load(on + i * one + q);
            }
            real *part = k->part + (j * one + row) * two + q;
            for (ptrdiff_t r = 0; r < rows; r++, part += two) {
                vec first = vec_load(part), second = vec_load(part + one);
#pragma GCC unroll 4
                for (int b = 0; b < pairs; b++) {
                    const vec g = vec_load(gram + b * pair + r * d + q);
                    first += weight[b][0] * g;
                    second += weight[b][1] * g;
                }
                vec_store(part, first);
                vec_store(part + one, second);
            }
        }
}

/* The same for what `corner` holds of the row of head h at j. */
static void spread_corner(agop_work *k, int j, int h, const tf_sizes *s, columns c)
{
    const ptrdiff_t heads = s->heads, two = 2 * c.one, at = j * c.one + c.mixed + h;
    real *part = k->part + at * two + c.mixed;
    for (ptrdiff_t b = 0; b < c.together; b++) {
        const real *on = k->attention + b * two, *corner = k->corner + ((b * 2 + j) * heads + h) * 2 * heads;
        for (ptrdiff_t i = 0; i < 2; i++)
            for (ptrdiff_t g = 0; g < heads; g++)
                part[i * c.one + g] += on[at] * corner[i * heads + g] * on[i * c.one + c.mixed + g];
    }
}

static inline __attribute__((always_inline)) void spread_pairs(agop_work *k, const tf_sizes *s, columns c, const int pairs)
{
    for (int h = 0; h < s->heads; h++) {
        const int row = h * s->dh;
        spread_rows(k, row, row, s->dh, 0, 2, row / VEC * VEC, c, pairs);
        for (int j = 0; j < 2; j++) {
            spread_rows(k, c.mixed + h, c.mixed + j * s->heads + h, 1, j, j + 1, 0, c, pairs);
            spread_corner(k, j, h, s, c);
        }
    }
}

/* Adds the waiting pairs' P^T P to k->part, as far as their Gram matrices go. */
static void spread(agop_work *k, const tf_sizes *s, columns c)
{
    if (k->waiting == 0) return;
    for (; k->waiting < c.together; k->waiting++) /* those that are missing count nothing */
        memset(k->attention + (ptrdiff_t)k->waiting * 2 * c.one, 0, 2 * (size_t)c.one * sizeof(real));
    k->waiting = 0;
    if (c.together == TOGETHER)
        spread_pairs(k, s, c, TOGETHER);
    else
        spread_pairs(k, s, c, 1);
}

/* Adds the pair's P to k->mean. */
static void pair_mean(agop_work *k, const tf_sizes *s, columns c)
{
    for (ptrdiff_t o = 0; o < c.classes; o++) {
        const real *row = k->r + o * c.d;
        for (ptrdiff_t j = 0; j < 2; j++) {
            const real *on = k->attention + (2 * k->waiting + j) * c.one, *relative = k->relative + j * c.d;
            double *mean = k->mean + (o * 2 + j) * c.one;
            for (int q = 0; q < s->d; q++) mean[q] += (double)row[q] * (double)on[q];
            for (int h = 0; h < s->heads; h++)
                mean[c.mixed + h] +=
                    (double)dot(row + h * s->dh, relative + h * s->dh, s->dh) * (double)on[c.mixed + h];
        }
    }
}

/* Cells that the next block takes: at most TF_BLOCK, and where that is possible all of a first token. */
static int block_rows(const int32_t *cells, int left, int p)
{
    int rows = left < TF_BLOCK ? left : TF_BLOCK;
    if (rows == left) return rows;
    while (rows > 0 && cells[rows - 1] / p == cells[rows] / p) rows--;
    return rows > 0 ? rows : TF_BLOCK;
}

/* One thread's sums over its n cells, ascending. */
static void sum_pairs(const gk_model *m, const factors *f, agop_work *k, tf_block *b, const int32_t *cells, int n,
                      columns c)
{
    const tf_sizes *s = &m->s;
    const size_t entries = 4 * (size_t)c.one * (size_t)c.one;
    for (int rows; n > 0; cells += rows, n -= rows) {
        rows = block_rows(cells, n, s->p);
        tf_plain_attention(m, b, cells, rows);
        tf_plain_neurons(m, b, rows);
        net_activation_slope(k->slope, b->z, (size_t)rows * (size_t)s->dm, m->n.activation);
        memset(k->part, 0, entries * sizeof(real));
        for (int i = 0, end; i < rows; i = end) {
            for (end = i + 1; end < rows && cells[end] / s->p == cells[i] / s->p;) end++;
            share_neurons(k, f, i, end - i, m->n.activation == NET_RELU, s, c);
            for (int pair = i; pair < end; pair++) {
                pair_rows(k, f, b, pair, s, c);
                pair_gram(k, s, c);
                if (m->n.centring) pair_mean(k, s, c);
                if (++k->waiting == c.together) spread(k, s, c);
            }
        }
        spread(k, s, c);
        for (size_t e = 0; e < entries; e++) k->s[e] += (double)k->part[e];
    }
}

/* k[0].s = mean of P^T P over n pairs, less the product of means when centred: the threads' sums in order, and what
 * `spread` left out from its mirror image. */
static void join(agop_work *k, const gk_model *m, int n, columns c)
{
    const tf_sizes *s = &m->s;
    const int two = 2 * c.one;
    const size_t ns = (size_t)two * (size_t)two, nm = (size_t)c.classes * (size_t)two;
    for (int t = 1; t < m->n.threads; t++) {
        for (size_t i = 0; i < ns; i++) k[0].s[i] += k[t].s[i];
        for (size_t i = 0; i < nm; i++) k[0].mean[i] += k[t].mean[i];
    }
    for (ptrdiff_t i = 0; i < two; i++) {
        const int q = (int)i % c.one;
        if (q >= s->d) continue;
        for (ptrdiff_t j = 0; j < 2; j++) {
            double *row = k[0].s + i * two + j * c.one;
            const double *column = k[0].s + j * c.one * two + i;
            for (ptrdiff_t g = 0; g < q / s->dh * s->dh; g++) row[g] = column[g * two];
            for (ptrdiff_t g = c.mixed; g < c.one; g++) row[g] = column[g * two];
        }
    }
    for (size_t i = 0; i < ns; i++) k[0].s[i] /= n;
    for (size_t i = 0; i < nm; i++) k[0].mean[i] /= n;
    if (m->n.centring) gk_gram(true, two, c.classes, -1, k[0].mean, two, 1, k[0].s, two);
}

/* tokens [p, one]: W_E W_V, the heads side by side, then W_E u_h; in double. */
static int token_basis(double *tokens, const gk_model *m, const real *q_l, columns c)
{
    const tf_sizes *s = &m->s;
    const size_t d = (size_t)s->d, n_e = (size_t)s->p * d;
    double *w_e = gk_alloc(n_e + d * (size_t)c.one, sizeof *w_e);
    if (!w_e) return GK_FAILED;
    double *w = w_e + n_e; /* [d, one] (W_V, u) */
    memset(w, 0, d * (size_t)c.one * sizeof *w);
    net_widen(w_e, m->w.w_e, n_e);
    for (ptrdiff_t h = 0; h < s->heads; h++) {
        for (ptrdiff_t i = 0; i < s->d; i++) {
            const real *w_v = m->w.w_v + (h * s->d + i) * s->dh, *w_k = m->w.w_k + (h * s->d + i) * s->dh;
            double score = 0;
            for (int q = 0; q < s->dh; q++) {
                w[i * c.one + h * s->dh + q] = (double)w_v[q];
                score += (double)w_k[q] * (double)q_l[h * s->dh + q];
            }
            w[i * c.one + c.mixed + h] = score / sqrt(s->dh);
        }
    }
    gk_gemm(false, false, s->p, c.one, s->d, 1, w_e, s->d, w, c.one, 0, tokens, c.one);
    free(w_e);
    return GK_OK;
}

/* out [2p, 2p]: G_ab = T S_ab T^T, with `half` [p, one] as work space */
static void surround(double *out, const double *s_all, const double *tokens, double *half, int p, int one)
{
    for (ptrdiff_t a = 0; a < 2; a++) {
        for (ptrdiff_t b = a; b < 2; b++) {
            const double *s_ab = s_all + a * one * 2 * one + b * one;
            gk_gemm(false, false, p, one, one, 1, tokens, one, s_ab, 2 * one, 0, half, one);
            gk_gemm(false, true, p, p, one, 1, half, one, tokens, one, 0, out + a * p * 2 * p + b * p, 2 * p);
        }
    }
    for (ptrdiff_t i = 1; i < 2 * p; i++)
        for (ptrdiff_t j = 0; j < i; j++) out[i * 2 * p + j] = out[j * 2 * p + i];
}

static int agop_of(gk_model *m, int first, int classes, double *out)
{
    const tf_sizes *s = &m->s;
    const int threads = m->n.threads, all = m->n.split->n_train, n = m->agop_samples;
    const columns c = columns_of(s, first, classes);
    gk_pool pool = {0};
    factors f = {0};
    agop_work *k = NULL;
    int32_t *cells = NULL;
    double *tokens = NULL, *half = NULL;
    for (int pass = 0; pass < 2; pass++) { /* count, then take */
        if (pass == 1 && gk_pool_alloc(&pool) != GK_OK) return GK_FAILED;
        factors_take(&f, &pool, s, c);
        k = gk_pool_take(&pool, (size_t)threads, sizeof *k);
        for (int t = 0; t < threads; t++) {
            agop_work work;
            work_take(&work, &pool, s, c);
            if (k) k[t] = work;
        }
        cells = gk_pool_take(&pool, (size_t)n, sizeof *cells);
        tokens = gk_pool_take(&pool, (size_t)s->p * (size_t)c.one, sizeof *tokens);
        half = gk_pool_take(&pool, (size_t)s->p * (size_t)c.one, sizeof *half);
    }
    for (int i = 0; i < n; i++) cells[i] = m->n.split->train[(int64_t)i * all / n];
    tf_block *b = &m->work[0].f;
    tf_embed_forward(b->x, b->x_l, NULL, &m->w, 0, s);
    tf_project_forward(b->q_l, b->x_l, m->w.w_q, 1, s);
    int code = factors_fill(&f, m, c);
    if (code == GK_OK) code = token_basis(tokens, m, b->q_l, c);
    if (code == GK_OK) {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int t = 0; t < threads; t++) {
            int from, to;
            const uint64_t mode = net_flush_begin();
            net_share(n, t, threads, &from, &to);
            sum_pairs(m, &f, &k[t], &m->work[t].f, cells + from, to - from, c);
            net_flush_end(mode);
        }
        join(k, m, n, c);
        surround(out, k[0].s, tokens, half, s->p, c.one);
    }
    gk_pool_free(&pool);
    return code;
}

int tf_agop(gk_model *m, double *out)
{
    return agop_of(m, 0, m->s.p, out);
}

int tf_class_agop(gk_model *m, int class, double *out)
{
    return agop_of(m, class, 1, out);
}
