/* test_algebra_structure.c: circulant structure, Fourier analysis and losses against tests/oracle_algebra.py. */
#include "algebra.h"
#include "fixtures/algebra.h"

#include "gk_fourier.h"
#include "gk_loss.h"
#include "gk_number.h"
#include "gk_structure.h"

#include <stdlib.h>
#include <string.h>

/* Kind 0 is random; 1..4 are noise about toeplitz, hankel, toeplitz_dlog, hankel_dlog: make_block() of the oracle,
 * times `noise` / 0.25. */
static double *make_block(int kind, int p, double noise)
{
    size_t n = (size_t)p;
    double *block = malloc(n * n * sizeof *block), *c = malloc(n * sizeof *c);
    int32_t *power = malloc(2 * n * sizeof *power), *dlog = power + p;
    algebra_fill(block, n * n, (uint64_t)(1000 * kind + p));
    algebra_fill(c, n, (uint64_t)(77 + p));
    gk_discrete_log(p, power, dlog);
    for (int i = 0; i < p && kind > 0; i++) {
        for (int j = 0; j < p; j++) {
            int key = p - 1;
            if (kind == 1) key = (i - j + p) % p;
            if (kind == 2) key = (i + j) % p;
            if (kind == 3 && i > 0 && j > 0) key = (dlog[i] - dlog[j] + p - 1) % (p - 1);
            if (kind == 4 && i > 0 && j > 0) key = (dlog[i] + dlog[j]) % (p - 1);
            block[i * p + j] = c[key] + noise * block[i * p + j];
        }
    }
    free(c);
    free(power);
    return block;
}

static void circularity_equals_the_rolled_formula(void **state)
{
    (void)state;
    int32_t keys[2 * 61];
    const double *expected = expect_circularity;
    for (int i = 0; i < 4; i++) {
        int p = expect_primes[i];
        for (int kind = 0; kind < 5; kind++) {
            double *block = make_block(kind, p, 0.25);
            for (int o = 0; o < GK_ORDERINGS; o++) {
                gk_grouping g;
                assert_int_equal(gk_ordering_keys(&g, keys, p, (gk_ordering)o), GK_OK);
                gk_circularity c = gk_circularity_of(block, p, &g);
                assert_near(c.deviation, *expected++, 1e-13);
                assert_near(c.circulance, *expected++, 1e-13);
            }
            gk_circularity best;
            gk_ordering winner = gk_best_ordering(block, p, p, &best);
            if (kind > 0 && p > 7) {
                assert_int_equal(winner, kind - 1);
                assert_true(best.circulance > 0.8);
            }
            free(block);
        }
    }
}

static void exact_structure_is_found(void **state)
{
    (void)state;
    int32_t keys[2 * 61];
    for (int kind = 1; kind <= 4; kind++) {
        double *block = make_block(kind, 61, 0);
        gk_circularity best;
        assert_int_equal(gk_best_ordering(block, 61, 61, &best), kind - 1);
        assert_true(best.deviation < 1e-28);
        assert_near(best.circulance, 1, 1e-14);
        free(block);
    }
    double *random = make_block(0, 61, 0);
    gk_grouping g;
    for (int o = 0; o < GK_ORDERINGS; o++) {
        assert_int_equal(gk_ordering_keys(&g, keys, 61, (gk_ordering)o), GK_OK);
        gk_circularity c = gk_circularity_of(random, 61, &g);
        assert_near(c.deviation, 1.0 / 61, 2e-3); /* about 1/p for a random block, both of them */
        assert_near(c.circulance, 1.0 / 61, 1e-2);
    }
    free(random);
}

