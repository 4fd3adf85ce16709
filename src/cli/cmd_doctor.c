/* cmd_doctor.c: groklab doctor. */
#include "commands.h"

static const gk_cli_option options[] = {
    {"repair", 0, NULL, "marks dead runs as killed; does nothing that could lose data"},
    {NULL, 0, NULL, NULL},
};

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
    .detail = "Exit status 0 when all is in order, 1 when something was found.",
    .options = options,
    .listing = true,
    .run = run,
};
