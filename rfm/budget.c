/* budget.c: what an iteration will take in memory and time, said before it starts. */
#include "rfm.h"

#include <stdio.h>
#include <string.h>

/* The number after `key` in a file of "key: value kB" lines or, with an empty key, the first number. -1 if there is
 * none. */
static double number_in(const char *path, const char *key)
{
    FILE *f = fopen(path, "r");
    char line[256];
    double value = -1;
    if (!f) return -1;
    while (value < 0 && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%lf", &value) != 1) value = -1;
    }
    fclose(f);
    return value;
}

double gk_rfm_memory_free(void)
{
    const double kilobytes = number_in("/proc/meminfo", "MemAvailable:");
    const double limit = number_in("/sys/fs/cgroup/memory.max", ""),
                 used = number_in("/sys/fs/cgroup/memory.current", "");
    const double machine = kilobytes < 0 ? 1e30 : 1024 * kilobytes;
    return limit >= 0 && used >= 0 && limit - used < machine ? limit - used : machine;
}

/* Double-precision operations of the dense solver: factor, triangular solves, kernel times coefficients (outputs,
 * segments), second moments. */
double gk_rfm_dense_work(double n, double p)
{
    return n * n * n / 3 + 6 * n * n * p + 6 * p * p * p * n;
}

/* The matrix-free solver in the same coin, as measured: a solve of a dozen applications, the float64 check, the
 * moments. */
double gk_rfm_cg_work(double p)
{
    return 115 * p * p * p * p;
}

/* The iterative solver of the other kernels: some dozen products in float32, a check in float64, the moments. */
double gk_rfm_radial_work(double n, double p)
{
    return 16 * n * n * p + 3 * p * p * p * n;
}

double gk_rfm_seconds(double work, int threads)
{
    return work / (4e10 * threads);
}

void gk_rfm_tell_from_here(gk_model *m)
{
    m->watched_since = m->watched_last = m->watch ? gk_seconds() : 0;
}

void gk_rfm_tell(gk_model *m, const char *doing, double share)
{
    if (!m->watch) return;
    const double now = gk_seconds();
    if (now - m->watched_since < 1 || now - m->watched_last < 0.25) return;
    m->watched_last = now;
    m->watch(m->watch_context, doing, share);
}
