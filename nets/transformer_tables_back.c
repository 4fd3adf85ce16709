/* transformer_tables_back.c: from the tables' gradients back to those of the weights. Each step quotes the line of
 * transformer_tables.c that it differentiates. */
#include "transformer_fast.h"

/* Joins the threads' sums of panel j, in their order: dt gets the table's rows and dbase the base row. */
static void join(const gk_model *m, int threads, int j)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const tf_pairs *k = m->fast->pairs;
    const ptrdiff_t p = s->p;
    for (int c = j * PANEL; c < (j + 1) * PANEL; c += VEC) {
        vec sum = vec_load(k[0].dbase + c);
        for (int i = 1; i < threads; i++) sum += vec_load(k[i].dbase + c);
        vec_store(t->dbase + c, sum);
    }
    for (int h = 0; h < s->heads; h++) {
        const ptrdiff_t at = ((ptrdiff_t)j * s->heads + h) * t->rows * PANEL;
        real *dt = t->dt + at;
        for (ptrdiff_t c = 0; c < (p + 2) * PANEL; c += VEC) {
            vec sum = vec_of(0);
            for (int i = 0; i < threads; i++) {
                sum += vec_load(k[i].dt + at + c);
                vec_store(k[i].dt + at + c, vec_of(0)); /* for the next step, while it is here */
            }
            vec_store(dt + c, sum);
        }
        for (int c = 0; c < PANEL; c += VEC) {
            vec of_x = vec_of(0); /* the sum of all rows but y's */
            for (ptrdiff_t a = 0; a < p; a++) of_x += vec_load(dt + a * PANEL + c);
            vec_store(dt + p * PANEL + c, of_x - vec_load(dt + (p + 1) * PANEL + c));
            vec_store(dt + (p + 2) * PANEL + c, vec_load(t->dbase + j * PANEL + c)); /* base += row p + 2 */
        }
    }
    for (int i = 1; j < t->inner && i < threads; i++) {
        real *to = k[0].dwl + (ptrdiff_t)j * t->lines * PANEL;
        const real *from = k[i].dwl + (ptrdiff_t)j * t->lines * PANEL;
        for (ptrdiff_t c = 0; c < (ptrdiff_t)s->vocab * PANEL; c += VEC)
            vec_store(to + c, vec_load(to + c) + vec_load(from + c));
    }
}

static void join_scores(const gk_model *m, int threads)
{
    const tf_sizes *s = &m->s;
    const tf_pairs *k = m->fast->pairs;
    for (int i = 1; i < threads; i++) {
        for (int a = 0; a < s->heads * s->p; a++) {
            k[0].ds0[a] += k[i].ds0[a];
            k[0].ds1[a] += k[i].ds1[a];
        }
        for (int h = 0; h < s->heads; h++) k[0].ds_l[h] += k[i].ds_l[h];
    }
}

/* Panel j of the gradients of W_O F and F, and the rows of W_out that belong to its neurons. */
static void products_backward(const gk_model *m, const tf_weights *dw, int j)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t at = (ptrdiff_t)j * PANEL;
    for (int h = 0; h < s->heads; h++) /* t_h = v_h wof_h */
        tile_panel(t->dwof + (ptrdiff_t)h * s->dh * t->ext + at, t->ext, (tile_left){t->v + h * s->dh, 1, t->dp},
                   (tile_right){t->dt + ((ptrdiff_t)j * s->heads + h) * t->rows * PANEL, PANEL}, s->dh, t->rows, false);
    /* wof = W_O F, base = x_l F (+ b_out F for the logits) */
    tile_panel(t->df + at, t->ext, (tile_left){m->w.w_o, 1, s->d}, (tile_right){t->dwof + at, t->ext}, s->d, s->d,
               false);
    for (int i = 0; i < s->d; i++) {
        const real x = j < t->inner ? t->x_l[i] : t->x_l[i] + m->w.b_out[i];
        real *row = t->df + (ptrdiff_t)i * t->ext + at;
        for (int c = 0; c < PANEL; c += VEC) vec_store(row + c, vec_load(row + c) + x * vec_load(t->dbase + at + c));
    }
    if (j >= t->inner) return;
    const int columns = s->dm - (int)at < PANEL ? s->dm - (int)at : PANEL;
    for (int i = 0; i < s->d; i++) /* F = [W_in | W_U] */
        memcpy(dw->w_in + (ptrdiff_t)i * s->dm + at, t->df + (ptrdiff_t)i * t->ext + at,
               (size_t)columns * sizeof(real));
    for (int c = 0; c < columns; c++) dw->b_in[at + c] = t->dbase[at + c]; /* base += b_in */
    /* W_L [c, k] = sum_i W_U[i, c] W_out[k, i] */
    tile_panels(t->dw_out + at * t->dp, t->dp, (tile_left){m->fast->pairs[0].dwl + at * t->lines, 1, PANEL},
                (tile_right){t->f_t + (ptrdiff_t)t->dmp * t->dp, t->dp}, columns, s->vocab, 0, t->dp / PANEL, false);
    for (int k = 0; k < columns; k++)
        memcpy(dw->w_out + (at + k) * s->d, t->dw_out + (at + k) * t->dp, (size_t)s->d * sizeof(real));
}

