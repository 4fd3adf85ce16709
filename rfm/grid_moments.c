/* grid_moments.c: gradient moments of one class after the other from its grid, in float32 and float64. */
#include "grid_moments.h"
#include "product.h"

#include <string.h>

#define REAL    float
#define MOMENTS gk_grid_moments_f32
#define DESK    gk_desk_f32
#define PRODUCT gk_product_grid_f32
#define NAME(x) x##_f32
#include "grid_moments_real.h"
#undef REAL
#undef MOMENTS
#undef DESK
#undef PRODUCT
#undef NAME

#define REAL    double
#define MOMENTS gk_grid_moments_f64
#define DESK    gk_desk_f64
#define PRODUCT gk_product_grid_f64
#define NAME(x) x##_f64
#include "grid_moments_real.h"
