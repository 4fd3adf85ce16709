/* product.h: C = A B for a large A that is used once and a B of few columns. A BLAS copies A into its own order first,
 * which for few columns costs half as much as the product; here A is read where it lies. AVX-512, elsewhere the BLAS.
 */
#ifndef GK_RFM_PRODUCT_H
#define GK_RFM_PRODUCT_H

#include "gk_base.h"

/* Numbers that the packed form of B [k,n] takes. */
size_t gk_product_size_f32(int k, int n);
size_t gk_product_size_f64(int k, int n);
/* packed = rows first .. last-1 of B [k,n], row length n; pieces of it may be packed by different threads. */
void gk_product_pack_f32(int k, int n, const float *b, int first, int last, float *packed);
void gk_product_pack_f64(int k, int n, const double *b, int first, int last, double *packed);
/* C [m,n] = A [m,k] B; lda, ldc row lengths. */
void gk_product_f32(int m, int n, int k, const float *a, int lda, const float *packed, float *c, int ldc);
void gk_product_f64(int m, int n, int k, const double *a, int lda, const double *packed, double *c, int ldc);

#endif
