/* transformer_pairs.c: one tile of pairs through the tables: attention weights, neurons, logits, and back. Neurons are
 * worked on by panels of PANEL columns, so that what is being used stays in the first-level cache. */
#include "transformer_fast.h"

enum { PAIRS_HOT = 48 }; /* pairs whose panel stays in the first-level cache between two passes */

void tf_pairs_take(tf_pairs *k, gk_pool *pool, const tf_sizes *s, const tf_tables *t, net_activation activation)
{
    const size_t one = sizeof(real), heads = (size_t)s->heads, dmp = (size_t)t->dmp, p = (size_t)s->p;
    const size_t table = (size_t)t->ext * heads * (size_t)t->rows;
    k->a = gk_pool_take(pool, heads * 2 * TF_PAIRS, one);
    k->post = gk_pool_take(pool, dmp * TF_PAIRS, one);
    k->slope = gk_pool_take(pool, activation == NET_RELU ? 0 : dmp * TF_PAIRS, one);
    k->post_t = gk_pool_take(pool, dmp * TF_PAIRS, one);
    k->logits = gk_pool_take(pool, (size_t)t->vp * TF_PAIRS, one);
    k->row = gk_pool_take(pool, TF_PAIRS * PANEL, one);
    k->dots = gk_pool_take(pool, heads * TF_PAIRS * VEC, one);
    k->dt0 = gk_pool_take(pool, table, one);
    k->dt1 = gk_pool_take(pool, table, one);
    k->dwl = gk_pool_take(pool, (size_t)s->vocab * dmp, one);
    k->dbase = gk_pool_take(pool, (size_t)t->ext, one);
    k->ds0 = gk_pool_take(pool, heads * p, one);
    k->ds1 = gk_pool_take(pool, heads * p, one);
    k->ds_l = gk_pool_take(pool, heads, one);
}

void tf_pairs_clear(tf_pairs *k, const tf_sizes *s, const tf_tables *t)
{
    const size_t one = sizeof(real), heads = (size_t)s->heads, p = (size_t)s->p;
    const size_t table = (size_t)t->ext * heads * (size_t)t->rows;
    memset(k->dt0, 0, table * one);
    memset(k->dt1, 0, table * one);
    memset(k->dwl, 0, (size_t)s->vocab * (size_t)t->dmp * one);
    memset(k->dbase, 0, (size_t)t->ext * one);
    memset(k->ds0, 0, heads * p * one);
    memset(k->ds1, 0, heads * p * one);
    memset(k->ds_l, 0, heads * one);
    k->loss = 0;
}

/* ---- attention ---- */

/* a_0, a_1 of every head and pair: softmax over the scores of x, y and '='. */
static void attention_forward(const gk_model *m, tf_pairs *k)
{
    const tf_tables *t = &m->fast->t;
    for (int h = 0; h < m->s.heads; h++) {
        real *a0 = k->a + (ptrdiff_t)h * 2 * TF_PAIRS, *a1 = a0 + TF_PAIRS;
        const vec last = vec_of(t->s_l[h]);
        for (int i = 0; i < TF_PAIRS; i++) {
            a0[i] = t->s0[h * m->s.p + k->x[i]];
            a1[i] = t->s1[h * m->s.p + k->y[i]];
        }
        for (int i = 0; i < TF_PAIRS; i += VEC) {
            const vec s0 = vec_load(a0 + i), s1 = vec_load(a1 + i);
            const vec top = vec_max(vec_max(s0, s1), last);
            const vec e0 = vec_exp(s0 - top), e1 = vec_exp(s1 - top), sum = e0 + e1 + vec_exp(last - top);
            vec_store(a0 + i, e0 / sum);
            vec_store(a1 + i, e1 / sum);
        }
    }
}

/* From k->dots to the scores' gradients. With values relative to that of '=' its own gradient is 0:
 * ds_j = a_j (da_j - a_0 da_0 - a_1 da_1), ds_l = -a_l (a_0 da_0 + a_1 da_1). */
