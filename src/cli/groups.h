/* groups.h: runs that differ in nothing but a seed, as one row. */
#ifndef GK_CLI_GROUPS_H
#define GK_CLI_GROUPS_H

#include "cli.h"

/* Lists groups of runs with n, and mean, standard deviation, least and most of their steps to memorise and to
 * generalise. by: settings between commas, or all-but-KEY,KEY...: every setting that differs among the runs but those
 * (and the name). filter: an SQL condition over `run r JOIN split s` with parameters ?1 ... from params. */
int gk_groups_list(gk_store *s, gk_list_format format, const char *by, const char *filter, const char *const *params,
                   size_t *rows);

#endif
