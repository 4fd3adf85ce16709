/* transformer_tables.c: from the weights to the tables that serve every pair. Work is shared among the threads by
 * panels of columns or by rows; each barrier stands before what needs another thread's part. */
#include "transformer_fast.h"

void tf_tables_take(tf_tables *t, gk_pool *pool, const tf_sizes *s)
{
    t->dp = round_up(s->d, PANEL);
    t->dmp = round_up(s->dm, PANEL);
    t->vp = round_up(s->vocab, PANEL);
    t->dhp = round_up(s->dh, VEC);
    t->ext = t->dmp + t->vp;
    t->rows = s->p + 3;
    t->inner = t->dmp / PANEL;
    t->panels = t->ext / PANEL;
    t->line = t->vp + VEC;
    const size_t d = (size_t)s->d, dp = (size_t)t->dp, dmp = (size_t)t->dmp, ext = (size_t)t->ext, one = sizeof(real);
    const size_t rows = (size_t)t->rows, heads = (size_t)s->heads, vocab = (size_t)s->vocab, p = (size_t)s->p;
    const size_t table = ext * heads * rows, by_head = heads * (size_t)t->dhp;
    t->x_l = gk_pool_take(pool, d, one);
    t->q = gk_pool_take(pool, d, one);
    t->u = gk_pool_take(pool, heads * d, one);
    t->ein = gk_pool_take(pool, rows * d, one);
    t->w_v = gk_pool_take(pool, dp * dp, one);
    t->f = gk_pool_take(pool, dp * ext, one);
    t->v = gk_pool_take(pool, rows * dp, one);
    t->wof = gk_pool_take(pool, dp * ext, one);
    t->w_out_t = gk_pool_take(pool, dp * dmp, one);
    t->wl = gk_pool_take(pool, vocab * dmp, one);
    t->wl_t = gk_pool_take(pool, dmp * (size_t)t->vp, one);
    t->table = gk_pool_take(pool, table, one);
    t->base = gk_pool_take(pool, ext, one);
    t->s0 = gk_pool_take(pool, heads * p, one);
    t->s1 = gk_pool_take(pool, heads * p, one);
    t->s_l = gk_pool_take(pool, heads, one);
    t->f_t = gk_pool_take(pool, ext * dp, one);
    t->wof_t = gk_pool_take(pool, ext * by_head, one);
    t->w_v_t = gk_pool_take(pool, dp * dp, one);
    t->w_out = gk_pool_take(pool, dmp * dp, one);
    t->dt = gk_pool_take(pool, table, one);
    t->dbase = gk_pool_take(pool, ext, one);
    t->dwof = gk_pool_take(pool, dp * ext, one);
    t->df = gk_pool_take(pool, dp * ext, one);
    t->dv = gk_pool_take(pool, rows * dp, one);
    t->dein = gk_pool_take(pool, rows * dp, one);
    t->du = gk_pool_take(pool, d, one);
    t->dq = gk_pool_take(pool, (size_t)s->dh, one);
    t->dv_head = gk_pool_take(pool, rows * by_head, one);
    t->dw_o = gk_pool_take(pool, dp * dp, one);
    t->dw_v = gk_pool_take(pool, dp * dp, one);
    t->dw_out = gk_pool_take(pool, dmp * dp, one);
    t->dw_u_t = gk_pool_take(pool, vocab * dp, one);
    tf_products_take(t, NULL, pool, s);
}

/* x_l, and the query side of the scores: q = x_l W_Q, u_h = W_K[h] q_h / sqrt(dh). */
static void last_position(const gk_model *m)
{
    const tf_sizes *s = &m->s;
    const tf_weights *w = &m->w;
    const tf_tables *t = &m->fast->t;
    const real scale = 1 / real_sqrt((real)s->dh);
    for (int i = 0; i < s->d; i++) t->x_l[i] = w->w_e[(ptrdiff_t)s->p * s->d + i] + w->w_pos[2 * s->d + i];
    memset(t->q, 0, (size_t)s->d * sizeof(real));
    for (int h = 0; h < s->heads; h++) {
        real *q = t->q + h * s->dh, *u = t->u + (ptrdiff_t)h * s->d;
        const real *w_q = w->w_q + (ptrdiff_t)h * s->d * s->dh, *w_k = w->w_k + (ptrdiff_t)h * s->d * s->dh;
        for (int i = 0; i < s->d; i++)
            for (int j = 0; j < s->dh; j++) q[j] += t->x_l[i] * w_q[(ptrdiff_t)i * s->dh + j];
        for (int i = 0; i < s->d; i++) {
            real sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int j = 0; j < s->dh; j++) sum += w_k[(ptrdiff_t)i * s->dh + j] * q[j];
            u[i] = scale * sum;
        }
    }
}

