/* fourier.c: the real Fourier basis of Z_n, the diagonal lines of a block's 2-D spectrum, and how peaked weights are.
 */
#include "gk_fourier.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.283185307179586476925286766559;

void gk_fourier_basis(double *f, int n)
{
    assert(n > 0);
    size_t size = (size_t)n;
    double flat = 1 / sqrt((double)n), wave = sqrt(2.0 / (double)n);
    for (size_t a = 0; a < size; a++) f[a] = flat;
    for (size_t k = 1; k <= (size - 1) / 2; k++) {
        double *cosine = f + (2 * k - 1) * size, *sine = f + 2 * k * size;
        for (size_t a = 0; a < size; a++) {
            double angle = TWO_PI * (double)(k * a % size) / (double)n; /* reduced first: exact for any k a */
            cosine[a] = wave * cos(angle);
            sine[a] = wave * sin(angle);
        }
    }
    if (n % 2 == 0) {
        double *last = f + (size - 1) * size;
        for (size_t a = 0; a < size; a++) last[a] = a % 2 ? -flat : flat;
    }
}

/* On the line u + v = 0 the transform sums over i - j alone: A^(k,-k) = sum_d t[d] w^(kd), t[d] = sum over i - j = d
 * (for u = v over i + j = d). So n sums and one real transform of length n replace the two-dimensional one. */
void gk_fourier_lines(double *energy, const double *a, int n, bool hankel)
{
    assert(n > 0);
    size_t size = (size_t)n;
    double *t = gk_calloc(3 * size, sizeof *t);
    if (!t) {
        for (int k = 0; k <= n / 2; k++) energy[k] = NAN;
        return;
    }
    double *cosine = t + size, *sine = cosine + size;
    for (size_t d = 0; d < size; d++) {
        cosine[d] = cos(TWO_PI * (double)d / (double)n);
        sine[d] = sin(TWO_PI * (double)d / (double)n);
    }
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < size; j++) t[(hankel ? i + j : i + size - j) % size] += a[i * size + j];
    }
    for (size_t k = 0; k <= size / 2; k++) {
        double re = 0, im = 0;
        for (size_t d = 0; d < size; d++) {
            re += t[d] * cosine[k * d % size];
            im += t[d] * sine[k * d % size];
        }
        /* k and -k are two points of the line unless they are the same one */
        double points = k == 0 || 2 * k == size ? 1 : 2;
        energy[k] = points * (re * re + im * im) / ((double)n * (double)n);
    }
    free(t);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double gk_gini(double *v, int n)
{
    double sum = 0, weighted = 0;
    for (int i = 0; i < n; i++) sum += v[i];
    if (n <= 0 || isnan(sum)) return NAN; /* NaN has no place in an order */
    if (sum == 0) return 0;
    qsort(v, (size_t)n, sizeof *v, ascending);
    for (int i = 0; i < n; i++) weighted += (2.0 * (i + 1) - n - 1) * v[i];
    return weighted / (n * sum);
}

double gk_entropy(const double *w, int n)
{
    double sum = 0, entropy = 0;
    for (int i = 0; i < n; i++) sum += w[i];
    if (sum == 0) return 0;
    for (int i = 0; i < n; i++) {
        double share = w[i] / sum;
        if (share != 0) entropy -= share * log(share);
    }
    return entropy;
}
