/* transformer_fast.h: the transformer's algebra for many pairs at once. Exact, but sums are reordered.
 *
 * The last position's query is the same for every pair, so the score of a token at a position is one number. Attention
 * weights sum to one, so with values taken relative to the value of '=' a pair's attention output is
 *     mid = x_l + sum_h v_lh W_O[h] + sum_h a_0h t_0h(x) + a_1h t_1h(y),     t_jh(t) = (W_E[t] + W_pos[j] - x_l) W_V[h]
 * W_O[h]. What reads the residual stream is F = [W_in | W_U], so the tables hold t F: a row of a table is a row of
 * pre-activations and of direct logits, and the residual stream is never formed. W_L = (W_out W_U)^T takes the neurons
 * to the logits at once. Left for every pair are three products of (pairs x neurons x logits). */
#ifndef GK_TRANSFORMER_FAST_H
#define GK_TRANSFORMER_FAST_H

#include "tile.h"
#include "transformer.h"

enum {
    TF_ROWS = 96, /* a tile's pairs are a multiple of it, and it one of the strip and of AMX's inner dimension */
/* TF_STRIP: pairs of a strip, whose panel stays in the first-level cache: a multiple of VEC and of the rows of the
 * register tiles. TF_PAIRS: pairs of a tile, at most. Where there is AVX-512 the caches hold twice as many. */
#ifdef GK_ISA_v4
    TF_STRIP = TF_ROWS,
#else
    TF_STRIP = TF_ROWS / 2,
#endif
#if defined GK_ISA_amx || defined GK_ISA_v4
    TF_PAIRS = 2 * TF_ROWS,
#else
    TF_PAIRS = TF_ROWS,
#endif
    TF_COLUMNS = 2 * VEC, /* pairs whose losses are computed at a time */
    TF_ORDERS = 2,  /* batches whose order is kept */
    TF_SINGLE = 2,  /* so many logits beyond whole vectors cost less by themselves than a vector of them */
};

/* Computed from the weights once an update, shared by the threads. Lengths: dp, dmp, vp, dhp are d, dm, vocab, dh
 * rounded up to a panel; ext = dmp + vp; rows = p + 3: the tokens, W_pos[0] - x_l, W_pos[1] - x_l, x_l. Padding stays
 * 0. */
typedef struct tf_tables {
    int dp, dmp, vp, dhp, ext, rows;
    int inner, panels; /* panels of the neurons; of a whole table row */
    int line;          /* row length of a tile's logits: vp and a vector, since a power of two crowds the cache's sets */
    int single;        /* logits after the last whole vector that are computed one by one */
    int lines;         /* rows of a panel of dwl: vocab, on AMX rounded up to a tile */
    real *x_l, *q, *u; /* [d], [d], [heads, d]: W_K[h] q_h / sqrt(dh) */
    real *ein;         /* [rows, d] */
    real *w_v;         /* [d, dp] the heads side by side */
    real *f;           /* [dp, ext] */
    real *v;           /* [rows, dp] = ein w_v */
    real *wof;         /* [dp, ext] = W_O F */
    real *w_out_t;     /* [dp, dmp] */
    real *wl;          /* [inner][vocab][PANEL] W_L */
    real *wl_t;        /* [vp / PANEL][dmp][PANEL] its transpose */
#ifdef GK_ISA_amx
    uint32_t *wl_on;   /* [inner][2][classes][STACK] W_L^T as a right factor: steps of 32 neurons, 16 logits a stack */
    uint32_t *wl_back; /* [inner][steps][4][STACK] W_L as one: steps of 32 logits, 16 neurons a stack */
#endif
    real *table;       /* [panels][heads][rows][PANEL] t_1 of the tokens; in row p what makes it t_0 */
    real *base;        /* [ext] */
    real *s0, *s1;     /* [heads, p] scores of the tokens at positions 0 and 1 */
    real *s_l;         /* [heads] score of '=' */
    /* backward */
    real *f_t;         /* [ext, dp] */
    real *wof_t;       /* [ext, heads * dhp] */
    real *w_v_t;       /* [dp, dp] */
    real *w_out;       /* [dmp, dp] */
    real *dt;          /* [panels][heads][rows][PANEL] gradient of v_h wof_h */
    real *dbase;       /* [ext] */
    real *dwof, *df;   /* [dp, ext] */
    real *dv, *dein;   /* [rows, dp] */
    real *du, *dq;     /* [d], [dh] */
    real *dv_head;     /* [rows, heads * dhp] */
    real *dw_o, *dw_v; /* [dp, dp] */
    real *dw_out;      /* [dmp, dp] */
    real *dw_u_t;      /* [vocab, dp] */
} tf_tables;

