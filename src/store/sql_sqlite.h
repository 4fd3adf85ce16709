/* sql_sqlite.h: SQLite for the adapters: linked, or, in the loadable extension, the host's. Private to src/store. */
#ifndef GK_SQL_SQLITE_H
#define GK_SQL_SQLITE_H

#ifdef GK_SQL_EXTENSION
#include <sqlite3ext.h>
#ifdef GK_SQL_ENTRY
SQLITE_EXTENSION_INIT1
#else
SQLITE_EXTENSION_INIT3
#endif
#else
#include <sqlite3.h>
#endif

/* Teaches a connection all functions. An SQLite code. */
int gk_sql_register(sqlite3 *db);
/* The table-valued ones. */
int gk_sql_register_tables(sqlite3 *db);

#endif
