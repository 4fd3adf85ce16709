/* test_train.c: the loop's cadences, events and ends, seen on a method whose accuracies are a written script. */
#include "gk_train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A model that only counts: its train accuracy is 1 from step `memorises` on, its test accuracy is test[step]. */
struct gk_model {
    int64_t step, memorises, diverges;
    const double *test;
    int reports;
};

static const int32_t TRAIN_CELLS[] = {0}, TEST_CELLS[] = {1};

static int fake_step(gk_model *m, double *loss)
{
    (void)loss;
    m->step++;
    return m->step == m->diverges ? gk_error(GK_DIVERGED, "the factorisation failed at iteration %d", (int)m->step) : GK_OK;
}

static int fake_score(gk_model *m, const int32_t *cells, int n, gk_score *out, gk_output_rows *rows)
{
    assert_int_equal(n, 1);
    if (rows) rows->left += n;
    const bool train = cells[0] == TRAIN_CELLS[0];
    const double accuracy = train ? (m->step >= m->memorises ? 1 : 0) : (m->test ? m->test[m->step] : 0);
    *out = (gk_score){m->diverges == -m->step - 1 ? NAN : 1 - accuracy, accuracy, 0};
    return GK_OK;
}

static int fake_report(gk_model *m, int (*value)(void *, const char *, double), void *context)
{
    m->reports++;
    return value(context, "solve_residual", 0.5);
}

static const gk_method FAKE = {.name = "fake", .step = fake_step, .score = fake_score, .report = fake_report};

/* What the hooks heard. */
typedef struct heard {
    int metrics, measures, kept, unkept, residuals, lent;
    gk_output_rows rows;
    int64_t memorised, grokked, stop_after, last_measure;
    int grokked_calls;
    bool measured_last;
} heard;

static int on_metric(void *c, int64_t step, const char *name, double value)
{
    heard *h = c;
    (void)step;
    (void)value;
    h->metrics++;
    h->residuals += strcmp(name, "solve_residual") == 0;
    return GK_OK;
}

static int on_event(void *c, int64_t step, const char *kind, const char *detail)
{
    heard *h = c;
    assert_null(detail);
    if (strcmp(kind, "memorised") == 0) h->memorised = step;
    if (strcmp(kind, "grokked") == 0) {
        h->grokked = step;
        h->grokked_calls++;
    }
    return GK_OK;
}

static gk_output_rows *on_outputs(void *c, int64_t step)
{
    heard *h = c;
    assert_true(step % 4 == 0 || step % 5 == 0); /* of a measure or a checkpoint; both of the last are at 10 */
    h->lent++;
    h->rows.left = 0;
    return &h->rows;
}

static int on_measure(void *c, int64_t step, gk_model *m, bool last)
{
    heard *h = c;
    assert_int_equal(m->step, step);
    assert_true(h->lent == 0 || h->rows.left == 1 + (m->test != NULL)); /* the train and the test cells' */
    h->measures++;
    h->last_measure = step;
    h->measured_last = last;
    return GK_OK;
}

static int on_checkpoint(void *c, int64_t step, gk_model *m, bool keep)
{
    heard *h = c;
    assert_int_equal(m->step, step);
    if (keep) h->kept++;
    else h->unkept++;
    return GK_OK;
}

static int on_progress(void *c, const gk_progress *now)
{
    heard *h = c;
    if (h->stop_after > 0 && now->step == h->stop_after) h->stop_after = -1;
    return GK_OK;
}

static bool on_stop(void *c) { return ((heard *)c)->stop_after == -1; }

static const gk_key KEYS[] = {{"steps", GK_KEY_INT, "10", 0, 1e9, NULL, ""},
                              {"eval_every", GK_KEY_INT, "1", 0, 1e9, NULL, ""},
                              {"measure_every", GK_KEY_INT, "4", 0, 1e9, NULL, ""},
                              {"checkpoint_every", GK_KEY_INT, "5", 0, 1e9, NULL, ""},
                              {"stop_at", GK_KEY_REAL, "0", 0, 1, NULL, ""},
                              {"stop_hold", GK_KEY_INT, "0", 0, 1e9, NULL, ""},
                              {0}};

static int train(gk_model *m, heard *h, gk_train_state *state, const char *const *settings)
{
    gk_config config;
    gk_config_init(&config);
    assert_int_equal(gk_config_add(&config, KEYS), GK_OK);
    for (; settings && *settings; settings += 2)
        assert_int_equal(gk_config_set(&config, settings[0], settings[1], "test"), GK_OK);
    const gk_split split = {.n_train = 1, .n_test = m->test ? 1 : 0, .train = (int32_t *)(uintptr_t)TRAIN_CELLS,
                            .test = (int32_t *)(uintptr_t)TEST_CELLS};
    const gk_train_hooks hooks = {h, on_metric, on_event, on_outputs, on_measure, on_checkpoint, on_progress, on_stop};
    const int code = gk_train(&FAKE, m, &config, &split, &hooks, state);
    gk_config_free(&config);
    return code;
}

