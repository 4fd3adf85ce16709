/* cmd_diff.c: groklab diff. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

/* Settings of one run; the name is no setting. Beside the config: method, split and version. */
#define SETTINGS(name, param)                                                                                               \
    name "(key, value) AS (SELECT key, value FROM param WHERE run_id = CAST(" param " AS INTEGER) AND key <> 'name'"         \
         " UNION ALL SELECT 'method', method FROM run WHERE id = CAST(" param " AS INTEGER)"                                 \
         " UNION ALL SELECT 'split', split_id FROM run WHERE id = CAST(" param " AS INTEGER)"                                \
         " UNION ALL SELECT 'version', version FROM run WHERE id = CAST(" param " AS INTEGER))"

static const char DIFF[] = "WITH " SETTINGS("a", "?1") ", " SETTINGS("b", "?2")
    " SELECT k.key AS setting, a.value AS a, b.value AS b"
    " FROM (SELECT key FROM a UNION SELECT key FROM b) k LEFT JOIN a ON a.key = k.key LEFT JOIN b ON b.key = k.key"
    " WHERE a.value IS NOT b.value ORDER BY k.key";

typedef struct diff {
    gk_list list;
    gk_list_format format;
    const char *titles[3];
} diff;

static int take_row(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    diff *d = context;
    (void)names;
    return cells ? gk_list_row(&d->list, cells) : gk_list_begin(&d->list, stdout, d->format, columns, d->titles);
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t run;
    char ids[2][24];
    gk_run_row rows[2] = {{0}, {0}};
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    for (int i = 0; i < 2 && code == GK_OK; i++) {
        if ((code = gk_store_find_run(s, args->words[i], &run)) != GK_OK) break;
        snprintf(ids[i], sizeof ids[i], "%lld", (long long)run);
        code = gk_store_get_run(s, run, &rows[i]);
    }
    if (code == GK_OK) {
        const gk_list_format format = gk_list_format_of(args);
        const bool table = format == GK_LIST_TABLE;
        char *a = gk_text("%s %s", ids[0], rows[0].name), *b = gk_text("%s %s", ids[1], rows[1].name);
        diff d = {.format = format, .titles = {"setting", table && a ? a : "a", table && b ? b : "b"}};
        const char *const params[] = {ids[0], ids[1], NULL};
        code = gk_store_query(s, DIFF, params, take_row, &d);
        const bool differ = d.list.rows > 0;
        if (code == GK_OK && (differ || !table)) gk_list_end(&d.list);
        else gk_list_free(&d.list);
        if (code == GK_OK && differ) {
            code = GK_DIFFERS;
            cli->told = true;
        }
        free(a);
        free(b);
    }
    gk_run_row_free(&rows[0]);
    gk_run_row_free(&rows[1]);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_diff = {
    .name = "diff",
    .summary = "shows the settings in which two runs differ",
    .usage = "RUN RUN",
    .detail = "Like diff: nothing to show is exit status 0; settings that differ are exit status 4.",
    .least = 2,
    .most = 2,
    .listing = true,
    .run = run,
};
