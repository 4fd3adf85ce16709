/* bench_measures.c: what measuring adds to a run. Usage: bench_measures GROKLAB [ROUNDS [METHOD ...]]
 *
 * Each method at its default size and cadence (the transformer: 500 epochs of its mainline recipe, which measures twice as
 * often as the defaults) on one thread, once with the default measures and once with none, in turns. Processor seconds of
 * the whole process, its other threads' included, and seconds on the clock, where networks are measured beside training;
 * of each the least of the rounds, since what else the machine does only adds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS = 32, ROUNDS = 7 };

typedef struct subject {
    const char *method;
    double limit; /* share of the run that measures may add */
    const char *settings[16];
} subject;

static const subject subjects[] = {
    {"mlp", 0.25, {NULL}},
    {"rfm", 0.10, {NULL}},
    {"transformer",
     0.10,
     {"--steps", "500", "--eval_every", "10", "--measure_every", "100", "--checkpoint_every", "100", NULL}},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

typedef struct cost {
    double processor, clock; /* s */
} cost;

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* One run into a fresh database. */
static cost train(const char *groklab, const subject *s, const char *measures, const char *database)
{
    const char *arguments[ARGUMENTS] = {groklab, "train", s->method, "-q", "--threads", "1", "--db", database, "--measures", measures};
    for (int n = 10, i = 0; s->settings[i]; i++) arguments[n++] = s->settings[i];
    unlink(database);
    const double start = now();
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere >= 0) dup2(nowhere, STDOUT_FILENO);
        execv(groklab, (char *const *)(const void *)arguments);
        fail(groklab);
    }
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) < 0) fail("wait4");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) exit(1);
    return (cost){seconds(used.ru_utime) + seconds(used.ru_stime), now() - start};
}

static void keep_least(cost *least, cost c)
{
    if (c.processor < least->processor) least->processor = c.processor;
    if (c.clock < least->clock) least->clock = c.clock;
}

static void print(const char *method, const char *unit, double off, double on, double limit)
{
    const double added = on / off - 1;
    printf("%-12s %-10s %8.3f %8.3f %8.1f %8.0f   %s\n", method, unit, off, on, 100 * added, 100 * limit,
           added < limit ? "met" : "missed");
}

static void bench(const char *groklab, const subject *s, int rounds, const char *database)
{
    cost off = {1e9, 1e9}, on = off;
    for (int i = 0; i < rounds; i++) {
        keep_least(&off, train(groklab, s, "none", database));
        keep_least(&on, train(groklab, s, "", database));
    }
    print(s->method, "processor", off.processor, on.processor, s->limit);
    print("", "clock", off.clock, on.clock, s->limit);
    fflush(stdout);
}

static int asked(const char *method, char *const *names)
{
    int all = *names == NULL;
    for (; *names; names++) all = all || strcmp(*names, method) == 0;
    return all;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_measures GROKLAB [ROUNDS [METHOD ...]]\n");
        return 2;
    }
    const int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
    char folder[] = "/tmp/bench_measures.XXXXXX", database[64];
    if (!mkdtemp(folder)) fail(folder);
    snprintf(database, sizeof database, "%s/runs.db", folder);
    printf("least of %d rounds\n%-12s %-10s %8s %8s %8s %8s\n", rounds, "method", "seconds", "off", "on", "added %", "limit %");
    for (int i = 0; i < SUBJECTS; i++)
        if (asked(subjects[i].method, argv + (argc > 2 ? 3 : 2))) bench(argv[1], &subjects[i], rounds, database);
    unlink(database);
    rmdir(folder);
    return 0;
}
