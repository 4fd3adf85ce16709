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
    [GK_FACT_ORDERING] = {"best_ordering", "best order"},
    [GK_FACT_BEST_CIRCULANCE] = {"best_circulance", "its share"},
    [GK_FACT_SPECTRUM] = {"spectrum_entropy", "entropy"},
    [GK_FACT_RANK] = {"effective_rank", "rank"},
    [GK_FACT_TRACE] = {"trace", "trace"},
    [GK_FACT_NFA] = {"nfa_correlation", "NFA corr."},
    [GK_FACT_KEYS] = {"key_frequencies", "key frequencies"},
};

/* ---- whole rows, for JSON and CSV ---- */

enum { FIXED = 13, ALL = FIXED + GK_FACTS };

int gk_comparison_print_runs(const gk_comparison *c, gk_list_format format)
{
    const char *names[ALL] = {"run",    "uid",  "name",      "method",       "split", "op", "p", "train_fraction",
                              "status", "step", "step_unit", "wall_seconds", "kind"};
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
                              gk_cell_text(r->stored.op),
                              gk_cell_int(r->stored.p),
                              gk_cell_real(r->stored.train_fraction),
                              gk_cell_text(r->row.status),
                              gk_cell_int(r->at.step < 0 ? r->row.step : r->at.step),
                              gk_cell_text(r->row.step_unit),
                              gk_cell_real(r->row.wall_seconds),
                              gk_cell_text(r->matrix_step < 0 ? NULL : r->kind)};
        memcpy(cells + FIXED, r->facts, sizeof r->facts);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

static int wanted_list(const gk_comparison *c, int *shown)
{
    int n = 0;
    for (int m = 0; m < GK_PAIR_MEASURES; m++)
        if (c->wanted[m]) shown[n++] = m;
    return n;
}

static gk_cell step_cell(int64_t step)
{
    return step < 0 ? gk_cell_text(NULL) : gk_cell_int(step);
}

