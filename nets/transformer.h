/* transformer.h: the one-layer transformer on the tokens (x, y, '=') without LayerNorm (Nanda et al. 2023). Only the
 * last position is read, so only its query, its neurons and its logits are computed. Shapes and names are
 * TransformerLens's. */
#ifndef GK_TRANSFORMER_H
#define GK_TRANSFORMER_H

#include "nets.h"

typedef struct tf_sizes {
    int p, vocab;  /* classes, tokens = p + 1: '=' is token p */
    int d;         /* residual stream */
    int heads, dh; /* heads * dh = d */
    int dm;        /* neurons */
} tf_sizes;

typedef struct tf_weights {
    real *w_e;             /* embed.W_E [vocab, d] */
    real *w_pos;           /* pos_embed.W_pos [3, d] */
    real *w_q, *w_k, *w_v; /* blocks.0.attn.W_Q, W_K, W_V [heads, d, dh] */
    real *w_o;             /* blocks.0.attn.W_O [heads, dh, d] */
    real *w_in, *b_in;     /* blocks.0.mlp.W_in [d, dm], b_in [dm] */
    real *w_out, *b_out;   /* blocks.0.mlp.W_out [dm, d], b_out [d] */
    real *w_u;             /* unembed.W_U [d, vocab] */
} tf_weights;

enum { TF_BLOCK = 128 }; /* pairs that a thread works on at a time in the plain form */

/* Activations of one block of pairs in the plain form. Suffix _l: the last position ('='), the same for every pair. */
typedef struct tf_block {
    real *x, *x_l;  /* [B, 2, d], [d] embedded tokens */
    real *q_l;      /* [d] query of the last position, all heads */
    real *k, *k_l;  /* [B, 2, d], [d] keys */
    real *v, *v_l;  /* [B, 2, d], [d] values */
    real *a;        /* [B, heads, 3] attention of the last position */
    real *o;        /* [B, d] mixed values, all heads */
    real *mid;      /* [B, d] residual stream after attention */
    real *z, *post; /* [B, dm] neurons before and after the activation */
    real *end;      /* [B, d] residual stream after the MLP */
    real *logits;   /* [B, vocab] */
} tf_block;

typedef struct tf_work { /* one thread's */
    tf_block f, g;       /* forward, and the gradient of each activation */
    real *flat;          /* gradient of this thread's pairs */
    tf_weights dw;       /* into `flat` */
    double loss;
    gk_score score;
} tf_work;

typedef struct tf_fast tf_fast; /* transformer_fast.h */

struct gk_model {
    net n;
    tf_sizes s;
    tf_weights w;
    tf_work *work;    /* [threads] */
    bool plain;       /* training takes the plain form; the fast one has no memory then */
    tf_fast *fast;    /* or NULL */
    bool ahead;       /* n.g is the next step's gradient, and ahead_loss its loss: from scoring the batch, which is all of
                         the training pairs; and the fast form's tables are those of the weights as they stand */
    double ahead_loss;
    int agop_samples; /* training pairs of the AGOP: all, or so many spread evenly over them in the order of cells */
};

#define tf_embed_forward    NAME(gk_tf_embed_forward)
#define tf_embed_backward   NAME(gk_tf_embed_backward)
#define tf_project_forward  NAME(gk_tf_project_forward)
#define tf_project_backward NAME(gk_tf_project_backward)
#define tf_attend_forward   NAME(gk_tf_attend_forward)
#define tf_attend_backward  NAME(gk_tf_attend_backward)
#define tf_linear_forward   NAME(gk_tf_linear_forward)
#define tf_linear_backward  NAME(gk_tf_linear_backward)
#define tf_block_take       NAME(gk_tf_block_take)
#define tf_plain_attention  NAME(gk_tf_plain_attention)
#define tf_plain_neurons    NAME(gk_tf_plain_neurons)
#define tf_plain_readout    NAME(gk_tf_plain_readout)
#define tf_plain_backward   NAME(gk_tf_plain_backward)
#define tf_agop             NAME(gk_tf_agop)
#define tf_class_agop       NAME(gk_tf_class_agop)
#define tf_feature          NAME(gk_tf_feature)
#define tf_feature_kinds    NAME(gk_tf_feature_kinds)

/* ---- transformer_layers.c: outputs first; backward functions add to weight gradients and to din ---- */

/* x_i = (W_E[x_i] + W_pos[0], W_E[y_i] + W_pos[1]), x_l = W_E[p] + W_pos[2] */
void tf_embed_forward(real *x, real *x_l, const int32_t *cells, const tf_weights *w, int n, const tf_sizes *s);
void tf_embed_backward(tf_weights *dw, const real *dx, const real *dx_l, const int32_t *cells, int n,
                       const tf_sizes *s);
/* out [n, heads, dh] = in [n, d] times each head's w [d, dh] */
void tf_project_forward(real *out, const real *in, const real *w, int n, const tf_sizes *s);
void tf_project_backward(real *din, real *dw, const real *dout, const real *in, const real *w, int n,
                         const tf_sizes *s);
/* a = softmax over the three positions of q_l . k / sqrt(dh); o = sum of a v */
void tf_attend_forward(tf_block *f, int n, const tf_sizes *s);
/* From g->o: sets g->k, g->v, and g->q_l, g->k_l, g->v_l (sums over the block). */
void tf_attend_backward(tf_block *g, const tf_block *f, int n, const tf_sizes *s);
/* out [n, o] = in [n, i] w [i, o] + b (b may be NULL) */
void tf_linear_forward(real *out, const real *in, const real *w, const real *b, int n, int i, int o);
/* din is set, not added to; db may be NULL */
void tf_linear_backward(real *din, real *dw, real *db, const real *dout, const real *in, const real *w, int n, int i,
                        int o);

/* ---- transformer_plain.c: a block of pairs layer by layer ---- */

void tf_block_take(tf_block *b, gk_pool *pool, const tf_sizes *s);
void tf_plain_attention(const gk_model *m, tf_block *f, const int32_t *cells, int n); /* up to o */
void tf_plain_neurons(const gk_model *m, tf_block *f, int n);                         /* from o to post */
void tf_plain_readout(const gk_model *m, tf_block *f, int n);                         /* from mid, post to logits */
/* From g.logits to the weight gradients, added to k->dw. */
void tf_plain_backward(const gk_model *m, tf_work *k, const int32_t *cells, int n);

/* ---- transformer_agop.c: out [2p, 2p] ---- */
int tf_agop(gk_model *m, double *out);
int tf_class_agop(gk_model *m, int class, double *out); /* what this class adds to it */

/* ---- transformer_feature.c ---- */
extern const char *const tf_feature_kinds[];
int tf_feature(gk_model *m, const char *kind, double *out);

#endif
