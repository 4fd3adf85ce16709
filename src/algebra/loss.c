/* loss.c: losses of outputs, in double. */
#include "gk_loss.h"

#include <assert.h>
#include <math.h>

/* exp(x) for x <= 0 (NaN passes, below -708 it stays at 3e-308), within 2 ulp, in plain arithmetic that compilers turn
 * into vectors: libm's exp is a call per entry, and the losses of all p^2 cells need p^3 of them. x = k ln 2 + r with
 * |r| <= ln(2)/2; exp(r) by its Taylor series to r^13 (the next term is below 5e-18); 2^k by building the exponent's
 * bits. */
static inline double exp_nonpositive(double x)
{
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it leaves the nearest integer in the low bits */
    double clamped = -708.0 > x ? -708.0 : x;
    double shifted = clamped * 1.4426950408889634 + magic, k = shifted - magic;
    double r = (clamped - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10; /* ln 2 in two parts */
    double series = 1.0 / 6227020800.0;
    series = series * r + 1.0 / 479001600.0;
    series = series * r + 1.0 / 39916800.0;
    series = series * r + 1.0 / 3628800.0;
    series = series * r + 1.0 / 362880.0;
    series = series * r + 1.0 / 40320.0;
    series = series * r + 1.0 / 5040.0;
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    series = series * r + 1.0;
    series = series * r + 1.0;
    union {
        double real;
        uint64_t bits;
    } from = {.real = shifted}, scale;
    scale.bits = (from.bits + 1023) << 52; /* k + 1023 in the exponent; the magic's own bits are shifted out */
    return series * scale.real;
}

/* log sum exp of x / scale, less its largest entry; the largest of x goes to *largest. log1p over the others keeps full
 * relative precision for the losses near 0 that a generalising network reaches (1e-7 and below). NaN anywhere gives
 * NaN. */
GK_HOT static double log_rest(const double *x, int n, double scale, double *largest)
{
    const double inverse = 1 / scale;
    double top = -INFINITY, others = 0, ties = 0;
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
    *largest = top;
    if (isinf(top)) { /* infinite entries, or nothing but NaN */
        for (int i = 0; i < n; i++) others += isnan(x[i]) ? x[i] : 0;
        return others;
    }
#pragma omp simd reduction(+ : others, ties)
    for (int i = 0; i < n; i++) {
        double tie = x[i] == top;
        ties += tie;
        others += exp_nonpositive((x[i] - top) * inverse) - tie; /* exactly 0 at the top */
    }
    return log1p(others + (ties - 1));
}

double gk_log_sum_exp(const double *x, int n)
{
    double largest, rest = log_rest(x, n, 1, &largest);
    return largest + rest;
}

GK_HOT double gk_exp_shifted(double *out, const double *x, int n, double scale)
{
    const double inverse = 1 / scale;
    double largest = -INFINITY;
#pragma omp simd reduction(max : largest)
    for (int i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = exp_nonpositive((x[i] - largest) * inverse);
    return largest / scale;
}

double gk_cross_entropy(const double *outputs, int ld, int rows, int classes, double scale, const int32_t *labels)
{
    assert(rows >= 0 && classes > 0 && ld >= classes);
    double sum = 0;
    for (int r = 0; r < rows; r++) {
        assert(0 <= labels[r] && labels[r] < classes);
        const double *row = outputs + (size_t)r * (size_t)ld;
        double largest, rest = log_rest(row, classes, scale, &largest);
        sum += (largest - row[labels[r]]) / scale + rest;
    }
    return sum / rows;
}

GK_HOT double gk_squared_error(const double *outputs, int ld, int rows, int classes, const int32_t *labels)
{
    assert(rows >= 0 && classes > 0 && ld >= classes);
    double sum = 0;
    for (int r = 0; r < rows; r++) {
        assert(0 <= labels[r] && labels[r] < classes);
        const double *row = outputs + (size_t)r * (size_t)ld;
        double squares = 0;
#pragma omp simd reduction(+ : squares)
        for (int c = 0; c < classes; c++) {
            double error = row[c] - (c == labels[r] ? 1.0 : 0.0);
            squares += error * error;
        }
        sum += squares;
    }
    return sum / ((double)rows * classes);
}

double gk_accuracy(const double *outputs, int ld, int rows, int classes, const int32_t *labels)
{
    assert(rows >= 0 && classes > 0 && ld >= classes);
    int64_t right = 0;
    for (int r = 0; r < rows; r++) {
        const double *row = outputs + (size_t)r * (size_t)ld;
        int at = 0;
        bool comparable = !isnan(row[0]);
        for (int c = 1; c < classes; c++) {
            comparable = comparable && !isnan(row[c]);
            if (row[c] > row[at]) at = c;
        }
        right += comparable && at == labels[r];
    }
    return (double)right / rows;
}
