/* metrics.h: metric names and their numbers. Private to src/store. */
#ifndef GK_STORE_METRICS_H
#define GK_STORE_METRICS_H

#include "store.h"

/* The number of a metric, looked up once a connection; a new name gets a row. */
int gk_metrics_id(gk_store *s, const char *name, int64_t *id);
void gk_metrics_forget(gk_store *s);

#endif