static const double RISES[] = {0, 0, 0, .5, .96, .9, .97, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void cadences(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 2, .test = RISES};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    assert_int_equal(train(&m, &h, &state, NULL), GK_OK);
    assert_int_equal(state.step, 10);
    assert_int_equal(h.metrics, 11 * 7);  /* steps 0..10, six scores and a reported one each */
    assert_int_equal(h.residuals, 11);
    assert_int_equal(h.measures, 4);      /* 0 4 8 and the last, 10 */
    assert_int_equal(h.lent, 5);          /* the same and 5 */
    assert_true(h.measured_last && h.last_measure == 10);
    assert_int_equal(h.kept, 3);          /* 0 5 10, the last not twice */
    assert_int_equal(h.unkept, 0);
}

static void a_cadence_of_0_means_the_end(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 2, .test = RISES};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    const char *const settings[] = {"eval_every", "0", "measure_every", "0", "checkpoint_every", "0", NULL};
    assert_int_equal(train(&m, &h, &state, settings), GK_OK);
    assert_int_equal(h.metrics, 7);
    assert_int_equal(h.measures, 1);
    assert_int_equal(h.kept, 1);
}

static void grokked_moves_when_accuracy_falls_back(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 2, .test = RISES};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    assert_int_equal(train(&m, &h, &state, NULL), GK_OK);
    assert_int_equal(h.memorised, 2);
    assert_int_equal(h.grokked, 6); /* 4 was withdrawn at 5 */
    assert_int_equal(h.grokked_calls, 3);
    assert_int_equal(state.grokked, 6);
}

static void stops_when_the_accuracy_held(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 2, .test = RISES};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    const char *const settings[] = {"steps", "20", "stop_at", "0.95", "stop_hold", "3", "checkpoint_every", "0", NULL};
    assert_int_equal(train(&m, &h, &state, settings), GK_OK);
    assert_int_equal(state.step, 9); /* 6 + 3; the stretch from 4 was broken */
    assert_int_equal(h.kept, 1);
    assert_true(h.measured_last);
}

static void a_stop_checkpoints_and_a_resume_says_nothing_twice(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 2, .test = RISES};
    heard h = {.stop_after = 7};
    gk_train_state state = GK_TRAIN_START;
    assert_int_equal(train(&m, &h, &state, NULL), GK_INTERRUPTED);
    assert_int_equal(state.step, 7);
    assert_int_equal(h.unkept, 1);
    h.stop_after = 0;
    assert_int_equal(train(&m, &h, &state, NULL), GK_OK);
    assert_int_equal(state.step, 10);
    assert_int_equal(h.metrics, 11 * 7);
    assert_int_equal(h.measures, 4);
    assert_int_equal(h.memorised, 2);
}

static void divergence_ends_the_run_with_its_reason(void **unused)
{
    (void)unused;
    gk_model failing = {.memorises = 2, .test = RISES, .diverges = 3}, nan = {.memorises = 2, .test = RISES, .diverges = -5};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    assert_int_equal(train(&failing, &h, &state, NULL), GK_DIVERGED);
    assert_string_equal(gk_error_text(), "the factorisation failed at iteration 3");
    assert_int_equal(state.step, 2); /* the last good one */
    state = GK_TRAIN_START;
    assert_int_equal(train(&nan, &h, &state, NULL), GK_DIVERGED);
    assert_string_equal(gk_error_text(), "train_loss is nan at step 4");
}

static void full_data_has_no_test_metrics(void **unused)
{
    (void)unused;
    gk_model m = {.memorises = 0};
    heard h = {0};
    gk_train_state state = GK_TRAIN_START;
    assert_int_equal(train(&m, &h, &state, NULL), GK_OK);
    assert_int_equal(h.metrics, 11 * 4);
    assert_int_equal(h.grokked_calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cadences),
        cmocka_unit_test(a_cadence_of_0_means_the_end),
        cmocka_unit_test(grokked_moves_when_accuracy_falls_back),
        cmocka_unit_test(stops_when_the_accuracy_held),
        cmocka_unit_test(a_stop_checkpoints_and_a_resume_says_nothing_twice),
        cmocka_unit_test(divergence_ends_the_run_with_its_reason),
        cmocka_unit_test(full_data_has_no_test_metrics),
    };
    return cmocka_run_group_tests_name("train", tests, NULL, NULL);
}
