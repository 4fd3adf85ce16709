/* nets.h: what the two networks share. Every file of this room but select.c is compiled once per number type and
 * instruction set, so every exported name carries the variant: NAME(gk_mlp_table) is gk_mlp_table_f32_v4, and so on. */
#ifndef GK_NETS_H
#define GK_NETS_H

#include "gk_matrix.h"
#include "gk_method.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define NAME_JOIN(name, variant) name##_##variant
#define NAME_OF(name, variant)   NAME_JOIN(name, variant)
#define NAME(name)               NAME_OF(name, GK_VARIANT)

typedef GK_REAL real;

#define net_read              NAME(gk_net_read)
#define net_take              NAME(gk_net_take)
#define net_memory            NAME(gk_net_memory)
#define net_shuffle           NAME(gk_net_shuffle)
#define net_tensors           NAME(gk_net_tensors)
#define net_loaded            NAME(gk_net_loaded)
#define net_diverged          NAME(gk_net_diverged)
#define net_share             NAME(gk_net_share)
#define net_adamw             NAME(gk_net_adamw)
#define net_epoch             NAME(gk_net_epoch)
#define net_widen             NAME(gk_net_widen)
#define net_narrow            NAME(gk_net_narrow)
#define net_leave             NAME(gk_net_leave)
#define net_activate          NAME(gk_net_activate)
#define net_activate_backward NAME(gk_net_activate_backward)
#define net_activation_slope  NAME(gk_net_activation_slope)
#define net_activation_curve  NAME(gk_net_activation_curve)
#define net_loss_rows         NAME(gk_net_loss_rows)
#define net_loss_columns      NAME(gk_net_loss_columns)
#define net_score_columns     NAME(gk_net_score_columns)
#define net_score_rows        NAME(gk_net_score_rows)
#define net_score_add         NAME(gk_net_score_add)
#define net_mlp_table         NAME(gk_mlp_table)
#define net_transformer_table NAME(gk_transformer_table)

#ifdef GK_REAL_f32
#define NET_DTYPE  GK_F32
#define real_sqrt  sqrtf
#define real_exp   expf
#define real_erf   erff
#define real_log1p log1pf
#define real_fabs  fabsf
#else
#define NET_DTYPE  GK_F64
#define real_sqrt  sqrt
#define real_exp   exp
#define real_erf   erf
#define real_log1p log1p
#define real_fabs  fabs
#endif

typedef enum net_activation { NET_QUADRATIC, NET_RELU, NET_GELU, NET_SWISH, NET_SOFTPLUS } net_activation;
typedef enum net_loss { NET_MSE, NET_CROSS_ENTROPY } net_loss;

/* ---- layout: a network names its tensors once; the function that does so is run with base NULL to count and then
 * with each flat vector (weights, gradients, moments) to hand out pointers ---- */

enum { NET_TENSORS = 16 };

typedef struct net_layout {
    real *base;  /* the flat vector, NULL while counting */
    size_t used; /* reals, each tensor rounded up to a cache line */
    gk_tensor tensors[NET_TENSORS];
    int n;
} net_layout;

/* The next tensor: rank dimensions of `shape`. */
real *net_take(net_layout *l, const char *name, int rank, const int64_t *shape);

/* ---- the part of a model that both networks have ---- */

typedef struct net {
    const gk_split *split;
    int p, outputs; /* classes; outputs = p, or p + 1 for the transformer */
    net_activation activation;
    net_loss loss;
    bool centring;
    double lr, decay, beta1, beta2, eps, init_scale;
    int64_t warmup, batch; /* batch = n_train for the full batch */
    uint64_t seed;
    int threads;

    gk_pool pool;
    size_t size;         /* reals in each flat vector; the padding stays 0 */
    real *w, *g, *m, *v; /* weights, gradients, AdamW's first and second moment */
    net_layout layout;   /* of w */
    int64_t epoch;       /* epochs done */
    int64_t *updates;    /* [1] AdamW updates done */
    int32_t *order;      /* [n_train] cells in the order of this epoch */
} net;

/* The settings that both networks read. */
void net_read(net *n, const gk_config *config, const gk_split *split, int outputs);
/* Takes the flat vectors of `size` reals from the pool (call in both passes). */
void net_memory(net *n, size_t size);
/* Puts the training cells in the order of the epoch: ascending for the full batch, shuffled by stream SHUFFLE + epoch
 * otherwise, so that a resumed run needs no generator state. */
void net_shuffle(net *n);
int net_tensors(net *n, gk_tensor_set set, gk_tensor *out);
int net_loaded(net *n, gk_tensor_set set, int64_t step);
/* The error of a training loss that is not finite. */
int net_diverged(const net *n, double loss);
/* Thread t of `threads` owns items [*from, *to): a fixed partition, so that sums have a fixed order. */
void net_share(int items, int t, int threads, int *from, int *to);

static inline int net_rows(int n, int from, int block) /* of the block that starts at `from` */
{
    return n - from < block ? n - from : block;
}
void net_widen(double *out, const real *in, size_t count);
void net_narrow(real *out, const double *in, size_t count);

