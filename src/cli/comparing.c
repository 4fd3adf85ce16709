/* comparing.c: what runs did, read from the store. */
#include "comparing.h"

#include "gk_fourier.h"
#include "gk_matrix.h"
#include "gk_structure.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METRIC_OF_RUN                                                                                                  \
    " FROM metric WHERE run_id = CAST(?1 AS INTEGER) AND step <= CAST(?2 AS INTEGER)"                                  \
    " AND metric_id = (SELECT id FROM metric_name WHERE name = ?3)"

static const char LATEST[] = "SELECT value" METRIC_OF_RUN " ORDER BY step DESC LIMIT 1";
static const char BEST[] = "SELECT max(value)" METRIC_OF_RUN;
static const char EVENT[] =
    "SELECT min(step) FROM event WHERE run_id = CAST(?1 AS INTEGER) AND step <= CAST(?2 AS INTEGER)"
    " AND kind = ?3";
static const char MATRIX[] =
    "SELECT max(step) FROM matrix WHERE run_id = CAST(?1 AS INTEGER) AND step <= CAST(?2 AS INTEGER) AND kind = ?3";

/* In the order of the enum: where each fact of a run comes from. */
static const struct {
    const char *sql, *name;
} sources[GK_FACTS] = {
    [GK_FACT_TRAIN] = {LATEST, "train_accuracy"},
    [GK_FACT_TEST] = {LATEST, "test_accuracy"},
    [GK_FACT_BEST] = {BEST, "test_accuracy"},
    [GK_FACT_MEMORISED] = {EVENT, "memorised"},
    [GK_FACT_GROKKED] = {EVENT, "grokked"},
    [GK_FACT_DELAY] = {NULL, NULL}, /* grokked - memorised */
    [GK_FACT_DEVIATION] = {LATEST, "circulant_deviation"},
    [GK_FACT_CIRCULANCE] = {LATEST, "circulance"},
    [GK_FACT_ORDERING] = {LATEST, "best_ordering"},
    [GK_FACT_BEST_CIRCULANCE] = {LATEST, "best_circulance"},
    [GK_FACT_SPECTRUM] = {LATEST, "spectrum_entropy"},
    [GK_FACT_RANK] = {LATEST, "effective_rank"},
    [GK_FACT_TRACE] = {LATEST, "trace"},
    [GK_FACT_NFA] = {LATEST, "nfa_correlation"},
    [GK_FACT_KEYS] = {NULL, NULL}, /* the event's detail */
};

/* ---- key frequencies: one row each, the step and the modulus beside them ---- */

static int take_key(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    gk_key_set *keys = context;
    if (!cells || cells[2].type != GK_CELL_INTEGER || cells[1].type != GK_CELL_INTEGER) return GK_OK;
    const int64_t k = cells[2].integer, m = cells[1].integer;
    if (m < 2 || m > 1022 || k < 1 || k > m / 2) return GK_OK;
    keys->step = cells[0].integer;
    keys->modulus = (int)m;
    if (!keys->has[k]) keys->n++;
    keys->has[k] = true;
    return GK_OK;
}

static int load_keys(gk_store *s, gk_compared_run *r, const char *run)
{
    const char *const params[] = {run, NULL};
    int code = gk_store_query(s,
                              "SELECT e.step, json_extract(e.detail, '$.modulus'), k.value FROM event e,"
                              " json_each(e.detail, '$.frequencies') k WHERE e.run_id = CAST(?1 AS INTEGER)"
                              " AND e.kind = 'key_frequencies' AND json_valid(e.detail)",
                              params, take_key, &r->keys);
    if (code != GK_OK || r->keys.n == 0) return code;
    int at = 0;
    const int all = r->keys.modulus / 2;
    if (r->keys.n > 8) snprintf(r->keys_text, sizeof r->keys_text, "%d of %d", r->keys.n, all);
    for (int k = 1; k <= all && r->keys.n <= 8; k++)
        if (r->keys.has[k]) at += snprintf(r->keys_text + at, sizeof r->keys_text - (size_t)at, at ? " %d" : "%d", k);
    r->facts[GK_FACT_KEYS] = gk_cell_text(r->keys_text);
    return GK_OK;
}

