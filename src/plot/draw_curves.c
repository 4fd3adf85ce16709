/* draw_curves.c: lines, bands, bars, phases and events over two scales. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Columns for thinning: a quarter of a point each, finer than print or screen resolve. */
static int columns_of(const plot_panel *p)
{
    return (int)(p->pw * 4);
}

static double px(const plot_panel *p, double x)
{
    return p->px + p->pw * plot_scale_map(&p->x.scale, x);
}
static double py(const plot_panel *p, double y)
{
    return p->py + p->ph * (1 - plot_scale_map(&p->y.scale, y));
}

static void hline(cairo_t *cr, double x0, double x1, double y)
{
    cairo_move_to(cr, x0, y);
    cairo_line_to(cr, x1, y);
    cairo_stroke(cr);
}

static void vline(cairo_t *cr, double x, double y0, double y1)
{
    cairo_move_to(cr, x, y0);
    cairo_line_to(cr, x, y1);
    cairo_stroke(cr);
}

/* Above the middle of a..b; where that is too narrow moved aside, as far as the name still touches its shade and keeps
 * clear of the one before it, which ends at *taken. */
static void name_shade(cairo_t *cr, const plot_panel *p, const char *name, double a, double b, double *taken)
{
    double width = plot_text_width(cr, name), from = p->px + (a + b) / 2 * p->pw - width / 2;
    from = fmax(fmin(from, p->px + p->pw + PLOT_BEYOND - width), *taken + 4);
    double to = from + width, y = p->py - (plot_has_flags(p) ? 8 : 2);
    if (from > p->px + b * p->pw || to < p->px + a * p->pw || to > p->px + p->pw + PLOT_BEYOND) return;
    plot_text(cr, from, y, name, 0, 1);
    *taken = to;
}

static void draw_shades(cairo_t *cr, const plot_panel *p)
{
    static const double tone[] = {0.93, 0.965, 0.93, 0.965};
    double taken = p->px - 8;
    for (int i = 0; i < p->n_shades; i++) {
        const plot_shade *s = &p->shades[i];
        double a = plot_scale_map(&p->x.scale, s->from), b = plot_scale_map(&p->x.scale, s->to);
        a = isnan(a) ? 0 : fmin(fmax(a, 0), 1);
        b = isnan(b) ? 0 : fmin(fmax(b, 0), 1);
        if (!(b > a)) continue;
        plot_set(cr, (plot_rgb){tone[i], tone[i], tone[i]});
        cairo_rectangle(cr, p->px + a * p->pw, p->py, (b - a) * p->pw, p->ph);
        cairo_fill(cr);
        plot_font(cr, PLOT_SMALL, false);
        plot_set(cr, plot_grey);
        if (s->label) name_shade(cr, p, s->label, a, b, &taken);
    }
}

static void draw_axes(cairo_t *cr, const plot_panel *p)
{
    plot_tick ticks[PLOT_TICKS];
    double right = p->px + p->pw, bottom = p->py + p->ph;
    int n = plot_scale_ticks(&p->y.scale, plot_room_y(p), ticks);
    plot_font(cr, PLOT_TEXT, false);
    plot_dash_set(cr, PLOT_SOLID);
    cairo_set_line_width(cr, 0.4);
    plot_set(cr, plot_pale);
    for (int i = 0; i < n; i++)
        if (!ticks[i].minor) hline(cr, p->px, right, py(p, ticks[i].at));
    cairo_set_line_width(cr, 0.6);
    plot_set(cr, plot_ink);
    for (int i = 0; i < n; i++) {
        double y = py(p, ticks[i].at);
        hline(cr, p->px - (ticks[i].minor ? 1.5 : 2.5), p->px, y);
        if (!ticks[i].minor && !p->y.bare) plot_text(cr, p->px - 4, y, ticks[i].text, 1, 0.5);
    }
    n = plot_scale_ticks(&p->x.scale, plot_room_x(p), ticks);
    double taken = -INFINITY; /* right end of the label before: one that would touch it is left out */
    for (int i = 0; i < n; i++) {
        double x = px(p, ticks[i].at), half = plot_text_width(cr, ticks[i].text) / 2;
        vline(cr, x, bottom, bottom + (ticks[i].minor ? 1.5 : 2.5));
        if (ticks[i].minor || p->x.bare || x - half < taken + 3) continue;
        plot_text(cr, x, bottom + 4.5, ticks[i].text, 0.5, 0);
        taken = x + half;
    }
    vline(cr, p->px, p->py, bottom);
    hline(cr, p->px, right, bottom);
    if (p->x.label) plot_text(cr, p->px + p->pw / 2, bottom + (p->x.bare ? 4 : 13.5), p->x.label, 0.5, 0);
    if (p->y.label) {
        double widest = 0;
        n = plot_scale_ticks(&p->y.scale, plot_room_y(p), ticks);
        for (int i = 0; i < n && !p->y.bare; i++)
            if (!ticks[i].minor) widest = fmax(widest, plot_text_width(cr, ticks[i].text));
        cairo_save(cr);
        cairo_translate(cr, p->px - 5 - widest - (p->y.bare ? 0 : 3), p->py + p->ph / 2);
        cairo_rotate(cr, -acos(-1.0) / 2);
        size_t cut = plot_break(cr, p->y.label, p->ph);
        if (cut) {
            char half[128];
            snprintf(half, sizeof half, "%.*s", (int)cut, p->y.label);
            const char *rest = p->y.label + cut + 1;
            if (fmax(plot_text_width(cr, half), plot_text_width(cr, rest)) > p->ph) plot_font(cr, 6, false);
            plot_text(cr, 0, -8.5, half, 0.5, 1);
        }
        plot_text(cr, 0, 0, p->y.label + (cut ? cut + 1 : 0), 0.5, 1);
        cairo_restore(cr);
    }
}

