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

/* ---- what a figure says, before it becomes glyphs ---- */

/* The words beside three methods whose features have these cosines: 1 and 2, 1 and 3, 2 and 3. */
static void check_words(double ab, double ac, double bc, const char *want)
{
    const gk_plot_event grokked = {"grokked", 50};
    const gk_plot_run runs[] = {{.label = "mlp", .last = 100, .events = &grokked, .n_events = 1},
                                {.label = "transformer", .last = 100},
                                {.label = "kernel machine", .last = 30}};
    const gk_plot_frame none[3] = {{"agop", 0, 0, 0, NULL}};
    const double cosines[] = {1, ab, ac, ab, 1, bc, ac, bc, 1};
    gk_plot_figure *f;
    assert_int_equal(
        gk_plot_compare(&f, runs, 3, none, 5, (gk_plot_view){0}, cosines, "cosine", &(gk_plot_options){0}), GK_OK);
    const plot_panel *words = &f->panels[f->n - 1], *table = &f->panels[f->n - 2];
    assert_int_equal(words->kind, PLOT_WORDS);
    assert_string_equal(words->words, want);
    /* rows and columns bear the same letter, and a long name shows that it is shortened */
    static const char *const row[] = {"mlp A", "transformer B", "kernel mach… C"}, *const column[] = {"A", "B", "C"};
    assert_int_equal(table->y.n_labels, 3);
    assert_int_equal(table->x.n_labels, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(table->y.text[i], row[i]);
        assert_string_equal(table->x.text[i], column[i]);
        assert_near(table->x.at[i], table->y.at[i]);
    }
    gk_plot_free(f);
}

/* Three runs stand side by side on a page; more have a row each, and the table of their cosines room for its numbers. */
static void test_many_runs_have_rows(void **state)
{
    (void)state;
    gk_plot_run runs[7];
    gk_plot_frame none[7];
    double cosines[7 * 7] = {0};
    for (int i = 0; i < 7; i++) {
        runs[i] = (gk_plot_run){.label = "mlp", .last = 100};
        none[i] = (gk_plot_frame){"agop", 0, 0, 0, NULL};
    }
    for (int n = 3; n <= 7; n += 4) {
        gk_plot_figure *f;
        assert_int_equal(
            gk_plot_compare(&f, runs, n, none, 5, (gk_plot_view){0}, cosines, "cosine", &(gk_plot_options){0}), GK_OK);
        const plot_panel *table = &f->panels[f->n - 2];
        assert_int_equal(f->panels[2].row, n == 3 ? 0 : 1); /* the second run's curves */
        assert_int_equal(f->panels[2].col, n == 3 ? 1 : 0);
        assert_true(table->pw / n > 16 && table->ph / n > 7);
        gk_plot_free(f);
    }
}

static void test_words(void **state)
{
    (void)state;
    check_words(0.95, -0.02, 0.3, "1 of 3 generalised. Most alike: mlp and transformer (0.95, nearly the same); "
                                  "least: mlp and kernel machine (−0.02, unrelated).\n");
    check_words(0.08, -0.02, 0.001, "1 of 3 generalised. Features of every pair: unrelated (−0.02 to 0.08).\n");
    check_words(NAN, -0.4, NAN, "1 of 3 generalised. Features of mlp and kernel machine: opposed (−0.40).\n");
    check_words(NAN, NAN, NAN, "1 of 3 generalised.\n");
}

/* One group has no legend entry of its own: the note says over how many runs its bands are. */
static void test_bands_are_counted(void **state)
{
    (void)state;
    const double step[] = {1, 2}, low[] = {0, 0}, high[] = {1, 1};
    const gk_plot_curve curves[] = {{"test_accuracy", 2, step, low}, {"test_accuracy", 2, step, high}};
    const gk_plot_run runs[] = {{.label = "a", .group = "g", .last = 2, .curves = &curves[0], .n_curves = 1},
                                {.label = "b", .group = "g", .last = 2, .curves = &curves[1], .n_curves = 1}};
    const char *const metrics[] = {"test_accuracy", NULL};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_curves(&f, runs, 2, metrics, &(gk_plot_options){0}), GK_OK);
    assert_int_equal(f->n_notes, 1);
    assert_non_null(strstr(f->notes[0], "over 2 runs"));
    gk_plot_free(f);
}

