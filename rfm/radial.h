/* radial.h: an iterative solver for the gaussian and laplace kernels, whose matrix has no structure to multiply by, but
 * falls into a large part on few vectors and a small rest. Z [n,2p] are the indicators of rows and columns, P = Z
 * (Z'Z)^+ Z' the projection on what they span, E = (I - P) K Z. With alpha = u + Z v, Z'u = 0, the system (K + ridge)
 * alpha = y is
 *
 *     (K^ + ridge - E S^+ E') u = (I - P) y - E S^+ Z'y,   K^ = (I - P) K (I - P),   S = Z'(K + ridge)Z,
 *     v = S^+ (Z'y - Z'K u).
 *
 * All large eigenvalues of K are in S; what is left for conjugate gradients has a condition below ten, and starting
 * from the coefficients of before takes 3 to 10 iterations. The entries of K^ are small, too, so that float32 loses
 * nothing that matters, though in K itself, with a condition of 1e5, it would. All classes at once: an iteration is a
 * product of matrices. The residual that counts is measured in float64 from K itself. */
#ifndef GK_RFM_RADIAL_H
#define GK_RFM_RADIAL_H

#include "grid.h"
#include "moments.h"
#include "product.h"

/* What one thread works in. */
typedef struct gk_radial_desk {
    double *line;     /* [n] */
    float *sums;      /* [2p,p] E'q of its points */
    double *of_class; /* [p] */
    double *factors;  /* [4,ROWS,p] */
} gk_radial_desk;

struct gk_rfm_radial {
    float *kernel;         /* [n,n] K^ */
    float *e;              /* [n,2p] E */
    double *zk, *l;        /* [2p,n] Z'K and L = (Z'Z)^+ Z'K, so that (PK)[i,j] = L[x_i,j] + L[p + y_i,j] */
    float *x, *r, *q, *kq; /* [n,p] */
    float *packed;         /* q as gk_product_f32 takes it */
    double *u;             /* [n,p] */
    gk_coarse coarse;
    bool coarse_known;     /* zk to e are of the current tables */
    double *count_inverse; /* [2p,2p] (Z'Z)^+ */
    double *s_inverse;     /* [2p,2p] S^+ */
    double *f, *work;      /* [2p,2p] (Z'Z)^+ Z'KZ (Z'Z)^+ */
    double *zy, *sums, *v; /* [2p,p] Z'y of the right-hand side, and sums and what comes of them */
    float *t;              /* [2p,stride] what E is multiplied by, rows as those of a grid */
    double *size, *before, *energy, *goal, *a,
        *b;                /* [p] numbers of a class: |r|^2, q'Kq, what |r| must come to, factors */
    int *iterations;       /* [p] */
    gk_radial_desk *desks; /* [threads] */
    gk_rfm_rows rows;
    gk_moments_f32 moments;
    gk_moments_f64 fine_moments; /* instead, where the tolerance is fine */
};

/* Points are shared out in one piece a thread. */
static inline int gk_radial_first(const gk_model *m, int piece)
{
    return (int)((int64_t)m->n * piece / m->threads);
}

/* ---- radial_split.c: the parts of K ---- */

/* (Z'Z)^+; once. */
void gk_radial_place(gk_model *m);
/* zk, s_inverse, l, f and e of the current tables, unless they are known. GK_DIVERGED if S is not positive definite. */
int gk_radial_fill_coarse(gk_model *m);
/* K^ */
void gk_radial_fill_fine(gk_model *m);
/* out [2p,columns] = a [2p,2p] b [2p,columns] */
void gk_radial_multiply(const gk_model *m, const double *a, const double *b, int columns, double *out);
/* sums = Z'w [2p,p] and v = (Z'Z)^+ Z'w for w [n,p]: Pw = Z v. */
void gk_radial_project(gk_model *m, const double *w);
void gk_radial_project_f32(gk_model *m, const float *w);
/* w [n,p] += factor Z v */
void gk_radial_add(const gk_model *m, double factor, const double *v, double *w);
void gk_radial_add_f32(const gk_model *m, double factor, const double *v, float *w);

#endif
