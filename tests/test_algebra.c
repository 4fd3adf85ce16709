/* test_algebra.c: matrices, eigenvalues, number theory and the choice of BLAS against tests/oracle_algebra.py and
 * against the properties that define the answers. */
#include "algebra.h"
#include "fixtures/algebra.h"

#include "gk_matrix.h"
#include "gk_number.h"
#include "src/algebra/blas.h"

#include <stdlib.h>
#include <string.h>

/* op(A)[i,j] of a row-major matrix */
static double entry(const double *a, int ld, bool transpose, int i, int j)
{
    return transpose ? a[j * ld + i] : a[i * ld + j];
}

static void products_equal_plain_loops(void **state)
{
    (void)state;
    enum { M = 5, N = 7, K = 4, LDA = 9, LDB = 11, LDC = 10, SIZE = 120 };
    double a[SIZE], b[SIZE], c[SIZE], before[SIZE];
    float af[SIZE], bf[SIZE], cf[SIZE];
    algebra_fill(a, SIZE, 1);
    algebra_fill(b, SIZE, 2);
    algebra_fill(before, SIZE, 3);
    for (int form = 0; form < 4; form++) {
        bool ta = form & 1, tb = form & 2;
        memcpy(c, before, sizeof c);
        for (int i = 0; i < SIZE; i++) af[i] = (float)a[i], bf[i] = (float)b[i], cf[i] = (float)c[i];
        gk_gemm(ta, tb, M, N, K, 1.5, a, LDA, b, LDB, -0.5, c, LDC);
        gk_gemm_f32(ta, tb, M, N, K, 1.5F, af, LDA, bf, LDB, -0.5F, cf, LDC);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < LDC; j++) {
                double sum = 0, expected = before[i * LDC + j];
                for (int k = 0; k < K; k++) sum += entry(a, LDA, ta, i, k) * entry(b, LDB, tb, k, j);
                if (j < N) expected = 1.5 * sum - 0.5 * expected;
                assert_near(c[i * LDC + j], expected, 1e-14);
                assert_near(cf[i * LDC + j], expected, 2e-6);
            }
        }
    }
}

static void gram_fills_both_triangles(void **state)
{
    (void)state;
    enum { N = 70, K = 13, LDC = 75 };
    double *a = malloc(N * K * sizeof *a), *c = malloc(N * LDC * sizeof *c), *expected = malloc(N * N * sizeof *c);
    algebra_fill(a, N * K, 4);
    for (int form = 0; form < 2; form++) {
        bool ta = form == 1;
        int lda = ta ? N : K;
        for (int i = 0; i < N * LDC; i++) c[i] = 2;
        gk_gram(ta, N, K, 2.0, a, lda, 0.25, c, LDC);
        gk_gemm(ta, !ta, N, N, K, 2.0, a, lda, a, lda, 0.0, expected, N);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < LDC; j++) {
                assert_near(c[i * LDC + j], j < N ? expected[i * N + j] + 0.5 : 2, 1e-13);
                if (j < N) assert_true(c[i * LDC + j] == c[j * LDC + i]);
            }
        }
    }
    free(a);
    free(c);
    free(expected);
}

/* A = B B^T / n + I [n,n], well conditioned */
static double *definite(int n)
{
    size_t size = (size_t)n * (size_t)n;
    double *a = malloc(size * sizeof *a), *b = malloc(size * sizeof *b);
    algebra_fill(b, size, 5);
    gk_gemm(false, true, n, n, n, 1.0 / n, b, n, b, n, 0.0, a, n);
    for (int i = 0; i < n; i++) a[i * n + i] += 1;
    free(b);
    return a;
}

