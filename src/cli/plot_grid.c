/* plot_grid.c: plot grid: a phase diagram over two settings, the median over the runs of each cell. */
#include "plotting.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct point {
    char *x, *y;
    char *of; /* method and task, as far as they are not on an axis */
    double value; /* NaN: the run never came there */
    int64_t run;
} point;

typedef struct points {
    const gk_plot_job *job;
    point *at;
    int n;
} points;

static bool named(const gk_plot_job *job, int64_t run)
{
    for (int i = 0; i < job->n; i++)
        if (job->pictures[i].row.id == run) return true;
    return job->n == 0;
}

static int take_point(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    points *to = context;
    if (!cells || !named(to->job, cells[0].integer)) return GK_OK;
    point *more = realloc(to->at, (size_t)(to->n + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for %d runs of a grid", to->n + 1);
    to->at = more;
    point *p = &more[to->n++];
    p->run = cells[0].integer;
    p->x = gk_text("%s", cells[1].text);
    p->y = gk_text("%s", cells[2].text);
    p->value = cells[3].type == GK_CELL_INTEGER ? (double)cells[3].integer
               : cells[3].type == GK_CELL_REAL  ? cells[3].real
                                                : NAN;
    p->of = gk_text("%s", cells[4].text);
    return p->x && p->y && p->of ? GK_OK : GK_FAILED;
}

static int by_setting(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    double p, q;
    if (gk_text_real(x, &p) == GK_OK && gk_text_real(y, &q) == GK_OK) return (p > q) - (p < q);
    return strcmp(x, y);
}

/* The different values of one setting, in order; borrowed from the points. Returns how many. */
static int values_of(const char **out, const points *all, bool of_x)
{
    int n = 0;
    for (int i = 0; i < all->n; i++) out[i] = of_x ? all->at[i].x : all->at[i].y;
    qsort(out, (size_t)all->n, sizeof *out, by_setting);
    for (int i = 0; i < all->n; i++)
        if (n == 0 || strcmp(out[n - 1], out[i]) != 0) out[n++] = out[i];
    return n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A run that never came there is later than any that did. */
static double median_of(double *v, int n)
{
    if (n == 0) return NAN;
    qsort(v, (size_t)n, sizeof *v, by_value);
    const double m = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    return isfinite(m) ? m : NAN;
}

static int fill(gk_plot_map *map, const points *all, double *value, int *counts)
{
    double *here = gk_alloc((size_t)all->n + 1, sizeof *here);
    if (!here) return GK_FAILED;
    for (int y = 0; y < map->ny; y++) {
        for (int x = 0; x < map->nx; x++) {
            int n = 0;
            for (int i = 0; i < all->n; i++) {
                const point *p = &all->at[i];
                if (strcmp(p->x, map->x_labels[x]) != 0 || strcmp(p->y, map->y_labels[y]) != 0) continue;
                here[n++] = isnan(p->value) ? INFINITY : p->value;
            }
            value[y * map->nx + x] = median_of(here, n);
            counts[y * map->nx + x] = n;
        }
    }
    free(here);
    return GK_OK;
}

static int query(gk_plot_job *job, const char *x, const char *y, const char *name, points *all)
{
    static const char *const summary[] = {"grokked_step", "memorised_step", "delay", NULL};
    const char *method = gk_cli_given(job->args, "method"), *expression = NULL;
    for (int i = 0; summary[i]; i++)
        if (strcmp(summary[i], name) == 0) expression = summary[i];
    if (!expression) {
        int code = gk_picture_check_metric(job->store, name);
        if (code != GK_OK) return code;
        expression = "(SELECT m.value FROM metric m WHERE m.run_id = s.run_id AND m.metric_id ="
                     " (SELECT id FROM metric_name WHERE name = ?4) ORDER BY m.step DESC LIMIT 1)";
    }
    const char *const params[] = {x, y, method ? method : "", name, NULL};
    char *sql = gk_text("SELECT s.run_id, CAST(a.value AS TEXT), CAST(b.value AS TEXT), %s, s.method"
                        " || CASE WHEN 'op' IN (?1, ?2) THEN '' ELSE ' ' || s.op END"
                        " || CASE WHEN 'p' IN (?1, ?2) THEN '' ELSE ' mod ' || s.p END, ?4 FROM run_summary s"
                        " JOIN param a ON a.run_id = s.run_id AND a.key = ?1"
                        " JOIN param b ON b.run_id = s.run_id AND b.key = ?2"
                        " WHERE (?3 = '' OR s.method = ?3) AND s.status <> 'running' ORDER BY s.run_id",
                        expression);
    int code = sql ? gk_store_query(job->store, sql, params, take_point, all) : GK_FAILED;
    free(sql);
    if (code == GK_OK && all->n == 0)
        code = gk_error(GK_NOTFOUND, "none of %s has both settings, %s and %s",
                        job->n > 0 ? "these runs" : "the finished runs", x, y);
    for (int i = 1; code == GK_OK && i < all->n; i++)
        if (strcmp(all->at[i].of, all->at[0].of) != 0)
            code = gk_error(GK_USAGE, "one grid is of one method and task, and there are %s and %s: name the runs, or "
                                      "choose by --method", all->at[0].of, all->at[i].of);
    return code;
}

int gk_plot_make_grid(gk_plot_job *job)
{
    gk_plot_list settings;
    points all = {.job = job};
    const char *asked = gk_cli_given(job->args, "settings"), *name = gk_cli_given(job->args, "value");
    if (!name) name = "grokked_step";
    int code = gk_plot_split_list(&settings, asked ? asked : "train_fraction,weight_decay");
    if (code == GK_OK && settings.n != 2)
        code = gk_error(GK_USAGE, "--settings %s: two settings, as in train_fraction,weight_decay", asked);
    if (code == GK_OK) code = query(job, settings.at[0], settings.at[1], name, &all);
    const char **labels = gk_alloc(2 * (size_t)all.n + 1, sizeof *labels);
    if (code == GK_OK && !labels) code = GK_FAILED;
    if (code == GK_OK) {
        gk_plot_map map = {
            .x_name = settings.at[0], .y_name = settings.at[1], .absent = "the median run never came there"};
        map.x_labels = labels;
        map.nx = values_of(labels, &all, true);
        map.y_labels = labels + all.n;
        map.ny = values_of(labels + all.n, &all, false);
        const bool step = strstr(name, "_step") || strcmp(name, "delay") == 0;
        char *what = gk_text("%s%s", name, step ? " (median)" : ", last (median)");
        const size_t cells = (size_t)map.nx * (size_t)map.ny;
        double *value = gk_alloc(cells, sizeof *value);
        int *counts = gk_alloc(cells, sizeof *counts);
        code = what && value && counts ? fill(&map, &all, value, counts) : GK_FAILED;
        map.value = value;
        map.counts = counts;
        map.value_name = what;
        map.log_colour = step;
        if (code == GK_OK) code = gk_plot_grid(&job->figure, &map, &job->options);
        free(what);
        free(value);
        free(counts);
    }
    for (int i = 0; i < all.n; i++) {
        free(all.at[i].x);
        free(all.at[i].y);
        free(all.at[i].of);
    }
    free(all.at);
    free(labels);
    gk_plot_list_free(&settings);
    return code;
}
