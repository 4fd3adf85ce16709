/* cmd_tag.c: groklab tag: words of your own on runs. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"remove", 0, "KEY", "takes a tag away; may be repeated"},
    {NULL, 0, NULL, NULL},
};

/* An empty parameter lists the tags of all runs. */
static const char LIST[] = "SELECT t.run_id AS run, r.name, t.key, t.value FROM tag t JOIN run r ON r.id = t.run_id"
                           " WHERE ?1 = '' OR t.run_id = CAST(?1 AS INTEGER) ORDER BY t.run_id, t.key";

/* "key=value", or "key" alone for an empty value. */
static int set(gk_store *s, int64_t run, const char *word)
{
    const char *equals = strchr(word, '=');
    char *key = equals ? gk_text("%.*s", (int)(equals - word), word) : gk_text("%s", word);
    int code = key ? gk_store_tag(s, run, key, equals ? equals + 1 : "") : GK_FAILED;
    free(key);
    return code;
}

/* All changes, or none. */
static int change(gk_store *s, int64_t run, const gk_cli_args *args)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int i = 1; i < args->n_words && code == GK_OK; i++) code = set(s, run, args->words[i]);
    for (int i = 0; i < args->n_options && code == GK_OK; i++)
        if (strcmp(args->options[i].name, "remove") == 0) code = gk_store_tag(s, run, args->options[i].value, NULL);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    const bool removes = gk_cli_given(args, "remove") != NULL, writes = args->n_words > 1 || removes;
    if (removes && args->n_words == 0) return gk_error(GK_USAGE, "--remove needs a RUN");
    gk_store *s = NULL;
    int64_t id = 0;
    int code = gk_cli_open(cli, writes ? GK_STORE_WRITE : GK_STORE_READ, &s);
    if (code == GK_OK && args->n_words > 0) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK && writes) code = change(s, id, args);
    if (code == GK_OK && !writes) {
        char text[24] = "";
        if (id > 0) snprintf(text, sizeof text, "%" PRId64, id);
        const char *const params[] = {text, NULL};
        size_t rows;
        code = gk_list_query(s, gk_list_format_of(args), LIST, params, &rows);
        if (code == GK_OK && rows == 0) fputs(id > 0 ? "no tags on this run\n" : "no tags\n", stderr);
    }
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_tag = {
    .name = "tag",
    .summary = "puts words of your own on a run, or lists them",
    .usage = "[RUN [KEY[=VALUE] ...]]",
    .detail =
        "A key has one value on a run; a new one replaces it. 'groklab ls --tag KEY' lists the runs that have it.\n"
        "example: groklab tag @last figure=3 baseline",
    .options = options,
    .most = -1,
    .listing = true,
    .run = run,
};
