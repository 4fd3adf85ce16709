/* draw_heat.c: heat maps. The cells are one image without smoothing, so that files stay small and edges crisp. */
#include "plot.h"

#include <math.h>
#include <stdio.h>

static const plot_rgb absent = {0.80, 0.80, 0.80}, empty = {1, 1, 1}; /* NaN; nothing behind a cell */

static double shade_of(const plot_panel *p, double v)
{
    if (p->diverging) return v / p->limit_hi;
    if (p->log_colour) return v > 0 ? log(v / p->limit_lo) / log(p->limit_hi / p->limit_lo) : 0;
    return (v - p->limit_lo) / (p->limit_hi - p->limit_lo);
}

static plot_rgb cell_colour(const plot_panel *p, size_t at)
{
    const double v = p->data[at];
    if (p->counts && p->counts[at] == 0) return empty;
    if (isnan(v)) return absent;
    return p->diverging ? plot_diverging(shade_of(p, v)) : plot_sequential(shade_of(p, v));
}

static uint32_t pixel(plot_rgb c)
{
    return (uint32_t)lround(c.r * 255) << 16 | (uint32_t)lround(c.g * 255) << 8 | (uint32_t)lround(c.b * 255);
}

/* An image of rows x cols cells, each k x k pixels: viewers that smooth images anyway then blur cell edges only. */
static void draw_image(cairo_t *cr, int rows, int cols, int k, double x, double y, double w, double h,
                       plot_rgb (*colour)(const void *of, int row, int col), const void *of)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, cols * k, rows * k);
    if (cairo_surface_status(image)) {
        cairo_surface_destroy(image);
        return;
    }
    unsigned char *bytes = cairo_image_surface_get_data(image);
    int stride = cairo_image_surface_get_stride(image);
    for (int i = 0; i < rows * k; i++) {
        uint32_t *line = (uint32_t *)(void *)(bytes + (ptrdiff_t)i * stride);
        for (int j = 0; j < cols * k; j++) line[j] = j % k ? line[j - 1] : pixel(colour(of, i / k, j / k));
    }
    cairo_surface_mark_dirty(image);
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, w / (cols * k), h / (rows * k));
    cairo_set_source_surface(cr, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(image);
}

static plot_rgb matrix_cell(const void *of, int row, int col)
{
    const plot_panel *p = of;
    int r = p->upward ? p->rows - 1 - row : row;
    return cell_colour(p, (size_t)r * (size_t)p->cols + (size_t)col);
}

static plot_rgb bar_cell(const void *of, int row, int col)
{
    const plot_panel *p = of;
    double t = 1 - (row + 0.5) / 128;
    (void)col;
    return p->diverging ? plot_diverging(2 * t - 1) : plot_sequential(t);
}

static void draw_numbers(cairo_t *cr, const plot_panel *p)
{
    double cell_w = p->pw / p->cols, cell_h = p->ph / p->rows;
    for (int r = 0; r < p->rows; r++) {
        for (int c = 0; c < p->cols; c++) {
            size_t at = (size_t)r * (size_t)p->cols + (size_t)c;
            double v = p->data[at], y = p->py + cell_h * ((p->upward ? p->rows - 1 - r : r) + 0.5);
            char text[32];
            if (p->counts && p->counts[at] == 0) continue;
            if (p->diverging)
                plot_hundredths(text, sizeof text, v);
            else
                plot_number(text, sizeof text, v);
            plot_font(cr, PLOT_TEXT, false);
            if (plot_text_width(cr, text) > cell_w - 2) plot_font(cr, 5.5, false);
            if (plot_text_width(cr, text) > cell_w || cell_h < 7) continue;
            plot_rgb c0 = cell_colour(p, at);
            bool dark = 0.30 * c0.r + 0.59 * c0.g + 0.11 * c0.b < 0.5;
            plot_set(cr, dark ? (plot_rgb){1, 1, 1} : plot_ink);
            bool counted = p->counts && p->counts[at] > 1 && cell_h > 16;
            plot_text(cr, p->px + cell_w * (c + 0.5), y - (counted ? 3.5 : 0), text, 0.5, 0.5);
            if (!counted) continue;
            snprintf(text, sizeof text, "n=%d", p->counts[at]);
            plot_font(cr, 5.5, false);
            plot_text(cr, p->px + cell_w * (c + 0.5), y + 5, text, 0.5, 0.5);
        }
    }
}

