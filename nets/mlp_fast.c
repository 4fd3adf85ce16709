/* mlp_fast.c: epochs, gradients and scores of the two-layer network by blocks of hidden neurons. Threads share the
 * blocks; each adds up its blocks' part of the outputs, and the parts are joined in the threads' order. */
#include "mlp_fast.h"
#include "adamw.h"

#include <math.h>
#include <omp.h>

static void chunk_take(mlp_chunk *c, gk_pool *pool, int p)
{
    c->x = gk_pool_take(pool, MLP_CHUNK, sizeof *c->x);
    c->y = gk_pool_take(pool, MLP_CHUNK, sizeof *c->y);
    c->label = gk_pool_take(pool, MLP_CHUNK, sizeof *c->label);
    c->start = gk_pool_take(pool, 2 * (size_t)p + 1, sizeof *c->start);
    c->list = gk_pool_take(pool, 2 * MLP_CHUNK, sizeof *c->list);
}

mlp_fast *mlp_fast_take(gk_pool *pool, const gk_model *m)
{
    const size_t p = (size_t)m->n.p, one = sizeof(real), chunk = (size_t)MLP_CHUNK * MLP_HIDDEN;
    mlp_fast *f = gk_pool_take(pool, 1, sizeof *f), fast = {.blocks = (m->width + MLP_HIDDEN - 1) / MLP_HIDDEN};
    const size_t blocks = (size_t)fast.blocks;
    fast.state = gk_pool_take(pool, blocks * 3 * p * MLP_ROW, one);
    fast.grad = gk_pool_take(pool, blocks * 3 * p * MLP_HIDDEN, one);
    fast.z = gk_pool_take(pool, blocks * chunk, one);
    fast.a = gk_pool_take(pool, blocks * chunk, one);
    fast.dout = gk_pool_take(pool, p * MLP_CHUNK, one);
    chunk_take(&fast.chunk[0], pool, m->n.p);
    chunk_take(&fast.chunk[1], pool, m->n.p);
    fast.part = gk_pool_take(pool, (size_t)m->n.threads, sizeof *fast.part);
    for (int t = 0; t < m->n.threads; t++) {
        mlp_part k = {0};
        k.a_t = gk_pool_take(pool, chunk, one);
        k.out = gk_pool_take(pool, (size_t)round_up(m->n.p, VEC) * MLP_CHUNK, one);
        k.rows = gk_pool_take(pool, VEC * (size_t)round_up(m->n.p, VEC), one);
        k.da = gk_pool_take(pool, chunk, one);
        k.z = gk_pool_take(pool, chunk, one);
        k.dw2 = gk_pool_take(pool, p * MLP_HIDDEN, one);
        chunk_take(&k.chunk, pool, m->n.p);
        if (f) fast.part[t] = k;
    }
    if (f) *f = fast;
    return f;
}

/* Copies between flat vector `which` (0 w, 1 m, 2 v) and the blocks, or from `grad` to a flat vector. */
static void exchange(gk_model *m, real *flat, int which, bool to_blocks)
{
    const ptrdiff_t p = m->n.p, width = m->width;
    real *w1 = flat + (m->w.w1 - m->n.w), *w2 = flat + (m->w.w2 - m->n.w);
    const ptrdiff_t length = which < 3 ? MLP_ROW : MLP_HIDDEN;
    for (ptrdiff_t k = 0; k < width; k++) {
        real *column = (which < 3 ? m->fast->state + which * MLP_HIDDEN : m->fast->grad) +
                       k / MLP_HIDDEN * 3 * p * length + k % MLP_HIDDEN;
        for (ptrdiff_t r = 0; r < 3 * p; r++) {
            real *here = r < 2 * p ? w1 + k * 2 * p + r : w2 + (r - 2 * p) * width + k;
            if (to_blocks)
                column[r * length] = *here;
            else
                *here = column[r * length];
        }
    }
}

void mlp_fast_pack(gk_model *m)
{
    exchange(m, m->n.w, 0, true);
    exchange(m, m->n.m, 1, true);
    exchange(m, m->n.v, 2, true);
    m->fast->newer = false;
}

void mlp_fast_settle(gk_model *m)
{
    if (!m->fast->newer) return;
    exchange(m, m->n.w, 0, false);
    exchange(m, m->n.m, 1, false);
    exchange(m, m->n.v, 2, false);
    m->fast->newer = false;
}

/* All threads of the team get here. libgomp's barrier calls the system even in a team of one. */
static void meet(int threads)
{
    if (threads == 1) return;
#pragma omp barrier
}

