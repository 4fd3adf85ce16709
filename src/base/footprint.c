/* footprint.c: how much memory the process has held at most. Linux keeps that figure and lets it be set back; elsewhere
 * it is the whole process's. */
#include "gk_base.h"

#include <stdio.h>
#include <sys/resource.h>

void gk_peak_memory_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f); /* proc(5): sets the peak back to what is held now */
    fclose(f);
}

int64_t gk_peak_memory(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long long kilobytes = -1;
    while (f && kilobytes < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld", &kilobytes) != 1) kilobytes = -1;
    if (f) fclose(f);
    if (kilobytes >= 0) return 1024 * (int64_t)kilobytes;
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024 * (int64_t)usage.ru_maxrss : 0;
}
