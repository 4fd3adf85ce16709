/* cmd_split.c: groklab split: splits as data. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const key_names[] = {"op", "p", "train_fraction", "split_seed", "split_generator", NULL};

static const gk_cli_option options[] = {
    {"op", 0, "OP", "operation: add, sub, mul, div or a polynomial in x and y (add)"},
    {"p", 0, "P", "modulus (61)"},
    {"train_fraction", 0, "F", "share of the pairs that is trained on (0.5)"},
    {"split_seed", 0, "N", "seed (0)"},
    {"split_generator", 0, "G", "philox or python (philox)"},
    {"output", 'o', "FILE", "export: the file to write (default: stdout)"},
    {NULL, 0, NULL, NULL},
};

#define SPLIT_COLUMNS                                                                                                       \
    "SELECT s.id AS split, s.op, s.p, s.train_fraction, s.seed, s.generator, s.n_train, s.n_test, s.sha256,"                \
    " (SELECT count(*) FROM run r WHERE r.split_id = s.id) AS runs FROM split s"

/* The settings of a split, with the defaults and the checks of the shared keys. */
static int configure(gk_config *config, const gk_cli_args *args)
{
    gk_config_init(config);
    int code = gk_config_add(config, gk_shared_keys);
    for (int i = 0; key_names[i] && code == GK_OK; i++) {
        const char *value = gk_cli_given(args, key_names[i]);
        char where[48];
        snprintf(where, sizeof where, "--%s", key_names[i]);
        if (value) code = gk_config_set(config, key_names[i], value, where);
    }
    return code;
}

static int tell(gk_store *s, const gk_cli_args *args, int64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, id);
    const char *const params[] = {text, NULL};
    return gk_list_query(s, gk_list_format_of(args), SPLIT_COLUMNS " WHERE s.id = CAST(?1 AS INTEGER)", params, NULL);
}

static int keep(const gk_cli *cli, const gk_cli_args *args, gk_split *split)
{
    gk_store *s = NULL;
    int64_t id;
    int code = gk_cli_open(cli, GK_STORE_CREATE, &s);
    if (code == GK_OK) code = gk_store_put_split(s, split, &id);
    if (code == GK_OK) code = tell(s, args, id);
    return gk_cli_close(s, code);
}

static int make_or_import(const gk_cli *cli, const gk_cli_args *args, const char *file)
{
    gk_config config;
    gk_split split;
    int code = configure(&config, args);
    if (code == GK_OK && file)
        code = gk_split_read(&split, file, gk_config_text(&config, "op"), (int)gk_config_int(&config, "p"));
    else if (code == GK_OK)
        code = gk_registry_split(&split, &config);
    gk_config_free(&config);
    if (code != GK_OK) return code;
    code = keep(cli, args, &split);
    gk_split_free(&split);
    return code;
}

static int show(const gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK && args->n_words == 1)
        code = gk_list_query(s, gk_list_format_of(args), SPLIT_COLUMNS " ORDER BY s.id", NULL, NULL);
    else if (code == GK_OK && (code = gk_store_find_split(s, args->words[1], &id)) == GK_OK)
        code = tell(s, args, id);
    return gk_cli_close(s, code);
}

static int write_text(const char *path, const char *text)
{
    gk_file file = {0};
    const int code = path ? gk_file_open(&file, path) : GK_OK;
    if (code != GK_OK) return code;
    fputs(text, path ? file.to : stdout);
    return gk_file_close(&file, GK_OK);
}

static int export_split(const gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    gk_stored_split stored;
    gk_split split;
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_store_find_split(s, args->words[1], &id);
    if (code == GK_OK && (code = gk_store_get_split(s, id, &stored)) == GK_OK) {
        code = gk_split_restore(&split, stored.op, stored.p, stored.train_fraction, stored.seed, stored.generator,
                                stored.train, stored.n_train);
        gk_stored_split_free(&stored);
        if (code == GK_OK) {
            char *csv = gk_split_csv(&split);
            code = csv ? write_text(gk_cli_given(args, "output"), csv) : GK_FAILED;
            free(csv);
            gk_split_free(&split);
        }
    }
    return gk_cli_close(s, code);
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    static const char *const verbs[] = {"make", "show", "export", "import", NULL};
    const char *verb = args->words[0];
    const bool file = strcmp(verb, "export") == 0 || strcmp(verb, "import") == 0;
    if (!gk_cli_is_one_of(verb, verbs)) {
        const char *near = gk_text_nearest(verb, verbs);
        return gk_error(GK_USAGE, "unknown verb '%s'%s%s%s; accepted: make, show, export, import", verb,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (file && args->n_words < 2) return gk_error(GK_USAGE, "split %s needs a %s", verb, verb[0] == 'e' ? "split" : "file");
    if (strcmp(verb, "make") == 0 && args->n_words > 1)
        return gk_error(GK_USAGE, "split make takes options only, e.g. --op add --p 61; got '%s'", args->words[1]);
    if (strcmp(verb, "make") == 0) return make_or_import(cli, args, NULL);
    if (strcmp(verb, "import") == 0) return make_or_import(cli, args, args->words[1]);
    return file ? export_split(cli, args) : show(cli, args);
}

const gk_command gk_cmd_split = {
    .name = "split",
    .summary = "makes, shows, exports and imports splits",
    .usage = "make | show [SPLIT] | export SPLIT | import FILE",
    .detail = "make stores a split and shows it; import reads CSV x,y,z,part (with --op and --p) and checks ranges, labels,\n"
              "duplicates and missing pairs; export writes that CSV. A split is named by its id or by four or more digits\n"
              "of its sha256. The philox cells are those of NumPy, the python ones those of CPython's random.shuffle.\n"
              "example: groklab split make --op mul --p 61 --train_fraction 0.5 --split_seed 1",
    .options = options,
    .least = 1,
    .most = 2,
    .listing = true,
    .run = run,
};
