/* session.c: the public face (groklab.h) over the lab and the store. */
#include "gk_lab.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct gk_session {
    gk_store *store;
};

/* A caller's progress function, as the lab's two hooks. */
typedef struct listener {
    gk_session_progress *progress;
    void *context;
    bool stop;
} listener;

static int on_progress(void *context, const gk_progress *now)
{
    listener *l = context;
    if (l->progress && l->progress(l->context, now->step, now->steps, now->test_accuracy) != 0) l->stop = true;
    return GK_OK;
}

static bool on_stop(void *context) { return ((listener *)context)->stop; }

const char *gk_version(void) { return GK_VERSION; }

int gk_session_open(gk_session **out, const char *path)
{
    gk_session *s = gk_calloc(1, sizeof *s);
    if (!s) return GK_FAILED;
    int code = gk_store_open(&s->store, path, GK_STORE_CREATE);
    if (code != GK_OK) {
        free(s);
        return code;
    }
    *out = s;
    return GK_OK;
}

void gk_session_close(gk_session *s)
{
    if (!s) return;
    gk_store_close(s->store);
    free(s);
}

int gk_session_train(gk_session *s, const char *method, const char *const *settings, gk_session_progress *progress,
                     void *context, int64_t *run)
{
    listener l = {progress, context, false};
    const gk_lab_hooks hooks = {.context = &l, .progress = on_progress, .stop = on_stop};
    gk_config config;
    int code = gk_registry_config(&config, method);
    if (code != GK_OK) return code;
    for (; code == GK_OK && settings && settings[0]; settings += 2)
        code = settings[1] ? gk_config_set(&config, settings[0], settings[1], settings[0])
                           : gk_error(GK_USAGE, "setting '%s' has no value", settings[0]);
    if (code == GK_OK) code = gk_lab_train(s->store, method, &config, &hooks, run);
    gk_config_free(&config);
    return code;
}

int gk_session_resume(gk_session *s, int64_t run, gk_session_progress *progress, void *context)
{
    listener l = {progress, context, false};
    const gk_lab_hooks hooks = {.context = &l, .progress = on_progress, .stop = on_stop};
    return gk_lab_resume(s->store, run, &hooks);
}

int gk_session_find(gk_session *s, const char *text, int64_t *run) { return gk_store_find_run(s->store, text, run); }

typedef struct found_metric {
    double value;
    int64_t step;
    bool found;
} found_metric;

static int take_metric(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    if (cells)
        *(found_metric *)context = (found_metric){cells[0].type == GK_CELL_NULL ? (double)NAN : cells[0].real, cells[1].integer, true};
    return GK_OK;
}

int gk_session_metric(gk_session *s, int64_t run, const char *name, int64_t step, double *value, int64_t *at)
{
    found_metric found = {0};
    char id[24], bound[24];
    snprintf(id, sizeof id, "%" PRId64, run);
    snprintf(bound, sizeof bound, "%" PRId64, step < 0 ? INT64_MAX : step);
    const char *const params[] = {id, name, bound, NULL};
    int code = gk_store_query(s->store,
                              "SELECT CAST(value AS REAL), step FROM metric WHERE run_id = CAST(?1 AS INTEGER)"
                              " AND metric_id = (SELECT id FROM metric_name WHERE name = ?2) AND step <= CAST(?3 AS INTEGER)"
                              " ORDER BY step DESC LIMIT 1",
                              params, take_metric, &found);
    if (code != GK_OK) return code;
    if (!found.found) return gk_error(GK_NOTFOUND, "run %" PRId64 " has no metric '%s'", run, name);
    *value = found.value;
    if (at) *at = found.step;
    return GK_OK;
}

int gk_session_matrix(gk_session *s, int64_t run, const char *kind, int64_t step, double **data, int *rows, int *cols)
{
    int64_t at;
    return gk_store_get_matrix(s->store, run, step, kind, data, rows, cols, &at);
}
