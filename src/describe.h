/* describe.h: every stored metric says in metric_name what it is. */
#ifndef GK_DESCRIBE_H
#define GK_DESCRIBE_H

#include "gk_lab.h"

/* Describes the loop's metrics, those of the listed measures, and whatever is stored under a name that a measure announces
 * as a family, such as excluded_loss_k<freq>. */
int gk_describe_metrics(gk_store *store);

/* Is `name` one of those that `pattern` announces, the part in <> standing for anything? */
bool gk_describe_matches(const char *pattern, const char *name);

#endif
