/* comparing_over.c: runs compared over training, on one axis: steps, fractions of each run, or its phases. */
#include "comparing.h"

#include "gk_plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The steps at which a run has what is compared, ascending. */
typedef struct step_list {
    int64_t *at;
    int n;
} step_list;

static int take_step(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    step_list *l = context;
    if (!cells) return GK_OK;
    int64_t *more = realloc(l->at, (size_t)(l->n + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for the steps of a run");
    l->at = more;
    l->at[l->n++] = cells[0].integer;
    return GK_OK;
}

/* Matrices if any measure needs them, else checkpoints. */
static int list_steps(gk_store *s, const gk_comparison *c, const gk_compared_run *r, step_list *out)
{
    char id[24];
    snprintf(id, sizeof id, "%" PRId64, r->row.id);
    bool matrix = false;
    for (int m = 0; m <= GK_PAIR_LINES; m++) matrix = matrix || c->wanted[m];
    const char *const params[] = {id, matrix ? r->kind : "weights", NULL};
    int code = gk_store_query(
        s,
        matrix ? "SELECT step FROM matrix WHERE run_id = CAST(?1 AS INTEGER) AND kind = ?2 ORDER BY step"
               : "SELECT step FROM checkpoint WHERE run_id = CAST(?1 AS INTEGER) AND kind = ?2 ORDER BY step",
        params, take_step, out);
    if (code != GK_OK || out->n > 0) return code;
    return gk_error(GK_NOTFOUND, "run %s has no stored %s to compare over training", r->label,
                    matrix ? r->kind : "weights");
}

/* ---- the axis ---- */

static const gk_plot_axis axes[] = {GK_PLOT_LINEAR, GK_PLOT_FRACTION, GK_PLOT_PHASE};

/* The step, not rounded, that stands at `at` of a run's axis. Figures are aligned by the same function. */
static double step_at(const gk_compared_run *r, gk_align align, double at)
{
    gk_plot_event events[2];
    gk_plot_run run = {.last = (double)r->row.step, .events = events};
    const gk_cell *memorised = &r->facts[GK_FACT_MEMORISED], *grokked = &r->facts[GK_FACT_GROKKED];
    if (memorised->type == GK_CELL_INTEGER)
        events[run.n_events++] = (gk_plot_event){"memorised", (double)memorised->integer};
    if (grokked->type == GK_CELL_INTEGER) events[run.n_events++] = (gk_plot_event){"grokked", (double)grokked->integer};
    return gk_plot_unalign(&run, axes[align], at);
}

/* The stored step nearest to a step; the earlier one of two. */
static int64_t nearest(const step_list *steps, double to)
{
    int64_t best = steps->at[0];
    for (int i = 1; i < steps->n; i++)
        if (fabs((double)steps->at[i] - to) < fabs((double)best - to)) best = steps->at[i];
    return best;
}

static int by_step(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Evenly among all stored steps up to the end of the shortest run. */
static int place_steps(gk_over *o, const gk_comparison *c, const step_list *lists, int points)
{
    int64_t end = INT64_MAX;
    size_t n = 0, kept = 0;
    for (int i = 0; i < c->n; i++) {
        n += (size_t)lists[i].n;
        if (lists[i].at[lists[i].n - 1] < end) end = lists[i].at[lists[i].n - 1];
    }
    int64_t *all = gk_alloc(n + 1, sizeof *all);
    if (!all) return GK_FAILED;
    n = 0;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < lists[i].n; k++)
            if (lists[i].at[k] <= end) all[n++] = lists[i].at[k];
    qsort(all, n, sizeof *all, by_step);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || all[kept - 1] != all[i]) all[kept++] = all[i];
    o->n = kept < (size_t)points ? (int)kept : points;
    for (int i = 0; i < o->n; i++)
        o->at[i] = (double)all[o->n > 1 ? (size_t)i * (kept - 1) / (size_t)(o->n - 1) : kept - 1];
    free(all);
    return GK_OK;
}

static int place(gk_over *o, const gk_comparison *c, const step_list *lists, int points)
{
    if (o->align == GK_ALIGN_STEP) return place_steps(o, c, lists, points);
    const double first = o->align == GK_ALIGN_PHASE ? -1 : 0, last = o->align == GK_ALIGN_PHASE ? 2 : 1;
    o->n = points;
    for (int i = 0; i < points; i++) o->at[i] = points > 1 ? first + (last - first) * i / (points - 1) : last;
    return GK_OK;
}

/* ---- the values ---- */

static int fill_point(gk_over *o, const gk_comparison *c, gk_store *s, const step_list *lists, gk_compared_view *views,
                      int point)
{
    int64_t *steps = o->steps + (size_t)point * (size_t)c->n;
    for (int i = 0; i < c->n; i++) {
        steps[i] = nearest(&lists[i], step_at(&c->runs[i], o->align, o->at[point]));
        if (point > 0 && steps[i] == steps[i - c->n]) continue; /* still the view of the point before */
        gk_view_free(&views[i]);
        int code = gk_view_load(&views[i], s, &c->runs[i], steps[i], c->wanted);
        if (code != GK_OK) return code;
    }
    for (int k = 0; k < c->n_pairs; k++) {
        gk_compared_pair *pair = &o->pairs[point * c->n_pairs + k];
        *pair = c->pairs[k];
        int code = gk_pair_compute(pair, &views[pair->a], &views[pair->b], c->wanted);
        if (code != GK_OK) return code;
    }
    return GK_OK;
}

static int store_points(gk_store *s, const gk_over *o, const gk_comparison *c)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int k = 0; k < o->n * c->n_pairs && code == GK_OK; k++) code = gk_pair_store(s, c, &o->pairs[k]);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

