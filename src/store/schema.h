/* schema.h: the tables and views of a run database. Private to src/store. */
#ifndef GK_STORE_SCHEMA_H
#define GK_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>

/* PRAGMA application_id: "grok". */
enum { GK_APPLICATION_ID = 0x67726f6b, GK_USER_VERSION = 2 };

/* Makes every table, index and view, and sets both numbers, inside the caller's transaction. An SQLite code. */
int gk_schema_create(sqlite3 *db);

/* Makes today's views: in the file in place of the ones there, or (`own`) for this connection only, whose names then
 * hide those of an older file that must not be changed. An SQLite code. */
int gk_schema_views(sqlite3 *db, bool own);

#endif
