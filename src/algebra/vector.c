/* vector.c: norms, similarities and blocks of matrices. */
#include "gk_matrix.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

GK_HOT double gk_norm_sq(const double *a, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += a[i] * a[i];
    return sum;
}

GK_HOT void gk_add_to(double *restrict sum, const double *restrict a, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += a[i];
}

GK_HOT bool gk_narrow(float *restrict out, const double *restrict a, size_t n)
{
    int lost = 0;
#pragma omp simd reduction(| : lost)
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)a[i];
        lost |= (double)out[i] != a[i];
    }
    return !lost;
}

GK_HOT void gk_widen(double *restrict out, const float *restrict a, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = (double)a[i];
}

GK_HOT static double sum_of(const double *a, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += a[i];
    return sum;
}

/* The norm of n equal numbers without their mean is not 0 but the rounding of their sum, at most n eps of the mean at
 * each: no more than this is nothing. */
static double rounding(double mean, size_t n)
{
    return sqrt((double)n) * (double)n * DBL_EPSILON * fabs(mean);
}

/* Cosine of a - shift_a and b - shift_b. */
GK_HOT static double cosine_about(const double *a, double shift_a, const double *b, double shift_b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
#pragma omp simd reduction(+ : ab, aa, bb)
    for (size_t i = 0; i < n; i++) {
        double x = a[i] - shift_a, y = b[i] - shift_b;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    aa = sqrt(aa);
    bb = sqrt(bb);
    if (aa <= rounding(shift_a, n) || bb <= rounding(shift_b, n)) return 0;
    return ab / (aa * bb);
}

double gk_cosine(const double *a, const double *b, size_t n)
{
    return cosine_about(a, 0, b, 0, n);
}

double gk_pearson(const double *a, const double *b, size_t n)
{
    if (n == 0) return 0;
    return cosine_about(a, sum_of(a, n) / (double)n, b, sum_of(b, n) / (double)n, n);
}

double gk_trace(const double *a, int n)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)n; i++) sum += a[i * (size_t)n + i];
    return sum;
}

void gk_drop_diagonal(double *a, int n)
{
    for (size_t i = 0; i < (size_t)n; i++) a[i * (size_t)n + i] = 0;
}

void gk_block(double *out, const double *a, int lda, int r0, int r1, int c0, int c1)
{
    assert(0 <= r0 && r0 <= r1 && 0 <= c0 && c0 <= c1 && c1 <= lda);
    size_t width = (size_t)(c1 - c0);
    for (int r = r0; r < r1; r++) {
        memcpy(out + (size_t)(r - r0) * width, a + (size_t)r * (size_t)lda + (size_t)c0, width * sizeof *out);
    }
}
