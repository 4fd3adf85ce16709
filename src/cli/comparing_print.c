/* comparing_print.c: a comparison as tables for the eye, as JSON or as CSV. */
#include "comparing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Full names for JSON and CSV, titles for tables. */
static const struct {
    const char *name, *title;
} facts[GK_FACTS] = {
    [GK_FACT_TRAIN] = {"train_accuracy", "train"},
    [GK_FACT_TEST] = {"test_accuracy", "test"},
    [GK_FACT_BEST] = {"best_test_accuracy", "best test"},
    [GK_FACT_MEMORISED] = {"memorised_step", "memorised"},
    [GK_FACT_GROKKED] = {"grokked_step", "grokked"},
    [GK_FACT_DELAY] = {"delay", "delay"},
    [GK_FACT_DEVIATION] = {"circulant_deviation", "deviation"},
    [GK_FACT_CIRCULANCE] = {"circulance", "circulance"},
    [GK_FACT_ORDERING] = {"best_ordering", "best ordering"},
    [GK_FACT_BEST_CIRCULANCE] = {"best_circulance", "its circulance"},
    [GK_FACT_SPECTRUM] = {"spectrum_entropy", "spectrum entropy"},
    [GK_FACT_RANK] = {"effective_rank", "effective rank"},
    [GK_FACT_TRACE] = {"trace", "trace"},
    [GK_FACT_NFA] = {"nfa_correlation", "NFA correlation"},
};

/* ---- whole rows, for JSON and CSV ---- */

enum { FIXED = 13, ALL = FIXED + GK_FACTS };

