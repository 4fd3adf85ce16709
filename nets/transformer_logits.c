/* transformer_logits.c: the losses and scores of a tile's logits. */
#include "transformer_fast.h"

double tf_logits_loss(const gk_model *m, tf_pairs *k, int n, double scale)
{
    const tf_tables *t = &m->fast->t;
    double loss = 0;
    for (int i = 0; i < k->rows; i += TF_COLUMNS) {
        real *rows = k->logits + (ptrdiff_t)i * t->line;
        vec_transpose_all(k->columns, TF_COLUMNS, rows, t->line, TF_COLUMNS, round_up(m->s.vocab, VEC));
        loss += net_loss_columns(&m->n, k->columns, TF_COLUMNS, k->label + i, n - i, TF_COLUMNS, scale);
        vec_transpose_all(rows, t->line, k->columns, TF_COLUMNS, round_up(m->s.vocab, VEC), TF_COLUMNS);
        tf_products_turn(m, k, i);
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
