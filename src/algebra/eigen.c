/* eigen.c: eigenvalues, powers and the effective rank of symmetric matrices. */
#include "gk_matrix.h"
#include "gk_fourier.h"
#include "blas.h"
#include "lapack.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* dsyevd overwrites a with vectors (job 'V') or rubbish ('N'). LAPACK's columns are our rows, and a symmetric matrix is
 * its own transpose, so nothing need be turned around. One BLAS thread: two make a 2p x 2p problem 5 to 9 times slower.
 */
static int syevd(const char *job, double *a, int n, double *values)
{
    assert(n >= 0);
    if (n == 0) return GK_OK;
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) {
        if (!isfinite(a[i])) {
            return gk_error(GK_DIVERGED, "eigenvalues of a %d x %d matrix: entry (%d, %d) is not finite", n, n,
                            (int)(i / (size_t)n), (int)(i % (size_t)n));
        }
    }
    int info = 0, query = -1, integers = 0;
    double reals = 0;
    dsyevd_(job, "U", &n, a, &n, values, &reals, &query, &integers, &query, &info);
    assert(info == 0);
    int n_real = (int)reals;
    double *work = gk_alloc((size_t)n_real, sizeof *work);
    int *integer_work = gk_alloc((size_t)integers, sizeof *integer_work);
    int result = GK_FAILED;
    if (work && integer_work) {
        int before = gk_blas_enter(1);
        dsyevd_(job, "U", &n, a, &n, values, work, &n_real, integer_work, &integers, &info);
        gk_blas_enter(before);
        assert(info >= 0);
        result = info == 0 ? GK_OK
                           : gk_error(GK_DIVERGED, "eigenvalues of a %d x %d matrix did not converge (dsyevd info %d)",
                                      n, n, info);
    }
    free(work);
    free(integer_work);
    return result;
}

int gk_eigen(double *a, int n, double *values)
{
    return syevd("V", a, n, values);
}

int gk_sym_power(double *out, const double *a, int n, double power)
{
    return gk_sym_power_values(out, NULL, a, n, power);
}

int gk_sym_power_values(double *out, double *of_power, const double *a, int n, double power)
{
    assert(n >= 0 && power > 0);
    size_t size = (size_t)n * (size_t)n;
    double *v = gk_alloc(size + 1, sizeof *v), *values = gk_alloc((size_t)n + 1, sizeof *values);
    int result = v && values ? GK_OK : GK_FAILED;
    if (result == GK_OK) {
        memcpy(v, a, size * sizeof *v);
        result = gk_eigen(v, n, values);
    }
    if (result == GK_OK) {
        /* A^q = V^T diag(l^q) V = B^T B with B = diag(l^(q/2)) V over the positive l, which ascend: exactly symmetric
         */
        int first = 0;
        while (first < n && !(values[first] > 0)) first++;
        for (int i = 0; of_power && i < n; i++) of_power[i] = i < first ? 0 : pow(values[i], power);
        for (int i = first; i < n; i++) {
            double scale = power == 0.5 ? sqrt(sqrt(values[i])) : pow(values[i], power / 2);
            double *row = v + (size_t)i * (size_t)n;
            for (int j = 0; j < n; j++) row[j] *= scale;
        }
        int before = gk_blas_enter(1);
        gk_gram(true, n, n - first, 1.0, v + (size_t)first * (size_t)n, n, 0.0, out, n);
        gk_blas_enter(before);
    }
    free(v);
    free(values);
    return result;
}

double gk_effective_rank_of(const double *values, int n)
{
    double largest = 0;
    for (int i = 0; i < n; i++) largest = values[i] > largest ? values[i] : largest;
    return largest > 0 ? exp(gk_entropy(values, n)) : 0; /* a zero matrix has rank 0, not exp(0) */
}

int gk_effective_rank(const double *a, int n, double *out)
{
    size_t size = (size_t)n * (size_t)n;
    double *copy = gk_alloc(size + 1, sizeof *copy), *values = gk_alloc((size_t)n + 1, sizeof *values);
    int result = copy && values ? GK_OK : GK_FAILED;
    if (result == GK_OK) {
        memcpy(copy, a, size * sizeof *copy);
        result = syevd("N", copy, n, values);
    }
    if (result == GK_OK) {
        for (int i = 0; i < n; i++) values[i] = values[i] > 0 ? values[i] : 0;
        *out = gk_effective_rank_of(values, n);
    }
    free(copy);
    free(values);
    return result;
}
