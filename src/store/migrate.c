/* migrate.c: files of older versions. A step a version adds what is new in its tables; views are simply made again. */
#include "migrate.h"
#include "schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From version i + 1 to i + 2. Steps only add, so that an older program that has the file open goes on undisturbed. */
static const char *const STEPS[GK_USER_VERSION - 1] = {
    "CREATE INDEX event_kind ON event(kind, run_id, step);",
};

/* SQLite copies the file as one moment sees it, and refuses to write over another. */
static int back_up(gk_store *s, int64_t version)
{
    for (int number = 1; number < 100; number++) {
        char *path = number == 1 ? gk_text("%s.v%d.bak", s->path, (int)version)
                                 : gk_text("%s.v%d.%d.bak", s->path, (int)version, number);
        if (!path) return GK_FAILED;
        if (access(path, F_OK) == 0) {
            free(path);
            continue;
        }
        char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);
        const int rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(sql);
        if (rc == SQLITE_OK) {
            free(path);
            return GK_OK;
        }
        const bool taken = rc == SQLITE_ERROR && strstr(sqlite3_errmsg(s->db), "already exists");
        if (!taken) { /* half a copy is none */
            gk_db_fail(s, rc, "copying it before an update");
            unlink(path);
        }
        free(path);
        if (!taken) return gk_error(GK_FAILED, "%s; nothing in it was changed", gk_error_text());
    }
    return gk_error(GK_FAILED, "%s: a hundred copies of version %d lie beside it; remove some", s->path, (int)version);
}

static int current_version(gk_store *s, int64_t *version)
{
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &row, NULL);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(row);
    *version = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int run_steps(gk_store *s)
{
    int64_t version;
    int rc = current_version(s, &version); /* another process may have been first */
    if (rc != SQLITE_OK || version >= GK_USER_VERSION) return rc;
    for (int64_t v = version; rc == SQLITE_OK && v < GK_USER_VERSION; v++)
        rc = sqlite3_exec(s->db, STEPS[v - 1], NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = gk_schema_views(s->db, false);
    char *sql =
        sqlite3_mprintf("INSERT OR REPLACE INTO meta VALUES('updated_from_version', %lld); PRAGMA user_version = %d",
                        version, GK_USER_VERSION);
    if (rc == SQLITE_OK) rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc;
}

int gk_migrate(gk_store *s, int64_t version)
{
    if (version < 1)
        return gk_error(GK_FAILED, "%s: has no version (%d) of groklab's databases", s->path, (int)version);
    int code = back_up(s, version);
    if (code != GK_OK) return code;
    int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = run_steps(s);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK) return GK_OK;
    code = gk_db_fail(s, rc, "updating it");
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}
