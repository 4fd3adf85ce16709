/* transformer_pairs.c: one tile of pairs through the tables: attention weights, neurons, logits, and back. Neurons are
 * worked on by panels of PANEL columns, so that what is being used stays in the first-level cache. */
#include "transformer_fast.h"

void tf_pairs_take(tf_pairs *k, gk_pool *pool, const tf_sizes *s, tf_tables *t, net_activation activation)
{
    const size_t one = sizeof(real), heads = (size_t)s->heads, dmp = (size_t)t->dmp, p = (size_t)s->p;
    const size_t table = (size_t)t->ext * heads * (size_t)t->rows;
    k->a = gk_pool_take(pool, heads * 2 * TF_PAIRS, one);
    k->post = gk_pool_take(pool, dmp * TF_PAIRS, one);
    k->slope = gk_pool_take(pool, activation == NET_RELU ? 0 : dmp * TF_PAIRS, one);
    k->logits = gk_pool_take(pool, (size_t)t->line * TF_PAIRS, one);
    k->row = gk_pool_take(pool, TF_PAIRS * PANEL, one);
    k->columns = gk_pool_take(pool, (size_t)t->vp * TF_COLUMNS, one);
    k->dots = gk_pool_take(pool, (heads + 1) / 2 * 2 * TF_PAIRS * VEC, one);
    k->count = gk_pool_take(pool, p + 1, sizeof *k->count);
    k->dt = gk_pool_take(pool, table, one);
    k->dwl = gk_pool_take(pool, (size_t)t->lines * dmp, one);
    k->dbase = gk_pool_take(pool, (size_t)t->ext, one);
    k->ds0 = gk_pool_take(pool, heads * p, one);
    k->ds1 = gk_pool_take(pool, heads * p, one);
    k->ds_l = gk_pool_take(pool, heads, one);
    tf_products_take(t, k, pool, s);
}

void tf_pairs_clear(tf_pairs *k, const tf_sizes *s, const tf_tables *t)
{
    const size_t one = sizeof(real), heads = (size_t)s->heads, p = (size_t)s->p;
    memset(k->dwl, 0, (size_t)t->lines * (size_t)t->dmp * one);
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
        for (int i = 0; i < k->rows; i++) {
            a0[i] = t->s0[h * m->s.p + k->x[i]];
            a1[i] = t->s1[h * m->s.p + k->y[i]];
        }
        for (int i = 0; i < k->rows; i += VEC) {
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
        const real *dots = k->dots + (ptrdiff_t)(h / 2) * 2 * TF_PAIRS * VEC + h % 2 * (VEC / 2);
        for (ptrdiff_t i = 0; i < k->rows; i++) {
            const real *on_x = dots + i * VEC, *on_y = on_x + TF_PAIRS * VEC;
            real da0 = 0, da1 = 0;
            for (int c = 0; c < VEC / 2; c++) {
                da0 += on_x[c];
                da1 += on_y[c];
            }
            const real mean = a0[i] * da0 + a1[i] * da1;
            k->ds0[h * p + k->x[i]] += a0[i] * (da0 - mean);
            k->ds1[h * p + k->y[i]] += a1[i] * (da1 - mean);
            k->ds_l[h] -= (1 - a0[i] - a1[i]) * mean;
        }
    }
}

/* ---- tables ---- */

/* rows [pairs, PANEL] (row length ld) = base + sum_h a_0h t0_h(x) + a_1h t1_h(y) for pairs from..to-1 of panel j: its
 * share of `heads` heads from h on, a constant once inlined; the positive part of it when `relu`. Pairs with the same x
 * stand together: their row of t0 stays in registers. */
static inline __attribute__((always_inline)) void gather_heads(real *rows, ptrdiff_t ld, const gk_model *m,
                                                               const tf_pairs *k, int j, int from, int to, int h,
                                                               bool relu, const int heads)
{
    const ptrdiff_t head = (ptrdiff_t)m->fast->t.rows * PANEL, at = ((ptrdiff_t)j * m->s.heads + h) * head;
    const real *t1 = m->fast->t.table + at, *to_t0 = t1 + m->s.p * PANEL, *base = m->fast->t.base + j * PANEL;
    const real *a = k->a + (ptrdiff_t)h * 2 * TF_PAIRS;
    for (ptrdiff_t i = from; i < to;) {
        const ptrdiff_t x = k->x[i];
        vec of_x[4][TILE_VECS];
#pragma GCC unroll 4
        for (int g = 0; g < heads; g++)
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++)
                of_x[g][c] = vec_load(t1 + g * head + x * PANEL + c * VEC) + vec_load(to_t0 + g * head + c * VEC);
        do {
            const real *y = t1 + (ptrdiff_t)k->y[i] * PANEL;
            real *row = rows + (i - from) * ld;
            const real *start = h == 0 ? base : row;
            vec z[TILE_VECS];
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) z[c] = vec_load(start + c * VEC);
#pragma GCC unroll 4
            for (int g = 0; g < heads; g++) {
                const vec on_x = vec_of(a[g * 2 * TF_PAIRS + i]), on_y = vec_of(a[(g * 2 + 1) * TF_PAIRS + i]);
#pragma GCC unroll 4
                for (int c = 0; c < TILE_VECS; c++) {
                    z[c] += on_x * of_x[g][c];
                    z[c] += on_y * vec_load(y + g * head + c * VEC);
                }
            }
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) vec_store(row + c * VEC, relu ? vec_max(z[c], vec_of(0)) : z[c]);
        } while (++i < to && k->x[i] == x);
    }
}

