/* test_plot_words.c: what figures say beside their curves: sentences, notes, legends, labels, and where they stand. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_many_runs_have_rows),
        cmocka_unit_test(test_bands_are_counted),
        cmocka_unit_test(test_losses_are_told),
        cmocka_unit_test(test_dashes_differ),
        cmocka_unit_test(test_one_run_has_no_similarities),
        cmocka_unit_test(test_zeros_are_like_nothing),
        cmocka_unit_test(test_cut_axis_ends_at_what_is_shown),
        cmocka_unit_test(test_phases_are_explained),
        cmocka_unit_test(test_thinning_is_told),
        cmocka_unit_test(test_colour_bar_has_a_title),
        cmocka_unit_test(test_grid_says_each_thing_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
