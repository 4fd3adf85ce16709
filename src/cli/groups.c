/* groups.c: ls --group-by. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

static const char ALL_BUT[] = "all-but-";

enum { KEYS_MAX = 256 };

typedef struct keys {
    char *names[KEYS_MAX + 1]; /* NULL-terminated */
    int n;
} keys;

static void keys_free(keys *k)
{
    for (int i = 0; i < k->n; i++) free(k->names[i]);
}

static int take_key(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    keys *k = context;
    (void)columns;
    (void)names;
    if (!cells || !cells[0].text || k->n == KEYS_MAX) return GK_OK;
    k->names[k->n] = gk_text("%s", cells[0].text);
    return k->names[k->n++] ? GK_OK : GK_FAILED;
}

/* Settings of the filtered runs, in the order of their names; `varying`: only those in which runs of one method differ,
 * or that some of them lack. */
static int read_keys(gk_store *s, bool varying, const char *filter, const char *const *params, keys *out)
{
    *out = (keys){.n = 0};
    char *sql = gk_text(
        "WITH chosen AS (SELECT r.id, r.method FROM run r JOIN split s ON s.id = r.split_id WHERE %s),"
        " used AS (SELECT c.method, p.key, count(DISTINCT p.value) AS forms, count(*) AS n"
        "   FROM chosen c CROSS JOIN param p ON p.run_id = c.id GROUP BY c.method, p.key)"
        " SELECT DISTINCT key FROM used%s ORDER BY key",
        filter, varying ? " WHERE forms > 1 OR n < (SELECT count(*) FROM chosen c WHERE c.method = used.method)" : "");
    if (!sql) return GK_FAILED;
    const int code = gk_store_query(s, sql, params, take_key, out);
    free(sql);
    return code;
}

/* Every word of a list must be a setting that some run has. */
static int check_words(const char *list, const keys *known)
{
    for (const char *at = list; at;) {
        const size_t n = strcspn(at, ",");
        char *word = gk_text("%.*s", (int)n, at);
        if (!word) return GK_FAILED;
        const bool good = gk_cli_is_one_of(word, (const char *const *)known->names);
        const char *near = good ? NULL : gk_text_nearest(word, (const char *const *)known->names);
        if (!good)
            gk_error(GK_USAGE,
                     "--group-by: no run has a setting '%s'%s%s%s; accepted: settings between commas, or all-but-seed",
                     word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        free(word);
        if (!good) return GK_USAGE;
        at = at[n] ? at + n + 1 : NULL;
    }
    return GK_OK;
}

/* The settings to group by, in `out`. */
static int choose(gk_store *s, const char *by, const char *filter, const char *const *params, keys *out)
{
    keys all, varying;
    const bool but = strncmp(by, ALL_BUT, sizeof ALL_BUT - 1) == 0;
    const char *list = but ? by + sizeof ALL_BUT - 1 : by;
    *out = (keys){.n = 0};
    int code = read_keys(s, false, filter, params, &all);
    if (code == GK_OK && all.n > 0) code = check_words(list, &all);
    keys_free(&all);
    if (code != GK_OK) return code;
    if (!but) {
        for (const char *at = list; at && out->n < KEYS_MAX;) {
            const size_t n = strcspn(at, ",");
            if (!(out->names[out->n++] = gk_text("%.*s", (int)n, at))) return GK_FAILED;
            at = at[n] ? at + n + 1 : NULL;
        }
        return GK_OK;
    }
    code = read_keys(s, true, filter, params, &varying);
    for (int i = 0; i < varying.n; i++) {
        char *name = varying.names[i];
        if (strcmp(name, "name") == 0 || gk_cli_in_list(list, name))
            free(name);
        else
            out->names[out->n++] = name;
    }
    return code;
}

/* text with ends and inner quotes as SQL wants them; '"' for a name, '\'' for a text. */
static char *quoted(const char *text, char quote)
{
    char *out = gk_alloc(2 * strlen(text) + 3, 1), *at = out;
    if (!out) return NULL;
    *at++ = quote;
    for (; *text; text++) {
        if (*text == quote) *at++ = quote;
        *at++ = *text;
    }
    *at++ = quote;
    *at = '\0';
    return out;
}

/* "(SELECT value FROM param WHERE run_id = r.id AND key = 'lr') AS "lr", ..." and "method, "lr", ..." */
static int columns_of(const keys *k, char **values, char **names)
{
    *values = gk_text("r.method AS method");
    *names = gk_text("method");
    for (int i = 0; i < k->n && *values && *names; i++) {
        char *key = quoted(k->names[i], '\''), *name = quoted(k->names[i], '"');
        char *more = key && name ? gk_text("%s, (SELECT value FROM param WHERE run_id = r.id AND key = %s) AS %s",
                                           *values, key, name)
                                 : NULL;
        char *list = name ? gk_text("%s, %s", *names, name) : NULL;
        free(key);
        free(name);
        free(*values);
        free(*names);
        *values = more;
        *names = list;
    }
    return *values && *names ? GK_OK : GK_FAILED;
}

#define STEP(kind) "(SELECT min(step) FROM event WHERE run_id = r.id AND kind = '" kind "') AS " kind
#define SPREAD(kind)                                                                                                   \
    "count(" kind ") AS " kind ", avg(" kind ") AS " kind "_mean, stddev_samp(" kind ") AS " kind "_sd, min(" kind     \
    ") AS " kind "_min, max(" kind ") AS " kind "_max"

int gk_groups_list(gk_store *s, gk_list_format format, const char *by, const char *filter, const char *const *params,
                   size_t *rows)
{
    keys k;
    char *values = NULL, *names = NULL, *sql = NULL;
    int code = gk_store_functions(s);
    if (code != GK_OK) return code;
    code = choose(s, by, filter, params, &k);
    if (code == GK_OK) code = columns_of(&k, &values, &names);
    if (code == GK_OK) {
        sql = gk_text("WITH one AS (SELECT %s, " STEP("memorised") ", " STEP(
                          "grokked") ","
                                     " (SELECT m.value FROM metric m WHERE m.run_id = r.id AND m.metric_id ="
                                     "   (SELECT id FROM metric_name WHERE name = 'test_accuracy') ORDER BY m.step "
                                     "DESC LIMIT 1) AS test"
                                     " FROM run r JOIN split s ON s.id = r.split_id WHERE %s)"
                                     " SELECT %s, count(*) AS n, avg(test) AS test_accuracy, " SPREAD(
                                         "memorised") ", " SPREAD("grokked") " FROM one GROUP BY %s ORDER BY %s",
                      values, filter, names, names, names);
        code = sql ? gk_list_query(s, format, sql, params, rows) : GK_FAILED;
    }
    free(sql);
    free(values);
    free(names);
    keys_free(&k);
    return code;
}