static void cholesky_factors_and_solves(void **state)
{
    (void)state;
    const int sizes[] = {1, 2, 50, 333};
    enum { M = 3 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int n = sizes[s];
        size_t size = (size_t)n * (size_t)n;
        double *a = definite(n), *l = malloc(size * sizeof *l), *product = malloc(size * sizeof *l);
        double *x = malloc((size_t)n * M * sizeof *x), *b = malloc((size_t)n * M * sizeof *b);
        float *lf = malloc(size * sizeof *lf), *bf = malloc((size_t)n * M * sizeof *bf);
        memcpy(l, a, size * sizeof *l);
        for (size_t i = 0; i < size; i++) lf[i] = (float)a[i];
        assert_int_equal(gk_cholesky(l, n, 2), GK_OK);
        assert_int_equal(gk_cholesky_f32(lf, n, 1), GK_OK);
        algebra_fill(x, (size_t)n * M, 6);
        gk_gemm(false, false, n, M, n, 1.0, a, n, x, M, 0.0, b, M); /* the right side whose solution is x */
        for (int i = 0; i < n * M; i++) bf[i] = (float)b[i];
        gk_cholesky_solve(l, n, b, M, 2);
        gk_cholesky_solve_f32(lf, n, bf, M, 1);
        assert_all_near(b, x, n * M, 1e-12);
        assert_all_near(bf, x, n * M, 1e-4);
        for (int i = 0; i < n; i++) {
            for (int j = i + 1; j < n; j++) {
                assert_true(l[i * n + j] == a[i * n + j]); /* the upper triangle is left alone */
                l[i * n + j] = 0;
            }
        }
        gk_gemm(false, true, n, n, n, 1.0, l, n, l, n, 0.0, product, n);
        assert_all_near(product, a, size, 1e-13);
        free(a), free(l), free(product), free(x), free(b), free(lf), free(bf);
    }
}

static void cholesky_names_the_bad_minor(void **state)
{
    (void)state;
    enum { N = 40, BAD = 29 };
    double *a = definite(N);
    float *af = malloc(N * N * sizeof *af);
    a[BAD * N + BAD] = -1;
    for (int i = 0; i < N * N; i++) af[i] = (float)a[i];
    assert_int_equal(gk_cholesky(a, N, 1), GK_DIVERGED);
    assert_non_null(strstr(gk_error_text(), "minor of order 30 "));
    assert_int_equal(gk_cholesky_f32(af, N, 2), GK_DIVERGED);
    assert_non_null(strstr(gk_error_text(), "minor of order 30 "));
    free(a);
    const double rubbish[] = {NAN, INFINITY};
    for (int kind = 0; kind < 2; kind++) {
        a = definite(N);
        a[(N - 1) * N + 3] = rubbish[kind];
        for (int i = 0; i < N * N; i++) af[i] = (float)a[i];
        assert_int_equal(gk_cholesky(a, N, 1), GK_DIVERGED);
        assert_int_equal(gk_cholesky_f32(af, N, 1), GK_DIVERGED);
        free(a);
    }
    free(af);
    double singular[] = {1, 1, 1, 1};
    assert_int_equal(gk_cholesky(singular, 2, 1), GK_DIVERGED);
}

static void eigen_is_a_decomposition(void **state)
{
    (void)state;
    enum { N = 101 };
    double *a = malloc(N * N * sizeof *a), *v = malloc(N * N * sizeof *v), *b = malloc(N * N * sizeof *b);
    double values[N];
    algebra_fill(b, N * N, 7);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) a[i * N + j] = v[i * N + j] = b[i * N + j] + b[j * N + i];
    }
    assert_int_equal(gk_eigen(v, N, values), GK_OK);
    for (int i = 1; i < N; i++) assert_true(values[i] >= values[i - 1]);
    gk_gemm(false, true, N, N, N, 1.0, v, N, v, N, 0.0, b, N);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) assert_near(b[i * N + j], i == j ? 1 : 0, 1e-13);
    }
    gk_gemm(false, false, N, N, N, 1.0, v, N, a, N, 0.0, b, N); /* V A = diag(values) V */
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) assert_near(b[i * N + j], values[i] * v[i * N + j], 1e-12);
    }
    a[5] = NAN;
    assert_int_equal(gk_eigen(a, N, values), GK_DIVERGED);
    assert_non_null(strstr(gk_error_text(), "(0, 5)"));
    free(a), free(v), free(b);
}

/* B B^T and B + B^T of the oracle's 6 x 6 B */
static void oracle_matrices(double *psd, double *indefinite)
{
    double b[36];
    algebra_fill(b, 36, 21);
    gk_gram(false, 6, 6, 1.0, b, 6, 0.0, psd, 6);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) indefinite[i * 6 + j] = b[i * 6 + j] + b[j * 6 + i];
    }
}

