/* transformer_fast.c: loss, gradient and scores of many pairs by the tables: pairs in the order of tiles, tiles shared
 * among threads in a fixed partition, sums joined in the threads' order. */
#include "transformer_fast.h"

#include <math.h>
#include <omp.h>

/* Orders the cells by rectangles of (x, y) that hold about TF_PAIRS training pairs, twice as many x as y, and by x
 * within a rectangle: the tables' rows that a tile needs are few, those of x are kept for the next tile, and pairs with
 * the same x stand together. */
static void order_cells(tf_fast *f, int p, double density)
{
    const int edge_x = (int)ceil(sqrt(2 * TF_PAIRS / density)), edge_y = (edge_x + 1) / 2;
    int place = 0;
    for (int x0 = 0; x0 < p; x0 += edge_x)
        for (int y0 = 0; y0 < p; y0 += edge_y)
            for (int x = x0; x < x0 + edge_x && x < p; x++)
                for (int y = y0; y < y0 + edge_y && y < p; y++) {
                    f->at[place] = x * p + y;
                    f->rank[x * p + y] = place++;
                }
}

tf_fast *tf_fast_take(gk_pool *pool, const gk_model *m)
{
    const size_t cells = (size_t)m->s.p * (size_t)m->s.p;
    tf_fast *f = gk_pool_take(pool, 1, sizeof *f), fast = {0};
    tf_tables_take(&fast.t, pool, &m->s);
    fast.rank = gk_pool_take(pool, cells, sizeof *fast.rank);
    fast.at = gk_pool_take(pool, cells, sizeof *fast.at);
    fast.count = gk_pool_take(pool, cells, sizeof *fast.count);
    for (int i = 0; i < TF_ORDERS; i++) {
        fast.orders[i].cells = gk_pool_take(pool, cells, sizeof(int32_t));
        fast.orders[i].sorted = gk_pool_take(pool, cells, sizeof(int32_t));
    }
    fast.pairs = gk_pool_take(pool, (size_t)m->n.threads, sizeof *fast.pairs);
    for (int i = 0; i < m->n.threads; i++) {
        tf_pairs k = {0};
        tf_pairs_take(&k, pool, &m->s, &fast.t, m->n.activation);
        if (f) fast.pairs[i] = k;
    }
    if (!f) return NULL;
    order_cells(&fast, m->s.p, m->n.split->n_train / (double)cells);
    *f = fast;
    return f;
}

/* The cells in the order of tiles, repeats and all; n <= p * p. Two batches are kept, since a run goes to and fro between
 * all of its train and all of its test pairs. */
static const int32_t *sort_cells(tf_fast *f, const int32_t *cells, int n, int p)
{
    const size_t bytes = (size_t)n * sizeof *cells;
    for (int i = 0; i < TF_ORDERS; i++)
        if (n == f->orders[i].n && memcmp(f->orders[i].cells, cells, bytes) == 0) return f->orders[i].sorted;
    tf_order *o = &f->orders[f->oldest];
    f->oldest = (f->oldest + 1) % TF_ORDERS;
    memcpy(o->cells, cells, bytes);
    o->n = n;
    memset(f->count, 0, (size_t)p * (size_t)p * sizeof *f->count);
    for (int i = 0; i < n; i++) f->count[f->rank[cells[i]]]++;
    int to = 0;
    for (int place = 0; to < n; place++)
        for (int i = 0; i < f->count[place]; i++) o->sorted[to++] = f->at[place];
    return o->sorted;
}

/* Pairs of each of a team's tiles: the most, unless that leaves a thread less than four. */
static int tile_pairs(int n, int threads)
{
    return n >= 4 * threads * TF_PAIRS ? TF_PAIRS : TF_ROWS;
}

/* One team's pass over n cells, which it takes in their order: gradient when `scale` is positive; scores and class
 * logits when asked for. */
static void pass(const gk_model *m, const int32_t *cells, int n, int thread, int threads, double scale, bool score,
                 const gk_output_rows *rows)
{
    tf_pairs *k = &m->fast->pairs[thread];
    const int pairs = tile_pairs(n, threads);
    int tile, end;
    net_share((n + pairs - 1) / pairs, thread, threads, &tile, &end);
    tf_products_begin();
    for (; tile < end; tile++) {
        const int from = tile * pairs, here = net_rows(n, from, pairs);
        tf_pairs_forward(m, k, cells + from, here, scale > 0);
        if (rows) net_leave(rows, cells, from, here, k->logits, m->fast->t.line, m->s.p);
        if (score) tf_logits_score(m, k, here);
        if (scale > 0) {
            k->loss += tf_logits_loss(m, k, here, scale);
            tf_pairs_backward(m, k);
        }
    }
    tf_products_end();
}

static void clear_scores(const gk_model *m)
{
    for (int t = 0; t < m->n.threads; t++) m->fast->pairs[t].score = (gk_score){0, 0, 0};
}

/* The threads' scores of n cells, in their order. */
static void join_scores(const gk_model *m, int n, gk_score *out)
{
    *out = (gk_score){0, 0, 0};
    for (int t = 0; t < m->n.threads; t++) net_score_add(out, &m->fast->pairs[t].score, n);
}

void tf_fast_gradient(const gk_model *m, const int32_t *cells, int n, double *loss, gk_score *score,
                      const gk_output_rows *rows)
{
    tf_fast *f = m->fast;
    const int threads = m->n.threads;
    const int32_t *sorted = sort_cells(f, cells, n, m->s.p);
    clear_scores(m);
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num();
        const uint64_t mode = net_flush_begin();
        tf_tables_forward(m, thread, threads, true);
        tf_pairs_clear(&f->pairs[thread], &m->s, &f->t);
        pass(m, sorted, n, thread, threads, 1.0 / n, score != NULL, rows);
#pragma omp barrier
        tf_tables_backward(m, thread, threads);
        net_flush_end(mode);
    }
    *loss = 0;
    for (int t = 0; t < threads; t++) *loss += f->pairs[t].loss / n;
    if (score) join_scores(m, n, score);
}

void tf_fast_score(const gk_model *m, const int32_t *cells, int n, bool tables, gk_score *out, const gk_output_rows *rows)
{
    tf_fast *f = m->fast;
    const int threads = m->n.threads, most = m->s.p * m->s.p;
    clear_scores(m);
    for (int from = 0; from < n; from += most) {
        const int here = net_rows(n, from, most);
        const int32_t *sorted = sort_cells(f, cells + from, here, m->s.p);
#pragma omp parallel num_threads(threads)
        {
            const int thread = omp_get_thread_num();
            const uint64_t mode = net_flush_begin();
            if (from == 0 && !tables) tf_tables_forward(m, thread, threads, false);
            pass(m, sorted, here, thread, threads, 0, true, rows);
            net_flush_end(mode);
        }
    }
    join_scores(m, n, out);
}

void tf_fast_predict(const gk_model *m, const int32_t *cells, int n, double *out)
{
    const gk_output_rows rows = {.rows = out};
    const int threads = m->n.threads;
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num();
        const uint64_t mode = net_flush_begin();
        tf_tables_forward(m, thread, threads, false);
        pass(m, cells, n, thread, threads, 0, false, &rows);
        net_flush_end(mode);
    }
}