/* Rows from..to-1 of the gradient of W_O. */
static void output_backward(const gk_model *m, const tf_weights *dw, int from, int to)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    /* wof = W_O F */
    tile_panels(t->dw_o + (ptrdiff_t)from * t->dp, t->dp, (tile_left){t->dwof + (ptrdiff_t)from * t->ext, t->ext, 1},
                (tile_right){t->f_t, t->dp}, to - from, t->ext, 0, t->dp / PANEL, false);
    for (int i = from; i < to; i++)
        memcpy(dw->w_o + (ptrdiff_t)i * s->d, t->dw_o + (ptrdiff_t)i * t->dp, (size_t)s->d * sizeof(real));
}

/* Rows from..to-1 of the gradient of W_U^T through W_L. */
static void unembed_backward(const gk_model *m, int from, int to)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    for (int j = 0; j < t->inner; j++) { /* W_L [c, k] = sum_i W_U[i, c] W_out[k, i] */
        const real *dwl = m->fast->pairs[0].dwl + ((ptrdiff_t)j * t->lines + from) * PANEL;
        const int k = s->dm - j * PANEL < PANEL ? s->dm - j * PANEL : PANEL;
        tile_panels(t->dw_u_t + (ptrdiff_t)from * t->dp, t->dp, (tile_left){dwl, PANEL, 1},
                    (tile_right){t->w_out + (ptrdiff_t)j * PANEL * t->dp, t->dp}, to - from, k, 0, t->dp / PANEL,
                    j > 0);
    }
}

/* Rows from..to-1 of the gradient of v, and of ein through it. */
static void values_backward(const gk_model *m, int from, int to)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t ld = (ptrdiff_t)s->heads * t->dhp;
    for (int h = 0; h < s->heads; h++) {
        real *dv = t->dv_head + from * ld + h * t->dhp;
        for (int j = 0; j < t->panels; j++) { /* t_h = v_h wof_h */
            const real *dt = t->dt + (((ptrdiff_t)j * s->heads + h) * t->rows + from) * PANEL;
            tile_columns(dv, ld, (tile_left){dt, PANEL, 1}, (tile_right){t->wof_t + j * PANEL * ld + h * t->dhp, ld},
                         to - from, PANEL, t->dhp, j > 0);
        }
        for (int a = from; a < to; a++)
            memcpy(t->dv + (ptrdiff_t)a * t->dp + h * s->dh, t->dv_head + a * ld + h * t->dhp,
                   (size_t)s->dh * sizeof(real));
    }
    /* v = ein w_v */
    tile_panels(t->dein + (ptrdiff_t)from * t->dp, t->dp, (tile_left){t->dv + (ptrdiff_t)from * t->dp, t->dp, 1},
                (tile_right){t->w_v_t, t->dp}, to - from, s->d, 0, t->dp / PANEL, false);
}

/* Rows from..to-1 of the gradients of W_V and W_U. */
static void rows_backward(const gk_model *m, const tf_weights *dw, int from, int to)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    /* v = ein w_v */
    tile_panels(t->dw_v + (ptrdiff_t)from * t->dp, t->dp, (tile_left){t->ein + from, 1, s->d},
                (tile_right){t->dv, t->dp}, to - from, t->rows, 0, t->dp / PANEL, false);
    for (int i = from; i < to; i++) {
        for (int h = 0; h < s->heads; h++)
            memcpy(dw->w_v + ((ptrdiff_t)h * s->d + i) * s->dh, t->dw_v + (ptrdiff_t)i * t->dp + h * s->dh,
                   (size_t)s->dh * sizeof(real));
        for (int c = 0; c < s->vocab; c++) /* F = [W_in | W_U], and W_L */
            dw->w_u[(ptrdiff_t)i * s->vocab + c] =
                t->df[(ptrdiff_t)i * t->ext + t->dmp + c] + t->dw_u_t[(ptrdiff_t)c * t->dp + i];
    }
}

static void add_scaled(real *to, real c, const real *a, ptrdiff_t n)
{
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++) to[i] += c * a[i];
}