static void attention_backward(const gk_model *m, tf_pairs *k)
{
    const int p = m->s.p;
    for (int h = 0; h < m->s.heads; h++) {
        const real *a0 = k->a + (ptrdiff_t)h * 2 * TF_PAIRS, *a1 = a0 + TF_PAIRS;
        const real *dot = k->dots + (ptrdiff_t)h * TF_PAIRS * VEC;
        for (int i = 0; i < TF_PAIRS; i++, dot += VEC) {
            real da0 = 0, da1 = 0;
            for (int c = 0; c < VEC / 2; c++) {
                da0 += dot[c];
                da1 += dot[VEC / 2 + c];
            }
            const real mean = a0[i] * da0 + a1[i] * da1;
            k->ds0[h * p + k->x[i]] += a0[i] * (da0 - mean);
            k->ds1[h * p + k->y[i]] += a1[i] * (da1 - mean);
            k->ds_l[h] -= (1 - a0[i] - a1[i]) * mean;
        }
    }
}

/* ---- tables ---- */

/* rows [TF_PAIRS, PANEL]: base + sum_h a_0h t0_h(x) + a_1h t1_h(y), panel j; the positive part of it when `relu`. */
static inline void gather(real *rows, const gk_model *m, const tf_pairs *k, int j, bool relu)
{
    const int heads = m->s.heads;
    const ptrdiff_t head = (ptrdiff_t)m->fast->t.rows * PANEL, at = (ptrdiff_t)j * heads * head;
    const real *t0 = m->fast->t.t0 + at, *t1 = m->fast->t.t1 + at, *base = m->fast->t.base + (ptrdiff_t)j * PANEL;
    for (ptrdiff_t i = 0; i < TF_PAIRS; i++) {
        const real *x = t0 + (ptrdiff_t)k->x[i] * PANEL, *y = t1 + (ptrdiff_t)k->y[i] * PANEL, *a = k->a + i;
        vec z[TILE_VECS];
#pragma GCC unroll 4
        for (int c = 0; c < TILE_VECS; c++) z[c] = vec_load(base + c * VEC);
        for (int h = 0; h < heads; h++, x += head, y += head, a += 2 * TF_PAIRS) {
            const vec on_x = vec_of(a[0]), on_y = vec_of(a[TF_PAIRS]);
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) {
                z[c] += on_x * vec_load(x + c * VEC);
                z[c] += on_y * vec_load(y + c * VEC);
            }
        }
#pragma GCC unroll 4
        for (int c = 0; c < TILE_VECS; c++)
            vec_store(rows + i * PANEL + c * VEC, relu ? vec_max(z[c], vec_of(0)) : z[c]);
    }
}

/* dt0, dt1 += and dots += from the gradient drows of panel j, for HEADS heads from h on.
 *     rows = base + sum_h a_0h t0_h(x) + a_1h t1_h(y)
 * Pairs with the same x stand together: their sum for t0's row and the row itself stay in registers. Two heads at a
 * time read drows half as often, which is what bounds this loop. */
