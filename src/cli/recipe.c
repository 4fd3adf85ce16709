/* recipe.c: a recipe is an INI file. Keys before the first section and those of [split] hold for every run; each other
 * section is a run, named by the section. inih reads the lines; what it does not tell its handler (line numbers, where a
 * section begins) is noted by the reader that feeds it. */
#include "cli.h"

#include <ini.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const split_keys[] = {"op", "p", "train_fraction", "split_seed", "split_generator", "split_file", NULL};

typedef struct item {
    int section, line;
    char *key, *value;
} item;

typedef struct section {
    char *name; /* "" before the first heading */
    int line;
} section;

typedef struct reading {
    const char *path;
    FILE *file;
    int line, code;
    section *sections;
    item *items;
    int n_sections, n_items;
} reading;

/* Grows an array by one; NULL leaves it as it is. */
static void *one_more(void *array, int n, size_t size)
{
    void *more = realloc(array, (size_t)(n + 1) * size);
    if (!more) gk_error(GK_FAILED, "no memory for a recipe");
    return more;
}

static int add_section(reading *r, const char *name, size_t n)
{
    for (int i = 0; i < r->n_sections; i++)
        if (strlen(r->sections[i].name) == n && strncmp(r->sections[i].name, name, n) == 0)
            return gk_error(GK_USAGE, "%s:%d: section [%.*s] is there already, in line %d", r->path, r->line, (int)n, name,
                            r->sections[i].line);
    section *more = one_more(r->sections, r->n_sections, sizeof *more);
    if (!more) return GK_FAILED;
    r->sections = more;
    more[r->n_sections] = (section){gk_text("%.*s", (int)n, name), r->line};
    return more[r->n_sections++].name ? GK_OK : GK_FAILED;
}

/* What inih calls for each line, like fgets. Leading space goes, since inih would take an indented line for more of the
 * value above. */
static char *read_line(char *text, int room, void *stream)
{
    reading *r = stream;
    if (r->code != GK_OK || !fgets(text, room, r->file)) return NULL;
    r->line++;
    size_t n = strlen(text);
    if (n + 1 == (size_t)room && text[n - 1] != '\n' && !feof(r->file)) {
        r->code = gk_error(GK_USAGE, "%s:%d: the line is longer than %d characters", r->path, r->line, room - 2);
        return NULL;
    }
    char *start = text;
    if (r->line == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0) start += 3;
    while (*start == ' ' || *start == '\t') start++;
    memmove(text, start, strlen(start) + 1);
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end) r->code = add_section(r, text + 1, (size_t)(end - text - 1));
    }
    return text;
}

static int take_item(void *user, const char *heading, const char *key, const char *value)
{
    reading *r = user;
    (void)heading; /* cut off after 49 characters; ours is whole */
    if (r->code != GK_OK) return 1;
    const int at = r->n_sections - 1;
    for (int i = 0; i < r->n_items; i++)
        if (r->items[i].section == at && strcmp(r->items[i].key, key) == 0) {
            r->code = gk_error(GK_USAGE, "%s:%d: %s is set already, in line %d", r->path, r->line, key, r->items[i].line);
            return 1;
        }
    item *more = one_more(r->items, r->n_items, sizeof *more);
    if (!more) {
        r->code = GK_FAILED;
        return 1;
    }
    r->items = more;
    more[r->n_items] = (item){at, r->line, gk_text("%s", key), gk_text("%s", value)};
    if (!more[r->n_items].key || !more[r->n_items].value) r->code = GK_FAILED;
    r->n_items++;
    return 1;
}

static int read_items(reading *r)
{
    r->file = fopen(r->path, "r");
    if (!r->file)
        return gk_error(errno == ENOENT ? GK_NOTFOUND : GK_FAILED, "cannot open the recipe %s: %s", r->path, strerror(errno));
    r->code = add_section(r, "", 0);
    const int bad_line = ini_parse_stream(read_line, r, take_item, r);
    if (r->code == GK_OK && ferror(r->file)) r->code = gk_error(GK_FAILED, "cannot read the recipe %s", r->path);
    fclose(r->file);
    if (r->code == GK_OK && bad_line > 0)
        r->code = gk_error(GK_USAGE, "%s:%d: neither 'key = value' nor '[section]' nor a comment", r->path, bad_line);
    return r->code;
}

static void reading_free(reading *r)
{
    for (int i = 0; i < r->n_sections; i++) free(r->sections[i].name);
    for (int i = 0; i < r->n_items; i++) {
        free(r->items[i].key);
        free(r->items[i].value);
    }
    free(r->sections);
    free(r->items);
}

/* ---- items to runs ---- */

static bool is_split(const reading *r, int s) { return strcmp(r->sections[s].name, "split") == 0; }

static const item *find_item(const reading *r, int s, const char *key)
{
    for (int i = 0; i < r->n_items; i++)
        if (r->items[i].section == s && strcmp(r->items[i].key, key) == 0) return &r->items[i];
    return NULL;
}

static int start_run(gk_recipe *recipe, const reading *r, int s)
{
    const item *method = find_item(r, s, "method");
    if (!method) method = find_item(r, 0, "method");
    if (!method)
        return gk_error(GK_USAGE, "%s:%d: section [%s] has no method; accepted: method = mlp, transformer or rfm", r->path,
                        r->sections[s].line, r->sections[s].name);
    if (!gk_cli_is_one_of(method->value, gk_method_names)) {
        const char *near = gk_text_nearest(method->value, gk_method_names);
        return gk_error(GK_USAGE, "%s:%d: unknown method '%s'%s%s%s; accepted: mlp, transformer, rfm", r->path,
                        method->line, method->value, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    gk_recipe_run *more = one_more(recipe->runs, recipe->n_runs, sizeof *more);
    if (!more) return GK_FAILED;
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

static int set_item(const reading *r, gk_config *config, const item *i)
{
    char *where = gk_text("%s:%d", r->path, i->line);
    if (!where) return GK_FAILED;
    int code = gk_config_set(config, i->key, i->value, where);
    free(where);
    return code;
}

/* A key above all sections goes to every run that knows it; one that none knows is an error. */
static int set_everywhere(const reading *r, gk_recipe *recipe, const item *i)
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

static int check_shared(const reading *r, const item *i)
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

static int build(gk_recipe *recipe, const reading *r)
{
    int code = GK_OK;
    for (int s = 1; s < r->n_sections && code == GK_OK; s++)
        if (!is_split(r, s)) code = start_run(recipe, r, s);
    if (code != GK_OK) return code;
    if (recipe->n_runs == 0)
        return gk_error(GK_USAGE, "%s: no section names a run; write for example [mlp] and below it method = mlp", r->path);
    /* first what is shared, then what each section says for itself */
    for (int i = 0; i < r->n_items && code == GK_OK; i++) {
        const item *it = &r->items[i];
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

/* A split that cannot be made is found before anything is trained. */
static int check_splits(const gk_recipe *recipe, const char *path)
{
    for (int n = 0; n < recipe->n_runs; n++) {
        gk_split split;
        int code = gk_registry_split(&split, &recipe->runs[n].config);
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

int gk_recipe_read(gk_recipe *recipe, const char *path)
{
    reading r = {.path = path};
    *recipe = (gk_recipe){0};
    int code = read_items(&r);
    if (code == GK_OK) code = build(recipe, &r);
    if (code == GK_OK) code = check_splits(recipe, path);
    reading_free(&r);
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