void gk_over_free(gk_over *o)
{
    free(o->at);
    free(o->steps);
    free(o->pairs);
    *o = (gk_over){0};
}

int gk_over_make(gk_over *o, const gk_comparison *c, gk_store *s, gk_align align, int points, bool keep)
{
    if (points == 0) points = align == GK_ALIGN_PHASE ? 13 : 11;
    const size_t rows = (size_t)points;
    *o = (gk_over){.align = align};
    o->at = gk_alloc(rows, sizeof *o->at);
    o->steps = gk_alloc(rows * (size_t)c->n, sizeof *o->steps);
    o->pairs = gk_calloc(rows * (size_t)c->n_pairs + 1, sizeof *o->pairs);
    step_list *lists = gk_calloc((size_t)c->n + 1, sizeof *lists);
    gk_compared_view *views = gk_calloc((size_t)c->n + 1, sizeof *views);
    int code = o->at && o->steps && o->pairs && lists && views ? GK_OK : GK_FAILED;
    for (int i = 0; i < c->n && code == GK_OK; i++) code = list_steps(s, c, &c->runs[i], &lists[i]);
    if (code == GK_OK) code = place(o, c, lists, points);
    for (int i = 0; i < o->n && code == GK_OK; i++) code = fill_point(o, c, s, lists, views, i);
    for (int i = 0; i < c->n; i++) {
        if (views) gk_view_free(&views[i]);
        if (lists) free(lists[i].at);
    }
    free(views);
    free(lists);
    if (code == GK_OK && keep) code = store_points(s, o, c);
    if (code != GK_OK) gk_over_free(o);
    return code;
}

/* ---- printing ---- */

