/* grid.h: the quadratic kernels without a kernel matrix. A class's coefficients are a grid W [p,p], zero off the
 * training cells, with row sums r and column sums s. With g = A[x,x'] + B[x,y'] + B[x',y] + C[y,y'] the kernel operator
 *
 *     (K W)[x,y] = sum_{x',y'} g^2 W[x',y']
 *                = 2 (A (W C + diag(r) B) + B (W'B + diag(s) C))[x,y]
 *                  + ((A o A) r + (B o B) s + 2 rowsum((A W) o B))[x]
 *                  + ((B o B)' r + (C o C) s + 2 colsum((W'B) o C))[y]
 *
 * takes 5 p^3 multiply-adds a class and gives the whole grid, test cells included. The vector v_c(x,y) = sum g z' W of
 * the gradient is separable, v_c(x,y) = F1[x] + F2[y] with
 *
 *     F1 = [A diag(r) + B W' | A W + B diag(s)]  [p,2p],    F2' = [W C + diag(r) B ; W'B + diag(s) C]  [2p,p],
 *
 * so that its second moments over the training cells need p^3 a class as well. general_quadratic adds rank one to K and
 * a multiple of z to the gradient. Both number types are made from one source (grid_real.h). */
#ifndef GK_RFM_GRID_H
#define GK_RFM_GRID_H

#include "rfm.h"

#define GK_GRID_DECLARE(real, suffix)                                                                                  \
    typedef struct gk_grid_##suffix {                                                                                  \
        int p;                                                                                                         \
        real *m;       /* [2p,2p] the metric */                                                                        \
        real *squares; /* [2p,2p] its entries squared */                                                               \
        real *mask;    /* [p,p] 1 on training cells, else 0 */                                                         \
        real *excess;  /* [p,p] q - 1 / unit for general_quadratic, NULL for quadratic */                              \
    } gk_grid_##suffix;                                                                                                \
    typedef struct gk_desk_##suffix { /* what one thread works in */                                                   \
        real *t;                      /* [2p,p] F2' */                                                                 \
        real *u;                      /* [p,2p] */                                                                     \
        real *h;                      /* [p,2p] */                                                                     \
        real *sums;                   /* [4p] */                                                                       \
    } gk_desk_##suffix;                                                                                                \
    void gk_grid_layout_##suffix(gk_grid_##suffix *g, int p, bool general, gk_pool *pool);                             \
    void gk_grid_desk_##suffix(gk_desk_##suffix *d, int p, bool moments, gk_pool *pool);                               \
    /* M = metric / unit; the kernel of general_quadratic is in units of unit^2, then. */                              \
    void gk_grid_prepare_##suffix(gk_grid_##suffix *g, const double *metric, double unit);                             \
    /* out [p,p] = K w, without the ridge; w [p,p] is zero off the training cells. */                                  \
    void gk_grid_apply_##suffix(const gk_grid_##suffix *g, gk_desk_##suffix *d, const real *w, real *out);             \
    /* out [2p,2p] = sum over training cells of w_c w_c' for one class, w_c = 2 v_c + tau z (see rfm.h). */            \
    void gk_grid_moments_##suffix(const gk_grid_##suffix *g, gk_desk_##suffix *d, const real *w,                       \
                                  const gk_rfm_points *by_x, const gk_rfm_points *by_y, bool centering, real *out);

GK_GRID_DECLARE(float, f32)
GK_GRID_DECLARE(double, f64)

/* ---- coarse.c: the preconditioner ----
 *
 * P^-1 = D^-1 + Z (S^+ - (Z'DZ)^+) Z', Z [n,2p] the indicators of rows and columns, S = Z'KZ in closed form, D a
 * diagonal: the identity D^-1 on what Z does not see, exact on what it does, positive definite for any positive D.
 * Applying it costs row and column sums and one product with a 2p x 2p matrix. */
typedef struct gk_coarse {
    int p;
    int components;             /* of the bipartite graph of rows and columns: each is one null direction of Z */
    int32_t *component;         /* [2p] */
    double *null_size;          /* [2p] vertices in each component */
    double *s, *inverse, *work; /* [2p,2p], and work [10,p,p] */
    float *h;                   /* [2p,2p] S^+ - (Z'DZ)^+ */
    float *inverse_d;           /* [p,p] 1/D on training cells, else 0 */
} gk_coarse;

/* closed_form: with the memory that gk_coarse_prepare needs. */
void gk_coarse_layout(gk_coarse *c, int p, bool closed_form, gk_pool *pool);
/* Finds the components of the training cells; once. */
void gk_coarse_place(gk_coarse *c, const gk_rfm_points *by_x);
/* inverse [2p,2p] = s^+ for an s whose null directions are those of Z. s is overwritten. GK_DIVERGED if it is not
 * definite beside them. */
int gk_coarse_pseudo_inverse(const gk_coarse *c, double *s, double *inverse);
/* From the metric. GK_DIVERGED if S is not positive definite. */
int gk_coarse_prepare(gk_coarse *c, const gk_grid_f64 *g, const gk_rfm_points *by_x, const gk_rfm_points *by_y,
                      double ridge);

#endif
