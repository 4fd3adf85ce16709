/* text.c: a growing text, and the escapes of JSON, HTML and base64. */
#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void plot_put(plot_buffer *b, const char *text, size_t n)
{
    if (b->failed) return;
    if (b->n + n + 1 > b->size) {
        size_t size = 2 * b->size + n + 4096;
        char *grown = realloc(b->at, size);
        if (!grown) {
            b->failed = true;
            gk_error(GK_FAILED, "no memory for a page of %zu bytes", size);
            return;
        }
        b->at = grown;
        b->size = size;
    }
    memcpy(b->at + b->n, text, n);
    b->n += n;
    b->at[b->n] = '\0';
}

void plot_puts(plot_buffer *b, const char *text)
{
    plot_put(b, text, strlen(text));
}

void plot_putf(plot_buffer *b, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    plot_puts(b, text);
}

void plot_put_json(plot_buffer *b, const char *text)
{
    if (!text) {
        plot_puts(b, "null");
        return;
    }
    plot_puts(b, "\"");
    for (const char *c = text; *c; c++) {
        unsigned char u = (unsigned char)*c;
        /* "<" could end the script element, and a control character the string */
        if (u < 0x20 || u == '<' || u == '>' || u == '&' || u == '"' || u == '\\')
            plot_putf(b, "\\u%04x", u);
        else
            plot_put(b, c, 1);
    }
    plot_puts(b, "\"");
}

void plot_put_real(plot_buffer *b, double v)
{
    char text[32];
    if (!isfinite(v)) {
        plot_puts(b, "null");
        return;
    }
    gk_text_from_real(v, text);
    plot_puts(b, text);
}

void plot_put_html(plot_buffer *b, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '<')
            plot_puts(b, "&lt;");
        else if (*c == '>')
            plot_puts(b, "&gt;");
        else if (*c == '&')
            plot_puts(b, "&amp;");
        else if (*c == '"')
            plot_puts(b, "&quot;");
        else
            plot_put(b, c, 1);
    }
}

void plot_put_base64(plot_buffer *b, const unsigned char *bytes, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)bytes[i] << 16;
        if (i + 1 < n) v |= (unsigned)bytes[i + 1] << 8;
        if (i + 2 < n) v |= bytes[i + 2];
        char four[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=',
                        i + 2 < n ? digit[v & 63] : '='};
        plot_put(b, four, 4);
    }
}
