/* grid_moments.h: second moments of the quadratic kernels' gradients without a kernel matrix, X Q X summed over classes
 * (grid.h), in float32 or float64. */
#ifndef GK_RFM_GRID_MOMENTS_H
#define GK_RFM_GRID_MOMENTS_H

#include "grid.h"

#define GK_GRID_MOMENTS_DECLARE(real, suffix)                                                                          \
    typedef struct gk_grid_moments_##suffix {                                                                          \
        int p, stride, slots;                                                                                          \
        real *q;    /* [4,p,stride] blocks Q11 Q12 Q21 Q22 */                                                          \
        real *sums; /* [slots,3,p,stride] S11 (half), S21 and S22 (half), summed over a slot's classes */              \
    } gk_grid_moments_##suffix;                                                                                        \
    /* slots: classes are summed in that many groups, so that the sum does not depend on the threads. */               \
    void gk_grid_moments_layout_##suffix(gk_grid_moments_##suffix *f, int p, int slots, gk_pool *pool);                \
    /* Takes Q [2p,2p] and empties the sums. */                                                                        \
    void gk_grid_moments_start_##suffix(gk_grid_moments_##suffix *f, const double *q);                                 \
    /* Adds the class with coefficients w, whose r and s are left in d->sums. transposed [p,stride] is scratch. */     \
    void gk_grid_moments_add_##suffix(const gk_grid_moments_##suffix *f, gk_desk_##suffix *d, const real *w,           \
                                      real *transposed, int slot);                                                     \
    /* out [2p,2p] = X Q X summed over all classes, less what sums of r r', s r' and s s' give. */                     \
    void gk_grid_moments_end_##suffix(const gk_grid_moments_##suffix *f, double *out);

GK_GRID_MOMENTS_DECLARE(float, f32)
GK_GRID_MOMENTS_DECLARE(double, f64)

#endif
