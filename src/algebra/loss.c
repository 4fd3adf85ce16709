/* loss.c: losses of outputs, in double. */
#include "gk_loss.h"

#include <assert.h>
#include <math.h>

/* sum of exp(x - shift); exp of the vector library (4 ulp) where the compiler has one. */
GK_HOT static double sum_exp(const double *x, int n, double shift)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += exp(x[i] - shift);
    return sum;
}

/* log sum exp of x less its largest entry, which goes to *largest: log1p over the others keeps full relative precision
 * for the losses near 0 that a generalising network reaches (1e-7 and below). */
static double log_rest(const double *x, int n, double *largest)
{
    assert(n > 0);
    int at = 0;
    for (int i = 1; i < n; i++) {
        if (x[i] > x[at] || isnan(x[i])) at = i;
    }
    *largest = x[at];
    if (isinf(x[at]) && x[at] < 0) return 0; /* all are -inf: -inf - -inf has no value, the sum does */
    return log1p(sum_exp(x, at, x[at]) + sum_exp(x + at + 1, n - at - 1, x[at]));
}

double gk_log_sum_exp(const double *x, int n)
{
    double largest, rest = log_rest(x, n, &largest);
    return largest + rest;
}

double gk_cross_entropy(const double *outputs, int ld, int rows, int classes, const int32_t *labels)
{
    assert(rows >= 0 && classes > 0 && ld >= classes);
    double sum = 0;
    for (int r = 0; r < rows; r++) {
        assert(0 <= labels[r] && labels[r] < classes);
        const double *row = outputs + (size_t)r * (size_t)ld;
        double largest, rest = log_rest(row, classes, &largest);
        sum += largest - row[labels[r]] + rest;
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