static int print_runs(const gk_comparison *c, gk_list_format format)
{
    const char *names[ALL] = {"run",  "uid",    "name", "method",    "split",        "op",   "p",
                              "train_fraction", "status", "step", "step_unit", "wall_seconds", "kind"};
    for (int f = 0; f < GK_FACTS; f++) names[FIXED + f] = facts[f].name;
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, ALL, names);
    for (int i = 0; i < c->n && code == GK_OK; i++) {
        const gk_compared_run *r = &c->runs[i];
        gk_cell cells[ALL] = {gk_cell_int(r->row.id),
                              gk_cell_text(r->row.uid),
                              gk_cell_text(r->row.name),
                              gk_cell_text(r->row.method),
                              gk_cell_int(r->row.split_id),
                              gk_cell_text(r->split.op),
                              gk_cell_int(r->split.p),
                              gk_cell_real(r->split.train_fraction),
                              gk_cell_text(r->row.status),
                              gk_cell_int(r->at.step < 0 ? r->row.step : r->at.step),
                              gk_cell_text(r->row.step_unit),
                              gk_cell_real(r->row.wall_seconds),
                              gk_cell_text(r->matrix ? r->kind : NULL)};
        memcpy(cells + FIXED, r->facts, sizeof r->facts);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

static int print_pairs(const gk_comparison *c, gk_list_format format)
{
    const char *names[6 + GK_PAIR_MEASURES] = {"run_a", "step_a", "kind_a", "run_b", "step_b", "kind_b"};
    for (int m = 0; m < GK_PAIR_MEASURES; m++) names[6 + m] = gk_pair_measures[m];
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, 6 + GK_PAIR_MEASURES, names);
    for (int i = 0; i < c->n_pairs && code == GK_OK; i++) {
        const gk_compared_run *a = &c->runs[c->pairs[i].a], *b = &c->runs[c->pairs[i].b];
        gk_cell cells[6 + GK_PAIR_MEASURES] = {gk_cell_int(a->row.id), gk_cell_int(a->matrix_step), gk_cell_text(a->kind),
                                               gk_cell_int(b->row.id), gk_cell_int(b->matrix_step), gk_cell_text(b->kind)};
        for (int m = 0; m < GK_PAIR_MEASURES; m++) cells[6 + m] = gk_cell_real(c->pairs[i].values[m]);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* ---- tables ---- */

static bool one_split(const gk_comparison *c)
{
    for (int i = 1; i < c->n; i++)
        if (c->runs[i].row.split_id != c->runs[0].row.split_id) return false;
    return true;
}

static void print_split(const gk_comparison *c)
{
    if (!one_split(c)) {
        printf("%d runs on several splits\n\n", c->n);
        return;
    }
    const gk_stored_split *s = &c->runs[0].split;
    printf("%d run%s on split %lld: %s mod %d, %d training pairs (%.5g), sha256 %.12s\n\n", c->n, c->n == 1 ? "" : "s",
           (long long)s->id, s->op, s->p, s->n_train, s->train_fraction, s->sha256);
}

static int print_training(const gk_comparison *c)
{
    enum { LEAD = 4, SHOWN = GK_FACT_DELAY + 1, SECONDS = LEAD + SHOWN };
    const char *names[SECONDS + 3] = {"run", "method", "unit", "steps"};
    for (int f = 0; f < SHOWN; f++) names[LEAD + f] = facts[f].title;
    names[SECONDS] = "seconds";
    names[SECONDS + 1] = "split";
    names[SECONDS + 2] = "task";
    gk_list list;
    int code = gk_list_begin(&list, stdout, GK_LIST_TABLE, one_split(c) ? SECONDS + 1 : SECONDS + 3, names);
    for (int i = 0; i < c->n && code == GK_OK; i++) {
        const gk_compared_run *r = &c->runs[i];
        char task[160];
        snprintf(task, sizeof task, "%s mod %d", r->split.op, r->split.p);
        gk_cell cells[SECONDS + 3] = {gk_cell_text(r->label), gk_cell_text(r->row.method),
                                           gk_cell_text(r->row.step_unit),
                                           gk_cell_int(r->at.step < 0 ? r->row.step : r->at.step)};
        memcpy(cells + LEAD, r->facts, SHOWN * sizeof *cells);
        cells[SECONDS] = gk_cell_real(round(100 * r->row.wall_seconds) / 100);
        cells[SECONDS + 1] = gk_cell_int(r->row.split_id);
        cells[SECONDS + 2] = gk_cell_text(task);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* The structure measures that any of the runs has. */
static int print_structure(const gk_comparison *c)
{
    const char *names[2 + GK_FACTS] = {"feature matrix", "kind"};
    int shown[GK_FACTS], n = 0;
    for (int f = GK_FACT_DEVIATION; f < GK_FACTS; f++)
        for (int i = 0; i < c->n; i++)
            if (c->runs[i].facts[f].type != GK_CELL_NULL) {
                names[2 + n] = facts[f].title;
                shown[n++] = f;
                break;
            }
    if (n == 0) return GK_OK;
    gk_list list;
    putchar('\n');
    int code = gk_list_begin(&list, stdout, GK_LIST_TABLE, 2 + n, names);
    for (int i = 0; i < c->n && code == GK_OK; i++) {
        const gk_compared_run *r = &c->runs[i];
        gk_cell cells[2 + GK_FACTS] = {gk_cell_text(r->label), gk_cell_text(r->matrix ? r->kind : NULL)};
        for (int k = 0; k < n; k++) cells[2 + k] = r->facts[shown[k]];
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

static gk_cell pair_cell(const gk_comparison *c, int i, int j, int measure)
{
    if (i == j) return c->runs[i].matrix ? gk_cell_real(1) : gk_cell_text(NULL);
    for (int k = 0; k < c->n_pairs; k++) {
        const gk_compared_pair *pair = &c->pairs[k];
        if ((pair->a == i && pair->b == j) || (pair->a == j && pair->b == i)) return gk_cell_real(pair->values[measure]);
    }
    return gk_cell_text(NULL);
}

static int print_matrix(const gk_comparison *c, int measure)
{
    static const char *const titles[] = {"cosine", "cosine without diagonal", "correlation",
                                         "correlation without diagonal"};
    const char **names = gk_calloc((size_t)c->n + 1, sizeof *names);
    gk_cell *cells = gk_calloc((size_t)c->n + 1, sizeof *cells);
    int code = names && cells ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        gk_list list;
        names[0] = titles[measure];
        for (int i = 0; i < c->n; i++) names[1 + i] = c->runs[i].label;
        putchar('\n');
        code = gk_list_begin(&list, stdout, GK_LIST_TABLE, 1 + c->n, names);
        for (int i = 0; i < c->n && code == GK_OK; i++) {
            cells[0] = gk_cell_text(c->runs[i].label);
            for (int j = 0; j < c->n; j++) cells[1 + j] = pair_cell(c, i, j, measure);
            code = gk_list_row(&list, cells);
        }
        gk_list_end(&list);
    }
    free(names);
    free(cells);
    return code;
}

int gk_comparison_print(const gk_comparison *c, gk_list_format format, bool pairs_only)
{
    if (pairs_only) return print_pairs(c, format);
    if (format == GK_LIST_CSV) return print_runs(c, format);
    int code;
    if (format == GK_LIST_JSON) {
        fputs("{\"runs\":", stdout);
        if ((code = print_runs(c, format)) != GK_OK) return code;
        fputs(",\"pairs\":", stdout);
        if ((code = print_pairs(c, format)) != GK_OK) return code;
        fputs("}\n", stdout);
        return GK_OK;
    }
    print_split(c);
    if ((code = print_training(c)) != GK_OK || (code = print_structure(c)) != GK_OK) return code;
    for (int m = 0; m < GK_PAIR_MEASURES && c->n_pairs > 0 && code == GK_OK; m++) code = print_matrix(c, m);
    return code;
}