static void gather(real *rows, ptrdiff_t ld, const gk_model *m, const tf_pairs *k, int j, int from, int to, bool relu)
{
    const int heads = m->s.heads;
    int h = 0;
    for (; h + 4 <= heads; h += 4) gather_heads(rows, ld, m, k, j, from, to, h, relu && h + 4 == heads, 4);
    for (; h < heads; h++) gather_heads(rows, ld, m, k, j, from, to, h, relu && h + 1 == heads, 1);
}

/* From the gradient drows (row length ld) of panel j, for `heads` heads from h on (1 or 2, a constant once inlined) and
 * one side of the pairs: dt += and dots +=; row p + 1 of dt takes the sum of all rows of the side of y.
 *     rows = base + sum_h a_0h t0_h(x) + a_1h t1_h(y)
 * In the order of the side's tokens: a row of the table and its sum stay in registers. */
static inline __attribute__((always_inline)) void scatter_heads(const gk_model *m, tf_pairs *k, const real *drows,
                                                                ptrdiff_t ld, int j, int h, bool of_y, const int heads)
{
    const ptrdiff_t head = (ptrdiff_t)m->fast->t.rows * PANEL, at = ((ptrdiff_t)j * m->s.heads + h) * head;
    const int32_t *tokens = of_y ? k->y : k->x;
    const real *a = k->a + (ptrdiff_t)(h * 2 + of_y) * TF_PAIRS, *t1 = m->fast->t.table + at;
    const real *to_t0 = t1 + m->s.p * PANEL;
    real *dt = k->dt + at, *all = dt + (m->s.p + 1) * PANEL, *dots = k->dots + (ptrdiff_t)(h / 2 * 2 + of_y) * TF_PAIRS * VEC;
    for (int at_pair = 0; at_pair < k->rows;) {
        ptrdiff_t i = of_y ? k->by_y[at_pair] : at_pair;
        const ptrdiff_t token = tokens[i];
        vec row[2][TILE_VECS], sum[2][TILE_VECS];
#pragma GCC unroll 2
        for (int g = 0; g < heads; g++)
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) {
                row[g][c] = vec_load(t1 + g * head + token * PANEL + c * VEC);
                if (!of_y) row[g][c] += vec_load(to_t0 + g * head + c * VEC);
                sum[g][c] = vec_of(0);
            }
        do {
            const real *d = drows + i * ld;
            vec dot[2] = {vec_of(0), vec_of(0)};
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) {
                const vec part = vec_load(d + c * VEC);
#pragma GCC unroll 2
                for (int g = 0; g < heads; g++) {
                    sum[g][c] += vec_of(a[g * 2 * TF_PAIRS + i]) * part;
                    dot[g] += row[g][c] * part;
                }
            }
            vec_store(dots + i * VEC, vec_load(dots + i * VEC) + vec_fold(dot[0], dot[1]));
            if (++at_pair == k->rows) break;
            i = of_y ? k->by_y[at_pair] : at_pair;
        } while (tokens[i] == token);
#pragma GCC unroll 2
        for (int g = 0; g < heads; g++)
#pragma GCC unroll 4
            for (int c = 0; c < TILE_VECS; c++) {
                real *to = dt + g * head + token * PANEL + c * VEC, *to_all = all + g * head + c * VEC;
                vec_store(to, vec_load(to) + sum[g][c]);
                if (of_y) vec_store(to_all, vec_load(to_all) + sum[g][c]);
            }
    }
}

static void scatter(const gk_model *m, tf_pairs *k, const real *drows, ptrdiff_t ld, int j)
{
    for (int h = 0; h < m->s.heads; h += 2)
        if (h + 2 <= m->s.heads) {
            scatter_heads(m, k, drows, ld, j, h, false, 2);
            scatter_heads(m, k, drows, ld, j, h, true, 2);
        } else {
            scatter_heads(m, k, drows, ld, j, h, false, 1);
            scatter_heads(m, k, drows, ld, j, h, true, 1);
        }
}

/* dbase += the sum of drows (row length ld) over the pairs, panel j */
static void add_base(tf_pairs *k, const real *drows, ptrdiff_t ld, int j)
{
    real *base = k->dbase + (ptrdiff_t)j * PANEL;
    vec sum[TILE_VECS];
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) sum[c] = vec_load(base + c * VEC);
    for (int i = 0; i < k->rows; i++)
