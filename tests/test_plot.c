/* test_plot.c: scales, thinning, seed means, alignment, sparklines: what happens to numbers before they are drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "src/plot/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) <= 1e-12 * fmax(1, fabs(b)));
}

static void test_scale_map(void **state)
{
    (void)state;
    plot_scale linear = {PLOT_LINEAR, -2, 8, false}, logs = {PLOT_LOG, 1, 1000, false},
               zero = {PLOT_LOG, 1, 1000, true};
    assert_near(plot_scale_map(&linear, -2), 0);
    assert_near(plot_scale_map(&linear, 3), 0.5);
    assert_near(plot_scale_map(&linear, 13), 1.5);
    assert_near(plot_scale_map(&logs, 10), 1.0 / 3);
    assert_near(plot_scale_map(&logs, 1000), 1);
    assert_true(isnan(plot_scale_map(&logs, 0)));
    assert_true(isnan(plot_scale_map(&logs, -1)));
    assert_true(isnan(plot_scale_map(&linear, NAN)));
    assert_true(isnan(plot_scale_map(&linear, INFINITY)));
    assert_near(plot_scale_map(&zero, 0), 0); /* step 0 has a slot of its own, before the first positive step */
    assert_true(plot_scale_map(&zero, 1) > 0.05);
    assert_near(plot_scale_map(&zero, 1000), 1);
    assert_true(isnan(plot_scale_map(&zero, -1)));
}

static void check_ticks(plot_scale s, int labels, const char *want)
{
    plot_tick ticks[PLOT_TICKS];
    char got[512] = "";
    int n = plot_scale_ticks(&s, labels, ticks);
    for (int i = 0; i < n; i++) {
        if (ticks[i].minor) continue;
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s", used ? " " : "", ticks[i].text);
        double t = plot_scale_map(&s, ticks[i].at);
        assert_true(t > -1e-6 && t < 1 + 1e-6);
    }
    assert_string_equal(got, want);
}

static void test_ticks(void **state)
{
    (void)state;
    check_ticks((plot_scale){PLOT_LINEAR, -0.04, 1.04, false}, 5, "0 0.5 1.0");
    check_ticks((plot_scale){PLOT_LINEAR, -0.04, 1.04, false}, 6, "0 0.2 0.4 0.6 0.8 1.0");
    check_ticks((plot_scale){PLOT_LINEAR, 0, 40000, false}, 4, "0 10k 20k 30k 40k");
    check_ticks((plot_scale){PLOT_LINEAR, -3, 3, false}, 3, "−2 0 2");
    check_ticks((plot_scale){PLOT_LINEAR, 0.07678, 0.07702, false}, 5, "0.07680 0.07685 0.07690 0.07695 0.07700");
    check_ticks((plot_scale){PLOT_LINEAR, 0, 2e-5, false}, 3, "0 1×10⁻⁵ 2×10⁻⁵");
    check_ticks((plot_scale){PLOT_LOG, 1, 1000, false}, 4, "1 10 100 1000");
    check_ticks((plot_scale){PLOT_LOG, 1, 40000, true}, 6, "0 10⁰ 10¹ 10² 10³ 10⁴");
    check_ticks((plot_scale){PLOT_LOG, 1e-8, 10, false}, 4, "10⁻⁶ 10⁻³ 10⁰");
    check_ticks((plot_scale){PLOT_LOG, 1, 60, false}, 6, "1 2 5 10 20 50");
    check_ticks((plot_scale){PLOT_LOG, 1.2, 1.9, false}, 4, "1.2 1.4 1.6 1.8");
    /* one power of ten tells no distance: a 3 beside it */
    check_ticks((plot_scale){PLOT_LOG, 4e-4, 9e-3, false}, 3, "10⁻³ 3×10⁻³");
    check_ticks((plot_scale){PLOT_LOG, 0.02, 0.9, false}, 2, "0.03 0.1 0.3");
    check_ticks((plot_scale){PLOT_LOG, 1, 50, true}, 3, "0 1 3 10 30"); /* room for some, not for 1-2-5 */
    check_ticks((plot_scale){PLOT_LOG, 1, 300, true}, 3, "0 1 10 100");
    check_ticks((plot_scale){PLOT_LOG, 5, 15000, true}, 7, "0 10¹ 10² 10³ 10⁴");
    check_ticks((plot_scale){PLOT_PHASE, -1, 2, false}, 4, "start memorised grokked end");
    check_ticks((plot_scale){PLOT_PHASE, 0, 1, false}, 4, "memorised end");
    /* a scale for no data, for one value, for none at all */
    plot_scale none = plot_scale_fit(PLOT_LOG, INFINITY, -INFINITY, 0.05),
               one = plot_scale_fit(PLOT_LINEAR, 3, 3, 0.05);
    assert_true(none.lo > 0 && none.lo < none.hi);
    assert_true(one.lo < 3 && one.hi > 3);
    none = plot_scale_fit(PLOT_LINEAR, NAN, NAN, 0.05);
    assert_true(none.lo < none.hi);
}

