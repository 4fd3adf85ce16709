/* sql_columns.c: mat_... functions that give rows, and aggregates over a column of numbers. */
#include "gk_fourier.h"
#include "gk_matrix.h"
#include "sql_core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int room_for(gk_sql_matrix *table, int rows, int cols)
{
    *table = (gk_sql_matrix){rows, cols, gk_alloc((size_t)rows * (size_t)cols, sizeof(double))};
    return table->data ? GK_OK : GK_FAILED;
}

static int fill_each(const gk_sql_matrix *m, gk_sql_matrix *table, gk_sql_matrix *vectors)
{
    (void)vectors;
    if ((int64_t)m->rows * m->cols > INT32_MAX / 4)
        return gk_error(GK_USAGE, "a %d x %d matrix has too many entries", m->rows, m->cols);
    const int code = room_for(table, m->rows * m->cols, 3);
    for (int i = 0; code == GK_OK && i < table->rows; i++) {
        double *row = table->data + 3 * (size_t)i;
        row[0] = i / m->cols;
        row[1] = i % m->cols;
        row[2] = m->data[i];
    }
    return code;
}

/* The largest eigenvalue first; vectors [n,n], a row each. */
static int fill_eig(const gk_sql_matrix *m, gk_sql_matrix *table, gk_sql_matrix *vectors)
{
    const int n = m->rows;
    if (n != m->cols || n == 0)
        return gk_error(GK_USAGE, "the matrix is %d x %d and must be square and symmetric", n, m->cols);
    int code = gk_sql_need_symmetric(m);
    if (code == GK_OK) code = room_for(table, n, 2);
    if (code == GK_OK) code = room_for(vectors, n, n);
    if (code != GK_OK) return code;
    double *v = gk_alloc((size_t)n * (size_t)n, sizeof *v), *values = gk_alloc((size_t)n, sizeof *values);
    code = v && values ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        memcpy(v, m->data, (size_t)n * (size_t)n * sizeof *v);
        code = gk_eigen(v, n, values);
    }
    for (int i = 0; code == GK_OK && i < n; i++) {
        table->data[2 * i] = i;
        table->data[2 * i + 1] = values[n - 1 - i];
        memcpy(vectors->data + (size_t)i * (size_t)n, v + (size_t)(n - 1 - i) * (size_t)n, (size_t)n * sizeof *v);
    }
    free(v);
    free(values);
    return code;
}

static int fill_fourier(const gk_sql_matrix *m, gk_sql_matrix *table, gk_sql_matrix *vectors)
{
    (void)vectors;
    const int n = m->rows, frequencies = n / 2 + 1;
    if (n != m->cols || n == 0)
        return gk_error(GK_USAGE, "the matrix is %d x %d and must be square, a p x p block", n, m->cols);
    double *energy = gk_alloc(2 * (size_t)frequencies, sizeof *energy);
    const int code = energy ? room_for(table, frequencies, 3) : GK_FAILED;
    if (code == GK_OK) {
        gk_fourier_lines(energy, m->data, n, false);
        gk_fourier_lines(energy + frequencies, m->data, n, true);
        for (int k = 0; k < frequencies; k++) {
            table->data[3 * k] = k;
            table->data[3 * k + 1] = energy[k];
            table->data[3 * k + 2] = energy[frequencies + k];
        }
    }
    free(energy);
    return code;
}

const gk_sql_table gk_sql_tables[] = {
    {{"mat_each", "matrix", "rows (row, col, value): every entry, counted from 0"},
     "row INTEGER, col INTEGER, value REAL",
     "iir",
     fill_each},
    {{"mat_eig", "matrix",
      "rows (n, value, vector): eigenvalues of a symmetric matrix, the largest as n = 0, with eigenvectors as npy"},
     "n INTEGER, value REAL, vector BLOB",
     "irv",
     fill_eig},
    {{"mat_fourier", "block",
      "rows (k, toeplitz, hankel): energy of a p x p block on the two diagonals of its Fourier transform, by "
      "frequency; all "
      "energies sum to the squared norm"},
     "k INTEGER, toeplitz REAL, hankel REAL",
     "irr",
     fill_fourier},
    {{NULL, NULL, NULL}, NULL, NULL, NULL},
};

/* ---- aggregates ---- */

int gk_sql_sample_add(gk_sql_sample *sample, double value)
{
    if (sample->n == sample->room) {
        const size_t room = sample->room ? 2 * sample->room : 64;
        double *more = realloc(sample->values, room * sizeof *more);
        if (!more) return gk_error(GK_FAILED, "out of memory for %zu numbers", room);
        sample->values = more;
        sample->room = room;
    }
    sample->values[sample->n++] = value;
    return GK_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the two neighbours of rank percent/100 * (n-1), as in NumPy. */
static double quantile(gk_sql_sample *s, double percent)
{
    if (s->n == 0) return NAN;
    qsort(s->values, s->n, sizeof *s->values, by_value);
    const double rank = percent / 100 * (double)(s->n - 1);
    const size_t below = (size_t)rank;
    if (below + 1 >= s->n) return s->values[s->n - 1];
    const double part = rank - (double)below, low = s->values[below], high = s->values[below + 1];
    return part == 0 || low == high ? low : low + part * (high - low);
}

static double end_median(gk_sql_sample *s)
{
    return quantile(s, 50);
}

static double end_percentile(gk_sql_sample *s)
{
    return quantile(s, s->percent);
}

static double end_stddev(gk_sql_sample *s)
{
    if (s->n < 2) return NAN;
    double mean = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++) mean += s->values[i];
    mean /= (double)s->n;
    for (size_t i = 0; i < s->n; i++) sum += (s->values[i] - mean) * (s->values[i] - mean);
    return sqrt(sum / (double)(s->n - 1));
}

const gk_sql_aggregate gk_sql_aggregates[] = {
    {{"median", "x", "aggregate: the middle value, between two the mean"}, 1, end_median},
    {{"stddev_samp", "x", "aggregate: sample standard deviation (n - 1), NULL for fewer than two values"},
     1,
     end_stddev},
    {{"percentile", "x, percent",
      "aggregate: the value that `percent` (0 to 100) of the values do not exceed, linear in between"},
     2,
     end_percentile},
    {{NULL, NULL, NULL}, 0, NULL},
};
