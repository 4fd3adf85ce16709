/* mlp_block.c: a block of hidden neurons and a chunk of examples: forward, backward, update. */
#include "adamw.h"
#include "mlp_fast.h"

void mlp_chunk_fill(mlp_chunk *c, const gk_model *m, const int32_t *cells, int n)
{
    const int p = m->n.p;
    c->n = n;
    c->columns = round_up(n, VEC);
    memset(c->start, 0, (size_t)(2 * p + 1) * sizeof *c->start);
    for (int i = 0; i < c->columns; i++) {
        const int32_t cell = cells[i < n ? i : 0];
        c->x[i] = cell / p;
        c->y[i] = p + cell % p;
        c->label[i] = m->n.split->task.labels[cell];
        if (i >= n) continue;
        c->start[c->x[i] + 1]++;
        c->start[c->y[i] + 1]++;
    }
    for (int r = 0; r < 2 * p; r++) c->start[r + 1] += c->start[r];
    for (int i = n - 1; i >= 0;
         i--) { /* from the back, so that start ends where it began: at the first of each input */
        c->list[--c->start[c->x[i] + 1]] = i;
        c->list[--c->start[c->y[i] + 1]] = i;
    }
    for (int r = 0; r < 2 * p; r++) c->start[r] = c->start[r + 1];
    c->start[2 * p] = 2 * n;
}

/* Row r of the block's state: w, then m, then v. */
static inline real *row_of(const gk_model *m, int block, int r)
{
    return m->fast->state + ((ptrdiff_t)block * 3 * m->n.p + r) * MLP_ROW;
}

void mlp_block_forward(real *out, real *z, real *a, real *a_t, const gk_model *m, const mlp_chunk *c, int block,
                       bool add)
{
    const int p = m->n.p, left = m->width - block * MLP_HIDDEN;
    const real *w = row_of(m, block, 0);
    for (int i = 0; i < c->columns; i++) { /* z_i = W1[:, x_i] + W1[:, p + y_i] */
        const real *x = w + (ptrdiff_t)c->x[i] * MLP_ROW, *y = w + (ptrdiff_t)c->y[i] * MLP_ROW;
        for (int k = 0; k < MLP_HIDDEN; k += VEC) vec_store(z + i * MLP_HIDDEN + k, vec_load(x + k) + vec_load(y + k));
    }
    net_activate(a, z, (size_t)c->columns * MLP_HIDDEN, m->n.activation);
    for (int i = 0; left < MLP_HIDDEN && i < c->columns; i++) /* s(0) of the padding need not be 0 */
        memset(a + i * MLP_HIDDEN + left, 0, (size_t)(MLP_HIDDEN - left) * sizeof *a);
    vec_transpose_all(a_t, c->columns, a, MLP_HIDDEN, c->columns, MLP_HIDDEN);
    tile_columns(out, c->columns, (tile_left){row_of(m, block, 2 * p), MLP_ROW, 1}, (tile_right){a_t, c->columns}, p,
                 MLP_HIDDEN, c->columns, add);
}

void mlp_block_backward(mlp_part *k, const real *dout, const gk_model *m, const mlp_chunk *c, int block)
{
    const ptrdiff_t at = (ptrdiff_t)block * MLP_CHUNK * MLP_HIDDEN;
    /* out = W2 a^T */
    tile_columns(k->dw2, MLP_HIDDEN, (tile_left){dout, c->columns, 1}, (tile_right){m->fast->a + at, MLP_HIDDEN},
                 m->n.p, c->n, MLP_HIDDEN, false);
    tile_columns(k->da, MLP_HIDDEN, (tile_left){dout, 1, c->columns},
                 (tile_right){row_of(m, block, 2 * m->n.p), MLP_ROW}, c->n, m->n.p, MLP_HIDDEN, false);
    net_activate_backward(k->da, k->da, m->fast->z + at, (size_t)c->n * MLP_HIDDEN, m->n.activation);
}

static inline void update_row(real *row, const real *g, const net_rates rates)
{
    net_adamw_inline(row, row + MLP_HIDDEN, row + 2 * MLP_HIDDEN, g, MLP_HIDDEN, rates);
}

/* The gradient of input row r: the sum of dz over the examples that have it on; `sum` [MLP_HIDDEN] is work space. */
static inline const real *input_gradient(real *sum, const real *dz, const mlp_chunk *c, int r)
{
    static const real none[MLP_HIDDEN];
    const int from = c->start[r], to = c->start[r + 1];
    if (from == to) return none;
    if (from + 1 == to) return dz + c->list[from] * MLP_HIDDEN;
    for (int k = 0; k < MLP_HIDDEN; k += VEC) {
        vec s = vec_load(dz + c->list[from] * MLP_HIDDEN + k);
        for (int i = from + 1; i < to; i++) s += vec_load(dz + c->list[i] * MLP_HIDDEN + k);
        vec_store(sum + k, s);
    }
    return sum;
}

void mlp_block_update(mlp_part *k, const gk_model *m, const mlp_chunk *c, int block, const struct net_rates *rates)
{
    const int p = m->n.p;
    const net_rates r = *rates;
    _Alignas(64) real sum[MLP_HIDDEN];
    real *row = row_of(m, block, 0);
    for (int i = 0; i < 2 * p; i++, row += MLP_ROW) update_row(row, input_gradient(sum, k->da, c, i), r);
    for (int i = 0; i < p; i++, row += MLP_ROW) update_row(row, k->dw2 + (ptrdiff_t)i * MLP_HIDDEN, r);
}

void mlp_block_add(const mlp_part *k, const gk_model *m, const mlp_chunk *c, int block)
{
    const int p = m->n.p;
    _Alignas(64) real sum[MLP_HIDDEN];
    real *to = m->fast->grad + (ptrdiff_t)block * 3 * p * MLP_HIDDEN;
    for (int r = 0; r < 3 * p; r++, to += MLP_HIDDEN) {
        const real *g = r < 2 * p ? input_gradient(sum, k->da, c, r) : k->dw2 + (ptrdiff_t)(r - 2 * p) * MLP_HIDDEN;
        for (int i = 0; i < MLP_HIDDEN; i += VEC) vec_store(to + i, vec_load(to + i) + vec_load(g + i));
    }
}
