/* config.c: typed settings. Every value is checked where it enters, and kept with its canonical text, so that
 * equal settings are equal bytes. */
#include "gk_config.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger bounds than this are no bounds to a reader, and not exact in a double either. */
static const double BOUNDLESS = 9007199254740992.0; /* 2^53 */

void gk_config_init(gk_config *c)
{
    *c = (gk_config){.n = 0};
}

void gk_config_free(gk_config *c)
{
    if (!c) return;
    for (int i = 0; i < c->n; i++) free(c->settings[i].text);
    gk_config_init(c);
}

const gk_setting *gk_config_find(const gk_config *c, const char *key)
{
    for (int i = 0; i < c->n; i++) {
        if (strcmp(c->settings[i].key->name, key) == 0) return &c->settings[i];
    }
    return NULL;
}

/* ---- what would be accepted ---- */

/* "a number from 0 to 1", "an integer of at least 2", "one of a, b, c" */
static void describe_accepted(const gk_key *key, char *out, size_t size)
{
    if (key->type == GK_KEY_TEXT) {
        snprintf(out, size, "UTF-8 text without control characters");
        return;
    }
    if (key->type == GK_KEY_CHOICE) {
        size_t used = (size_t)snprintf(out, size, "one of ");
        for (const char *c = key->choices; *c && used + 3 < size; c++) {
            if (*c == '|') out[used++] = ',';
            out[used++] = *c == '|' ? ' ' : *c;
        }
        out[used] = '\0';
        return;
    }
    const char *noun = key->type == GK_KEY_INT ? "an integer" : "a number";
    char low[32], high[32];
    gk_text_from_real(key->min, low);
    gk_text_from_real(key->max, high);
    bool has_low = key->min > -BOUNDLESS, has_high = key->max < BOUNDLESS;
    if (has_low && has_high)
        snprintf(out, size, "%s from %s to %s", noun, low, high);
    else if (has_low)
        snprintf(out, size, "%s of at least %s", noun, low);
    else if (has_high)
        snprintf(out, size, "%s of at most %s", noun, high);
    else
        snprintf(out, size, "%s", noun);
}

static int refuse_value(const gk_key *key, const char *text, const char *where, const char *why)
{
    char accepted[512];
    describe_accepted(key, accepted, sizeof accepted);
    return gk_error(GK_USAGE, "%s%s%s = \"%s\" %s; accepted: %s", where ? where : "", where ? ": " : "", key->name,
                    text, why, accepted);
}

static int refuse_key(const gk_config *c, const char *key, const char *where)
{
    const char *names[GK_CONFIG_MAX + 1] = {NULL};
    for (int i = 0; i < c->n; i++) names[i] = c->settings[i].key->name;
    const char *nearest = gk_text_nearest(key, names);
    const char *place = where ? where : "", *colon = where ? ": " : "", *owner = c->owner ? c->owner(key) : NULL;
    if (owner) return gk_error(GK_USAGE, "%s%sunknown key \"%s\": it is a setting of %s", place, colon, key, owner);
    if (nearest) return gk_error(GK_USAGE, "%s%sunknown key \"%s\"; did you mean \"%s\"?", place, colon, key, nearest);

    char list[1536];
    size_t used = 0;
    list[0] = '\0';
    for (int i = 0; i < c->n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? " " : "", names[i]);
    return gk_error(GK_USAGE, "%s%sunknown key \"%s\"; accepted: %s", place, colon, key, list);
}

/* ---- parsing ---- */

/* Well-formed UTF-8 (Unicode 15, table 3-7) without control characters: what JSON and SQLite can hold. */
static bool is_clean_text(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s <= 0xdf ? 1 : (*s & 0xf0) == 0xe0 ? 2 : 3;
        if (*s < ' ' || *s == 0x7f || (*s >= 0x80 && *s < 0xc2) || *s > 0xf4) return false;
        if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f)) return false; /* overlong, surrogate */
        if ((*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f)) return false; /* overlong, past the end */
        for (s++; more > 0; more--, s++) {
            if ((*s & 0xc0) != 0x80) return false;
        }
    }
    return true;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strcspn(text, "|");
    if (n == 0 || text[n]) return false;
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL) {
        if (strncmp(c, text, n) == 0 && (c[n] == '|' || c[n] == '\0')) return true;
    }
    return false;
}

