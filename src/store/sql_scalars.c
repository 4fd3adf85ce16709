/* sql_scalars.c: mat_... functions that give one value. Matrices come as npy blobs and go as npy blobs. */
#include "gk_matrix.h"
#include "gk_number.h"
#include "gk_structure.h"
#include "sql_core.h"
#include "zip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a blob may grow to, and the largest result: 256 MiB hold the feature matrix of p = 2896. */
static const size_t BYTES_MAX = (size_t)1 << 28;

int gk_sql_matrix_read(const void *blob, size_t size, gk_sql_matrix *out)
{
    unsigned char *raw = NULL;
    int64_t shape[4];
    int rank, code = GK_OK;
    *out = (gk_sql_matrix){0};
    if (gk_is_zipped(blob, size)) {
        if ((code = gk_unzip_grow(blob, size, BYTES_MAX, &raw, &size)) != GK_OK) return code;
        blob = raw;
    }
    code = gk_npy_read(blob, size, &out->data, &rank, shape);
    free(raw);
    if (code != GK_OK) return code;
    if (rank == 1 || rank == 2) {
        out->rows = rank == 2 ? (int)shape[0] : 1;
        out->cols = (int)shape[rank - 1];
        return GK_OK;
    }
    free(out->data);
    out->data = NULL;
    return gk_error(GK_USAGE, "an npy array of %d dimensions; a matrix has one or two", rank);
}

/* ---- helpers ---- */

static size_t count(const gk_sql_matrix *m)
{
    return (size_t)m->rows * (size_t)m->cols;
}

static int give_real(gk_sql_value *result, double value)
{
    result->type = GK_SQL_REAL;
    result->real = value;
    return GK_OK;
}

static int give_integer(gk_sql_value *result, int64_t value)
{
    result->type = GK_SQL_INTEGER;
    result->integer = value;
    return GK_OK;
}

static int give_matrix(gk_sql_value *result, const double *data, int rows, int cols)
{
    const int64_t shape[2] = {rows, cols};
    result->type = GK_SQL_BLOB;
    return gk_npy_write(data, GK_F64, 2, shape, &result->bytes, &result->size);
}

/* A new matrix as result: room for it, computed by the caller, then given and freed here. */
static double *room_for(int64_t rows, int64_t cols)
{
    if (rows > 0 && cols > 0 && (uint64_t)rows > BYTES_MAX / sizeof(double) / (uint64_t)cols) {
        gk_error(GK_USAGE, "the result would have %lld x %lld entries, which is too many", (long long)rows,
                 (long long)cols);
        return NULL;
    }
    return gk_alloc((size_t)(rows * cols), sizeof(double));
}

static int give_and_free(gk_sql_value *result, double *data, int rows, int cols)
{
    const int code = give_matrix(result, data, rows, cols);
    free(data);
    return code;
}

static int need_square(const gk_sql_matrix *m)
{
    if (m->rows == m->cols && m->rows > 0) return GK_OK;
    return gk_error(GK_USAGE, "the matrix is %d x %d and must be square", m->rows, m->cols);
}

static int need_equal(const gk_sql_matrix *a, const gk_sql_matrix *b)
{
    if (a->rows == b->rows && a->cols == b->cols) return GK_OK;
    return gk_error(GK_USAGE, "the matrices are %d x %d and %d x %d and must have one shape", a->rows, a->cols, b->rows,
                    b->cols);
}

int gk_sql_need_symmetric(const gk_sql_matrix *m)
{
    const int code = need_square(m);
    if (code != GK_OK) return code;
    double largest = 0;
    for (size_t i = 0; i < count(m); i++) largest = fmax(largest, fabs(m->data[i]));
    /* Matrices kept in float32 are symmetric to its rounding. */
    for (int i = 0; i < m->rows; i++) {
        for (int j = 0; j < i; j++) {
            const double a = m->data[(size_t)i * (size_t)m->cols + (size_t)j],
                         b = m->data[(size_t)j * (size_t)m->cols + (size_t)i];
            if (fabs(a - b) > 1e-5 * largest)
                return gk_error(GK_USAGE,
                                "the matrix must be symmetric, and entry (%d, %d) is %.9g while (%d, %d) is %.9g", i, j,
                                a, j, i, b);
        }
    }
    return GK_OK;
}

/* ---- numbers ---- */

static int call_rows(const gk_sql_value *a, gk_sql_value *result)
{
    return give_integer(result, a[0].matrix.rows);
}

static int call_cols(const gk_sql_value *a, gk_sql_value *result)
{
    return give_integer(result, a[0].matrix.cols);
}

