/* cmd_measure.c: groklab measure. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"only", 0, "NAME,...", "these families, metrics or matrices alone"},
    {"step", 0, "N", "the last checkpoint at or before this step alone (default: all checkpoints)"},
    {"key-rule", 0, "RULE", "how the key frequencies are chosen: neuron_logit (default), outputs or neurons"},
    {"ablate", 0, NULL, "the ablations, which are not among the defaults"},
    {"list", 0, NULL, "lists families and metrics"},
    {NULL, 0, NULL, NULL},
};

typedef struct timing {
    gk_list list;
    int64_t run;
    int code;
} timing;

static void take_family(void *context, const char *family, double seconds, int values)
{
    timing *t = context;
    const gk_cell cells[] = {gk_cell_int(t->run), gk_cell_text(family), gk_cell_int(values), gk_cell_real(seconds)};
    const int code = gk_list_row(&t->list, cells);
    if (t->code == GK_OK) t->code = code;
}

/* "a,b" -> {"a", "b", NULL}; the words live in *text. */
static int split_words(const char *list, char **text, const char ***words)
{
    size_t n = 2;
    for (const char *c = list; *c; c++) n += *c == ',';
    *text = gk_text("%s", list);
    *words = gk_calloc(n, sizeof **words);
    if (!*text || !*words) return GK_FAILED;
    char *rest = *text;
    for (int i = 0; rest;) {
        char *word = strsep(&rest, ",");
        if (*word) (*words)[i++] = word;
    }
    return (*words)[0] ? GK_OK : gk_error(GK_USAGE, "--only needs a name; 'groklab measure --list' lists them");
}

static int list_measures(gk_list_format format)
{
    static const char *const names[] = {"family", "metric", "unit", "default", "description"};
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, 5, names);
    for (const gk_measure *const *m = gk_measures; *m && code == GK_OK; m++)
        for (const gk_metric_name *n = (*m)->names; n->name && code == GK_OK; n++) {
            const gk_cell cells[] = {gk_cell_text((*m)->family), gk_cell_text(n->name), gk_cell_text(n->unit),
                                     gk_cell_text((*m)->by_default ? "yes" : "no"), gk_cell_text(n->description)};
            code = gk_list_row(&list, cells);
        }
    gk_list_end(&list);
    return code;
}

static int choose_rule(const char *given, gk_key_rule *rule)
{
    *rule = GK_KEYS_WEIGHTS;
    for (int i = 0; given && gk_key_rules[i]; i++) {
        if (strcmp(given, gk_key_rules[i]) != 0) continue;
        *rule = (gk_key_rule)i;
        return GK_OK;
    }
    if (!given) return GK_OK;
    const char *near = gk_text_nearest(given, gk_key_rules);
    return gk_error(GK_USAGE, "unknown key rule '%s'%s%s%s; accepted: neuron_logit, outputs, neurons", given,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int measure_all(const gk_cli *cli, const gk_cli_args *args, gk_measuring what)
{
    static const char *const names[] = {"run", "family", "values", "seconds"};
    gk_store *s = NULL;
    timing t = {.code = GK_OK};
    int code = gk_cli_open(cli, GK_STORE_WRITE, &s);
    if (code != GK_OK) return code;
    code = gk_list_begin(&t.list, stdout, gk_list_format_of(args), 4, names);
    for (int i = 0; i < args->n_words && code == GK_OK; i++) {
        code = gk_store_find_run(s, args->words[i], &t.run);
        if (code == GK_OK) code = gk_lab_measure(s, t.run, what, take_family, &t);
        if (code == GK_OK) code = t.code;
    }
    if (code == GK_OK) gk_list_end(&t.list);
    else gk_list_free(&t.list);
    return gk_cli_close(s, code);
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    if (gk_cli_given(args, "list")) return list_measures(gk_list_format_of(args));
    if (args->n_words == 0) return gk_error(GK_USAGE, "usage: groklab measure RUN ...");
    const bool ablate = gk_cli_given(args, "ablate") != NULL;
    const char *only = ablate ? "ablation" : gk_cli_given(args, "only");
    if (ablate && gk_cli_given(args, "only")) return gk_error(GK_USAGE, "--ablate and --only exclude each other");
    char *text = NULL;
    const char **words = NULL;
    gk_measuring what = {.step = -1};
    int code = choose_rule(gk_cli_given(args, "key-rule"), &what.rule);
    if (code == GK_OK) code = gk_cli_given_int(args, "step", 0, INT64_MAX, &what.step);
    if (code == GK_OK && only) code = split_words(only, &text, &words);
    what.only = words;
    if (code == GK_OK) code = measure_all(cli, args, what);
    free(text);
    free(words);
    return code;
}

const gk_command gk_cmd_measure = {
    .name = "measure",
    .summary = "computes measures on the stored checkpoints of runs, and tells what each cost",
    .usage = "RUN ...",
    .detail = "Key frequencies and the final feature matrix are taken from the last checkpoint. The values of a run come\n"
              "into the database in one transaction.\n"
              "example: groklab measure @last --only progress,restricted_loss\n"
              "         groklab measure @last --only agop_class7 --step 1000    what class 7 adds to the AGOP, as a matrix",
    .options = options,
    .most = -1,
    .listing = true,
    .run = run,
};
