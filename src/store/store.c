/* store.c: opening, closing and transactions. A file is made, or refused with one line that says why, before anything
 * else of the room sees it. */
#include "metrics.h"
#include "migrate.h"
#include "schema.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 60000 };

static int64_t now_ms(void)
{
    return (int64_t)(1e3 * gk_seconds());
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* SQLite's own handler sleeps up to 100 ms between tries; transactions here last a few, so that short naps hand the
 * file on sooner when several processes train into it. */
static int wait_busy(void *context, int count)
{
    gk_store *s = context;
    if (count == 0) s->busy_since = now_ms();
    if (now_ms() - s->busy_since >= s->busy_ms) return 0;
    sleep_ms(count < 5 ? 1 : 5);
    return 1;
}

/* ---- before SQLite sees the file ---- */

static int make_folder(const char *path)
{
    char *folder = gk_text("%s", path);
    if (!folder) return GK_FAILED;
    struct stat st;
    int code = GK_OK;
    for (char *slash = strchr(folder + 1, '/'); slash && code == GK_OK; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && (errno != EEXIST || stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)))
            code = gk_error(GK_FAILED, "%s: the folder %s cannot be made: %s; name another file with --db", path,
                            folder, strerror(errno));
        *slash = '/';
    }
    free(folder);
    return code;
}

/* SQLite takes a file of a few bytes for an empty database and would write over it. */
static int check_magic(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char start[16] = "";
    FILE *file = fopen(path, "rb");
    const size_t n = file ? fread(start, 1, sizeof start, file) : 0;
    if (file) fclose(file);
    if (n == sizeof start && memcmp(start, magic, sizeof magic) == 0) return GK_OK;
    return gk_error(GK_FAILED, "%s: is not a groklab database, nor any SQLite database", path);
}

/* SQLite quietly opens a file that it may not write for reading, and fails in a later statement where the folder may
 * not be written; both are said here instead. */
static int check_writable(const char *path)
{
    if (access(path, W_OK) != 0)
        return gk_error(GK_FAILED, "%s: cannot be written: %s; change its permissions, or name another file with --db",
                        path, strerror(errno));
    char *folder = gk_text("%s", path);
    if (!folder) return GK_FAILED;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    int code = GK_OK;
    if (access(slash ? folder : ".", W_OK | X_OK) != 0)
        code = gk_error(GK_FAILED,
                        "%s: its folder cannot be written, and a database that is written needs its journal there: "
                        "%s; change the permissions, or name another file with --db",
                        path, strerror(errno));
    free(folder);
    return code;
}

static int check_path(const char *path, int mode)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return gk_error(GK_FAILED, "%s: cannot be opened: %s", path, strerror(errno));
        if (mode != GK_STORE_CREATE)
            return gk_error(GK_NOTFOUND,
                            "%s: there is no such database; `groklab run` and `groklab train` make one, or name "
                            "another with --db",
                            path);
        return make_folder(path);
    }
    if (!S_ISREG(st.st_mode)) return gk_error(GK_FAILED, "%s: is not a file; name a database with --db", path);
    if (access(path, R_OK) != 0) return gk_error(GK_FAILED, "%s: cannot be read: %s", path, strerror(errno));
    /* Empty for a moment: another process is just making it. */
    for (int i = 0; st.st_size == 0 && mode != GK_STORE_CREATE && i < 50 && stat(path, &st) == 0; i++) sleep_ms(10);
    if (st.st_size == 0 && mode != GK_STORE_CREATE)
        return gk_error(GK_FAILED, "%s: is an empty file, not a groklab database", path);
    const int code = st.st_size == 0 ? GK_OK : check_magic(path);
    if (code != GK_OK) return code;
    return mode == GK_STORE_READ ? GK_OK : check_writable(path);
}

/* ---- opening ---- */

static int pragma(gk_store *s, const char *name, int64_t *out)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA %s", name);
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &row, NULL);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(row);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A file that was left in WAL mode needs its index beside it; where the folder may not be written and no log is left
 * over, SQLite reads it as an immutable file. */
