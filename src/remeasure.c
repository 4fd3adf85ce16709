/* remeasure.c: measures on stored checkpoints: after a run, or whenever someone asks. */
#include "remeasure.h"

#include "describe.h"
#include "gk_matrix.h"
#include "phases.h"
#include "record.h"
#include "revive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which values are wanted: with `only`, the named families and metrics; else the default families, or of
 * those the ones that a finished run still lacks. */
typedef struct wanted {
    const char *const *only;
    const gk_config *config; /* of the run: its `measures` join the default families; NULL for none */
    gk_key_rule rule; /* for the key frequencies */
    int64_t step;     /* of the last checkpoint to measure; -1: all */
    bool waiting;     /* by default, and waiting for the reference */
} wanted;

typedef struct remeasure {
    gk_recorder *recorder;
    const wanted *wanted;
    const gk_measure *family;
    int64_t step;
    int values;
} remeasure;

/* Is `name` in the list? A name such as excluded_loss_k<freq>, on either side, is all that it announces. */
static bool named(const char *const *only, const char *name)
{
    for (; *only; only++)
        if (strcmp(*only, name) == 0 || gk_describe_matches(name, *only) || gk_describe_matches(*only, name)) return true;
    return false;
}

static bool want_family(const wanted *w, const gk_measure *m)
{
    const bool usual = w->config ? gk_registry_measures(w->config, m) : m->by_default;
    if (w->waiting) return usual && m->needs_reference;
    if (!w->only) return usual;
    if (named(w->only, m->family)) return true;
    for (const gk_metric_name *n = m->names; n->name; n++)
        if (named(w->only, n->name)) return true;
    return false;
}

static bool is_wanted(void *context, const char *name)
{
    const remeasure *r = context;
    const char *const *only = r->wanted->only;
    return !only || named(only, r->family->family) || named(only, name);
}

static int put_value(void *context, const char *name, double value)
{
    remeasure *r = context;
    if (!is_wanted(r, name)) return GK_OK;
    r->values++;
    return gk_recorder_metric(r->recorder, r->step, name, value);
}

static int put_matrix(void *context, const char *kind, const double *data, int n)
{
    remeasure *r = context;
    if (!is_wanted(r, kind)) return GK_OK;
    r->values++;
    return gk_recorder_matrix(r->recorder, r->step, kind, data, n);
}

static int put_event(void *context, const char *kind, const char *detail)
{
    remeasure *r = context;
    return gk_recorder_event(r->recorder, r->step, kind, detail);
}

typedef struct checkpoint_list {
    int64_t *steps;
    bool *bare; /* the default matrices are not stored at that step */
    size_t n, room;
} checkpoint_list;

static int take_step(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    checkpoint_list *l = context;
    (void)columns;
    (void)names;
    if (!cells) return GK_OK;
    if (l->n == l->room) {
        const size_t room = l->room ? 2 * l->room : 64;
        int64_t *steps = realloc(l->steps, room * sizeof *steps);
        if (steps) l->steps = steps;
        bool *bare = realloc(l->bare, room * sizeof *bare);
        if (bare) l->bare = bare;
        if (!steps || !bare) return gk_error(GK_FAILED, "out of memory");
        l->room = room;
    }
    l->steps[l->n] = cells[0].integer;
    l->bare[l->n++] = cells[1].integer != 0;
    return GK_OK;
}

static int list_checkpoints(gk_store *store, int64_t run, checkpoint_list *out)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, run);
    const char *const params[] = {id, NULL};
    return gk_store_query(store,
                          "SELECT step, NOT EXISTS (SELECT 1 FROM matrix m WHERE m.run_id = c.run_id AND m.step = c.step"
                          " AND m.kind = 'agop') FROM checkpoint c WHERE run_id = CAST(?1 AS INTEGER) AND kind = 'weights' ORDER BY step",
                          params, take_step, out);
}

enum { FAMILIES_MAX = 64 };

typedef struct family_cost {
    double seconds;
    int values;
} family_cost;

/* All wanted families on the model as it stands. */
static int measure_step(remeasure *r, gk_probe *probe, const gk_reference *reference, bool matrices, family_cost *cost)
{
    const gk_sink sink = {r, put_value, put_matrix, put_event, is_wanted};
    for (int i = 0; gk_measures[i] && i < FAMILIES_MAX; i++) {
        if (!want_family(r->wanted, gk_measures[i])) continue;
        const double start = gk_seconds();
        r->family = gk_measures[i];
        r->values = 0;
        int code = r->family->compute(probe, reference, &sink);
        if (code != GK_OK) return code;
        cost[i].seconds += gk_seconds() - start;
        cost[i].values += r->values;
    }
    return matrices ? gk_measure_matrices(probe, &sink) : GK_OK;
}