static void draw_bar(cairo_t *cr, const plot_panel *p)
{
    double x = p->px + p->pw + 4, w = 6;
    draw_image(cr, 128, 1, 1, x, p->py, w, p->ph, bar_cell, p);
    plot_set(cr, plot_ink);
    cairo_set_line_width(cr, 0.5);
    cairo_rectangle(cr, x, p->py, w, p->ph);
    cairo_stroke(cr);
    plot_font(cr, PLOT_SMALL, false);
    plot_scale s = {p->log_colour ? PLOT_LOG : PLOT_LINEAR, p->limit_lo, p->limit_hi, false};
    plot_tick ticks[PLOT_TICKS];
    int n = plot_scale_ticks(&s, (int)fmax(2, p->ph / 25), ticks);
    double widest = 0;
    for (int i = 0; i < n; i++) {
        if (ticks[i].minor) continue;
        widest = fmax(widest, plot_text_width(cr, ticks[i].text));
        double y = p->py + p->ph * (1 - plot_scale_map(&s, ticks[i].at));
        cairo_move_to(cr, x + w, y);
        cairo_line_to(cr, x + w + 1.5, y);
        cairo_stroke(cr);
        plot_text(cr, x + w + 3, y, ticks[i].text, 0, 0.5);
    }
    if (!p->bar_label) return;
    cairo_save(cr);
    cairo_translate(cr, x + w + widest + 7, p->py + p->ph / 2);
    cairo_rotate(cr, -acos(-1.0) / 2);
    plot_text(cr, 0, 0, p->bar_label, 0.5, 0);
    cairo_restore(cr);
}

static void draw_sides(cairo_t *cr, const plot_panel *p)
{
    double bottom = p->py + p->ph, widest = 0;
    plot_font(cr, PLOT_TEXT, false);
    plot_set(cr, plot_ink);
    for (int i = 0; i < p->x.n_labels && !p->x.bare; i++)
        plot_text(cr, p->px + p->pw * p->x.at[i] / p->cols, bottom + 3.5, p->x.text[i], 0.5, 0);
    for (int i = 0; i < p->y.n_labels && !p->y.bare; i++) {
        double at = p->upward ? p->rows - p->y.at[i] : p->y.at[i];
        plot_text(cr, p->px - 3, p->py + p->ph * at / p->rows, p->y.text[i], 1, 0.5);
        widest = fmax(widest, plot_text_width(cr, p->y.text[i]));
    }
    if (p->x.label) plot_text(cr, p->px + p->pw / 2, bottom + (p->x.n_labels ? 12.5 : 3.5), p->x.label, 0.5, 0);
    if (!p->y.label) return;
    cairo_save(cr);
    cairo_translate(cr, p->px - 5 - widest - (widest > 0 ? 3 : 0), p->py + p->ph / 2);
    cairo_rotate(cr, -acos(-1.0) / 2);
    plot_text(cr, 0, 0, p->y.label, 0.5, 1);
    cairo_restore(cr);
}

void plot_draw_heat(cairo_t *cr, const plot_panel *p)
{
    int most = p->rows > p->cols ? p->rows : p->cols, k = most ? 512 / most : 1;
    if (k < 1) k = 1;
    if (k > 8) k = 8;
    if (p->rows > 0 && p->cols > 0) draw_image(cr, p->rows, p->cols, k, p->px, p->py, p->pw, p->ph, matrix_cell, p);
    plot_dash_set(cr, PLOT_SOLID);
    plot_set(cr, plot_ink);
    cairo_set_line_width(cr, 0.3);
    if (p->line_at > 0) {
        double x = p->px + p->pw * p->line_at / p->cols, y = p->py + p->ph * p->line_at / p->rows;
        cairo_move_to(cr, x, p->py);
        cairo_line_to(cr, x, p->py + p->ph);
        cairo_move_to(cr, p->px, y);
        cairo_line_to(cr, p->px + p->pw, y);
        cairo_stroke(cr);
    }
    cairo_set_line_width(cr, 0.5);
    cairo_rectangle(cr, p->px, p->py, p->pw, p->ph);
    cairo_stroke(cr);
    if (p->numbers) draw_numbers(cr, p);
    if (p->bar) draw_bar(cr, p);
    draw_sides(cr, p);
}
