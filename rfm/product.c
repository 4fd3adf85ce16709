/* product.c: products that do not copy a factor (product.h). B falls into panels of four vectors' width, side by side in
 * a grid; six rows of A at a time against one panel: 24 sums in registers, each number of A read once a panel. */
#include "product.h"
#include "gk_machine.h"
#include "gk_matrix.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(GK_PORTABLE)
#include <immintrin.h>

enum {
    ROWS = 6,      /* of A in a tile */
    SOME_ROWS = 3, /* where fewer are left; then one at a time */
    VECTORS = 4,   /* of B in a tile */
    DEPTH = 128,   /* rows of a panel at a time */
    BLOCK = 96,    /* rows of A at a time */
};
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma")))

static bool have_avx512(void)
{
    return gk_machine_isa_used() >= GK_ISA_V4;
}

#define REAL    float
#define LANES   16
#define VECTOR  __m512
#define MASK    __mmask16
#define V(op)   _mm512_##op##_ps
#define NAME(x) x##_f32
#define GEMM    gk_gemm_f32
#include "product_real.h"
#undef REAL
#undef LANES
#undef VECTOR
#undef MASK
#undef V
#undef NAME
#undef GEMM

#define REAL    double
#define LANES   8
#define VECTOR  __m512d
#define MASK    __mmask8
#define V(op)   _mm512_##op##_pd
#define NAME(x) x##_f64
#define GEMM    gk_gemm
#include "product_real.h"

#else

#define DEFINE_BY_BLAS(suffix, real, gemm)                                                                             \
    void gk_product_grid_##suffix(bool ta, int m, int n, int k, const real *a, int lda, const real *b, int ldb,        \
                                  bool add, real *c, int ldc)                                                          \
    {                                                                                                                  \
        gemm(ta, false, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);                                              \
    }
DEFINE_BY_BLAS(f32, float, gk_gemm_f32)
DEFINE_BY_BLAS(f64, double, gk_gemm)

#endif
