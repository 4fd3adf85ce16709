/* cmd_run.c: groklab run. */
#include "commands.h"
#include "comparing.h"

#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"only", 0, "NAME,...", "trains these sections of the recipe alone"},
    {"set", 0, "KEY=VALUE", "overrides the recipe, for all runs or as NAME.KEY=VALUE; may be repeated"},
    {"quiet", 'q', NULL, "says nothing while training"},
    {NULL, 0, NULL, NULL},
};

/* Every name of --only must be a section. */
static int check_only(const gk_recipe *recipe, const char *only)
{
    const char **names = gk_calloc((size_t)recipe->n_runs + 1, sizeof *names);
    if (!names) return GK_FAILED;
    for (int n = 0; n < recipe->n_runs; n++) names[n] = recipe->runs[n].name;
    int code = GK_OK;
    for (const char *at = only; at && code == GK_OK;) {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (int n = 0; n < recipe->n_runs; n++)
            known = known || (strlen(names[n]) == length && strncmp(names[n], at, length) == 0);
        if (!known) {
            char *word = gk_text("%.*s", (int)length, at);
            const char *near = word ? gk_text_nearest(word, names) : NULL;
            code = gk_error(GK_NOTFOUND, "--only: the recipe has no section [%s]%s%s%s", word ? word : "",
                            near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
            free(word);
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    free(names);
    return code;
}

/* Trains the chosen runs. A run that diverges is kept and does not stop the others; anything else that fails does. */
static int train_all(gk_store *s, const gk_recipe *recipe, const char *only, bool quiet, gk_compared *done, int *n_done)
{
    int worst = GK_OK;
    for (int n = 0; n < recipe->n_runs; n++) {
        const gk_recipe_run *r = &recipe->runs[n];
        if (!gk_cli_in_list(only, r->name)) continue;
        int64_t id = 0;
        int code = gk_cli_train(s, r->method, &r->config, quiet, &id);
        if (id > 0) done[(*n_done)++] = (gk_compared){id, -1};
        if (code == GK_DIVERGED) worst = gk_error(GK_DIVERGED, "run '%s' diverged; the others went on", r->name);
        else if (code != GK_OK) return code;
    }
    return worst;
}

static int show_comparison(gk_store *s, const gk_compared *done, int n, gk_list_format format)
{
    gk_comparison c;
    int code = gk_comparison_load(&c, s, done, n, GK_SPLITS_GROUPED, NULL);
    if (code != GK_OK) return code;
    code = gk_comparison_pairs(&c, s, true);
    if (code == GK_OK) code = gk_comparison_print(&c, format, false);
    gk_comparison_free(&c);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_recipe recipe;
    gk_store *s = NULL;
    const char *only = gk_cli_given(args, "only");
    const char **sets;
    int n_sets;
    int code = gk_cli_given_all(args, "set", &sets, &n_sets);
    if (code != GK_OK) return code;
    code = gk_recipe_read(&recipe, args->words[0], sets, n_sets);
    free(sets);
    gk_compared *done = gk_calloc((size_t)recipe.n_runs + 1, sizeof *done);
    int n_done = 0;
    if (code == GK_OK && !done) code = GK_FAILED;
    if (code == GK_OK) code = check_only(&recipe, only);
    if (code == GK_OK) code = gk_cli_open(cli, GK_STORE_CREATE, &s);
    const bool quiet = gk_cli_given(args, "quiet") != NULL;
    if (code == GK_OK && !quiet && only) fprintf(stderr, "%s: %s into %s\n", args->words[0], only, cli->db);
    else if (code == GK_OK && !quiet) fprintf(stderr, "%s: %d runs into %s\n", args->words[0], recipe.n_runs, cli->db);
    if (code == GK_OK) code = train_all(s, &recipe, only, quiet, done, &n_done);
    if ((code == GK_OK || code == GK_DIVERGED) && n_done > 0) {
        char *line = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
        int compared = show_comparison(s, done, n_done, gk_list_format_of(args));
        if (line) gk_error(code, "%s", line);
        else code = compared;
        free(line);
    }
    free(done);
    gk_recipe_free(&recipe);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_run = {
    .name = "run",
    .summary = "trains every run of a recipe on its split, then compares them",
    .usage = "RECIPE.ini",
    .detail = "A recipe is an INI file. Keys above the first section and those of [split] (op, p, train_fraction,\n"
              "split_seed, split_generator, split_file) hold for every run; every other section is a run of that name,\n"
              "with method = mlp, transformer or rfm and any keys of its own. 'groklab help --keys' lists the keys.\n"
              "example: groklab run runs/nanda_mainline.ini --set steps=2000",
    .options = options,
    .least = 1,
    .most = 1,
    .listing = true,
    .run = run,
};
