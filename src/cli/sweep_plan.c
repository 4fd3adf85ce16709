/* sweep_plan.c: a recipe of many runs. Keys before the first section, in [split] and in [sweep] hold for every method
 * that knows them; each other section is a method with its own. A key with several values is an axis; the runs of a
 * section are the product of its axes (combine = grid), or walk along them side by side (combine = paired), for each of
 * `seeds` seeds. */
#include "ini_file.h"
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

static const int64_t RUNS_MAX = 1000000;

/* Every assignment of the recipe and of --set, in the order in which later ones win. */
typedef struct assignment {
    const char *section; /* NULL: every method that knows the key */
    const char *key, *value;
    char *where;
} assignment;

typedef struct reading {
    gk_ini ini;
    assignment *items;
    char **cut; /* [n_sets] copies of --set words, cut at '.' and '=' */
    int n_items, n_cut;
    const char *method;       /* for sections that name none; a list where there are no sections */
    const char *method_where; /* borrowed from its assignment */
} reading;

static bool is_shared(const char *section)
{
    return section[0] == '\0' || strcmp(section, "split") == 0 || strcmp(section, "sweep") == 0;
}

static int add_assignment(reading *r, const char *section, const char *key, const char *value, char *where)
{
    assignment *a = &r->items[r->n_items++];
    *a = (assignment){section, key, value, where};
    if (!where) return GK_FAILED;
    if (strcmp(key, "name") == 0)
        return gk_error(GK_USAGE, "%s: a sweep names its runs itself, by section and by what varies", where);
    if (section || strcmp(key, "method") != 0) return GK_OK;
    r->method = value;
    r->method_where = where;
    a->key = NULL; /* taken */
    return GK_OK;
}

/* "key=list" or "SECTION.key=list". */
static int add_set(reading *r, const char *word)
{
    char *copy = gk_text("%s", word);
    if (!copy) return GK_FAILED;
    r->cut[r->n_cut++] = copy;
    char *equals = strchr(copy, '=');
    if (!equals || equals == copy)
        return gk_error(GK_USAGE,
                        "--set: '%s' is not key=list, as in --set weight_decay=0.1,1 or --set mlp.width=128:512:128",
                        word);
    *equals = '\0';
    char *dot = strchr(copy, '.');
    if (dot) *dot = '\0';
    return add_assignment(r, dot ? copy : NULL, dot ? dot + 1 : copy, equals + 1, gk_text("--set"));
}

static int read_all(reading *r, const char *path, const char *const *sets, int n_sets)
{
    int code = gk_ini_read(&r->ini, path);
    if (code != GK_OK) return code;
    const gk_ini *ini = &r->ini;
    r->items = gk_calloc((size_t)(ini->n_items + n_sets) + 1, sizeof *r->items);
    r->cut = gk_calloc((size_t)n_sets + 1, sizeof *r->cut);
    if (!r->items || !r->cut) return GK_FAILED;
    for (int shared = 1; shared >= 0; shared--) /* what is shared comes first, so that a section's own wins */
        for (int i = 0; code == GK_OK && i < ini->n_items; i++) {
            const gk_ini_item *it = &ini->items[i];
            const char *section = ini->sections[it->section].name;
            if (is_shared(section) != (shared == 1)) continue;
            if (!shared && strcmp(it->key, "method") == 0) continue;
            code = add_assignment(r, shared ? NULL : section, it->key, it->value, gk_text("%s:%d", path, it->line));
        }
    for (int i = 0; code == GK_OK && i < n_sets; i++) code = add_set(r, sets[i]);
    return code;
}

static void reading_free(reading *r)
{
    for (int i = 0; i < r->n_items; i++) free(r->items[i].where);
    for (int i = 0; i < r->n_cut; i++) free(r->cut[i]);
    free(r->items);
    free(r->cut);
    gk_ini_free(&r->ini);
}

/* ---- parts ---- */

