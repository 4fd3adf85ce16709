/* cmd_doctor.c: groklab doctor. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"repair", 0, NULL, "marks dead runs as killed; does nothing that could lose data"},
    {"metadata", 0, NULL, "prints what each table and column is, as Datasette's metadata.json; checks nothing"},
    {NULL, 0, NULL, NULL},
};

/* Datasette knows a database by its file's name without the ending. */
static int print_metadata(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    char *name = gk_text("%.*s", dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    char *json = name ? gk_store_metadata(name) : NULL;
    const int code = json ? GK_OK : GK_FAILED;
    if (json) puts(json);
    free(name);
    free(json);
    return code;
}

static void say(void *context, const char *line)
{
    gk_list *list = context;
    if (list->format == GK_LIST_TABLE) {
        puts(line);
    } else {
        const gk_cell cell = gk_cell_text(line);
        gk_list_row(list, &cell); /* CSV and JSON stream; nothing to run out of */
    }
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    static const char *const names[] = {"finding"};
    const bool repair = gk_cli_given(args, "repair") != NULL;
    if (gk_cli_given(args, "metadata"))
        return repair ? gk_error(GK_USAGE, "--repair and --metadata exclude each other") : print_metadata(cli->db);
    gk_store *s = NULL;
    gk_list list = {.format = gk_list_format_of(args)};
    int code = gk_cli_open(cli, repair ? GK_STORE_WRITE : GK_STORE_READ, &s);
    if (code != GK_OK) return code;
    if (list.format != GK_LIST_TABLE) code = gk_list_begin(&list, stdout, list.format, 1, names);
    const int found = code == GK_OK ? gk_store_doctor(s, repair, say, &list) : code;
    if (list.format != GK_LIST_TABLE) gk_list_end(&list);
    if (found < 0) return gk_cli_close(s, found);
    if (found == 0) fprintf(stderr, "%s is in order\n", cli->db);
    else code = gk_error(GK_FAILED, "%d problem%s in %s", found, found == 1 ? "" : "s", cli->db);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_doctor = {
    .name = "doctor",
    .summary = "checks a database: integrity, foreign keys, hashes, dead runs",
    .usage = "",
    .detail = "Exit status 0 when all is in order, 1 when something was found. --repair marks runs whose process is gone as\n"
              "killed and folds a leftover log in; 'groklab resume' goes on with such a run.\n"
              "example: groklab doctor --metadata >metadata.json; datasette runs/groklab.db -m metadata.json",
    .options = options,
    .listing = true,
    .run = run,
};