/* ---- one run ---- */

static int gather_facts(gk_store *s, gk_compared_run *r)
{
    char run[24], bound[24];
    snprintf(run, sizeof run, "%" PRId64, r->at.run);
    snprintf(bound, sizeof bound, "%" PRId64, r->at.step < 0 ? INT64_MAX : r->at.step);
    for (int f = 0; f < GK_FACTS; f++) {
        if (!sources[f].sql) continue;
        const char *const params[] = {run, bound, sources[f].name, NULL};
        int code = gk_cli_number(s, sources[f].sql, params, &r->facts[f]);
        if (code != GK_OK) return code;
    }
    const gk_cell *memorised = &r->facts[GK_FACT_MEMORISED], *grokked = &r->facts[GK_FACT_GROKKED];
    if (memorised->type == GK_CELL_INTEGER && grokked->type == GK_CELL_INTEGER)
        r->facts[GK_FACT_DELAY] = gk_cell_int(grokked->integer - memorised->integer);
    gk_cell *ordering = &r->facts[GK_FACT_ORDERING];
    if (ordering->type == GK_CELL_REAL && ordering->real >= 0 && ordering->real < GK_ORDERINGS)
        *ordering = gk_cell_text(gk_ordering_name((gk_ordering)ordering->real));
    const char *const params[] = {run, bound, r->kind, NULL};
    gk_cell newest;
    int code = gk_cli_number(s, MATRIX, params, &newest);
    r->matrix_step = newest.type == GK_CELL_INTEGER ? newest.integer : -1;
    return code == GK_OK ? load_keys(s, r, run) : code;
}

/* What of the structure the block of matrix [2p,2p] has for the run's task. */
static int block_facts(gk_compared_run *r, const double *matrix)
{
    const gk_task *t = &r->split.task;
    const int n = 2 * t->p;
    const double *block = matrix + (size_t)t->p * (size_t)n;
    int32_t *keys = gk_alloc((size_t)n, sizeof *keys);
    if (!keys) return GK_FAILED;
    if (t->form == GK_FORM_SUM || (t->form == GK_FORM_PRODUCT && t->dlog)) {
        gk_grouping g;
        gk_form_grouping(&g, keys, t->p, t->u, t->v, t->form == GK_FORM_PRODUCT ? t->dlog : NULL, false);
        const gk_circularity c = gk_circularity_of(block, n, &g);
        r->facts[GK_FACT_DEVIATION] = gk_cell_real(c.deviation);
        r->facts[GK_FACT_CIRCULANCE] = gk_cell_real(c.circulance);
    }
    free(keys);
    gk_circularity best;
    const gk_ordering ordering = gk_best_ordering(block, n, t->p, &best);
    if (isnan(best.circulance)) return GK_OK;
    r->facts[GK_FACT_ORDERING] = gk_cell_text(gk_ordering_name(ordering));
    r->facts[GK_FACT_BEST_CIRCULANCE] = gk_cell_real(best.circulance);
    return GK_OK;
}

/* Measures look at one kind of a method's matrices; what they say of it is no fact of another kind, which is measured here.
 */
static int matrix_facts(gk_store *s, gk_compared_run *r)
{
    bool wanted[GK_PAIR_MEASURES] = {[GK_PAIR_LINES] = true};
    for (int f = GK_FACT_DEVIATION; f <= GK_FACT_TRACE; f++) r->facts[f] = (gk_cell){.type = GK_CELL_NULL};
    gk_compared_view v;
    int code = gk_view_load(&v, s, r, r->at.step, wanted);
    if (code != GK_OK || !v.matrix[0]) return code;
    const int n = v.n[0];
    double rank;
    if (n == 2 * r->split.task.p) code = block_facts(r, v.matrix[0]);
    if (v.lines && gk_norm_sq(v.lines, (size_t)v.n_lines) > 0)
        r->facts[GK_FACT_SPECTRUM] = gk_cell_real(gk_entropy(v.lines, v.n_lines));
    if (code == GK_OK) code = gk_effective_rank(v.matrix[0], n, &rank);
    if (code == GK_OK) {
        r->facts[GK_FACT_RANK] = gk_cell_real(rank);
        r->facts[GK_FACT_TRACE] = gk_cell_real(gk_trace(v.matrix[0], n));
    }
    gk_view_free(&v);
    return code;
}