static int call_get(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    if (a[1].integer < 0 || a[1].integer >= m->rows || a[2].integer < 0 || a[2].integer >= m->cols)
        return gk_error(GK_USAGE, "the matrix is %d x %d and has no entry (%lld, %lld), counted from 0", m->rows,
                        m->cols, (long long)a[1].integer, (long long)a[2].integer);
    return give_real(result, m->data[(size_t)a[1].integer * (size_t)m->cols + (size_t)a[2].integer]);
}

static int call_trace(const gk_sql_value *a, gk_sql_value *result)
{
    const int code = need_square(&a[0].matrix);
    return code == GK_OK ? give_real(result, gk_trace(a[0].matrix.data, a[0].matrix.rows)) : code;
}

static int call_norm(const gk_sql_value *a, gk_sql_value *result)
{
    return give_real(result, sqrt(gk_norm_sq(a[0].matrix.data, count(&a[0].matrix))));
}

static int call_cosine(const gk_sql_value *a, gk_sql_value *result)
{
    const int code = need_equal(&a[0].matrix, &a[1].matrix);
    return code == GK_OK ? give_real(result, gk_cosine(a[0].matrix.data, a[1].matrix.data, count(&a[0].matrix))) : code;
}

static int call_corr(const gk_sql_value *a, gk_sql_value *result)
{
    const int code = need_equal(&a[0].matrix, &a[1].matrix);
    return code == GK_OK ? give_real(result, gk_pearson(a[0].matrix.data, a[1].matrix.data, count(&a[0].matrix)))
                         : code;
}

/* ---- circulance of a p x p block ---- */

/* An ordering by its name or by the operation whose features have it; GK_ORDERINGS stands for the best. */
static int ordering_of(const char *word, gk_ordering *out)
{
    static const char *const words[] = {"toeplitz", "hankel", "toeplitz_dlog", "hankel_dlog", "add",
                                        "sub",      "mul",    "div",           "best",        NULL};
    for (int i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i == 8 ? GK_ORDERINGS : (gk_ordering)(i % 4);
            return GK_OK;
        }
    }
    return gk_error(
        GK_USAGE,
        "'%.60s' is no ordering; toeplitz, hankel, toeplitz_dlog, hankel_dlog, the operations add, sub, mul, "
        "div that have them, and best are accepted",
        word);
}

static int circularity(const gk_sql_value *a, const char *word, gk_circularity *out, gk_ordering *ordering)
{
    const gk_sql_matrix *m = &a[0].matrix;
    int code = need_square(m);
    if (code == GK_OK) code = ordering_of(word, ordering);
    if (code != GK_OK) return code;
    if (*ordering == GK_ORDERINGS) {
        *ordering = gk_best_ordering(m->data, m->cols, m->rows, out);
        return GK_OK;
    }
    int32_t *keys = gk_alloc(2 * (size_t)m->rows, sizeof *keys);
    if (!keys) return GK_FAILED;
    gk_grouping g;
    code = gk_ordering_keys(&g, keys, m->rows, *ordering);
    if (code == GK_OK) *out = gk_circularity_of(m->data, m->cols, &g);
    free(keys);
    return code;
}

static int call_circulance(const gk_sql_value *a, gk_sql_value *result)
{
    gk_circularity c;
    gk_ordering ordering;
    const int code = circularity(a, a[1].word ? a[1].word : "best", &c, &ordering);
    return code == GK_OK ? give_real(result, c.circulance) : code;
}

static int call_deviation(const gk_sql_value *a, gk_sql_value *result)
{
    gk_circularity c;
    gk_ordering ordering;
    const int code = circularity(a, a[1].word ? a[1].word : "best", &c, &ordering);
    return code == GK_OK ? give_real(result, c.deviation) : code;
}

static int call_best_ordering(const gk_sql_value *a, gk_sql_value *result)
{
    gk_circularity c;
    gk_ordering ordering;
    const int code = circularity(a, "best", &c, &ordering);
    if (code != GK_OK || isnan(c.circulance)) return code;
    result->type = GK_SQL_TEXT;
    result->word = gk_ordering_name(ordering);
    return GK_OK;
}

/* ---- matrices ---- */

static int call_nodiag(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    const int code = need_square(m);
    if (code != GK_OK) return code;
    gk_drop_diagonal(m->data, m->rows);
    return give_matrix(result, m->data, m->rows, m->cols);
}

