/* moments.c: gradient moments over all pairs of training points, in float32 and float64. */
#include "moments.h"
#include "product.h"

#include <omp.h>
#include <string.h>

enum {
    ROWS = 32,  /* points at a time: rows and planes stay in cache */
    SLOTS = 16, /* partial sums; their number must not depend on the threads, so that the sum does not either */
};

#define REAL    float
#define WORK    gk_moments_f32
#define DESK    gk_moments_desk_f32
#define GEMM    gk_gemm_f32
#define GRAM    gk_gram_f32
#define PRODUCT gk_product_grid_f32
#define NAME(x) x##_f32
#include "moments_real.h"
#undef REAL
#undef WORK
#undef DESK
#undef GEMM
#undef GRAM
#undef PRODUCT
#undef NAME

#define REAL    double
#define WORK    gk_moments_f64
#define DESK    gk_moments_desk_f64
#define GEMM    gk_gemm
#define GRAM    gk_gram
#define PRODUCT gk_product_grid_f64
#define NAME(x) x##_f64
#include "moments_real.h"
