/* clock.c: how long things take. */
#include "gk_base.h"

#include <time.h>

double gk_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
