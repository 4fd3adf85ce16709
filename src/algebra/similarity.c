/* similarity.c: two matrices, spectra or sets held against each other. */
#include "gk_similarity.h"
#include "gk_matrix.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* The entries of a block [n,n], the diagonal ones last. */
static void pack(double *out, const double *a, int lda, int n)
{
    double *diagonal = out + (size_t)n * (size_t)n - (size_t)n;
    for (int i = 0; i < n; i++) {
        const double *row = a + (size_t)i * (size_t)lda;
        for (int j = 0; j < n; j++) *(i == j ? diagonal++ : out++) = row[j];
    }
}

int gk_similarity_of(gk_similarity *out, const double *a, int lda, const double *b, int ldb, int n)
{
    assert(n > 0 && lda >= n && ldb >= n);
    const size_t all = (size_t)n * (size_t)n, rest = all - (size_t)n;
    double *x = gk_alloc(2 * all, sizeof *x), *y = x ? x + all : NULL;
    if (!x) return GK_FAILED;
    pack(x, a, lda, n);
    pack(y, b, ldb, n);
    *out = (gk_similarity){gk_cosine(x, y, all), rest ? gk_cosine(x, y, rest) : NAN, gk_pearson(x, y, all),
                           rest ? gk_pearson(x, y, rest) : NAN};
    free(x);
    return GK_OK;
}

static const struct {
    double least;
    const char *word;
} levels[GK_SIMILARITY_LEVELS] = {
    {.9, "nearly the same"}, {.5, "alike"}, {.2, "a little alike"}, {-.2, "unrelated"}, {-INFINITY, "opposed"}};

int gk_similarity_level(double cosine)
{
    int level = 0;
    while (level < GK_SIMILARITY_LEVELS && !(cosine >= levels[level].least)) level++;
    return level;
}

const char *gk_similarity_word(int level)
{
    assert(level >= 0 && level <= GK_SIMILARITY_LEVELS);
    return level < GK_SIMILARITY_LEVELS ? levels[level].word : "unknown";
}

/* Positive part that lets NaN through: fmax would not. */
static double positive(double v) { return v < 0 ? 0 : v; }

double gk_spectrum_distance(const double *a, const double *b, int n)
{
    double sum_a = 0, sum_b = 0, distance = 0;
    for (int i = 0; i < n; i++) {
        sum_a += positive(a[i]);
        sum_b += positive(b[i]);
    }
    if (sum_a == 0 || sum_b == 0) return NAN;
    for (int i = 0; i < n; i++) distance += fabs(positive(a[i]) / sum_a - positive(b[i]) / sum_b);
    return distance / 2;
}

double gk_overlap(const bool *a, const bool *b, int n)
{
    int both = 0, either = 0;
    for (int i = 0; i < n; i++) {
        both += a[i] && b[i];
        either += a[i] || b[i];
    }
    return either ? (double)both / either : NAN;
}

/* order[exponent] = value; false if two values share an exponent. */
static bool place(int32_t *order, int p, int m, const int32_t *image, const int32_t *dlog)
{
    for (int i = 0; i < p; i++) order[i] = -1;
    for (int32_t value = 0; value < p; value++) {
        const int32_t exponent = dlog ? dlog[image[value]] : image[value];
        if (exponent < 0) continue; /* 0 of a product */
        if (order[exponent] >= 0) return false;
        order[exponent] = value;
    }
    for (int i = 0; i < m; i++)
        if (order[i] < 0) return false;
    return true;
}

int gk_group_order(int32_t *x, int32_t *y, int p, const int32_t *u, const int32_t *v, const int32_t *dlog)
{
    const int m = dlog ? p - 1 : p;
    return place(x, p, m, u, dlog) && place(y, p, m, v, dlog) ? m : 0;
}

void gk_reorder_features(double *out, const double *m, int p, const int32_t *x, const int32_t *y, int k)
{
    const size_t n = 2 * (size_t)p;
    for (int i = 0; i < 2 * k; i++) {
        const size_t row = i < k ? (size_t)x[i] : (size_t)(p + y[i - k]);
        for (int j = 0; j < 2 * k; j++) *out++ = m[row * n + (j < k ? (size_t)x[j] : (size_t)(p + y[j - k]))];
    }
}
