/* bench.c: times one training loop: builds config, split and model, brings the model to the part of the run that
 * matters, and times step() or score() again and again from the same state. */
#include "bench.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLES_LEAST = 3,
    SAMPLES_MOST = 1 << 16,
};

/* A copy of the tensors from which a run goes on. */
typedef struct state {
    int64_t step;
    int n;
    void *data[GK_TENSORS_MAX];
} state;

typedef struct subject {
    const gk_bench_loop *loop;
    const state *from;
    double seconds;
    gk_config config;
    gk_split split;
    const gk_method *method;
    gk_model *model;
    double *samples, *flops; /* [SAMPLES_MOST] seconds and flops of a call */
    int n;
    bool float64;
    double iterations; /* of the last step's solver */
    int code;
    char error[512]; /* the line of a failure on another thread */
} subject;

/* ---- a run, and where it stands ---- */

static void subject_free(subject *s)
{
    if (s->method) s->method->free(s->model);
    gk_split_free(&s->split);
    gk_config_free(&s->config);
    free(s->samples);
    free(s->flops);
}

static int subject_init(subject *s, const gk_bench_loop *loop, int threads)
{
    char count[16];
    s->loop = loop;
    int code = gk_registry_config(&s->config, loop->method);
    for (const char *const *kv = loop->settings; code == GK_OK && *kv; kv += 2)
        code = gk_config_set(&s->config, kv[0], kv[1], loop->name);
    snprintf(count, sizeof count, "%d", threads);
    if (code == GK_OK) code = gk_config_set(&s->config, "threads", count, "--threads");
    if (code == GK_OK) code = gk_registry_split(&s->split, &s->config);
    if (code != GK_OK) return code;
    s->method = gk_registry_method(loop->method, gk_config_is(&s->config, "dtype", "float64") ? GK_F64 : GK_F32);
    s->samples = gk_alloc(SAMPLES_MOST, sizeof *s->samples);
    s->flops = gk_alloc(SAMPLES_MOST, sizeof *s->flops);
    if (!s->samples || !s->flops) return GK_FAILED;
    return s->method->init(&s->model, &s->config, &s->split);
}

static void state_free(state *at)
{
    for (int i = 0; i < at->n; i++) free(at->data[i]);
    *at = (state){0};
}

static int state_keep(state *at, const subject *s, int64_t step)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = s->method->tensors(s->model, GK_STATE, tensors);
    *at = (state){.step = step};
    for (; at->n < n; at->n++) {
        const size_t count = gk_tensor_count(&tensors[at->n]), item = gk_dtype_size(tensors[at->n].dtype);
        if (!(at->data[at->n] = gk_alloc(count, item))) return GK_FAILED;
        memcpy(at->data[at->n], tensors[at->n].data, count * item);
    }
    return GK_OK;
}

static int state_load(const state *at, subject *s)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    s->method->tensors(s->model, GK_STATE, tensors);
    for (int i = 0; i < at->n; i++)
        memcpy(tensors[i].data, at->data[i], gk_tensor_bytes(&tensors[i]));
    return s->method->loaded(s->model, GK_STATE, at->step);
}

/* The state after `skip` steps; a loop that does not gain from several cores makes them on one. */
static int state_reach(state *at, const gk_bench_loop *loop, int cores)
{
    subject s = {0};
    int code = subject_init(&s, loop, loop->many ? 1 : cores);
    for (int i = 0; code == GK_OK && i < loop->skip; i++) code = s.method->step(s.model, NULL);
    if (code == GK_OK) code = state_keep(at, &s, loop->skip);
    subject_free(&s);
    return code;
}

/* ---- timing ---- */

static int take_iterations(void *context, const char *name, double value)
{
    if (strcmp(name, "solver_iterations") == 0) *(double *)context = value;
    return GK_OK;
}

static int call(subject *s)
{
    gk_score score;
    if (s->loop->score) return s->method->score(s->model, s->split.test, s->split.n_test, &score, NULL);
    return s->method->step(s->model, NULL);
}

