/* recipe.c: a recipe is an INI file. Keys before the first section and those of [split] hold for every run; each other
 * section is a run, named by the section. */
#include "cli.h"
#include "ini_file.h"

#include <stdlib.h>
#include <string.h>

static const char *const split_keys[] = {"op", "p", "train_fraction", "split_seed", "split_generator", "split_file", NULL};

static bool is_split(const gk_ini *r, int s) { return strcmp(r->sections[s].name, "split") == 0; }

static int start_run(gk_recipe *recipe, const gk_ini *r, int s)
{
    const gk_ini_item *method = gk_ini_find(r, s, "method");
    if (!method) method = gk_ini_find(r, 0, "method");
    if (!method)
        return gk_error(GK_USAGE, "%s:%d: section [%s] has no method; accepted: method = mlp, transformer or rfm", r->path,
                        r->sections[s].line, r->sections[s].name);
    if (!gk_cli_is_one_of(method->value, gk_method_names)) {
        const char *near = gk_text_nearest(method->value, gk_method_names);
        return gk_error(GK_USAGE, "%s:%d: unknown method '%s'%s%s%s; accepted: mlp, transformer, rfm", r->path,
                        method->line, method->value, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    gk_recipe_run *more = realloc(recipe->runs, (size_t)(recipe->n_runs + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for a recipe");
    recipe->runs = more;
    gk_recipe_run *run = &more[recipe->n_runs++];
    *run = (gk_recipe_run){.name = gk_text("%s", r->sections[s].name), .method = gk_text("%s", method->value)};
    if (!run->name || !run->method) return GK_FAILED;
    int code = gk_registry_config(&run->config, run->method);
    char *where = gk_text("%s:%d", r->path, r->sections[s].line);
    if (code == GK_OK && where) code = gk_config_set(&run->config, "name", run->name, where);
    free(where);
    return code;
}

static int set_item(const gk_ini *r, gk_config *config, const gk_ini_item *i)
{
    char *where = gk_text("%s:%d", r->path, i->line);
    if (!where) return GK_FAILED;
    int code = gk_config_set(config, i->key, i->value, where);
    free(where);
    return code;
}

/* A key above all sections goes to every run that knows it; one that none knows is an error. */
static int set_everywhere(const gk_ini *r, gk_recipe *recipe, const gk_ini_item *i)
{
    bool known = false;
    for (int n = 0; n < recipe->n_runs; n++) {
        if (!gk_config_find(&recipe->runs[n].config, i->key)) continue;
        known = true;
        int code = set_item(r, &recipe->runs[n].config, i);
        if (code != GK_OK) return code;
    }
    return known ? GK_OK : set_item(r, &recipe->runs[0].config, i);
}

static int check_shared(const gk_ini *r, const gk_ini_item *i)
{
    if (is_split(r, i->section) && !gk_cli_is_one_of(i->key, split_keys)) {
        const char *near = gk_text_nearest(i->key, split_keys);
        return gk_error(GK_USAGE, "%s:%d: [split] has no key \"%s\"%s%s%s; accepted: op, p, train_fraction, split_seed, "
                        "split_generator, split_file", r->path, i->line, i->key, near ? "; did you mean \"" : "",
                        near ? near : "", near ? "\"?" : "");
    }
    if (strcmp(i->key, "name") == 0)
        return gk_error(GK_USAGE, "%s:%d: a name belongs into the section of one run", r->path, i->line);
    return GK_OK;
}

static int build(gk_recipe *recipe, const gk_ini *r)
{
    int code = GK_OK;
    for (int s = 1; s < r->n_sections && code == GK_OK; s++) {
        if (strcmp(r->sections[s].name, "sweep") == 0)
            return gk_error(GK_USAGE, "%s:%d: [sweep] makes this a recipe of many runs: groklab sweep %s", r->path,
                            r->sections[s].line, r->path);
        if (!is_split(r, s)) code = start_run(recipe, r, s);
    }
    if (code != GK_OK) return code;
    if (recipe->n_runs == 0)
        return gk_error(GK_USAGE, "%s: no section names a run; write for example [mlp] and below it method = mlp", r->path);
    /* first what is shared, then what each section says for itself */
    for (int i = 0; i < r->n_items && code == GK_OK; i++) {
        const gk_ini_item *it = &r->items[i];
        if (strcmp(it->key, "method") == 0 || (it->section > 0 && !is_split(r, it->section))) continue;
        code = check_shared(r, it);
        if (code == GK_OK) code = set_everywhere(r, recipe, it);
    }
    for (int s = 1, n = 0; s < r->n_sections; s++) {
        if (is_split(r, s)) continue;
        gk_recipe_run *run = &recipe->runs[n++];
        for (int i = 0; i < r->n_items && code == GK_OK; i++)
            if (r->items[i].section == s && strcmp(r->items[i].key, "method") != 0)
                code = set_item(r, &run->config, &r->items[i]);
    }
    return code;
}

/* "key=value" goes to every run that knows the key, "NAME.key=value" to that run. */
static int override(gk_recipe *recipe, const char *word)
{
    char *copy = gk_text("%s", word);
    if (!copy) return GK_FAILED;
    char *equals = strchr(copy, '='), *dot = strchr(copy, '.');
    const char *name = equals && dot && dot < equals ? copy : NULL, *key = name ? dot + 1 : copy;
    gk_config *knows = NULL, *any = NULL;
    int code = GK_OK;
    if (equals) *equals = '\0';
    if (name) *dot = '\0';
    for (int n = 0; equals && code == GK_OK && n < recipe->n_runs; n++) {
        gk_recipe_run *run = &recipe->runs[n];
        if (name && strcmp(run->name, name) != 0) continue;
        any = &run->config;
        if (!gk_config_find(any, key)) continue;
        knows = any;
        code = gk_config_set(knows, key, equals + 1, "--set");
    }
    if (!equals || equals == copy)
        code = gk_error(GK_USAGE, "--set: '%s' is not key=value, as in --set steps=1000 or --set mlp.width=512", word);
    else if (!name && strcmp(key, "name") == 0)
        code = gk_error(GK_USAGE, "--set: a name is that of one run, as in --set %s.name=%s", recipe->runs[0].name,
                        equals + 1);
    else if (!any)
        code = gk_error(GK_NOTFOUND, "--set: the recipe has no section [%s]", name);
    else if (!knows)
        code = gk_config_set(any, key, equals + 1, "--set"); /* says what is near */
    free(copy);
    return code;
}

/* A split that cannot be made, or a measure that there is not, is found before anything is trained. */
static int check_splits(const gk_recipe *recipe, const char *path)
{
    for (int n = 0; n < recipe->n_runs; n++) {
        gk_split split;
        int code = gk_registry_check_measures(&recipe->runs[n].config);
        if (code == GK_OK) code = gk_registry_split(&split, &recipe->runs[n].config);
        if (code != GK_OK) {
            char *line = gk_text("%s", gk_error_text());
            gk_error(code, "%s [%s]: %s", path, recipe->runs[n].name, line ? line : "");
            free(line);
            return code;
        }
        gk_split_free(&split);
    }
    return GK_OK;
}

int gk_recipe_read(gk_recipe *recipe, const char *path, const char *const *sets, int n_sets)
{
    gk_ini r;
    *recipe = (gk_recipe){0};
    int code = gk_ini_read(&r, path);
    if (code == GK_OK) code = build(recipe, &r);
    for (int i = 0; code == GK_OK && i < n_sets; i++) code = override(recipe, sets[i]);
    if (code == GK_OK) code = check_splits(recipe, path);
    gk_ini_free(&r);
    return code;
}

void gk_recipe_free(gk_recipe *recipe)
{
    for (int n = 0; n < recipe->n_runs; n++) {
        gk_config_free(&recipe->runs[n].config);
        free(recipe->runs[n].name);
        free(recipe->runs[n].method);
    }
    free(recipe->runs);
    *recipe = (gk_recipe){0};
}