static void check_number(double v, const char *want)
{
    char got[32];
    plot_number(got, sizeof got, v);
    assert_string_equal(got, want);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number(0, "0");
    check_number(0.0123, "0.0123");
    check_number(-2.5, "−2.5");
    check_number(11571.6, "11572");
    check_number(1e-7, "1×10⁻⁷");
    check_number(9.999e-5, "1×10⁻⁴");
    check_number(-3.14159e12, "−3.14×10¹²");
    check_number(NAN, "–");
}

static void test_thin(void **state)
{
    (void)state;
    enum { N = 10000 };
    double *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    int *index = malloc((N + 1) * sizeof *index);
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = sin(i * 0.01);
    }
    y[7777] = 50; /* spikes must survive */
    y[3333] = -50;
    for (int i = 5000; i < 5100; i++) y[i] = NAN;
    plot_scale s = {PLOT_LINEAR, 0, N - 1, false};
    int n = plot_thin(x, y, N, &s, 100, index), gaps = 0;
    bool high = false, low = false;
    assert_true(n > 200 && n <= 4 * 101 + 2);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[n - 1], N - 1);
    for (int i = 0; i < n; i++) {
        if (i) assert_true(index[i] > index[i - 1]);
        high = high || index[i] == 7777;
        low = low || index[i] == 3333;
        gaps += isnan(y[index[i]]) ? 1 : 0;
    }
    assert_true(high && low);
    assert_int_equal(gaps, 1);
    assert_int_equal(plot_thin(x, y, 150, &s, 100, index), 150); /* few points: all of them */
    for (int i = 0; i < N; i++) y[i] = NAN;
    assert_int_equal(plot_thin(x, y, N, &s, 100, index), 1);
    assert_int_equal(plot_thin(x, y, 0, &s, 100, index), 0);
    free(x);
    free(y);
    free(index);
}

static void test_mean(void **state)
{
    (void)state;
    double sa[] = {0, 10, 20}, va[] = {1, 3, 5}, sb[] = {0, 20}, vb[] = {3, 9}, sc[] = {10, 20}, vc[] = {NAN, 100};
    gk_plot_curve a = {"m", 3, sa, va}, b = {"m", 2, sb, vb}, c = {"m", 2, sc, vc};
    const gk_plot_curve *two[] = {&a, &b}, *three[] = {&a, &b, &c};
    plot_mean m;
    assert_int_equal(plot_mean_of(&m, two, 2, false), GK_OK);
    assert_int_equal(m.n, 3);
    assert_near(m.x[1], 10);
    assert_near(m.mean[0], 2);
    assert_near(m.mean[1], 4.5);                             /* 3, and 6 half-way from 3 to 9 */
    assert_near(m.high[1] - m.mean[1], sqrt(2 * 1.5 * 1.5)); /* n - 1 = 1 */
    assert_near(m.mean[1] - m.low[1], sqrt(2 * 1.5 * 1.5));
    free(m.x);
    assert_int_equal(plot_mean_of(&m, three, 3, true), GK_OK);
    assert_near(m.mean[2], cbrt(5.0 * 9 * 100));
    assert_near(m.mean[1], sqrt(3.0 * 6)); /* a NaN is left out */
    free(m.x);
    assert_int_equal(plot_mean_of(&m, two, 0, false), GK_OK);
    assert_int_equal(m.n, 0);
    free(m.x);
}

