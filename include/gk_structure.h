/* gk_structure.h: is a block of a feature matrix circulant? Mallinar et al. 2024, section 5; SQL and the measures
 * share this.
 *
 * One mechanism serves every operation. A block A (rows: second input y, columns: first input x) is circulant for a
 * task z = u(x) + v(y) if A[y,x] depends on v(y) - u(x) alone; z = u(x) v(y) the same with discrete logarithms. So a
 * structure is a key for each row, a key for each column and a modulus: entries with equal (row - column) mod m form a
 * group; a key of -1 drops the row or column. add: Toeplitz, sub: Hankel, mul and div: the same in discrete-log order,
 * row and column 0 dropped. */
#ifndef GK_STRUCTURE_H
#define GK_STRUCTURE_H

#include "gk_base.h"

typedef struct gk_grouping {
    int n; /* rows and columns of the block */
    int modulus;
    const int32_t *row, *column; /* [n] keys in 0..modulus-1, or -1 to drop */
} gk_grouping;

typedef struct gk_circularity {
    /* Sum over groups of the mean squared deviation within the group, over |A|_F^2 (kept entries). With groups of
     * unequal size: within-group sum of squares / (kept rows * |A|_F^2). 0 circulant, ~1/p random. */
    double deviation;
    /* Share of |A - mean A|_F^2 that the projection on group means keeps: 1 circulant or constant, ~1/p random. */
    double circulance;
} gk_circularity;

/* Is a best circulance of a p x p block no more than chance makes? A block without structure has about 1/p in any order. */
static inline bool gk_circulance_by_chance(double best, int p)
{
    return best * p < 3;
}

/* a [n,n] with row length lda. Both values are NaN for an empty or zero block. */
gk_circularity gk_circularity_of(const double *a, int lda, const gk_grouping *g);
/* Replaces each kept entry by the mean of its group: the circulant projection. In place. */
void gk_circulant_project(double *a, int lda, const gk_grouping *g);

/* The four standard orderings of a p x p block; the two last need p prime. */
typedef enum gk_ordering { GK_TOEPLITZ, GK_HANKEL, GK_TOEPLITZ_DLOG, GK_HANKEL_DLOG, GK_ORDERINGS } gk_ordering;
const char *gk_ordering_name(gk_ordering o); /* "toeplitz", "hankel", "toeplitz_dlog", "hankel_dlog" */
/* Fills keys [2*p] (row keys, then column keys) and points g at them. GK_USAGE if p is not prime where it must be. */
int gk_ordering_keys(gk_grouping *g, int32_t *keys, int p, gk_ordering o);
/* The ordering with the largest circulance. */
gk_ordering gk_best_ordering(const double *a, int lda, int p, gk_circularity *best);
/* out [p-1,p-1] = a in discrete-log order (rows and columns by powers of the smallest primitive root), 0 dropped. */
int gk_reorder_dlog(double *out, const double *a, int lda, int p);

/* The grouping of a task z = u(x) + v(y) (dlog NULL) or z = u(x) v(y) (dlog [p] of the prime p): entries of the block
 * (rows: second input y, columns: x) with equal v(y) - u(x), over exponents for a product. Fills keys [2*p], row keys
 * first, and points g at them. control: v(y) + u(x), the wrong orientation. */
void gk_form_grouping(gk_grouping *g, int32_t *keys, int p, const int32_t *u, const int32_t *v, const int32_t *dlog,
                      bool control);

/* Random-circulant features (Mallinar et al. 2024, section 5): out [2n,2n] = M*^power, negative eigenvalues clipped, of
 * M* = [[A, C'], [C, A]], A = I - 11'/n, C[i,j] = c[(row_i - column_j) mod m] with c uniform on [0,1)^m drawn from `r`;
 * a dropped row or column of C is 0. power 1/2 is the metric of a kernel machine, 1/4 what a network's inputs are
 * multiplied by. The errors of gk_sym_power. */
int gk_circulant_features(double *out, const gk_grouping *g, gk_random *r, double power);

struct gk_task;
/* The same for a task: circulant as its operation has it, or (control) in the wrong orientation; c of stream FEATURES of
 * `seed`. out [2p,2p]. GK_USAGE for an operation that is neither u(x) + v(y) nor u(x) v(y) mod a prime. */
int gk_task_features(double *out, const struct gk_task *t, bool control, uint64_t seed, double power);

/* Projects M [2n,2n] in place on the structure that learnt metrics tend to (Mallinar et al. 2024, section 5):
 * off-diagonal blocks circulant by g, diagonal blocks a I + b 11' each. Entries of dropped rows and columns stay. */
void gk_circulant_enforce(double *m, const gk_grouping *g);

#endif
