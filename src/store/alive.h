/* alive.h: does the process that trains a run still live? Private to src/store. */
#ifndef GK_STORE_ALIVE_H
#define GK_STORE_ALIVE_H

#include "gk_base.h"

/* On this machine the system knows: a process that started after the last heartbeat is another one with the same number,
 * and a zombie is over; elsewhere only silence tells. heartbeat and now are seconds since 1970. */
bool gk_alive(const char *host, int64_t pid, double heartbeat, double now);

#endif
