/* lab.c: one recorded run: settings -> split -> model -> training loop -> database, and back from a checkpoint. */
#include "gk_lab.h"
#include "gk_matrix.h"

#include "describe.h"
#include "observer.h"
#include "revive.h"

#include <errno.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <omp.h>
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
    gk_observer *observer;
    gk_train_state state;
    const gk_lab_hooks *hooks;
    gk_keep keep;         /* what of all this stays */
    bool last;            /* the loop stands at its last step */
    int64_t kept;         /* the last checkpoint of weights from which the model could be brought back as it is; -1: none */
    double flushed;       /* seconds of this process at the last transaction */
    double seconds, told; /* trained by this process; of these, already in the run's wall_seconds */
} lab_run;

/* The run is alive and stands at `step`; the seconds since the last beat join its wall time, so that a kill loses few. */
static int beat(lab_run *r, int64_t step)
{
    const double news = r->seconds - r->told;
    r->told = r->seconds;
    return gk_recorder_heartbeat(r->recorder, step, news);
}

/* ---- the training loop's hooks ---- */

static int on_metric(void *context, int64_t step, const char *name, double value)
{
    return gk_keep_metric(&((lab_run *)context)->keep, step, name, value);
}

static int on_event(void *context, int64_t step, const char *kind, const char *detail)
{
    lab_run *r = context;
    if (r->hooks && r->hooks->event) r->hooks->event(r->hooks->context, step, kind, detail);
    return gk_recorder_event(r->recorder, step, kind, detail);
}

static gk_output_rows *on_outputs(void *context, int64_t step)
{
    return gk_observer_rows(((lab_run *)context)->observer, step);
}

static int on_measure(void *context, int64_t step, gk_model *model, bool last)
{
    lab_run *r = context;
    (void)model;
    r->last = last;
    return last || r->keep.mode == GK_KEEP_ALL ? gk_observer_measure(r->observer, step) : GK_OK;
}

/* What the loop remembers travels in the checkpoint's metadata. */
static int put_checkpoint(lab_run *r, int64_t step, gk_tensor_set set)
{
    char words[4][24];
    snprintf(words[0], sizeof words[0], "%" PRId64, step);
    snprintf(words[1], sizeof words[1], "%" PRId64, r->state.memorised);
    snprintf(words[2], sizeof words[2], "%" PRId64, r->state.grokked);
    snprintf(words[3], sizeof words[3], "%" PRId64, r->state.held_since);
    const char *const meta[] = {"step", words[0], "memorised", words[1], "grokked", words[2], "held_since", words[3],
                                "method", r->method->name, "split_sha256", r->split->sha256, NULL};
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = r->method->tensors(r->model, set, tensors);
    return gk_recorder_checkpoint(r->recorder, step, set == GK_STATE ? "state" : "weights", tensors, n, meta);
}

/* Weights that stay, and what the measures that wait for the final model will ask of this one. */
static int put_weights(lab_run *r, int64_t step)
{
    const int code = put_checkpoint(r, step, GK_WEIGHTS);
    if (code != GK_OK || (r->method->from_weights && !r->method->from_weights(r->model))) return code;
    r->kept = step;
    return r->last ? GK_OK : gk_observer_recall(r->observer, step); /* the last model is still here by then */
}

static int on_checkpoint(void *context, int64_t step, gk_model *model, bool keep)
{
    lab_run *r = context;
    (void)model;
    const bool all = r->keep.mode == GK_KEEP_ALL;
    int code = GK_OK;
    if (keep && (all || (r->last && r->keep.mode == GK_KEEP_EVENTS))) code = put_weights(r, step);
    if (code != GK_OK || (r->last && !all) || (keep && !gk_keep_state_due(&r->keep, r->seconds))) return code;
    if ((code = gk_keep_settle(&r->keep)) != GK_OK) return code;
    if ((code = put_checkpoint(r, step, GK_STATE)) != GK_OK) return code;
    if ((code = beat(r, step)) != GK_OK) return code;
    return gk_recorder_commit(r->recorder);
}

