/* sweep_estimate.c: what a sweep will cost, from a few shortened runs in a database that is thrown away. A run costs
 *     F + steps S + measurings M + checkpoints C,
 * F including the one of each that every run ends with. Runs of one step, with one cadence switched on at a time, give
 * F, M and C by differences; a timed one gives S. The samples are spread over each section of the plan, one in each
 * stretch of equal length, so that settings that make a run longer count in proportion. */
#include "sweep.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const double STEP_SECONDS = 0.3, ALL_SECONDS = 8; /* of one timed run; of all samples together */
enum { SAMPLES = 6 };

/* A stored value and its share of the page. */
static const double METRIC_BYTES = 20;

typedef struct cost {
    double seconds, bytes;
} cost;

typedef struct timed {
    double until;
    int64_t steps;
    double seconds; /* at the last step */
} timed;

static int on_progress(void *context, const gk_progress *now)
{
    timed *t = context;
    t->steps = now->step;
    t->seconds = now->seconds;
    return GK_OK;
}

static bool on_stop(void *context)
{
    const timed *t = context;
    return t->seconds >= t->until || gk_cli_signal() != 0;
}

/* What a run fills: its values, its row with settings (stored twice, and indexed), its blobs. */
static int stored_bytes(gk_store *s, int64_t run, double *out)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)run);
    const char *const params[] = {id, NULL};
    gk_cell rows, values;
    int code = gk_cli_number(
        s,
        "SELECT (SELECT length(config) + 500 FROM run WHERE id = CAST(?1 AS INTEGER))"
        " + (SELECT sum(2 * (length(key) + length(value)) + 20) FROM param WHERE run_id = CAST(?1 AS INTEGER))"
        " + (SELECT coalesce(sum(length(kind) + coalesce(length(detail), 0) + 40), 0) FROM event"
        "    WHERE run_id = CAST(?1 AS INTEGER))"
        " + (SELECT coalesce(sum(length(data) * 1.02 + 200), 0) FROM matrix WHERE run_id = CAST(?1 AS INTEGER))"
        " + (SELECT coalesce(sum(length(data) * 1.02 + 200), 0) FROM checkpoint"
        "    WHERE run_id = CAST(?1 AS INTEGER))",
        params, &rows);
    if (code == GK_OK)
        code = gk_cli_number(s, "SELECT count(*) FROM metric WHERE run_id = CAST(?1 AS INTEGER)", params, &values);
    *out = rows.real + METRIC_BYTES * (double)values.integer;
    return code;
}

/* One calibrating run: these many steps at most, these cadences. */
static int try_run(gk_store *s, const char *method, const gk_config *config, int64_t steps, const char *cadence,
                   double seconds, timed *t, cost *out)
{
    char text[24];
    gk_config short_config;
    int64_t run;
    snprintf(text, sizeof text, "%lld", (long long)steps);
    int code = gk_config_copy(&short_config, config);
    if (code != GK_OK) return code;
    code = gk_config_set(&short_config, "steps", text, "calibration");
    static const char *const cadences[] = {"measure_every", "checkpoint_every"};
    for (int i = 0; code == GK_OK && i < 2; i++)
        code = gk_config_set(&short_config, cadences[i], cadence && strcmp(cadence, cadences[i]) == 0 ? "1" : "0",
                             "calibration");
    *t = (timed){.until = seconds};
    const gk_lab_hooks hooks = {.context = t, .progress = on_progress, .stop = on_stop, .crowded = true};
    const double start = gk_seconds();
    if (code == GK_OK) code = gk_lab_train(s, method, &short_config, &hooks, &run);
    out->seconds = gk_seconds() - start;
    if (code == GK_INTERRUPTED && !gk_cli_signal()) code = GK_OK;
    if (code == GK_OK) code = stored_bytes(s, run, &out->bytes);
    gk_config_free(&short_config);
    return code;
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

/* How often a cadence falls due between the ends. */
static double times(const gk_config *config, const char *cadence)
{
    const int64_t every = gk_config_int(config, cadence), steps = gk_config_int(config, "steps");
    return every > 0 ? (double)(steps / every) : 0;
}

/* The whole cost of one run of the plan. */
static int calibrate(gk_store *s, const char *method, const gk_config *config, cost *out)
{
    timed t;
    cost end, more;
    const double steps = (double)gk_config_int(config, "steps");
    int code = try_run(s, method, config, 1, NULL, 1e30, &t, &end);
    if (code == GK_OK) code = try_run(s, method, config, gk_config_int(config, "steps"), NULL, STEP_SECONDS, &t, &more);
    if (code != GK_OK) return code;
    *out = end;
    if (t.steps > 0) out->seconds += (steps - 1) * t.seconds / (double)t.steps;
    if (!gk_config_is(config, "store", "all")) return GK_OK;
    const double evaluated = times(config, "eval_every") * 6; /* loss, accuracy and correct-class loss of two parts */
    out->bytes += METRIC_BYTES * evaluated;
    static const char *const cadences[] = {"measure_every", "checkpoint_every"};
    for (int i = 0; code == GK_OK && i < 2; i++) {
        if (times(config, cadences[i]) == 0) continue;
        code = try_run(s, method, config, 1, cadences[i], 1e30, &t, &more);
        out->seconds += times(config, cadences[i]) * positive(more.seconds - end.seconds);
        out->bytes += times(config, cadences[i]) * positive(more.bytes - end.bytes);
    }
    return code;
}

/* The numbers first .. last of `indices` that belong to a part. */
static void range_of(const gk_sweep_part *part, const int64_t *indices, int64_t n, int64_t *first, int64_t *count)
{
    *first = *count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (indices[i] < part->first || indices[i] >= part->first + part->n_runs) continue;
        if ((*count)++ == 0) *first = i;
    }
}