/* This thread's blocks forward, into its part of the outputs. */
static void forward(const gk_model *m, const mlp_chunk *c, int thread)
{
    mlp_fast *f = m->fast;
    mlp_part *k = &f->part[thread];
    int from, to;
    net_share(f->blocks, thread, m->n.threads, &from, &to);
    if (from == to) memset(k->out, 0, (size_t)m->n.p * (size_t)c->columns * sizeof(real));
    for (int b = from; b < to; b++) {
        const ptrdiff_t at = (ptrdiff_t)b * MLP_CHUNK * MLP_HIDDEN;
        mlp_block_forward(k->out, f->z + at, f->a + at, k->a_t, m, c, b, b > from);
    }
}

/* Joins the parts of the outputs and turns them into the gradient of the loss, each thread for some columns. Between
 * two barriers. */
static void losses(const gk_model *m, const mlp_chunk *c, int thread, double scale)
{
    mlp_fast *f = m->fast;
    const int threads = m->n.threads;
    int from, to;
    net_share(c->columns / VEC, thread, threads, &from, &to);
    from *= VEC;
    to *= VEC;
    for (int r = 0; r < m->n.p; r++) {
        for (int i = from; i < to; i += VEC) {
            vec sum = vec_load(f->part[0].out + (ptrdiff_t)r * c->columns + i);
            for (int t = 1; t < threads; t++) sum += vec_load(f->part[t].out + (ptrdiff_t)r * c->columns + i);
            vec_store(f->dout + (ptrdiff_t)r * c->columns + i, sum);
        }
    }
    f->part[thread].loss =
        net_loss_columns(&m->n, f->dout + from, c->columns, c->label + from, c->n - from, to - from, scale);
}

static double joined_loss(const gk_model *m)
{
    double loss = 0;
    for (int t = 0; t < m->n.threads; t++) loss += m->fast->part[t].loss;
    return loss;
}

/* Cells of batch number b of the epoch. */
static int batch_of(const net *n, int64_t b, const int32_t **cells)
{
    const int64_t from = b * n->batch, left = n->split->n_learn - from;
    *cells = n->order + from;
    return (int)(left < n->batch ? left : n->batch);
}

/* One thread's part of an epoch of batches of one chunk each. *sum: the losses of all examples, where it ended. */
static void fused_epoch(gk_model *m, int thread, int64_t batches, double *sum)
{
    net *n = &m->n;
    mlp_fast *f = m->fast;
    mlp_part *k = &f->part[thread];
    const int32_t *cells;
    int from, to;
    net_share(f->blocks, thread, n->threads, &from, &to);
    if (thread == 0) mlp_chunk_fill(&f->chunk[0], m, n->order, batch_of(n, 0, &cells));
    meet(m->n.threads);
    forward(m, &f->chunk[0], thread);
    double total = 0;
    for (int64_t b = 0; b < batches; b++) {
        const mlp_chunk *c = &f->chunk[b % 2];
        mlp_chunk *next = &f->chunk[(b + 1) % 2];
        meet(m->n.threads);
        losses(m, c, thread, 1.0 / c->n);
        if (thread == 0 && b + 1 < batches) {
            const int count = batch_of(n, b + 1, &cells);
            mlp_chunk_fill(next, m, cells, count);
        }
        meet(m->n.threads);
        const double loss = joined_loss(m);
        total += loss;
        if (!isfinite(loss)) break; /* every thread sees the same */
        const net_rates rates = net_rates_at(n, *n->updates + b);
        /* there and back: a wide network's state is larger than the second cache, and what was visited last is in it */
        for (int visit = 0; visit < to - from; visit++) {
            const int i = b % 2 ? from + visit : to - 1 - visit;
            const ptrdiff_t at = (ptrdiff_t)i * MLP_CHUNK * MLP_HIDDEN;
            mlp_block_backward(k, f->dout, m, c, i);
            mlp_block_update(k, m, c, i, &rates);
            if (b + 1 < batches) mlp_block_forward(k->out, f->z + at, f->a + at, k->a_t, m, next, i, visit > 0);
        }
    }
    if (thread == 0) *sum = total;
}

/* One thread's part of the gradient of the mean loss over n cells, in f->grad. Returns the sum of all losses. */
static double chunked_gradient(const gk_model *m, const int32_t *cells, int n, int thread)
{
    mlp_fast *f = m->fast;
    mlp_part *k = &f->part[thread];
    mlp_chunk *c = &f->chunk[0];
    int from, to;
    net_share(f->blocks, thread, m->n.threads, &from, &to);
    const size_t block = 3 * (size_t)m->n.p * MLP_HIDDEN;
    memset(f->grad + (size_t)from * block, 0, (size_t)(to - from) * block * sizeof(real));
    double total = 0;
    for (int at = 0; at < n; at += MLP_CHUNK) {
        if (thread == 0) mlp_chunk_fill(c, m, cells + at, net_rows(n, at, MLP_CHUNK));
        meet(m->n.threads);
        forward(m, c, thread);
        meet(m->n.threads);
        losses(m, c, thread, 1.0 / n);
        meet(m->n.threads);
        total += joined_loss(m);
        for (int b = from; b < to; b++) {
            mlp_block_backward(k, f->dout, m, c, b);
            mlp_block_add(k, m, c, b);
        }
        meet(m->n.threads);
    }
    return total;
}