static void degenerate_blocks(void **state)
{
    (void)state;
    double block[49] = {0};
    int32_t keys[14];
    gk_grouping g;
    assert_int_equal(gk_ordering_keys(&g, keys, 7, GK_TOEPLITZ), GK_OK);
    gk_circularity c = gk_circularity_of(block, 7, &g);
    assert_true(isnan(c.deviation) && isnan(c.circulance)); /* zero */
    for (int i = 0; i < 49; i++) block[i] = 0.1;
    c = gk_circularity_of(block, 7, &g);
    assert_true(c.deviation < 1e-28);
    assert_true(c.circulance == 1); /* constant */
    block[10] = NAN;
    c = gk_circularity_of(block, 7, &g);
    assert_true(isnan(c.deviation) && isnan(c.circulance));
    gk_best_ordering(block, 7, 7, &c);
    assert_true(isnan(c.circulance));
    for (int i = 0; i < 7; i++) keys[i] = -1;
    c = gk_circularity_of(block, 7, &g);
    assert_true(isnan(c.deviation) && isnan(c.circulance)); /* all rows dropped */
}

static void any_grouping(void **state)
{
    (void)state;
    enum { P = 13 };
    double *block = make_block(0, P, 0), wide[P * 20];
    int32_t power[P - 1], dlog[P], row[P], column[P];
    gk_discrete_log(P, power, dlog);
    for (int i = 0; i < P * 20; i++) wide[i] = NAN; /* what lies beyond the block must not count */
    for (int i = 0; i < P; i++) memcpy(wide + i * 20, block + i * P, P * sizeof *block);
    for (int form = 0; form < 3; form++) {
        for (int i = 0; i < P; i++) {
            if (form == 0) row[i] = column[i] = i * i % P;
            if (form == 1) row[i] = dlog[i] < 0 ? -1 : 2 * dlog[i] % (P - 1), column[i] = dlog[i];
            if (form == 2) row[i] = i % 5 == 2 ? -1 : i, column[i] = 3 * i % P;
        }
        gk_grouping g = {P, form == 1 ? P - 1 : P, row, column};
        gk_circularity c = gk_circularity_of(wide, 20, &g);
        assert_near(c.deviation, expect_groupings[2 * form], 1e-13);
        assert_near(c.circulance, expect_groupings[2 * form + 1], 1e-13);
    }
    free(block);
}

static void projection_makes_circulant(void **state)
{
    (void)state;
    int32_t keys[2 * 61];
    gk_grouping g;
    for (int o = 0; o < 2; o++) {
        double *block = make_block(1, 7, 0.25);
        assert_int_equal(gk_ordering_keys(&g, keys, 7, (gk_ordering)o), GK_OK);
        gk_circulant_project(block, 7, &g);
        assert_all_near(block, expect_project + 49 * o, 49, 1e-14);
        free(block);
    }
    for (int o = 0; o < GK_ORDERINGS; o++) {
        double *block = make_block(0, 61, 0), *before = make_block(0, 61, 0);
        assert_int_equal(gk_ordering_keys(&g, keys, 61, (gk_ordering)o), GK_OK);
        gk_circulant_project(block, 61, &g);
        assert_near(gk_circularity_of(block, 61, &g).circulance, 1, 1e-13);
        if (o >= GK_TOEPLITZ_DLOG) { /* dropped entries stay */
            for (int i = 0; i < 61; i++) assert_true(block[i] == before[i] && block[61 * i] == before[61 * i]);
        }
        free(block);
        free(before);
    }
}

static void orderings_need_what_they_need(void **state)
{
    (void)state;
    int32_t keys[120];
    double block[60 * 60], out[60 * 60];
    gk_grouping g;
    algebra_fill(block, 3600, 8);
    assert_int_equal(gk_ordering_keys(&g, keys, 60, GK_HANKEL), GK_OK);
    assert_int_equal(gk_ordering_keys(&g, keys, 60, GK_HANKEL_DLOG), GK_USAGE);
    assert_non_null(strstr(gk_error_text(), "60 is not prime"));
    assert_int_equal(gk_reorder_dlog(out, block, 60, 60), GK_USAGE);
    gk_circularity best;
    assert_true(gk_best_ordering(block, 60, 60, &best) < GK_TOEPLITZ_DLOG);
    assert_true(best.circulance > 0);
    const char *names[] = {"toeplitz", "hankel", "toeplitz_dlog", "hankel_dlog"};
    for (int o = 0; o < GK_ORDERINGS; o++) assert_string_equal(gk_ordering_name((gk_ordering)o), names[o]);
}

