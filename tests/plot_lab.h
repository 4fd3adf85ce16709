/* plot_lab.h: reads drawn figures back as pixels. */
#ifndef PLOT_LAB_H
#define PLOT_LAB_H

#include "gk_plot.h"

#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DPI 216.0 /* three pixels a point */

typedef struct lab_bytes {
    const unsigned char *at;
    size_t left;
} lab_bytes;

static cairo_status_t lab_read(void *closure, unsigned char *data, unsigned length)
{
    lab_bytes *b = closure;
    if (length > b->left) return CAIRO_STATUS_READ_ERROR;
    memcpy(data, b->at, length);
    b->at += length;
    b->left -= length;
    return CAIRO_STATUS_SUCCESS;
}

/* The figure as an image, through its PNG bytes. */
static inline cairo_surface_t *lab_image(const gk_plot_figure *f)
{
    unsigned char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gk_plot_render(f, GK_PLOT_PNG, DPI, &bytes, &n), GK_OK);
    lab_bytes from = {bytes, n};
    cairo_surface_t *image = cairo_image_surface_create_from_png_stream(lab_read, &from);
    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    free(bytes);
    return image;
}

/* 0xRRGGBB at a place in points. */
static inline unsigned lab_pixel(cairo_surface_t *image, double x, double y)
{
    int i = (int)floor(y * DPI / 72), j = (int)floor(x * DPI / 72);
    assert_in_range(i, 0, cairo_image_surface_get_height(image) - 1);
    assert_in_range(j, 0, cairo_image_surface_get_width(image) - 1);
    uint32_t v;
    memcpy(&v, cairo_image_surface_get_data(image) + (ptrdiff_t)i * cairo_image_surface_get_stride(image) + 4 * j, 4);
    return v & 0xFFFFFF;
}

static inline bool lab_near(unsigned a, unsigned b, int tolerance)
{
    for (int shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 255) - (int)(b >> shift & 255)) > tolerance) return false;
    return true;
}

/* How many pixels of a colour within a rectangle in points. */
static inline int lab_count(cairo_surface_t *image, unsigned colour, double x0, double y0, double x1, double y1)
{
    int n = 0;
    double step = 72 / DPI;
    for (double y = y0; y < y1; y += step)
        for (double x = x0; x < x1; x += step) n += lab_near(lab_pixel(image, x + step / 2, y + step / 2), colour, 4);
    return n;
}

/* fontconfig keeps a few patterns until the process ends; they are not ours to free. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}

enum { BLUE = 0x0072B2, VERMILLION = 0xD55E00, GREEN = 0x009E73, INK = 0x212121, GREY = 0x666666, WHITE = 0xFFFFFF };

#endif
