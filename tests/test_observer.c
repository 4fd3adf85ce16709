/* test_observer.c: measures beside training leave what measures leave that training waits for, to the bit; also where a
 * measure fails; and what another thread says has its place among what is said meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contents.h"
#include "src/observer.h"

#include <math.h>
#include <omp.h>
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
    static const char *const looks[][2] = {{"1", "1"}, {"1", "0"}, {"0", "1"}, {"0", "3"}, {"2", "3"}};
    gk_store *s;
    contents_open(&s, "build/test_observer.db");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const char *const large[] = {"p", "13", "threads", "1", "d_model", "16", "d_mlp", "32", "n_heads", "2",
                                     "init_scale", "1e6", "steps", "40", "eval_every", "0", "measure_every", looks[i][0],
                                     "checkpoint_every", looks[i][1], NULL};
        int64_t beside, waited;
        char reason[200];
        assert_int_equal(train(s, "transformer", large, false, &beside), GK_DIVERGED);
        snprintf(reason, sizeof reason, "%s", gk_error_text());
        assert_int_equal(train(s, "transformer", large, true, &waited), GK_DIVERGED);
        assert_non_null(strstr(reason, "is not finite"));
        assert_string_equal(reason, gk_error_text());
        contents_assert_same(s, beside, s, waited);
    }
    gk_store_close(s);
    unlink("build/test_observer.db");
}

/* Does a model of these settings get a copy? */
static bool is_copied(const char *method, const char *const *settings, bool beside)
{
    gk_config config;
    gk_split split;
    gk_model *model;
    gk_observer *o;
    assert_int_equal(gk_registry_config(&config, method), GK_OK);
    set_all(&config, settings);
    assert_int_equal(gk_registry_split(&split, &config), GK_OK);
    const gk_method *table = gk_registry_method(method, GK_F32);
    assert_int_equal(table->init(&model, &config, &split), GK_OK);
    assert_int_equal(gk_observer_start(&o, table, model, &split, &config, beside), GK_OK);
    const bool copied = gk_observer_subject(o).model != model;
    gk_observer_free(o);
    table->free(model);
    gk_split_free(&split);
    gk_config_free(&config);
    return copied;
}

static void small_models_of_one_thread_are_copied(void **state)
{
    (void)state;
    const bool cores = omp_get_num_procs() > 1;
    assert_int_equal(is_copied("mlp", steps_mlp, true), cores);
    assert_int_equal(is_copied("transformer", transformer, true), cores);
    assert_false(is_copied("mlp", steps_mlp, false));
    assert_false(is_copied("mlp", (const char *const[]){"p", "13", "threads", "2", NULL}, true));
    assert_false(is_copied("mlp", (const char *const[]){"p", "13", "store", "final", NULL}, true));
    assert_false(is_copied("mlp", (const char *const[]){"p", "61", "width", "6000", NULL}, true));
    assert_false(is_copied("rfm", (const char *const[]){"p", "13", "threads", "1", NULL}, true));
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

/* More than the queue may hold, said and closed before its transaction is committed: nobody would write it meanwhile. */
static void a_closed_place_does_not_stop_the_commit(void **state)
{
    (void)state;
    enum { N = 1500 }; /* 18 MB a matrix */
    gk_store *s;
    gk_recorder *r, *aside;
    int64_t run;
    double *matrix = gk_calloc((size_t)N * N, sizeof *matrix);
    assert_non_null(matrix);
    contents_open(&s, "build/test_observer.db");
    assert_int_equal(train(s, "mlp", (const char *const[]){"p", "5", "width", "4", "steps", "0", NULL}, true, &run), GK_OK);
    assert_int_equal(gk_recorder_start(&r, s, run), GK_OK);
    assert_int_equal(gk_recorder_aside(r, &aside), GK_OK);
    assert_int_equal(gk_recorder_matrix(aside, 1, "agop", matrix, N), GK_OK);
    assert_int_equal(gk_recorder_matrix(aside, 2, "agop", matrix, N), GK_OK);
    gk_recorder_close(aside, false);
    alarm(60);
    assert_int_equal(gk_recorder_commit(r), GK_OK);
    assert_int_equal(gk_recorder_drain(r), GK_OK);
    assert_int_equal(gk_recorder_finish(r), GK_OK);
    alarm(0);
    char *text = contents_text(s, run, "SELECT CAST(count(*) AS TEXT) FROM matrix WHERE run_id = CAST(?1 AS INTEGER) AND rows = 1500");
    assert_string_equal(text, "2");
    free(text);
    free(matrix);
    gk_store_close(s);
    unlink("build/test_observer.db");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_training_leaves_the_same),
        cmocka_unit_test(a_measure_that_fails_ends_the_run_at_its_step),
        cmocka_unit_test(small_models_of_one_thread_are_copied),
        cmocka_unit_test(what_another_thread_says_has_its_place),
        cmocka_unit_test(a_closed_place_does_not_stop_the_commit),
    };
    return cmocka_run_group_tests_name("observer", tests, NULL, NULL);
}
