/* mlp.h: the two-layer network f(X) = W2 s(W1 X) on one-hot pairs X = e_x (+) e_y (Mallinar et al. 2024);
 * with two tasks at once X = e_x (+) e_y (+) t, t = 0 or 1. */
#ifndef GK_MLP_H
#define GK_MLP_H

#include "nets.h"

typedef struct mlp_weights {
    real *w1; /* fc1.weight [width, in] */
    real *w2; /* out.weight [p, width] */
} mlp_weights;

/* Random-circulant features (Mallinar et al. 2024, section 5): the network sees T X, T [2p, 2p] symmetric, so that on
 * one-hot X it has the columns of W1 T where the plain network has those of W1. */
typedef struct mlp_inputs {
    bool random;   /* T is not I */
    real *t;       /* [2p, 2p] */
    real *columns; /* [width, 2p] W1 T as of the last mlp_inputs_forward; W1 itself where T = I */
    real *work;    /* [width, 2p] */
} mlp_inputs;

/* A term of the loss, weight * trace(AGOP) over the batch. */
typedef struct mlp_penalty {
    double weight;          /* 0: there is none, and no memory either */
    real *slopes;           /* [width, width] mean over the batch of s' s'^T */
    real *inward, *outward; /* [width, width] E E^T with E = W1 T, and W2^T W2 */
    real *product;          /* [width, width] */
} mlp_penalty;

enum { MLP_BLOCK = 128 }; /* examples that a thread works on at a time */

typedef struct mlp_work { /* one thread's */
    real *z, *a, *da;     /* [MLP_BLOCK, width] pre- and post-activations and their gradient */
    real *out;            /* [MLP_BLOCK, p] */
    real *flat;           /* gradient of this thread's examples */
    mlp_weights g;        /* into `flat` */
    double loss;
    gk_score score;
} mlp_work;

typedef struct mlp_fast mlp_fast; /* mlp_fast.h */

struct gk_model {
    net n;
    int width, in; /* in = 2p input coordinates, one more where there are two tasks */
    mlp_weights w;
    mlp_inputs inputs;
    mlp_penalty penalty;
    mlp_work *work; /* [threads] */
    bool plain;     /* training takes the plain form; the fast one has no memory then */
    mlp_fast *fast; /* or NULL */
};

#define mlp_gather_forward   NAME(gk_mlp_gather_forward)
#define mlp_gather_backward  NAME(gk_mlp_gather_backward)
#define mlp_readout_forward  NAME(gk_mlp_readout_forward)
#define mlp_readout_backward NAME(gk_mlp_readout_backward)
#define mlp_inputs_take      NAME(gk_mlp_inputs_take)
#define mlp_inputs_fill      NAME(gk_mlp_inputs_fill)
#define mlp_inputs_forward   NAME(gk_mlp_inputs_forward)
#define mlp_inputs_backward  NAME(gk_mlp_inputs_backward)
#define mlp_penalty_take     NAME(gk_mlp_penalty_take)
#define mlp_penalty_gradient NAME(gk_mlp_penalty_gradient)
#define mlp_feature          NAME(gk_mlp_feature)
#define mlp_feature_kinds    NAME(gk_mlp_feature_kinds)
#define mlp_class_agop       NAME(gk_mlp_class_agop)

/* z [n, width]: z_i = W1[:, x_i] + W1[:, p + y_i] + t_i W1[:, 2p], t_i = 1 for a cell of the second task; w1 [width, in] */
void mlp_gather_forward(real *z, const int32_t *cells, const real *w1, int in, int n, int p, int width);
/* dw1 += dz_i at these columns */
void mlp_gather_backward(real *dw1, int in, const real *dz, const int32_t *cells, int n, int p, int width);
/* out [n, p] = a W2^T */
void mlp_readout_forward(real *out, const real *a, const real *w2, int n, int p, int width);
/* da = dout W2 (NULL to leave out), dw2 += dout^T a */
void mlp_readout_backward(real *da, real *dw2, const real *dout, const real *a, const real *w2, int n, int p,
                          int width);

/* ---- mlp_inputs.c ---- */
void mlp_inputs_take(gk_model *m);
/* Draws T as the settings ask for. */
int mlp_inputs_fill(gk_model *m, const gk_config *config);
void mlp_inputs_forward(gk_model *m);
/* From the gradient dcolumns [width, 2p] to that of W1, in place. */
void mlp_inputs_backward(gk_model *m, real *dcolumns);

/* ---- mlp_penalty.c ---- */
void mlp_penalty_take(gk_model *m);
/* Adds the penalty's gradient over n cells by W1 T and by W2, and returns the penalty. */
double mlp_penalty_gradient(gk_model *m, const int32_t *cells, int n, real *dcolumns, real *dw2);

extern const char *const mlp_feature_kinds[];
int mlp_feature(gk_model *m, const char *kind, double *out);
int mlp_class_agop(gk_model *m, int class, double *out);

#endif