static int timed_call(subject *s)
{
    const double start = gk_seconds();
    int code = call(s);
    const double taken = gk_seconds() - start;
    s->iterations = 0;
    if (code == GK_OK && s->method->report) code = s->method->report(s->model, take_iterations, &s->iterations);
    if (code != GK_OK) return code;
    const gk_bench_work work = s->loop->work(&s->config, &s->split, s->iterations);
    const int calls = s->loop->calls ? s->loop->calls(&s->config, &s->split) : 1;
    s->samples[s->n] = taken / calls;
    s->flops[s->n++] = work.flops / calls;
    s->float64 = work.float64;
    return GK_OK;
}

/* Back to the state, one call to warm caches and whatever is computed when first asked for, then up to `window` timed
 * ones; and again, until the time is up. */
static int measure_one(subject *s)
{
    const double start = gk_seconds();
    double used = 0;
    int code = GK_OK;
    while (code == GK_OK && s->n < SAMPLES_MOST && (s->n < SAMPLES_LEAST || used < s->seconds)) {
        if ((code = state_load(s->from, s)) == GK_OK) code = call(s);
        for (int i = 0; code == GK_OK && i < s->loop->window && s->n < SAMPLES_MOST; i++) {
            code = timed_call(s);
            used = gk_seconds() - start;
            if (used >= s->seconds && s->n >= SAMPLES_LEAST) break;
        }
    }
    return code;
}

static void *measure_thread(void *context)
{
    subject *s = context;
    s->code = measure_one(s);
    if (s->code != GK_OK) snprintf(s->error, sizeof s->error, "%s", gk_error_text());
    return NULL;
}

/* Each run on a thread of its own, all at once. */
static int measure_all(subject *runs, int n)
{
    pthread_t *threads = gk_calloc((size_t)n, sizeof *threads);
    if (!threads) return GK_FAILED;
    int started = 0, code = GK_OK;
    while (started < n && pthread_create(&threads[started], NULL, measure_thread, &runs[started]) == 0) started++;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    if (started < n) code = gk_error(GK_FAILED, "cannot start %d threads", n);
    for (int i = 0; i < started && code == GK_OK; i++)
        if (runs[i].code != GK_OK) code = gk_error(runs[i].code, "%s", runs[i].error);
    free(threads);
    return code;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Median over all samples of all runs. */
static int summarise(const subject *runs, gk_bench_time *out)
{
    int n = 0;
    for (int i = 0; i < out->runs; i++) n += runs[i].n;
    double *seconds = gk_alloc((size_t)n, sizeof *seconds), *flops = gk_alloc((size_t)n, sizeof *flops);
    if (seconds && flops) {
        for (int i = 0, at = 0; i < out->runs; at += runs[i++].n) {
            memcpy(seconds + at, runs[i].samples, (size_t)runs[i].n * sizeof *seconds);
            memcpy(flops + at, runs[i].flops, (size_t)runs[i].n * sizeof *flops);
        }
        out->samples = n;
        out->median = median(seconds, n);
        out->best = seconds[0];
        out->flops = median(flops, n);
        out->float64 = runs[0].float64;
    }
    const bool done = seconds && flops;
    free(seconds);
    free(flops);
    return done ? GK_OK : GK_FAILED;
}

static int measure(const state *from, double seconds, gk_bench_time *out)
{
    subject *runs = gk_calloc((size_t)out->runs, sizeof *runs);
    if (!runs) return GK_FAILED;
    int code = GK_OK;
    for (int i = 0; code == GK_OK && i < out->runs; i++) {
        runs[i].from = from;
        runs[i].seconds = seconds;
        code = subject_init(&runs[i], out->loop, out->threads);
    }
    if (code == GK_OK) code = out->runs == 1 ? measure_one(runs) : measure_all(runs, out->runs);
    if (code == GK_OK) code = summarise(runs, out);
    for (int i = 0; i < out->runs; i++) subject_free(&runs[i]);
    free(runs);
    return code;
}

int gk_bench_measure(const gk_bench_loop *loop, const int *cores, int n, double seconds, gk_bench_time *out)
{
    state from = {0};
    int code = state_reach(&from, loop, cores[n - 1]);
    for (int i = 0; code == GK_OK && i < n; i++) {
        out[i] = (gk_bench_time){.loop = loop, .threads = loop->many ? 1 : cores[i], .runs = loop->many ? cores[i] : 1};
        code = measure(&from, seconds, &out[i]);
    }
    state_free(&from);
    return code;
}
