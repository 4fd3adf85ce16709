/* cmd_rename.c: groklab rename. */
#include "commands.h"

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    int code = gk_cli_open(cli, GK_STORE_WRITE, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) code = gk_store_rename(s, id, args->words[1]);
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