/* Losses of different kinds on one axis are told apart in words, losses of one kind are not spoken of; and why there are
 * dots. */
static void test_losses_are_told(void **state)
{
    (void)state;
    const double step[] = {1, 2}, value[] = {1, 0.5};
    const gk_plot_curve curves[] = {{"test_loss", 2, step, value}, {"restricted_loss", 2, step, value}};
    gk_plot_run runs[] = {{.label = "a", .last = 2, .curves = curves, .n_curves = 2, .loss = "mse"},
                          {.label = "b", .last = 2, .curves = curves, .n_curves = 2, .loss = "mse"}};
    static const char *const visible[] = {"test_loss", NULL}, *const both[] = {"test_loss", "restricted_loss", NULL};
    static const struct {
        const char *const *metrics, *second, *want;
    } cases[] = {
        {visible, "mse", NULL},
        {visible, "cross_entropy", "Train and test loss: squared error or cross entropy, as each run has it."},
        {both, "mse", "Train and test loss: squared error; the other losses: cross entropy."},
        {both, "cross_entropy",
         "Train and test loss: squared error or cross entropy, as each run has it; the other losses: cross entropy."},
    };
    const gk_plot_curve dot = {"test_loss", 1, step, value};
    const gk_plot_run last = {.label = "a", .last = 1, .curves = &dot, .n_curves = 1};
    gk_plot_figure *dots;
    assert_int_equal(gk_plot_curves(&dots, &last, 1, visible, &(gk_plot_options){0}), GK_OK);
    assert_int_equal(dots->n_notes, 1);
    assert_string_equal(dots->notes[0], "Dots: one value of each is stored; setting store = all keeps curves.");
    gk_plot_free(dots);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        gk_plot_figure *f;
        runs[1].loss = cases[k].second;
        assert_int_equal(gk_plot_curves(&f, runs, 2, cases[k].metrics, &(gk_plot_options){0}), GK_OK);
        assert_int_equal(f->n_notes, cases[k].want ? 1 : 0);
        if (cases[k].want) assert_string_equal(f->notes[0], cases[k].want);
        gk_plot_free(f);
    }
}

/* What a panel shows can be told apart without colours: no two of its lines have one dash. */
static void test_dashes_differ(void **state)
{
    (void)state;
    const double step[] = {1, 2}, value[] = {1, 0.5};
    static const char *const name[] = {"train_accuracy", "test_accuracy",   "train_loss", "test_loss",
                                       "restricted_loss", "excluded_loss", "gini_embed", "gini_neuron_logit"};
    enum { CURVES = sizeof name / sizeof *name };
    gk_plot_curve curves[CURVES];
    for (int i = 0; i < CURVES; i++) curves[i] = (gk_plot_curve){name[i], 2, step, value};
    const gk_plot_run run = {.label = "r", .method = "mlp", .last = 2, .curves = curves, .n_curves = CURVES};
    const gk_plot_frame none = {"agop", 0, 0, 0, NULL};
    const double alone = 1;
    gk_plot_figure *f[2];
    assert_int_equal(gk_plot_progress(&f[0], &run, 1, NULL, &(gk_plot_options){0}), GK_OK);
    assert_int_equal(
        gk_plot_compare(&f[1], &run, 1, &none, 5, (gk_plot_view){0}, &alone, "cosine", &(gk_plot_options){0}), GK_OK);
    int pairs = 0;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < f[k]->n; i++) {
            const plot_panel *p = &f[k]->panels[i];
            for (int a = 0; a < p->n_lines; a++)
                for (int b = a + 1; b < p->n_lines; b++, pairs++)
                    assert_int_not_equal(p->lines[a].dash, p->lines[b].dash);
        }
        gk_plot_free(f[k]);
    }
    assert_int_equal(pairs, 1 + 6 + 1 + 1);
}