/* One thread's tile of pairs and sums over its tiles. */
typedef struct tf_pairs {
    int rows; /* pairs of this tile and copies of the last one: a multiple of TF_ROWS */
    int32_t x[TF_PAIRS], y[TF_PAIRS], label[TF_PAIRS];
    int32_t by_y[TF_PAIRS]; /* the pairs in the order of y; they stand in the order of x */
    int32_t *count;         /* [p + 1] to sort them by */
    real *a;                /* [heads][2][TF_PAIRS] attention on x and on y */
    real *post;             /* [inner][TF_PAIRS][PANEL] */
    real *slope;            /* the same shape, for activations other than ReLU */
    real *logits;           /* [TF_PAIRS, line], then their gradient */
    real *single;           /* [TF_PAIRS][t.single][VEC] sums of the single logits by lanes */
    real *row;              /* [TF_PAIRS, PANEL] one panel of something by pairs */
    real *columns;          /* [vp, TF_COLUMNS] logits of some pairs as the losses want them */
    real *dots;             /* [heads, rounded up to 2, / 2][2][TF_PAIRS][VEC] gradient of `a`: half of the lanes a head */
    real *dt;               /* as tf_tables; 0 between steps */
    real *dwl; /* [inner][t.lines][PANEL] */
    real *dbase, *ds0, *ds1, *ds_l;
#ifdef GK_ISA_amx
    uint32_t *left;      /* [TF_STRIP / 16][2][STACK] neurons of one panel as a left factor */
    uint32_t *right;     /* [2][4][STACK] as a right one: steps of 32 pairs */
    uint32_t *dlogits;   /* [TF_PAIRS / 16][steps][STACK] the logits' gradient as a left factor */
    uint32_t *dlogits_t; /* [classes][TF_PAIRS / 32][STACK] its transpose as one */
#endif
    double loss;
    gk_score score;
} tf_pairs;

/* A batch as it was given and in the order of tiles, both [p * p], and how many its cells are. */
typedef struct tf_order {
    int32_t *cells, *sorted;
    int n;
} tf_order;

struct tf_fast {
    tf_tables t;
    tf_pairs *pairs; /* [threads] */
    int32_t *rank;   /* [p * p] cell -> place in the order of tiles */
    int32_t *at;     /* [p * p] place -> cell */
    int32_t *count;  /* [p * p] */
    tf_order orders[TF_ORDERS];
    int oldest;      /* of these */
};

#define tf_fast_take       NAME(gk_tf_fast_take)
#define tf_fast_gradient   NAME(gk_tf_fast_gradient)
#define tf_fast_score      NAME(gk_tf_fast_score)
#define tf_fast_predict    NAME(gk_tf_fast_predict)
#define tf_tables_take     NAME(gk_tf_tables_take)
#define tf_tables_forward  NAME(gk_tf_tables_forward)
#define tf_tables_backward NAME(gk_tf_tables_backward)
#define tf_pairs_take      NAME(gk_tf_pairs_take)
#define tf_pairs_clear     NAME(gk_tf_pairs_clear)
#define tf_pairs_forward   NAME(gk_tf_pairs_forward)
#define tf_pairs_backward  NAME(gk_tf_pairs_backward)
#define tf_products_take   NAME(gk_tf_products_take)
#define tf_products_begin  NAME(gk_tf_products_begin)
#define tf_products_end    NAME(gk_tf_products_end)
#define tf_products_keep   NAME(gk_tf_products_keep)
#define tf_products_turn   NAME(gk_tf_products_turn)
#define tf_products_logits NAME(gk_tf_products_logits)
#define tf_products_dwl    NAME(gk_tf_products_dwl)
#define tf_products_dpost  NAME(gk_tf_products_dpost)
#define tf_logits_loss     NAME(gk_tf_logits_loss)
#define tf_logits_score    NAME(gk_tf_logits_score)