static int give_block(const gk_sql_matrix *m, int64_t r0, int64_t r1, int64_t c0, int64_t c1, gk_sql_value *result)
{
    if (r0 < 0 || r1 <= r0 || r1 > m->rows || c0 < 0 || c1 <= c0 || c1 > m->cols)
        return gk_error(
            GK_USAGE,
            "rows %lld to %lld and columns %lld to %lld are no block of a %d x %d matrix; the ends count from 0 "
            "and are not part of it",
            (long long)r0, (long long)r1, (long long)c0, (long long)c1, m->rows, m->cols);
    double *block = room_for(r1 - r0, c1 - c0);
    if (!block) return GK_FAILED;
    gk_block(block, m->data, m->cols, (int)r0, (int)r1, (int)c0, (int)c1);
    return give_and_free(result, block, (int)(r1 - r0), (int)(c1 - c0));
}

static int call_off_block(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    const int code = need_square(m), p = m->rows / 2;
    if (code != GK_OK) return code;
    if (m->rows % 2 != 0)
        return gk_error(GK_USAGE, "the matrix is %d x %d; a feature matrix has 2p rows, and its off-diagonal block p",
                        m->rows, m->cols);
    return give_block(m, p, 2 * p, 0, p, result);
}

static int call_block(const gk_sql_value *a, gk_sql_value *result)
{
    return give_block(&a[0].matrix, a[1].integer, a[2].integer, a[3].integer, a[4].integer, result);
}

/* A p x p block, p prime, or the four blocks of a 2p x 2p matrix. */
static int call_reorder(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    int code = need_square(m);
    if (code != GK_OK) return code;
    const int n = m->rows, blocks = gk_is_prime(n) || n % 2 != 0 ? 1 : 2, p = n / blocks, small = p - 1;
    if (!gk_is_prime(p))
        return gk_error(
            GK_USAGE, "the matrix has %d rows, which is neither a prime p nor 2p; only those have discrete logarithms",
            n);
    double *out = room_for(blocks * small, blocks * small), *block = room_for(small, small);
    code = out && block ? GK_OK : GK_FAILED;
    for (int i = 0; code == GK_OK && i < blocks * blocks; i++) {
        const int row = i / blocks, col = i % blocks;
        code = gk_reorder_dlog(block, m->data + (size_t)row * (size_t)p * (size_t)n + (size_t)(col * p), n, p);
        for (int r = 0; code == GK_OK && r < small; r++)
            memcpy(out + (size_t)(row * small + r) * (size_t)(blocks * small) + (size_t)(col * small),
                   block + (size_t)r * (size_t)small, (size_t)small * sizeof *out);
    }
    free(block);
    if (code == GK_OK) return give_and_free(result, out, blocks * small, blocks * small);
    free(out);
    return code;
}

static int call_mul(const gk_sql_value *args, gk_sql_value *result)
{
    const gk_sql_matrix *a = &args[0].matrix, *b = &args[1].matrix;
    if (a->cols != b->rows)
        return gk_error(GK_USAGE, "a %d x %d matrix cannot be multiplied by a %d x %d one", a->rows, a->cols, b->rows,
                        b->cols);
    double *c = room_for(a->rows, b->cols);
    if (!c) return GK_FAILED;
    memset(c, 0, (size_t)a->rows * (size_t)b->cols * sizeof *c);
    if (a->rows > 0 && b->cols > 0 && a->cols > 0)
        gk_gemm(false, false, a->rows, b->cols, a->cols, 1, a->data, a->cols, b->data, b->cols, 0, c, b->cols);
    return give_and_free(result, c, a->rows, b->cols);
}

static int call_sqrt(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    int code = gk_sql_need_symmetric(m);
    if (code == GK_OK) code = gk_sym_power(m->data, m->data, m->rows, 0.5);
    return code == GK_OK ? give_matrix(result, m->data, m->rows, m->cols) : code;
}

/* ---- for other eyes ---- */

/* The shortest of 15, 16 or 17 digits that read back equal; what is not finite is null in JSON. */
static int put_number(char out[32], double value)
{
    if (!isfinite(value)) return snprintf(out, 32, "null");
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    return n;
}

static int call_json(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    /* A number takes up to 24 letters and a comma. */
    char *text = gk_alloc(26 * count(m) + 3 * (size_t)m->rows + 3, 1), *at = text;
    if (!text) return GK_FAILED;
    *at++ = '[';
    for (int i = 0; i < m->rows; i++) {
        if (i) *at++ = ',';
        *at++ = '[';
        for (int j = 0; j < m->cols; j++) {
            if (j) *at++ = ',';
            at += put_number(at, m->data[(size_t)i * (size_t)m->cols + (size_t)j]);
        }
        *at++ = ']';
    }
    *at++ = ']';
    *at = '\0';
    result->type = GK_SQL_TEXT;
    result->bytes = (unsigned char *)text;
    result->size = (size_t)(at - text);
    return GK_OK;
}