static void powers_of_symmetric_matrices(void **state)
{
    (void)state;
    double psd[36], indefinite[36], out[36], values[6];
    oracle_matrices(psd, indefinite);
    assert_int_equal(gk_sym_power(out, psd, 6, 0.5), GK_OK);
    assert_all_near(out, expect_sqrt, 36, 1e-12);
    assert_int_equal(gk_sym_power(out, psd, 6, 0.25), GK_OK);
    assert_all_near(out, expect_quarter, 36, 1e-11);
    assert_int_equal(gk_sym_power(out, psd, 6, 3), GK_OK);
    assert_all_near(out, expect_power3, 36, 1e-12);
    assert_int_equal(gk_sym_power(out, indefinite, 6, 1), GK_OK);
    assert_all_near(out, expect_clipped, 36, 1e-12);
    memcpy(out, psd, sizeof out); /* in place */
    assert_int_equal(gk_sym_power(out, out, 6, 0.5), GK_OK);
    assert_all_near(out, expect_sqrt, 36, 1e-12);
    for (int i = 0; i < 36; i++) assert_true(out[i] == out[i % 6 * 6 + i / 6]);
    for (int i = 0; i < 36; i++) out[i] = i % 7 == 0 ? -1 : 0; /* -I: everything is clipped */
    assert_int_equal(gk_sym_power(out, out, 6, 0.5), GK_OK);
    for (int i = 0; i < 36; i++) assert_true(out[i] == 0);
    out[7] = INFINITY;
    assert_int_equal(gk_sym_power(out, out, 6, 0.5), GK_DIVERGED);
    assert_int_equal(gk_eigen(indefinite, 6, values), GK_OK);
    assert_all_near(values, expect_eigenvalues, 6, 1e-13);
}

static void effective_ranks(void **state)
{
    (void)state;
    double psd[36], indefinite[36], identity[36], rank;
    oracle_matrices(psd, indefinite);
    for (int i = 0; i < 36; i++) identity[i] = i % 7 == 0 ? 2 : 0;
    const double *matrices[] = {psd, indefinite, identity};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gk_effective_rank(matrices[i], 6, &rank), GK_OK);
        assert_near(rank, expect_effective_rank[i], 1e-12);
    }
    memset(identity, 0, sizeof identity);
    assert_int_equal(gk_effective_rank(identity, 6, &rank), GK_OK);
    assert_true(rank == 0);
    identity[0] = NAN;
    assert_int_equal(gk_effective_rank(identity, 6, &rank), GK_DIVERGED);
}

static void similarities(void **state)
{
    (void)state;
    double x[1000], y[1000], zero[1000] = {0};
    algebra_fill(x, 1000, 31);
    algebra_fill(y, 1000, 32);
    for (int i = 0; i < 1000; i++) y[i] = 3 + 0.5 * x[i] + y[i];
    assert_near(gk_norm_sq(x, 1000), expect_similarity[0], 1e-13);
    assert_near(gk_cosine(x, y, 1000), expect_similarity[1], 1e-13);
    assert_near(gk_pearson(x, y, 1000), expect_similarity[2], 1e-13);
    assert_near(gk_cosine(x, x, 1000), 1, 1e-14);
    assert_true(gk_cosine(x, zero, 1000) == 0);
    assert_true(gk_pearson(x, zero, 1000) == 0);
    for (int i = 0; i < 1000; i++) y[i] = 1e6 - 2 * x[i]; /* a large offset costs no digits beyond its own */
    assert_near(gk_pearson(x, y, 1000), -1, 1e-9);
    x[17] = NAN;
    assert_true(isnan(gk_cosine(x, y, 1000)));
    assert_true(isnan(gk_pearson(x, y, 1000)));
}

