/* ink.c: pens and letters. */
#include "plot.h"

#include <stdio.h>
#include <string.h>

void plot_font(cairo_t *cr, double size, bool bold)
{
    /* Unhinted outlines with exact widths, so that a layout does not depend on the surface it is drawn on. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
    cairo_select_font_face(cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

double plot_text_width(cairo_t *cr, const char *text)
{
    cairo_text_extents_t e;
    cairo_text_extents(cr, text, &e);
    return e.x_advance;
}

int plot_wrap(cairo_t *cr, const char *text, double width, void (*put)(cairo_t *cr, const char *line, int i))
{
    char line[512] = "", longer[1024];
    int n = 0;
    for (const char *word = text; *word;) {
        size_t len = strcspn(word, " ");
        snprintf(longer, sizeof longer, "%s%s%.*s", line, *line ? " " : "", (int)len, word);
        if (*line && plot_text_width(cr, longer) > width) {
            if (put) put(cr, line, n);
            n++;
            snprintf(line, sizeof line, "%.*s", (int)len, word);
        } else {
            snprintf(line, sizeof line, "%.511s", longer);
        }
        word += len;
        while (*word == ' ') word++;
    }
    if (*line) {
        if (put) put(cr, line, n);
        n++;
    }
    return n;
}

size_t plot_break(cairo_t *cr, const char *text, double length)
{
    size_t n = strlen(text), best = 0;
    if (plot_text_width(cr, text) <= length) return 0;
    for (size_t i = 1; i < n; i++) { /* the space nearest to the middle */
        if (text[i] != ' ') continue;
        size_t off = i > n / 2 ? i - n / 2 : n / 2 - i, best_off = best > n / 2 ? best - n / 2 : n / 2 - best;
        if (best == 0 || off < best_off) best = i;
    }
    return best;
}

void plot_set(cairo_t *cr, plot_rgb c)
{
    cairo_set_source_rgb(cr, c.r, c.g, c.b);
}

void plot_text(cairo_t *cr, double x, double y, const char *text, double h, double v)
{
    cairo_font_extents_t font;
    cairo_font_extents(cr, &font);
    double cap = font.ascent * 0.76; /* the height of a capital, which is what the eye centres */
    cairo_move_to(cr, x - h * plot_text_width(cr, text), y + (1 - v) * cap);
    cairo_show_text(cr, text);
    cairo_new_path(cr);
}

void plot_dash_set(cairo_t *cr, plot_dash dash)
{
    static const double dashes[] = {3.2, 1.6}, dots[] = {0.9, 1.4}, both[] = {3.5, 1.4, 0.9, 1.4};
    switch (dash) {
    case PLOT_SOLID:
        cairo_set_dash(cr, NULL, 0, 0);
        break;
    case PLOT_DASHED:
        cairo_set_dash(cr, dashes, 2, 0);
        break;
    case PLOT_DOTTED:
        cairo_set_dash(cr, dots, 2, 0);
        break;
    case PLOT_DASHDOT:
        cairo_set_dash(cr, both, 4, 0);
        break;
    }
}

void plot_triangle(cairo_t *cr, double x, double y, plot_rgb colour, bool filled)
{
    cairo_move_to(cr, x - 2.2, y - 4.4);
    cairo_line_to(cr, x + 2.2, y - 4.4);
    cairo_line_to(cr, x, y);
    cairo_close_path(cr);
    plot_set(cr, filled ? colour : (plot_rgb){1, 1, 1});
    cairo_fill_preserve(cr);
    plot_set(cr, colour);
    plot_dash_set(cr, PLOT_SOLID);
    cairo_set_line_width(cr, 0.7);
    cairo_stroke(cr);
}

bool plot_has_flags(const plot_panel *p)
{
    for (int i = 0; i < p->n_marks; i++)
        if (p->marks[i].flag) return true;
    return false;
}