static void discrete_log_order(void **state)
{
    (void)state;
    double *block = make_block(0, 7, 0), out[36];
    assert_int_equal(gk_reorder_dlog(out, block, 7, 7), GK_OK);
    assert_all_near(out, expect_reorder, 36, 0);
    free(block);
}

static void fourier_bases(void **state)
{
    (void)state;
    double *f = malloc(113 * 113 * sizeof *f);
    gk_fourier_basis(f, 7);
    assert_all_near(f, expect_basis7, 49, 1e-15);
    gk_fourier_basis(f, 12);
    assert_all_near(f, expect_basis12, 144, 1e-15);
    const int sizes[] = {1, 2, 3, 60, 113};
    for (int s = 0; s < 5; s++) {
        int n = sizes[s];
        gk_fourier_basis(f, n);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                double dot = 0;
                for (int a = 0; a < n; a++) dot += f[i * n + a] * f[j * n + a];
                assert_near(dot, i == j ? 1 : 0, 1e-14);
            }
        }
        assert_int_equal(gk_fourier_frequencies(n), n / 2);
    }
    free(f);
}

static void spectral_lines(void **state)
{
    (void)state;
    static const double *const expected[2][2] = {{expect_lines12_0, expect_lines12_1},
                                                 {expect_lines61_0, expect_lines61_1}};
    double a[61 * 61], energy[31];
    for (int i = 0; i < 2; i++) {
        int n = i == 0 ? 12 : 61;
        for (int hankel = 0; hankel < 2; hankel++) {
            algebra_fill(a, (size_t)(n * n), (uint64_t)(5 + n));
            gk_fourier_lines(energy, a, n, hankel);
            assert_all_near(energy, expected[i][hankel], n / 2 + 1, 1e-12);
        }
    }
}

static void peakedness(void **state)
{
    (void)state;
    double v[40], one[5] = {0, 0, 3, 0, 0}, flat[5] = {2, 2, 2, 2, 2}, zero[5] = {0};
    algebra_fill(v, 40, 9);
    for (int i = 0; i < 40; i++) v[i] = fabs(v[i]);
    assert_near(gk_entropy(v, 40), expect_entropy[0], 1e-14);
    assert_near(gk_gini(v, 40), expect_gini[0], 1e-14);
    for (int i = 1; i < 40; i++) assert_true(v[i - 1] <= v[i]);
    assert_true(gk_entropy(one, 5) == 0);
    assert_near(gk_gini(one, 5), 0.8, 1e-15);
    assert_near(gk_entropy(flat, 5), log(5), 1e-15);
    assert_near(gk_gini(flat, 5), 0, 1e-15);
    assert_true(gk_entropy(zero, 5) == 0 && gk_gini(zero, 5) == 0);
    flat[2] = NAN;
    assert_true(isnan(gk_gini(flat, 5)) && isnan(gk_entropy(flat, 5)));
}

enum { ROWS = 50, CLASSES = 13, LD = 20 };

/* The oracle's outputs in rows of LD, NaN behind them. */
static void make_outputs(double *outputs, int32_t *labels)
{
    double packed[ROWS * CLASSES];
    algebra_fill(packed, ROWS * CLASSES, 41);
    for (int r = 0; r < ROWS; r++) {
        labels[r] = r * 7 % CLASSES;
        for (int c = 0; c < LD; c++) outputs[r * LD + c] = c < CLASSES ? 4 * packed[r * CLASSES + c] : NAN;
    }
}

/* Relative, since losses near 0 are the point. */
static void assert_relative(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance * fabs(expected));
}

