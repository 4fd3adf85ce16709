/* test_store_safe.c: several processes in one file, processes that are killed, disks that are full, and the doctor. */
#include "store_lab.h"

#include "src/store/store.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static int set_up(void **state)
{
    *state = lab_folder();
    return 0;
}

static int tear_down(void **state)
{
    lab_remove(*state);
    return 0;
}

/* In a child: says what went wrong, and leaves. */
static void must(int code, const char *what)
{
    if (code == GK_OK) return;
    fprintf(stderr, "child: %s: %d: %s\n", what, code, gk_error_text());
    _exit(1);
}

static void wait_for(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void print_line(void *context, const char *line)
{
    char **lines = context;
    char *more = gk_text("%s%s\n", *lines ? *lines : "", line);
    free(*lines);
    *lines = more;
}

/* How many problems, and that each of the words is in some line. */
static void expect_doctor(gk_store *s, bool repair, int problems, const char *word)
{
    char *lines = NULL;
    const int found = gk_store_doctor(s, repair, print_line, &lines);
    if (found != problems || (word && !(lines && strstr(lines, word))))
        fail_msg("%d problems (%d wanted, with \"%s\"): %s", found, problems, word ? word : "",
                 lines ? lines : gk_error_text());
    free(lines);
}

/* ---- several processes ---- */

static void test_create_at_once(void **state)
{
    enum { ROUNDS = 10, PROCESSES = 4 };
    char *path = lab_path(*state, "new/runs.db");
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) {
            if ((children[i] = fork()) == 0) {
                gk_store *s;
                gk_config config;
                int64_t run;
                must(gk_store_open(&s, path, GK_STORE_CREATE), "open");
                lab_config(&config, "a", "1");
                must(gk_store_new_run(s, &lab_mlp, &config, lab_split(s, 1), 0, &run), "new run");
                must(gk_store_close(s), "close");
                _exit(0);
            }
        }
        for (int i = 0; i < PROCESSES; i++) wait_for(children[i]);
        gk_store *s;
        OK(gk_store_open(&s, path, GK_STORE_WRITE));
        lab_expect(s, "SELECT count(*), count(DISTINCT uid), (SELECT count(*) FROM split) FROM run", "4|4|1");
        OK(gk_store_close(s));
        assert_int_equal(unlink(path), 0);
    }
    free(path);
}

static void write_run(const char *path, int transactions, int metrics)
{
    gk_store *s;
    float w[256] = {0};
    const gk_tensor tensor = {.name = "w", .dtype = GK_F32, .rank = 1, .shape = {256}, .data = w};
    must(gk_store_open(&s, path, GK_STORE_CREATE), "open");
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    for (int k = 0; k < transactions; k++) {
        must(gk_store_begin(s), "begin");
        for (int i = 0; i < metrics; i++) must(gk_store_put_metric(s, run, "test_loss", k * metrics + i, i), "metric");
        w[0] = (float)k;
        must(gk_store_put_checkpoint(s, run, k, "weights", &tensor, 1, NULL), "checkpoint");
        must(gk_store_heartbeat(s, run, k, 0), "heartbeat");
        must(gk_store_commit(s), "commit");
    }
    must(gk_store_end_run(s, run, "finished", transactions, 1, NULL), "end");
    must(gk_store_close(s), "close");
}

static void test_four_writers_and_a_reader(void **state)
{
    enum { WRITERS = 4, TRANSACTIONS = 50, METRICS = 40 };
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    OK(gk_store_close(s));
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        if ((writers[i] = fork()) == 0) {
            write_run(path, TRANSACTIONS, METRICS);
            _exit(0);
        }
    }
    /* What a reader sees is whole: metrics come with their checkpoint. */
    double seen = 0;
    while (seen < WRITERS * TRANSACTIONS) {
        OK(gk_store_open(&s, path, GK_STORE_READ));
        lab_do(s, "BEGIN");
        seen = lab_number(s, "SELECT count(*) FROM checkpoint");
        assert_true(lab_number(s, "SELECT count(*) FROM metric") == seen * METRICS);
        lab_do(s, "COMMIT");
        OK(gk_store_close(s));
        nap_ms(3);
    }
    for (int i = 0; i < WRITERS; i++) wait_for(writers[i]);
    OK(gk_store_open(&s, path, GK_STORE_WRITE));
    expect_doctor(s, false, 0, NULL);
    lab_expect(s, "SELECT run_id, count(*) FROM metric GROUP BY run_id", "1|2000\n2|2000\n3|2000\n4|2000");
    OK(gk_store_close(s));
    free(path);
}

