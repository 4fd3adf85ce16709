/* care.c: what people do to runs afterwards: tags, names, removal. */
#include "alive.h"
#include "store.h"

#include <inttypes.h>
#include <string.h>

/* GK_NOTFOUND unless the run is there. */
static int need_run(gk_store *s, int64_t run)
{
    sqlite3_stmt *row;
    const int code = gk_db_select(s, "looking up a run", "SELECT 1 FROM run WHERE id = ?1", &row, "i", run);
    if (code == GK_OK) gk_db_done(row);
    return code == GK_NOTFOUND ? gk_error(code, "%s: there is no run %" PRId64, s->path, run) : code;
}

int gk_store_tag(gk_store *s, int64_t run, const char *key, const char *value)
{
    if (!key[0]) return gk_error(GK_USAGE, "a tag needs a key, as in: groklab tag RUN key=value");
    int code = need_run(s, run);
    if (code != GK_OK) return code;
    if (value)
        return gk_db_exec(s, "storing a tag",
                          "INSERT INTO tag(run_id, key, value) VALUES(?1, ?2, ?3) ON CONFLICT(run_id, key) DO UPDATE "
                          "SET value = excluded.value",
                          "itt", run, key, value);
    code = gk_db_exec(s, "removing a tag", "DELETE FROM tag WHERE run_id = ?1 AND key = ?2", "it", run, key);
    if (code != GK_OK || sqlite3_changes(s->db) > 0) return code;
    return gk_error(GK_NOTFOUND, "%s: run %" PRId64 " has no tag '%s'", s->path, run, key);
}

int gk_store_check_name(const char *name)
{
    if (name[0] && name[0] != '@' && name[0] != '-' && strspn(name, "0123456789") < strlen(name)) return GK_OK;
    return gk_error(GK_USAGE, "'%s' is no name for a run: it must not be empty, a number, or begin with @ or -", name);
}

int gk_store_rename(gk_store *s, int64_t run, const char *name)
{
    int code = gk_store_check_name(name);
    if (code == GK_OK) code = need_run(s, run);
    return code == GK_OK ? gk_db_exec(s, "renaming a run", "UPDATE run SET name = ?2 WHERE id = ?1", "it", run, name)
                         : code;
}

static int measure_extent(gk_store *s, int64_t run, gk_run_extent *what)
{
    sqlite3_stmt *row;
    const int code = gk_db_select(
        s, "counting a run's rows",
        "SELECT (SELECT count(*) FROM metric WHERE run_id = ?1), (SELECT count(*) FROM event WHERE run_id = ?1), "
        "(SELECT count(*) FROM matrix WHERE run_id = ?1), (SELECT count(*) FROM checkpoint WHERE run_id = ?1), "
        "(SELECT count(*) FROM comparison WHERE run_a = ?1) + "
        "(SELECT count(*) FROM comparison WHERE run_b = ?1 AND run_a <> ?1), "
        "(SELECT total(length(data)) FROM matrix WHERE run_id = ?1) + "
        "(SELECT total(length(data)) FROM checkpoint WHERE run_id = ?1)",
        &row, "i", run);
    if (code != GK_OK) return code;
    *what = (gk_run_extent){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2),
                            sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 5)};
    gk_db_done(row);
    return GK_OK;
}

static int check_idle(gk_store *s, int64_t run)
{
    sqlite3_stmt *row;
    int code = gk_db_select(
        s, "looking up a run",
        "SELECT status = 'running', host, pid, strftime('%s', heartbeat_at), strftime('%s', 'now') FROM run "
        "WHERE id = ?1",
        &row, "i", run);
    if (code == GK_NOTFOUND) return gk_error(code, "%s: there is no run %" PRId64, s->path, run);
    if (code != GK_OK) return code;
    const char *host = (const char *)sqlite3_column_text(row, 1);
    const int64_t pid = sqlite3_column_int64(row, 2);
    if (sqlite3_column_int(row, 0) && gk_alive(host, pid, sqlite3_column_double(row, 3), sqlite3_column_double(row, 4)))
        code = gk_error(GK_BUSY, "%s: run %" PRId64 " is being trained by process %" PRId64 " on %s; stop it first",
                        s->path, run, pid, host ? host : "?");
    gk_db_done(row);
    return code;
}

int gk_store_remove(gk_store *s, int64_t run, bool dry, gk_run_extent *what)
{
    int code = dry ? need_run(s, run) : gk_store_begin(s);
    if (code != GK_OK || dry) return code == GK_OK ? measure_extent(s, run, what) : code;
    code = check_idle(s, run);
    if (code == GK_OK) code = measure_extent(s, run, what);
    /* The rest goes with it, by the references. */
    if (code == GK_OK) code = gk_db_exec(s, "removing a run", "DELETE FROM run WHERE id = ?1", "i", run);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}