static int print_pairs(const gk_comparison *c, gk_list_format format)
{
    enum { LEAD = 6 };
    const char *names[LEAD + GK_PAIR_MEASURES] = {"run_a", "step_a", "kind_a", "run_b", "step_b", "kind_b"};
    char texts[GK_PAIR_MEASURES][40];
    int shown[GK_PAIR_MEASURES];
    const int n = wanted_list(c, shown);
    for (int k = 0; k < n; k++) names[LEAD + k] = gk_pair_name(shown[k], texts[k]);
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, LEAD + n, names);
    for (int i = 0; i < c->n_pairs && code == GK_OK; i++) {
        const gk_compared_pair *pair = &c->pairs[i];
        const gk_compared_run *a = &c->runs[pair->a], *b = &c->runs[pair->b];
        gk_cell cells[LEAD + GK_PAIR_MEASURES] = {
            gk_cell_int(a->row.id), step_cell(a->matrix_step), gk_cell_text(a->matrix_step < 0 ? NULL : a->kind),
            gk_cell_int(b->row.id), step_cell(b->matrix_step), gk_cell_text(b->matrix_step < 0 ? NULL : b->kind)};
        for (int k = 0; k < n; k++) cells[LEAD + k] = gk_cell_real(pair->values[shown[k]]);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* ---- tables of runs ---- */

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
    const gk_stored_split *s = &c->runs[0].stored;
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
        snprintf(task, sizeof task, "%s mod %d", r->stored.op, r->stored.p);
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
        gk_cell cells[2 + GK_FACTS] = {gk_cell_text(r->label), gk_cell_text(r->matrix_step < 0 ? NULL : r->kind)};
        for (int k = 0; k < n; k++) cells[2 + k] = r->facts[shown[k]];
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* ---- tables of pairs ---- */

void gk_pair_label(const gk_comparison *c, const gk_compared_pair *pair, char out[280])
{
    snprintf(out, 280, "%s ~ %s", c->runs[pair->a].label, c->runs[pair->b].label);
}

/* Few measures: a row a pair. */
static int print_by_pair(const gk_comparison *c, const int *shown, int n)
{
    const char *names[1 + GK_PAIR_MEASURES] = {"pair"};
    char texts[GK_PAIR_MEASURES][40], label[280];
    for (int k = 0; k < n; k++) names[1 + k] = gk_pair_name(shown[k], texts[k]);
    gk_list list;
    int code = gk_list_begin(&list, stdout, GK_LIST_TABLE, 1 + n, names);
    for (int i = 0; i < c->n_pairs && code == GK_OK; i++) {
        gk_cell cells[1 + GK_PAIR_MEASURES];
        gk_pair_label(c, &c->pairs[i], label);
        cells[0] = gk_cell_text(label);
        for (int k = 0; k < n; k++) cells[1 + k] = gk_cell_real(c->pairs[i].values[shown[k]]);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* Does an order of rows and columns tell the eye more than the plain one? Logarithms for products; the group's order
 * where the tasks differ. */
static bool order_tells(const gk_comparison *c, int order)
{
    for (int i = 0; i < c->n; i++) {
        if (order == 1 && c->runs[i].split.task.form == GK_FORM_PRODUCT) return true;
        if (order == 2 &&
            (strcmp(c->runs[i].stored.op, c->runs[0].stored.op) != 0 || c->runs[i].stored.p != c->runs[0].stored.p))
            return true;
    }
    return order == 0;
}

/* Many measures: a row each, a column a pair, and what no pair has left out. */
static int print_by_measure(const gk_comparison *c, const int *shown, int n)
{
    const char **names = gk_calloc((size_t)c->n_pairs + 1, sizeof *names);
    char(*labels)[280] = gk_calloc((size_t)c->n_pairs + 1, sizeof *labels);
    gk_cell *cells = gk_calloc((size_t)c->n_pairs + 1, sizeof *cells);
    int code = names && labels && cells ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        gk_list list;
        names[0] = "measure";
        for (int i = 0; i < c->n_pairs; i++) {
            gk_pair_label(c, &c->pairs[i], labels[i]);
            names[1 + i] = labels[i];
        }
        code = gk_list_begin(&list, stdout, GK_LIST_TABLE, 1 + c->n_pairs, names);
        for (int k = 0; k < n && code == GK_OK; k++) {
            char name[40];
            bool any = false;
            if (shown[k] < GK_PAIR_MATRIX && !order_tells(c, shown[k] / 16)) continue;
            cells[0] = gk_cell_text(gk_pair_name(shown[k], name));
            for (int i = 0; i < c->n_pairs; i++) {
                cells[1 + i] = gk_cell_real(c->pairs[i].values[shown[k]]);
                any = any || cells[1 + i].type == GK_CELL_REAL;
            }
            if (any) code = gk_list_row(&list, cells);
        }
        gk_list_end(&list);
    }
    free(names);
    free(labels);
    free(cells);
    return code;
}

int gk_comparison_print(const gk_comparison *c, gk_list_format format, bool pairs_only)
{
    if (pairs_only) return print_pairs(c, format);
    if (format == GK_LIST_CSV) return gk_comparison_print_runs(c, format);
    int code;
    if (format == GK_LIST_JSON) {
        fputs("{\"runs\":", stdout);
        if ((code = gk_comparison_print_runs(c, format)) != GK_OK) return code;
        fputs(",\"pairs\":", stdout);
        if ((code = print_pairs(c, format)) != GK_OK) return code;
        fputs("}\n", stdout);
        return GK_OK;
    }
    int shown[GK_PAIR_MEASURES];
    const int n = wanted_list(c, shown);
    print_split(c);
    if ((code = print_training(c)) != GK_OK || (code = print_structure(c)) != GK_OK) return code;
    if (c->n_pairs > 0) {
        putchar('\n');
        code = n > 8 ? print_by_measure(c, shown, n) : print_by_pair(c, shown, n);
    }
    if (code == GK_OK) gk_comparison_say(c);
    return code;
}
