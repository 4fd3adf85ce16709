/* bench_store.c: the size and speed of the run database. Usage: bench_store [FOLDER]
 *
 * 2,000,000 metric values over 100 runs: 20 metrics, 1000 steps each, in the order in which training says them. Then
 * the queries people wait for: median and least of 21. The targets are under 5 s, 60 MB and 5 ms, on an idle machine;
 * the time of the processor is given, too, for one that is not. */
#include "gk_store.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 100, METRICS = 20, STEPS = 1000, BATCH = 50, TIMES = 21 };

static const gk_method method = {.name = "mlp", .unit = "epoch"};

static double processor(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(int code)
{
    if (code == GK_OK) return;
    fprintf(stderr, "%s\n", gk_error_text());
    exit(1);
}

static int64_t new_run(gk_store *s, int number)
{
    static const gk_key keys[] = {{"name", GK_KEY_TEXT, "", 0, 0, NULL, "name"}, {0}};
    int32_t train[] = {0, 1, 2};
    gk_split split = {
        .task = {.op = "add", .p = 3}, .train_fraction = .5, .generator = "philox", .n_train = 3, .train = train};
    gk_config config;
    char name[32];
    int64_t split_id, run;
    memset(split.sha256, 'a', 64);
    must(gk_store_put_split(s, &split, &split_id));
    gk_config_init(&config);
    must(gk_config_add(&config, keys));
    snprintf(name, sizeof name, "run%d", number);
    must(gk_config_set(&config, "name", name, "bench"));
    must(gk_store_new_run(s, &method, &config, split_id, 0, &run));
    gk_config_free(&config);
    return run;
}

/* Stands for the training between two transactions: so much time of one core. 10 ms for 50 steps is a small and fast
 * model; most take longer and meet at the database less often. */
static void compute(double seconds)
{
    for (const double start = processor(); processor() - start < seconds;) continue;
}

/* One run's values, a transaction each BATCH steps. Test accuracy crosses .95 two thirds through. */
static void train(gk_store *s, int number, double seconds)
{
    char names[METRICS][32];
    for (int m = 0; m < METRICS; m++) snprintf(names[m], sizeof names[m], "measure_%02d", m);
    static const char *const known[] = {"train_loss", "train_accuracy", "test_loss", "test_accuracy"};
    for (int m = 0; m < 4; m++) strcpy(names[m], known[m]);
    const int64_t run = new_run(s, number);
    for (int step = 0; step < STEPS; step++) {
        if (step % BATCH == 0 && seconds > 0) compute(seconds);
        if (step % BATCH == 0) must(gk_store_begin(s));
        for (int m = 0; m < METRICS; m++)
            must(gk_store_put_metric(s, run, names[m], 10 * step, m == 3 ? step > 666 : sin(step + m + number)));
        if (step % BATCH == BATCH - 1) must(gk_store_commit(s));
    }
}

static int count_rows(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    *(int *)context += cells != NULL;
    return GK_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void query(gk_store *s, const char *what, const char *sql)
{
    double seconds[TIMES];
    int rows = 0;
    for (int i = 0; i < TIMES; i++) {
        rows = 0;
        const double start = gk_seconds();
        must(gk_store_query(s, sql, NULL, count_rows, &rows));
        seconds[i] = gk_seconds() - start;
    }
    qsort(seconds, TIMES, sizeof *seconds, by_value);
    printf("%-46s %8.3f ms (%.3f)  %6d rows\n", what, 1e3 * seconds[TIMES / 2], 1e3 * seconds[0], rows);
}

/* Four processes, each with its own file or all with one (which a fifth reads all the while): seconds until all four
 * have ended. */
static double four(const char *folder, bool one_file)
{
    char path[4][256];
    pid_t children[4], reader = -1;
    for (int i = 0; i < 4; i++) {
        gk_store *s;
        snprintf(path[i], sizeof path[i], "%s/%s%d.db", folder, one_file ? "shared" : "own", one_file ? 0 : i);
        must(gk_store_open(&s, path[i], GK_STORE_CREATE));
        must(gk_store_close(s));
    }
    if (one_file && (reader = fork()) == 0) {
        for (int rows = 0;; rows = 0) {
            gk_store *s;
            must(gk_store_open(&s, path[0], GK_STORE_READ));
            must(gk_store_query(s, "SELECT * FROM run_summary", NULL, count_rows, &rows));
            must(gk_store_close(s));
            nanosleep(&(struct timespec){0, 100000000}, NULL);
        }
    }
    const double start = gk_seconds();
    for (int i = 0; i < 4; i++) {
        if ((children[i] = fork()) == 0) {
            gk_store *s;
            must(gk_store_open(&s, path[i], GK_STORE_CREATE));
            for (int k = 0; k < 3; k++) train(s, i, 0.01);
            must(gk_store_close(s));
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) waitpid(children[i], NULL, 0);
    const double seconds = gk_seconds() - start;
    if (reader > 0) kill(reader, SIGKILL);
    if (reader > 0) waitpid(reader, NULL, 0);
    for (int i = 0; i < 4; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        for (int k = 0; k < 3; k++) {
            char *file = gk_text("%s%s", path[i], ends[k]);
            unlink(file);
            free(file);
        }
    }
    return seconds;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/groklab-bench-XXXXXX", path[256];
    const char *where = argc > 1 ? argv[1] : mkdtemp(folder);
    snprintf(path, sizeof path, "%s/bench.db", where);
    gk_store *s;
    const double start = gk_seconds();
    must(gk_store_open(&s, path, GK_STORE_CREATE));
    for (int i = 0; i < RUNS; i++) train(s, i, 0);
    must(gk_store_close(s));
    const double seconds = gk_seconds() - start, busy = processor();
    struct stat st;
    stat(path, &st);
    printf("%d values over %d runs: %.2f s (%.2f s of the processor), %.1f MB (%.1f bytes each)\n",
           RUNS * METRICS * STEPS, RUNS, seconds, busy, (double)st.st_size / 1e6,
           (double)st.st_size / RUNS / METRICS / STEPS);
    must(gk_store_open(&s, path, GK_STORE_READ));
    query(s, "one curve", "SELECT step, value FROM metrics WHERE run = 'run57' AND name = 'test_loss' ORDER BY step");
    query(s, "latest value of one metric, all runs",
          "SELECT run, value FROM latest_metrics WHERE name = 'test_accuracy'");
    query(s, "latest values of all metrics, all runs", "SELECT run, name, value FROM latest_metrics");
    query(s, "first step over a threshold, all runs",
          "SELECT r.id, (SELECT m.step FROM metrics m WHERE m.run_id = r.id AND m.name = 'test_accuracy' AND m.value "
          ">= 0.95 "
          "ORDER BY m.step LIMIT 1) FROM run r");
    query(s, "losses and accuracies of one run, side by side", "SELECT * FROM curves WHERE run = 'run57'");
    query(s, "the summary of all runs", "SELECT * FROM run_summary");
    must(gk_store_close(s));
    double own[3], shared[3];
    for (int i = 0; i < 3; i++) {
        own[i] = four(where, false);
        shared[i] = four(where, true);
    }
    qsort(own, 3, sizeof *own, by_value);
    qsort(shared, 3, sizeof *shared, by_value);
    printf("four writers: %.2f s in files of their own, %.2f s in one that a fifth reads (ratio %.2f)\n", own[1],
           shared[1], shared[1] / own[1]);
    unlink(path);
    return rmdir(where);
}
