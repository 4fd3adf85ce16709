/* migrate.h: files of older versions. Private to src/store. */
#ifndef GK_STORE_MIGRATE_H
#define GK_STORE_MIGRATE_H

#include "store.h"

/* Brings a file of an older user_version up to date, after a copy of it has been put beside it as FILE.vN.bak. Two
 * processes may do it at once. */
int gk_migrate(gk_store *s, int64_t version);

#endif