static real dot(const real *a, const real *b, int n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* ein rows and scores of the tokens from..to-1 */
static void tokens(const gk_model *m, int from, int to)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    memcpy(t->ein + (ptrdiff_t)from * s->d, m->w.w_e + (ptrdiff_t)from * s->d,
           (size_t)(to - from) * (size_t)s->d * sizeof(real));
    for (int h = 0; h < s->heads; h++) {
        const real *u = t->u + (ptrdiff_t)h * s->d;
        const real p0 = dot(u, m->w.w_pos, s->d), p1 = dot(u, m->w.w_pos + s->d, s->d);
        for (int a = from; a < to; a++) {
            const real score = dot(u, m->w.w_e + (ptrdiff_t)a * s->d, s->d);
            t->s0[h * s->p + a] = score + p0;
            t->s1[h * s->p + a] = score + p1;
        }
    }
}

/* The rows of ein after the tokens', and the score of '='. */
static void positions(const gk_model *m)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    real *e = t->ein + (ptrdiff_t)s->p * s->d;
    for (int i = 0; i < s->d; i++) {
        e[i] = m->w.w_pos[i] - t->x_l[i];
        e[s->d + i] = m->w.w_pos[s->d + i] - t->x_l[i];
        e[2 * s->d + i] = t->x_l[i];
    }
    for (int h = 0; h < s->heads; h++) t->s_l[h] = dot(t->u + (ptrdiff_t)h * s->d, t->x_l, s->d);
}

/* to [columns, rows] = the transpose of from [rows, columns] */
static void transpose(real *to, ptrdiff_t ldt, const real *from, ptrdiff_t ldf, int rows, int columns)
{
    const int whole_rows = ldf % VEC == 0 && ldt % VEC == 0 ? rows / VEC * VEC : 0, whole = columns / VEC * VEC;
    const bool aligned = (uintptr_t)from % VEC_BYTES == 0 && (uintptr_t)to % VEC_BYTES == 0;
    const int r = aligned ? whole_rows : 0;
    vec_transpose_all(to, ldt, from, ldf, r, whole);
    for (int i = 0; i < rows; i++)
        for (int j = i < r ? whole : 0; j < columns; j++) to[j * ldt + i] = from[i * ldf + j];
}

static void copy_rows(real *to, ptrdiff_t ldt, const real *from, ptrdiff_t ldf, int rows, int columns)
{
    for (int i = 0; i < rows; i++) memcpy(to + i * ldt, from + i * ldf, (size_t)columns * sizeof(real));
}

/* Rows from..to-1 of F and of w_v, columns of w_v_t and f_t, and rows of W_out: weights where the products want them.
 */
static void arrange(const gk_model *m, int thread, int threads, bool keep)
{
    const tf_sizes *s = &m->s;
    const tf_weights *w = &m->w;
    const tf_tables *t = &m->fast->t;
    int from, to;
    net_share(t->dp / VEC, thread, threads, &from, &to); /* whole vectors, for the transposes */
    from *= VEC;
    to = to * VEC < s->d ? to * VEC : s->d;
    if (from < to) {
        copy_rows(t->f + (ptrdiff_t)from * t->ext, t->ext, w->w_in + (ptrdiff_t)from * s->dm, s->dm, to - from, s->dm);
        copy_rows(t->f + (ptrdiff_t)from * t->ext + t->dmp, t->ext, w->w_u + (ptrdiff_t)from * s->vocab, s->vocab,
                  to - from, s->vocab);
        for (int h = 0; h < s->heads; h++)
            copy_rows(t->w_v + (ptrdiff_t)from * t->dp + h * s->dh, t->dp,
                      w->w_v + ((ptrdiff_t)h * s->d + from) * s->dh, s->dh, to - from, s->dh);
        if (keep) transpose(t->f_t + from, t->dp, t->f + (ptrdiff_t)from * t->ext, t->ext, to - from, t->ext);
        if (keep) transpose(t->w_v_t + from, t->dp, t->w_v + (ptrdiff_t)from * t->dp, t->dp, to - from, t->dp);
    }
    net_share(t->dmp / VEC, thread, threads, &from, &to);
    from *= VEC;
    to = to * VEC < s->dm ? to * VEC : s->dm;
    if (from < to) {
        copy_rows(t->w_out + (ptrdiff_t)from * t->dp, t->dp, w->w_out + (ptrdiff_t)from * s->d, s->d, to - from, s->d);
        transpose(t->w_out_t + from, t->dmp, t->w_out + (ptrdiff_t)from * t->dp, t->dp, to - from, t->dp);
    }
}

