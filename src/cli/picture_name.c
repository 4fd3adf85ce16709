/* picture_name.c: what a run is called in a figure, and which runs are seeds of one setting. */
#include "picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Settings in which seeds of one experiment may differ. */
static bool is_seed(const char *key)
{
    static const char *const keys[] = {"seed", "split_seed", "name", "threads", NULL};
    for (int i = 0; keys[i]; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static const char *value_of(const gk_picture *p, const char *key)
{
    for (int i = 0; i < p->n_settings; i++)
        if (strcmp(p->settings[i].key, key) == 0) return p->settings[i].value;
    return NULL;
}

/* Longer text in place of *text. */
static int append(char **text, const char *more, const char *key, const char *value)
{
    char *longer = gk_text("%s%s%s%s%s", *text, **text ? more : "", key, *value ? " " : "", value);
    if (!longer) return GK_FAILED;
    free(*text);
    *text = longer;
    return GK_OK;
}

static int group_of(gk_picture *p)
{
    char *group = gk_text("%s", p->row.method);
    for (int i = 0; i < p->n_settings && group; i++)
        if (!is_seed(p->settings[i].key) && append(&group, ", ", p->settings[i].key, p->settings[i].value)) break;
    p->group = group;
    p->run.group = group;
    return group ? GK_OK : GK_FAILED;
}

static bool in_one_group(const gk_picture *a, const gk_picture *b)
{
    return strcmp(a->group, b->group) == 0;
}

/* Does some other group hold another value (or none) of this setting? */
static bool tells_apart(const gk_picture *pictures, int n, const gk_picture *p, const char *key, const char *value)
{
    for (int i = 0; i < n; i++) {
        const char *other = value_of(&pictures[i], key);
        if (strcmp(pictures[i].row.method, p->row.method) == 0 && (!other || strcmp(other, value) != 0)) return true;
    }
    return false;
}

/* The method, and those settings by which its groups differ. */
static int label_group(gk_picture *pictures, int n, gk_picture *p)
{
    char *label = gk_text("%s", p->row.method);
    for (int i = 0; i < p->n_settings && label; i++) {
        const gk_plot_pair *s = &p->settings[i];
        if (is_seed(s->key) || !tells_apart(pictures, n, p, s->key, s->value)) continue;
        if (append(&label, ", ", s->key, s->value)) break;
    }
    if (!label) return GK_FAILED;
    free(p->label);
    p->label = label;
    p->run.label = label;
    return GK_OK;
}

int gk_picture_name(gk_picture *pictures, int n, bool each)
{
    bool seeds = false;
    for (int i = 0; i < n; i++) {
        gk_picture *p = &pictures[i];
        bool taken = false;
        for (int j = 0; j < n; j++) taken = taken || (j != i && strcmp(pictures[j].row.name, p->row.name) == 0);
        char *label = taken ? gk_text("%s #%" PRId64, p->row.name, p->row.id) : gk_text("%s", p->row.name);
        if (!label) return GK_FAILED;
        free(p->label);
        p->label = label;
        p->run.label = label;
    }
    if (each) return GK_OK;
    for (int i = 0; i < n; i++) {
        if (group_of(&pictures[i])) return GK_FAILED;
        for (int j = 0; j < i; j++) seeds = seeds || in_one_group(&pictures[i], &pictures[j]);
    }
    for (int i = 0; i < n && seeds; i++)
        if (label_group(pictures, n, &pictures[i])) return GK_FAILED;
    return GK_OK;
}
