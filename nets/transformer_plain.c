/* transformer_plain.c: a block of pairs layer by layer: the reference for the fast form, and what small batches use. */
#include "transformer.h"

#include <string.h>

void tf_block_take(tf_block *b, gk_pool *pool, const tf_sizes *s)
{
    const size_t d = (size_t)s->d, rows = TF_BLOCK;
    b->x = gk_pool_take(pool, rows * 2 * d, sizeof(real));
    b->k = gk_pool_take(pool, rows * 2 * d, sizeof(real));
    b->v = gk_pool_take(pool, rows * 2 * d, sizeof(real));
    b->x_l = gk_pool_take(pool, d, sizeof(real));
    b->q_l = gk_pool_take(pool, d, sizeof(real));
    b->k_l = gk_pool_take(pool, d, sizeof(real));
    b->v_l = gk_pool_take(pool, d, sizeof(real));
    b->a = gk_pool_take(pool, rows * 3 * (size_t)s->heads, sizeof(real));
    b->o = gk_pool_take(pool, rows * d, sizeof(real));
    b->mid = gk_pool_take(pool, rows * d, sizeof(real));
    b->z = gk_pool_take(pool, rows * (size_t)s->dm, sizeof(real));
    b->post = gk_pool_take(pool, rows * (size_t)s->dm, sizeof(real));
    b->end = gk_pool_take(pool, rows * d, sizeof(real));
    b->logits = gk_pool_take(pool, rows * (size_t)s->vocab, sizeof(real));
}

void tf_plain_attention(const gk_model *m, tf_block *f, const int32_t *cells, int n)
{
    const tf_sizes *s = &m->s;
    const tf_weights *w = &m->w;
    tf_embed_forward(f->x, f->x_l, cells, w, n, s);
    tf_project_forward(f->q_l, f->x_l, w->w_q, 1, s);
    tf_project_forward(f->k_l, f->x_l, w->w_k, 1, s);
    tf_project_forward(f->v_l, f->x_l, w->w_v, 1, s);
    tf_project_forward(f->k, f->x, w->w_k, 2 * n, s);
    tf_project_forward(f->v, f->x, w->w_v, 2 * n, s);
    tf_attend_forward(f, n, s);
}

void tf_plain_neurons(const gk_model *m, tf_block *f, int n)
{
    const tf_sizes *s = &m->s;
    tf_linear_forward(f->mid, f->o, m->w.w_o, NULL, n, s->d, s->d);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < s->d; j++) f->mid[(ptrdiff_t)i * s->d + j] += f->x_l[j];
    tf_linear_forward(f->z, f->mid, m->w.w_in, m->w.b_in, n, s->d, s->dm);
    net_activate(f->post, f->z, (size_t)n * (size_t)s->dm, m->n.activation);
}

void tf_plain_readout(const gk_model *m, tf_block *f, int n)
{
    const tf_sizes *s = &m->s;
    tf_linear_forward(f->end, f->post, m->w.w_out, m->w.b_out, n, s->dm, s->d);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n * s->d; i++) f->end[i] += f->mid[i];
    tf_linear_forward(f->logits, f->end, m->w.w_u, NULL, n, s->d, s->vocab);
}

void tf_plain_backward(const gk_model *m, tf_work *k, const int32_t *cells, int n)
{
    const tf_sizes *s = &m->s;
    const tf_weights *w = &m->w;
    const tf_block *f = &k->f;
    tf_block *g = &k->g;
    tf_weights *dw = &k->dw;
    const ptrdiff_t d = s->d;
    /* logits = end W_U */
    tf_linear_backward(g->end, dw->w_u, NULL, g->logits, f->end, w->w_u, n, s->d, s->vocab);
    /* end = mid + post W_out + b_out */
    tf_linear_backward(g->post, dw->w_out, dw->b_out, g->end, f->post, w->w_out, n, s->dm, s->d);
    /* post = s(z) */
    net_activate_backward(g->z, g->post, f->z, (size_t)n * (size_t)s->dm, m->n.activation);
    /* z = mid W_in + b_in */
    tf_linear_backward(g->mid, dw->w_in, dw->b_in, g->z, f->mid, w->w_in, n, s->d, s->dm);
    for (ptrdiff_t i = 0; i < n * d; i++) g->mid[i] += g->end[i];
    /* mid = x_l + o W_O */
    memset(g->x_l, 0, (size_t)d * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < d; j++) g->x_l[j] += g->mid[i * d + j];
    tf_linear_backward(g->o, dw->w_o, NULL, g->mid, f->o, w->w_o, n, s->d, s->d);
    /* o = attention of q_l over k, v */
    tf_attend_backward(g, f, n, s);
    /* k = x W_K, v = x W_V; and the last position's q, k, v */
    memset(g->x, 0, (size_t)(2 * n * d) * sizeof(real));
    tf_project_backward(g->x, dw->w_k, g->k, f->x, w->w_k, 2 * n, s);
    tf_project_backward(g->x, dw->w_v, g->v, f->x, w->w_v, 2 * n, s);
    tf_project_backward(g->x_l, dw->w_q, g->q_l, f->x_l, w->w_q, 1, s);
    tf_project_backward(g->x_l, dw->w_k, g->k_l, f->x_l, w->w_k, 1, s);
    tf_project_backward(g->x_l, dw->w_v, g->v_l, f->x_l, w->w_v, 1, s);
    tf_embed_backward(dw, g->x, g->x_l, cells, n, s);
}