/* Panel j of W_L (neurons only) and of W_O F, and its transpose by heads. */
static void products(const gk_model *m, int j, bool keep)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t at = (ptrdiff_t)j * PANEL;
    tile_panel(t->wof + at, t->ext, (tile_left){m->w.w_o, s->d, 1}, (tile_right){t->f + at, t->ext}, s->d, s->d, false);
    for (int h = 0; keep && h < s->heads; h++)
        transpose(t->wof_t + at * s->heads * t->dhp + h * t->dhp, (ptrdiff_t)s->heads * t->dhp,
                  t->wof + (ptrdiff_t)h * s->dh * t->ext + at, t->ext, s->dh, PANEL);
    if (j >= t->inner) return;
    real *wl = t->wl + at * s->vocab; /* W_L [c, k] = sum_i W_U[i, c] W_out[k, i] */
    tile_panel(wl, PANEL, (tile_left){m->w.w_u, 1, s->vocab}, (tile_right){t->w_out_t + at, t->dmp}, s->vocab, s->d,
               false);
    for (int c = 0; c < s->vocab; c += PANEL)
        transpose(t->wl_t + ((ptrdiff_t)c * t->dmp + at * PANEL), PANEL, wl + (ptrdiff_t)c * PANEL, PANEL,
                  s->vocab - c < PANEL ? s->vocab - c : PANEL, PANEL);
    tf_products_keep(m, j, keep);
}

/* v = rows [n, d] of ein times w_v, from row `at` on */
static void values(const gk_model *m, const real *rows, int at, int n)
{
    const tf_tables *t = &m->fast->t;
    tile_panels(t->v + (ptrdiff_t)at * t->dp, t->dp, (tile_left){rows, m->s.d, 1}, (tile_right){t->w_v, t->dp}, n,
                m->s.d, 0, t->dp / PANEL, false);
}

/* Panel j of the table and of the base row: t_0 = row + first, t_1 = row + second. */
static void tables(const gk_model *m, int j)
{
    const tf_sizes *s = &m->s;
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t at = (ptrdiff_t)j * PANEL, p = s->p;
    real *base = t->base + at;
    tile_panel(base, PANEL, (tile_left){t->x_l, 0, 1}, (tile_right){t->f + at, t->ext}, 1, s->d, false);
    if (j >= t->inner)
        tile_panel(base, PANEL, (tile_left){m->w.b_out, 0, 1}, (tile_right){t->f + at, t->ext}, 1, s->d, true);
    for (ptrdiff_t k = at; j < t->inner && k < at + PANEL && k < s->dm; k++) base[k - at] += m->w.b_in[k];
    for (int h = 0; h < s->heads; h++) {
        real *rows = t->table + ((ptrdiff_t)j * s->heads + h) * t->rows * PANEL;
        tile_panel(rows, PANEL, (tile_left){t->v + h * s->dh, t->dp, 1},
                   (tile_right){t->wof + (ptrdiff_t)h * s->dh * t->ext + at, t->ext}, t->rows, s->dh, false);
        for (int k = 0; k < PANEL; k += VEC) {
            const vec first = vec_load(rows + p * PANEL + k), second = vec_load(rows + (p + 1) * PANEL + k);
            vec_store(base + k, vec_load(base + k) + vec_load(rows + (p + 2) * PANEL + k));
            vec_store(rows + p * PANEL + k, first - second);
            for (ptrdiff_t a = 0; a < p; a++) vec_store(rows + a * PANEL + k, vec_load(rows + a * PANEL + k) + second);
        }
    }
}

void tf_tables_forward(const gk_model *m, int thread, int threads, bool keep)
{
    const tf_tables *t = &m->fast->t;
    const tf_sizes *s = &m->s;
    int from, to;
    if (thread == 0) last_position(m);
    arrange(m, thread, threads, keep);
#pragma omp barrier
    net_share(s->p, thread, threads, &from, &to);
    tokens(m, from, to);
    values(m, t->ein + (ptrdiff_t)from * s->d, from, to - from);
    if (thread == threads - 1) {
        positions(m);
        values(m, t->ein + (ptrdiff_t)s->p * s->d, s->p, t->rows - s->p);
    }
    net_share(t->panels, thread, threads, &from, &to);
    for (int j = from; j < to; j++) products(m, j, keep);
#pragma omp barrier
    for (int j = from; j < to; j++) tables(m, j);
#pragma omp barrier
}
