/* cmd_resume.c: groklab resume. */
#include "commands.h"

static const gk_cli_option options[] = {
    {"quiet", 'q', NULL, "says nothing while training"},
    {NULL, 0, NULL, NULL},
};

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id = 0;
    int code = gk_cli_open(cli, GK_STORE_WRITE, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) code = gk_cli_resume(s, id, gk_cli_given(args, "quiet") != NULL);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_resume = {
    .name = "resume",
    .summary = "goes on with an interrupted run from its last checkpoint, to the same bits",
    .usage = "RUN",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