/* ---- transformer_fast.c ---- */
/* Takes the fast form's memory; NULL while the pool counts. */
tf_fast *tf_fast_take(gk_pool *pool, const gk_model *m);
/* Mean loss of n <= p * p cells (repeats allowed) and its gradient in m->n.g; their scores and class logits where
 * `score` and `rows` are not NULL. */
void tf_fast_gradient(const gk_model *m, const int32_t *cells, int n, double *loss, gk_score *score,
                      const gk_output_rows *rows);
/* Scores of any number of cells, and their class logits where `rows` is not NULL; as above, rows->row must not be NULL.
 * `tables`: those of the last gradient still hold, since no weight has changed. */
void tf_fast_score(const gk_model *m, const int32_t *cells, int n, bool tables, gk_score *out,
                   const gk_output_rows *rows);
/* The p class logits, out [n, p]. */
void tf_fast_predict(const gk_model *m, const int32_t *cells, int n, double *out);

/* ---- called by all `threads` threads of a team; these hold barriers, and the end of the team is the last ---- */
void tf_tables_take(tf_tables *t, gk_pool *pool, const tf_sizes *s);
/* With what the way back needs, or only for outputs. */
void tf_tables_forward(const gk_model *m, int thread, int threads, bool keep);
/* From the threads' sums to the gradient of every weight, in m->n.g. */
void tf_tables_backward(const gk_model *m, int thread, int threads);

/* ---- one thread, one tile ---- */
void tf_pairs_take(tf_pairs *k, gk_pool *pool, const tf_sizes *s, tf_tables *t, net_activation activation);
void tf_pairs_clear(tf_pairs *k, const tf_sizes *s, const tf_tables *t);
/* Logits of n <= TF_PAIRS cells, in k->logits; `keep` what the way back needs. */
void tf_pairs_forward(const gk_model *m, tf_pairs *k, const int32_t *cells, int n, bool keep);
/* From the gradient in k->logits to k's sums. */
void tf_pairs_backward(const gk_model *m, tf_pairs *k);

/* ---- transformer_products.c, transformer_amx.c: the three products of (pairs x neurons x logits) ---- */
/* What of `t` and, if not NULL, of `k` only these use. */
void tf_products_take(tf_tables *t, tf_pairs *k, gk_pool *pool, const tf_sizes *s);
/* A thread's products stand between these two. */
void tf_products_begin(void);
void tf_products_end(void);
/* Panel j of W_L is computed; `keep`: also for the way back. */
void tf_products_keep(const gk_model *m, int j, bool keep);
/* The gradient of TF_COLUMNS pairs from `i` on stands in k->logits and, transposed, in k->columns. */
void tf_products_turn(const gk_model *m, tf_pairs *k, int i);
/* k->logits += post W_L^T for the strip of pairs from `i` on and the neurons of panel j; post [TF_STRIP, PANEL]. */
void tf_products_logits(const gk_model *m, tf_pairs *k, const real *post, int j, int i);
/* k->dwl += dlogits^T post for panel j. */
void tf_products_dwl(const gk_model *m, tf_pairs *k, int j);
/* dpost [TF_STRIP, PANEL] = dlogits W_L for the strip of pairs from `i` on. */
void tf_products_dpost(const gk_model *m, tf_pairs *k, real *dpost, int j, int i);

/* ---- transformer_logits.c ---- */
/* The summed loss of the first n pairs; k->logits becomes its gradient times `scale`. */
double tf_logits_loss(const gk_model *m, tf_pairs *k, int n, double scale);
void tf_logits_score(const gk_model *m, tf_pairs *k, int n);

#endif
