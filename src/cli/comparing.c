/* comparing.c: what runs did, read from the store, and how much their feature matrices agree. */
#include "comparing.h"

#include "gk_matrix.h"
#include "gk_structure.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const gk_pair_measures[GK_PAIR_MEASURES] = {"cosine", "cosine_nodiag", "pearson", "pearson_nodiag"};

#define METRIC_OF_RUN                                                                                                       \
    " FROM metric WHERE run_id = CAST(?1 AS INTEGER) AND step <= CAST(?2 AS INTEGER)"                                        \
    " AND metric_id = (SELECT id FROM metric_name WHERE name = ?3)"

static const char LATEST[] = "SELECT value" METRIC_OF_RUN " ORDER BY step DESC LIMIT 1";
static const char BEST[] = "SELECT max(value)" METRIC_OF_RUN;
static const char EVENT[] = "SELECT min(step) FROM event WHERE run_id = CAST(?1 AS INTEGER) AND step <= CAST(?2 AS INTEGER)"
                            " AND kind = ?3";

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
};

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
    return GK_OK;
}

/* The kind that stands for what a method has learnt of its input: M itself, or the root of the AGOP. */
static const char *kind_of(const gk_run_row *row) { return strcmp(row->method, "rfm") == 0 ? "metric" : "sqrt_agop"; }

static int load_run(gk_store *s, gk_compared_run *r, const char *kind)
{
    int code = gk_store_get_run(s, r->at.run, &r->row);
    if (code != GK_OK) return code;
    r->loaded = true;
    if ((code = gk_store_get_split(s, r->row.split_id, &r->split)) != GK_OK) return code;
    const int64_t step = r->at.step < 0 ? r->row.step : r->at.step;
    if (step > r->row.step)
        return gk_error(GK_NOTFOUND, "run %" PRId64 " '%s' stands at %s %" PRId64 "; there is no step %" PRId64, r->row.id,
                        r->row.name, r->row.step_unit, r->row.step, step);
    snprintf(r->label, sizeof r->label, r->at.step < 0 ? "%" PRId64 " %.64s" : "%" PRId64 " %.64s@%" PRId64, r->row.id,
             r->row.name, step);
    if ((code = gather_facts(s, r)) != GK_OK) return code;
    int columns;
    r->kind = kind ? kind : kind_of(&r->row);
    code = gk_store_get_matrix(s, r->at.run, r->at.step, r->kind, &r->matrix, &r->n, &columns, &r->matrix_step);
    if (code == GK_NOTFOUND) {
        r->matrix = NULL;
        return GK_OK;
    }
    if (code == GK_OK && columns != r->n)
        return gk_error(GK_FAILED, "the %s of run %" PRId64 " is %d x %d and not square", r->kind, r->at.run, r->n, columns);
    return code;
}

/* The off-diagonal entries of a [n,n], packed: n (n - 1) numbers. */
static void off_diagonal(double *out, const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j) *out++ = a[i * n + j];
}

static int compare_pair(const gk_compared_run *a, const gk_compared_run *b, double out[GK_PAIR_MEASURES])
{
    const size_t n = (size_t)a->n, all = n * n, rest = all - n;
    double *x = gk_alloc(2 * rest + 1, sizeof *x), *y = x ? x + rest : NULL;
    if (!x) return GK_FAILED;
    off_diagonal(x, a->matrix, n);
    off_diagonal(y, b->matrix, n);
    out[0] = gk_cosine(a->matrix, b->matrix, all);
    out[1] = gk_cosine(x, y, rest);
    out[2] = gk_pearson(a->matrix, b->matrix, all);
    out[3] = gk_pearson(x, y, rest);
    free(x);
    return GK_OK;
}

static int compare_pairs(gk_comparison *c, gk_compare_splits splits)
{
    for (int i = 0; i < c->n; i++) {
        for (int j = i + 1; j < c->n; j++) {
            const gk_compared_run *a = &c->runs[i], *b = &c->runs[j];
            if (splits == GK_SPLITS_GROUPED && a->row.split_id != b->row.split_id) continue;
            if (!a->matrix || !b->matrix || a->n != b->n) continue;
            gk_compared_pair *pair = &c->pairs[c->n_pairs];
            *pair = (gk_compared_pair){.a = i, .b = j};
            int code = compare_pair(a, b, pair->values);
            if (code != GK_OK) return code;
            c->n_pairs++;
        }
    }
    return GK_OK;
}

/* Does a stand before b in the stored pair? So that (a, b) and (b, a) are one row. */
static bool stands_first(const gk_compared_run *a, const gk_compared_run *b)
{
    if (a->row.id != b->row.id) return a->row.id < b->row.id;
    return a->matrix_step <= b->matrix_step;
}

static int store_pairs(gk_store *s, const gk_comparison *c)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int i = 0; i < c->n_pairs && code == GK_OK; i++) {
        const gk_compared_run *a = &c->runs[c->pairs[i].a], *b = &c->runs[c->pairs[i].b];
        if (!stands_first(a, b)) {
            const gk_compared_run *swap = a;
            a = b;
            b = swap;
        }
        for (int m = 0; m < GK_PAIR_MEASURES && code == GK_OK; m++)
            code = gk_store_put_comparison(s, a->row.id, a->matrix_step, a->kind, b->row.id, b->matrix_step, b->kind,
                                           gk_pair_measures[m], c->pairs[i].values[m]);
    }
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

static int check_splits(const gk_comparison *c)
{
    for (int i = 1; i < c->n; i++) {
        const gk_compared_run *a = &c->runs[0], *b = &c->runs[i];
        if (a->row.split_id == b->row.split_id) continue;
        return gk_error(GK_DIFFERS,
                        "runs %s and %s have different splits (%" PRId64 ": %s mod %d, %" PRId64
                        ": %s mod %d); --across-splits compares them all the same",
                        a->label, b->label, a->row.split_id, a->split.op, a->split.p, b->row.split_id, b->split.op,
                        b->split.p);
    }
    return GK_OK;
}

void gk_comparison_free(gk_comparison *c)
{
    for (int i = 0; c->runs && i < c->n; i++) {
        if (!c->runs[i].loaded) continue;
        gk_run_row_free(&c->runs[i].row);
        gk_stored_split_free(&c->runs[i].split);
        free(c->runs[i].matrix);
    }
    free(c->runs);
    free(c->pairs);
    *c = (gk_comparison){0};
}

int gk_comparison_make(gk_comparison *c, gk_store *s, const gk_compared *runs, int n, gk_compare_splits splits,
                       const char *kind, bool keep)
{
    *c = (gk_comparison){.n = n};
    c->runs = gk_calloc((size_t)n, sizeof *c->runs);
    c->pairs = gk_calloc((size_t)n * (size_t)n, sizeof *c->pairs);
    int code = c->runs && c->pairs ? GK_OK : GK_FAILED;
    for (int i = 0; i < n && code == GK_OK; i++) {
        c->runs[i].at = runs[i];
        code = load_run(s, &c->runs[i], kind);
    }
    if (code == GK_OK && splits == GK_SPLITS_SAME) code = check_splits(c);
    if (code == GK_OK) code = compare_pairs(c, splits);
    if (code == GK_OK && keep && c->n_pairs > 0) code = store_pairs(s, c);
    if (code != GK_OK) gk_comparison_free(c);
    return code;
}
