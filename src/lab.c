/* lab.c: one recorded run: settings -> split -> model -> training loop -> database, and back from a checkpoint. */
#include "gk_lab.h"
#include "gk_matrix.h"

#include "describe.h"
#include "record.h"
#include "remeasure.h"
#include "revive.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds between the transactions that bring new metrics and a heartbeat to readers. */
static const double FLUSH_SECONDS = 1.0;

typedef struct lab_run {
    const gk_method *method;
    gk_model *model;
    const gk_config *config;
    const gk_split *split;
    gk_recorder *recorder;
    gk_probe *probe;
    gk_train_state state;
    const gk_lab_hooks *hooks;
    int64_t measure_step; /* of the measures that are on their way through the sink */
    double flushed;       /* seconds of this process at the last transaction */
    double seconds;
} lab_run;

/* ---- the training loop's hooks ---- */

static int on_metric(void *context, int64_t step, const char *name, double value)
{
    return gk_recorder_metric(((lab_run *)context)->recorder, step, name, value);
}

static int on_event(void *context, int64_t step, const char *kind, const char *detail)
{
    lab_run *r = context;
    if (r->hooks && r->hooks->event) r->hooks->event(r->hooks->context, step, kind, detail);
    return gk_recorder_event(r->recorder, step, kind, detail);
}

static int sink_value(void *context, const char *name, double value)
{
    lab_run *r = context;
    return gk_recorder_metric(r->recorder, r->measure_step, name, value);
}

static int sink_matrix(void *context, const char *kind, const double *data, int n)
{
    lab_run *r = context;
    return gk_recorder_matrix(r->recorder, r->measure_step, kind, data, n);
}

static int sink_event(void *context, const char *kind, const char *detail)
{
    lab_run *r = context;
    return gk_recorder_event(r->recorder, r->measure_step, kind, detail);
}

static int on_measure(void *context, int64_t step, gk_model *model, bool last)
{
    lab_run *r = context;
    (void)model;
    (void)last;
    const gk_sink sink = {r, sink_value, sink_matrix, sink_event};
    r->measure_step = step;
    gk_probe_renew(r->probe);
    for (const gk_measure *const *m = gk_measures; *m; m++) {
        if (!(*m)->by_default || (*m)->needs_reference) continue;
        int code = (*m)->compute(r->probe, NULL, &sink);
        if (code != GK_OK) return code;
    }
    return gk_measure_matrices(r->probe, &sink);
}

/* What the loop remembers travels in the checkpoint's metadata. */
static int on_checkpoint(void *context, int64_t step, gk_model *model, bool keep)
{
    lab_run *r = context;
    char words[4][24];
    snprintf(words[0], sizeof words[0], "%" PRId64, step);
    snprintf(words[1], sizeof words[1], "%" PRId64, r->state.memorised);
    snprintf(words[2], sizeof words[2], "%" PRId64, r->state.grokked);
    snprintf(words[3], sizeof words[3], "%" PRId64, r->state.held_since);
    const char *const meta[] = {"step",    words[0],     "memorised", words[1],          "grokked", words[2],
                                "held_since", words[3], "method",    r->method->name, NULL};
    gk_tensor tensors[GK_TENSORS_MAX];
    int code;
    if (keep) {
        const int n = r->method->tensors(model, GK_WEIGHTS, tensors);
        if ((code = gk_recorder_checkpoint(r->recorder, step, "weights", tensors, n, meta)) != GK_OK) return code;
    }
    const int n = r->method->tensors(model, GK_STATE, tensors);
    if ((code = gk_recorder_checkpoint(r->recorder, step, "state", tensors, n, meta)) != GK_OK) return code;
    if ((code = gk_recorder_heartbeat(r->recorder, step, 0)) != GK_OK) return code;
    return gk_recorder_commit(r->recorder);
}

static int on_progress(void *context, const gk_progress *now)
{
    lab_run *r = context;
    r->seconds = now->seconds;
    if (now->seconds - r->flushed >= FLUSH_SECONDS) {
        r->flushed = now->seconds;
        int code = gk_recorder_heartbeat(r->recorder, now->step, 0);
        if (code == GK_OK) code = gk_recorder_commit(r->recorder);
        if (code != GK_OK) return code;
    }
    return r->hooks && r->hooks->progress ? r->hooks->progress(r->hooks->context, now) : GK_OK;
}

static bool on_stop(void *context)
{
    const gk_lab_hooks *h = ((lab_run *)context)->hooks;
    return h && h->stop && h->stop(h->context);
}

static const char *status_of(int code)
{
    switch (code) {
    case GK_OK: return "finished";
    case GK_INTERRUPTED: return "interrupted";
    case GK_DIVERGED: return "diverged";
    default: return "failed";
    }
}

/* Trains a model that stands at r->state and closes the run's row with what came of it. */
static int train_recorded(gk_store *store, int64_t run, lab_run *r)
{
    const gk_train_hooks hooks = {r, on_metric, on_event, on_measure, on_checkpoint, on_progress, on_stop};
    gk_blas_threads(1); /* methods thread over batch blocks and classes; two pools of threads would clash */
    int code = gk_probe_new(&r->probe, r->method, r->model, r->split, r->config);
    if (code == GK_OK) code = gk_recorder_start(&r->recorder, store, run);
    if (code == GK_OK) {
        code = gk_train(r->method, r->model, r->config, r->split, &hooks, &r->state);
        char *reason = gk_text("%s", code == GK_OK ? "" : gk_error_text());
        if (code == GK_DIVERGED) on_event(r, r->state.step, "diverged", reason);
        if (code == GK_INTERRUPTED) on_event(r, r->state.step, "interrupted", NULL);
        int closed = gk_recorder_commit(r->recorder);
        const int finished = gk_recorder_finish(r->recorder);
        if (closed == GK_OK) closed = finished;
        if (code == GK_OK) code = closed;
        else if (reason) gk_error(code, "%s", reason);
        free(reason);
    }
    gk_probe_free(r->probe);
    r->probe = NULL;
    /* What refers to the final model can be measured only now, on the checkpoints. */
    return code == GK_OK ? gk_remeasure_reference(store, run) : code;
}

