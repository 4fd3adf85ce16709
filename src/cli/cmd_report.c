/* cmd_report.c: groklab report: one HTML page about some runs, once or again and again while they train. */
#include "commands.h"
#include "picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const gk_cli_option options[] = {
    {"output", 'o', "FILE", "the page (default report.html)"},
    {"title", 0, "TEXT", "its heading"},
    {"across-splits", 0, NULL, "runs of different splits, too"},
    {"watch", 0, NULL, "writes the page again and again until no run is training any more"},
    {"every", 0, "SECONDS", "with --watch: how often (default 5)"},
    {NULL, 0, NULL, NULL},
};

/* What all matrices of a page may take together as text, and how many of one kind a run shows at most. */
enum { MATRIX_BYTES = 3000000, MOST_FRAMES = 48, MOST_RUNS = 12, SECTIONS = 6, QUERY = 1024 };

typedef struct report_job {
    gk_plot_page page;
    int n;
    gk_picture pictures[MOST_RUNS];
    gk_plot_page_run runs[MOST_RUNS];
    gk_plot_metric *metrics;
    char *texts[SECTIONS], *task, *title;
    gk_plot_pair sql[SECTIONS];
    gk_task labels;
} report_job;

static void job_free(report_job *j)
{
    for (int i = 0; i < j->n; i++) gk_picture_free(&j->pictures[i]);
    for (int i = 0; i < j->page.n_metrics; i++) {
        free((char *)j->metrics[i].name);
        free((char *)j->metrics[i].unit);
        free((char *)j->metrics[i].description);
    }
    for (int i = 0; i < SECTIONS; i++) free(j->texts[i]);
    free(j->metrics);
    free(j->task);
    free(j->title);
    gk_task_free(&j->labels);
}

/* ---- what goes into the page ---- */