/* An event of the loop; under `events` the model at that moment stays. */
static int on_moment(void *context, int64_t step, const char *kind, const char *detail)
{
    lab_run *r = context;
    int code = on_event(context, step, kind, detail);
    if (code != GK_OK || r->keep.mode != GK_KEEP_EVENTS || step < 0) return code;
    gk_keep_step(&r->keep);
    code = gk_observer_measure(r->observer, step);
    return code == GK_OK ? put_weights(r, step) : code;
}

static int on_progress(void *context, const gk_progress *now)
{
    lab_run *r = context;
    r->seconds = now->seconds;
    if (now->seconds - r->flushed >= FLUSH_SECONDS) {
        r->flushed = now->seconds;
        int code = beat(r, now->step);
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

/* A measure beside training failed: the run ends with that, at the step it is of, whatever came later. */
static int give_way(lab_run *r, char **reason)
{
    const int code = gk_observer_settle(r->observer);
    free(*reason);
    *reason = gk_text("%s", gk_error_text());
    r->state.step = gk_observer_subject(r->observer).at;
    const int drained = gk_recorder_drain(r->recorder); /* nothing behind the place of that measure is stored */
    if (drained == GK_OK) return code;
    free(*reason);
    *reason = gk_text("%s", gk_error_text());
    return drained;
}

/* Trains a model that stands at r->state, as far as it goes. */
static int train_recorded(gk_store *store, int64_t run, lab_run *r)
{
    const gk_train_hooks hooks = {r, on_metric, on_moment, on_outputs, on_measure, on_checkpoint, on_progress, on_stop};
    gk_blas_threads(1); /* methods thread over batch blocks and classes; two pools of threads would clash */
    r->kept = -1;
    int code = gk_recorder_start(&r->recorder, store, run);
    if (code == GK_OK) {
        r->keep = (gk_keep){.mode = gk_keep_mode_of(r->config), .recorder = r->recorder, .step = -1};
        gk_observer_attach(r->observer, r->recorder, &r->keep);
        code = gk_train(r->method, r->model, r->config, r->split, &hooks, &r->state);
        if (code == GK_OK && r->keep.mode == GK_KEEP_FINAL) code = gk_observer_final(r->observer);
        char *reason = gk_text("%s", code == GK_OK ? "" : gk_error_text());
        if (gk_observer_settle(r->observer) != GK_OK) code = give_way(r, &reason);
        if (code == GK_DIVERGED) on_event(r, r->state.step, "diverged", reason);
        if (code == GK_INTERRUPTED) on_event(r, r->state.step, "interrupted", NULL);
        int closed = gk_keep_end(&r->keep, code == GK_OK || code == GK_DIVERGED);
        if (closed == GK_OK) closed = gk_recorder_commit(r->recorder);
        const int finished = gk_recorder_finish(r->recorder);
        if (closed == GK_OK) closed = finished;
        if (code == GK_OK) code = closed;
        else if (reason) gk_error(code, "%s", reason);
        free(reason);
    }
    return code;
}

/* The most memory, in bytes, that the process held during the run or, after a resume, since that. Not a metric: those
 * are the model's, and the same on every machine and after every resume. */
static int put_peak_memory(gk_store *store, int64_t run, int64_t step)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, gk_peak_memory());
    return gk_store_put_event(store, run, "peak_memory", step, text);
}

/* What refers to the final model, on all checkpoints; those that are not in memory are loaded into the model that was
 * looked at. */
static int measure_checkpoints(gk_store *store, int64_t run, const lab_run *r)
{
    gk_subject subject = gk_observer_subject(r->observer);
    if (subject.at != r->kept) subject.at = -1;
    if (r->hooks) {
        subject.stop = r->hooks->stop;
        subject.context = r->hooks->context;
    }
    return gk_registry_measures_nothing(r->config) ? GK_OK : gk_remeasure_reference(store, run, &subject);
}

