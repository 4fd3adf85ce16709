/* transformer_products.c: the three products of (pairs x neurons x logits) by register tiles. Rows are pairs, as the
 * neurons are, so that nothing as wide as the neurons is ever transposed. Where there is AMX, transformer_amx.c does
 * them. */
#include "transformer_fast.h"

#ifndef GK_ISA_amx

void tf_products_take(tf_tables *t, tf_pairs *k, gk_pool *pool, const tf_sizes *s)
{
    t->single = s->vocab % VEC <= TF_SINGLE ? s->vocab % VEC : 0;
    t->lines = s->vocab;
    if (k) k->single = gk_pool_take(pool, (size_t)t->single * TF_PAIRS * VEC, sizeof(real));
}

void tf_products_begin(void)
{
}

void tf_products_end(void)
{
}

void tf_products_keep(const gk_model *m, int j, bool keep)
{
    (void)m;
    (void)j;
    (void)keep;
}

void tf_products_turn(const gk_model *m, tf_pairs *k, int i)
{
    (void)m;
    (void)k;
    (void)i;
}

/* The last t->single logits: their sums by lanes += post W_L. Padding of W_L's rows is 0. */
static void single_forward(const gk_model *m, tf_pairs *k, const real *post, int j, int i)
{
    const tf_tables *t = &m->fast->t;
    const real *wl = t->wl + ((ptrdiff_t)(j + 1) * m->s.vocab - t->single) * PANEL;
    for (int c = 0; c < t->single; c++, wl += PANEL) {
        real *sum = k->single + ((ptrdiff_t)c * TF_PAIRS + i) * VEC;
        vec row[TILE_VECS];
#pragma GCC unroll 4
        for (int q = 0; q < TILE_VECS; q++) row[q] = vec_load(wl + q * VEC);
        for (ptrdiff_t at = 0; at < TF_STRIP; at++) {
            vec all = j == 0 ? vec_of(0) : vec_load(sum + at * VEC);
#pragma GCC unroll 4
            for (int q = 0; q < TILE_VECS; q++) all += row[q] * vec_load(post + at * PANEL + q * VEC);
            vec_store(sum + at * VEC, all);
        }
    }
    if (j < t->inner - 1) return;
    for (int c = 0; c < t->single; c++) {
        const real *sum = k->single + ((ptrdiff_t)c * TF_PAIRS + i) * VEC;
        real *logit = k->logits + (ptrdiff_t)i * t->line + m->s.vocab - t->single + c;
        for (ptrdiff_t at = 0; at < TF_STRIP; at++) {
            real all = 0;
            for (int q = 0; q < VEC; q++) all += sum[at * VEC + q];
            logit[at * t->line] += all;
        }
    }
}

void tf_products_logits(const gk_model *m, tf_pairs *k, const real *post, int j, int i)
{
    const tf_tables *t = &m->fast->t;
    const int vectors = round_up(m->s.vocab - t->single, VEC);
    for (int c = 0; c < vectors; c += PANEL)
        tile_columns(k->logits + (ptrdiff_t)i * t->line + c, t->line, (tile_left){post, PANEL, 1},
                     (tile_right){t->wl_t + ((ptrdiff_t)c * t->dmp + (ptrdiff_t)j * PANEL * PANEL), PANEL}, TF_STRIP,
                     PANEL, vectors - c < PANEL ? vectors - c : PANEL, true);
    single_forward(m, k, post, j, i);
}

void tf_products_dwl(const gk_model *m, tf_pairs *k, int j)
{
    const tf_tables *t = &m->fast->t;
    /* logits [i, c] = sum_k post[i, k] W_L[c, k] */
    tile_panel(k->dwl + (ptrdiff_t)j * t->lines * PANEL, PANEL, (tile_left){k->logits, 1, t->line},
               (tile_right){k->post + (ptrdiff_t)j * TF_PAIRS * PANEL, PANEL}, m->s.vocab, k->rows, true);
}

void tf_products_dpost(const gk_model *m, tf_pairs *k, real *dpost, int j, int i)
{
    const tf_tables *t = &m->fast->t;
    tile_panel(dpost, PANEL, (tile_left){k->logits + (ptrdiff_t)i * t->line, t->line, 1},
               (tile_right){t->wl + (ptrdiff_t)j * m->s.vocab * PANEL, PANEL}, TF_STRIP, m->s.vocab, false);
}

#endif