/* A run by itself has nobody to agree with. */
static void test_one_run_has_no_similarities(void **state)
{
    (void)state;
    const gk_plot_run run = {.label = "r", .last = 2};
    const gk_plot_frame none = {"agop", 0, 0, 0, NULL};
    const double alone = 1;
    gk_plot_figure *f;
    assert_int_equal(
        gk_plot_compare(&f, &run, 1, &none, 5, (gk_plot_view){0}, &alone, "cosine", &(gk_plot_options){0}), GK_OK);
    for (int i = 0; i < f->n; i++) assert_int_not_equal(f->panels[i].kind, PLOT_HEAT);
    gk_plot_free(f);
}

/* What an untrained kernel machine's metric is without its diagonal: like nothing, not even itself. */
static void test_zeros_are_like_nothing(void **state)
{
    (void)state;
    const double some[] = {0, 1, 1, 0}, zeros[] = {0, 0, 0, 0}, cosines[] = {1, 0, 0, 0};
    const gk_plot_run runs[] = {{.label = "a", .last = 2}, {.label = "b", .last = 2}};
    const gk_plot_frame frames[] = {{"agop", 1, 2, 2, some}, {"metric", 0, 2, 2, zeros}};
    gk_plot_figure *f;
    assert_int_equal(
        gk_plot_compare(&f, runs, 2, frames, 1, (gk_plot_view){0}, cosines, "cosine", &(gk_plot_options){0}), GK_OK);
    assert_string_equal(f->panels[3].subtitle, "step 0, all 0");
    const plot_panel *table = &f->panels[f->n - 2];
    assert_near(table->data[0], 1);
    for (int i = 1; i < 4; i++) assert_true(isnan(table->data[i]));
    assert_int_equal(strncmp(f->panels[f->n - 1].words, "0 of 2 generalised.\n", 20), 0);
    gk_plot_free(f);
}

/* One loss at the rounding error leaves the axis to the others. */
static void test_cut_axis_ends_at_what_is_shown(void **state)
{
    (void)state;
    const double step[] = {1, 2}, loss[] = {1, 1e-4}, rounding[] = {1e-30, 1e-31};
    const gk_plot_curve curves[] = {{"test_loss", 2, step, loss}, {"train_loss", 2, step, rounding}};
    const gk_plot_run run = {.label = "r", .last = 2, .curves = curves, .n_curves = 2};
    const char *const metrics[] = {"test_loss", "train_loss", NULL};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &(gk_plot_options){0}), GK_OK);
    assert_true(f->panels[0].cut);
    assert_true(f->panels[0].y.scale.lo < 1e-4 && f->panels[0].y.scale.lo > 1e-5);
    assert_int_equal(f->n_notes, 1);
    gk_plot_free(f);
}

/* Aligned by phase, a run that never grokked seems to: the note says that it only ended. */
static void test_phases_are_explained(void **state)
{
    (void)state;
    const double step[] = {1, 100}, value[] = {0, 1};
    const gk_plot_curve curve = {"test_accuracy", 2, step, value};
    const gk_plot_event events[] = {{"memorised", 10}, {"grokked", 50}};
    gk_plot_run runs[2];
    for (int never = 0; never < 2; never++) {
        for (int i = 0; i < 2; i++)
            runs[i] = (gk_plot_run){.label = i ? "b" : "a", .last = 100, .curves = &curve, .n_curves = 1,
                                    .events = events, .n_events = i == 1 && never ? 1 : 2};
        gk_plot_figure *f;
        assert_int_equal(gk_plot_progress(&f, runs, 2, NULL, &(gk_plot_options){0}), GK_OK);
        assert_int_equal(f->n_notes, 1);
        assert_true((strstr(f->notes[0], "lacks an event") != NULL) == never);
        gk_plot_free(f);
    }
}

