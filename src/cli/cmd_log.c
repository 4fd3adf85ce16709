/* cmd_log.c: groklab log. */
#include "commands.h"
#include "follow.h"

#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"metrics", 'm', "NAME,...", "these metrics (default: loss and accuracy on train and test)"},
    {"names", 0, NULL, "lists the metrics that the run has"},
    {"from", 0, "STEP", "from this step on"},
    {"to", 0, "STEP", "up to this step"},
    {"every", 0, "N", "only steps that N divides"},
    {"follow", 'f', NULL, "goes on while the run trains: sparklines on a terminal, rows of CSV elsewhere"},
    {NULL, 0, NULL, NULL},
};

enum { COLUMNS_MAX = 32 };

typedef struct names {
    char *name[COLUMNS_MAX + 1];
    int n;
} names;

static void names_free(names *v)
{
    for (int i = 0; i < v->n; i++) free(v->name[i]);
}

static int split_names(names *out, const char *list)
{
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        if (length > 0) {
            if (out->n == COLUMNS_MAX) return gk_error(GK_USAGE, "--metrics: at most %d metrics at once", COLUMNS_MAX);
            if (!(out->name[out->n] = gk_text("%.*s", (int)length, at))) return GK_FAILED;
            out->n++;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return out->n > 0 ? GK_OK : gk_error(GK_USAGE, "--metrics needs a name, e.g. --metrics test_loss");
}

typedef struct known {
    char **name;
    int n;
} known;

static int take_known(void *context, int columns, const char *const *titles, const gk_cell *cells)
{
    (void)columns;
    (void)titles;
    known *k = context;
    if (!cells) return GK_OK;
    char **more = realloc(k->name, (size_t)(k->n + 2) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for the names of the metrics");
    k->name = more;
    more[k->n] = gk_text("%s", cells[0].text);
    more[++k->n] = NULL;
    return more[k->n - 1] ? GK_OK : GK_FAILED;
}

/* Every wanted metric must be one that the run has. */
static int check_names(gk_store *s, const char *run, const names *wanted)
{
    const char *const params[] = {run, NULL};
    known k = {0};
    int code = gk_store_query(s,
                              "SELECT name FROM metric_name n WHERE EXISTS (SELECT 1 FROM metric m"
                              " WHERE m.run_id = CAST(?1 AS INTEGER) AND m.metric_id = n.id) ORDER BY name",
                              params, take_known, &k);
    for (int i = 0; i < wanted->n && code == GK_OK; i++) {
        bool found = false;
        for (int j = 0; j < k.n; j++) found = found || strcmp(k.name[j], wanted->name[i]) == 0;
        if (found) continue;
        const char *near = k.n ? gk_text_nearest(wanted->name[i], (const char *const *)k.name) : NULL;
        code = gk_error(GK_NOTFOUND, "run %s has no metric '%s'%s%s%s ('groklab log %s --names' lists them)", run,
                        wanted->name[i], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", run);
    }
    for (int j = 0; j < k.n; j++) free(k.name[j]);
    free(k.name);
    return code;
}

/* One column a metric. The names are known to the database, and quoted all the same. */
static char *curves_sql(const names *wanted)
{
    char *sql = gk_text("SELECT m.step");
    for (int i = 0; i < wanted->n && sql; i++) {
        char *quoted = gk_alloc(2 * strlen(wanted->name[i]) + 1, 1), *q = quoted;
        for (const char *c = wanted->name[i]; quoted && *c; c++) {
            if (*c == '"') *q++ = '"';
            *q++ = *c;
        }
        if (quoted) *q = '\0';
        char *longer = quoted ? gk_text("%s, max(CASE WHEN n.name = ?%d THEN m.value END) AS \"%s\"", sql, i + 5, quoted) : NULL;
        free(quoted);
        free(sql);
        sql = longer;
    }
    char *in = gk_text("?5");
    for (int i = 1; i < wanted->n && in; i++) {
        char *longer = gk_text("%s, ?%d", in, i + 5);
        free(in);
        in = longer;
    }
    char *whole = sql && in ? gk_text("%s FROM metric_name n CROSS JOIN metric m ON m.metric_id = n.id"
                                      " AND m.run_id = CAST(?1 AS INTEGER) AND m.step BETWEEN CAST(?2 AS INTEGER)"
                                      " AND CAST(?3 AS INTEGER) WHERE n.name IN (%s) AND m.step %% CAST(?4 AS INTEGER) = 0"
                                      " GROUP BY m.step ORDER BY m.step",
                                      sql, in)
                            : NULL;
    free(sql);
    free(in);
    return whole;
}

static int list_curves(gk_store *s, const gk_cli_args *args, const char *run, names *wanted)
{
    int64_t from = 0, to = INT64_MAX, every = 1;
    int code = gk_cli_given_int(args, "from", 0, INT64_MAX, &from);
    if (code == GK_OK) code = gk_cli_given_int(args, "to", 0, INT64_MAX, &to);
    if (code == GK_OK) code = gk_cli_given_int(args, "every", 1, INT64_MAX, &every);
    const bool given = gk_cli_given(args, "metrics") != NULL;
    if (code == GK_OK)
        code = split_names(wanted, given ? gk_cli_given(args, "metrics") : "train_loss,test_loss,train_accuracy,test_accuracy");
    if (code == GK_OK && given) code = check_names(s, run, wanted);
    if (code != GK_OK) return code;
    char bounds[3][24];
    snprintf(bounds[0], sizeof bounds[0], "%lld", (long long)from);
    snprintf(bounds[1], sizeof bounds[1], "%lld", (long long)to);
    snprintf(bounds[2], sizeof bounds[2], "%lld", (long long)every);
    const char *params[COLUMNS_MAX + 5] = {run, bounds[0], bounds[1], bounds[2]};
    for (int i = 0; i < wanted->n; i++) params[4 + i] = wanted->name[i];
    char *sql = curves_sql(wanted);
    code = sql ? gk_list_query(s, gk_list_format_of(args), sql, params, NULL) : GK_FAILED;
    free(sql);
    return code;
}

static int list_names(gk_store *s, const gk_cli_args *args, const char *run)
{
    const char *const params[] = {run, NULL};
    return gk_list_query(s, gk_list_format_of(args),
                         "SELECT l.name, n.unit, l.step AS last_step, l.value AS last_value, n.description"
                         " FROM latest_metrics l JOIN metric_name n ON n.name = l.name"
                         " WHERE l.run_id = CAST(?1 AS INTEGER) ORDER BY l.name",
                         params, NULL);
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    char text[24];
    names wanted = {.n = 0};
    if (gk_cli_given(args, "follow")) return gk_cli_follow(cli, args->words[0]);
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) {
        snprintf(text, sizeof text, "%lld", (long long)id);
        code = gk_cli_given(args, "names") ? list_names(s, args, text) : list_curves(s, args, text, &wanted);
    }
    names_free(&wanted);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_log = {
    .name = "log",
    .summary = "prints the curves of a run as numbers",
    .usage = "RUN",
    .detail = "example: groklab log @last --metrics test_accuracy,circulant_deviation --csv",
    .options = options,
    .least = 1,
    .most = 1,
    .listing = true,
    .run = run,
};