#define DEFINE_SCATTER(HEADS)                                                                                          \
    static void scatter_##HEADS(const gk_model *m, tf_pairs *k, const real *drows, int j, int h)                       \
    {                                                                                                                  \
        const ptrdiff_t head = (ptrdiff_t)m->fast->t.rows * PANEL, at = ((ptrdiff_t)j * m->s.heads + h) * head;        \
        const int32_t *xs = k->x, *ys = k->y;                                                                          \
        const real *a = k->a + (ptrdiff_t)h * 2 * TF_PAIRS, *t0 = m->fast->t.t0 + at, *t1 = m->fast->t.t1 + at;        \
        real *dt0 = k->dt0 + at, *dt1 = k->dt1 + at, *dots = k->dots + (ptrdiff_t)h * TF_PAIRS * VEC;                  \
        for (ptrdiff_t i = 0; i < TF_PAIRS;) {                                                                         \
            const ptrdiff_t x = xs[i];                                                                                 \
            vec row[HEADS][TILE_VECS], sum[HEADS][TILE_VECS];                                                          \
            _Pragma("GCC unroll 2") for (int g = 0; g < HEADS; g++)                                                    \
                _Pragma("GCC unroll 4") for (int c = 0; c < TILE_VECS; c++)                                            \
            {                                                                                                          \
                row[g][c] = vec_load(t0 + g * head + x * PANEL + c * VEC);                                             \
                sum[g][c] = vec_load(dt0 + g * head + x * PANEL + c * VEC);                                            \
            }                                                                                                          \
            do {                                                                                                       \
                const real *d = drows + i * PANEL, *y = t1 + (ptrdiff_t)ys[i] * PANEL;                                 \
                real *dy = dt1 + (ptrdiff_t)ys[i] * PANEL;                                                             \
                vec part[TILE_VECS];                                                                                   \
                _Pragma("GCC unroll 4") for (int c = 0; c < TILE_VECS; c++) part[c] = vec_load(d + c * VEC);           \
                _Pragma("GCC unroll 2") for (int g = 0; g < HEADS; g++)                                                \
                {                                                                                                      \
                    const vec on_x = vec_of(a[g * 2 * TF_PAIRS + i]), on_y = vec_of(a[(g * 2 + 1) * TF_PAIRS + i]);    \
                    vec dot0 = vec_of(0), dot1 = vec_of(0);                                                            \
                    _Pragma("GCC unroll 4") for (int c = 0; c < TILE_VECS; c++)                                        \
                    {                                                                                                  \
                        real *to = dy + g * head + c * VEC;                                                            \
                        sum[g][c] += on_x * part[c];                                                                   \
                        dot0 += row[g][c] * part[c];                                                                   \
                        dot1 += vec_load(y + g * head + c * VEC) * part[c];                                            \
                        vec_store(to, vec_load(to) + on_y * part[c]);                                                  \
                    }                                                                                                  \
                    real *dot = dots + (g * TF_PAIRS + i) * VEC;                                                       \
                    vec_store(dot, vec_load(dot) + vec_fold(dot0, dot1));                                              \
                }                                                                                                      \
            } while (++i < TF_PAIRS && xs[i] == x);                                                                    \
            _Pragma("GCC unroll 2") for (int g = 0; g < HEADS; g++)                                                    \
                _Pragma("GCC unroll 4") for (int c = 0; c < TILE_VECS; c++)                                            \
                    vec_store(dt0 + g * head + x * PANEL + c * VEC, sum[g][c]);                                        \
        }                                                                                                              \
    }
DEFINE_SCATTER(1)
DEFINE_SCATTER(2)

static void scatter(const gk_model *m, tf_pairs *k, const real *drows, int j)
{
    int h = 0;
    for (; h + 2 <= m->s.heads; h += 2) scatter_2(m, k, drows, j, h);
    if (h < m->s.heads) scatter_1(m, k, drows, j, h);
}

/* dbase += the sum of drows over pairs from..to-1, panel j */
static void add_base(tf_pairs *k, const real *drows, int j, int from, int to)
{
    real *base = k->dbase + (ptrdiff_t)j * PANEL;
    vec sum[TILE_VECS];
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) sum[c] = vec_load(base + c * VEC);
    for (int i = from; i < to; i++)
#pragma GCC unroll 4
        for (int c = 0; c < TILE_VECS; c++) sum[c] += vec_load(drows + i * PANEL + c * VEC);
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) vec_store(base + c * VEC, sum[c]);
}

/* ---- neurons ---- */

/* Panel j of the neurons: post = s(z), kept for the way back with s'(z) for activations whose post does not tell it, or
 * in k->row. */
static const real *neurons_forward(const gk_model *m, tf_pairs *k, int j, bool keep)
{
    const ptrdiff_t at = (ptrdiff_t)j * TF_PAIRS * PANEL;
    const size_t count = (size_t)TF_PAIRS * PANEL;
    real *post = keep ? k->post + at : k->row;
    if (m->n.activation == NET_RELU) {
        gather(post, m, k, j, true);
        return post;
    }
    gather(k->row, m, k, j, false);
    if (keep) net_activation_slope(k->slope + at, k->row, count, m->n.activation);
    net_activate(post, k->row, count, m->n.activation);
    return post;
}