/* Trains, measures what had to wait for the final model, and closes the run's row with what came of it. */
static int train_and_close(gk_store *store, int64_t run, lab_run *r)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* so that freed pieces go back and do not add to what comes next, */
    mallopt(M_TRIM_THRESHOLD, 4 << 20); /* but for the small ones of each measure, whose pages the kernel would clear anew */
#endif
    const bool beside = !r->hooks || !r->hooks->crowded;
    int code = gk_observer_start(&r->observer, r->method, r->model, r->split, r->config, beside);
    if (code == GK_OK) code = train_recorded(store, run, r);
    if (code == GK_OK && r->keep.mode != GK_KEEP_FINAL) code = measure_checkpoints(store, run, r);
    gk_observer_free(r->observer);
    r->observer = NULL;
    r->method->free(r->model);
    r->model = NULL;
    if (code == GK_OK && r->keep.mode != GK_KEEP_ALL) code = gk_store_drop_state(store, run);
    if (code == GK_OK) code = put_peak_memory(store, run, r->state.step);
    char *reason = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    const int ended = gk_store_end_run(store, run, status_of(code), r->state.step, r->seconds - r->told, reason);
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
        snprintf(text, sizeof text, "%d", omp_get_num_procs());
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
    gk_peak_memory_reset();
    int code = gk_config_copy(&config, given);
    if (code != GK_OK) return code;
    if ((code = settle_config(&config, method)) != GK_OK) goto free_config;
    if ((code = gk_registry_check_measures(&config)) != GK_OK) goto free_config;
    code = GK_USAGE;
    if (!(r.method = gk_registry_method(method, gk_revive_dtype(&config)))) goto free_config;
    if ((code = gk_registry_split(&split, &config)) != GK_OK) goto free_config;
    r.config = &config;
    r.split = &split;
    if ((code = r.method->init(&r.model, &config, &split)) != GK_OK) goto free_split;
    const char *init_file = gk_config_text(&config, "init_file");
    const bool as_they_are = gk_config_int(&config, "steps") == 0; /* and so what they know of their split must be true */
    if (init_file[0] &&
        (code = gk_revive_init_file(r.method, r.model, init_file, as_they_are ? &split : NULL)) != GK_OK)
        goto free_model;

    if ((code = gk_describe_metrics(store)) != GK_OK) goto free_model;
    if ((code = gk_store_put_split(store, &split, &split_id)) != GK_OK) goto free_model;
    if ((code = gk_store_new_run(store, r.method, &config, split_id, -1, run)) != GK_OK) goto free_model;
    code = train_and_close(store, *run, &r);
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
    gk_revived back = {.step = -1};
    lab_run r = {.state = GK_TRAIN_START, .hooks = hooks};
    gk_peak_memory_reset();
    int code = gk_store_get_run(store, run, &row);
    if (code != GK_OK) return code;
    if ((code = check_idle(&row)) != GK_OK || (code = gk_revive_fresh(store, &row, &back)) != GK_OK) goto free_row;
    code = gk_revive_load(store, run, GK_STATE, &back.step, back.method, back.model, &r.state);
    if (code == GK_NOTFOUND) { /* killed before its first checkpoint: from the start */
        const char *init_file = gk_config_text(&back.config, "init_file");
        code = init_file[0] ? gk_revive_init_file(back.method, back.model, init_file, NULL) : GK_OK;
    }
    if (code != GK_OK) goto free_back;
    if ((code = gk_store_rewind(store, run, r.state.fresh ? -1 : r.state.step)) != GK_OK) goto free_back;
    r.method = back.method;
    r.model = back.model;
    r.split = &back.split;
    r.config = &back.config;
    if ((code = gk_store_put_event(store, run, "resumed", r.state.step, NULL)) != GK_OK) goto free_back;
    back.model = NULL; /* it goes with the training */
    code = train_and_close(store, run, &r);
free_back:
    gk_revived_free(&back);
free_row:
    gk_run_row_free(&row);
    return code;
}
