/* panel.h: products with panels of points: A [depth,PANEL], of each row of the kernel matrix a vector's worth of
 * columns after the other, as kernel.c makes them without a gather. C' [columns,PANEL] (+)= B' A, for B [depth,columns]
 * packed once. A point's lane runs through everything, so that neither A nor C is ever transposed or cut to size, and a
 * product costs what its columns cost, whatever their number. AVX-512, elsewhere the BLAS. */
#ifndef GK_RFM_PANEL_H
#define GK_RFM_PANEL_H

#include "gk_base.h"

enum {
    GK_PANEL = 48,       /* points */
    GK_PANEL_DEPTH = 96, /* rows at a time: they stay in the first cache while the columns of B pass */
};

/* packed [depth * columns] = B [depth,columns], row length ldb, in the order in which a product reads it. */
void gk_panel_pack_f32(int columns, int depth, const float *b, int ldb, float *packed);
void gk_panel_pack_f64(int columns, int depth, const double *b, int ldb, double *packed);
/* c [columns,PANEL] (+)= B' A for A's rows lda apart, c and A aligned to 64 bytes. What follows A in memory is fetched
 * ahead. A long B may be packed, and multiplied, in pieces of whole GK_PANEL_DEPTH rows. */
void gk_panel_product_f32(int columns, int depth, const float *a, int lda, const float *packed, bool add, float *c);
void gk_panel_product_f64(int columns, int depth, const double *a, int lda, const double *packed, bool add, double *c);

/* The lower triangle of sum [n,n] += A A' for A [n,k]; product: scratch [n,n]. In float32 a sum of 768 terms at most is
 * rounded; those are summed in float64. */
void gk_panel_gram_f32(int n, int k, const float *a, float *product, double *sum);
void gk_panel_gram_f64(int n, int k, const double *a, double *product, double *sum);

/* Panels that n points fill. */
static inline int gk_panels(int n)
{
    return (n + GK_PANEL - 1) / GK_PANEL;
}

#endif