static real dot(const real *a, const real *b, ptrdiff_t n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (ptrdiff_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Tokens from..to-1: W_E by the values and by the scores, s_j = u (W_E + W_pos[j]). */
static void tokens_backward(const gk_model *m, const tf_weights *dw, int from, int to)
{
    const tf_tables *t = &m->fast->t;
    const tf_pairs *k = &m->fast->pairs[0];
    const ptrdiff_t d = m->s.d, p = m->s.p;
    for (int a = from; a < to; a++) {
        real *row = dw->w_e + a * d;
        memcpy(row, t->dein + (ptrdiff_t)a * t->dp, (size_t)d * sizeof(real));
        for (int h = 0; h < m->s.heads; h++) add_scaled(row, k->ds0[h * p + a] + k->ds1[h * p + a], t->u + h * d, d);
    }
}

/* x_l and W_pos by everything but the scores. */
static void positions_backward(const gk_model *m, const tf_weights *dw)
{
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t d = m->s.d, p = m->s.p;
    const real *pos = t->dein + p * t->dp;
    real *dx_l = dw->w_e + p * d;       /* x_l = W_E[p] + W_pos[2] */
    for (ptrdiff_t i = 0; i < d; i++) { /* ein: W_pos[0] - x_l, W_pos[1] - x_l, x_l; base = x_l F + b_out W_U */
        const real *f = t->f + i * t->ext;
        dw->w_pos[i] = pos[i];
        dw->w_pos[d + i] = pos[t->dp + i];
        dw->b_out[i] = dot(f + t->dmp, t->dbase + t->dmp, t->vp);
        dx_l[i] = pos[2 * t->dp + i] - pos[i] - pos[t->dp + i] + dot(f, t->dbase, t->dmp) + dw->b_out[i];
    }
}

/* Head h: W_Q, W_K, and what W_pos and x_l get through the scores. du, dq [d], [dh] are work space. */
static void head_backward(const gk_model *m, const tf_weights *dw, int h, real *du, real *dq)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const tf_pairs *k = &m->fast->pairs[0];
    const real scale = 1 / real_sqrt((real)s->dh);
    const ptrdiff_t d = s->d, p = s->p, dh = s->dh, at = h * d * dh;
    const real *ds0 = k->ds0 + h * p, *ds1 = k->ds1 + h * p, *u = t->u + h * d, *q = t->q + h * dh;
    real *dx_l = dw->w_e + p * d;
    real sum0 = 0, sum1 = 0;
    memset(du, 0, (size_t)d * sizeof(real));
    memset(dq, 0, (size_t)dh * sizeof(real));
    for (ptrdiff_t a = 0; a < p; a++) { /* s_j = u (W_E + W_pos[j]) */
        sum0 += ds0[a];
        sum1 += ds1[a];
        add_scaled(du, ds0[a] + ds1[a], m->w.w_e + a * d, d);
    }
    add_scaled(du, sum0, m->w.w_pos, d);
    add_scaled(du, sum1, m->w.w_pos + d, d);
    add_scaled(du, k->ds_l[h], t->x_l, d); /* s_l = u x_l */
    add_scaled(dw->w_pos, sum0, u, d);
    add_scaled(dw->w_pos + d, sum1, u, d);
    add_scaled(dx_l, k->ds_l[h], u, d);
    for (ptrdiff_t i = 0; i < d; i++) { /* u = W_K q / sqrt(dh) */
        memset(dw->w_k + at + i * dh, 0, (size_t)dh * sizeof(real));
        add_scaled(dw->w_k + at + i * dh, scale * du[i], q, dh);
        add_scaled(dq, scale * du[i], m->w.w_k + at + i * dh, dh);
    }
    for (ptrdiff_t i = 0; i < d; i++) { /* q = x_l W_Q */
        memset(dw->w_q + at + i * dh, 0, (size_t)dh * sizeof(real));
        add_scaled(dw->w_q + at + i * dh, t->x_l[i], dq, dh);
        dx_l[i] += dot(dq, m->w.w_q + at + i * dh, dh);
    }
}

static void last_backward(const gk_model *m, const tf_weights *dw)
{
    const ptrdiff_t d = m->s.d;
    positions_backward(m, dw);
    for (int h = 0; h < m->s.heads; h++) head_backward(m, dw, h, m->fast->t.du, m->fast->t.dq);
    memcpy(dw->w_pos + 2 * d, dw->w_e + m->s.p * d, (size_t)d * sizeof(real));
}

void tf_tables_backward(const gk_model *m, int thread, int threads)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const tf_weights *dw = &m->work[0].dw;
    int from, to;
    net_share(t->panels, thread, threads, &from, &to);
    for (int j = from; j < to; j++) {
        join(m, threads, j);
        products_backward(m, dw, j);
    }
    if (thread == threads - 1) join_scores(m, threads);
#pragma omp barrier
    net_share(s->d, thread, threads, &from, &to);
    output_backward(m, dw, from, to);
    net_share(s->vocab, thread, threads, &from, &to);
    unembed_backward(m, from, to);
    net_share(t->rows, thread, threads, &from, &to);
    values_backward(m, from, to);
#pragma omp barrier
    net_share(s->d, thread, threads, &from, &to);
    rows_backward(m, dw, from, to);
    net_share(s->p, thread, threads, &from, &to);
    tokens_backward(m, dw, from, to);
    if (thread == threads - 1) last_backward(m, dw);
}