/* The frequencies that the run's progress measures refer to, as an event at its last checkpoint. */
static int put_key_frequencies(remeasure *r, const gk_probe *probe, const gk_reference *reference)
{
    char *json = gk_measure_key_json(probe, reference);
    if (!json) return GK_FAILED;
    const int code = gk_recorder_event(r->recorder, r->step, "key_frequencies", json);
    free(json);
    return code;
}

/* A run that has just ended stored the matrix of this step as it measured it: the alignment needs no second one. */
static int give_stored(gk_store *store, int64_t run, int64_t step, gk_probe *probe)
{
    const char *kind = gk_probe_structural_kind(probe);
    double *data;
    int rows, cols;
    int64_t at;
    if (!kind) return GK_OK;
    int code = gk_store_get_matrix(store, run, step, kind, &data, &rows, &cols, &at);
    if (code == GK_NOTFOUND) return GK_OK;
    if (code != GK_OK) return code;
    if (at == step && rows == cols) code = gk_probe_give_feature(probe, kind, data, rows);
    free(data);
    return code;
}

static int remeasure_run(gk_store *store, int64_t run, wanted *w, gk_measured_fn *report, void *context)
{
    checkpoint_list list = {0};
    gk_revived back;
    gk_probe *probe = NULL;
    gk_reference reference = {0};
    remeasure r = {.wanted = w};
    family_cost cost[FAMILIES_MAX] = {{0}};
    gk_blas_threads(1); /* the methods thread by themselves; two pools of threads would clash */
    int code = list_checkpoints(store, run, &list);
    if (code != GK_OK) goto free_list;
    if (list.n == 0) {
        code = w->waiting ? GK_OK : gk_error(GK_NOTFOUND, "run %" PRId64 " has no weights checkpoint to measure", run);
        goto free_list;
    }
    size_t first = 0, end = list.n;
    while (w->step >= 0 && end > 0 && list.steps[end - 1] > w->step) end--;
    if (end == 0) {
        code = gk_error(GK_NOTFOUND,
                        "run %" PRId64 " has no weights checkpoint at or before step %" PRId64
                        "; the first is of step %" PRId64,
                        run, w->step, list.steps[0]);
        goto free_list;
    }
    if (w->step >= 0) first = end - 1;
    if ((code = gk_lab_revive(store, run, -1, &back)) != GK_OK) goto free_list;
    w->config = &back.config;
    if ((code = gk_probe_new(&probe, back.method, back.model, &back.split, &back.config)) != GK_OK) goto free_back;
    if ((code = gk_reference_of(probe, w->rule, &reference)) != GK_OK) goto free_probe;
    /* Nothing is committed, so the recorder does not touch the store, before all checkpoints are read. */
    if ((code = gk_recorder_start(&r.recorder, store, run)) != GK_OK) goto free_probe;
    for (size_t i = end; code == GK_OK && i-- > first;) {
        r.step = list.steps[i];
        if (i + 1 < list.n) { /* the last one is here already, with what the reference asked of it */
            gk_probe_rest(probe);
            if ((code = gk_revive_load(store, run, GK_WEIGHTS, r.step, &back, NULL)) != GK_OK) break;
        }
        if (w->waiting && !list.bare[i] && (code = give_stored(store, run, r.step, probe)) != GK_OK) break;
        code = measure_step(&r, probe, &reference, list.bare[i] && !w->waiting && !w->only, cost);
    }
    r.step = list.steps[list.n - 1];
    if (code == GK_OK && reference.n_key > 0) code = put_key_frequencies(&r, probe, &reference);
    if (code == GK_OK) code = gk_recorder_commit(r.recorder);
    const int written = gk_recorder_finish(r.recorder);
    if (code == GK_OK) code = written;
    if (code == GK_OK) code = gk_describe_metrics(store);
    if (code == GK_OK) code = gk_phases_record(store, run);
    for (int i = 0; code == GK_OK && report && gk_measures[i] && i < FAMILIES_MAX; i++)
        if (want_family(w, gk_measures[i])) report(context, gk_measures[i]->family, cost[i].seconds, cost[i].values);
free_probe:
    gk_reference_free(&reference);
    gk_probe_free(probe);
free_back:
    gk_revived_free(&back);
free_list:
    free(list.steps);
    free(list.bare);
    return code;
}

int gk_remeasure_reference(gk_store *store, int64_t run)
{
    wanted w = {.waiting = true, .step = -1};
    return remeasure_run(store, run, &w, NULL, NULL);
}

int gk_lab_measure(gk_store *store, int64_t run, gk_measuring what, gk_measured_fn *report, void *context)
{
    wanted w = {.only = what.only, .rule = what.rule, .step = what.step};
    for (const char *const *name = what.only; name && *name; name++) {
        const char *const one[] = {*name, NULL};
        const wanted asked = {.only = one};
        bool known = false;
        for (const gk_measure *const *m = gk_measures; *m; m++) known = known || want_family(&asked, *m);
        if (!known) return gk_error(GK_USAGE, "unknown measure '%s'; `groklab measure --list` names them", *name);
    }
    return remeasure_run(store, run, &w, report, context);
}
