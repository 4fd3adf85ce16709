/* test_keep.c: what stays of a run under store = final | events | all, also of one that was stopped and resumed, or
 * killed after its last checkpoint: the same as of a run that nobody disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contents.h"
#include "src/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const modes[] = {"final", "events", "all", NULL};

typedef struct stopper {
    int64_t at, step;
} stopper;

static int on_progress(void *context, const gk_progress *now)
{
    ((stopper *)context)->step = now->step;
    return GK_OK;
}

static bool on_stop(void *context)
{
    const stopper *s = context;
    return s->at > 0 && s->step >= s->at;
}

/* A run that memorises, generalises and settles well before its last step. */
static void configure(gk_config *c, const char *method, const char *mode)
{
    static const char *const shared[] = {"p", "13", "train_fraction", "0.85", "threads", "1", "name", "kept", NULL};
    static const char *const mlp[] = {
        "width",      "192", "steps",         "400", "stop_at",          "0.95", "stop_hold", "20",
        "eval_every", "2",   "measure_every", "10",  "checkpoint_every", "7",    NULL};
    static const char *const rfm[] = {"steps", "12", "checkpoint_every", "3", NULL};
    const char *const *const own = strcmp(method, "mlp") == 0 ? mlp : rfm;
    assert_int_equal(gk_registry_config(c, method), GK_OK);
    for (int i = 0; shared[i]; i += 2) assert_int_equal(gk_config_set(c, shared[i], shared[i + 1], "test"), GK_OK);
    for (int i = 0; own[i]; i += 2) assert_int_equal(gk_config_set(c, own[i], own[i + 1], "test"), GK_OK);
    assert_int_equal(gk_config_set(c, "store", mode, "test"), GK_OK);
}

static int64_t train(gk_store *s, const char *method, const char *mode)
{
    gk_config config;
    int64_t run;
    configure(&config, method, mode);
    assert_int_equal(gk_lab_train(s, method, &config, NULL, &run), GK_OK);
    gk_config_free(&config);
    return run;
}

/* ---- what a run left ---- */

/* Whole number of rows that an SQL condition over a table finds. */
static int64_t count(gk_store *s, const char *table, int64_t run, const char *condition)
{
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT CAST(count(*) AS TEXT) FROM %s WHERE run_id = CAST(?1 AS INTEGER) AND %s", table,
             condition);
    char *text = contents_text(s, run, sql);
    const int64_t n = atoll(text);
    free(text);
    return n;
}

/* ---- tests ---- */

