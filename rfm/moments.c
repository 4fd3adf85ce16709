/* moments.c: gradient moments over all pairs of training points, in float32 and float64. */
#include "moments.h"

#include <omp.h>
#include <string.h>

enum { SLOTS = 16 }; /* partial sums; their number must not depend on the threads, so that the sum does not either */

#define REAL    float
#define WORK    gk_moments_f32
#define DESK    gk_moments_desk_f32
#define NAME(x) x##_f32
#include "moments_real.h"
#undef REAL
#undef WORK
#undef DESK
#undef NAME

#define REAL    double
#define WORK    gk_moments_f64
#define DESK    gk_moments_desk_f64
#define NAME(x) x##_f64
#include "moments_real.h"