/* The kind that stands for what a method has learnt of its input: M itself, or the root of the AGOP. */
static const char *kind_of(const gk_run_row *row)
{
    return strcmp(row->method, "rfm") == 0 ? "metric" : "sqrt_agop";
}

static int load_run(gk_store *s, gk_compared_run *r, const char *kind)
{
    int code = gk_store_get_run(s, r->at.run, &r->row);
    if (code != GK_OK) return code;
    r->loaded = 1;
    if ((code = gk_store_get_split(s, r->row.split_id, &r->stored)) != GK_OK) return code;
    r->loaded = 2;
    const gk_stored_split *t = &r->stored;
    code = gk_split_restore(&r->split, t->op, t->p, t->train_fraction, t->seed, t->generator, t->train, t->n_train);
    if (code != GK_OK) return code;
    r->loaded = 3;
    const int64_t step = r->at.step < 0 ? r->row.step : r->at.step;
    if (step > r->row.step)
        return gk_error(GK_NOTFOUND, "run %" PRId64 " '%s' stands at %s %" PRId64 "; there is no step %" PRId64,
                        r->row.id, r->row.name, r->row.step_unit, r->row.step, step);
    snprintf(r->label, sizeof r->label, r->at.step < 0 ? "%" PRId64 " %.64s" : "%" PRId64 " %.64s@%" PRId64, r->row.id,
             r->row.name, step);
    r->kind = kind ? kind : kind_of(&r->row);
    code = gather_facts(s, r);
    return code == GK_OK && strcmp(r->kind, kind_of(&r->row)) != 0 ? matrix_facts(s, r) : code;
}

/* ---- all of them ---- */

static int check_splits(const gk_comparison *c)
{
    for (int i = 1; i < c->n; i++) {
        const gk_compared_run *a = &c->runs[0], *b = &c->runs[i];
        if (a->row.split_id == b->row.split_id) continue;
        return gk_error(GK_DIFFERS,
                        "runs %s and %s have different splits (%" PRId64 ": %s mod %d, %g trained on, %" PRId64
                        ": %s mod %d, %g); --across-splits compares them all the same",
                        a->label, b->label, a->row.split_id, a->stored.op, a->stored.p, a->stored.train_fraction,
                        b->row.split_id, b->stored.op, b->stored.p, b->stored.train_fraction);
    }
    return GK_OK;
}

void gk_comparison_free(gk_comparison *c)
{
    for (int i = 0; c->runs && i < c->n; i++) {
        gk_compared_run *r = &c->runs[i];
        if (r->loaded > 0) gk_run_row_free(&r->row);
        if (r->loaded > 1) gk_stored_split_free(&r->stored);
        if (r->loaded > 2) gk_split_free(&r->split);
    }
    free(c->runs);
    free(c->pairs);
    *c = (gk_comparison){0};
}

int gk_comparison_load(gk_comparison *c, gk_store *s, const gk_compared *runs, int n, gk_compare_splits splits,
                       const char *kind)
{
    *c = (gk_comparison){.n = n};
    gk_pair_usual(c->wanted);
    c->runs = gk_calloc((size_t)n, sizeof *c->runs);
    c->pairs = gk_calloc((size_t)n * (size_t)n, sizeof *c->pairs);
    int code = c->runs && c->pairs ? GK_OK : GK_FAILED;
    for (int i = 0; i < n && code == GK_OK; i++) {
        c->runs[i].at = runs[i];
        code = load_run(s, &c->runs[i], kind);
    }
    if (code == GK_OK && splits == GK_SPLITS_SAME) code = check_splits(c);
    for (int i = 0; i < n && code == GK_OK; i++)
        for (int j = i + 1; j < n; j++)
            if (splits != GK_SPLITS_GROUPED || c->runs[i].row.split_id == c->runs[j].row.split_id)
                c->pairs[c->n_pairs++] = (gk_compared_pair){.a = i, .b = j};
    if (code != GK_OK) gk_comparison_free(c);
    return code;
}