static int take_metric(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    report_job *j = context;
    if (!cells) return GK_OK;
    gk_plot_metric *more = realloc(j->metrics, (size_t)(j->page.n_metrics + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for the names of the metrics");
    j->metrics = more;
    gk_plot_metric *m = &more[j->page.n_metrics++];
    m->name = gk_text("%s", cells[0].text);
    m->unit = gk_text("%s", cells[1].text ? cells[1].text : "");
    m->description = gk_text("%s", cells[2].text ? cells[2].text : "");
    return m->name && m->unit && m->description ? GK_OK : GK_FAILED;
}

/* The features first, then the network's own feature matrix. */
static const char *kind_at(const gk_picture *p, int k)
{
    return k == 0 ? gk_picture_kind(p) : "nfm";
}

static int add_frames(report_job *j, gk_store *s)
{
    int shares = 0;
    double bytes = 1;
    for (int i = 0; i < j->n; i++) {
        shares += strcmp(j->pictures[i].row.method, "rfm") == 0 ? 1 : 2;
        const double size = 2 * j->pictures[i].split.p;
        const double each = size * (size - 1) / 2 * (size > 160 ? 1 : 2) * 4 / 3 + size * 11;
        bytes = bytes > each ? bytes : each;
    }
    int most = (int)(MATRIX_BYTES / bytes / shares);
    most = most > MOST_FRAMES ? MOST_FRAMES : most < 2 ? 2 : most;
    for (int i = 0; i < j->n; i++) {
        gk_picture *p = &j->pictures[i];
        for (int k = 0; k < 2; k++) {
            double *steps = NULL;
            int n = 0, index[MOST_FRAMES];
            int code = gk_picture_matrix_steps(p, s, kind_at(p, k), &steps, &n);
            const int kept = code == GK_OK ? gk_plot_pick(&p->run, steps, n, n < most ? n : most, index) : 0;
            for (int t = 0; t < kept && code == GK_OK; t++) {
                code = gk_picture_add_frame(p, s, kind_at(p, k), (int64_t)steps[index[t]]);
                if (code == GK_OK) code = gk_picture_add_block_spectrum(p, &p->run.frames[p->run.n_frames - 1]);
            }
            free(steps);
            if (code != GK_OK) return code;
        }
    }
    return GK_OK;
}

/* Under each figure the query that made its data, ready for `groklab sql`. */
static int add_queries(report_job *j)
{
    static const struct {
        const char *section, *sql;
    } queries[SECTIONS] = {
        {"glance", "SELECT run, method, memorised_step, grokked_step, delay, step, train_accuracy, test_accuracy,\n"
                   "       wall_seconds, status\nFROM run_summary WHERE run_id IN (%s);"},
        {"curves",
         "SELECT run, name, step, value FROM metrics\nWHERE run_id IN (%s)\n"
         "  AND name IN ('train_accuracy', 'test_accuracy', 'train_loss', 'test_loss')\n"
         "ORDER BY run_id, name, step;\n\n"
         "-- events\nSELECT run_id, kind, step FROM event WHERE kind IN ('memorised', 'grokked') ORDER BY 1, 3;"},
        {"matrices", "SELECT run_id, step, kind, rows, cols, data FROM matrix\nWHERE run_id IN (%s)\n"
                     "  AND kind IN ('metric', 'sqrt_agop', 'nfm')\nORDER BY run_id, kind, step;\n\n"
                     "-- cosines of the last feature matrices, without diagonals\n"
                     "WITH last AS (SELECT run_id, max(step) AS step, data FROM matrix\n"
                     "              WHERE kind = 'metric' OR (kind = 'sqrt_agop' AND run_id NOT IN\n"
                     "                    (SELECT run_id FROM matrix WHERE kind = 'metric')) GROUP BY run_id)\n"
                     "SELECT a.run_id, b.run_id, mat_cosine(mat_nodiag(a.data), mat_nodiag(b.data)) AS cosine\n"
                     "FROM last a JOIN last b ON a.run_id < b.run_id;"},
        {"measures", "SELECT run, name, step, value FROM latest_metrics\nWHERE run_id IN (%s)\nORDER BY name, run_id;"},
        {"settings", "SELECT key, group_concat(run_id || ': ' || value, ', ') AS value_by_run FROM param\n"
                     "WHERE run_id IN (%s)\nGROUP BY key HAVING count(DISTINCT value) > 1;"},
    };
    char ids[MOST_RUNS * 22] = "";
    for (int i = 0; i < j->n; i++) {
        const size_t used = strlen(ids);
        snprintf(ids + used, sizeof ids - used, "%s%" PRId64, i ? ", " : "", j->pictures[i].row.id);
    }
    for (int i = 0; i < SECTIONS && queries[i].section; i++) {
        const char *hole = strstr(queries[i].sql, "%s");
        j->texts[i] = gk_text("%.*s%s%s", (int)(hole - queries[i].sql), queries[i].sql, ids, hole + 2);
        if (!j->texts[i]) return GK_FAILED;
        j->sql[j->page.n_sql++] = (gk_plot_pair){queries[i].section, j->texts[i]};
    }
    return GK_OK;
}

static int check_split(const report_job *j, bool across)
{
    const gk_picture *a = &j->pictures[0];
    for (int i = 1; i < j->n; i++) {
        const gk_picture *b = &j->pictures[i];
        if (b->split.p != a->split.p)
            return gk_error(GK_DIFFERS,
                            "run %" PRId64 " is of p = %d and run %" PRId64 " of p = %d; one page shows one p",
                            a->row.id, a->split.p, b->row.id, b->split.p);
        if (b->row.split_id != a->row.split_id && !across)
            return gk_error(GK_DIFFERS,
                            "run %" PRId64 " and run %" PRId64
                            " do not share a split; --across-splits shows them still",
                            a->row.id, b->row.id);
    }
    return GK_OK;
}

static int describe(report_job *j, const char *title)
{
    const gk_stored_split *split = &j->pictures[0].split;
    int code = gk_task_init(&j->labels, split->op, split->p);
    if (code != GK_OK) return code;
    const size_t room = 64 + 140 * (size_t)j->n;
    char *names = gk_calloc(room, 1);
    for (int i = 0; i < j->n && names; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, room - used, "%s%.120s", i ? ", " : "", j->pictures[i].label);
    }
    j->title = title ? gk_text("%s", title) : names ? gk_text("%s", names) : NULL;
    free(names);
    bool one_split = true, one_op = true;
    for (int i = 1; i < j->n; i++) {
        one_split = one_split && j->pictures[i].split.id == split->id;
        one_op = one_op && strcmp(j->pictures[i].split.op, split->op) == 0;
    }
    const char *op = one_op ? split->op : "several operations";
    j->task = one_split ? gk_text("%s mod %d, %d train cells", op, split->p, split->n_train)
                        : gk_text("%s mod %d, several splits", op, split->p);
    if (!j->title || !j->task) return GK_FAILED;
    j->page.title = j->title;
    j->page.task = j->task;
    j->page.split = one_split ? split->sha256 : NULL;
    j->page.version = GK_VERSION;
    j->page.p = split->p;
    j->page.order = j->labels.form == GK_FORM_PRODUCT ? j->labels.power : NULL;
    return GK_OK;
}

static int job_load(report_job *j, gk_store *s, const int64_t *runs, int n, const gk_cli_args *args)
{
    int code = GK_OK;
    for (; j->n < n && code == GK_OK; j->n++) code = gk_picture_load(&j->pictures[j->n], s, runs[j->n]);
    if (code == GK_OK) code = check_split(j, gk_cli_given(args, "across-splits") != NULL);
    if (code == GK_OK) code = gk_picture_name(j->pictures, n, true);
    for (int i = 0; i < n && code == GK_OK; i++) code = gk_picture_add_curves(&j->pictures[i], s);
    if (code == GK_OK) code = add_frames(j, s);
    if (code == GK_OK)
        code = gk_store_query(s, "SELECT name, unit, description FROM metric_name ORDER BY name", NULL, take_metric, j);
    if (code == GK_OK) code = describe(j, gk_cli_given(args, "title"));
    if (code == GK_OK) code = add_queries(j);
    for (int i = 0; i < n && code == GK_OK; i++) {
        const gk_picture *p = &j->pictures[i];
        j->runs[i] = (gk_plot_page_run){.run = p->run,
                                        .id = p->row.id,
                                        .uid = p->row.uid,
                                        .status = p->row.status,
                                        .started_at = p->row.started_at,
                                        .wall_seconds = p->row.wall_seconds,
                                        .n_settings = p->n_settings,
                                        .settings = p->settings};
    }
    j->page.n = n;
    j->page.runs = j->runs;
    j->page.metrics = j->metrics;
    j->page.sql = j->sql;
    return code;
}

/* ---- writing ---- */

/* One page from the store as it is now. *training: does some run still train? */
static int write_page(const gk_cli *cli, const gk_cli_args *args, const int64_t *runs, int n, int refresh,
                      size_t *bytes, bool *training)
{
    gk_store *s = NULL;
    char *html = NULL;
    const char *path = gk_cli_given(args, "output");
    report_job *j = gk_calloc(1, sizeof *j);
    int code = j ? gk_cli_open(cli, GK_STORE_READ, &s) : GK_FAILED;
    if (code == GK_OK) code = job_load(j, s, runs, n, args);
    code = gk_cli_close(s, code);
    *training = false;
    for (int i = 0; j && i < j->n; i++)
        *training = *training || (j->pictures[i].loaded && strcmp(j->pictures[i].row.status, "running") == 0);
    if (code == GK_OK) {
        j->page.refresh = *training ? refresh : 0;
        code = gk_plot_page_html(&j->page, &html, bytes);
    }
    if (code == GK_OK) code = gk_plot_save(path ? path : "report.html", html, *bytes);
    free(html);
    if (j) job_free(j);
    free(j);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    int64_t runs[MOST_RUNS], step, every = 5;
    const char *path = gk_cli_given(args, "output") ? gk_cli_given(args, "output") : "report.html";
    const bool watch = gk_cli_given(args, "watch") != NULL;
    gk_store *s = NULL;
    int code = gk_cli_given_int(args, "every", 1, 3600, &every);
    if (code == GK_OK && args->n_words > MOST_RUNS)
        code = gk_error(GK_USAGE, "%d runs: a page shows 1 to %d", args->n_words, MOST_RUNS);
    if (code == GK_OK) code = gk_cli_open(cli, GK_STORE_READ, &s);
    for (int i = 0; i < args->n_words && code == GK_OK; i++) {
        code = gk_cli_run_at(s, args->words[i], &runs[i], &step);
        if (code == GK_OK && step >= 0)
            code = gk_error(GK_USAGE, "'%s': a page shows all steps of a run", args->words[i]);
    }
    code = gk_cli_close(s, code);
    if (watch) gk_cli_signals_catch();
    for (bool training = true; code == GK_OK && training;) {
        size_t bytes = 0;
        code = write_page(cli, args, runs, args->n_words, (int)every, &bytes, &training);
        if (code == GK_OK) fprintf(stderr, "%s: %.2f MB\n", path, (double)bytes / 1e6);
        if (!watch) break;
        /* a signal ends the pause early */
        for (int64_t i = 0; i < 10 * every && code == GK_OK && training && !gk_cli_signal(); i++)
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        if (gk_cli_signal()) return gk_error(GK_INTERRUPTED, "stopped watching; %s is as of the last writing", path);
    }
    return code;
}

const gk_command gk_cmd_report = {
    .name = "report",
    .summary = "writes one self-contained HTML page about runs",
    .usage = "RUN ... [-o page.html]",
    .detail =
        "The page opens from disk without a network: curves with a common cursor, the feature matrices of all runs\n"
        "moved together by one slider over training (aligned by phase, step or fraction), spectra, measures, the\n"
        "settings that differ, and under each figure the SQL that made its data.\n"
        "--watch writes it again while training goes on, and an open page reads itself again.",
    .options = options,
    .least = 1,
    .most = -1,
    .run = run,
};
