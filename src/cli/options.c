/* options.c: the words after a command's name, against the rows of its table. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const gk_cli_option gk_cli_common[] = {
    {"db", 0, "FILE", "the database (default: $GROKLAB_DB, then runs/groklab.db)"},
    {"help", 'h', NULL, "explains the command"},
    {NULL, 0, NULL, NULL},
};

const gk_cli_option gk_cli_listing[] = {
    {"json", 0, NULL, "prints JSON, numbers in full"},
    {"csv", 0, NULL, "prints CSV with a header, numbers in full"},
    {NULL, 0, NULL, NULL},
};

/* --train-fraction is --train_fraction: a dash and an underscore are the same in a name. */
static bool same_name(const char *row, const char *name, size_t n)
{
    if (strlen(row) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (row[i] != name[i] && !((row[i] == '-' || row[i] == '_') && (name[i] == '-' || name[i] == '_'))) return false;
    return true;
}

static const gk_cli_option *find_in(const gk_cli_option *rows, const char *name, size_t n, char letter)
{
    for (; rows && rows->name; rows++)
        if (letter ? rows->letter == letter : same_name(rows->name, name, n)) return rows;
    return NULL;
}

static const gk_cli_option *find_option(const gk_command *c, const char *name, size_t n, char letter)
{
    const gk_cli_option *row = find_in(c->options, name, n, letter);
    if (!row && c->listing) row = find_in(gk_cli_listing, name, n, letter);
    return row ? row : find_in(gk_cli_common, name, n, letter);
}

static int unknown_option(const gk_command *c, const char *word)
{
    const char *names[64];
    int n = 0;
    const gk_cli_option *tables[] = {c->options, c->listing ? gk_cli_listing : NULL, gk_cli_common};
    for (int t = 0; t < 3; t++)
        for (const gk_cli_option *o = tables[t]; o && o->name && n < 63; o++) names[n++] = o->name;
    names[n] = NULL;
    const char *near = gk_text_nearest(word + strspn(word, "-"), names);
    if (near) return gk_error(GK_USAGE, "unknown option %s; did you mean --%s?", word, near);
    return gk_error(GK_USAGE, "unknown option %s; see 'groklab help %s'", word, c->name);
}

/* --key=value or --key value, for a command whose options are configuration keys: --train-fraction is train_fraction. */
static int take_key(gk_cli_args *args, const char *word, const char *next, bool *took_next)
{
    const char *equals = strchr(word, '=');
    char *name = gk_text("%.*s", equals ? (int)(equals - word) : (int)strlen(word), word);
    if (!name) return GK_FAILED;
    for (char *c = name; *c; c++)
        if (*c == '-') *c = '_';
    *took_next = !equals;
    const char *value = equals ? equals + 1 : next;
    args->keys[args->n_keys++] = (gk_cli_key){name, value};
    return value ? GK_OK : gk_error(GK_USAGE, "--%s needs a value", word);
}

static int take_option(gk_cli_args *args, const gk_cli_option *row, const char *word, const char *value, bool *took_next,
                       const char *next)
{
    if (!row->value && value) return gk_error(GK_USAGE, "--%s takes no value, got '%s'", row->name, value);
    if (row->value && !value) {
        value = next;
        *took_next = true;
        if (!value) return gk_error(GK_USAGE, "%s needs a value: %s", word, row->value);
    }
    args->options[args->n_options++] = (gk_cli_pair){row->name, row->value ? value : ""};
    return GK_OK;
}

static int take_dashed(gk_cli_args *args, const char *word, const char *next, bool *took_next)
{
    const bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    const size_t n = is_long ? (equals ? (size_t)(equals - word) : strlen(word)) - 2 : 0;
    const gk_cli_option *row = NULL;
    if (is_long) row = find_option(args->command, word + 2, n, 0);
    else if (word[2] == '\0') row = find_option(args->command, NULL, 0, word[1]);
    if (row) return take_option(args, row, word, equals ? equals + 1 : NULL, took_next, next);
    if (is_long && args->command->keys) return take_key(args, word + 2, next, took_next);
    return unknown_option(args->command, word);
}

/* A negative number is a word, not an option. */
static bool is_dashed(const char *word)
{
    double number;
    return word[0] == '-' && word[1] != '\0' && gk_text_real(word, &number) != GK_OK;
}

/* Too few words, or one too many, which is named: a setting without its dashes, say. */
static int wrong_words(const gk_cli_args *args)
{
    const gk_command *c = args->command;
    if (args->n_words < c->least) return gk_error(GK_USAGE, "usage: groklab %s %s", c->name, c->usage);
    return gk_error(GK_USAGE, "'%s' is one word too many; usage: groklab %s%s%s", args->words[c->most], c->name,
                    c->usage[0] ? " " : "", c->usage);
}

int gk_cli_parse(gk_cli_args *args, const gk_command *command, int argc, char **argv)
{
    const size_t room = (size_t)argc + 1;
    *args = (gk_cli_args){.command = command};
    args->words = gk_calloc(room, sizeof *args->words);
    args->options = gk_calloc(room, sizeof *args->options);
    args->keys = gk_calloc(room, sizeof *args->keys);
    if (!args->words || !args->options || !args->keys) return GK_FAILED;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (only_words || !is_dashed(word)) {
            args->words[args->n_words++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else {
            bool took_next = false;
            int code = take_dashed(args, word, i + 1 < argc ? argv[i + 1] : NULL, &took_next);
            if (code != GK_OK) return code;
            if (took_next) i++;
        }
    }
    if (gk_cli_given(args, "help")) return GK_OK;
    if (args->n_words < command->least || (command->most >= 0 && args->n_words > command->most))
        return wrong_words(args);
    if (gk_cli_given(args, "json") && gk_cli_given(args, "csv"))
        return gk_error(GK_USAGE, "--json and --csv exclude each other");
    return GK_OK;
}

void gk_cli_args_free(gk_cli_args *args)
{
    for (int i = 0; i < args->n_keys; i++) free(args->keys[i].name);
    free(args->words);
    free(args->options);
    free(args->keys);
    *args = (gk_cli_args){0};
}

const char *gk_cli_given(const gk_cli_args *args, const char *option)
{
    for (int i = args->n_options - 1; i >= 0; i--)
        if (strcmp(args->options[i].name, option) == 0) return args->options[i].value;
    return NULL;
}

int gk_cli_given_all(const gk_cli_args *args, const char *option, const char ***out, int *n)
{
    *n = 0;
    *out = gk_calloc((size_t)args->n_options + 1, sizeof **out);
    if (!*out) return GK_FAILED;
    for (int i = 0; i < args->n_options; i++)
        if (strcmp(args->options[i].name, option) == 0) (*out)[(*n)++] = args->options[i].value;
    return GK_OK;
}

int gk_cli_given_int(const gk_cli_args *args, const char *option, int64_t min, int64_t max, int64_t *out)
{
    const char *text = gk_cli_given(args, option);
    int64_t value;
    if (!text) return GK_OK;
    if (gk_text_int(text, &value) != GK_OK || value < min || value > max)
        return gk_error(GK_USAGE, "--%s: '%s' is not an integer from %lld to %lld", option, text, (long long)min,
                        (long long)max);
    *out = value;
    return GK_OK;
}

bool gk_cli_is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0) return true;
    return false;
}

bool gk_cli_in_list(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        if (length == n && strncmp(at, name, n) == 0) return true;
        at = at[length] ? at + length + 1 : NULL;
    }
    return list == NULL;
}
