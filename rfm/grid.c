/* grid.c: the matrix-free operator, in float32 and float64. */
#include "grid.h"
#include "product.h"

#include <string.h>

#define REAL    float
#define GRID    gk_grid_f32
#define DESK    gk_desk_f32
#define PRODUCT gk_product_grid_f32
#define NAME(x) x##_f32
#include "grid_real.h"
#undef REAL
#undef GRID
#undef DESK
#undef PRODUCT
#undef NAME

#define REAL    double
#define GRID    gk_grid_f64
#define DESK    gk_desk_f64
#define PRODUCT gk_product_grid_f64
#define NAME(x) x##_f64
#include "grid_real.h"
