/* cmd_help.c: groklab help. */
#include "commands.h"

static const gk_cli_option options[] = {
    {"keys", 0, NULL, "lists every configuration key, its range and default"},
    {"man", 0, NULL, "prints the manual page (troff)"},
    {"completion", 0, NULL, "prints the bash completion script"},
    {NULL, 0, NULL, NULL},
};

static int run(gk_cli *cli, const gk_cli_args *args)
{
    if (gk_cli_given(args, "keys")) {
        gk_help_keys(stdout);
    } else if (gk_cli_given(args, "man")) {
        gk_manual_page(stdout, cli->commands);
    } else if (gk_cli_given(args, "completion")) {
        gk_manual_completion(stdout, cli->commands);
    } else if (args->n_words == 0) {
        gk_help_overview(stdout, cli->commands);
    } else {
        const gk_command *command = gk_help_find(cli->commands, args->words[0]);
        if (!command) return gk_help_unknown(cli->commands, args->words[0]);
        gk_help_command(stdout, command);
    }
    return GK_OK;
}

const gk_command gk_cmd_help = {
    .name = "help",
    .summary = "explains a command, the settings, or prints the manual page",
    .usage = "[COMMAND | --keys | --man | --completion]",
    .detail = "groklab help --man | man -l - shows the manual page;\n"
              "source <(groklab help --completion) completes commands, options and runs in bash.",
    .options = options,
    .most = 1,
    .run = run,
};