static void blocks_and_diagonals(void **state)
{
    (void)state;
    double a[35], block[6], square[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (int i = 0; i < 35; i++) a[i] = i;
    gk_block(block, a, 7, 2, 4, 3, 6);
    const double expected[] = {17, 18, 19, 24, 25, 26};
    assert_memory_equal(block, expected, sizeof block);
    assert_true(gk_trace(square, 3) == 15);
    gk_drop_diagonal(square, 3);
    const double hollow[] = {0, 2, 3, 4, 0, 6, 7, 8, 0};
    assert_memory_equal(square, hollow, sizeof square);
}

static void primes(void **state)
{
    (void)state;
    bool composite[10000] = {true, true};
    for (int i = 2; i < 10000; i++) {
        for (int j = 2 * i; j < 10000; j += i) composite[j] = true;
        assert_int_equal(gk_is_prime(i), !composite[i]);
    }
    assert_false(gk_is_prime(-7));
    assert_true(gk_is_prime(2147483647));
    assert_true(gk_is_prime(2305843009213693951));        /* 2^61 - 1 */
    assert_true(gk_is_prime(9223372036854775783));        /* the largest below 2^63 */
    assert_false(gk_is_prime(3215031751));                /* a strong pseudoprime to 2, 3, 5, 7 */
    assert_false(gk_is_prime(3825123056546413051));       /* ... and to the first nine primes */
    assert_false(gk_is_prime(2147483647LL * 2147483629)); /* two large factors */
}

static void inverses(void **state)
{
    (void)state;
    for (int m = 1; m < 120; m++) {
        for (int a = -m; a < 2 * m; a++) {
            int64_t found = gk_mod_inverse(a, m), expected = 0;
            for (int x = 1; x < m; x++) {
                if (((a * x) % m + m) % m == 1) expected = x;
            }
            assert_int_equal(found, expected);
        }
    }
    assert_int_equal(gk_mod_power(-2, 3, 11), 3);
    assert_int_equal(gk_mod_power(5, 0, 1), 0);
    assert_int_equal(gk_mod_power(3, 2305843009213693950, 2305843009213693951), 1);
}

static void discrete_logarithms(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) assert_int_equal(gk_primitive_root(expect_primes[i]), expect_roots[i]);
    assert_int_equal(gk_primitive_root(2), 1);
    assert_int_equal(gk_primitive_root(3), 2);
    assert_int_equal(gk_primitive_root(2147483647), 7);
    int32_t power[65536], dlog[65537];
    for (int p = 2; p <= 65537; p = p < 400 ? p + 1 : 65537 + (p == 65537)) {
        if (!gk_is_prime(p)) continue;
        gk_discrete_log(p, power, dlog);
        assert_int_equal(dlog[0], -1);
        assert_int_equal(power[0], 1);
        int64_t root = gk_primitive_root(p);
        for (int k = 0; k < p - 1; k++) {
            assert_int_equal(dlog[power[k]], k);
            assert_int_equal(power[(k + 1) % (p - 1)], power[k] * root % p);
        }
    }
}

static void blas_is_left_as_it_was_found(void **state)
{
    (void)state;
    assert_true(strlen(gk_blas_core()) > 0);
    const char *wanted = gk_blas_core_wanted();
    if (wanted) {
        assert_string_equal(wanted, "SkylakeX");
        assert_string_not_equal(gk_blas_core(), wanted); /* else the program would execute itself for ever */
    }
    gk_blas_threads(1);
    double *a = definite(64), values[64];
    assert_int_equal(gk_cholesky(a, 64, 2), GK_OK);
    assert_int_equal(gk_blas_enter(2), 1);
    int two = gk_blas_enter(2); /* 1 where OpenBLAS has no threads */
    assert_int_equal(gk_eigen(a, 64, values), GK_OK);
    gk_cholesky_solve(a, 64, values, 1, 1);
    assert_int_equal(gk_blas_enter(1), two);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_plain_loops),
        cmocka_unit_test(gram_fills_both_triangles),
        cmocka_unit_test(cholesky_factors_and_solves),
        cmocka_unit_test(cholesky_names_the_bad_minor),
        cmocka_unit_test(eigen_is_a_decomposition),
        cmocka_unit_test(powers_of_symmetric_matrices),
        cmocka_unit_test(effective_ranks),
        cmocka_unit_test(similarities),
        cmocka_unit_test(blocks_and_diagonals),
        cmocka_unit_test(primes),
        cmocka_unit_test(inverses),
        cmocka_unit_test(discrete_logarithms),
        cmocka_unit_test(blas_is_left_as_it_was_found),
    };
    return cmocka_run_group_tests_name("algebra", tests, NULL, NULL);
}