/* A figure that leaves points out says how many it has. */
static void test_thinning_is_told(void **state)
{
    (void)state;
    enum { N = 10000 };
    double *step = malloc(N * sizeof *step), *value = malloc(N * sizeof *value);
    for (int i = 0; i < N; i++) {
        step[i] = i;
        value[i] = i % 2;
    }
    const gk_plot_curve curve = {"test_accuracy", N, step, value};
    const gk_plot_run run = {.label = "r", .last = N, .curves = &curve, .n_curves = 1};
    const char *const metrics[] = {"test_accuracy", NULL};
    gk_plot_figure *f;
    int drawn, total, said = 0;
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &(gk_plot_options){.x = GK_PLOT_LINEAR}), GK_OK);
    plot_count_points(f, &drawn, &total);
    assert_int_equal(total, N);
    assert_in_range(drawn, 500, N - 1);
    assert_int_equal(f->n_notes, 1);
    assert_int_equal(sscanf(f->notes[0], "%d of 10000 points drawn", &said), 1);
    assert_int_equal(said, drawn);
    gk_plot_free(f);
    free(step);
    free(value);
}

static void test_colour_bar_has_a_title(void **state)
{
    (void)state;
    const double energy[] = {1, 2, 3};
    const gk_plot_spectrum spectrum = {"features", 0, 3, energy};
    const gk_plot_run run = {.label = "r", .spectra = &spectrum, .n_spectra = 1};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_spectra(&f, &run, 1, &(gk_plot_options){0}), GK_OK);
    assert_string_equal(f->panels[0].bar_label, "share of energy");
    assert_string_equal(f->panels[1].y.label, f->panels[0].bar_label);
    gk_plot_free(f);
}

/* Where every cell has as many runs, a note says it once; settings are named by 3 digits unless that would confuse two. */
static void test_grid_says_each_thing_once(void **state)
{
    (void)state;
    const char *x[] = {"0.0316227766016838", "10.0"}, *y[] = {"relu"}, *alike[] = {"0.12341", "0.12342"};
    const double value[] = {1, 2};
    const int equal[] = {5, 5}, unequal[] = {5, 4};
    gk_plot_map map = {"weight_decay", "activation", "v", NULL, 2, 1, x, y, value, equal, false};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_grid(&f, &map, &(gk_plot_options){0}), GK_OK);
    assert_null(f->panels[0].counts);
    assert_int_equal(f->n_notes, 1);
    assert_string_equal(f->notes[0], "5 runs in each cell.");
    assert_string_equal(f->panels[0].x.text[0], "0.0316");
    assert_string_equal(f->panels[0].x.text[1], "10");
    assert_string_equal(f->panels[0].y.text[0], "relu");
    gk_plot_free(f);
    map.counts = unequal;
    map.x_labels = alike;
    assert_int_equal(gk_plot_grid(&f, &map, &(gk_plot_options){0}), GK_OK);
    assert_non_null(f->panels[0].counts);
    assert_int_equal(f->n_notes, 0);
    assert_string_equal(f->panels[0].x.text[1], "0.12342");
    assert_true(f->panels[0].bar && f->panels[0].ph > 80); /* room for its title */
    gk_plot_free(f);
    const double none[] = {NAN, NAN};
    map.value = none;
    assert_int_equal(gk_plot_grid(&f, &map, &(gk_plot_options){0}), GK_OK);
    assert_false(f->panels[0].bar);
    assert_int_equal(f->n_notes, 1);
    assert_string_equal(f->notes[0], "Grey: no value.");
    gk_plot_free(f);
    const int nobody[] = {5, 0};
    map.value = (const double[]){1, NAN};
    map.counts = nobody;
    assert_int_equal(gk_plot_grid(&f, &map, &(gk_plot_options){0}), GK_OK);
    assert_int_equal(f->n_notes, 1);
    assert_string_equal(f->notes[0], "White: no run.");
    gk_plot_free(f);
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
        cmocka_unit_test(test_sparkline), cmocka_unit_test(test_save),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_many_runs_have_rows), cmocka_unit_test(test_losses_are_told),
        cmocka_unit_test(test_colour_bar_has_a_title), cmocka_unit_test(test_bands_are_counted),
        cmocka_unit_test(test_phases_are_explained),   cmocka_unit_test(test_thinning_is_told),
        cmocka_unit_test(test_dashes_differ),          cmocka_unit_test(test_one_run_has_no_similarities),
        cmocka_unit_test(test_cut_axis_ends_at_what_is_shown), cmocka_unit_test(test_grid_says_each_thing_once),
        cmocka_unit_test(test_zeros_are_like_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
