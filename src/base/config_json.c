/* config_json.c: settings as one line of JSON, sorted by key, so that equal settings give equal bytes. */
#include "gk_config.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const gk_setting *const *s = a, *const *t = b;
    return strcmp((*s)->key->name, (*t)->key->name);
}

/* Appends a quoted string and returns the new end. Settings hold no control characters, so that only the quote
 * and the backslash need an escape. `at` has room for 2 strlen(text) + 2. */
static char *put_quoted(char *at, const char *text)
{
    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

char *gk_config_json(const gk_config *c)
{
    const gk_setting *sorted[GK_CONFIG_MAX];
    size_t size = 3; /* braces and terminator */
    for (int i = 0; i < c->n; i++) {
        sorted[i] = &c->settings[i];
        size += 2 * strlen(sorted[i]->key->name) + 2 * strlen(sorted[i]->text) + 6;
    }
    qsort(sorted, (size_t)c->n, sizeof *sorted, by_name);

    char *json = gk_alloc(size, 1);
    if (!json) return NULL;
    char *at = json;
    *at++ = '{';
    for (int i = 0; i < c->n; i++) {
        const gk_setting *s = sorted[i];
        if (i) *at++ = ',';
        at = put_quoted(at, s->key->name);
        *at++ = ':';
        if (s->key->type == GK_KEY_INT || s->key->type == GK_KEY_REAL) {
            size_t n = strlen(s->text);
            memcpy(at, s->text, n);
            at += n;
        } else {
            at = put_quoted(at, s->text);
        }
    }
    *at++ = '}';
    *at = '\0';
    return json;
}