#pragma GCC unroll 4
        for (int c = 0; c < TILE_VECS; c++) sum[c] += vec_load(drows + i * ld + c * VEC);
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) vec_store(base + c * VEC, sum[c]);
}

/* ---- neurons ---- */

/* The neurons of panel j for the strip of pairs from `i` on: post = s(z), kept for the way back with s'(z) for
 * activations whose post does not tell it, or in k->row. */
static const real *neurons_forward(const gk_model *m, tf_pairs *k, int j, int i, bool keep)
{
    const ptrdiff_t at = ((ptrdiff_t)j * TF_PAIRS + i) * PANEL;
    const size_t count = (size_t)TF_STRIP * PANEL;
    real *post = keep ? k->post + at : k->row;
    gather(post, PANEL, m, k, j, i, i + TF_STRIP, m->n.activation == NET_RELU);
    if (m->n.activation == NET_RELU) return post;
    memcpy(k->row, post, count * sizeof(real));
    if (keep) net_activation_slope(k->slope + at, k->row, count, m->n.activation);
    net_activate(post, k->row, count, m->n.activation);
    return post;
}

/* dz over dpost for the strip of pairs from `i` on of panel j, and dbase += its sum: post = s(z). `relu` is a constant once
 * inlined. */
static inline __attribute__((always_inline)) void strip_backward(tf_pairs *k, real *dz, int j, int i, const bool relu)
{
    const ptrdiff_t at = ((ptrdiff_t)j * TF_PAIRS + i) * PANEL;
    const real *post = k->post + at, *slope = k->slope + at;
    real *base = k->dbase + (ptrdiff_t)j * PANEL;
    vec sum[TILE_VECS];
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) sum[c] = vec_load(base + c * VEC);
    for (int q = 0; q < TF_STRIP * PANEL; q += PANEL)
#pragma GCC unroll 4
        for (int c = 0; c < TILE_VECS; c++) {
            const vec d = vec_load(dz + q + c * VEC);
            const vec all = relu ? vec_select(vec_load(post + q + c * VEC) > vec_of(0), d, vec_of(0))
                                 : d * vec_load(slope + q + c * VEC);
            vec_store(dz + q + c * VEC, all);
            sum[c] += all;
        }
#pragma GCC unroll 4
    for (int c = 0; c < TILE_VECS; c++) vec_store(base + c * VEC, sum[c]);
}

static void neurons_backward(const gk_model *m, tf_pairs *k, real *dz, int j, int i)
{
    if (m->n.activation == NET_RELU)
        strip_backward(k, dz, j, i, true);
    else
        strip_backward(k, dz, j, i, false);
}

/* k->by_y */
static void sort_by_y(tf_pairs *k, int p)
{
    memset(k->count, 0, (size_t)(p + 1) * sizeof *k->count);
    for (int i = 0; i < k->rows; i++) k->count[k->y[i] + 1]++;
    for (int y = 0; y < p; y++) k->count[y + 1] += k->count[y];
    for (int i = 0; i < k->rows; i++) k->by_y[k->count[k->y[i]]++] = i;
}

void tf_pairs_forward(const gk_model *m, tf_pairs *k, const int32_t *cells, int n, bool keep)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    k->rows = round_up(n, TF_ROWS);
    for (int i = 0; i < k->rows; i++) { /* the last pair fills the rows up; its copies get no gradient */
        const int32_t cell = cells[i < n ? i : n - 1];
        k->x[i] = cell / s->p;
        k->y[i] = cell % s->p;
        k->label[i] = m->n.split->task.labels[cell];
    }
    if (keep) sort_by_y(k, s->p);
    attention_forward(m, k);
    for (int j = t->inner; j < t->panels; j++) /* the direct path */
        gather(k->logits + (ptrdiff_t)(j - t->inner) * PANEL, t->line, m, k, j, 0, k->rows, false);
    for (int j = 0; j < t->inner; j++)
        for (int i = 0; i < k->rows; i += TF_STRIP) tf_products_logits(m, k, neurons_forward(m, k, j, i, keep), j, i);
}

void tf_pairs_backward(const gk_model *m, tf_pairs *k)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    memset(k->dots, 0, (size_t)((s->heads + 1) / 2 * 2) * TF_PAIRS * VEC * sizeof(real));
    for (int j = t->inner; j < t->panels; j++) {
        const real *dlogits = k->logits + (ptrdiff_t)(j - t->inner) * PANEL;
        add_base(k, dlogits, t->line, j);
        scatter(m, k, dlogits, t->line, j);
    }
    for (int j = t->inner - 1; j >= 0; j--) { /* backwards: the last panel is the one that the cache still has */
        tf_products_dwl(m, k, j);
        for (int i = 0; i < k->rows; i += TF_STRIP) {
            tf_products_dpost(m, k, k->row + i * PANEL, j, i);
            neurons_backward(m, k, k->row + i * PANEL, j, i);
        }
        scatter(m, k, k->row, PANEL, j);
    }
    attention_backward(m, k);
}
