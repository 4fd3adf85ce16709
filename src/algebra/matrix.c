/* matrix.c: products and Cholesky factors of row-major matrices by BLAS and LAPACK. */
#include "gk_matrix.h"
#include "blas.h"
#include "lapack.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>

static inline CBLAS_TRANSPOSE transposed(bool t)
{
    return t ? CblasTrans : CblasNoTrans;
}

void gk_gemm(bool ta, bool tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
             double beta, double *c, int ldc)
{
    assert(m >= 0 && n >= 0 && k >= 0 && lda >= (ta ? m : k) && ldb >= (tb ? k : n) && ldc >= n);
    cblas_dgemm(CblasRowMajor, transposed(ta), transposed(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gk_gemm_f32(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc)
{
    assert(m >= 0 && n >= 0 && k >= 0 && lda >= (ta ? m : k) && ldb >= (tb ? k : n) && ldc >= n);
    cblas_sgemm(CblasRowMajor, transposed(ta), transposed(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/* C[i,j] = C[j,i] for j > i, in tiles, so that the column-wise reads of a large matrix stay in cache. */
#define DEFINE_MIRROR_LOWER(name, real)                                                                                \
    static void name(real *c, int n, int ldc)                                                                          \
    {                                                                                                                  \
        enum { TILE = 32 };                                                                                            \
        for (int i0 = 0; i0 < n; i0 += TILE) {                                                                         \
            for (int j0 = i0; j0 < n; j0 += TILE) {                                                                    \
                int i1 = i0 + TILE < n ? i0 + TILE : n, j1 = j0 + TILE < n ? j0 + TILE : n;                            \
                for (int i = i0; i < i1; i++) {                                                                        \
                    for (int j = j0 > i ? j0 : i + 1; j < j1; j++) {                                                   \
                        c[(size_t)i * (size_t)ldc + (size_t)j] = c[(size_t)j * (size_t)ldc + (size_t)i];               \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
DEFINE_MIRROR_LOWER(mirror_lower, double)
DEFINE_MIRROR_LOWER(mirror_lower_f32, float)

void gk_gram(bool ta, int n, int k, double alpha, const double *a, int lda, double beta, double *c, int ldc)
{
    assert(n >= 0 && k >= 0 && lda >= (ta ? n : k) && ldc >= n);
    cblas_dsyrk(CblasRowMajor, CblasLower, transposed(ta), n, k, alpha, a, lda, beta, c, ldc);
    mirror_lower(c, n, ldc);
}

void gk_gram_f32(bool ta, int n, int k, float alpha, const float *a, int lda, float beta, float *c, int ldc)
{
    assert(n >= 0 && k >= 0 && lda >= (ta ? n : k) && ldc >= n);
    cblas_ssyrk(CblasRowMajor, CblasLower, transposed(ta), n, k, alpha, a, lda, beta, c, ldc);
    mirror_lower_f32(c, n, ldc);
}

/* OpenBLAS's potrf compares pivots with <=, which NaN passes; a NaN anywhere in the lower triangle reaches the
 * diagonal of the factor, so that is where it is looked for. Returns the first bad leading minor (1-based), 0 if none.
 */
#define DEFINE_FIRST_BAD(name, real)                                                                                   \
    static int name(const real *l, int n)                                                                              \
    {                                                                                                                  \
        for (int i = 0; i < n; i++) {                                                                                  \
            real d = l[(size_t)i * (size_t)n + (size_t)i];                                                             \
            if (!(isfinite(d) && d > 0)) return i + 1;                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }
DEFINE_FIRST_BAD(first_bad, double)
DEFINE_FIRST_BAD(first_bad_f32, float)

static int cholesky_verdict(int minor, int n)
{
    if (minor == 0) return GK_OK;
    return gk_error(GK_DIVERGED,
                    "Cholesky of a %d x %d matrix: the leading minor of order %d is not positive definite; "
                    "a larger ridge or a finite, positive definite matrix is needed",
                    n, n, minor);
}

int gk_cholesky(double *a, int n, int threads)
{
    assert(n >= 0);
    if (n == 0) return GK_OK;
    int info = 0, before = gk_blas_enter(threads);
    dpotrf_("U", &n, a, &n, &info); /* row-major lower = column-major upper: A = U^T U with U = L^T */
    gk_blas_enter(before);
    assert(info >= 0);
    return cholesky_verdict(info ? info : first_bad(a, n), n);
}

int gk_cholesky_f32(float *a, int n, int threads)
{
    assert(n >= 0);
    if (n == 0) return GK_OK;
    int info = 0, before = gk_blas_enter(threads);
    spotrf_("U", &n, a, &n, &info);
    gk_blas_enter(before);
    assert(info >= 0);
    return cholesky_verdict(info ? info : first_bad_f32(a, n), n);
}

void gk_cholesky_solve(const double *l, int n, double *b, int m, int threads)
{
    assert(n >= 0 && m >= 0);
    if (n == 0 || m == 0) return;
    int before = gk_blas_enter(threads);
    /* L Y = B, then L^T X = Y */
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, n, m, 1.0, l, n, b, m);
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, n, m, 1.0, l, n, b, m);
    gk_blas_enter(before);
}

void gk_cholesky_solve_f32(const float *l, int n, float *b, int m, int threads)
{
    assert(n >= 0 && m >= 0);
    if (n == 0 || m == 0) return;
    int before = gk_blas_enter(threads);
    cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, n, m, 1.0F, l, n, b, m);
    cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, n, m, 1.0F, l, n, b, m);
    gk_blas_enter(before);
}