static int open_immutable(gk_store *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    char *uri = gk_alloc(3 * strlen(s->path) + 32, 1);
    if (!uri) return SQLITE_NOMEM;
    char *at = uri + sprintf(uri, "file:");
    for (const char *c = s->path; *c; c++) {
        if (strchr(plain, *c))
            *at++ = *c;
        else
            at += sprintf(at, "%%%02X", (unsigned)(unsigned char)*c);
    }
    sprintf(at, "?immutable=1");
    sqlite3_close(s->db);
    const int rc = sqlite3_open_v2(uri, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    free(uri);
    return rc;
}

static bool has_log(const char *path)
{
    char *log = gk_text("%s-wal", path);
    struct stat st;
    const bool there = !log || (stat(log, &st) == 0 && st.st_size > 0);
    free(log);
    return there;
}

static int connect(gk_store *s, int mode)
{
    const int flags = mode == GK_STORE_READ    ? SQLITE_OPEN_READONLY
                      : mode == GK_STORE_WRITE ? SQLITE_OPEN_READWRITE
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_FULLMUTEX, NULL);
    if (!s->db) return gk_error(GK_FAILED, "%s: out of memory while opening", s->path);
    int64_t pages;
    if (rc == SQLITE_OK) {
        sqlite3_busy_handler(s->db, wait_busy, s);
        rc = pragma(s, "schema_version", &pages);
    }
    if ((rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) && mode == GK_STORE_READ && !has_log(s->path)) {
        rc = open_immutable(s);
        if (rc == SQLITE_OK) rc = pragma(s, "schema_version", &pages);
    }
    if (rc == SQLITE_NOTADB)
        return gk_error(GK_FAILED, "%s: is not a groklab database, nor any SQLite database", s->path);
    if (rc != SQLITE_OK) return gk_db_fail(s, rc, "opening");
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    /* 20 MB of pages, taken as they are read: the latest values of 100 runs lie on 2000 pages, and SQLite keeps 2 MB. */
    rc = sqlite3_exec(s->db,
                      "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL; "
                      "PRAGMA secure_delete = OFF; PRAGMA cache_size = -20480",
                      NULL, NULL, NULL);
    return rc == SQLITE_OK ? GK_OK : gk_db_fail(s, rc, "opening");
}

/* Two processes may find the file missing at once: whoever gets the lock second finds the tables there. */
static int create(gk_store *s)
{
    int64_t pages = 0, version = 0;
    int rc = pragma(s, "page_count", &pages);
    if (rc == SQLITE_OK && pages != 0) return GK_OK;
    /* Most bytes are matrices and weights: twice SQLite's pages are half as many calls of the system, and the tables'
     * rows still take no more. */
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, "PRAGMA page_size = 8192", NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc != SQLITE_OK) return gk_db_fail(s, rc, "making the tables");
    rc = pragma(s, "schema_version", &version);
    if (rc == SQLITE_OK && version == 0) rc = gk_schema_create(s->db);
    if (rc == SQLITE_OK) rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK) return GK_OK;
    const int code = gk_db_fail(s, rc, "making the tables");
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static int check_ours(gk_store *s)
{
    int64_t application = 0, version = 0;
    int rc = pragma(s, "application_id", &application);
    if (rc == SQLITE_OK) rc = pragma(s, "user_version", &version);
    if (rc != SQLITE_OK) return gk_db_fail(s, rc, "opening");
    if (application != GK_APPLICATION_ID)
        return gk_error(GK_FAILED, "%s: is an SQLite database, but not one of groklab's; name another file with --db",
                        s->path);
    if (version > GK_USER_VERSION)
        return gk_error(GK_BUSY,
                        "%s: was made by a newer groklab (database version %lld, this program knows %d); use that one",
                        s->path, (long long)version, GK_USER_VERSION);
    if (version == GK_USER_VERSION) return GK_OK;
    if (s->write) return gk_migrate(s, version);
    rc = gk_schema_views(s->db, true);
    return rc == SQLITE_OK ? GK_OK : gk_db_fail(s, rc, "opening");
}