static int close_run(gk_store *store, int64_t run, const lab_run *r, int code)
{
    char *reason = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    const int ended = gk_store_end_run(store, run, status_of(code), r->state.step, r->seconds, reason);
    if (code != GK_OK) gk_error(code, "%s", reason ? reason : "out of memory");
    free(reason);
    return code == GK_OK ? ended : code;
}

/* Resolves what the user left open, so that the stored settings say what was done. */
static int settle_config(gk_config *config, const char *method)
{
    char text[192];
    int code = GK_OK;
    if (gk_config_int(config, "threads") == 0) {
        const long cores = sysconf(_SC_NPROCESSORS_ONLN);
        snprintf(text, sizeof text, "%ld", cores < 1 ? 1 : cores);
        if ((code = gk_config_set(config, "threads", text, "threads")) != GK_OK) return code;
    }
    if (!gk_config_text(config, "name")[0]) {
        snprintf(text, sizeof text, "%s-%.100s-%" PRId64, method, gk_config_text(config, "op"), gk_config_int(config, "p"));
        code = gk_config_set(config, "name", text, "name");
    }
    return code;
}

int gk_lab_train(gk_store *store, const char *method, const gk_config *given, const gk_lab_hooks *hooks, int64_t *run)
{
    lab_run r = {.state = GK_TRAIN_START, .hooks = hooks};
    gk_config config;
    gk_split split;
    int64_t split_id;
    *run = -1;
    int code = gk_config_copy(&config, given);
    if (code != GK_OK) return code;
    if ((code = settle_config(&config, method)) != GK_OK) goto free_config;
    code = GK_USAGE;
    if (!(r.method = gk_registry_method(method, gk_revive_dtype(&config)))) goto free_config;
    if ((code = gk_registry_split(&split, &config)) != GK_OK) goto free_config;
    r.config = &config;
    r.split = &split;
    if ((code = r.method->init(&r.model, &config, &split)) != GK_OK) goto free_split;
    const char *init_file = gk_config_text(&config, "init_file");
    if (init_file[0] && (code = gk_revive_init_file(r.method, r.model, init_file)) != GK_OK) goto free_model;

    if ((code = gk_describe_metrics(store)) != GK_OK) goto free_model;
    if ((code = gk_store_put_split(store, &split, &split_id)) != GK_OK) goto free_model;
    if ((code = gk_store_new_run(store, r.method, &config, split_id, -1, run)) != GK_OK) goto free_model;
    code = close_run(store, *run, &r, train_recorded(store, *run, &r));
free_model:
    r.method->free(r.model);
free_split:
    gk_split_free(&split);
free_config:
    gk_config_free(&config);
    return code;
}

/* A run that some living process is training must not be trained twice. */
static int check_idle(const gk_run_row *row)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    if (strcmp(row->status, "finished") == 0)
        return gk_error(GK_USAGE, "run %" PRId64 " '%s' is finished at step %" PRId64 "; nothing to resume", row->id, row->name,
                        row->step);
    if (strcmp(row->status, "running") == 0 && row->host && strcmp(row->host, host) == 0 && row->pid > 0 &&
        row->pid != getpid() && (kill((pid_t)row->pid, 0) == 0 || errno == EPERM))
        return gk_error(GK_BUSY, "run %" PRId64 " '%s' is being trained by process %" PRId64, row->id, row->name, row->pid);
    return GK_OK;
}

int gk_lab_resume(gk_store *store, int64_t run, const gk_lab_hooks *hooks)
{
    gk_run_row row;
    gk_revived back = {0};
    lab_run r = {.state = GK_TRAIN_START, .hooks = hooks};
    int code = gk_store_get_run(store, run, &row);
    if (code != GK_OK) return code;
    if ((code = check_idle(&row)) != GK_OK || (code = gk_revive_fresh(store, &row, &back)) != GK_OK) goto free_row;
    code = gk_revive_load(store, run, GK_STATE, -1, &back, &r.state);
    if (code == GK_NOTFOUND) { /* killed before its first checkpoint: from the start */
        const char *init_file = gk_config_text(&back.config, "init_file");
        code = init_file[0] ? gk_revive_init_file(back.method, back.model, init_file) : GK_OK;
    }
    if (code != GK_OK) goto free_back;
    if ((code = gk_store_rewind(store, run, r.state.fresh ? -1 : r.state.step)) != GK_OK) goto free_back;
    r.method = back.method;
    r.model = back.model;
    r.split = &back.split;
    r.config = &back.config;
    if ((code = gk_store_put_event(store, run, "resumed", r.state.step, NULL)) != GK_OK) goto free_back;
    code = close_run(store, run, &r, train_recorded(store, run, &r));
free_back:
    gk_revived_free(&back);
free_row:
    gk_run_row_free(&row);
    return code;
}
