/* store.h: what the files of the store share: the connection, its prepared statements and its error lines.
 * Private to src/store. */
#ifndef GK_STORE_PRIVATE_H
#define GK_STORE_PRIVATE_H

#include "gk_store.h"

#include <sqlite3.h>

/* Statements are kept by the address of their text: pass string literals or static arrays. */
typedef struct gk_db_statement {
    const char *sql;
    sqlite3_stmt *statement;
} gk_db_statement;

typedef struct gk_db_metric {
    char *name;
    int64_t id;
} gk_db_metric;

struct gk_store {
    sqlite3 *db;
    char *path;
    int busy_ms;        /* how long to wait for another process */
    int64_t busy_since; /* when the wait that goes on began */
    bool write;
    int depth; /* of nested transactions */
    gk_db_statement *statements;
    int n_statements, room_statements;
    gk_db_metric *metrics; /* names already looked up, ascending */
    int n_metrics, room_metrics;
};

/* ---- statement.c ---- */

/* A thread that enters keeps the others out of the connection and of this struct until it leaves; it may enter again.
 * Inside, SQLite's own locks cost next to nothing. */
void gk_db_enter(gk_store *s);
void gk_db_leave(gk_store *s);

/* Turns an SQLite code into ours with one line: file, what was being done ("storing a matrix"), why, what to do. */
int gk_db_fail(gk_store *s, int rc, const char *doing);

/* Runs a statement that returns nothing. kinds has a letter for each parameter ?1, ?2 ...: i int64_t, r double (NaN is
 * NULL), t const char * (NULL is NULL), b const void * and size_t. */
int gk_db_exec(gk_store *s, const char *doing, const char *sql, const char *kinds, ...);

/* Runs a statement up to its first row. GK_OK: *row stands on it, the connection is entered, and the caller ends with
 * gk_db_done. GK_NOTFOUND: no row, nothing to end, and no error line. */
int gk_db_select(gk_store *s, const char *doing, const char *sql, sqlite3_stmt **row, const char *kinds, ...);
/* The next row of it: GK_OK, or GK_NOTFOUND after the last (then it is ended), or another code (ended, too). */
int gk_db_next(gk_store *s, const char *doing, sqlite3_stmt *row);
void gk_db_done(sqlite3_stmt *row);

/* One integer; `missing` when there is no row. */
int gk_db_integer(gk_store *s, const char *doing, const char *sql, int64_t missing, int64_t *out);
/* A malloc'ed copy of a text column, NULL for NULL. */
char *gk_db_text(sqlite3_stmt *row, int column);

void gk_db_finalize(gk_store *s);

#endif