/* Switching the journal needs the file alone for a moment, and SQLite does not call the busy handler for it. Where WAL
 * cannot be had (some network file systems) the old journal stays, which is as safe. */
static int use_wal(gk_store *s)
{
    const int64_t since = now_ms();
    int rc;
    while ((rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL)) != SQLITE_OK) {
        if ((rc & 0xff) != SQLITE_BUSY || now_ms() - since >= s->busy_ms)
            return gk_db_fail(s, rc, "opening for writing");
        sleep_ms(2);
    }
    return GK_OK;
}

static int read_busy_ms(int *ms)
{
    const char *text = getenv("GROKLAB_BUSY_MS");
    int64_t value = BUSY_MS;
    if (text && (gk_text_int(text, &value) != GK_OK || value < 0 || value > 86400000))
        return gk_error(GK_USAGE, "GROKLAB_BUSY_MS is '%s'; milliseconds from 0 to 86400000 are accepted", text);
    *ms = (int)value;
    return GK_OK;
}

static void discard(gk_store *s)
{
    gk_db_finalize(s);
    gk_metrics_forget(s);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

int gk_store_open(gk_store **out, const char *path, int mode)
{
    *out = NULL;
    int code = check_path(path, mode);
    if (code != GK_OK) return code;
    gk_store *s = gk_calloc(1, sizeof *s);
    if (!s) return GK_FAILED;
    s->write = mode != GK_STORE_READ;
    code = (s->path = gk_text("%s", path)) ? read_busy_ms(&s->busy_ms) : GK_FAILED;
    if (code == GK_OK) code = connect(s, mode);
    if (code == GK_OK && mode == GK_STORE_CREATE) code = create(s);
    if (code == GK_OK) code = check_ours(s);
    if (code == GK_OK && s->write) code = use_wal(s);
    if (code != GK_OK) {
        discard(s);
        return code;
    }
    *out = s;
    return GK_OK;
}

int gk_store_close(gk_store *s)
{
    if (!s) return GK_OK;
    gk_store_rollback(s);
    gk_db_finalize(s);
    /* Back to a single file. Two writers that end together each keep the other from it: uneven naps let one of them
     * leave first. Where a reader stays, the next writer does it. */
    for (int i = 0; s->write && i < 5; i++) {
        if (sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_OK) break;
        sleep_ms(1 + (getpid() + i * i) % 7);
    }
    discard(s);
    return GK_OK;
}

const char *gk_store_path(const gk_store *s)
{
    return s->path;
}

/* ---- transactions ---- */

int gk_store_begin(gk_store *s)
{
    gk_db_enter(s); /* until the commit or the rollback: no other thread writes into it */
    if (s->depth == 0) {
        const int code = gk_db_exec(s, "beginning a transaction", "BEGIN IMMEDIATE", "");
        if (code != GK_OK) {
            gk_db_leave(s);
            return code;
        }
    }
    s->depth++;
    return GK_OK;
}

static int commit_inside(gk_store *s)
{
    /* A full disk makes SQLite roll back by itself. */
    if (s->depth == 0 || (s->depth == 1 && sqlite3_get_autocommit(s->db))) {
        gk_store_rollback(s);
        return gk_error(GK_FAILED, "%s: nothing was stored: the transaction had been rolled back", s->path);
    }
    if (s->depth == 1) {
        const int code = gk_db_exec(s, "ending a transaction", "COMMIT", "");
        if (code != GK_OK) {
            gk_store_rollback(s);
            return code;
        }
    }
    s->depth--;
    gk_db_leave(s); /* what the begin entered */
    return GK_OK;
}

int gk_store_commit(gk_store *s)
{
    gk_db_enter(s);
    const int code = commit_inside(s);
    gk_db_leave(s);
    return code;
}

void gk_store_rollback(gk_store *s)
{
    if (!s) return;
    gk_db_enter(s); /* waits where another thread is within its own transaction, and then finds nothing to do */
    int levels = s->depth;
    s->depth = 0;
    if (levels > 0) {
        gk_metrics_forget(s); /* names added inside it are gone */
        if (!sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    for (; levels >= 0; levels--) gk_db_leave(s);
}