/* dz over dpost for pairs from..to-1 of panel j: post = s(z) */
static void neurons_backward(const gk_model *m, const tf_pairs *k, real *dz, int j, int from, int to)
{
    const real *post = k->post + (ptrdiff_t)j * TF_PAIRS * PANEL, *slope = k->slope + (ptrdiff_t)j * TF_PAIRS * PANEL;
    if (m->n.activation == NET_RELU)
        for (int i = from * PANEL; i < to * PANEL; i += VEC)
            vec_store(dz + i, vec_select(vec_load(post + i) > vec_of(0), vec_load(dz + i), vec_of(0)));
    else
        for (int i = from * PANEL; i < to * PANEL; i += VEC) vec_store(dz + i, vec_load(dz + i) * vec_load(slope + i));
}

void tf_pairs_forward(const gk_model *m, tf_pairs *k, const int32_t *cells, int n, bool keep)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    for (int i = 0; i < TF_PAIRS; i++) { /* the last pair fills the tile up; its copies get no gradient */
        const int32_t cell = cells[i < n ? i : n - 1];
        k->x[i] = cell / s->p;
        k->y[i] = cell % s->p;
        k->label[i] = m->n.split->task.labels[cell];
    }
    attention_forward(m, k);
    for (int j = 0; j < t->inner; j++) {
        const real *post = neurons_forward(m, k, j, keep);
        for (int q = 0; q < TF_PAIRS / PANEL; q++)
            vec_transpose_all(k->post_t + ((ptrdiff_t)q * t->dmp + j * PANEL) * PANEL, PANEL,
                              post + (ptrdiff_t)q * PANEL * PANEL, PANEL, PANEL, PANEL);
    }
    for (int j = t->inner; j < t->panels; j++) { /* the direct path */
        gather(k->row, m, k, j, false);
        vec_transpose_all(k->logits + (ptrdiff_t)(j - t->inner) * PANEL * TF_PAIRS, TF_PAIRS, k->row, PANEL, TF_PAIRS,
                          PANEL);
    }
    for (int q = 0; q < TF_PAIRS / PANEL; q++) /* logits [c, i] += sum_k W_L[c, k] post[i, k] */
        tile_panel(k->logits + q * PANEL, TF_PAIRS, (tile_left){t->wl_rows, t->dmp, 1},
                   (tile_right){k->post_t + (ptrdiff_t)q * t->dmp * PANEL, PANEL}, s->vocab, s->dm, true);
}

void tf_pairs_backward(const gk_model *m, tf_pairs *k)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    memset(k->dots, 0, (size_t)s->heads * TF_PAIRS * VEC * sizeof(real));
    for (int j = 0; j < t->inner; j++) {
        const real *post = k->post + (ptrdiff_t)j * TF_PAIRS * PANEL;
        const ptrdiff_t wl = (ptrdiff_t)j * s->vocab * PANEL;
        /* logits [c, i] = sum_k W_L[c, k] post[i, k] */
        tile_panel(k->dwl + wl, PANEL, (tile_left){k->logits, TF_PAIRS, 1}, (tile_right){post, PANEL}, s->vocab,
                   TF_PAIRS, true);
        for (int i = 0; i < TF_PAIRS; i += PAIRS_HOT) {
            tile_panel(k->row + i * PANEL, PANEL, (tile_left){k->logits + i, 1, TF_PAIRS},
                       (tile_right){t->wl + wl, PANEL}, PAIRS_HOT, s->vocab, false);
            neurons_backward(m, k, k->row, j, i, i + PAIRS_HOT);
            add_base(k, k->row, j, i, i + PAIRS_HOT);
        }
        scatter(m, k, k->row, j);
    }
    for (int j = t->inner; j < t->panels; j++) {
        vec_transpose_all(k->row, PANEL, k->logits + (ptrdiff_t)(j - t->inner) * PANEL * TF_PAIRS, TF_PAIRS, PANEL,
                          TF_PAIRS);
        add_base(k, k->row, j, 0, TF_PAIRS);
        scatter(m, k, k->row, j);
    }
    attention_backward(m, k);
}
