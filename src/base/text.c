/* text.c: text made by format, numbers read and written exactly, and the nearest word to a mistyped one. */
#include "gk_base.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *gk_text(const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    if (!text) gk_error(GK_FAILED, "out of memory for a text of %d characters", length);
    return text;
}

/* ---- the nearest word ---- */

enum { GK_WORD_MAX = 64 }; /* longer words are never near anything */

/* Optimal string alignment distance: insert, delete, replace a letter or swap two neighbours, each at cost 1.
 * Letters are compared without regard to case. Three rows of the table are kept: i-2, i-1 and i. */
static int edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    int rows[3][GK_WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int ai = tolower((unsigned char)a[i - 1]), bj = tolower((unsigned char)b[j - 1]);
            int best = last[j - 1] + (ai != bj);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && ai == tolower((unsigned char)b[j - 2]) && bj == tolower((unsigned char)a[i - 2]) &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[na % 3][nb];
}

const char *gk_text_nearest(const char *word, const char *const *words)
{
    size_t n = strlen(word);
    if (n == 0 || n > GK_WORD_MAX) return NULL;
    const char *nearest = NULL;
    int least = 0;
    for (; *words; words++) {
        size_t m = strlen(*words);
        if (m > GK_WORD_MAX) continue;
        /* Near means that about two letters in three are right; of two letters, one. */
        int distance = edit_distance(word, n, *words, m);
        int allowed = (int)((n > m ? n : m) / 3);
        if (distance <= (allowed > 1 ? allowed : 1) && (!nearest || distance < least)) {
            nearest = *words;
            least = distance;
        }
    }
    return nearest;
}

/* ---- numbers ---- */

int gk_text_int(const char *text, int64_t *out)
{
    if (!isdigit((unsigned char)*text) && *text != '-' && *text != '+') return GK_USAGE;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno == ERANGE) return GK_USAGE;
    *out = value;
    return GK_OK;
}

int gk_text_real(const char *text, double *out)
{
    /* strtod also takes blanks, hexadecimal and the words nan and inf, none of which belongs in a setting. */
    for (const char *c = text; *c; c++) {
        if (!isdigit((unsigned char)*c) && !strchr("+-.eE", *c)) return GK_USAGE;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value)) return GK_USAGE;
    *out = value;
    return GK_OK;
}

void gk_text_from_real(double value, char out[32])
{
    if (!isfinite(value)) {
        snprintf(out, 32, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    /* The fewest digits that read back equal: 17 always do. */
    int digits = 1;
    snprintf(out, 32, "%.0e", value);
    while (digits < 17 && strtod(out, NULL) != value) snprintf(out, 32, "%.*e", digits++, value);

    char *e = strchr(out, 'e');
    int exponent = atoi(e + 1);
    if (exponent >= -4 && exponent < 16) { /* as people write it: 0.001, 40000 */
        int decimals = digits - 1 - exponent;
        snprintf(out, 32, "%.*f", decimals > 0 ? decimals : 0, value);
    } else {
        snprintf(e + 1, 8, "%d", exponent); /* 1e-5, not 1e-05 */
    }
}
