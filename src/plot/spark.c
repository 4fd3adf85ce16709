/* spark.c: a curve in one line of text. */
#include "gk_plot.h"

#include <math.h>
#include <string.h>

void gk_plot_sparkline(char *out, const double *values, int n, int width, bool log_scale, double lo, double hi)
{
    static const char *const block[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    int columns = n < width ? n : width;
    char *end = out;
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < n; i++) {
        double v = log_scale ? (values[i] > 0 ? log(values[i]) : NAN) : values[i];
        if (!isfinite(v)) continue;
        least = fmin(least, v);
        most = fmax(most, v);
    }
    if (!isnan(lo)) least = log_scale ? log(lo) : lo;
    if (!isnan(hi)) most = log_scale ? log(hi) : hi;
    for (int c = 0; c < columns; c++) {
        int from = (int)((int64_t)c * n / columns), to = (int)((int64_t)(c + 1) * n / columns), k = 0;
        double sum = 0;
        for (int i = from; i < to; i++) {
            double v = log_scale ? (values[i] > 0 ? log(values[i]) : NAN) : values[i];
            if (!isfinite(v)) continue;
            sum += v;
            k++;
        }
        if (k == 0) {
            *end++ = ' ';
            continue;
        }
        double t = most > least ? (sum / k - least) / (most - least) : 0.5;
        int level = (int)(t * 8);
        level = level < 0 ? 0 : level > 7 ? 7 : level;
        size_t bytes = strlen(block[level]);
        memcpy(end, block[level], bytes);
        end += bytes;
    }
    *end = '\0';
}