/* A run of drawable points is a stroke; one that stands alone is a dot. */
static void draw_line(cairo_t *cr, const plot_panel *p, const plot_line *line, const int *index, int n)
{
    plot_set(cr, plot_colour(line->colour));
    plot_dash_set(cr, line->dash);
    cairo_set_line_width(cr, 1.1);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    int length = 0;
    double x = 0, y = 0;
    for (int i = 0; i <= n; i++) {
        double nx = i < n ? px(p, line->x[index[i]]) : NAN, ny = i < n ? py(p, line->y[index[i]]) : NAN;
        if (isnan(nx) || isnan(ny)) {
            cairo_stroke(cr);
            if (length == 1) {
                cairo_arc(cr, x, y, 1.4, 0, 2 * acos(-1.0));
                cairo_fill(cr);
            }
            length = 0;
            continue;
        }
        if (length++ == 0)
            cairo_move_to(cr, nx, ny);
        else
            cairo_line_to(cr, nx, ny);
        x = nx;
        y = ny;
    }
    plot_dash_set(cr, PLOT_SOLID);
}

static void draw_band(cairo_t *cr, const plot_panel *p, const plot_line *line)
{
    plot_rgb c = plot_colour(line->colour);
    cairo_set_source_rgba(cr, c.r, c.g, c.b, 0.22);
    double floor = p->py + p->ph; /* a lower edge that the scale cannot show goes to the floor */
    for (int from = 0; from < line->n;) {
        int to = from;
        while (to < line->n && !isnan(px(p, line->x[to])) && !isnan(py(p, line->high[to]))) to++;
        for (int i = from; i < to; i++) cairo_line_to(cr, px(p, line->x[i]), py(p, line->high[i]));
        for (int i = to; i-- > from;) {
            double low = py(p, line->low[i]);
            cairo_line_to(cr, px(p, line->x[i]), isnan(low) ? floor : low);
        }
        cairo_close_path(cr);
        cairo_fill(cr);
        from = to + 1;
    }
}

static void draw_bars(cairo_t *cr, const plot_panel *p)
{
    plot_set(cr, plot_colour(p->colour));
    double w = fmax(0.5, 0.8 * p->pw / (p->x.scale.hi - p->x.scale.lo));
    for (int i = 0; i < p->n_bars; i++) {
        double x = px(p, p->bars[i].x), y = py(p, p->bars[i].y);
        if (isnan(x) || isnan(y)) continue;
        cairo_rectangle(cr, x - w / 2, y, w, p->py + p->ph - y);
        cairo_fill(cr);
    }
}

static bool has_data(const plot_panel *p)
{
    for (int i = 0; i < p->n_bars; i++)
        if (!isnan(py(p, p->bars[i].y))) return true;
    for (int l = 0; l < p->n_lines; l++)
        for (int i = 0; i < p->lines[l].n; i++)
            if (!isnan(px(p, p->lines[l].x[i])) && !isnan(py(p, p->lines[l].y[i]))) return true;
    return false;
}

/* Thinned indices of a line, malloc'ed; NULL without memory. */
static int *kept_points(const plot_panel *p, const plot_line *line, int *n)
{
    int *index = gk_alloc((size_t)line->n + 1, sizeof *index);
    *n = index ? plot_thin(line->x, line->y, line->n, &p->x.scale, columns_of(p), index) : 0;
    return index;
}

void plot_draw_curves(cairo_t *cr, const plot_panel *p)
{
    draw_shades(cr, p);
    draw_axes(cr, p);
    for (int i = 0; i < p->n_marks; i++) {
        if (!p->marks[i].rule) continue;
        plot_set(cr, plot_colour(p->marks[i].colour));
        plot_dash_set(cr, PLOT_DOTTED);
        cairo_set_line_width(cr, 0.5);
        vline(cr, px(p, p->marks[i].x), p->py, p->py + p->ph);
        plot_dash_set(cr, PLOT_SOLID);
    }
    cairo_save(cr);
    /* a line may touch the edge with its full width, but not leave the panel */
    cairo_rectangle(cr, p->px - 1.5, p->py - 1.5, p->pw + 3, p->ph + 3);
    cairo_clip(cr);
    for (int l = 0; l < p->n_lines; l++)
        if (p->lines[l].low) draw_band(cr, p, &p->lines[l]);
    for (int l = 0; l < p->n_lines; l++) {
        int n, *index = kept_points(p, &p->lines[l], &n);
        draw_line(cr, p, &p->lines[l], index, n);
        free(index);
    }
    if (p->n_bars) draw_bars(cr, p);
    cairo_restore(cr);
    for (int i = 0; i < p->n_marks; i++)
        if (p->marks[i].flag && !isnan(px(p, p->marks[i].x)))
            plot_triangle(cr, px(p, p->marks[i].x), p->py - 0.6, plot_colour(p->marks[i].colour), p->marks[i].filled);
    if (!has_data(p)) {
        plot_font(cr, PLOT_TEXT, false);
        plot_set(cr, plot_grey);
        plot_text(cr, p->px + p->pw / 2, p->py + p->ph / 2, "no data", 0.5, 0.5);
    }
}

void plot_count_points(const gk_plot_figure *f, int *drawn, int *total)
{
    *drawn = *total = 0;
    for (int i = 0; i < f->n; i++) {
        for (int l = 0; l < f->panels[i].n_lines; l++) {
            int n, *index = kept_points(&f->panels[i], &f->panels[i].lines[l], &n);
            *drawn += n;
            *total += f->panels[i].lines[l].n;
            free(index);
        }
    }
}