static int sample_all(const gk_sweep_plan *plan, const int64_t *indices, int64_t n, gk_store *s, gk_sweep_estimate *out)
{
    const double start = gk_seconds();
    gk_random random;
    gk_random_seed(&random, 0, 0);
    *out = (gk_sweep_estimate){0};
    for (int i = 0; i < plan->n_parts; i++) {
        const gk_sweep_part *part = &plan->parts[i];
        int64_t first, count;
        range_of(part, indices, n, &first, &count);
        const int64_t samples = count < SAMPLES ? count : SAMPLES;
        cost sum = {0};
        int taken = 0;
        for (int64_t k = 0; k < samples; k++) {
            if (taken > 0 && gk_seconds() - start > ALL_SECONDS * (i + 1) / plan->n_parts) break;
            const int64_t low = k * count / samples, high = (k + 1) * count / samples;
            const int64_t at = first + low + (int64_t)gk_random_below(&random, (uint64_t)(high - low));
            gk_config config;
            cost one;
            int code = gk_sweep_config(plan, indices[at], &config);
            if (code != GK_OK) return code;
            code = calibrate(s, part->method, &config, &one);
            gk_config_free(&config);
            if (code == GK_DIVERGED) continue;
            if (code != GK_OK) return code;
            sum.seconds += one.seconds;
            sum.bytes += one.bytes;
            taken++;
        }
        if (taken == 0) continue;
        out->seconds += sum.seconds / taken * (double)count;
        out->bytes += sum.bytes / taken * (double)count;
    }
    return GK_OK;
}

static void remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *path = e->d_name[0] == '.' ? NULL : gk_text("%s/%s", folder, e->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

typedef struct answer {
    int code;
    gk_sweep_estimate estimate;
    char text[400];
} answer;

static void calibrate_in(const gk_sweep_plan *plan, const int64_t *indices, int64_t n, const char *folder, answer *a)
{
    gk_store *s = NULL;
    char *path = gk_text("%s/calibration.db", folder);
    a->code = path ? gk_store_open(&s, path, GK_STORE_CREATE) : GK_FAILED;
    if (a->code == GK_OK) a->code = sample_all(plan, indices, n, s, &a->estimate);
    if (a->code != GK_OK) snprintf(a->text, sizeof a->text, "%s", gk_error_text());
    gk_store_close(s);
    free(path);
}

/* In a process of its own: training leaves threads behind, and a process with threads must not fork workers. */
int gk_sweep_estimate_of(const gk_sweep_plan *plan, const int64_t *indices, int64_t n, gk_sweep_estimate *out)
{
    const char *tmp = getenv("TMPDIR");
    char *folder = gk_text("%s/groklab-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    answer *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *out = (gk_sweep_estimate){0};
    if (!folder || a == MAP_FAILED || !mkdtemp(folder)) {
        free(folder);
        return gk_error(GK_FAILED, "no place for the calibration: no folder can be made in %s",
                        tmp && *tmp ? tmp : "/tmp");
    }
    gk_cli_signals_catch();
    fflush(stdout);
    fflush(stderr);
    a->code = GK_FAILED;
    snprintf(a->text, sizeof a->text, "the calibration ended without a word");
    const pid_t pid = fork();
    if (pid == 0) {
        calibrate_in(plan, indices, n, folder, a);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0) continue;
    remove_folder(folder);
    free(folder);
    const int code = a->code == GK_OK ? GK_OK : gk_error(a->code, "%s", a->text);
    *out = a->estimate;
    munmap(a, sizeof *a);
    return code;
}
