/* cmd_rm.c: groklab rm: removes runs with all that belongs to them. */
#include "commands.h"

#include <stdlib.h>

static const gk_cli_option options[] = {
    {"dry-run", 'n', NULL, "only says what would be removed"},
    {NULL, 0, NULL, NULL},
};

/* The runs that the words name, each once. */
static int find_runs(gk_store *s, const gk_cli_args *args, int64_t *ids, int *n)
{
    for (int i = 0; i < args->n_words; i++) {
        int code = gk_store_find_run(s, args->words[i], &ids[*n]);
        if (code != GK_OK) return code;
        int k = 0;
        while (ids[k] != ids[*n]) k++;
        if (k == *n) (*n)++;
    }
    return GK_OK;
}

static int remove_one(gk_store *s, int64_t id, bool dry, gk_list *list, int64_t *bytes)
{
    gk_run_row row;
    gk_run_extent what = {0};
    int code = gk_store_get_run(s, id, &row);
    if (code != GK_OK) return code;
    code = gk_store_remove(s, id, dry, &what);
    *bytes += what.bytes;
    if (code == GK_OK) {
        const gk_cell cells[] = {gk_cell_int(id),
                                 gk_cell_text(row.name),
                                 gk_cell_text(row.method),
                                 gk_cell_int(what.metrics),
                                 gk_cell_int(what.events),
                                 gk_cell_int(what.matrices),
                                 gk_cell_int(what.checkpoints),
                                 gk_cell_int(what.comparisons),
                                 gk_cell_int(what.bytes)};
        code = gk_list_row(list, cells);
    }
    gk_run_row_free(&row);
    return code;
}

/* All of them, or none. */
static int remove_all(gk_store *s, const int64_t *ids, int n, bool dry, gk_list *list, int64_t *bytes)
{
    int code = dry ? GK_OK : gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int i = 0; i < n && code == GK_OK; i++) code = remove_one(s, ids[i], dry, list, bytes);
    if (dry) return code;
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    static const char *const names[] = {"run",      "name",        "method",      "metrics", "events",
                                        "matrices", "checkpoints", "comparisons", "bytes"};
    const bool dry = gk_cli_given(args, "dry-run") != NULL;
    gk_store *s = NULL;
    gk_list list;
    int n = 0;
    int64_t bytes = 0, *ids = gk_calloc((size_t)args->n_words + 1, sizeof *ids);
    int code = ids ? gk_cli_open(cli, dry ? GK_STORE_READ : GK_STORE_WRITE, &s) : GK_FAILED;
    if (code == GK_OK) code = find_runs(s, args, ids, &n);
    if (code == GK_OK) {
        code = gk_list_begin(&list, stdout, gk_list_format_of(args), 9, names);
        if (code == GK_OK) code = remove_all(s, ids, n, dry, &list, &bytes);
        if (code == GK_OK)
            gk_list_end(&list);
        else
            gk_list_free(&list);
    }
    if (code == GK_OK)
        fprintf(stderr, "%s %d run%s with %.1f MB of matrices and weights\n", dry ? "would remove" : "removed", n,
                n == 1 ? "" : "s", (double)bytes / 1e6);
    free(ids);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_rm = {
    .name = "rm",
    .summary = "removes runs with all that belongs to them",
    .usage = "RUN ...",
    .detail =
        "Metrics, events, matrices, checkpoints, tags and comparisons go with a run; its split stays. A run that a\n"
        "living process trains is refused. The file keeps its size, and later runs fill the room;\n"
        "groklab sql --write VACUUM gives it back.",
    .options = options,
    .least = 1,
    .most = -1,
    .listing = true,
    .run = run,
};