/* Fills number and canonical text of *s from `text`; *s has its key and no text yet. */
static int parse_setting(gk_setting *s, const char *text, const char *where)
{
    const gk_key *key = s->key;
    switch (key->type) {
    case GK_KEY_INT:
        if (gk_text_int(text, &s->integer) != GK_OK) return refuse_value(key, text, where, "is not an integer");
        s->real = (double)s->integer;
        if (!(s->real >= key->min && s->real <= key->max)) return refuse_value(key, text, where, "is out of range");
        s->text = gk_text("%lld", (long long)s->integer);
        break;
    case GK_KEY_REAL: {
        if (gk_text_real(text, &s->real) != GK_OK) return refuse_value(key, text, where, "is not a number");
        if (!(s->real >= key->min && s->real <= key->max)) return refuse_value(key, text, where, "is out of range");
        if (s->real == 0) s->real = 0; /* -0 equals 0, so it is written like it */
        char digits[32];
        gk_text_from_real(s->real, digits);
        s->text = gk_text("%s", digits);
        break;
    }
    case GK_KEY_CHOICE:
        if (!is_choice(key->choices, text)) return refuse_value(key, text, where, "is not a choice");
        s->text = gk_text("%s", text);
        break;
    case GK_KEY_TEXT:
        if (!is_clean_text(text)) return refuse_value(key, text, where, "is not plain text");
        s->text = gk_text("%s", text);
        break;
    }
    return s->text ? GK_OK : GK_FAILED;
}

int gk_config_set(gk_config *c, const char *key, const char *text, const char *where)
{
    gk_setting *s = (gk_setting *)gk_config_find(c, key);
    if (!s) return refuse_key(c, key, where);
    gk_setting fresh = {.key = s->key};
    int code = parse_setting(&fresh, text, where);
    if (code != GK_OK) return code;
    free(s->text);
    *s = fresh;
    return GK_OK;
}

int gk_config_add(gk_config *c, const gk_key *table)
{
    for (; table->name; table++) {
        gk_setting *s = (gk_setting *)gk_config_find(c, table->name);
        if (!s && c->n == GK_CONFIG_MAX)
            return gk_error(GK_FAILED, "key \"%s\" is one too many: a configuration holds %d keys", table->name,
                            GK_CONFIG_MAX);
        gk_setting fresh = {.key = table};
        int code = parse_setting(&fresh, table->value, "default");
        if (code != GK_OK) return code;
        if (s)
            free(s->text);
        else
            s = &c->settings[c->n++];
        *s = fresh;
    }
    return GK_OK;
}

int gk_config_copy(gk_config *to, const gk_config *from)
{
    gk_config_init(to);
    to->owner = from->owner;
    for (int i = 0; i < from->n; i++) {
        gk_setting s = from->settings[i];
        s.text = gk_text("%s", s.text);
        if (!s.text) {
            gk_config_free(to);
            return GK_FAILED;
        }
        to->settings[to->n++] = s;
    }
    return GK_OK;
}

/* ---- reading ---- */

static const gk_setting *known(const gk_config *c, const char *key)
{
    const gk_setting *s = gk_config_find(c, key);
    assert(s && "a key that the reader knows to be there");
    return s;
}

int64_t gk_config_int(const gk_config *c, const char *key)
{
    assert(known(c, key)->key->type == GK_KEY_INT);
    return known(c, key)->integer;
}

double gk_config_real(const gk_config *c, const char *key)
{
    assert(known(c, key)->key->type == GK_KEY_REAL || known(c, key)->key->type == GK_KEY_INT);
    return known(c, key)->real;
}

const char *gk_config_text(const gk_config *c, const char *key)
{
    return known(c, key)->text;
}

bool gk_config_is(const gk_config *c, const char *key, const char *choice)
{
    return strcmp(known(c, key)->text, choice) == 0;
}
