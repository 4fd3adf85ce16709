/* test_measure_phases.c: phases from curves whose turning points are known by construction. */
#include "measure.h"

enum { N = 400 };

typedef struct curves {
    int64_t step[N];
    double train[N], test[N], hidden[N], norm[N];
} curves;

/* Steps 0, 100, ..: memorised at 1400, hidden falls around 7000, test accuracy rises at 10000, the norm has fallen by
 * 14000. */
static void like_the_paper(curves *c)
{
    for (int i = 0; i < N; i++) {
        const double s = 100.0 * i;
        c->step[i] = 100 * i;
        c->train[i] = s >= 1400 ? 1 : s / 1401;
        c->test[i] = s >= 10000 ? 1 : 0.1;
        c->hidden[i] = 3 / (1 + exp((log(s + 1) - log(7001)) * 8)) + (s < 1400 ? 20 * (1 - s / 1400) : 0);
        c->norm[i] = s <= 9000 ? 3400 - s / 10 : s >= 14000 ? 1000 : 2500 - 1500 * (s - 9000) / 5000;
    }
}

static gk_phases phases(const curves *c, int n)
{
    const gk_curve train = {n, c->step, c->train}, test = {n, c->step, c->test}, hidden = {n, c->step, c->hidden},
                   norm = {n, c->step, c->norm};
    return gk_phases_of(&train, &test, &hidden, &norm);
}

static void the_four_phases_of_the_paper(void **state)
{
    (void)state;
    static curves c;
    like_the_paper(&c);
    const gk_phases p = phases(&c, N);
    assert_int_equal(p.memorised, 1400);
    assert_int_equal(p.grokked, 10000);
    assert_true(p.circuit >= 6500 && p.circuit <= 7500); /* not the steeper fall before memorisation */
    /* 2400 are lost in all; less than a twentieth of that is left 400 steps before the end of the fall */
    assert_int_equal(p.cleaned, 13600);
    for (int i = 50; i < N; i++) c.norm[i] = 1000; /* all lost by 5000: cleaning up does not end before generalising */
    assert_int_equal(phases(&c, N).cleaned, 10000);
}

static void what_was_not_reached_is_minus_one(void **state)
{
    (void)state;
    static curves c;
    like_the_paper(&c);
    gk_phases p = phases(&c, 90); /* stops before generalising */
    assert_int_equal(p.memorised, 1400);
    assert_int_equal(p.grokked, -1);
    assert_int_equal(p.cleaned, -1);
    p = phases(&c, 5);
    assert_int_equal(p.memorised, -1);
    p = phases(&c, 0);
    assert_true(p.memorised == -1 && p.circuit == -1 && p.grokked == -1 && p.cleaned == -1);
    p = gk_phases_of(NULL, NULL, NULL, NULL);
    assert_true(p.memorised == -1 && p.circuit == -1 && p.grokked == -1 && p.cleaned == -1);
    for (int i = 0; i < N; i++) c.hidden[i] = i; /* rises throughout */
    assert_int_equal(phases(&c, N).circuit, -1);
    for (int i = 0; i < N; i++) c.norm[i] = 10 + i; /* an RFM's norm may only grow */
    assert_int_equal(phases(&c, N).cleaned, -1);
}

static void generalising_must_stay(void **state)
{
    (void)state;
    static curves c;
    like_the_paper(&c);
    c.test[300] = 0.9;
    assert_int_equal(phases(&c, N).grokked, 30100);
    like_the_paper(&c);
    c.test[200] = NAN; /* a diverged evaluation counts as a loss of it */
    assert_int_equal(phases(&c, N).grokked, 20100);
    c.test[N - 1] = NAN;
    assert_int_equal(phases(&c, N).grokked, -1);
}

static void gaps_and_sparse_samples_are_bridged(void **state)
{
    (void)state;
    static curves c;
    like_the_paper(&c);
    c.hidden[60] = NAN;
    const gk_phases p = phases(&c, N);
    assert_true(p.circuit >= 6000 && p.circuit <= 8000);
    const int64_t step[] = {0, 1, 2, 3, 4};
    const double accuracy[] = {0, 1, 1, 1, 1}, hidden[] = {4, 3.9, 3.8, 0.2, 0.1};
    const gk_curve train = {5, step, accuracy}, few = {5, step, hidden};
    assert_int_equal(gk_phases_of(&train, NULL, &few, NULL).circuit, 2); /* 3.8 to 0.2, named by its earlier end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_phases_of_the_paper),
        cmocka_unit_test(what_was_not_reached_is_minus_one),
        cmocka_unit_test(generalising_must_stay),
        cmocka_unit_test(gaps_and_sparse_samples_are_bridged),
    };
    return cmocka_run_group_tests_name("measure_phases", tests, NULL, NULL);
}
