/* statement.c: prepared statements kept for the life of a connection, and SQLite's codes as lines for people. */
#include "store.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int gk_db_fail(gk_store *s, int rc, const char *doing)
{
    const char *path = s->path, *why = sqlite3_errmsg(s->db);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return gk_error(GK_BUSY,
                        "%s: locked by another process for more than %.3g s while %s; wait until it is done, or allow "
                        "more with GROKLAB_BUSY_MS",
                        path, s->busy_ms / 1e3, doing);
    case SQLITE_FULL:
        return gk_error(GK_FAILED,
                        "%s: no space is left on the disk while %s; what was stored before is safe: free some "
                        "space and go on with `groklab resume`",
                        path, doing);
    case SQLITE_IOERR:
        return gk_error(GK_FAILED,
                        "%s: the disk failed while %s (%s); what was stored before is safe: see that the disk "
                        "has space and works, and go on with `groklab resume`",
                        path, doing, why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return gk_error(GK_FAILED,
                        "%s: cannot be written while %s (%s); make the file and its folder writable, or name "
                        "another file with --db",
                        path, doing, why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return gk_error(GK_FAILED,
                        "%s: the file is damaged (%s, while %s); go back to a copy that `groklab doctor` finds in order",
                        path, why, doing);
    case SQLITE_NOMEM:
        return gk_error(GK_FAILED, "%s: out of memory while %s", path, doing);
    case SQLITE_TOOBIG:
        return gk_error(GK_FAILED, "%s: too large for a database row (1 GB) while %s", path, doing);
    default:
        return gk_error(GK_FAILED, "%s: %s while %s", path, why, doing);
    }
}

static int find_statement(gk_store *s, const char *sql, sqlite3_stmt **out)
{
    for (int i = 0; i < s->n_statements; i++) {
        if (s->statements[i].sql == sql) {
            *out = s->statements[i].statement;
            return SQLITE_OK;
        }
    }
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (rc != SQLITE_OK) return rc;
    if (s->n_statements == s->room_statements) {
        const int room = s->room_statements ? 2 * s->room_statements : 32;
        gk_db_statement *more = realloc(s->statements, (size_t)room * sizeof *more);
        if (!more) {
            sqlite3_finalize(*out);
            return SQLITE_NOMEM;
        }
        s->statements = more;
        s->room_statements = room;
    }
    s->statements[s->n_statements++] = (gk_db_statement){sql, *out};
    return SQLITE_OK;
}

/* Binds without copies: every caller's data outlives the step that follows. */
static int bind(sqlite3_stmt *statement, const char *kinds, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; rc == SQLITE_OK && *kinds; i++, kinds++) {
        if (*kinds == 'i') {
            rc = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        } else if (*kinds == 'r') {
            const double value = va_arg(args, double);
            rc = isnan(value) ? sqlite3_bind_null(statement, i) : sqlite3_bind_double(statement, i, value);
        } else if (*kinds == 't') {
            rc = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *data = va_arg(args, const void *);
            rc = sqlite3_bind_blob64(statement, i, data, va_arg(args, size_t), SQLITE_STATIC);
        }
    }
    return rc;
}

/* Finds, binds and steps once; *statement is NULL when there is nothing to reset. */
static int start(gk_store *s, const char *sql, const char *kinds, va_list args, sqlite3_stmt **statement)
{
    *statement = NULL;
    int rc = find_statement(s, sql, statement);
    if (rc != SQLITE_OK) return rc;
    rc = bind(*statement, kinds, args);
    return rc == SQLITE_OK ? sqlite3_step(*statement) : rc;
}

static void reset(sqlite3_stmt *statement)
{
    if (!statement) return;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

void gk_db_enter(gk_store *s)
{
    sqlite3_mutex_enter(sqlite3_db_mutex(s->db));
}

void gk_db_leave(gk_store *s)
{
    sqlite3_mutex_leave(sqlite3_db_mutex(s->db));
}

void gk_db_done(sqlite3_stmt *row)
{
    reset(row);
    sqlite3_mutex_leave(sqlite3_db_mutex(sqlite3_db_handle(row)));
}

int gk_db_exec(gk_store *s, const char *doing, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    gk_db_enter(s);
    va_start(args, kinds);
    const int rc = start(s, sql, kinds, args, &statement);
    va_end(args);
    /* The line is made before the reset, which may replace the connection's message. */
    const int code = rc == SQLITE_DONE || rc == SQLITE_ROW ? GK_OK : gk_db_fail(s, rc, doing);
    reset(statement);
    gk_db_leave(s);
    return code;
}

int gk_db_select(gk_store *s, const char *doing, const char *sql, sqlite3_stmt **row, const char *kinds, ...)
{
    va_list args;
    gk_db_enter(s);
    va_start(args, kinds);
    const int rc = start(s, sql, kinds, args, row);
    va_end(args);
    if (rc == SQLITE_ROW) return GK_OK;
    const int code = rc == SQLITE_DONE ? GK_NOTFOUND : gk_db_fail(s, rc, doing);
    reset(*row);
    *row = NULL;
    gk_db_leave(s);
    return code;
}

int gk_db_next(gk_store *s, const char *doing, sqlite3_stmt *row)
{
    const int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW) return GK_OK;
    const int code = rc == SQLITE_DONE ? GK_NOTFOUND : gk_db_fail(s, rc, doing);
    gk_db_done(row);
    return code;
}

int gk_db_integer(gk_store *s, const char *doing, const char *sql, int64_t missing, int64_t *out)
{
    sqlite3_stmt *row;
    *out = missing;
    const int code = gk_db_select(s, doing, sql, &row, "");
    if (code != GK_OK) return code == GK_NOTFOUND ? GK_OK : code;
    *out = sqlite3_column_int64(row, 0);
    gk_db_done(row);
    return GK_OK;
}

char *gk_db_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return text ? gk_text("%s", (const char *)text) : NULL;
}

void gk_db_finalize(gk_store *s)
{
    for (int i = 0; i < s->n_statements; i++) sqlite3_finalize(s->statements[i].statement);
    free(s->statements);
    s->statements = NULL;
    s->n_statements = s->room_statements = 0;
}
