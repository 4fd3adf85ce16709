/* alive.c: does the process that trains a run still live? */
#include "alive.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run on another machine, whose process cannot be asked, counts as dead after this long without a heartbeat. */
enum { SILENT_SECONDS = 3600 };

/* Seconds since 1970 at which a process of this machine started, or 0 where that cannot be told. *ended: it has ended and
 * only waits for its parent to ask how. */
static double started_at(int64_t pid, bool *ended)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *file = fopen(path, "r");
    *ended = false;
    if (!file) return 0;
    const size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[n] = '\0';
    /* The name in brackets may hold blanks; behind it are the state, a letter, and as the 20th word the start in clock
     * ticks since boot. */
    char *at = strrchr(line, ')');
    *ended = at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0);
    for (int i = 0; at && i < 20; i++) at = strchr(at + 1, ' ');
    const double ticks = at ? strtod(at, NULL) : 0;
    double boot = 0;
    file = fopen("/proc/stat", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "btime ", 6) == 0) boot = strtod(line + 6, NULL);
    }
    if (file) fclose(file);
    return ticks > 0 && boot > 0 ? boot + ticks / (double)sysconf(_SC_CLK_TCK) : 0;
}

bool gk_alive(const char *host, int64_t pid, double heartbeat, double now)
{
    char here[256] = "";
    gethostname(here, sizeof here - 1);
    if (!host || strcmp(host, here) != 0) return now - heartbeat <= SILENT_SECONDS;
    if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH)) return false;
    bool ended;
    return started_at(pid, &ended) <= heartbeat + 2 && !ended;
}
