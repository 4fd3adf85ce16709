/* product.h: C = A B read where A lies: for a large A that is used once and a B of few columns, where a BLAS copies A
 * into its own order first, at half the cost of the product; and for grids (grid.h), whose rows are whole vectors and
 * so small that copying and cutting to size costs as much again. AVX-512, elsewhere the BLAS. */
#ifndef GK_RFM_PRODUCT_H
#define GK_RFM_PRODUCT_H

#include "gk_base.h"

/* Numbers that the packed form of B [k,n] takes. */
size_t gk_product_size_f32(int k, int n);
size_t gk_product_size_f64(int k, int n);
/* packed = rows first .. last-1 of B [k,n], row length n; pieces of it may be packed by different threads. */
void gk_product_pack_f32(int k, int n, const float *b, int first, int last, float *packed);
void gk_product_pack_f64(int k, int n, const double *b, int first, int last, double *packed);
/* C [m,n] = op(A) B for the rows begin .. begin+k-1 of a packed B of `all` rows; lda, ldc row lengths. */
void gk_product_f32(bool ta, int m, int n, int k, const float *a, int lda, const float *packed, int all, int begin,
                    float *c, int ldc);
void gk_product_f64(bool ta, int m, int n, int k, const double *a, int lda, const double *packed, int all, int begin,
                    double *c, int ldc);

/* C [m,n] (+)= op(A) B for a B [k,n] whose rows are whole vectors of 64 bytes; columns of C from n on stay. */
void gk_product_grid_f32(bool ta, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
                         float *c, int ldc);
void gk_product_grid_f64(bool ta, int m, int n, int k, const double *a, int lda, const double *b, int ldb, bool add,
                         double *c, int ldc);

#endif
