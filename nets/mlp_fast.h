/* mlp_fast.h: the two-layer network in one pass over its state. Hidden neurons go in blocks; a block's weights and
 * moments lie together, and one visit does the backward pass and AdamW of this batch and the forward pass of the next.
 */
#ifndef GK_MLP_FAST_H
#define GK_MLP_FAST_H

#include "mlp.h"
#include "tile.h"

enum {
    MLP_HIDDEN = 64,          /* neurons of a block: a multiple of every PANEL */
    MLP_ROW = 3 * MLP_HIDDEN, /* a row of a block's state: w, m, v of one input or output */
    MLP_CHUNK = 192,          /* examples at a time; a larger batch adds up chunks */
};

/* One chunk of examples, and for each input (x and p + y) the examples that have it on. */
typedef struct mlp_chunk {
    int n, columns;         /* columns: n rounded up to a vector */
    int32_t *x, *y, *label; /* [MLP_CHUNK] */
    int32_t *start, *list;  /* [2p + 1], [2 MLP_CHUNK] */
} mlp_chunk;

typedef struct mlp_part { /* one thread's */
    real *a_t;            /* [MLP_HIDDEN, columns] */
    real *out;            /* [p, columns] this thread's blocks' part of the outputs; room for p rounded up to a vector */
    real *rows;           /* [VEC, p rounded up] the same of some examples, by examples */
    real *da;             /* [MLP_CHUNK, MLP_HIDDEN] */
    real *z;              /* the same, for scores */
    real *dw2;            /* [p, MLP_HIDDEN] */
    mlp_chunk chunk;      /* for scores */
    double loss;
    gk_score score;
} mlp_part;

struct mlp_fast {
    int blocks;
    real *state;        /* [blocks][3p][w, m, v][MLP_HIDDEN]: rows of W1 by input, then of W2 by output; padding 0 */
    real *grad;         /* [blocks][3p][MLP_HIDDEN] where updates take more than one chunk, or `gradient` asks */
    real *z, *a;        /* [blocks][MLP_CHUNK][MLP_HIDDEN] of the chunk in work */
    real *dout;         /* [p, columns] */
    mlp_chunk chunk[2]; /* in work, and the next */
    mlp_part *part;     /* [threads] */
    bool newer;         /* than the flat vectors */
};

#define mlp_fast_take      NAME(gk_mlp_fast_take)
#define mlp_fast_pack      NAME(gk_mlp_fast_pack)
#define mlp_fast_settle    NAME(gk_mlp_fast_settle)
#define mlp_fast_epoch     NAME(gk_mlp_fast_epoch)
#define mlp_fast_gradient  NAME(gk_mlp_fast_gradient)
#define mlp_fast_score     NAME(gk_mlp_fast_score)
#define mlp_chunk_fill     NAME(gk_mlp_chunk_fill)
#define mlp_block_forward  NAME(gk_mlp_block_forward)
#define mlp_block_backward NAME(gk_mlp_block_backward)
#define mlp_block_update   NAME(gk_mlp_block_update)
#define mlp_block_add      NAME(gk_mlp_block_add)

/* ---- mlp_fast.c ---- */
mlp_fast *mlp_fast_take(gk_pool *pool, const gk_model *m); /* NULL while the pool counts */
void mlp_fast_pack(gk_model *m);                           /* flat vectors -> blocks */
void mlp_fast_settle(gk_model *m);                         /* blocks -> flat vectors, where newer */
int mlp_fast_epoch(gk_model *m, double *train_loss);
void mlp_fast_gradient(gk_model *m, const int32_t *cells, int n, double *loss); /* to m->n.g */
/* The scores, unless out is NULL, and the outputs, unless rows is. */
void mlp_fast_score(gk_model *m, const int32_t *cells, int n, gk_score *out, const gk_output_rows *rows);

/* ---- mlp_block.c: one block, one chunk ---- */
void mlp_chunk_fill(mlp_chunk *c, const gk_model *m, const int32_t *cells, int n);
/* z, a [columns, MLP_HIDDEN]; out [p, columns] = or += W2 a^T. a_t is work space. */
void mlp_block_forward(real *out, real *z, real *a, real *a_t, const gk_model *m, const mlp_chunk *c, int block,
                       bool add);
/* k->da becomes dz, k->dw2 the gradient of the block's W2, from dout [p, columns]. */
void mlp_block_backward(mlp_part *k, const real *dout, const gk_model *m, const mlp_chunk *c, int block);
struct net_rates;
/* AdamW on the block's rows. */
void mlp_block_update(mlp_part *k, const gk_model *m, const mlp_chunk *c, int block, const struct net_rates *rates);
/* The block's rows of `grad` += this chunk's. */
void mlp_block_add(const mlp_part *k, const gk_model *m, const mlp_chunk *c, int block);

#endif