enum { SIDE_MAX = 16000 }; /* a quarter of a gigabyte of pixels */

static int give_png(const gk_sql_matrix *m, int64_t zoom, gk_sql_value *result)
{
    if (m->rows == 0 || m->cols == 0) return gk_error(GK_USAGE, "a %d x %d matrix has no picture", m->rows, m->cols);
    if (zoom < 1 || zoom > SIDE_MAX || m->rows * zoom > SIDE_MAX || m->cols * zoom > SIDE_MAX)
        return gk_error(GK_USAGE,
                        "%lld pixels an entry make no picture of a %d x %d matrix; it has 1 to %d pixels a side",
                        (long long)zoom, m->rows, m->cols, SIDE_MAX);
    result->type = GK_SQL_BLOB;
    return gk_sql_png(m, (int)zoom, &result->bytes, &result->size);
}

static int call_png(const gk_sql_value *a, gk_sql_value *result)
{
    const gk_sql_matrix *m = &a[0].matrix;
    const int longer = m->rows > m->cols ? m->rows : m->cols;
    return give_png(m, longer > 0 && longer < 400 ? (400 + longer - 1) / longer : 1, result);
}

static int call_png_zoom(const gk_sql_value *a, gk_sql_value *result)
{
    return give_png(&a[0].matrix, a[1].integer, result);
}

const gk_sql_scalar gk_sql_scalars[] = {
    {{"mat_rows", "matrix", "number of rows"}, "m", call_rows},
    {{"mat_cols", "matrix", "number of columns"}, "m", call_cols},
    {{"mat_get", "matrix, row, column", "one entry, counted from 0"}, "mii", call_get},
    {{"mat_trace", "matrix", "sum of the diagonal of a square matrix"}, "m", call_trace},
    {{"mat_norm", "matrix", "Frobenius norm"}, "m", call_norm},
    {{"mat_cosine", "matrix, matrix", "cosine between two matrices of one shape, 0 if either is zero"},
     "mm",
     call_cosine},
    {{"mat_corr", "matrix, matrix",
      "Pearson correlation of the entries of two matrices of one shape, 0 if either is constant"},
     "mm",
     call_corr},
    {{"mat_nodiag", "matrix", "the matrix with a diagonal of zeros"}, "m", call_nodiag},
    {{"mat_block", "matrix", "the off-diagonal block M[p:2p, 0:p] of a 2p x 2p feature matrix"}, "m", call_off_block},
    {{"mat_block", "matrix, r0, r1, c0, c1", "the block M[r0:r1, c0:c1], counted from 0, ends not included"},
     "miiii",
     call_block},
    {{"mat_reorder_dlog", "matrix",
      "a p x p block, or each block of a 2p x 2p matrix, with rows and columns by powers of the smallest primitive "
      "root of p; "
      "row and column 0 dropped"},
     "m",
     call_reorder},
    {{"mat_circulance", "block",
      "share of the centred block that its circulant projection keeps, in the best ordering"},
     "m",
     call_circulance},
    {{"mat_circulance", "block, ordering",
      "the same in one ordering: toeplitz, hankel, toeplitz_dlog, hankel_dlog, or an operation: add, sub, mul, div"},
     "mt",
     call_circulance},
    {{"mat_circulant_deviation", "block",
      "circulant deviation of a p x p block in its best ordering: 0 circulant, about 1/p random"},
     "m",
     call_deviation},
    {{"mat_circulant_deviation", "block, ordering", "the same in one ordering, named as for mat_circulance"},
     "mt",
     call_deviation},
    {{"mat_best_ordering", "block", "name of the ordering in which the block is most circulant"},
     "m",
     call_best_ordering},
    {{"mat_mul", "matrix, matrix", "matrix product"}, "mm", call_mul},
    {{"mat_sqrt", "matrix", "square root of a symmetric matrix, negative eigenvalues clipped to 0"}, "m", call_sqrt},
    {{"mat_to_json", "matrix", "the entries as JSON rows, exact; what is not finite is null"}, "m", call_json},
    {{"mat_png", "matrix", "a PNG picture about 400 pixels wide: blue below 0, white at 0, red above"}, "m", call_png},
    {{"mat_png", "matrix, pixels", "the same with this many pixels an entry"}, "mi", call_png_zoom},
    {{NULL, NULL, NULL}, NULL, NULL},
};
