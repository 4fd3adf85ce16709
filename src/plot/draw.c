/* draw.c: the one drawing routine, and the three files it can make. */
#include "plot.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGE 4.0

static void draw_legend(cairo_t *cr, const gk_plot_figure *f)
{
    plot_font(cr, PLOT_TEXT, false);
    double x = EDGE, y = f->legend_y + 5;
    for (int i = 0; i < f->n_keys; i++) {
        const plot_key *k = &f->keys[i];
        double w = plot_key_width(cr, k);
        if (x > EDGE && x + w - 9 > f->width - EDGE) {
            x = EDGE;
            y += 10;
        }
        plot_rgb c = plot_colour(k->colour);
        double text = x + 18;
        if (k->kind == PLOT_KEY_MARK) {
            plot_triangle(cr, x + 3.5, y + 2.2, c, k->filled);
            text = x + 9;
        } else {
            if (k->kind == PLOT_KEY_BAND) {
                cairo_set_source_rgba(cr, c.r, c.g, c.b, 0.22);
                cairo_rectangle(cr, x, y - 3, 14, 6);
                cairo_fill(cr);
            }
            plot_set(cr, c);
            plot_dash_set(cr, k->dash);
            cairo_set_line_width(cr, 1.3);
            cairo_move_to(cr, x, y);
            cairo_line_to(cr, x + 14, y);
            cairo_stroke(cr);
        }
        plot_set(cr, plot_ink);
        plot_text(cr, text, y, k->label, 0, 0.5);
        x += w;
    }
    plot_dash_set(cr, PLOT_SOLID);
}

static void put_line(cairo_t *cr, const char *line, int i)
{
    cairo_save(cr);
    cairo_translate(cr, 0, 8.5 * i);
    plot_text(cr, 0, 0, line, 0, 0);
    cairo_restore(cr);
}

static void draw_words(cairo_t *cr, const plot_panel *p)
{
    cairo_save(cr);
    cairo_translate(cr, p->px, p->py);
    plot_font(cr, PLOT_TEXT, false);
    plot_set(cr, plot_ink);
    for (const char *line = p->words; *line;) { /* one wrapped paragraph a line */
        char text[512];
        size_t len = strcspn(line, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(len < 511 ? len : 511), line);
        int n = plot_wrap(cr, text, p->pw, put_line);
        cairo_translate(cr, 0, 8.5 * n + 3);
        line += len + (line[len] == '\n');
    }
    cairo_restore(cr);
}

void plot_draw_figure(cairo_t *cr, const gk_plot_figure *f)
{
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    if (f->title) {
        plot_font(cr, PLOT_TITLE + 0.5, true);
        plot_set(cr, plot_ink);
        plot_text(cr, EDGE, EDGE, f->title, 0, 0);
    }
    draw_legend(cr, f);
    for (int i = 0; i < f->n; i++) {
        const plot_panel *p = &f->panels[i];
        double above = p->py - (p->subtitle ? 9 : 0) - (plot_has_flags(p) ? 6 : 0) -
                       (p->n_shades && p->shades[0].label ? 9 : 0) - 4;
        if (p->title) {
            plot_font(cr, PLOT_TITLE, true);
            plot_set(cr, plot_ink);
            plot_text(cr, p->px, above, p->title, 0, 1);
        }
        if (p->subtitle) {
            plot_font(cr, PLOT_SMALL, false);
            plot_set(cr, plot_grey);
            plot_text(cr, p->px, above + 9, p->subtitle, 0, 1);
        }
        if (p->kind == PLOT_WORDS)
            draw_words(cr, p);
        else if (p->kind == PLOT_HEAT)
            plot_draw_heat(cr, p);
        else
            plot_draw_curves(cr, p);
    }
    cairo_save(cr);
    plot_font(cr, PLOT_SMALL, false);
    plot_set(cr, plot_grey);
    cairo_translate(cr, EDGE, f->notes_y);
    for (int i = 0; i < f->n_notes; i++)
        cairo_translate(cr, 0, 8.5 * plot_wrap(cr, f->notes[i], f->width - 2 * EDGE, put_line));
    cairo_restore(cr);
}

/* ---- files ---- */

typedef struct stream {
    unsigned char *bytes;
    size_t n, size;
    bool failed;
} stream;

static cairo_status_t take(void *closure, const unsigned char *data, unsigned length)
{
    stream *s = closure;
    if (s->n + length > s->size) {
        size_t size = 2 * s->size + length + 4096;
        unsigned char *grown = realloc(s->bytes, size);
        if (!grown) return CAIRO_STATUS_NO_MEMORY;
        s->bytes = grown;
        s->size = size;
    }
    memcpy(s->bytes + s->n, data, length);
    s->n += length;
    return CAIRO_STATUS_SUCCESS;
}

int gk_plot_format_of(const char *path, gk_plot_format *format)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".svg") == 0)
        *format = GK_PLOT_SVG;
    else if (dot && strcmp(dot, ".pdf") == 0)
        *format = GK_PLOT_PDF;
    else if (dot && strcmp(dot, ".png") == 0)
        *format = GK_PLOT_PNG;
    else
        return gk_error(GK_USAGE, "%s: a picture's name ends in .svg, .pdf or .png", path);
    return GK_OK;
}

int gk_plot_render(const gk_plot_figure *f, gk_plot_format format, double dpi, unsigned char **bytes, size_t *n)
{
    stream out = {0};
    double scale = 1;
    cairo_surface_t *surface;
    if (dpi == 0) dpi = 300;
    if (!(dpi >= 30 && dpi <= 1200)) return gk_error(GK_USAGE, "%g dpi: 30 to 1200 are possible", dpi);
    if (format == GK_PLOT_SVG) {
        surface = cairo_svg_surface_create_for_stream(take, &out, f->width, f->height);
    } else if (format == GK_PLOT_PDF) {
        surface = cairo_pdf_surface_create_for_stream(take, &out, f->width, f->height);
        /* an empty date leaves the entry out: equal data, equal bytes */
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "groklab");
    } else {
        scale = dpi / 72;
        surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)lround(f->width * scale),
                                             (int)lround(f->height * scale));
    }
    cairo_t *cr = cairo_create(surface);
    cairo_scale(cr, scale, scale);
    plot_draw_figure(cr, f);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    if (format == GK_PLOT_PNG && !status) status = cairo_surface_write_to_png_stream(surface, take, &out);
    cairo_surface_finish(surface);
    if (!status) status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status) {
        free(out.bytes);
        return gk_error(GK_FAILED, "the figure cannot be drawn: %s", cairo_status_to_string(status));
    }
    if (format == GK_PLOT_SVG && plot_svg_renumber(&out.bytes, &out.n)) {
        free(out.bytes);
        return GK_FAILED;
    }
    *bytes = out.bytes;
    *n = out.n;
    return GK_OK;
}
