/* cmd_train.c: groklab train. */
#include "commands.h"

#include <stdlib.h>

static const gk_cli_option options[] = {
    {"quiet", 'q', NULL, "says nothing while training"},
    {NULL, 0, NULL, NULL},
};

static int configure(gk_config *config, const gk_cli_args *args)
{
    int code = GK_OK;
    for (int i = 0; i < args->n_keys && code == GK_OK; i++) {
        char *where = gk_text("--%s", args->keys[i].name);
        if (!where) return GK_FAILED;
        code = gk_config_set(config, args->keys[i].name, args->keys[i].value, where);
        free(where);
    }
    return code;
}

/* The split is made before the database is touched, so that a wrong one leaves nothing behind. */
static int check_split(const gk_config *config)
{
    gk_split split;
    int code = gk_registry_split(&split, config);
    if (code == GK_OK) gk_split_free(&split);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_config config = {0};
    gk_store *s = NULL;
    int64_t id = 0;
    int code = gk_registry_config(&config, args->words[0]);
    if (code != GK_OK) return code;
    if ((code = configure(&config, args)) == GK_OK && (code = check_split(&config)) == GK_OK &&
        (code = gk_cli_open(cli, GK_STORE_CREATE, &s)) == GK_OK) {
        code = gk_cli_train(s, args->words[0], &config, gk_cli_given(args, "quiet") != NULL, &id);
        if (id > 0) printf("%lld\n", (long long)id);
    }
    gk_config_free(&config);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_train = {
    .name = "train",
    .summary = "trains one run",
    .usage = "METHOD [--key value ...]",
    .detail = "METHOD is mlp, transformer or rfm. Prints the id of the run.\n"
              "example: groklab train mlp --p 61 --op mul --width 256 --steps 50",
    .options = options,
    .least = 1,
    .most = 1,
    .keys = true,
    .run = run,
};