/* ---- several threads with one store ---- */

typedef struct worker {
    gk_store *s;
    int64_t run;
    int code;
} worker;

static void *write_transactions(void *context)
{
    worker *w = context;
    char name[32];
    for (int k = 0; k < 200 && w->code == GK_OK; k++) {
        w->code = gk_store_begin(w->s);
        for (int i = 0; i < 10 && w->code == GK_OK; i++) {
            snprintf(name, sizeof name, "metric_%d_%d", (int)w->run, i);
            w->code = gk_store_put_metric(w->s, w->run, name, k, i);
        }
        if (w->code == GK_OK) w->code = k % 3 == 2 ? (gk_store_rollback(w->s), GK_OK) : gk_store_commit(w->s);
    }
    return NULL;
}

static void *read_rows(void *context)
{
    worker *w = context;
    for (int k = 0; k < 300 && w->code == GK_OK; k++) {
        gk_run_row row;
        double n;
        w->code = gk_store_get_run(w->s, w->run, &row);
        gk_run_row_free(&row);
        if (w->code == GK_OK)
            w->code = gk_store_query(w->s, "SELECT count(*) % 10 FROM metric", NULL, lab_take_real, &n);
        if (w->code == GK_OK && n != 0)
            w->code = gk_error(GK_FAILED, "half a transaction was seen"); /* another thread's */
    }
    return NULL;
}

static void test_threads(void **state)
{
    enum { THREADS = 4 };
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t split = lab_split(s, 1);
    worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) workers[i] = (worker){s, lab_run(s, &lab_mlp, "a", split), GK_OK};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? write_transactions : read_rows, &workers[i]), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) assert_int_equal(workers[i].code, GK_OK);
    lab_expect(s, "SELECT run_id, count(*) FROM metric GROUP BY run_id", "1|1340\n2|1340");
    expect_doctor(s, false, 0, NULL);
    OK(gk_store_close(s));
    free(path);
}

/* ---- kill -9 ---- */

/* Never ends: each transaction has the metrics up to a step and the state at it. */
static void train_for_ever(const char *path)
{
    gk_store *s;
    enum { N = 20000 };
    static float w[N];
    const gk_tensor tensor = {.name = "w", .dtype = GK_F32, .rank = 1, .shape = {N}, .data = w};
    must(gk_store_open(&s, path, GK_STORE_CREATE), "open");
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    for (int step = 1;; step++) {
        for (int i = 0; i < N; i++) w[i] = sinf((float)(i * step));
        must(gk_store_begin(s), "begin");
        for (int i = 0; i < 10; i++)
            must(gk_store_put_metric(s, run, "test_loss", 10 * (step - 1) + i + 1, step), "metric");
        must(gk_store_put_checkpoint(s, run, 10 * step, "state", &tensor, 1, NULL), "state");
        if (step % 5 == 0) must(gk_store_put_checkpoint(s, run, 10 * step, "weights", &tensor, 1, NULL), "weights");
        must(gk_store_heartbeat(s, run, 10 * step, 0), "heartbeat");
        must(gk_store_commit(s), "commit");
    }
}

