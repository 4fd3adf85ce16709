/* observer.c: the model that measures look at, and the thread that computes them beside training. */
#include "observer.h"

#include "recall.h"

#include "gk_matrix.h"

#include <assert.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of the thread beside training, in this order, of one step. */
typedef enum look { MEASURE, RECALL, LOOKS } look;

/* A copy takes some twelve times its weights. Larger models are looked at while training waits. */
static const size_t COPY_MAX = (size_t)4 << 20;

struct gk_observer {
    const gk_method *method;
    const gk_config *config;
    gk_model *trained;
    gk_model *copy; /* of its own, to look at beside training; NULL: the trained model is looked at */
    gk_probe *probe;
    gk_recall recall;
    gk_recorder *recorder;
    gk_keep *keep;
    gk_recorder *said; /* where the measures in work go: the recorder, or a place that it keeps for them */
    int64_t step;      /* of the model that the probe looks at; -1: none yet */
    bool stale;        /* the copy's weights were overwritten, and it was not told yet */

    pthread_t thread; /* with a copy only, as is all that follows, which is under the lock */
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    gk_recorder *asked_for[LOOKS]; /* the places that a look fills, or ends the records at if it fails; NULL: not asked */
    bool working, ending;
    int code; /* first failure, with its text */
    char text[512];
};

/* ---- what it says ---- */

/* Where everything is kept, nothing is held back, and the sieve is not needed: it is the training thread's. */
static int sink_value(void *context, const char *name, double value)
{
    const gk_observer *o = context;
    if (o->keep->mode == GK_KEEP_ALL) return gk_recorder_metric(o->said, o->step, name, value);
    return gk_keep_metric(o->keep, o->step, name, value);
}

static int sink_matrix(void *context, const char *kind, const double *data, int n)
{
    const gk_observer *o = context;
    return gk_recorder_matrix(o->said, o->step, kind, data, n);
}

static int sink_event(void *context, const char *kind, const char *detail)
{
    const gk_observer *o = context;
    return gk_recorder_event(o->said, o->step, kind, detail);
}

static int measure(gk_observer *o, gk_recorder *said)
{
    const gk_sink sink = {.context = o, .value = sink_value, .matrix = sink_matrix, .event = sink_event};
    o->said = said;
    for (const gk_measure *const *m = gk_measures; *m; m++) {
        if (!gk_registry_measures(o->config, *m) || (*m)->needs_reference) continue;
        const int code = (*m)->compute(o->probe, NULL, &sink);
        if (code != GK_OK) return code;
    }
    return o->keep->mode == GK_KEEP_FINAL ? GK_OK : gk_measure_matrices(o->probe, &sink);
}

/* ---- beside training ---- */

static bool is_asked(const gk_observer *o)
{
    return o->asked_for[MEASURE] || o->asked_for[RECALL];
}

static int look_at_copy(gk_observer *o, look which, gk_recorder *place)
{
    int code = GK_OK;
    if (o->stale) code = o->method->loaded(o->copy, GK_WEIGHTS, o->step);
    o->stale = false;
    if (code != GK_OK) return code;
    return which == MEASURE ? measure(o, place) : gk_recall_keep(&o->recall, o->step, o->probe);
}

