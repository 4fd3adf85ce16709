/* schema.h: the tables and views of a run database. Private to src/store. */
#ifndef GK_STORE_SCHEMA_H
#define GK_STORE_SCHEMA_H

#include <sqlite3.h>

/* PRAGMA application_id: "grok". */
enum { GK_APPLICATION_ID = 0x67726f6b, GK_USER_VERSION = 1 };

/* Makes every table, index and view, and sets both numbers, inside the caller's transaction. An SQLite code. */
int gk_schema_create(sqlite3 *db);

#endif
