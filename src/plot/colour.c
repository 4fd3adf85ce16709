/* colour.c: palettes that colour-blind readers and grey printers can tell apart. */
#include "plot.h"

#include <math.h>

const plot_rgb plot_ink = {0.13, 0.13, 0.13}, plot_grey = {0.40, 0.40, 0.40}, plot_pale = {0.88, 0.88, 0.88};

static plot_rgb hex(unsigned v)
{
    return (plot_rgb){(double)(v >> 16) / 255, (double)(v >> 8 & 255) / 255, (double)(v & 255) / 255};
}

/* Linear between the two table entries around t * (n - 1). */
static plot_rgb between(const unsigned *table, int n, double t)
{
    if (!(t > 0)) t = 0; /* NaN too; callers paint NaN themselves */
    if (t > 1) t = 1;
    double at = t * (n - 1);
    int i = (int)at;
    if (i > n - 2) i = n - 2;
    double w = at - i;
    plot_rgb a = hex(table[i]), b = hex(table[i + 1]);
    return (plot_rgb){a.r + w * (b.r - a.r), a.g + w * (b.g - a.g), a.b + w * (b.b - a.b)};
}

plot_rgb plot_colour(int index)
{
    /* Okabe and Ito 2008: blue, vermillion, bluish green, reddish purple, orange, sky blue, black */
    static const unsigned table[] = {0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x000000};
    return index < 0 ? plot_ink : hex(table[index % 7]);
}

plot_rgb plot_diverging(double t)
{
    static const unsigned table[] = {0x053061, 0x2166AC, 0x4393C3, 0x92C5DE, 0xD1E5F0, 0xFFFFFF,
                                     0xFDDBC7, 0xF4A582, 0xD6604D, 0xB2182B, 0x67001F};
    return between(table, 11, (t + 1) / 2);
}

plot_rgb plot_sequential(double t)
{
    static const unsigned table[] = {0x440154, 0x482878, 0x3E4A89, 0x31688E, 0x26828E,
                                     0x1F9E89, 0x35B779, 0x6DCD59, 0xB4DE2C, 0xFDE725};
    return between(table, 10, t);
}
