/* rfm.h: inside of the Recursive Feature Machine (Mallinar et al. 2024, arXiv 2407.20199, Algorithm 1).
 *
 * A training point is z = e_x (+) e_y in R^{2p}. With the metric M = [[A, B], [B', C]] (p x p blocks) everything that a
 * kernel needs is g(z, z') = z' M z' = A[x,x'] + B[x,y'] + B[x',y] + C[y,y'], a sum of four table entries. The
 * predictor is f_c(z) = sum_i alpha[i,c] k(z, z_i), and one iteration is
 *
 *     G_t = (1/n) sum_{j,c} grad f_c(z_j) grad f_c(z_j)',   M_{t+1} = G_t^power,   (K_{t+1} + ridge I) alpha_{t+1} = Y.
 *
 * Every gradient here has the form grad f_c(z_j) = s M w_c(j), w_c(j) = sum_i R[j,i] alpha[i,c] z_i + tau[j,c] z_j:
 *
 *     kernel              k(z, z')                              R[j,i]             tau[j,c]                       s
 *     quadratic           g^2                                   2 g                0                              1
 *     general_quadratic   g^2 + (q - 1)(q' - 1) / 2             2 g                sum_i alpha[i,c] (q_i - 1)     1
 *     gaussian            exp(-d^2 / (2 L^2))                   k                  -sum_i R[j,i] alpha[i,c]       1/L^2
 *     laplace             exp(-d / L)                           k / d (0 at d = 0) -sum_i R[j,i] alpha[i,c]       1/L
 *
 * with q = g(z, z) and d^2 = q + q' - 2 g. */
#ifndef GK_RFM_H
#define GK_RFM_H

#include "gk_matrix.h"
#include "gk_method.h"
#include "panel.h"

/* With a solver_tolerance below this the feature moments are summed in float64, too. Where G is far from full rank, M =
 * G^.5 turns a rounding of 1e-7 in G into 3e-4. */
#define GK_RFM_FINE 1e-6

typedef enum gk_rfm_kernel {
    GK_RFM_QUADRATIC,
    GK_RFM_GENERAL,
    GK_RFM_GAUSSIAN,
    GK_RFM_LAPLACE,
} gk_rfm_kernel;

/* Training cells in one of two orders: by x (the order of split->learn) or by y. Points of one coordinate a are
 * start[a] .. start[a+1]-1 in the order that is sorted by it. Two tasks at once add a coordinate t = 0 or 1 to z. For the
 * tables the first input then ranges over px = 2p letters, x + p t, as it does in the numbers of the cells: with M =
 * [[A, B, r], [B', C, s], [r', s', h]]
 *     A~[x + pt, x' + pt'] = A[x,x'] + t r[x'] + t' r[x] + t t' h,   B~[x + pt, y'] = B[x,y'] + t s[y'],
 * and g is a sum of four entries again. */
typedef struct gk_rfm_points {
    int n;
    int32_t *x, *y, *start; /* [n] [n] [letters+1] */
    int32_t *from;          /* [n] index of the point in the order by x */
    double *q, *h;          /* [n] what depends on the point alone, filled by gk_rfm_kernel_prepare */
} gk_rfm_points;

/* Tables from which kernel rows are made without an exponential per entry. */
typedef struct gk_rfm_tables {
    gk_rfm_kernel kernel;
    double bandwidth;
    int p, px;
    bool factored;          /* gaussian: the four exp tables neither overflow nor vanish */
    double *a, *b, *bt, *c; /* [px,px] [px,p] [p,px] [p,p] blocks of M, or exp tables of them when factored; bt = b' */
    double *q;              /* [px,p] g(z, z) */
} gk_rfm_tables;

/* Points whose kernel rows are made together. k(z_j, z_i) comes of u[x_i,j] and v[y_i,j]: with the tables factored it is
 * their product times h_i, else g(z_j, z_i) is their sum. */
typedef struct gk_rfm_panel {
    int count;
    double *u, *v; /* [px,PANEL] [p,PANEL] */
    double *q;     /* [PANEL] g(z_j, z_j) */
} gk_rfm_panel;

typedef struct gk_rfm_dense gk_rfm_dense;
typedef struct gk_rfm_grids gk_rfm_grids;
typedef struct gk_rfm_radial gk_rfm_radial;
typedef struct gk_rfm_solver gk_rfm_solver;

struct gk_model {
    const gk_split *split;
    int p, n, n_cells, threads; /* n_cells = px p */
    int px, d;                  /* letters of the first input; d = 2p coordinates, one more with two tasks */
    gk_rfm_kernel kernel;
    double bandwidth, ridge, power, tolerance;
    bool centering;
    int64_t step;
    const gk_rfm_solver *chosen, *solver; /* solver = chosen, or cholesky after falling back to it */
    gk_pool pool, fallback_pool;
    bool may_fall_back; /* solver auto: a system that conjugate gradients cannot solve goes to cholesky, if that fits */
    bool prepared;      /* the solver's tables are those of the metric */

    /* the state: all else follows from it by deterministic functions */
    double *metric;       /* [d,d] M_t */
    double *alpha;        /* [n,p], all zero while unsolved */
    int64_t *fallen_back; /* [1] 1 after falling back */

    double *previous;   /* [d,d] M_t while step t works on M_{t+1} */
    double *agop;       /* [d,d] G_t */
    double *scratch;    /* [d,d] */
    double *outputs;    /* [p,n_cells] f on every cell, class by class; NULL when the solver keeps float32 */
    float *outputs_f32; /* the same, or NULL */
    double *row;        /* [n_cells] */
    int32_t *best;      /* [n_cells] */
    bool solved, predicted, agop_known;
    double residual;   /* measured |Y - (K + ridge I) alpha| / |Y| */
    double iterations; /* of an iterative solver, mean over classes */
    gk_rfm_points by_x, by_y;
    void (*watch)(void *context, const char *doing, double share);
    void *watch_context;
    double watched_since, watched_last; /* seconds */
    gk_rfm_tables tables;
    gk_rfm_dense *dense;
    gk_rfm_grids *grids;
    gk_rfm_radial *radial;
};

