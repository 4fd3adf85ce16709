/* file.c: bytes into files. */
#include "plot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int gk_plot_save(const char *path, const void *bytes, size_t n)
{
    char *beside = gk_text("%s.%ld.tmp", path, (long)getpid());
    if (!beside) return GK_FAILED;
    FILE *file = fopen(beside, "wb");
    bool good = file && fwrite(bytes, 1, n, file) == n;
    if (file) good = (fclose(file) == 0) && good;
    if (good) good = rename(beside, path) == 0;
    int error = GK_OK;
    if (!good) {
        error = gk_error(GK_FAILED, "cannot write %s: %s", path, strerror(errno));
        remove(beside);
    }
    free(beside);
    return error;
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
