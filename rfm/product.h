/* product.h: C = A B read where the factors lie: for grids (grid.h), whose rows are whole vectors and so small that
 * copying and cutting to size, as a BLAS does, costs as much again. AVX-512, elsewhere the BLAS. */
#ifndef GK_RFM_PRODUCT_H
#define GK_RFM_PRODUCT_H

#include "gk_base.h"

/* C [m,n] (+)= op(A) B for a B [k,n] whose rows are whole vectors of 64 bytes; columns of C from n on stay. */
void gk_product_grid_f32(bool ta, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
                         float *c, int ldc);
void gk_product_grid_f64(bool ta, int m, int n, int k, const double *a, int lda, const double *b, int ldb, bool add,
                         double *c, int ldc);

#endif