static void test_kill(void **state)
{
    enum { RUNS = 20, KILLS_MAX = 2000 };
    char *path = lab_path(*state, "runs.db");
    gk_random random;
    gk_random_seed(&random, 5, 0);
    int runs = 0; /* that were killed in their middle: a slow machine needs more kills for as many */
    for (int kill_number = 0; runs < RUNS && kill_number < KILLS_MAX; kill_number++) {
        const pid_t child = fork();
        if (child == 0) train_for_ever(path);
        nap_ms((long)gk_random_below(&random, kill_number < 10 ? 8 : 60)); /* also while the file is being made */
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        gk_store *s;
        OK(gk_store_open(&s, path, GK_STORE_CREATE));
        const int alive = (int)lab_number(s, "SELECT count(*) FROM run WHERE status = 'running'");
        assert_true(alive == 0 || alive == 1);
        expect_doctor(s, true, alive, alive ? "is gone" : NULL);
        expect_doctor(s, false, 0, NULL);
        lab_expect(s, "PRAGMA integrity_check", "ok");
        /* Every run: metrics up to its state, and none beyond. */
        assert_true(
            lab_number(s,
                       "SELECT count(*) FROM run r WHERE "
                       "coalesce((SELECT max(step) FROM metric WHERE run_id = r.id), 0) IS NOT "
                       "coalesce((SELECT max(step) FROM checkpoint WHERE run_id = r.id AND kind = 'state'), 0)") == 0);
        assert_true(lab_number(s, "SELECT count(*) FROM run WHERE status <> 'killed'") == 0);
        runs += alive;
        OK(gk_store_close(s));
    }
    assert_int_equal(runs, RUNS);
    free(path);
}

/* ---- full disks ---- */

static void test_full_disk(void **state)
{
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    static double noise[40000];
    for (int i = 0; i < 40000; i++) noise[i] = sin(i * i);
    OK(gk_store_put_metric(s, run, "test_loss", 1, 1));
    sqlite3_exec(s->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL); /* stands for the disk */
    OK(gk_store_begin(s));
    OK(gk_store_put_metric(s, run, "test_loss", 2, 2));
    REFUSED(gk_store_put_matrix(s, run, 2, "agop", noise, 200, 200, GK_F64), GK_FAILED, path, "no space",
            "storing a matrix", "resume");
    /* Whether or not SQLite has rolled back by itself, nothing of the transaction is kept and all before it is. */
    gk_store_rollback(s);
    lab_expect(s, "SELECT count(*), (SELECT count(*) FROM matrix) FROM metric", "1|0");
    sqlite3_exec(s->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL);
    OK(gk_store_put_matrix(s, run, 2, "agop", noise, 200, 200, GK_F64)); /* space was freed */
    expect_doctor(s, false, 0, NULL);
    OK(gk_store_close(s));
    free(path);
}

/* A limit on the size of files: writes fail under SQLite's feet, in the log beside the database. */
static void test_failing_writes(void **state)
{
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_close(s));
    const pid_t child = fork();
    if (child == 0) {
        static double noise[40000];
        for (int i = 0; i < 40000; i++) noise[i] = sin(i * i);
        signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = {500000, 500000};
        setrlimit(RLIMIT_FSIZE, &limit);
        must(gk_store_open(&s, path, GK_STORE_WRITE), "open");
        int code = GK_OK;
        for (int step = 1; step < 50 && code == GK_OK; step++) {
            code = gk_store_begin(s);
            if (code == GK_OK) code = gk_store_put_metric(s, 1, "m", step, 1);
            if (code == GK_OK) code = gk_store_put_matrix(s, 1, step, "agop", noise, 200, 200, GK_F64);
            if (code == GK_OK) code = gk_store_commit(s);
            if (code != GK_OK) gk_store_rollback(s);
        }
        if (code != GK_FAILED || !strstr(gk_error_text(), path) || !strstr(gk_error_text(), "disk")) {
            fprintf(stderr, "child: %d: %s\n", code, gk_error_text());
            _exit(1);
        }
        gk_store_close(s);
        _exit(0);
    }
    wait_for(child);
    OK(gk_store_open(&s, path, GK_STORE_WRITE));
    lab_expect(s, "PRAGMA integrity_check", "ok");
    assert_true(lab_number(s, "SELECT (SELECT count(*) FROM metric) - (SELECT count(*) FROM matrix)") == 0);
    OK(gk_store_close(s));
    free(path);
}

/* ---- the doctor ---- */