/* Where the outputs of cell i of a call are left: in its row, or without a map in the order of the call. */
static inline double *net_place(const gk_output_rows *rows, const int32_t *cells, ptrdiff_t i, int p)
{
    return rows->rows + (rows->row ? rows->row[cells[i]] : i) * p;
}
/* Leaves the p class outputs of cells from..from+count-1 of a call; out [count, ld]. */
void net_leave(const gk_output_rows *rows, const int32_t *cells, int from, int count, const real *out, int ld, int p);

/* Numbers below the smallest normal one count as 0 between these two, on this thread: moments of weights that get no
 * gradient and probabilities of settled pairs decay into that range, where some CPUs are a hundred times slower. */
static inline uint64_t net_flush_begin(void)
{
#if defined(__x86_64__)
    const uint64_t mode = _mm_getcsr();
    _mm_setcsr((unsigned)mode | 0x8040); /* flush to zero, denormals are zero */
    return mode;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | (uint64_t)1 << 24));
    return mode;
#else
    return 0;
#endif
}

static inline void net_flush_end(uint64_t mode)
{
#if defined(__x86_64__)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    (void)mode;
#endif
}

/* A method's `gradient`: mean loss over cells and its gradient in n->g. */
typedef int net_gradient(gk_model *m, const int32_t *cells, int count, bool plain, double *loss);
/* One epoch of AdamW over the batches in this epoch's order; GK_DIVERGED when a loss is not finite. */
int net_epoch(net *n, gk_model *m, net_gradient *gradient, double *train_loss);

/* ---- adamw.c ---- */

typedef struct net_rates net_rates; /* adamw.h */
/* w, m, v [count] after one update with gradient g. */
void net_adamw(real *w, real *m, real *v, const real *g, size_t count, const net_rates *r);

/* ---- activation.c ---- */

/* out = s(z), out may be z. */
void net_activate(real *out, const real *z, size_t count, net_activation s);
/* dz = dout s'(z), dz may be dout. */
void net_activate_backward(real *dz, const real *dout, const real *z, size_t count, net_activation s);
/* out = s'(z). */
void net_activation_slope(real *out, const real *z, size_t count, net_activation s);
/* out = s''(z), out may be z. */
void net_activation_curve(real *out, const real *z, size_t count, net_activation s);

/* ---- loss.c: rows [rows, outputs] with row length ld; cells give the labels ---- */

/* Sum over rows of the loss (squared error: mean over outputs); dout = scale * its derivative, NULL to leave out.
 * dout may be out. Log-softmax and sums in double. */
double net_loss_rows(const net *n, real *dout, const real *out, int ld, const int32_t *cells, int rows, double scale);
/* Adds the rows' loss, hits and correct-class loss to `sum`. */
void net_score_rows(const net *n, gk_score *sum, const real *out, int ld, const int32_t *cells, int rows);
/* total += part / cells */
void net_score_add(gk_score *total, const gk_score *part, int cells);

/* ---- loss_columns.c: the same losses of columns: output c of example i at out[c * ld + i]; whole vectors ---- */

/* Sum of the losses of columns 0..n-1 of `columns` (n may be less than 1); out becomes scale times its derivative, 0
 * from column n on. labels [columns] are all in range. */
double net_loss_columns(const net *n, real *out, ptrdiff_t ld, const int32_t *labels, int count, int columns,
                        double scale);
/* Adds the scores of columns 0..count-1; may write to out. */
void net_score_columns(const net *n, gk_score *sum, real *out, ptrdiff_t ld, const int32_t *labels, int count);

static inline void net_gemm(bool ta, bool tb, int m, int n, int k, real alpha, const real *a, int lda, const real *b,
                            int ldb, real beta, real *c, int ldc)
{
#ifdef GK_REAL_f32
    gk_gemm_f32(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#else
    gk_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#endif
}

extern const gk_method net_mlp_table, net_transformer_table;

/* Keys that both networks have, for their tables. */
#define NET_KEYS                                                                                                       \
    {"lr", GK_KEY_REAL, "0.001", 0, 1e3, NULL, "AdamW's learning rate"},                                               \
        {"weight_decay", GK_KEY_REAL, "1", 0, 1e3, NULL, "AdamW's decoupled weight decay, on all parameters"},         \
        {"beta1", GK_KEY_REAL, "0.9", 0, 0.999999999, NULL, "AdamW's decay of the first moment"},                      \
        {"beta2", GK_KEY_REAL, "0.98", 0, 0.999999999, NULL, "AdamW's decay of the second moment"},                    \
        {"eps", GK_KEY_REAL, "1e-08", 0, 1, NULL, "AdamW's term outside the square root"},                             \
        {"init_scale", GK_KEY_REAL, "1", 0, 1e6, NULL, "multiplies the initial weights"},                              \
    {                                                                                                                  \
        "centering", GK_KEY_CHOICE, "off", 0, 0, "off|on", "AGOP of the Jacobian less its mean over samples"           \
    }

#endif
