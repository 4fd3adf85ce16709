/* cmd_import.c: groklab import: a run from given weights. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"method", 0, "METHOD", "mlp, transformer or rfm"},
    {"tensor", 0, "NAME=FILE", "one tensor from an npy file, instead of FILE; repeated for each"},
    {"quiet", 'q', NULL, "says nothing"},
    {NULL, 0, NULL, NULL},
};

/* What the tensors come from: FILE, or all --tensor options as NAME=FILE,NAME=FILE; malloc'ed. */
static char *source_of(const gk_cli_args *args)
{
    char *list = NULL;
    for (int i = 0; i < args->n_options; i++) {
        const char *value = args->options[i].value;
        if (strcmp(args->options[i].name, "tensor") != 0) continue;
        if (strchr(value, ',') || !strchr(value, '=')) {
            gk_error(GK_USAGE, "--tensor: '%s' is not NAME=FILE.npy without a comma", value);
            free(list);
            return NULL;
        }
        char *longer = gk_text("%s%s%s", list ? list : "", list ? "," : "", value);
        free(list);
        if (!(list = longer)) return NULL;
    }
    if ((list != NULL) == (args->n_words > 0)) {
        gk_error(GK_USAGE, "import takes either a FILE or --tensor NAME=FILE for each tensor");
        free(list);
        return NULL;
    }
    return list ? list : gk_text("%s", args->words[0]);
}

/* An imported run is one that starts from a file and takes no step: it is evaluated, measured and kept at step 0. */
static int configure(gk_config *config, const gk_cli_args *args, const char *source)
{
    int code = GK_OK;
    for (int i = 0; i < args->n_keys && code == GK_OK; i++) {
        char where[96];
        snprintf(where, sizeof where, "--%.80s", args->keys[i].name);
        if (strcmp(args->keys[i].name, "steps") == 0 || strcmp(args->keys[i].name, "init_file") == 0)
            return gk_error(GK_USAGE,
                            "%s: an import takes no step and starts from FILE; 'groklab train' with --init_file "
                            "goes on from it",
                            where);
        code = gk_config_set(config, args->keys[i].name, args->keys[i].value, where);
    }
    if (code == GK_OK) code = gk_config_set(config, "init_file", source, "FILE");
    return code == GK_OK ? gk_config_set(config, "steps", "0", "steps") : code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    const char *method = gk_cli_given(args, "method");
    if (!method) return gk_error(GK_USAGE, "import needs --method mlp, transformer or rfm");
    gk_config config;
    gk_store *s = NULL;
    int64_t id = 0;
    char *source = source_of(args);
    if (!source) return GK_USAGE;
    int code = gk_registry_config(&config, method);
    if (code != GK_OK) {
        free(source);
        return code;
    }
    code = configure(&config, args, source);
    if (code == GK_OK) code = gk_cli_open(cli, GK_STORE_CREATE, &s);
    if (code == GK_OK) code = gk_cli_train(s, method, &config, gk_cli_given(args, "quiet") != NULL, &id);
    if (id > 0) printf("%lld\n", (long long)id);
    gk_config_free(&config);
    free(source);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_import = {
    .name = "import",
    .summary = "makes a run from the weights of others",
    .usage = "FILE --method METHOD [--key value ...]",
    .detail =
        "FILE is safetensors, or an npz archive (numpy.savez) with the same names; or each tensor is an npy file of "
        "its\n"
        "own, by --tensor. Names, shapes and number types are those that 'groklab export' writes: TransformerLens's "
        "for\n"
        "the transformer, fc1.weight and out.weight for the mlp, M and alpha for the rfm. The settings must describe\n"
        "the weights: p, width or d_model, and the split that they were trained on. The run is evaluated, measured "
        "and\n"
        "kept at step 0, and can be compared like any other. Prints its id.\n"
        "example: groklab import weights.safetensors --method transformer --p 113 --train_fraction 0.3",
    .options = options,
    .most = 1,
    .keys = true,
    .run = run,
};
