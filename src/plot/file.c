/* file.c: bytes into files. */
#include "plot.h"

#include <stdlib.h>

int gk_plot_save(const char *path, const void *bytes, size_t n)
{
    gk_file file;
    const int error = gk_file_open(&file, path);
    if (error) return error;
    fwrite(bytes, 1, n, file.to);
    return gk_file_close(&file, GK_OK);
}

int gk_plot_write(const gk_plot_figure *f, const char *path, double dpi)
{
    gk_plot_format format = GK_PLOT_SVG;
    unsigned char *bytes = NULL;
    size_t n = 0;
    int error = gk_plot_format_of(path, &format);
    if (!error) error = gk_plot_render(f, format, dpi, &bytes, &n);
    if (!error) error = gk_plot_save(path, bytes, n);
    free(bytes);
    return error;
}