/* AdamW from f->grad, this thread's blocks. */
static void update(gk_model *m, int thread, const net_rates rates)
{
    mlp_fast *f = m->fast;
    int from, to;
    net_share(f->blocks * 3 * m->n.p, thread, m->n.threads, &from, &to);
    for (ptrdiff_t r = from; r < to; r++) {
        real *row = f->state + r * MLP_ROW;
        net_adamw_inline(row, row + MLP_HIDDEN, row + 2 * MLP_HIDDEN, f->grad + r * MLP_HIDDEN, MLP_HIDDEN, rates);
    }
}

static void chunked_epoch(gk_model *m, int thread, int64_t batches, double *sum)
{
    double total = 0;
    for (int64_t b = 0; b < batches; b++) {
        const int32_t *cells;
        const int count = batch_of(&m->n, b, &cells);
        const double part = chunked_gradient(m, cells, count, thread);
        total += part;
        if (!isfinite(part)) break; /* every thread sees the same */
        update(m, thread, net_rates_at(&m->n, *m->n.updates + b));
        meet(m->n.threads);
    }
    if (thread == 0) *sum = total;
}

int mlp_fast_epoch(gk_model *m, double *train_loss)
{
    net *n = &m->n;
    const int64_t batches = (n->split->n_learn + n->batch - 1) / n->batch;
    double sum = 0;
    net_shuffle(n);
    m->fast->newer = true;
#pragma omp parallel num_threads(n->threads)
    {
        const uint64_t mode = net_flush_begin();
        if (n->batch <= MLP_CHUNK)
            fused_epoch(m, omp_get_thread_num(), batches, &sum);
        else
            chunked_epoch(m, omp_get_thread_num(), batches, &sum);
        net_flush_end(mode);
    }
    if (!isfinite(sum)) return net_diverged(n, sum);
    *n->updates += batches;
    n->epoch++;
    if (train_loss) *train_loss = sum / n->split->n_learn;
    return GK_OK;
}

void mlp_fast_gradient(gk_model *m, const int32_t *cells, int n, double *loss)
{
    double sum = 0;
#pragma omp parallel num_threads(m->n.threads)
    {
        const int thread = omp_get_thread_num();
        const uint64_t mode = net_flush_begin();
        const double all = chunked_gradient(m, cells, n, thread);
        net_flush_end(mode);
        if (thread == 0) sum = all;
    }
    exchange(m, m->n.g, 3, false);
    *loss = sum / n;
}

/* Leaves the outputs of the chunk in work, the first of which is cell number `from` of the call. */
static void leave_chunk(const mlp_part *k, const gk_output_rows *rows, const int32_t *cells, int from, int p)
{
    const int ld = round_up(p, VEC);
    for (int i = 0; i < k->chunk.n; i += VEC) {
        vec_transpose_all(k->rows, ld, k->out + i, k->chunk.columns, ld, VEC);
        net_leave(rows, cells, from + i, net_rows(k->chunk.n, i, VEC), k->rows, ld, p);
    }
}

void mlp_fast_score(gk_model *m, const int32_t *cells, int n, gk_score *out, const gk_output_rows *rows)
{
    mlp_fast *f = m->fast;
    const int threads = m->n.threads;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        mlp_part *k = &f->part[t];
        int chunk, end;
        net_share((n + MLP_CHUNK - 1) / MLP_CHUNK, t, threads, &chunk, &end);
        k->score = (gk_score){0, 0, 0};
        for (; chunk < end; chunk++) {
            const int from = chunk * MLP_CHUNK;
            mlp_chunk_fill(&k->chunk, m, cells + from, net_rows(n, from, MLP_CHUNK));
            for (int b = 0; b < f->blocks; b++) mlp_block_forward(k->out, k->z, k->da, k->a_t, m, &k->chunk, b, b > 0);
            if (rows) leave_chunk(k, rows, cells, from, m->n.p);
            if (out) net_score_columns(&m->n, &k->score, k->out, k->chunk.columns, k->chunk.label, k->chunk.n);
        }
    }
    if (!out) return;
    *out = (gk_score){0, 0, 0};
    for (int t = 0; t < threads; t++) net_score_add(out, &f->part[t].score, n);
}