/* Step and pairs in columns, one table a measure. */
static int print_table(const gk_over *o, const gk_comparison *c, int measure)
{
    static const char *const titles[] = {"step", "fraction", "phase"};
    const int columns = 1 + c->n + c->n_pairs;
    const char **names = gk_calloc((size_t)columns, sizeof *names);
    char(*labels)[280] = gk_calloc((size_t)c->n_pairs + 1, sizeof *labels);
    gk_cell *cells = gk_calloc((size_t)columns, sizeof *cells);
    int code = names && labels && cells ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        char name[40];
        gk_list list;
        names[0] = titles[o->align];
        for (int i = 0; i < c->n; i++) names[1 + i] = c->runs[i].label;
        for (int k = 0; k < c->n_pairs; k++) {
            snprintf(labels[k], sizeof labels[k], "%" PRId64 " ~ %" PRId64, c->runs[c->pairs[k].a].row.id,
                     c->runs[c->pairs[k].b].row.id);
            names[1 + c->n + k] = labels[k];
        }
        printf("%s\n", gk_pair_name(measure, name));
        code = gk_list_begin(&list, stdout, GK_LIST_TABLE, columns, names);
        for (int i = 0; i < o->n && code == GK_OK; i++) {
            cells[0] = gk_cell_real(o->at[i]);
            for (int k = 0; k < c->n; k++) cells[1 + k] = gk_cell_int(o->steps[i * c->n + k]);
            for (int k = 0; k < c->n_pairs; k++)
                cells[1 + c->n + k] = gk_cell_real(o->pairs[i * c->n_pairs + k].values[measure]);
            code = gk_list_row(&list, cells);
        }
        gk_list_end(&list);
    }
    free(names);
    free(labels);
    free(cells);
    return code;
}

/* One row a point and pair. */
static int print_rows(const gk_over *o, const gk_comparison *c, gk_list_format format)
{
    enum { LEAD = 8 };
    const char *names[LEAD + GK_PAIR_MEASURES] = {"align",  "at",    "run_a",  "name_a",
                                                  "step_a", "run_b", "name_b", "step_b"};
    char texts[GK_PAIR_MEASURES][40];
    int shown[GK_PAIR_MEASURES], n = 0;
    static const char *const words[] = {"step", "fraction", "phase"};
    for (int m = 0; m < GK_PAIR_MEASURES; m++)
        if (c->wanted[m]) {
            names[LEAD + n] = gk_pair_name(m, texts[m]);
            shown[n++] = m;
        }
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, LEAD + n, names);
    for (int i = 0; i < o->n * c->n_pairs && code == GK_OK; i++) {
        const gk_compared_pair *pair = &o->pairs[i];
        const int64_t *steps = o->steps + (size_t)(i / c->n_pairs) * (size_t)c->n;
        const gk_run_row *a = &c->runs[pair->a].row, *b = &c->runs[pair->b].row;
        gk_cell cells[LEAD + GK_PAIR_MEASURES] = {
            gk_cell_text(words[o->align]), gk_cell_real(o->at[i / c->n_pairs]), gk_cell_int(a->id),
            gk_cell_text(a->name),         gk_cell_int(steps[pair->a]),         gk_cell_int(b->id),
            gk_cell_text(b->name),         gk_cell_int(steps[pair->b])};
        for (int k = 0; k < n; k++) cells[LEAD + k] = gk_cell_real(pair->values[shown[k]]);
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

int gk_over_print(const gk_over *o, const gk_comparison *c, gk_list_format format)
{
    int code = GK_OK;
    bool first = true;
    if (format == GK_LIST_CSV) return print_rows(o, c, format);
    if (format == GK_LIST_JSON) {
        fputs("{\"runs\":", stdout);
        if ((code = gk_comparison_print_runs(c, format)) != GK_OK) return code;
        fputs(",\"over\":", stdout);
        if ((code = print_rows(o, c, format)) != GK_OK) return code;
        fputs("}\n", stdout);
        return GK_OK;
    }
    if (o->align == GK_ALIGN_PHASE) puts("phases: -1 start, 0 memorised, 1 grokked, 2 end\n");
    for (int m = 0; m < GK_PAIR_MEASURES && code == GK_OK; m++) {
        if (!c->wanted[m]) continue;
        if (!first) putchar('\n');
        first = false;
        code = print_table(o, c, m);
    }
    return code;
}
