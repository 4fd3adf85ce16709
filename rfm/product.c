/* product.c: products that do not copy a factor (product.h). B lies in panels of four vectors' width, packed one after
 * the other or side by side in a grid; six rows of A at a time against one panel: 24 sums in registers, each number of
 * A read once a panel. */
#include "product.h"
#include "gk_machine.h"
#include "gk_matrix.h"

#include <string.h>

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
    return gk_machine_isa_used() == GK_ISA_V4;
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
    size_t gk_product_size_##suffix(int k, int n)                                                                      \
    {                                                                                                                  \
        return (size_t)k * (size_t)n;                                                                                  \
    }                                                                                                                  \
    void gk_product_pack_##suffix(int k, int n, const real *b, int first, int last, real *packed)                      \
    {                                                                                                                  \
        (void)k;                                                                                                       \
        const size_t row = (size_t)n;                                                                                  \
        memcpy(packed + (size_t)first * row, b + (size_t)first * row, (size_t)(last - first) * row * sizeof *packed);  \
    }                                                                                                                  \
    void gk_product_##suffix(bool ta, int m, int n, int k, const real *a, int lda, const real *packed, int all,        \
                             int begin, real *c, int ldc)                                                              \
    {                                                                                                                  \
        (void)all;                                                                                                     \
        gemm(ta, false, m, n, k, 1, a, lda, packed + (size_t)begin * (size_t)n, n, 0, c, ldc);                         \
    }                                                                                                                  \
    void gk_product_grid_##suffix(bool ta, int m, int n, int k, const real *a, int lda, const real *b, int ldb,        \
                                  bool add, real *c, int ldc)                                                          \
    {                                                                                                                  \
        gemm(ta, false, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);                                              \
    }
DEFINE_BY_BLAS(f32, float, gk_gemm_f32)
DEFINE_BY_BLAS(f64, double, gk_gemm)

#endif
