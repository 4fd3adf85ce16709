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
    const gk_config *config; /* of the run: its `measures` join the default families; NULL: there is none */
    gk_key_rule rule; /* for the key frequencies */
    bool waiting;     /* by default, and waiting for the reference */
} wanted;

/* The run's weights checkpoints, by step; first .. end-1 are to be measured. */
typedef struct checkpoint_list {
    int64_t *steps;
    bool *bare; /* the default matrices are not stored at that step */
    size_t n, room, first, end;
} checkpoint_list;

enum { FAMILIES_MAX = 64 };

typedef struct family_cost {
    double seconds;
    int values;
} family_cost;

typedef struct remeasure {
    gk_store *store;
    int64_t run;
    const wanted *wanted;
    const checkpoint_list *list;
    gk_subject *subject;
    gk_recorder *recorder;
    const gk_measure *family; /* on its way through the sink, as are: */
    int64_t step;
    int values;
    family_cost cost[FAMILIES_MAX];
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
    const bool usual = w->config && gk_registry_measures(w->config, m);
    if (w->waiting) return usual && m->needs_reference;
    if (!w->only) return usual || m->by_default;
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

/* A kind of event happens once a run: what measures say there is about its last model, whichever they look at last. */
static int put_event(void *context, const char *kind, const char *detail)
{
    remeasure *r = context;
    if (r->step != r->list->steps[r->list->n - 1]) return GK_OK;
    return gk_recorder_event(r->recorder, r->step, kind, detail);
}

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
    l->end = l->n;
    return GK_OK;
}

