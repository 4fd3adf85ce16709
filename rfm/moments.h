/* moments.h: second moments of gradients over all pairs of training points, for any kernel: S = sum_{j,c} w_c(j)
 * w_c(j)' (rfm.h), in panels of points: R[j,:] times alpha, summed over the points of one x or y (a product a segment),
 * gives the coordinates of w_c(j) for all classes; their Gram matrix is S. 4 n^2 p + 5 p^3 n multiply-adds for all
 * classes, by far less for one. */
#ifndef GK_RFM_MOMENTS_H
#define GK_RFM_MOMENTS_H

#include "rfm.h"

#define GK_MOMENTS_DECLARE(real, suffix)                                                                               \
    typedef struct gk_moments_desk_##suffix { /* what one thread works in */                                           \
        gk_rfm_panel panel;                                                                                            \
        double *block; /* [depth,PANEL] of R; depth: a segment and one more, or DEPTH */                               \
        real *rows;    /* the same */                                                                                  \
        real *lines;   /* [depth,classes] of alpha */                                                                  \
        real *planes;  /* [2p,classes,PANEL] coordinates of w_c(j): coordinate, class, point */                        \
        real *product; /* [2p,2p] */                                                                                   \
    } gk_moments_desk_##suffix;                                                                                        \
    typedef struct gk_moments_##suffix {                                                                               \
        int first, classes;              /* whose moments are being summed: all p, or some */                          \
        real *packed_x, *packed_y;       /* [n+p,classes] their alpha by segments of x and of y */                      \
        double *tau;                     /* [n,classes] */                                                             \
        double *row_sums;                /* [n] of R */                                                                \
        double *mean;                    /* [2p,classes] of w_c(j) over the training points */                         \
        double *partial;                 /* [slots,2p,2p] */                                                           \
        gk_moments_desk_##suffix *desks; /* [threads] */                                                               \
    } gk_moments_##suffix;                                                                                             \
    void gk_moments_layout_##suffix(const gk_model *m, gk_moments_##suffix *w, gk_pool *pool);                         \
    /* S of some classes into m->agop, from m's tables and alpha. row_sums: the sums of the rows of K [n] where they   \
     * and the outputs are known, else NULL. */                                                                        \
    void gk_moments_find_##suffix(gk_model *m, gk_moments_##suffix *w, int first, int classes, const double *row_sums);

GK_MOMENTS_DECLARE(float, f32)
GK_MOMENTS_DECLARE(double, f64)

#endif
