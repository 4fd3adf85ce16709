/* transformer_amx.c: the three products of (pairs x neurons x logits) on AMX, by stacks of bfloat16 (amx.h). What is
 * the same for every tile of pairs, W_L, is split into stacks once an update; a tile's neurons and gradients when they
 * are in the first-level cache. */
#include "amx.h"
#include "transformer_fast.h"

#ifdef GK_ISA_amx

/* Stacks that the logits fill: by 16 as rows or columns, by 32 as the inner dimension. */
static int classes_of(const tf_sizes *s)
{
    return (s->vocab + 15) / 16;
}

static int steps_of(const tf_sizes *s)
{
    return (s->vocab + AMX_INNER - 1) / AMX_INNER;
}

enum {
    PANEL_STACKS = PANEL / 16,       /* of a panel's neurons */
    PANEL_STEPS = PANEL / AMX_INNER, /* and with them as the inner dimension */
    PAIR_STEPS = TF_PAIRS / AMX_INNER,
    RIGHT = 64, /* pairs whose neurons are a right factor at a time: half of the first-level cache */
};

void tf_products_take(tf_tables *t, tf_pairs *k, gk_pool *pool, const tf_sizes *s)
{
    const size_t one = AMX_STACK * sizeof(uint32_t), classes = (size_t)classes_of(s), steps = (size_t)steps_of(s);
    t->single = 0;
    t->lines = classes_of(s) * AMX_ROWS;
    if (!k) {
        t->wl_on = gk_pool_take(pool, (size_t)t->inner * PANEL_STEPS * classes, one);
        t->wl_back = gk_pool_take(pool, (size_t)t->inner * steps * PANEL_STACKS, one);
        return;
    }
    k->left = gk_pool_take(pool, TF_STRIP / AMX_ROWS * PANEL_STEPS, one);
    k->right = gk_pool_take(pool, RIGHT / AMX_INNER * PANEL_STACKS, one);
    k->dlogits = gk_pool_take(pool, TF_PAIRS / AMX_ROWS * steps, one);
    k->dlogits_t = gk_pool_take(pool, classes * PAIR_STEPS, one);
}

void tf_products_begin(void)
{
    amx_begin();
}

void tf_products_end(void)
{
    amx_end();
}

/* Stacks of a right factor from rows of PANEL columns, 32 rows a step, 16 columns a stack; rows from `rows` on are
 * 0. */
static void split_right(uint32_t *to, const real *from, int rows)
{
    for (int s = 0; s < rows; s += AMX_INNER)
        for (int c = 0; c < PANEL_STACKS; c++, to += AMX_STACK)
            for (int r = 0; r < 16; r++) {
                const real *low = from + (ptrdiff_t)(s + r) * PANEL + c * VEC;
                amx_put(to, r, s + r < rows ? vec_load(low) : vec_of(0),
                        s + r + 16 < rows ? vec_load(low + 16 * PANEL) : vec_of(0));
            }
}

void tf_products_keep(const gk_model *m, int j, bool keep)
{
    const tf_tables *t = &m->fast->t;
    const tf_sizes *s = &m->s;
    const ptrdiff_t classes = classes_of(s), steps = steps_of(s);
    uint32_t *on = t->wl_on + j * PANEL_STEPS * classes * AMX_STACK;
    for (int k = 0; k < PANEL; k += AMX_INNER)
        for (int c = 0; c < classes; c++, on += AMX_STACK)
            for (int r = 0; r < 16; r++) { /* wl_t is in panels of PANEL logits */
                const real *low = t->wl_t + ((ptrdiff_t)(c * 16 / PANEL) * t->dmp + (ptrdiff_t)j * PANEL + k + r) * PANEL +
                                  c * 16 % PANEL;
                amx_put(on, r, vec_load(low), vec_load(low + 16 * PANEL));
            }
    if (keep)
        split_right(t->wl_back + j * steps * PANEL_STACKS * AMX_STACK, t->wl + (ptrdiff_t)j * s->vocab * PANEL,
                    s->vocab);
}

void tf_products_turn(const gk_model *m, tf_pairs *k, int i)
{
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t classes = classes_of(&m->s), steps = steps_of(&m->s);
    for (int r = i; r < i + AMX_INNER; r++)
        for (int s = 0; s < steps; s++) {
            const real *low = k->logits + (ptrdiff_t)r * t->line + s * AMX_INNER;
            amx_put(k->dlogits + (r / 16 * steps + s) * AMX_STACK, r % 16, vec_load(low), vec_load(low + 16));
        }
    for (int c = 0; c < classes * 16; c++) {
        const real *low = k->columns + (ptrdiff_t)c * TF_COLUMNS;
        amx_put(k->dlogits_t + ((ptrdiff_t)(c / 16) * PAIR_STEPS + i / AMX_INNER) * AMX_STACK, c % 16, vec_load(low),
                  vec_load(low + 16));
    }
}

void tf_products_logits(const gk_model *m, tf_pairs *k, const real *post, int j, int i)
{
    const tf_tables *t = &m->fast->t;
    const ptrdiff_t classes = classes_of(&m->s);
    for (int r = 0; r < TF_STRIP; r++)
        for (int s = 0; s < PANEL_STEPS; s++) {
            const real *low = post + (ptrdiff_t)r * PANEL + s * AMX_INNER;
            amx_put(k->left + (r / 16 * PANEL_STEPS + s) * AMX_STACK, r % 16, vec_load(low), vec_load(low + 16));
        }
    amx_product(k->logits + (ptrdiff_t)i * t->line, t->line, (amx_stacks){k->left, PANEL_STEPS * AMX_STACK, AMX_STACK},
                (amx_stacks){t->wl_on + j * PANEL_STEPS * classes * AMX_STACK, AMX_STACK, classes * AMX_STACK},
                TF_STRIP / AMX_ROWS, (int)classes, PANEL_STEPS, true);
}

void tf_products_dwl(const gk_model *m, tf_pairs *k, int j)
{
    const tf_tables *t = &m->fast->t;
    const real *post = k->post + (ptrdiff_t)j * TF_PAIRS * PANEL;
    for (int i = 0; i < k->rows; i += RIGHT) {
        const int rows = net_rows(k->rows, i, RIGHT);
        split_right(k->right, post + i * PANEL, rows);
        amx_product(k->dwl + (ptrdiff_t)j * t->lines * PANEL, PANEL,
                    (amx_stacks){k->dlogits_t + i / AMX_INNER * AMX_STACK, PAIR_STEPS * AMX_STACK, AMX_STACK},
                    (amx_stacks){k->right, AMX_STACK, PANEL_STACKS * AMX_STACK}, t->lines / AMX_ROWS, PANEL_STACKS,
                    rows / AMX_INNER, true);
    }
}

void tf_products_dpost(const gk_model *m, tf_pairs *k, real *dpost, int j, int i)
{
    const ptrdiff_t steps = steps_of(&m->s);
    amx_product(dpost, PANEL, (amx_stacks){k->dlogits + i / AMX_ROWS * steps * AMX_STACK, steps * AMX_STACK, AMX_STACK},
                (amx_stacks){m->fast->t.wl_back + j * steps * PANEL_STACKS * AMX_STACK, AMX_STACK,
                             PANEL_STACKS * AMX_STACK},
                TF_STRIP / AMX_ROWS, PANEL_STACKS, (int)steps, false);
}

#endif