static void free_list(checkpoint_list *l)
{
    free(l->steps);
    free(l->bare);
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

/* All wanted families on the model as it stands. */
static int measure_step(remeasure *r, gk_probe *probe, const gk_reference *reference, bool matrices)
{
    const gk_sink sink = {r, put_value, put_matrix, put_event, is_wanted};
    for (int i = 0; gk_measures[i] && i < FAMILIES_MAX; i++) {
        if (!want_family(r->wanted, gk_measures[i])) continue;
        const double start = gk_seconds();
        r->family = gk_measures[i];
        r->values = 0;
        int code = r->family->compute(probe, reference, &sink);
        if (code != GK_OK) return code;
        r->cost[i].seconds += gk_seconds() - start;
        r->cost[i].values += r->values;
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

/* Lets the probe look at checkpoint i: as it stands, as training left it in memory, or as it is stored. */
static int look_at(remeasure *r, size_t i)
{
    gk_subject *s = r->subject;
    int64_t step = r->list->steps[i];
    if (s->at == step) return GK_OK;
    const gk_snapshot *snapshot = s->recall ? gk_recall_find(s->recall, step) : NULL;
    s->at = -1;
    int code;
    if (snapshot) {
        code = gk_probe_recall(s->probe, snapshot);
    } else {
        gk_probe_rest(s->probe);
        code = gk_revive_load(r->store, r->run, GK_WEIGHTS, &step, s->method, s->model, NULL);
        if (code == GK_OK && r->wanted->waiting && !r->list->bare[i]) code = give_stored(r->store, r->run, step, s->probe);
    }
    if (code == GK_OK) s->at = step;
    return code;
}

/* Measures the chosen part of the list; the reference is the last of all checkpoints. */
static int remeasure_run(remeasure *r)
{
    const checkpoint_list *list = r->list;
    const wanted *w = r->wanted;
    gk_probe *probe = r->subject->probe;
    gk_reference reference = {0};
    gk_blas_threads(1); /* the methods thread by themselves; two pools of threads would clash */
    int code = look_at(r, list->n - 1);
    if (code == GK_OK) code = gk_reference_of(probe, w->rule, &reference);
    /* Nothing is committed, so the recorder does not touch the store, before all checkpoints are read. */
    if (code == GK_OK) code = gk_recorder_start(&r->recorder, r->store, r->run);
    if (code != GK_OK) goto free_reference;
    for (size_t i = list->end; code == GK_OK && i-- > list->first;) {
        r->step = list->steps[i];
        if (r->subject->stop && r->subject->stop(r->subject->context))
            code = gk_error(GK_INTERRUPTED, "interrupted while its checkpoints were measured; a resume does that again");
        if (code == GK_OK) code = look_at(r, i);
        if (code == GK_OK) code = measure_step(r, probe, &reference, list->bare[i] && !w->waiting && !w->only);
    }
    r->step = list->steps[list->n - 1];
    if (code == GK_OK && reference.n_key > 0) code = put_key_frequencies(r, probe, &reference);
    if (code == GK_OK) code = gk_recorder_commit(r->recorder);
    const int written = gk_recorder_finish(r->recorder);
    if (code == GK_OK) code = written;
    if (code == GK_OK) code = gk_describe_metrics(r->store);
    if (code == GK_OK) code = gk_phases_record(r->store, r->run);
free_reference:
    gk_reference_free(&reference);
    return code;
}

int gk_remeasure_reference(gk_store *store, int64_t run, gk_subject *subject)
{
    const wanted w = {.waiting = true, .config = subject->config};
    checkpoint_list list = {0};
    remeasure r = {.store = store, .run = run, .wanted = &w, .list = &list, .subject = subject};
    int code = list_checkpoints(store, run, &list);
    if (code == GK_OK && list.n > 0) code = remeasure_run(&r);
    free_list(&list);
    return code;
}

/* The checkpoints that are asked for: all, or the last at or before a step. */
static int choose(checkpoint_list *list, int64_t run, int64_t step)
{
    if (list->n == 0) return gk_error(GK_NOTFOUND, "run %" PRId64 " has no weights checkpoint to measure", run);
    if (step < 0) return GK_OK;
    while (list->end > 0 && list->steps[list->end - 1] > step) list->end--;
    list->first = list->end - 1;
    if (list->end > 0) return GK_OK;
    return gk_error(GK_NOTFOUND,
                    "run %" PRId64 " has no weights checkpoint at or before step %" PRId64 "; the first is of step %" PRId64,
                    run, step, list->steps[0]);
}

static int measure_revived(remeasure *r, wanted *w, gk_measured_fn *report, void *context)
{
    gk_revived back;
    int code = gk_lab_revive(r->store, r->run, -1, &back);
    if (code != GK_OK) return code;
    w->config = &back.config;
    gk_subject s = {.method = back.method, .model = back.model, .config = &back.config, .at = back.step};
    r->subject = &s;
    code = gk_probe_new(&s.probe, back.method, back.model, &back.split, &back.config);
    if (code == GK_OK) code = remeasure_run(r);
    for (int i = 0; code == GK_OK && report && gk_measures[i] && i < FAMILIES_MAX; i++)
        if (want_family(w, gk_measures[i])) report(context, gk_measures[i]->family, r->cost[i].seconds, r->cost[i].values);
    gk_probe_free(s.probe);
    gk_revived_free(&back);
    return code;
}

int gk_lab_measure(gk_store *store, int64_t run, gk_measuring what, gk_measured_fn *report, void *context)
{
    wanted w = {.only = what.only, .rule = what.rule};
    for (const char *const *name = what.only; name && *name; name++) {
        const char *const one[] = {*name, NULL};
        const wanted asked = {.only = one};
        bool known = false;
        for (const gk_measure *const *m = gk_measures; *m; m++) known = known || want_family(&asked, *m);
        if (!known) return gk_error(GK_USAGE, "unknown measure '%s'; `groklab measure --list` names them", *name);
    }
    checkpoint_list list = {0};
    remeasure r = {.store = store, .run = run, .wanted = &w, .list = &list};
    int code = list_checkpoints(store, run, &list);
    if (code == GK_OK) code = choose(&list, run, what.step);
    if (code == GK_OK) code = measure_revived(&r, &w, report, context);
    free_list(&list);
    return code;
}
