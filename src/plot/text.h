/* text.h: a growing text, for the page. */
#ifndef GK_PLOT_TEXT_H
#define GK_PLOT_TEXT_H

#include "gk_base.h"

typedef struct plot_buffer {
    char *at; /* malloc'ed, NUL-terminated once anything was put */
    size_t n, size;
    bool failed; /* memory ran out: later puts do nothing */
} plot_buffer;

void plot_put(plot_buffer *b, const char *text, size_t n);
void plot_puts(plot_buffer *b, const char *text);
void plot_putf(plot_buffer *b, const char *fmt, ...) GK_PRINTF(2, 3);
/* JSON string that is also safe inside an HTML script element; NULL: null. */
void plot_put_json(plot_buffer *b, const char *text);
/* Shortest number that reads back the same; null unless finite. */
void plot_put_real(plot_buffer *b, double v);
/* Text for HTML. */
void plot_put_html(plot_buffer *b, const char *text);
void plot_put_base64(plot_buffer *b, const unsigned char *bytes, size_t n);

#endif
