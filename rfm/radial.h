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
 * nothing that matters, though in K itself, with a condition of 1e5, it would; nor would it do to keep K (I - P),
 * smaller by one projection only, and take the other off an iteration's product. All classes at once: an iteration is a
 * product of matrices. The residual that counts is measured in float64 from K itself. */
#ifndef GK_RFM_RADIAL_H
#define GK_RFM_RADIAL_H

#include "grid.h"
#include "moments.h"

/* What one thread works in. */
typedef struct gk_radial_desk {
    gk_rfm_panel panel[GK_RFM_GROUP];
    double *block;    /* [DEPTH,PANEL] of K */
    double *zk;       /* [2p,PANEL] a panel's columns of Z'K */
    double *l;        /* [GROUP,2p,PANEL] the same of (Z'Z)^+ Z'K, or of (Z'Z)^+ Z'K (I - P) */
    float *product;   /* [GROUP,p,PANEL] */
    float *sums;      /* [panels of 2p,p,PANEL] E'q of its points */
    double *of_class; /* [KINDS,p] */
} gk_radial_desk;

struct gk_rfm_radial {
    float *kernel;         /* [panels,n+2p,PANEL] K^ above E', points in lanes */
    float *e;              /* [n,panels of 2p,PANEL] E */
    double *zk;            /* [2p,n] Z'K */
    double *l;             /* [n,2p] K Z (Z'Z)^+: (KP)[i,j] = L[i,x_j] + L[i,p+y_j] */
    float *x, *r, *q, *kq; /* [n,p] */
    float *packed;         /* [n,p] q as gk_panel_product_f32 takes it */
    double *u;             /* [n,p] */
    gk_coarse coarse;
    bool coarse_known;     /* zk, s_inverse, e, l and f are of the current tables */
    double *count_inverse; /* [2p,2p] (Z'Z)^+ */
    double *s_inverse;     /* [2p,2p] S^+ */
    double *f, *work;      /* [2p,2p] (Z'Z)^+ Z'KZ (Z'Z)^+; at first Z'KZ */
    double *packed_square; /* [2p,2p] a factor as gk_panel_product_f64 takes it */
    double *zy, *sums, *v; /* [2p,p] Z'y of the right-hand side, and sums and what comes of them */
    float *t, *packed_t;   /* [2p,p] what E is multiplied by, and as gk_panel_product_f32 takes it */
    /* [p] numbers of a class: |r|^2, q'Kq, r'Kq, |Kq|^2, what |r| must come to, the measured |r|^2, factors */
    double *size, *energy, *along, *own, *goal, *left, *a, *b;
    double *row_sums;      /* [n] of K */
    int *iterations;       /* [p] */
    gk_radial_desk *desks; /* [threads] */
    gk_rfm_cells cells;
    gk_moments_f32 moments;
    gk_moments_f64 fine_moments; /* instead, where the tolerance is fine */
};

/* Points are shared out in one piece a thread, of whole stretches of a packed factor. */
static inline int gk_radial_first(const gk_model *m, int piece)
{
    const int stretches = (m->n + GK_PANEL_DEPTH - 1) / GK_PANEL_DEPTH;
    const int64_t first = (int64_t)stretches * piece / m->threads * GK_PANEL_DEPTH;
    return first < m->n ? (int)first : m->n;
}

/* The kernel's panel that begins with point `first`. */
static inline float *gk_radial_panel(const gk_model *m, int first)
{
    return m->radial->kernel + (size_t)first * (size_t)(m->n + 2 * m->p);
}

/* ---- radial_split.c: the parts of K ---- */

/* (Z'Z)^+; once. */
void gk_radial_place(gk_model *m);
/* zk, s_inverse, e, l and f of the current tables, unless they are known. GK_DIVERGED if S is not positive definite. */
int gk_radial_fill_coarse(gk_model *m);
/* kernel; needs the former. */
void gk_radial_fill_fine(gk_model *m);
/* out [2p,p] = factor a [2p,k] b [k,p] */
void gk_radial_multiply(const gk_model *m, double factor, const double *a, int k, const double *b, double *out);
/* sums = Z'w [2p,p] and v = (Z'Z)^+ Z'w for w [n,p]: Pw = Z v. */
void gk_radial_project(gk_model *m, const double *w);
void gk_radial_project_f32(gk_model *m, const float *w);
/* w [n,p] += factor Z v */
void gk_radial_add(const gk_model *m, double factor, const double *v, double *w);
void gk_radial_add_f32(const gk_model *m, double factor, const double *v, float *w);

#endif