static int add_part(gk_sweep_plan *plan, const char *name, const char *method, const char *where)
{
    const gk_method *known = gk_registry_method(method, GK_F32);
    if (!known) {
        char *line = gk_text("%s", gk_error_text());
        gk_error(GK_USAGE, "%s: %s", where, line ? line : "");
        free(line);
        return GK_USAGE;
    }
    gk_sweep_part *more = realloc(plan->parts, (size_t)(plan->n_parts + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for a plan");
    plan->parts = more;
    gk_sweep_part *part = &more[plan->n_parts++];
    *part = (gk_sweep_part){.name = gk_text("%s", name), .method = known->name};
    int code = part->name ? gk_registry_config(&part->base, known->name) : GK_FAILED;
    /* One core a run, and ends only, unless the recipe wants otherwise. */
    if (code == GK_OK) code = gk_config_set(&part->base, "threads", "1", where);
    return code == GK_OK ? gk_config_set(&part->base, "store", "final", where) : code;
}

static int add_parts(gk_sweep_plan *plan, const reading *r)
{
    const gk_ini *ini = &r->ini;
    int code = GK_OK;
    for (int s = 0; code == GK_OK && s < ini->n_sections; s++) {
        if (is_shared(ini->sections[s].name)) continue;
        const gk_ini_item *own = gk_ini_find(ini, s, "method");
        char *where = gk_text("%s:%d", ini->path, own ? own->line : ini->sections[s].line);
        if (!where) return GK_FAILED;
        if (own || r->method)
            code = add_part(plan, ini->sections[s].name, own ? own->value : r->method, where);
        else
            code = gk_error(GK_USAGE, "%s: section [%s] has no method; accepted: method = mlp, transformer or rfm",
                            where, ini->sections[s].name);
        free(where);
    }
    if (code != GK_OK || plan->n_parts > 0) return code;
    if (!r->method)
        return gk_error(GK_USAGE, "%s: no method is named; write method = mlp, transformer or rfm, or a list of them",
                        ini->path);
    for (const char *at = r->method; code == GK_OK && at;) {
        at += strspn(at, " \t");
        const size_t n = strcspn(at, ", \t");
        char *word = gk_text("%.*s", (int)n, at);
        code = word ? add_part(plan, word, word, r->method_where) : GK_FAILED;
        free(word);
        at = strchr(at, ',');
        if (at) at++;
    }
    return code;
}

static gk_sweep_axis *find_axis(gk_sweep_part *part, const char *key)
{
    for (int i = 0; i < part->n_axes; i++)
        if (strcmp(part->axes[i].key, key) == 0) return &part->axes[i];
    return NULL;
}

static void drop_axis(gk_sweep_part *part, gk_sweep_axis *axis)
{
    const int at = (int)(axis - part->axes);
    gk_sweep_axis_free(axis);
    memmove(axis, axis + 1, (size_t)(part->n_axes - at - 1) * sizeof *axis);
    part->n_axes--;
}

/* One value settles a key, several make it an axis; the last word on a key counts, in the place of the first. */
static int assign(gk_sweep_part *part, const char *key, const char *value, const char *where)
{
    gk_sweep_axis fresh, *old = find_axis(part, key);
    int code = gk_sweep_values(&fresh, &part->base, key, value, where);
    if (code != GK_OK) return code;
    if (fresh.n == 1) {
        code = gk_config_set(&part->base, key, fresh.values[0], where);
        gk_sweep_axis_free(&fresh);
        if (old) drop_axis(part, old);
    } else if (old) {
        gk_sweep_axis_free(old);
        *old = fresh;
    } else {
        part->axes[part->n_axes++] = fresh;
    }
    return code;
}

/* What steers the sweep itself and is no setting of a run. */
static int steer(gk_sweep_part *part, const assignment *a, bool *taken)
{
    *taken = true;
    if (strcmp(a->key, "seeds") == 0) {
        if (gk_text_int(a->value, &part->seeds) == GK_OK && part->seeds >= 1 && part->seeds <= RUNS_MAX) return GK_OK;
        return gk_error(GK_USAGE, "%s: seeds = \"%s\"; accepted: how many seeds each setting is run with, 1 or more",
                        a->where, a->value);
    }
    if (strcmp(a->key, "combine") == 0) {
        part->paired = strcmp(a->value, "paired") == 0;
        if (part->paired || strcmp(a->value, "grid") == 0) return GK_OK;
        return gk_error(GK_USAGE,
                        "%s: combine = \"%s\"; accepted: grid (every value with every other) or paired (first with "
                        "first, second with second)",
                        a->where, a->value);
    }
    *taken = false;
    return GK_OK;
}

static int assign_everywhere(gk_sweep_plan *plan, const assignment *a)
{
    bool known = false, section = a->section == NULL;
    for (int i = 0; i < plan->n_parts; i++) {
        gk_sweep_part *part = &plan->parts[i];
        if (a->section && strcmp(a->section, part->name) != 0) continue;
        section = true;
        bool steered;
        int code = steer(part, a, &steered);
        known = known || steered;
        if (steered && code == GK_OK) continue;
        if (code == GK_OK && !gk_config_find(&part->base, a->key)) {
            if (a->section)
                return gk_config_set(&part->base, a->key, a->value, a->where); /* says which keys there are */
            continue;
        }
        known = true;
        if (code == GK_OK) code = assign(part, a->key, a->value, a->where);
        if (code != GK_OK) return code;
    }
    if (!section) return gk_error(GK_NOTFOUND, "%s: the recipe has no section [%s]", a->where, a->section);
    return known ? GK_OK : gk_config_set(&plan->parts[0].base, a->key, a->value, a->where);
}

/* The axis of `seeds`, counted from the section's own seed. */
static int add_seeds(gk_sweep_part *part, const char *path)
{
    const int64_t seeds = part->seeds;
    if (seeds == 0) return GK_OK;
    if (find_axis(part, "seed"))
        return gk_error(GK_USAGE, "%s: [%s] has both a list of seed and seeds = %lld; one of them says it all", path,
                        part->name, (long long)seeds);
    char range[64];
    const long long first = (long long)gk_config_int(&part->base, "seed");
    snprintf(range, sizeof range, "%lld:%lld", first, first + (long long)seeds - 1);
    const int code = assign(part, "seed", range, path);
    part->crossed = code == GK_OK && seeds > 1;
    return code;
}

static int count_runs(gk_sweep_plan *plan, const reading *r)
{
    for (int i = 0; i < plan->n_parts; i++) {
        gk_sweep_part *part = &plan->parts[i];
        int code = add_seeds(part, r->ini.path);
        if (code != GK_OK) return code;
        part->first = plan->n_runs;
        part->n_runs = 1;
        const gk_sweep_axis *side = part->axes;
        for (int a = 0; a < part->n_axes; a++) {
            const gk_sweep_axis *axis = &part->axes[a];
            const bool along = part->paired && a < part->n_axes - part->crossed;
            if (along && axis->n != side->n)
                return gk_error(GK_USAGE, "%s: [%s] is paired, but %s has %d values and %s has %d", r->ini.path,
                                part->name, side->key, side->n, axis->key, axis->n);
            if (along && a > 0) continue;
            part->n_runs *= axis->n;
            if (part->n_runs > RUNS_MAX) break;
        }
        plan->n_runs += part->n_runs;
        if (plan->n_runs > RUNS_MAX)
            return gk_error(GK_USAGE, "%s: more than %lld runs", r->ini.path, (long long)RUNS_MAX);
    }
    return GK_OK;
}

/* Where run number `at` of a part stands on its axes; the last one turns fastest. */
static void positions_of(const gk_sweep_part *part, int64_t at, int positions[GK_CONFIG_MAX])
{
    const int along = part->paired ? part->n_axes - part->crossed : 0;
    for (int a = part->n_axes - 1; a >= along; a--) {
        positions[a] = (int)(at % part->axes[a].n);
        at /= part->axes[a].n;
    }
    for (int a = 0; a < along; a++) positions[a] = (int)at;
}

const gk_sweep_part *gk_sweep_part_of(const gk_sweep_plan *plan, int64_t index)
{
    const gk_sweep_part *part = plan->parts;
    while (index >= part->first + part->n_runs) part++;
    return part;
}

int gk_sweep_config(const gk_sweep_plan *plan, int64_t index, gk_config *out)
{
    const gk_sweep_part *part = gk_sweep_part_of(plan, index);
    int positions[GK_CONFIG_MAX] = {0};
    positions_of(part, index - part->first, positions);
    char *name = gk_text("%s", part->name);
    int code = name ? gk_config_copy(out, &part->base) : GK_FAILED;
    if (code != GK_OK) {
        free(name);
        return code;
    }
    for (int a = 0; code == GK_OK && a < part->n_axes; a++) {
        const gk_sweep_axis *axis = &part->axes[a];
        const char *value = axis->values[positions[a]];
        char *longer = gk_text("%s/%s=%s", name ? name : "", axis->key, value);
        free(name);
        name = longer;
        code = name ? gk_config_set(out, axis->key, value, "sweep") : GK_FAILED;
    }
    if (code == GK_OK) code = gk_config_set(out, "name", name, "sweep");
    free(name);
    if (code != GK_OK) gk_config_free(out);
    return code;
}

/* ---- a split that cannot be made is found before anything is trained ---- */

static bool is_split_key(const char *key)
{
    static const char *const keys[] = {"op", "p", "train_fraction", "split_generator", "split_file", NULL};
    return gk_cli_is_one_of(key, keys);
}

/* Does this run differ from its part's first in nothing but what makes the split of another kind? Seeds do not. */
static bool tries_split(const gk_sweep_part *part, int64_t at)
{
    int positions[GK_CONFIG_MAX] = {0};
    positions_of(part, at, positions);
    for (int a = 0; a < part->n_axes; a++)
        if (positions[a] > 0 && !is_split_key(part->axes[a].key)) return false;
    return true;
}

static int check_splits(const gk_sweep_plan *plan, const char *path)
{
    int code = GK_OK;
    for (int i = 0; i < plan->n_parts; i++) {
        const gk_sweep_part *part = &plan->parts[i];
        for (int64_t at = 0; code == GK_OK && at < part->n_runs; at++) {
            gk_config config;
            gk_split split;
            if (!part->paired && !tries_split(part, at)) continue;
            code = gk_sweep_config(plan, part->first + at, &config);
            if (code != GK_OK) return code;
            code = gk_registry_split(&split, &config);
            if (code == GK_OK) gk_split_free(&split);
            char *line = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
            if (line) gk_error(code, "%s: run %s: %s", path, gk_config_text(&config, "name"), line);
            free(line);
            gk_config_free(&config);
        }
    }
    return code;
}

int gk_sweep_plan_read(gk_sweep_plan *plan, const char *path, const char *const *sets, int n_sets)
{
    reading r = {0};
    *plan = (gk_sweep_plan){0};
    int code = read_all(&r, path, sets, n_sets);
    if (code == GK_OK) code = add_parts(plan, &r);
    for (int i = 0; code == GK_OK && i < r.n_items; i++)
        if (r.items[i].key) code = assign_everywhere(plan, &r.items[i]);
    if (code == GK_OK) code = count_runs(plan, &r);
    if (code == GK_OK) code = check_splits(plan, path);
    reading_free(&r);
    return code;
}

void gk_sweep_plan_free(gk_sweep_plan *plan)
{
    for (int i = 0; i < plan->n_parts; i++) {
        gk_sweep_part *part = &plan->parts[i];
        for (int a = 0; a < part->n_axes; a++) gk_sweep_axis_free(&part->axes[a]);
        gk_config_free(&part->base);
        free(part->name);
    }
    free(plan->parts);
    *plan = (gk_sweep_plan){0};
}
