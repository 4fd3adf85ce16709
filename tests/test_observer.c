/* test_observer.c: measures beside training leave what measures leave that training waits for, to the bit; also where a
 * measure fails; and what another thread says has its place among what is said meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contents.h"
#include "src/record.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void set_all(gk_config *c, const char *const *settings)
{
    for (int i = 0; settings[i]; i += 2) assert_int_equal(gk_config_set(c, settings[i], settings[i + 1], "test"), GK_OK);
}

/* ---- runs with and without a core to spare ---- */

static const char *const steps_mlp[] = {"p", "13", "width", "64", "steps", "30", "measure_every", "1",
                                        "checkpoint_every", "1", NULL};
static const char *const rare_looks[] = {"p", "11", "width", "32", "steps", "40", "eval_every", "4",
                                         "measure_every", "6", "checkpoint_every", "10", "measures", "neurons", NULL};
static const char *const two_tasks[] = {"p", "11", "second_op", "sub", "width", "32", "steps", "12",
                                        "measure_every", "3", NULL};
static const char *const transformer[] = {"p", "13", "threads", "1", "d_model", "16", "d_mlp", "32", "n_heads", "2",
                                          "steps", "40", "eval_every", "5", "measure_every", "5",
                                          "checkpoint_every", "3", NULL};

static int train(gk_store *s, const char *method, const char *const *settings, bool crowded, int64_t *run)
{
    const gk_lab_hooks hooks = {.crowded = crowded};
    gk_config config;
    assert_int_equal(gk_registry_config(&config, method), GK_OK);
    set_all(&config, settings);
    const int code = gk_lab_train(s, method, &config, &hooks, run);
    gk_config_free(&config);
    return code;
}

static void beside_training_leaves_the_same(void **state)
{
    (void)state;
    const struct {
        const char *method;
        const char *const *settings;
    } cases[] = {{"mlp", steps_mlp}, {"mlp", rare_looks}, {"mlp", two_tasks}, {"transformer", transformer}};
    gk_store *s;
    contents_open(&s, "build/test_observer.db");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t beside, waited;
        assert_int_equal(train(s, cases[i].method, cases[i].settings, false, &beside), GK_OK);
        assert_int_equal(train(s, cases[i].method, cases[i].settings, true, &waited), GK_OK);
        contents_assert_same(s, beside, s, waited);
    }
    gk_store_close(s);
    unlink("build/test_observer.db");
}

/* Weights so large that the AGOP is not finite, while nothing else looks at the outputs: with a checkpoint of the same
 * step, and steps and checkpoints behind it, that must not stay. */
static void a_measure_that_fails_ends_the_run_at_its_step(void **state)
{
    (void)state;
    static const char *const large[] = {"p", "13", "threads", "1", "d_model", "16", "d_mlp", "32", "n_heads", "2",
                                        "init_scale", "1e6", "steps", "40", "eval_every", "0", "measure_every", "1",
                                        "checkpoint_every", "1", NULL};
    gk_store *s;
    contents_open(&s, "build/test_observer.db");
    int64_t beside, waited;
    char reason[200];
    assert_int_equal(train(s, "transformer", large, false, &beside), GK_DIVERGED);
    snprintf(reason, sizeof reason, "%s", gk_error_text());
    assert_int_equal(train(s, "transformer", large, true, &waited), GK_DIVERGED);
    assert_non_null(strstr(reason, "is not finite"));
    assert_string_equal(reason, gk_error_text());
    contents_assert_same(s, beside, s, waited);
    gk_store_close(s);
    unlink("build/test_observer.db");
}

/* ---- places ---- */

typedef struct saying {
    gk_recorder *aside;
    int64_t step;
    bool last;
    int code;
} saying;

static void *say_later(void *context)
{
    saying *t = context;
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    t->code = gk_recorder_metric(t->aside, t->step, "test_loss", 2);
    if (t->code == GK_OK) t->code = gk_recorder_metric(t->aside, t->step, "train_loss", 2);
    if (t->code == GK_OK) t->code = gk_recorder_event(t->aside, t->step, "beside", "detail");
    if (t->code == GK_OK) t->code = gk_recorder_matrix(t->aside, t->step, "agop", (const double[]){1, 2, 3, 4}, 2);
    gk_recorder_close(t->aside, t->last);
    return NULL;
}

/* test_loss is said before the place, train_loss behind it, and both in it: what is said later wins. */
static void say_around(gk_recorder *r, int64_t step, bool last)
{
    pthread_t thread;
    saying t = {.step = step, .last = last};
    assert_int_equal(gk_recorder_metric(r, step, "test_loss", 1), GK_OK);
    assert_int_equal(gk_recorder_aside(r, &t.aside), GK_OK);
    assert_int_equal(gk_recorder_metric(r, step, "train_loss", 3), GK_OK);
    assert_int_equal(gk_recorder_commit(r), GK_OK);
    assert_int_equal(gk_recorder_metric(r, step + 1, "test_loss", 4), GK_OK);
    assert_int_equal(pthread_create(&thread, NULL, say_later, &t), 0);
    assert_int_equal(gk_recorder_drain(r), GK_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(t.code, GK_OK);
}

static double value_of(gk_store *s, int64_t run, const char *name, int64_t step)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT CAST(value AS TEXT) FROM metrics WHERE run_id = CAST(?1 AS INTEGER) AND name = '%s' AND step = %lld",
             name, (long long)step);
    char *text = contents_text(s, run, sql);
    const double value = text ? atof(text) : NAN;
    free(text);
    return value;
}

static void what_another_thread_says_has_its_place(void **state)
{
    (void)state;
    gk_store *s;
    gk_recorder *r;
    int64_t run;
    contents_open(&s, "build/test_observer.db");
    assert_int_equal(train(s, "mlp", (const char *const[]){"p", "5", "width", "4", "steps", "0", NULL}, true, &run), GK_OK);
    assert_int_equal(gk_recorder_start(&r, s, run), GK_OK);
    say_around(r, 10, false);
    say_around(r, 20, true);
    assert_int_equal(gk_recorder_metric(r, 30, "test_loss", 5), GK_OK);
    assert_int_equal(gk_recorder_commit(r), GK_OK);
    assert_int_equal(gk_recorder_finish(r), GK_OK);

    assert_true(value_of(s, run, "test_loss", 10) == 2);
    assert_true(value_of(s, run, "train_loss", 10) == 3);
    assert_true(value_of(s, run, "test_loss", 11) == 4);
    assert_true(value_of(s, run, "test_loss", 20) == 2); /* of a last place all that is in it, and nothing behind */
    assert_true(value_of(s, run, "train_loss", 20) == 2);
    assert_true(isnan(value_of(s, run, "test_loss", 21)));
    assert_true(value_of(s, run, "test_loss", 30) == 5);
    /* an event of the same kind moves to where it is said last */
    static const char count[] = "SELECT count(*) || ' ' || max(e.step) FROM matrix m JOIN event e ON e.run_id = m.run_id"
                                " WHERE e.kind = 'beside' AND m.run_id = CAST(?1 AS INTEGER) AND m.step IN (10, 20)";
    char *text = contents_text(s, run, count);
    assert_string_equal(text, "2 20");
    free(text);
    gk_store_close(s);
    unlink("build/test_observer.db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_training_leaves_the_same),
        cmocka_unit_test(a_measure_that_fails_ends_the_run_at_its_step),
        cmocka_unit_test(what_another_thread_says_has_its_place),
    };
    return cmocka_run_group_tests_name("observer", tests, NULL, NULL);
}
