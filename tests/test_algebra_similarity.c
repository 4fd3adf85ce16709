/* test_algebra_similarity.c: two matrices held against each other, against tests/oracle_similarity.py. */
#include "algebra.h"
#include "fixtures/similarity.h"

#include "gk_number.h"
#include "gk_similarity.h"

#include <string.h>

static void similarity_equals_numpy(void **state)
{
    (void)state;
    double a[81], b[81];
    gk_similarity s;
    const double *e = expect_similarity;
    algebra_fill(a, 81, 5);
    algebra_fill(b, 81, 6);
    for (int block = 0; block < 2; block++, e += 4) {
        const int at = block ? 2 * 9 + 3 : 0;
        assert_int_equal(gk_similarity_of(&s, a + at, 9, b + at, 9, block ? 5 : 9), GK_OK);
        assert_near(s.cosine, e[0], 1e-14);
        assert_near(s.pearson, e[1], 1e-14);
        assert_near(s.cosine_nodiag, e[2], 1e-14);
        assert_near(s.pearson_nodiag, e[3], 1e-14);
    }
}

static void a_single_entry_has_no_rest(void **state)
{
    (void)state;
    const double a = 2, b = 3;
    gk_similarity s;
    assert_int_equal(gk_similarity_of(&s, &a, 1, &b, 1, 1), GK_OK);
    assert_near(s.cosine, 1, 1e-15);
    assert_true(isnan(s.cosine_nodiag) && isnan(s.pearson_nodiag));
}

static void distance_of_spectra(void **state)
{
    (void)state;
    double s[12], t[12];
    algebra_fill(s, 12, 7);
    algebra_fill(t, 12, 8);
    assert_near(gk_spectrum_distance(s, t, 12), expect_distance[0], 1e-14);
    for (int i = 0; i < 12; i++) t[i] = 3 * s[i];
    assert_near(gk_spectrum_distance(s, t, 12), 0, 1e-15);
    const double one[] = {1, 0, 0}, other[] = {0, 0, 5}, none[] = {0, 0, 0}, bad[] = {1, NAN, 0};
    assert_near(gk_spectrum_distance(one, other, 3), 1, 1e-15);
    assert_true(isnan(gk_spectrum_distance(one, none, 3)));
    assert_true(isnan(gk_spectrum_distance(one, bad, 3)));
}

static void overlap_of_sets(void **state)
{
    (void)state;
    const bool a[] = {true, true, false, false, true}, b[] = {false, true, false, true, true}, none[5] = {false};
    assert_near(gk_overlap(a, b, 5), 0.5, 1e-15);
    assert_near(gk_overlap(a, none, 5), 0, 1e-15);
    assert_true(isnan(gk_overlap(none, none, 5)));
}

static void division_in_the_order_of_its_group(void **state)
{
    (void)state;
    enum { P = 13 };
    double m[4 * P * P], out[4 * (P - 1) * (P - 1)];
    int32_t u[P], v[P], power[P - 1], dlog[P], x[P], y[P];
    algebra_fill(m, 4 * P * P, 9);
    gk_discrete_log(P, power, dlog);
    for (int i = 0; i < P; i++) {
        u[i] = i;
        v[i] = i ? (int32_t)gk_mod_inverse(i, P) : 0;
    }
    assert_int_equal(gk_group_order(x, y, P, u, v, dlog), P - 1);
    gk_reorder_features(out, m, P, x, y, P - 1);
    assert_all_near(out, expect_division, 4 * (P - 1) * (P - 1), 0.0);
}

/* Subtraction is addition of -y: its features in the order of the group are those of addition. */
static void subtraction_becomes_addition(void **state)
{
    (void)state;
    enum { P = 7 };
    double sub[4 * P * P] = {0}, out[4 * P * P];
    int32_t u[P], v[P], x[P], y[P];
    for (int i = 0; i < P; i++) {
        u[i] = i;
        v[i] = (P - i) % P;
        for (int j = 0; j < P; j++) sub[(P + i) * 2 * P + j] = (i + j) % P; /* Hankel: depends on x + y */
    }
    assert_int_equal(gk_group_order(x, y, P, u, v, NULL), P);
    gk_reorder_features(out, sub, P, x, y, P);
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++) assert_near(out[(P + i) * 2 * P + j], (j - i + P) % P, 0.0);
    for (int i = 0; i < P; i++) u[i] = i * i % P; /* squares are not one-to-one */
    assert_int_equal(gk_group_order(x, y, P, u, v, NULL), 0);
}

static void words_have_their_bounds(void **state)
{
    (void)state;
    const struct {
        double cosine;
        const char *word;
    } cases[] = {{1, "nearly the same"}, {.9, "nearly the same"}, {.89, "alike"},   {.2, "a little alike"},
                 {.08, "unrelated"},     {-.2, "unrelated"},      {-.3, "opposed"}, {NAN, "unknown"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(gk_similarity_word(gk_similarity_level(cases[i].cosine)), cases[i].word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_their_bounds),
        cmocka_unit_test(similarity_equals_numpy),
        cmocka_unit_test(a_single_entry_has_no_rest),
        cmocka_unit_test(distance_of_spectra),
        cmocka_unit_test(overlap_of_sets),
        cmocka_unit_test(division_in_the_order_of_its_group),
        cmocka_unit_test(subtraction_becomes_addition),
    };
    return cmocka_run_group_tests_name("similarity", tests, NULL, NULL);
}
