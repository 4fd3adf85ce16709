/* phases.c: reads a run's curves back and says when it memorised, formed its circuit, generalised and cleaned up. */
#include "phases.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct stored_curve {
    gk_curve curve;
    int64_t *step;
    double *value;
    int room;
} stored_curve;

static int take_point(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    stored_curve *c = context;
    (void)columns;
    (void)names;
    if (!cells || cells[1].type == GK_CELL_NULL) return GK_OK;
    if (c->curve.n == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        int64_t *step = realloc(c->step, (size_t)c->room * sizeof *step);
        if (step) c->step = step;
        double *value = realloc(c->value, (size_t)c->room * sizeof *value);
        if (value) c->value = value;
        if (!step || !value) return gk_error(GK_FAILED, "out of memory");
    }
    c->step[c->curve.n] = cells[0].integer;
    c->value[c->curve.n++] = cells[1].real;
    return GK_OK;
}

static int read_curve(gk_store *store, int64_t run, const char *metric, stored_curve *out)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, run);
    const char *const params[] = {id, metric, NULL};
    int code = gk_store_query(store,
                              "SELECT step, CAST(value AS REAL) FROM metric WHERE run_id = CAST(?1 AS INTEGER) AND metric_id ="
                              " (SELECT id FROM metric_name WHERE name = ?2) ORDER BY step",
                              params, take_point, out);
    out->curve.step = out->step;
    out->curve.value = out->value;
    return code;
}

static int take_sparse(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    if (cells) *(bool *)context = true;
    return GK_OK;
}

/* Were only moments of the run kept? A fall between three points says nothing about when it was steepest. */
static int is_sparse(gk_store *store, int64_t run, bool *sparse)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, run);
    const char *const params[] = {id, NULL};
    *sparse = false;
    return gk_store_query(store,
                          "SELECT 1 FROM param WHERE run_id = CAST(?1 AS INTEGER) AND key = 'store' AND value <> 'all'",
                          params, take_sparse, sparse);
}

int gk_phases_record(gk_store *store, int64_t run)
{
    enum { TRAIN, TEST, RESTRICTED, CIRCULANT, NORM, CURVES };
    static const char *const names[CURVES] = {"train_accuracy", "test_accuracy", "restricted_loss", "circulant_deviation",
                                              "weight_norm_sq"};
    stored_curve c[CURVES] = {{{0}, NULL, NULL, 0}};
    bool sparse;
    int code = is_sparse(store, run, &sparse);
    if (code != GK_OK || sparse) return code;
    for (int i = 0; code == GK_OK && i < CURVES; i++) code = read_curve(store, run, names[i], &c[i]);
    if (code == GK_OK) {
        const int hidden = c[RESTRICTED].curve.n > 0 ? RESTRICTED : CIRCULANT;
        const gk_phases found = gk_phases_of(&c[TRAIN].curve, &c[TEST].curve, &c[hidden].curve, &c[NORM].curve);
        code = gk_store_put_event(store, run, "circuit", found.circuit, names[hidden]);
        if (code == GK_OK) code = gk_store_put_event(store, run, "cleaned", found.cleaned, NULL);
    }
    for (int i = 0; i < CURVES; i++) {
        free(c[i].step);
        free(c[i].value);
    }
    return code;
}