/* A way to solve, predict and differentiate. Every function may use all that `layout` took. */
struct gk_rfm_solver {
    const char *name;
    bool single; /* its outputs are outputs_f32, not outputs */
    /* Takes its memory from the pool (called twice: counting, then for real). */
    void (*layout)(gk_model *m, gk_pool *pool);
    /* Fills what depends on the training cells alone; once. */
    void (*place)(gk_model *m);
    /* Tables of a new metric. */
    void (*prepare)(gk_model *m);
    /* alpha from the metric (and, where it helps, the alpha of before). GK_DIVERGED with the reason. */
    int (*solve)(gk_model *m);
    bool solve_predicts; /* solve leaves outputs and residual, too */
    /* outputs and residual from (metric, alpha): the same bits as solve leaves. */
    int (*predict)(gk_model *m);
    /* S [2p,2p] = sum_{j,c} w_c(j) w_c(j)' over the classes c = first .. first+classes-1, centred if asked, from (metric,
     * alpha), into m->agop. */
    int (*moments)(gk_model *m, int first, int classes);
};

extern const gk_rfm_solver gk_rfm_cholesky;  /* dense.c */
extern const gk_rfm_solver gk_rfm_cg;        /* cg.c: quadratic and general_quadratic */
extern const gk_rfm_solver gk_rfm_radial_cg; /* radial.c: gaussian and laplace */

/* ---- budget.c ---- */

/* Bytes that this process may still take; a huge number where the system does not say. */
double gk_rfm_memory_free(void);
/* Floating-point work of one iteration, comparable with each other, and the seconds that it may take. */
double gk_rfm_dense_work(double n, double p);
double gk_rfm_cg_work(double p);
double gk_rfm_radial_work(double n, double p);
double gk_rfm_seconds(double work, int threads);
/* Progress for whoever watches: a call starts with `from_here`; `tell` passes on, now and then, what is being done.
 * Only on the thread that called the model. */
void gk_rfm_tell_from_here(gk_model *m);
void gk_rfm_tell(gk_model *m, const char *doing, double share);

/* ---- predict.c: outputs by rows of the kernel matrix ---- */

enum { GK_RFM_GROUP = 4 }; /* panels at a time, so that each stretch of what they share is read so much less often */

/* What one thread works in. */
typedef struct gk_rfm_cells_desk {
    gk_rfm_panel panel[GK_RFM_GROUP];
    double *block;   /* [DEPTH,PANEL] of the kernel matrix */
    double *product; /* [GROUP,p,PANEL] */
} gk_rfm_cells_desk;

typedef struct gk_rfm_cells {
    gk_rfm_cells_desk *desks; /* [threads] */
    double *packed;           /* alpha as gk_panel_product_f64 takes it */
    int32_t *others;          /* [n_cells - n] the cells that are not trained on */
} gk_rfm_cells;

void gk_rfm_cells_layout(const gk_model *m, gk_rfm_cells *w, gk_pool *pool);
void gk_rfm_cells_place(const gk_model *m, gk_rfm_cells *w);
/* m->outputs on some cells from m->alpha. */
void gk_rfm_predict_cells(gk_model *m, const int32_t *cells, int count, gk_rfm_cells *w);
/* |Y - (K + ridge) alpha|^2 of each class [p], and their sum, from the outputs on the training cells. */
double gk_rfm_residual_sq(const gk_model *m, double *of_class);

/* ---- two_tasks.c: the moments of moments.h with a coordinate for the task, for the dense solver ---- */

typedef struct gk_rfm_two_desk gk_rfm_two_desk;
gk_rfm_two_desk *gk_rfm_two_layout(const gk_model *m, gk_pool *pool);
/* S [d,d] of some classes into m->agop. */
void gk_rfm_two_moments(gk_model *m, gk_rfm_two_desk *desks, int first, int classes);

/* ---- kernel.c ---- */

void gk_rfm_kernel_layout(gk_rfm_tables *t, gk_pool *pool);
/* Fills the tables and the points' q and h from M [d,d]. */
void gk_rfm_kernel_prepare(gk_rfm_tables *t, const double *metric, gk_rfm_points *by_x, gk_rfm_points *by_y);
/* Takes the panel's memory: two calls, as a layout's. */
void gk_rfm_panel_layout(const gk_rfm_tables *t, gk_rfm_panel *w, gk_pool *pool);
/* count <= PANEL points by their cells x p + y. */
void gk_rfm_panel_place(const gk_rfm_tables *t, gk_rfm_panel *w, const int32_t *cells, int count);
/* out [count,PANEL]: k(z_j, z_i) for the points z_j of a panel and the points i = first..first+count-1 of an order; 0 in
 * lanes without a point. */
void gk_rfm_kernel_values(const gk_rfm_tables *t, const gk_rfm_panel *w, const gk_rfm_points *at, int first, int count,
                          double *out);
/* The same with R of the table above. */
void gk_rfm_kernel_slopes(const gk_rfm_tables *t, const gk_rfm_panel *w, const gk_rfm_points *at, int first, int count,
                          double *out);
/* s of the table above. */
double gk_rfm_kernel_scale(const gk_rfm_tables *t);
static inline bool gk_rfm_kernel_radial(const gk_rfm_tables *t)
{
    return t->kernel == GK_RFM_GAUSSIAN || t->kernel == GK_RFM_LAPLACE;
}

#endif
