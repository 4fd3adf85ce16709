/* cmd_rename.c: groklab rename. */
#include "commands.h"

/* A name that several runs have finds none of them. */
static int tell_namesakes(gk_store *s, const char *name)
{
    gk_cell n;
    const char *const params[] = {name, NULL};
    const int code = gk_cli_number(s, "SELECT count(*) FROM run WHERE name = ?1", params, &n);
    if (code == GK_OK && n.integer > 1)
        fprintf(stderr, "%lld runs are named '%s' now; say which by its number\n", (long long)n.integer, name);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    int code = gk_cli_open(cli, GK_STORE_WRITE, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) code = gk_store_rename(s, id, args->words[1]);
    if (code == GK_OK) code = tell_namesakes(s, args->words[1]);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_rename = {
    .name = "rename",
    .summary = "gives a run another name",
    .usage = "RUN NAME",
    .least = 2,
    .most = 2,
    .run = run,
};
