/* cmd_ls.c: groklab ls. */
#include "commands.h"
#include "groups.h"

#include <string.h>
#include <unistd.h>

static const gk_cli_option options[] = {
    {"method", 0, "METHOD", "only runs of this method"},
    {"op", 0, "OP", "only runs on this operation"},
    {"split", 0, "SPLIT", "only runs on this split: its id or the start of its sha256"},
    {"status", 0, "STATUS", "only runs that are running, finished, interrupted, diverged, failed or killed"},
    {"tag", 0, "KEY[=VALUE]", "only runs with this tag"},
    {"group-by", 0, "SETTINGS", "one row a group: equal in these (a,b), or in all but these (all-but-seed)"},
    {NULL, 0, NULL, NULL},
};

/* KEY=VALUE, or KEY with any value. */
#define TAGGED(run)                                                                                                         \
    " AND (?5 = '' OR EXISTS (SELECT 1 FROM tag WHERE tag.run_id = " run " AND tag.key || '=' || tag.value = ?5"             \
    " OR tag.run_id = " run " AND tag.key = ?5))"

/* The uid is cut in a table, and on a terminal a very long name; programs get both whole. */
#define SHORT_UID  "substr(uid, 1, 8)"
#define SHORT_NAME "iif(length(run) > 64, substr(run, 1, 42) || '…' || substr(run, -21), run)"

/* An empty parameter filters nothing. */
#define LIST(uid, name)                                                                                                     \
    "SELECT run_id AS run, " uid " AS uid, " name " AS name, method, op, p, split_id AS split, status, step, step_unit AS unit," \
    " train_accuracy AS train, test_accuracy AS test, memorised_step AS memorised, grokked_step AS grokked,"               \
    " round(wall_seconds, 2) AS seconds"                                                                                     \
    " FROM run_summary WHERE (?1 = '' OR method = ?1) AND (?2 = '' OR op = ?2)"                                              \
    " AND (?3 = '' OR split_id = CAST(?3 AS INTEGER)) AND (?4 = '' OR status = ?4)" TAGGED("run_summary.run_id") " ORDER BY run_id"

/* The same filters, for the groups. */
static const char GROUPED[] = "(?1 = '' OR r.method = ?1) AND (?2 = '' OR s.op = ?2)"
                              " AND (?3 = '' OR r.split_id = CAST(?3 AS INTEGER)) AND (?4 = '' OR r.status = ?4)" TAGGED("r.id");

enum { DEAD_SHOWN = 3 };

/* A run whose process was killed is marked as running until someone says otherwise. */
static void say_dead(void *context, const char *line)
{
    int *said = context;
    if ((*said)++ < DEAD_SHOWN) fprintf(stderr, "%s\n", line);
}

static int tell_dead(gk_store *s)
{
    int said = 0;
    const int n = gk_store_dead(s, say_dead, &said);
    if (n > DEAD_SHOWN) fprintf(stderr, "and %d more\n", n - DEAD_SHOWN);
    if (n > 0) fputs("'groklab resume RUN' goes on with one, 'groklab doctor --repair' marks them as killed\n", stderr);
    return n < 0 ? n : GK_OK;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    static const char *const filters[] = {"method", "op", "split", "status", "tag"};
    static const char *const statuses[] = {"running", "finished", "interrupted", "diverged", "failed", "killed", NULL};
    const char *params[6] = {"", "", "", "", "", NULL};
    for (int i = 0; i < 5; i++)
        if (gk_cli_given(args, filters[i])) params[i] = gk_cli_given(args, filters[i]);
    if (gk_cli_given(args, "method") && !gk_registry_method(params[0], GK_F32)) return GK_USAGE;
    if (gk_cli_given(args, "status") && !gk_cli_is_one_of(params[3], statuses))
        return gk_error(GK_USAGE, "--status: '%s' is not running, finished, interrupted, diverged, failed or killed",
                        params[3]);
    gk_store *s = NULL;
    int64_t split;
    char id[24];
    size_t rows = 0;
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK && params[2][0] && (code = gk_store_find_split(s, params[2], &split)) == GK_OK) {
        snprintf(id, sizeof id, "%lld", (long long)split);
        params[2] = id;
    }
    const gk_list_format format = gk_list_format_of(args);
    const char *list = LIST("uid", "run");
    if (format == GK_LIST_TABLE) list = isatty(STDOUT_FILENO) ? LIST(SHORT_UID, SHORT_NAME) : LIST(SHORT_UID, "run");
    const char *by = gk_cli_given(args, "group-by");
    if (code == GK_OK && by) code = gk_groups_list(s, format, by, GROUPED, params, &rows);
    else if (code == GK_OK)
        code = gk_list_query(s, format, list, params, &rows);
    if (code == GK_OK && rows == 0) fprintf(stderr, "no such runs in %s\n", cli->db);
    if (code == GK_OK && (!params[3][0] || strcmp(params[3], "running") == 0)) code = tell_dead(s);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_ls = {
    .name = "ls",
    .summary = "lists runs",
    .usage = "",
    .detail = "With --group-by all-but-seed a row is a group of runs that share every setting but the seed: their number n,\n"
              "mean final test accuracy, and how many memorised and grokked with mean, standard deviation, least and most\n"
              "of the steps at which they did.\n"
              "example: groklab ls --group-by train_fraction,weight_decay --status finished",
    .options = options,
    .listing = true,
    .run = run,
};
