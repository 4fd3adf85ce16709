/* panel.c: products with panels of points (panel.h). Three vectors of a panel's row times up to eight numbers of B: 24
 * sums in registers. */
#include "panel.h"
#include "gk_machine.h"
#include "gk_matrix.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(GK_PORTABLE)
#include <immintrin.h>
#define HAVE_AVX512
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma")))
#endif

enum {
    COLUMNS = 8, /* of B in a tile */
    VECTORS = 3, /* of a panel's row in a tile */
};

#define REAL    float
#define LANES   16
#define VECTOR  __m512
#define V(op)   _mm512_##op##_ps
#define NAME(x) x##_f32
#define GEMM    gk_gemm_f32
#include "panel_real.h"
#undef REAL
#undef LANES
#undef VECTOR
#undef V
#undef NAME
#undef GEMM

#define REAL    double
#define LANES   8
#define VECTOR  __m512d
#define V(op)   _mm512_##op##_pd
#define NAME(x) x##_f64
#define GEMM    gk_gemm
#include "panel_real.h"

/* ---- Gram matrices ---- */

#ifdef HAVE_AVX512
enum {
    ROWS = 6,     /* of a tile of the Gram matrix */
    COLS = 4,     /* its columns */
    LENGTH = 768, /* numbers of a row at a time: ROWS + COLS times as many stay in the first cache */
};

/* Lane 4 l + j of the result adds the lanes 4 l .. 4 l + 3 of s[j]. */
AVX512 static inline __m512 add_lanes(const __m512 *s)
{
    const __m512d low = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(s[0], s[1]), _mm512_unpackhi_ps(s[0], s[1])));
    const __m512d high =
        _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(s[2], s[3]), _mm512_unpackhi_ps(s[2], s[3])));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
}

/* c [m,n] += A B' of rows of k numbers, m <= ROWS, n <= COLS; both lie where rows are ld apart. */
AVX512 static void add_dots(int m, int n, int k, const float *a, const float *b, size_t ld, double *c, size_t ldc)
{
    __m512 sum[ROWS][COLS], row[ROWS + 2];
    const float *a_at[ROWS], *b_at[COLS];
#pragma GCC unroll 6
    for (int i = 0; i < ROWS; i++) a_at[i] = a + (size_t)(i < m ? i : 0) * ld;
#pragma GCC unroll 4
    for (int j = 0; j < COLS; j++) b_at[j] = b + (size_t)(j < n ? j : 0) * ld;
#pragma GCC unroll 6
    for (int i = 0; i < ROWS; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < COLS; j++) sum[i][j] = _mm512_setzero_ps();
    }
    for (int t = 0; t < k; t += 16) {
        __m512 y[COLS];
#pragma GCC unroll 4
        for (int j = 0; j < COLS; j++) y[j] = _mm512_load_ps(b_at[j] + t);
#pragma GCC unroll 6
        for (int i = 0; i < ROWS; i++) {
            const __m512 x = _mm512_load_ps(a_at[i] + t);
#pragma GCC unroll 4
            for (int j = 0; j < COLS; j++) sum[i][j] = _mm512_fmadd_ps(x, y[j], sum[i][j]);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < ROWS; i++) row[i] = add_lanes(sum[i]);
    row[ROWS] = row[ROWS + 1] = _mm512_setzero_ps();
#pragma GCC unroll 2
    for (int i = 0; i < ROWS; i += 4) { /* four rows' quarters come together, as those of four columns did */
        const __m512 *r = row + i;
        const __m512 low =
            _mm512_add_ps(_mm512_shuffle_f32x4(r[0], r[1], 0x44), _mm512_shuffle_f32x4(r[0], r[1], 0xee));
        const __m512 high =
            _mm512_add_ps(_mm512_shuffle_f32x4(r[2], r[3], 0x44), _mm512_shuffle_f32x4(r[2], r[3], 0xee));
        float all[16];
        _mm512_storeu_ps(all,
                         _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd)));
        const __mmask8 mask = (__mmask8)((1 << n) - 1);
        for (int k4 = 0; k4 < 4 && i + k4 < m; k4++) {
            double *to = c + (size_t)(i + k4) * ldc;
            const __m256d more = _mm256_cvtps_pd(_mm_loadu_ps(all + 4 * k4));
            _mm256_mask_storeu_pd(to, mask, _mm256_add_pd(_mm256_maskz_loadu_pd(mask, to), more));
        }
    }
}

static void add_gram(int n, int k, const float *a, double *sum)
{
    const size_t ld = (size_t)k, side = (size_t)n;
    for (int from = 0; from < k; from += LENGTH) {
        const int some = k - from < LENGTH ? k - from : LENGTH;
        for (int i = 0; i < n; i += ROWS) {
            const int rows = n - i < ROWS ? n - i : ROWS;
            for (int j = 0; j < i + rows; j += COLS)
                add_dots(rows, n - j < COLS ? n - j : COLS, some, a + (size_t)i * ld + from, a + (size_t)j * ld + from,
                         ld, sum + (size_t)i * side + j, side);
        }
    }
}
#endif

void gk_panel_gram_f32(int n, int k, const float *a, float *product, double *sum)
{
#ifdef HAVE_AVX512
    if (gk_machine_isa_used() >= GK_ISA_V4) {
        add_gram(n, k, a, sum);
        return;
    }
#endif
    gk_gram_f32(false, n, k, 1, a, k, 0, product, n);
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) sum[i] += (double)product[i];
}

void gk_panel_gram_f64(int n, int k, const double *a, double *product, double *sum)
{
    (void)product;
    gk_gram(false, n, k, 1, a, k, 1, sum, n);
}
