/* cmd_note.c: groklab note: a remark on a run. */
#include "commands.h"

#include <inttypes.h>

static const gk_cli_option options[] = {
    {"remove", 0, NULL, "takes the note away"},
    {NULL, 0, NULL, NULL},
};

static int print_note(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    bool *found = context;
    if (!cells || !cells[0].text) return GK_OK;
    *found = true;
    puts(cells[0].text);
    return GK_OK;
}

static int show(gk_store *s, int64_t id)
{
    char text[24];
    bool found = false;
    snprintf(text, sizeof text, "%" PRId64, id);
    const char *const params[] = {text, NULL};
    int code =
        gk_store_query(s, "SELECT CAST(value AS TEXT) FROM tag WHERE run_id = CAST(?1 AS INTEGER) AND key = 'note'",
                       params, print_note, &found);
    if (code == GK_OK && !found) fprintf(stderr, "run %lld has no note\n", (long long)id);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    const bool removes = gk_cli_given(args, "remove") != NULL, writes = args->n_words > 1 || removes;
    if (removes && args->n_words > 1) return gk_error(GK_USAGE, "a TEXT and --remove exclude each other");
    if (writes && !removes && !args->words[1][0])
        return gk_error(GK_USAGE, "an empty note; --remove takes the old one away");
    gk_store *s = NULL;
    int64_t id;
    int code = gk_cli_open(cli, writes ? GK_STORE_WRITE : GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) code = writes ? gk_store_tag(s, id, "note", removes ? NULL : args->words[1]) : show(s, id);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_note = {
    .name = "note",
    .summary = "writes a remark on a run, or prints it",
    .usage = "RUN [TEXT]",
    .detail = "The note is the tag 'note'; a new one replaces it.\n"
              "example: groklab note @last \"the seed that never groks\"",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
