/* sweep_values.c: what may stand behind '=' in a sweep: lists, ranges and logarithmic ranges. */
#include "sweep.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 100000 };

#define ACCEPTED                                                                                                       \
    "accepted: values between commas, a:b (whole numbers), a:b:step or a:b:logN (N values with equal ratios)"

typedef struct builder {
    gk_sweep_axis *axis;
    const char *where;
    gk_config scratch; /* the key's row alone, to parse values with */
    int room;
} builder;

static int append(builder *b, const char *text)
{
    gk_sweep_axis *axis = b->axis;
    int code = gk_config_set(&b->scratch, axis->key, text, b->where);
    if (code != GK_OK) return code;
    if (axis->n == VALUES_MAX)
        return gk_error(GK_USAGE, "%s: %s has more than %d values", b->where, axis->key, VALUES_MAX);
    if (axis->n == b->room) {
        const int room = b->room ? 2 * b->room : 16;
        char **more = realloc(axis->values, (size_t)room * sizeof *more);
        if (!more) return gk_error(GK_FAILED, "no memory for the values of %s", axis->key);
        axis->values = more;
        b->room = room;
    }
    axis->values[axis->n] = gk_text("%s", gk_config_text(&b->scratch, axis->key));
    return axis->values[axis->n++] ? GK_OK : GK_FAILED;
}

/* Digits behind the point in a number as it is written: 0.05 has 2, 2.5e-3 has 4, 1e3 none. */
static int decimals_of(const char *text)
{
    const char *point = strchr(text, '.'), *exponent = strpbrk(text, "eE");
    long n = point ? (long)strspn(point + 1, "0123456789") : 0;
    if (exponent) n -= strtol(exponent + 1, NULL, 10);
    return n < 0 ? 0 : n > 17 ? 17 : (int)n;
}

/* a, a+step, ... up to b: counted, never summed, and rounded to the digits that were written, so that 0.2:0.6:0.05
 * holds the same 0.35 that a list would. */
static int append_steps(builder *b, const char *low, double a, double end, const char *step_text, double step)
{
    const int low_digits = decimals_of(low), step_digits = decimals_of(step_text);
    const int digits = low_digits > step_digits ? low_digits : step_digits;
    const double steps = floor((end - a) / step + 1e-9);
    if (!(step != 0) || !(steps >= 0))
        return gk_error(GK_USAGE, "%s: %s: steps of %s never lead from %s to %g", b->where, b->axis->key, step_text,
                        low, end);
    if (steps >= VALUES_MAX)
        return gk_error(GK_USAGE, "%s: %s has more than %d values", b->where, b->axis->key, VALUES_MAX);
    for (int i = 0; i <= (int)steps; i++) {
        char text[400];
        snprintf(text, sizeof text, "%.*f", digits, a + i * step);
        const int code = append(b, text);
        if (code != GK_OK) return code;
    }
    return GK_OK;
}

/* n values from a to b with equal ratios, to six digits; whole numbers for a key that takes only those, each once. */
static int append_ratios(builder *b, const char *low, double a, const char *high, double end, const char *count)
{
    int64_t n;
    if (gk_text_int(count, &n) != GK_OK || n < 2 || n > VALUES_MAX)
        return gk_error(GK_USAGE, "%s: %s: log%s is not log2 or more; " ACCEPTED, b->where, b->axis->key, count);
    if (!(a > 0) || !(end > 0))
        return gk_error(GK_USAGE, "%s: %s: a logarithmic range needs ends above 0, not %s and %s", b->where,
                        b->axis->key, low, high);
    const bool whole = gk_config_find(&b->scratch, b->axis->key)->key->type == GK_KEY_INT;
    char last[64] = "";
    for (int64_t i = 0; i < n; i++) {
        char text[64];
        const double value = a * pow(end / a, (double)i / (double)(n - 1));
        if (i == 0 || i == n - 1)
            snprintf(text, sizeof text, "%s", i == 0 ? low : high);
        else
            snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", value);
        if (strcmp(text, last) == 0) continue;
        strcpy(last, text);
        const int code = append(b, text);
        if (code != GK_OK) return code;
    }
    return GK_OK;
}

static int append_range(builder *b, char *low, char *high, char *step)
{
    double a, end, width = 1;
    const char *wrong = gk_text_real(low, &a) != GK_OK ? low : gk_text_real(high, &end) != GK_OK ? high : NULL;
    const bool ratios = step && strncmp(step, "log", 3) == 0;
    if (!wrong && step && !ratios && gk_text_real(step, &width) != GK_OK) wrong = step;
    if (wrong) return gk_error(GK_USAGE, "%s: %s: '%s' is not a number; " ACCEPTED, b->where, b->axis->key, wrong);
    if (ratios) return append_ratios(b, low, a, high, end, step + 3);
    if (!step && (a != floor(a) || end != floor(end)))
        return gk_error(GK_USAGE, "%s: %s: a range %s:%s needs its step, as in %s:%s:0.05", b->where, b->axis->key, low,
                        high, low, high);
    return append_steps(b, low, a, end, step ? step : (end < a ? "-1" : "1"), step ? width : (end < a ? -1 : 1));
}

/* Cuts the spaces around a word, in place. */
static char *trimmed(char *word)
{
    while (isspace((unsigned char)*word)) word++;
    size_t n = strlen(word);
    while (n > 0 && isspace((unsigned char)word[n - 1])) word[--n] = '\0';
    return word;
}

static int append_item(builder *b, char *item)
{
    const gk_key_type type = gk_config_find(&b->scratch, b->axis->key)->key->type;
    const bool number = type == GK_KEY_INT || type == GK_KEY_REAL;
    char *high = number ? strchr(item, ':') : NULL;
    if (!high) return append(b, trimmed(item));
    *high++ = '\0';
    char *step = strchr(high, ':');
    if (step) *step++ = '\0';
    return append_range(b, trimmed(item), trimmed(high), step ? trimmed(step) : NULL);
}

int gk_sweep_values(gk_sweep_axis *out, const gk_config *config, const char *key, const char *text, const char *where)
{
    *out = (gk_sweep_axis){.key = gk_text("%s", key)};
    builder b = {.axis = out, .where = where};
    const gk_setting *row = gk_config_find(config, key);
    char *copy = gk_text("%s", text);
    int code = row && out->key && copy ? gk_config_add(&b.scratch, (const gk_key[]){*row->key, {0}}) : GK_FAILED;
    for (char *item = copy, *next; code == GK_OK && item; item = next) {
        next = strchr(item, ',');
        if (next) *next++ = '\0';
        code = append_item(&b, item);
    }
    gk_config_free(&b.scratch);
    free(copy);
    if (code != GK_OK) gk_sweep_axis_free(out);
    return code;
}

void gk_sweep_axis_free(gk_sweep_axis *axis)
{
    for (int i = 0; i < axis->n; i++) free(axis->values[i]);
    free(axis->values);
    free(axis->key);
    *axis = (gk_sweep_axis){0};
}