static void losses_equal_the_oracle(void **state)
{
    (void)state;
    double outputs[ROWS * LD], sharp[ROWS * LD];
    int32_t labels[ROWS];
    make_outputs(outputs, labels);
    assert_relative(gk_cross_entropy(outputs, LD, ROWS, CLASSES, 1, labels), expect_losses[0], 1e-14);
    assert_relative(gk_squared_error(outputs, LD, ROWS, CLASSES, labels), expect_losses[3], 1e-14);
    assert_relative(gk_accuracy(outputs, LD, ROWS, CLASSES, labels), expect_losses[4], 1e-15);
    assert_relative(gk_log_sum_exp(outputs + 3 * LD, CLASSES), expect_log_sum_exp[0], 1e-15);
    memcpy(sharp, outputs, sizeof sharp);
    for (int r = 0; r < ROWS; r++) sharp[r * LD + labels[r]] += 40;
    assert_relative(gk_cross_entropy(sharp, LD, ROWS, CLASSES, 1, labels), expect_losses[1], 1e-13);
    for (int i = 0; i < ROWS * LD; i++) outputs[i] *= 500;
    assert_relative(gk_cross_entropy(outputs, LD, ROWS, CLASSES, 1, labels), expect_losses[2], 1e-14);
}

static void losses_of_extreme_outputs(void **state)
{
    (void)state;
    const int32_t label[] = {1, 1};
    double huge[] = {-1e300, 1e300, 0, 1e15, -1e15, 800};
    assert_true(gk_cross_entropy(huge, 3, 1, 3, 1, label) < 1e-300);
    assert_relative(gk_cross_entropy(huge + 3, 3, 1, 3, 1, label), 2e15, 1e-15);
    double level[] = {1e300, 1e300, 1e300, 1e300};
    assert_relative(gk_cross_entropy(level, 4, 1, 4, 1, label), log(4), 1e-15);
    double low[] = {-INFINITY, 0, -INFINITY, 0};
    assert_relative(gk_cross_entropy(low, 4, 1, 4, 1, label), log(2), 1e-15);
    assert_true(isnan(gk_cross_entropy(low, 4, 0, 4, 1, label)));
    double up[] = {0, 1, INFINITY};
    assert_true(gk_log_sum_exp(up, 3) == INFINITY);
    assert_relative(gk_log_sum_exp(level, 4), 1e300, 1e-15);
}

static void losses_know_nan(void **state)
{
    (void)state;
    const int32_t labels[] = {1, 1};
    for (int at = 0; at < 9; at++) {
        double outputs[18] = {0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0};
        assert_true(gk_accuracy(outputs, 9, 2, 9, labels) == 1);
        outputs[9 + at] = NAN;
        assert_true(isnan(gk_cross_entropy(outputs, 9, 2, 9, 1, labels)));
        assert_true(isnan(gk_squared_error(outputs, 9, 2, 9, labels)));
        assert_true(isnan(gk_log_sum_exp(outputs + 9, 9)));
        assert_true(gk_accuracy(outputs, 9, 2, 9, labels) == 0.5);
    }
    double nothing[] = {NAN, NAN, NAN};
    assert_true(isnan(gk_log_sum_exp(nothing, 3)));
    double tie[] = {1, 3, 3, 3, 3, 1};
    assert_true(gk_accuracy(tie, 3, 2, 3, labels) == 0.5); /* the first largest counts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circularity_equals_the_rolled_formula),
        cmocka_unit_test(exact_structure_is_found),
        cmocka_unit_test(degenerate_blocks),
        cmocka_unit_test(any_grouping),
        cmocka_unit_test(projection_makes_circulant),
        cmocka_unit_test(orderings_need_what_they_need),
        cmocka_unit_test(discrete_log_order),
        cmocka_unit_test(fourier_bases),
        cmocka_unit_test(spectral_lines),
        cmocka_unit_test(peakedness),
        cmocka_unit_test(losses_equal_the_oracle),
        cmocka_unit_test(losses_of_extreme_outputs),
        cmocka_unit_test(losses_know_nan),
    };
    return cmocka_run_group_tests_name("algebra_structure", tests, NULL, NULL);
}