static void test_doctor_finds(void **state)
{
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    const double m[4] = {1, 2, 3, 4};
    float w = 1;
    const gk_tensor tensor = {.name = "w", .dtype = GK_F32, .rank = 1, .shape = {1}, .data = &w};
    OK(gk_store_put_matrix(s, run, 4, "agop", m, 2, 2, GK_F64));
    OK(gk_store_put_checkpoint(s, run, 4, "weights", &tensor, 1, NULL));
    expect_doctor(s, false, 0, NULL); /* the run's process is this one */

    const struct {
        const char *harm, *heal, *word;
    } cases[] = {
        {"UPDATE matrix SET sha256 = replace(sha256, substr(sha256, 1, 1), 'z')", NULL,
         "matrix 1 (agop of run 1 at step 4): its bytes"},
        {"UPDATE matrix SET data = substr(data, 1, 60)", NULL, "matrix 1"},
        {"UPDATE checkpoint SET data = x'78da00', raw_size = 900", NULL, "checkpoint 1 (weights of run 1 at step 4)"},
        {"UPDATE checkpoint SET raw_size = -3", NULL, "raw_size is negative"},
        {"UPDATE run SET config = '{}'", NULL, "run 1: its config"},
        {"UPDATE split SET n_train = 2", NULL, "split 1 is damaged"},
        {"PRAGMA foreign_keys = OFF", "DELETE FROM split", "points to a split"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OK(gk_store_begin(s));
        lab_do(s, cases[i].harm);
        if (cases[i].heal) break;
        expect_doctor(s, false, 1, cases[i].word);
        gk_store_rollback(s);
    }
    gk_store_rollback(s);
    lab_do(s, cases[6].harm);
    lab_do(s, cases[6].heal);
    expect_doctor(s, false, 1, cases[6].word);
    OK(gk_store_close(s));
    free(path);
}

static void test_dead_runs(void **state)
{
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t split = lab_split(s, 1);
    for (int i = 0; i < 7; i++) lab_run(s, &lab_mlp, "a", split);
    const pid_t gone = fork();
    if (gone == 0) _exit(0);
    wait_for(gone);
    const pid_t zombie = fork(); /* over, and its parent has not asked for its end */
    if (zombie == 0) _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
    char sql[400];
    snprintf(sql, sizeof sql, "UPDATE run SET pid = %d WHERE id = 7", (int)zombie);
    lab_do(s, sql);
    snprintf(sql, sizeof sql, "UPDATE run SET pid = %d, step = 12 WHERE id = 2", (int)gone);
    lab_do(s, sql);
    OK(gk_store_end_run(s, 3, "finished", 9, 1, NULL));
    snprintf(sql, sizeof sql, "UPDATE run SET pid = %d WHERE id = 3", (int)gone);
    lab_do(s, sql);
    lab_do(s, "UPDATE run SET host = 'elsewhere', heartbeat_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-2 hours') "
              "WHERE id = 4");
    lab_do(s, "UPDATE run SET host = 'elsewhere', pid = 1 WHERE id = 5"); /* heard of lately */
    /* A process with the old number that started after the last heartbeat: this one is a day too young. */
    lab_do(s, "UPDATE run SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') WHERE id = 6");

    assert_int_equal(gk_store_dead(s, NULL, NULL), 4);
    expect_doctor(s, false, 4, "run 2 'a'");
    lab_expect(s, "SELECT count(*) FROM run WHERE status = 'running'", "6"); /* looking changes nothing */
    expect_doctor(s, true, 4, "at step 12");
    wait_for(zombie);
    lab_expect(s, "SELECT id, status FROM run ORDER BY id",
               "1|running\n2|killed\n3|finished\n4|killed\n5|running\n6|killed\n7|killed");
    lab_expect(s, "SELECT run_id, step FROM event WHERE kind = 'killed' ORDER BY 1", "2|12\n4|0\n6|0\n7|0");
    expect_doctor(s, true, 0, NULL);
    OK(gk_store_close(s));
    OK(gk_store_open(&s, path, GK_STORE_READ));
    expect_doctor(s, false, 0, NULL);
    OK(gk_store_close(s));
    free(path);
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LAB(test_create_at_once), LAB(test_four_writers_and_a_reader),
        LAB(test_threads),        LAB(test_kill),
        LAB(test_full_disk),      LAB(test_failing_writes),
        LAB(test_doctor_finds),   LAB(test_dead_runs),
    };
    return cmocka_run_group_tests_name("store_safe", tests, NULL, NULL);
}
