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

/* Rows that go through a loop together: the largest of the next is looked for while the terms of the last are summed. */
enum { ROWS = 8 };

/* log sum exp of the rows of x [rows, n] / scale, rows <= ROWS, less their largest entries, which go to largest [rows].
 * log1p over the others keeps full relative precision for the losses near 0 that a generalising network reaches (1e-7
 * and below). NaN anywhere gives NaN. */
GK_HOT static void log_rests(double *rest, double *largest, const double *x, size_t ld, int rows, int n, double scale)
{
    const double inverse = 1 / scale;
    for (int r = 0; r < rows; r++) {
        const double *row = x + (size_t)r * ld;
        double top = -INFINITY;
#pragma omp simd reduction(max : top)
        for (int i = 0; i < n; i++) top = row[i] > top ? row[i] : top;
        largest[r] = top;
    }
    for (int r = 0; r < rows; r++) {
        const double *row = x + (size_t)r * ld, top = largest[r];
        double others = 0, ties = 0;
#pragma omp simd reduction(+ : others, ties)
        for (int i = 0; i < n; i++) {
            double tie = row[i] == top;
            ties += tie;
            others += exp_nonpositive((row[i] - top) * inverse) - tie; /* exactly 0 at the top */
        }
        rest[r] = others + (ties - 1);
    }
    for (int r = 0; r < rows; r++) {
        if (isinf(largest[r])) { /* infinite entries, or nothing but NaN */
            const double *row = x + (size_t)r * ld;
            rest[r] = 0;
            for (int i = 0; i < n; i++) rest[r] += isnan(row[i]) ? row[i] : 0;
        } else { /* libm's log1p takes three times as long as its log */
            rest[r] = rest[r] > 1 ? log(1 + rest[r]) : log1p(rest[r]);
        }
    }
}

double gk_log_sum_exp(const double *x, int n)
{
    double largest, rest;
    log_rests(&rest, &largest, x, (size_t)n, 1, n, 1);
    return largest + rest;
}

GK_HOT void gk_exp_shifted(double *const *rows, double *largest, int count, int n, double scale)
{
    const double inverse = 1 / scale;
    for (int r = 0; r < count; r++) {
        const double *row = rows[r];
        double top = -INFINITY;
#pragma omp simd reduction(max : top)
        for (int i = 0; i < n; i++) top = row[i] > top ? row[i] : top;
        largest[r] = top;
    }
    for (int r = 0; r < count; r++) {
        double *restrict row = rows[r];
        const double top = largest[r];
#pragma omp simd
        for (int i = 0; i < n; i++) row[i] = exp_nonpositive((row[i] - top) * inverse);
        largest[r] = top / scale;
    }
}

void gk_cross_entropies(double *losses, const double *outputs, int ld, int rows, int classes, double scale,
                        const int32_t *labels)
{
    assert(rows >= 0 && classes > 0 && ld >= classes);
    double largest[ROWS];
    for (int from = 0; from < rows; from += ROWS) {
        const int here = rows - from < ROWS ? rows - from : ROWS;
        const double *block = outputs + (size_t)from * (size_t)ld;
        log_rests(losses + from, largest, block, (size_t)ld, here, classes, scale);
        for (int r = 0; r < here; r++) {
            const int32_t label = labels[from + r];
            assert(0 <= label && label < classes);
            losses[from + r] += (largest[r] - block[(size_t)r * (size_t)ld + (size_t)label]) / scale;
        }
    }
}

double gk_cross_entropy(const double *outputs, int ld, int rows, int classes, double scale, const int32_t *labels)
{
    double sum = 0, losses[ROWS];
    for (int from = 0; from < rows; from += ROWS) {
        const int here = rows - from < ROWS ? rows - from : ROWS;
        gk_cross_entropies(losses, outputs + (size_t)from * (size_t)ld, ld, here, classes, scale, labels + from);
        for (int r = 0; r < here; r++) sum += losses[r];
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
