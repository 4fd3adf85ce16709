/* grid.h: the quadratic kernels without a kernel matrix. A class's coefficients are a grid W [p,p], zero off the
 * training cells, with row sums r and column sums s. With g = A[x,x'] + B[x,y'] + B[x',y] + C[y,y'] the kernel operator
 *
 *     (K W)[x,y] = sum_{x',y'} g^2 W[x',y']
 *                = 2 (A (W C + diag(r) B) + B (W'B + diag(s) C))[x,y]
 *                  + ((A o A) r + (B o B) s + 2 rowsum((A W) o B))[x]
 *                  + ((B o B)' r + (C o C) s + 2 colsum((W'B) o C))[y]
 *
 * takes 5 p^3 multiply-adds a class and gives the whole grid, test cells included.
 *
 * The vector v_c(x,y) = sum g z' W of the gradient is X M z, X = [[diag(r), W], [W', diag(s)]] the class's coefficients
 * between coordinates. With N = sum over training cells of z z' (less n times the outer product of their mean, if
 * centred) its second moments are X Q X, Q = M N M the same for all classes: six products of p x p grids a class, whose
 * blocks are summed over classes before anything else is done with them:
 *
 *     S11 = sum (W Q22 / 2 + diag(r) Q12) W' + its transpose + (sum r r') o Q11,
 *     S22 = sum (W'Q11 / 2 + diag(s) Q21) W  + its transpose + (sum s s') o Q22,
 *     S21 = sum (W'Q12 + diag(s) Q22) W' + W'Q11 diag(r) + (sum s r') o Q21.
 *
 * general_quadratic adds rank one to K, and t z / 2 to v: then S gains (sum t X) M N / 2, its transpose, and
 * (sum t^2) N / 4.
 *
 * A grid's rows are padded with zeros to whole vectors (gk_grid_stride), so that no loop over them has a remainder.
 * Both number types are made from one source (grid_real.h, grid_moments_real.h). */
#ifndef GK_RFM_GRID_H
#define GK_RFM_GRID_H

#include "rfm.h"

/* Numbers from one row of a grid [p,p] to the next: whole vectors of 64 bytes, and an odd number of those where there
 * are many, so that a column's lines do not all fall into a few sets of the first cache. */
static inline int gk_grid_stride(int p)
{
    const int vectors = (p + 15) / 16;
    return 16 * (vectors > 4 ? vectors | 1 : vectors);
}

/* Columns of a grid that hold something, in whole vectors: what loops over a row run to. */
static inline int gk_grid_width(int p)
{
    return (p + 15) / 16 * 16;
}

#define GK_GRID_DECLARE(real, suffix)                                                                                  \
    typedef struct gk_grid_##suffix {                                                                                  \
        int p, stride;                                                                                                 \
        real *m;       /* [2p,2p] the metric */                                                                        \
        real *right;   /* [2p,stride] B above C */                                                                     \
        real *squares; /* [2p,2 stride] its entries squared */                                                         \
        real *mask;    /* [p,stride] 1 on training cells, else 0 */                                                    \
        real *excess;  /* [p,stride] q - 1 / unit for general_quadratic, NULL for quadratic */                         \
    } gk_grid_##suffix;                                                                                                \
    typedef struct gk_desk_##suffix { /* what one thread works in */                                                   \
        real *t;                      /* [2p,stride] */                                                                \
        real *u;                      /* [p,stride] */                                                                 \
        real *sums;                   /* [2p] row sums r, then column sums s */                                        \
        real *columns;                /* [stride] s, in whole vectors */                                               \
        real *added;                  /* [2p] what the kernel adds to a row, then to a column */                       \
    } gk_desk_##suffix;                                                                                                \
    void gk_grid_layout_##suffix(gk_grid_##suffix *g, int p, bool general, gk_pool *pool);                             \
    void gk_grid_desk_##suffix(gk_desk_##suffix *d, int p, gk_pool *pool);                                             \
    /* M = metric / unit; the kernel of general_quadratic is in units of unit^2, then. */                              \
    void gk_grid_prepare_##suffix(gk_grid_##suffix *g, const double *metric, double unit);                             \
    /* out = K w, without the ridge; w is zero off the training cells. */                                              \
    void gk_grid_apply_##suffix(const gk_grid_##suffix *g, gk_desk_##suffix *d, const real *w, real *out);             \
    /* r [p] and s [p] of w into d->sums, s into d->columns. */                                                        \
    void gk_grid_sums_##suffix(int p, const real *w, gk_desk_##suffix *d);                                             \
    /* out [n] = m v for a symmetric m whose rows are whole vectors, ldm apart; out is written in whole vectors. */    \
    void gk_grid_matvec_##suffix(const real *m, int ldm, int n, const real *v, real *out);
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
    float *h;                   /* [2p,2 stride] S^+ - (Z'DZ)^+ */
    float *inverse_d;           /* [p,stride] 1/D on training cells, else 0 */
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