static void test_align(void **state)
{
    (void)state;
    gk_plot_event both[] = {{"memorised", 100}, {"grokked", 500}};
    gk_plot_run run = {.last = 1000, .events = both, .n_events = 2};
    assert_near(gk_plot_align(&run, GK_PLOT_LOG, 77), 77);
    assert_near(gk_plot_align(&run, GK_PLOT_FRACTION, 250), 0.25);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 0), -1);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 50), -0.5);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 100), 0);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 300), 0.5);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 500), 1);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 750), 1.5);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 1000), 2);
    for (double at = -1; at <= 2; at += 0.125)
        assert_near(gk_plot_align(&run, GK_PLOT_PHASE, gk_plot_unalign(&run, GK_PLOT_PHASE, at)), at);
    run.n_events = 1; /* never grokked */
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 1000), 1);
    assert_near(gk_plot_unalign(&run, GK_PLOT_PHASE, 2), 1000);
    run.n_events = 0;
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 1000), 0);
    both[0].step = 0; /* an RFM has memorised before its first iteration */
    run.n_events = 2;
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 0), 0);
    assert_near(gk_plot_align(&run, GK_PLOT_PHASE, 250), 0.5);
    gk_plot_run empty = {.last = 0};
    assert_near(gk_plot_align(&empty, GK_PLOT_FRACTION, 0), 0);
    assert_near(gk_plot_align(&empty, GK_PLOT_PHASE, 0), 0);
    assert_true(isnan(gk_plot_run_event(&empty, "grokked")));
    assert_null(gk_plot_run_curve(&empty, "test_loss"));
}

static void check_spark(const double *v, int n, int width, bool log_scale, double lo, double hi, const char *want)
{
    char got[256];
    gk_plot_sparkline(got, v, n, width, log_scale, lo, hi);
    assert_string_equal(got, want);
}

static void test_sparkline(void **state)
{
    (void)state;
    double ramp[] = {0, 1, 2, 3, 4, 5, 6, 7}, decades[] = {1, 10, 100, 1000}, gap[] = {0, NAN, 1}, flat[] = {3, 3};
    check_spark(ramp, 8, 8, false, NAN, NAN, "▁▂▃▄▅▆▇█");
    check_spark(ramp, 8, 4, false, NAN, NAN, "▁▃▆█");
    check_spark(ramp, 8, 20, false, NAN, NAN, "▁▂▃▄▅▆▇█");
    check_spark(ramp, 8, 8, false, 0, 70, "▁▁▁▁▁▁▁▁");
    check_spark(decades, 4, 4, true, NAN, NAN, "▁▃▆█");
    check_spark(gap, 3, 3, false, NAN, NAN, "▁ █");
    check_spark(flat, 2, 2, false, NAN, NAN, "▅▅");
    check_spark(flat, 0, 9, false, NAN, NAN, "");
    double none[] = {NAN, NAN}, negative[] = {-1, 10};
    check_spark(none, 2, 2, false, NAN, NAN, "  ");
    check_spark(negative, 2, 2, true, NAN, NAN, " ▅");
}

static void test_save(void **state)
{
    (void)state;
    const char *path = "build/test_plot_save.txt";
    char back[16] = "";
    assert_int_equal(gk_plot_save(path, "first", 5), GK_OK);
    assert_int_equal(gk_plot_save(path, "second", 6), GK_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof back, file), 6);
    fclose(file);
    assert_string_equal(back, "second");
    remove(path);
    assert_int_equal(gk_plot_save("build/no/such/folder/x.svg", "x", 1), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "build/no/such/folder/x.svg"));
    gk_plot_format format;
    assert_int_equal(gk_plot_format_of("a.pdf", &format), GK_OK);
    assert_int_equal(format, GK_PLOT_PDF);
    assert_int_equal(gk_plot_format_of("a.jpeg", &format), GK_USAGE);
    assert_int_equal(gk_plot_format_of("plain", &format), GK_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scale_map), cmocka_unit_test(test_ticks), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_thin),      cmocka_unit_test(test_mean),  cmocka_unit_test(test_align),
        cmocka_unit_test(test_sparkline), cmocka_unit_test(test_save),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
