/* gk_similarity.h: how alike are two feature matrices, entry by entry and spectrum by spectrum, and in which order of rows
 * and columns are they comparable? Pure functions of numbers, in src/algebra. */
#ifndef GK_SIMILARITY_H
#define GK_SIMILARITY_H

#include "gk_base.h"

typedef struct gk_similarity {
    double cosine, cosine_nodiag;   /* nodiag: over the entries off the diagonal; NaN if there are none */
    double pearson, pearson_nodiag; /* all are 0 where a matrix is zero, and these where it is constant */
} gk_similarity;

/* Of two square blocks [n,n] with row lengths lda and ldb. */
int gk_similarity_of(gk_similarity *out, const double *a, int lda, const double *b, int ldb, int n);

/* A cosine of features in words, from level 0, "nearly the same", to "opposed"; NaN has the level GK_SIMILARITY_LEVELS,
 * "unknown". The bounds .9, .5, .2, -.2 are a convention of ours. */
enum { GK_SIMILARITY_LEVELS = 5 };
int gk_similarity_level(double cosine);
const char *gk_similarity_word(int level);

/* Total variation between two spectra of n energies, each divided by its sum: (1/2) sum |a_i/sum a - b_i/sum b|. 0: the
 * same shape; 1: nothing in common. NaN if either is zero or has a NaN; negative energies count as 0. */
double gk_spectrum_distance(const double *a, const double *b, int n);

/* Size of the intersection over that of the union (Jaccard); NaN if both sets are empty. Sets as flags [n]. */
double gk_overlap(const bool *a, const bool *b, int n);

/* ---- orders of the p values of an input ---- */

/* The order in which a task z = u(x) + v(y) (dlog NULL), or z = u(x) v(y) (dlog [p] of the prime p), is addition on the
 * cyclic group: x[i] is the first input with exponent u(x) = i, y[i] the second with v(y) = i, so that every such task
 * has the same circulant features (Toeplitz). Returns the number of values placed: p, or p - 1 for a product, where 0
 * has no exponent; 0 if u or v is not one-to-one. x, y: [p]. */
int gk_group_order(int32_t *x, int32_t *y, int p, const int32_t *u, const int32_t *v, const int32_t *dlog);

/* out [2k,2k] = the feature matrix m [2p,2p] with the first input's rows and columns in the order x [k], the second's in
 * the order y [k]. */
void gk_reorder_features(double *out, const double *m, int p, const int32_t *x, const int32_t *y, int k);

#endif