static void keeps_what_the_setting_says(void **state)
{
    (void)state;
    gk_store *s;
    contents_open(&s, "build/test_keep.db");
    const int64_t ends = train(s, "mlp", "final"), moments = train(s, "mlp", "events"), all = train(s, "mlp", "all");
    gk_run_row row;
    assert_int_equal(gk_store_get_run(s, all, &row), GK_OK);
    assert_true(row.step < 400); /* it settled */
    gk_run_row_free(&row);
    assert_int_equal(count(s, "event", all, "kind IN ('memorised', 'grokked')"), 2);

    assert_true(count(s, "metric", ends, "1") > 20);
    assert_int_equal(count(s, "metric", ends, "step <> (SELECT step FROM run WHERE id = run_id)"), 0);
    assert_int_equal(count(s, "matrix", ends, "1") + count(s, "checkpoint", ends, "1"), 0);
    assert_int_equal(count(s, "event", ends, "kind IN ('memorised', 'grokked', 'key_frequencies')"), 3);

    /* memorised, grokked and the end; grokked may have been announced and withdrawn before */
    const int64_t weights = count(s, "checkpoint", moments, "kind = 'weights'");
    assert_true(weights >= 3 && weights < 10);
    assert_int_equal(count(s, "checkpoint", moments, "kind = 'state'"), 0);
    assert_int_equal(count(s, "matrix", moments, "kind = 'agop'"), weights);
    assert_int_equal(count(s, "checkpoint", moments,
                           "kind = 'weights' AND step IN (SELECT e.step FROM event e WHERE e.run_id ="
                           " checkpoint.run_id AND e.kind IN ('memorised', 'grokked'))"),
                     2);
    assert_int_equal(count(s, "event", moments, "kind IN ('circuit', 'cleaned')"), 0); /* three points are no curve */

    /* No value contradicts what the run that keeps all says of the same step. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            count(s, "metric", i ? moments : ends,
                  "EXISTS (SELECT 1 FROM metric a WHERE a.run_id = (SELECT max(id) FROM run) AND a.metric_id ="
                  " metric.metric_id AND a.step = metric.step AND a.value IS NOT metric.value)"),
            0);
    assert_true(count(s, "metric", ends,
                      "EXISTS (SELECT 1 FROM metric a WHERE a.run_id = (SELECT max(id) FROM run) AND"
                      " a.metric_id = metric.metric_id AND a.step = metric.step)") > 20);
    gk_store_close(s);
    unlink("build/test_keep.db");
}

/* Stopped at every second step, so at those of events, too, and resumed each time. */
static void stopped_runs_leave_the_same(void **state)
{
    (void)state;
    static const char *const methods[] = {"mlp", "rfm", NULL};
    for (int m = 0; methods[m]; m++)
        for (int i = 0; modes[i]; i++) {
            gk_store *calm, *disturbed;
            gk_config config;
            stopper stop = {.at = 2};
            const gk_lab_hooks hooks = {.context = &stop, .progress = on_progress, .stop = on_stop};
            int64_t run;
            contents_open(&calm, "build/test_keep_a.db");
            contents_open(&disturbed, "build/test_keep_b.db");
            const int64_t straight = train(calm, methods[m], modes[i]);
            configure(&config, methods[m], modes[i]);
            int code = gk_lab_train(disturbed, methods[m], &config, &hooks, &run), stops = 0;
            for (; code == GK_INTERRUPTED; stops++) {
                stop.at += 2;
                code = gk_lab_resume(disturbed, run, &hooks);
            }
            assert_int_equal(code, GK_OK);
            assert_true(stops >= 3);
            contents_assert_same(calm, straight, disturbed, run);
            gk_config_free(&config);
            gk_store_close(calm);
            gk_store_close(disturbed);
        }
    unlink("build/test_keep_a.db");
    unlink("build/test_keep_b.db");
}

/* Stopped when all steps are done, while the measures that waited for the last are on their way. */
static void stopped_while_measuring_goes_on(void **state)
{
    (void)state;
    static const char *const methods[] = {"mlp", "rfm", NULL};
    for (int m = 0; methods[m]; m++) {
        gk_store *calm, *disturbed;
        gk_config config;
        gk_run_row row;
        int64_t run;
        contents_open(&calm, "build/test_keep_a.db");
        contents_open(&disturbed, "build/test_keep_b.db");
        const int64_t straight = train(calm, methods[m], "all");
        assert_int_equal(gk_store_get_run(calm, straight, &row), GK_OK);
        stopper stop = {.at = row.step};
        const gk_lab_hooks hooks = {.context = &stop, .progress = on_progress, .stop = on_stop};
        gk_run_row_free(&row);
        configure(&config, methods[m], "all");
        assert_int_equal(gk_lab_train(disturbed, methods[m], &config, &hooks, &run), GK_INTERRUPTED);
        assert_non_null(strstr(gk_error_text(), "while its checkpoints were measured"));
        assert_int_equal(count(disturbed, "event", run, "kind = 'key_frequencies'"), 0);
        assert_int_equal(gk_lab_resume(disturbed, run, NULL), GK_OK);
        contents_assert_same(calm, straight, disturbed, run);
        gk_config_free(&config);
        gk_store_close(calm);
        gk_store_close(disturbed);
    }
    unlink("build/test_keep_a.db");
    unlink("build/test_keep_b.db");
}

/* Killed when all was stored but the word 'finished': a run that had settled must not train on. */
static void killed_at_the_end_stays_ended(void **state)
{
    (void)state;
    for (int i = 0; modes[i]; i++) {
        gk_store *s, *calm;
        contents_open(&s, "build/test_keep_a.db");
        contents_open(&calm, "build/test_keep_b.db");
        const int64_t run = train(s, "mlp", modes[i]), straight = train(calm, "mlp", modes[i]);
        gk_run_row row;
        assert_int_equal(gk_store_get_run(s, run, &row), GK_OK);
        assert_int_equal(gk_store_end_run(s, run, "killed", row.step, 0, NULL), GK_OK);
        gk_run_row_free(&row);
        assert_int_equal(gk_lab_resume(s, run, NULL), GK_OK);
        contents_assert_same(calm, straight, s, run);
        gk_store_close(s);
        gk_store_close(calm);
    }
    unlink("build/test_keep_a.db");
    unlink("build/test_keep_b.db");
}

/* A state is written while its step's values are still held back: it must not overtake those that stay. */
static void a_state_brings_its_steps_values(void **state)
{
    (void)state;
    gk_store *s;
    gk_recorder *recorder;
    contents_open(&s, "build/test_keep.db");
    const int64_t run = train(s, "rfm", "final");
    assert_int_equal(gk_recorder_start(&recorder, s, run), GK_OK);
    gk_keep k = {.mode = GK_KEEP_EVENTS, .recorder = recorder, .step = -1};
    for (int64_t step = 1000; step < 1004; step++) {
        assert_int_equal(gk_keep_metric(&k, step, "test_loss", 0.5), GK_OK);
        if (step == 1002) gk_keep_step(&k);
        assert_int_equal(gk_keep_settle(&k), GK_OK);
        if (step == 1002) assert_int_equal(gk_recorder_commit(recorder), GK_OK); /* and here it is killed */
    }
    assert_int_equal(gk_recorder_finish(recorder), GK_OK);
    free(k.values);
    assert_int_equal(count(s, "metric", run, "step >= 1000"), 1);
    assert_int_equal(count(s, "metric", run, "step = 1002"), 1);

    gk_keep rare = {.mode = GK_KEEP_FINAL}, always = {.mode = GK_KEEP_ALL};
    assert_false(gk_keep_state_due(&rare, 9.5));
    assert_true(gk_keep_state_due(&rare, 10.5));
    assert_false(gk_keep_state_due(&rare, 20.0));
    assert_true(gk_keep_state_due(&rare, 20.5));
    assert_true(gk_keep_state_due(&always, 0) && gk_keep_state_due(&always, 0));
    gk_store_close(s);
    unlink("build/test_keep.db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_the_setting_says),
        cmocka_unit_test(stopped_runs_leave_the_same),
        cmocka_unit_test(stopped_while_measuring_goes_on),
        cmocka_unit_test(killed_at_the_end_stays_ended),
        cmocka_unit_test(a_state_brings_its_steps_values),
    };
    return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
