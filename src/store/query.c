/* query.c: any one statement, row by row, for the listings and `groklab sql`. */
#include "store.h"

#include <stdlib.h>

static gk_cell cell_of(sqlite3_stmt *row, int i)
{
    gk_cell c = {0};
    switch (sqlite3_column_type(row, i)) {
    case SQLITE_INTEGER:
        c.type = GK_CELL_INTEGER;
        c.integer = sqlite3_column_int64(row, i);
        c.real = (double)c.integer;
        break;
    case SQLITE_FLOAT:
        c.type = GK_CELL_REAL;
        c.real = sqlite3_column_double(row, i);
        break;
    case SQLITE_TEXT:
        c.type = GK_CELL_TEXT;
        c.text = (const char *)sqlite3_column_text(row, i);
        c.size = (size_t)sqlite3_column_bytes(row, i);
        break;
    case SQLITE_BLOB:
        c.type = GK_CELL_BLOB;
        c.size = (size_t)sqlite3_column_bytes(row, i);
        break;
    default:
        c.type = GK_CELL_NULL;
    }
    return c;
}

/* A mistake in the query is its writer's; everything else is the file's. */
static int query_error(gk_store *s, int rc)
{
    if ((rc & 0xff) == SQLITE_INTERRUPT) return gk_error(GK_INTERRUPTED, "%s: the query was interrupted", s->path);
    if ((rc & 0xff) == SQLITE_READONLY)
        return gk_error(GK_USAGE, "%s: is open for reading only; `groklab sql --write` may change it", s->path);
    if ((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_RANGE || (rc & 0xff) == SQLITE_CONSTRAINT ||
        (rc & 0xff) == SQLITE_MISMATCH || (rc & 0xff) == SQLITE_AUTH)
        return gk_error(GK_USAGE, "%s: SQL: %s", s->path, sqlite3_errmsg(s->db));
    return gk_db_fail(s, rc, "running a query");
}

static int each_row(gk_store *s, sqlite3_stmt *statement, gk_row_fn *row, void *context, const char **names,
                    gk_cell *cells, int n)
{
    for (int i = 0; i < n; i++) {
        names[i] = sqlite3_column_name(statement, i);
        if (!names[i]) names[i] = "";
    }
    int code = row(context, n, names, NULL);
    if (code != GK_OK) return code;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < n; i++) cells[i] = cell_of(statement, i);
        if ((code = row(context, n, names, cells)) != GK_OK) return code;
    }
    return rc == SQLITE_DONE ? GK_OK : query_error(s, rc);
}

static int run(gk_store *s, const char *sql, const char *const *params, gk_row_fn *row, void *context)
{
    sqlite3_stmt *statement;
    const char *rest;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &statement, &rest);
    if (rc != SQLITE_OK) return query_error(s, rc);
    if (!statement) return gk_error(GK_USAGE, "%s: SQL: there is no statement in '%s'", s->path, sql);
    /* What follows must be blanks or comments: it prepares to nothing. */
    sqlite3_stmt *second = NULL;
    rc = sqlite3_prepare_v2(s->db, rest, -1, &second, NULL);
    sqlite3_finalize(second);
    if (rc != SQLITE_OK || second) {
        sqlite3_finalize(statement);
        return gk_error(GK_USAGE, "%s: SQL: one statement at a time; what follows is '%.40s'", s->path, rest);
    }
    int given = 0;
    for (; rc == SQLITE_OK && params && params[given]; given++)
        rc = sqlite3_bind_text(statement, given + 1, params[given], -1, SQLITE_STATIC);
    const int wanted = sqlite3_bind_parameter_count(statement), n = sqlite3_column_count(statement);
    int code = rc == SQLITE_OK ? GK_OK : query_error(s, rc);
    if (code == GK_OK && given < wanted)
        code =
            gk_error(GK_USAGE, "%s: SQL: the query has %d parameters and %d values were given", s->path, wanted, given);
    const char **names = gk_calloc((size_t)n + 1, sizeof *names);
    gk_cell *cells = gk_calloc((size_t)n + 1, sizeof *cells);
    if (code == GK_OK) code = names && cells ? each_row(s, statement, row, context, names, cells, n) : GK_FAILED;
    free(names);
    free(cells);
    sqlite3_finalize(statement);
    return code;
}

int gk_store_query(gk_store *s, const char *sql, const char *const *params, gk_row_fn *row, void *context)
{
    gk_db_enter(s);
    const int code = run(s, sql, params, row, context);
    gk_db_leave(s);
    return code;
}

/* Steps of SQLite's machine between two questions: some microseconds. */
enum { STEPS = 10000 };

void gk_store_stop_when(gk_store *s, int (*stop)(void *context), void *context)
{
    sqlite3_progress_handler(s->db, STEPS, stop, context);
}
