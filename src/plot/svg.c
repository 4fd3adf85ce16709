/* svg.c: the ids of an SVG. */
#include "plot.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 256 };

/* cairo names pattern images and groups image5, surface9 ... after a counter of the process. Each new number met
 * becomes the next of 0, 1, 2 ... An id follows a quote or #. */
int plot_svg_renumber(unsigned char **text, size_t *n)
{
    static const char *const word[] = {"image", "surface"};
    unsigned long seen[2][IDS];
    int count[2] = {0, 0};
    size_t to = 0;
    const unsigned char *in = *text;
    unsigned char *out = gk_alloc(2 * *n + 1, 1); /* an id of 6 or more characters grows by two at most */
    if (!out) return GK_FAILED;
    for (size_t from = 0; from < *n;) {
        int w = -1;
        if (from > 0 && (in[from - 1] == '"' || in[from - 1] == '#')) {
            for (int i = 0; i < 2; i++) {
                size_t len = strlen(word[i]);
                if (from + len < *n && memcmp(in + from, word[i], len) == 0 && in[from + len] >= '0' &&
                    in[from + len] <= '9')
                    w = i;
            }
        }
        if (w < 0) {
            out[to++] = in[from++];
            continue;
        }
        from += strlen(word[w]);
        unsigned long id = 0;
        while (from < *n && in[from] >= '0' && in[from] <= '9') id = 10 * id + (unsigned long)(in[from++] - '0');
        int k = 0;
        while (k < count[w] && seen[w][k] != id) k++;
        assert(k < IDS); /* a figure has PLOT_PANELS images at most */
        if (k == count[w]) seen[w][count[w]++] = id;
        to += (size_t)sprintf((char *)out + to, "%s%d", word[w], k);
    }
    free(*text);
    *text = out;
    *n = to;
    return GK_OK;
}