static void *look_beside(void *argument)
{
    gk_observer *o = argument;
    gk_blas_threads(1); /* where BLAS counts its threads for each of its callers */
    pthread_mutex_lock(&o->lock);
    for (;;) {
        while (!is_asked(o) && !o->ending) pthread_cond_wait(&o->asked, &o->lock);
        if (!is_asked(o)) break;
        const look which = o->asked_for[MEASURE] ? MEASURE : RECALL;
        gk_recorder *place = o->asked_for[which];
        const bool failed = o->code != GK_OK;
        o->asked_for[which] = NULL;
        o->working = true;
        pthread_mutex_unlock(&o->lock);
        const int code = failed ? GK_OK : look_at_copy(o, which, place);
        gk_recorder_close(place, code != GK_OK || failed);
        pthread_mutex_lock(&o->lock);
        o->working = false;
        if (code != GK_OK) {
            o->code = code;
            strncpy(o->text, gk_error_text(), sizeof o->text - 1);
        }
        pthread_cond_signal(&o->answered);
    }
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* Training that waits would have ended where a look fails: nothing behind that is stored. */
int gk_observer_settle(gk_observer *o)
{
    if (!o->copy) return GK_OK;
    pthread_mutex_lock(&o->lock);
    while (is_asked(o) || o->working) pthread_cond_wait(&o->answered, &o->lock);
    pthread_mutex_unlock(&o->lock);
    return o->code == GK_OK ? GK_OK : gk_error(o->code, "%s", o->text);
}

static int ask(gk_observer *o, look which)
{
    gk_recorder *place;
    const int code = gk_recorder_aside(o->recorder, &place);
    if (code != GK_OK) return code;
    pthread_mutex_lock(&o->lock);
    assert(!o->asked_for[which]); /* once a step */
    o->asked_for[which] = place;
    pthread_cond_signal(&o->asked);
    pthread_mutex_unlock(&o->lock);
    return GK_OK;
}

/* ---- what it looks at ---- */

static bool sees_nothing(const gk_observer *o)
{
    return gk_registry_measures_nothing(o->config);
}

/* The weights of the trained model, into the copy. */
static void take_weights(gk_observer *o)
{
    gk_tensor from[GK_TENSORS_MAX], to[GK_TENSORS_MAX];
    const int n = o->method->tensors(o->trained, GK_WEIGHTS, from);
    o->method->tensors(o->copy, GK_WEIGHTS, to);
    for (int i = 0; i < n; i++)
        memcpy(to[i].data, from[i].data, gk_tensor_bytes(&from[i]));
    o->stale = true;
}

/* The probe looks at the model as it stands. */
static int turn_to(gk_observer *o, int64_t step)
{
    if (o->step == step) return GK_OK;
    const int code = gk_observer_settle(o);
    if (code != GK_OK) return code;
    if (o->copy) take_weights(o);
    gk_probe_renew(o->probe);
    o->step = step;
    return GK_OK;
}

gk_output_rows *gk_observer_rows(gk_observer *o, int64_t step)
{
    if (o->keep->mode != GK_KEEP_ALL || sees_nothing(o)) return NULL;
    return turn_to(o, step) == GK_OK ? gk_probe_rows(o->probe) : NULL;
}

int gk_observer_measure(gk_observer *o, int64_t step)
{
    if (sees_nothing(o)) return GK_OK;
    const int code = turn_to(o, step);
    if (code != GK_OK) return code;
    return o->copy ? ask(o, MEASURE) : measure(o, o->recorder);
}

int gk_observer_recall(gk_observer *o, int64_t step)
{
    if (sees_nothing(o)) return GK_OK;
    const int code = turn_to(o, step);
    if (code != GK_OK) return code;
    return o->copy ? ask(o, RECALL) : gk_recall_keep(&o->recall, step, o->probe);
}

int gk_observer_final(gk_observer *o)
{
    const gk_sink sink = {.context = o, .value = sink_value, .matrix = sink_matrix, .event = sink_event};
    gk_reference reference = {0};
    if (sees_nothing(o)) return GK_OK;
    int code = gk_reference_of(o->probe, GK_KEYS_WEIGHTS, &reference);
    o->said = o->recorder;
    for (const gk_measure *const *m = gk_measures; code == GK_OK && *m; m++)
        if (gk_registry_measures(o->config, *m) && (*m)->needs_reference)
            code = (*m)->compute(o->probe, &reference, &sink);
    if (code == GK_OK && reference.n_key > 0) {
        char *json = gk_measure_key_json(o->probe, &reference);
        code = json ? gk_recorder_event(o->recorder, o->step, "key_frequencies", json) : GK_FAILED;
        free(json);
    }
    gk_reference_free(&reference);
    return code;
}

gk_subject gk_observer_subject(const gk_observer *o)
{
    return (gk_subject){.method = o->method, .model = o->copy ? o->copy : o->trained, .config = o->config,
                        .probe = o->probe, .recall = &o->recall, .at = o->step};
}

/* ---- its life ---- */

static size_t weight_bytes(const gk_observer *o)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = o->method->tensors(o->trained, GK_WEIGHTS, tensors);
    size_t bytes = 0;
    for (int i = 0; i < n; i++) bytes += gk_tensor_bytes(&tensors[i]);
    return bytes;
}

/* A team of threads has every core, and a model that is more than its weights would have to be solved anew. */
static bool can_copy(const gk_observer *o)
{
    return gk_config_int(o->config, "threads") == 1 && gk_keep_mode_of(o->config) == GK_KEEP_ALL && !sees_nothing(o) &&
           !o->method->outputs && !o->method->from_weights && omp_get_num_procs() > 1 && weight_bytes(o) <= COPY_MAX;
}

/* Where there is no memory or no thread for it, training waits for the measures. */
static void start_beside(gk_observer *o, const gk_split *split)
{
    if (o->method->init(&o->copy, o->config, split) != GK_OK) {
        o->copy = NULL;
        return;
    }
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->asked, NULL);
    pthread_cond_init(&o->answered, NULL);
    if (pthread_create(&o->thread, NULL, look_beside, o) == 0) return;
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->asked);
    pthread_cond_destroy(&o->answered);
    o->method->free(o->copy);
    o->copy = NULL;
}

int gk_observer_start(gk_observer **out, const gk_method *method, gk_model *model, const gk_split *split,
                      const gk_config *config, bool beside)
{
    *out = NULL;
    gk_observer *o = gk_calloc(1, sizeof *o);
    if (!o) return GK_FAILED;
    *o = (gk_observer){.method = method, .config = config, .trained = model, .step = -1};
    if (beside && can_copy(o)) start_beside(o, split);
    const int code = gk_probe_new(&o->probe, method, o->copy ? o->copy : model, split, config);
    if (code == GK_OK) *out = o;
    else gk_observer_free(o);
    return code;
}

void gk_observer_attach(gk_observer *o, gk_recorder *recorder, gk_keep *keep)
{
    o->recorder = recorder;
    o->keep = keep;
}

void gk_observer_free(gk_observer *o)
{
    if (!o) return;
    if (o->copy) {
        pthread_mutex_lock(&o->lock);
        o->ending = true;
        pthread_cond_signal(&o->asked);
        pthread_mutex_unlock(&o->lock);
        pthread_join(o->thread, NULL);
        pthread_mutex_destroy(&o->lock);
        pthread_cond_destroy(&o->asked);
        pthread_cond_destroy(&o->answered);
        o->method->free(o->copy);
    }
    gk_recall_free(&o->recall);
    gk_probe_free(o->probe);
    free(o);
}
