/* gk_method.h: the contract of a learner. A method is one constant table of functions; the training loop, the
 * measures and the store know a model only through it. */
#ifndef GK_METHOD_H
#define GK_METHOD_H

#include "gk_config.h"
#include "gk_task.h"

typedef enum gk_dtype { GK_F32, GK_F64, GK_I32, GK_I64 } gk_dtype;

static inline size_t gk_dtype_size(gk_dtype t) { return t == GK_F32 || t == GK_I32 ? 4 : 8; }

typedef struct gk_tensor {
    char name[64]; /* TransformerLens or PyTorch name, e.g. blocks.0.attn.W_Q */
    gk_dtype dtype;
    int rank;
    int64_t shape[4];
    void *data; /* row-major, borrowed */
} gk_tensor;

static inline size_t gk_tensor_count(const gk_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
    return n;
}

static inline size_t gk_tensor_bytes(const gk_tensor *t)
{
    return gk_tensor_count(t) * gk_dtype_size(t->dtype);
}

enum { GK_TENSORS_MAX = 64 };

typedef enum gk_tensor_set {
    GK_WEIGHTS,   /* what predicts: the networks' parameters, the RFM's M and alpha */
    GK_STATE,     /* weights and all else that resuming needs, so that it goes on to the same bits */
    GK_GRADIENTS, /* networks only: what `gradient` filled, in the order and shapes of GK_WEIGHTS */
} gk_tensor_set;

typedef struct gk_score {
    double loss;         /* mean training loss (the method's own: cross entropy, or squared error per output) */
    double accuracy;     /* share of cells whose largest of the p class outputs is the label */
    double correct_loss; /* mean over cells of (1 - output of the correct class)^2 for squared error,
                            of -log softmax over the p classes for cross entropy */
} gk_score;

/* Where `score` may leave the p class outputs of its cells, to the bits that `predict` gives. */
typedef struct gk_output_rows {
    double *rows;       /* [rows, p] */
    const int32_t *row; /* [p p] the row of each cell */
    int left;           /* cells whose outputs were left, a call after another */
} gk_output_rows;

typedef struct gk_model gk_model; /* each method's own */

typedef struct gk_method {
    const char *name;    /* mlp | transformer | rfm */
    const char *unit;    /* of a step: epoch | iteration */
    const char *summary; /* one line for help */
    const gk_key *keys;  /* its own keys and its overrides of shared defaults, ended by a NULL name */

    /* Takes all memory and draws the starting point (step 0). `split` is borrowed and outlives the model.
     * For the RFM step 0 is M_0 = I, not yet solved. */
    int (*init)(gk_model **out, const gk_config *config, const gk_split *split);
    /* One outer unit: an epoch, or for the RFM G_t from (M_t, alpha_t), then M_{t+1}, alpha_{t+1}.
     * *train_loss gets the mean training loss seen on the way (NULL allowed). GK_DIVERGED with the reason. */
    int (*step)(gk_model *m, double *train_loss);
    /* Loss and accuracy on n cells. `rows` (NULL allowed) gets all their outputs and `left` counts them, or neither:
     * where a model works out the outputs of many cells otherwise than those of few, or keeps them. */
    int (*score)(gk_model *m, const int32_t *cells, int n, gk_score *out, gk_output_rows *rows);
    /* The p class outputs, out [n, p] (the transformer's '=' logit is dropped). */
    int (*predict)(gk_model *m, const int32_t *cells, int n, double *out);
    /* The same on all p p cells where the model keeps them: borrowed until it moves on, float32, [p, p p], class by
     * class. *out is NULL where it keeps none; NULL for a method that never does. */
    int (*outputs)(gk_model *m, const float **out);
    /* Fills out[GK_TENSORS_MAX], returns the count. Data is the model's own memory, valid until the next call
     * of the table; a caller may write into it and then call `loaded`. */
    int (*tensors)(gk_model *m, gk_tensor_set set, gk_tensor *out);
    /* Tells the model that its tensors of `set` were overwritten and that it now stands after `step` steps. */
    int (*loaded)(gk_model *m, gk_tensor_set set, int64_t step);
    /* Would the model's weights, loaded into a fresh one, predict to the same bits? NULL: always. */
    bool (*from_weights)(gk_model *m);
    /* NULL-terminated kinds of feature matrices that `feature` can give, e.g. agop, nfm, metric. */
    const char *const *feature_kinds;
    /* One feature matrix, out [n, n] with n = feature_size(kind). Raw matrices only: sqrt_agop is made by the measures. */
    int (*feature)(gk_model *m, const char *kind, double *out);
    int (*feature_size)(gk_model *m, const char *kind); /* 2p for agop, nfm, metric */
    /* What one class adds to the agop, out [2p, 2p]: the mean of g g^T over training points, g the gradient of that
     * class's output. Over the classes they sum to the agop. */
    int (*class_agop)(gk_model *m, int class, double *out);
    void (*free)(gk_model *m);                          /* accepts NULL */

    /* ---- networks only, NULL for kernel machines ---- */

    /* Mean loss over a batch of cells (repeats allowed) and its gradient in GK_GRADIENTS; no update.
     * plain = true takes the layer-by-layer reference form, false the form that training uses. */
    int (*gradient)(gk_model *m, const int32_t *cells, int n, bool plain, double *loss);
    int (*width)(gk_model *m);                                                /* number of hidden neurons */
    int (*neurons)(gk_model *m, const int32_t *cells, int n, double *out);    /* post-activations [n, width] */
    /* Outputs [n, p] when the neurons are replaced by the given activations [n, width]. */
    int (*from_neurons)(gk_model *m, const int32_t *cells, int n, const double *neurons, double *out);
    int (*neuron_logit)(gk_model *m, double *out);        /* W_L [p, width]: W2, or (W_out W_U)^T */
    int (*embed_rows)(gk_model *m);                       /* rows of `embed` */
    int (*embed)(gk_model *m, double *out);               /* [embed_rows, p]: W_E^T, or W1's halves stacked */
    int (*heads)(gk_model *m);                            /* attention heads, 0 without attention */
    int (*without_head)(gk_model *m, const int32_t *cells, int n, int head, double *out); /* [n, p] */

    /* Further metrics about how the last step went (an iterative solver's residual ...), through `value`; NULL for
     * none. */
    int (*report)(gk_model *m, int (*value)(void *context, const char *name, double v), void *context);
    /* Progress within a call that takes longer than a second: from now on `now` hears what is being done and the share
     * of it that is done (0 to 1), a few times a second at most, on the caller's thread. now = NULL ends it; NULL for
     * none. */
    void (*watch)(gk_model *m, void (*now)(void *context, const char *doing, double share), void *context);
} gk_method;

/* The tables, joined into the list in src/registry.c. dtype GK_F32 or GK_F64 for the networks (the best
 * instruction set of this CPU is picked; the environment's GROKLAB_ISA=base|v3|v4|amx picks another). */
const gk_method *gk_mlp_method(gk_dtype dtype);
const gk_method *gk_transformer_method(gk_dtype dtype);
const gk_method *gk_rfm_method(void);

#endif
