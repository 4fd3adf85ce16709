/* transformer_logits.c: a tile's logits from its neurons, and their losses. Rows are pairs, as the neurons are, so that
 * nothing as wide as the neurons is ever transposed. */
#include "transformer_fast.h"

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

void tf_logits_forward(const gk_model *m, tf_pairs *k, const real *post, int j, int i)
{
    const tf_tables *t = &m->fast->t;
    const int vectors = round_up(m->s.vocab - t->single, VEC);
    for (int c = 0; c < vectors; c += PANEL)
        tile_columns(k->logits + (ptrdiff_t)i * t->line + c, t->line, (tile_left){post, PANEL, 1},
                     (tile_right){t->wl_t + ((ptrdiff_t)c * t->dmp + (ptrdiff_t)j * PANEL * PANEL), PANEL}, TF_STRIP,
                     PANEL, vectors - c < PANEL ? vectors - c : PANEL, true);
    single_forward(m, k, post, j, i);
}

double tf_logits_loss(const gk_model *m, tf_pairs *k, int n, double scale)
{
    const tf_tables *t = &m->fast->t;
    double loss = 0;
    for (int i = 0; i < TF_PAIRS; i += TF_COLUMNS) {
        real *rows = k->logits + (ptrdiff_t)i * t->line;
        vec_transpose_all(k->columns, TF_COLUMNS, rows, t->line, TF_COLUMNS, round_up(m->s.vocab, VEC));
        loss += net_loss_columns(&m->n, k->columns, TF_COLUMNS, k->label + i, n - i, TF_COLUMNS, scale);
        vec_transpose_all(rows, t->line, k->columns, TF_COLUMNS, round_up(m->s.vocab, VEC), TF_COLUMNS);
    }
    return loss;
}

void tf_logits_score(const gk_model *m, tf_pairs *k, int n)
{
    const tf_tables *t = &m->fast->t;
    for (int i = 0; i < n; i += TF_COLUMNS) {
        vec_transpose_all(k->columns, TF_COLUMNS, k->logits + (ptrdiff_t)i * t->line, t->line, TF_COLUMNS,
                          round_up(m->s.vocab, VEC));
        net_score_columns(&m->n, &k->score, k->columns, TF_COLUMNS, k->label + i,
                          n - i < TF_COLUMNS ? n - i : TF_COLUMNS);
    }
}
