/* doctor.c: looks a database over: SQLite's own checks, the hash of every blob, and runs whose process is gone. */
#include "alive.h"
#include "store.h"
#include "zip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct findings {
    gk_store *store;
    int problems;
    void (*say)(void *context, const char *line);
    void *context;
} findings;

static void found(findings *f, const char *fmt, ...) GK_PRINTF(2, 3);
static void found(findings *f, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    for (char *c = line; *c; c++) /* of a name, which would move the cursor */
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
    f->problems++;
    if (f->say) f->say(f->context, line);
}

/* SQLite's words on its own structure. A page that cannot be read ends the statement: that is a finding, too. */
static void check_structure(findings *f)
{
    sqlite3_stmt *row;
    int code = gk_db_select(f->store, "checking the file", "PRAGMA integrity_check(20)", &row, "");
    for (; code == GK_OK; code = gk_db_next(f->store, "checking the file", row)) {
        const char *word = (const char *)sqlite3_column_text(row, 0);
        if (!word || strcmp(word, "ok") != 0) found(f, "structure: %s", word ? word : "no answer");
    }
    if (code != GK_NOTFOUND) found(f, "structure: %s", gk_error_text());

    code = gk_db_select(f->store, "checking references", "PRAGMA foreign_key_check", &row, "");
    for (; code == GK_OK; code = gk_db_next(f->store, "checking references", row)) {
        const char *table = (const char *)sqlite3_column_text(row, 0),
                   *parent = (const char *)sqlite3_column_text(row, 2);
        found(f, "reference: a row of %s points to a %s that is not there (rowid %lld)", table ? table : "?",
              parent ? parent : "?", sqlite3_column_int64(row, 1));
    }
    if (code != GK_NOTFOUND) found(f, "reference: %s", gk_error_text());
}

static const char *blob_trouble(sqlite3_stmt *row, bool matrix)
{
    const int64_t raw_size = sqlite3_column_int64(row, 4);
    const unsigned char *hash = sqlite3_column_text(row, 5);
    unsigned char *raw;
    if (raw_size < 0) return "raw_size is negative";
    if (gk_unzip(sqlite3_column_blob(row, 6), (size_t)sqlite3_column_bytes(row, 6), (size_t)raw_size, &raw) != GK_OK)
        return gk_error_text();
    char is[GK_SHA256_HEX];
    gk_sha256(raw, (size_t)raw_size, is);
    const char *trouble =
        hash && strcmp((const char *)hash, is) == 0 ? NULL : "its bytes do not have the stored sha256";
    if (!trouble && matrix) {
        double *numbers = NULL;
        int64_t shape[4];
        int rank;
        if (gk_npy_read(raw, (size_t)raw_size, &numbers, &rank, shape) != GK_OK) trouble = gk_error_text();
        free(numbers);
    } else if (!trouble) {
        gk_tensor tensors[GK_TENSORS_MAX];
        int n;
        if (gk_safetensors_index(raw, (size_t)raw_size, tensors, &n) != GK_OK) trouble = gk_error_text();
    }
    free(raw);
    return trouble;
}

static void check_blobs(findings *f, const char *what, const char *sql, bool matrix)
{
    sqlite3_stmt *row;
    int code = gk_db_select(f->store, "checking blobs", sql, &row, "");
    for (; code == GK_OK; code = gk_db_next(f->store, "checking blobs", row)) {
        const char *trouble = blob_trouble(row, matrix);
        const char *kind = (const char *)sqlite3_column_text(row, 3);
        if (trouble)
            found(f, "%s %lld (%s of run %lld at step %lld): %s", what, sqlite3_column_int64(row, 0), kind ? kind : "?",
                  sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2), trouble);
    }
    if (code != GK_NOTFOUND) found(f, "%s: %s", what, gk_error_text());
}

static void check_contents(findings *f)
{
    sqlite3_stmt *row;
    int code = gk_db_select(f->store, "checking splits", "SELECT id FROM split", &row, "");
    for (; code == GK_OK; code = gk_db_next(f->store, "checking splits", row)) {
        gk_stored_split split;
        if (gk_store_get_split(f->store, sqlite3_column_int64(row, 0), &split) != GK_OK)
            found(f, "split: %s", gk_error_text());
        else
            gk_stored_split_free(&split);
    }
    if (code != GK_NOTFOUND) found(f, "split: %s", gk_error_text());

    code = gk_db_select(f->store, "checking settings", "SELECT id, config, config_sha256 FROM run", &row, "");
    for (; code == GK_OK; code = gk_db_next(f->store, "checking settings", row)) {
        const char *config = (const char *)sqlite3_column_text(row, 1),
                   *hash = (const char *)sqlite3_column_text(row, 2);
        char is[GK_SHA256_HEX];
        gk_sha256(config ? config : "", config ? strlen(config) : 0, is);
        if (!hash || strcmp(is, hash) != 0)
            found(f, "run %lld: its config does not have the stored sha256", sqlite3_column_int64(row, 0));
    }
    if (code != GK_NOTFOUND) found(f, "run: %s", gk_error_text());
}

typedef struct dead_run {
    int64_t id, step;
} dead_run;

/* malloc'ed list (unless `out` is NULL) of the runs that claim to be running and are not, and how many others do and are. */
static int find_dead(findings *f, dead_run **out, int *n, int *living)
{
    gk_store *s = f->store;
    sqlite3_stmt *row;
    int room = 0, code;
    if (out) *out = NULL;
    *n = *living = 0;
    code = gk_db_select(
        s, "looking for dead runs",
        "SELECT id, name, step, host, pid, strftime('%s', heartbeat_at), strftime('%s', 'now'), heartbeat_at "
        "FROM run WHERE status = 'running'",
        &row, "");
    for (; code == GK_OK; code = gk_db_next(s, "looking for dead runs", row)) {
        const char *name = (const char *)sqlite3_column_text(row, 1), *host = (const char *)sqlite3_column_text(row, 3);
        const char *beat = (const char *)sqlite3_column_text(row, 7);
        const int64_t pid = sqlite3_column_int64(row, 4);
        if (gk_alive(host, pid, sqlite3_column_double(row, 5), sqlite3_column_double(row, 6))) {
            (*living)++;
            continue;
        }
        if (out && *n == room) {
            room = room ? 2 * room : 16;
            dead_run *more = realloc(*out, (size_t)room * sizeof *more);
            if (!more) {
                gk_db_done(row);
                return gk_error(GK_FAILED, "out of memory for %d dead runs", room);
            }
            *out = more;
        }
        if (out) (*out)[*n] = (dead_run){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 2)};
        ++*n;
        found(f, "run %lld '%s': its process %" PRId64 " on %s is gone since %s, at step %lld",
              sqlite3_column_int64(row, 0), name ? name : "", pid, host ? host : "?", beat ? beat : "?",
              sqlite3_column_int64(row, 2));
    }
    return code == GK_NOTFOUND ? GK_OK : code;
}

static int bury(gk_store *s, const dead_run *dead, int n)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int i = 0; code == GK_OK && i < n; i++) {
        code = gk_db_exec(
            s, "marking a dead run",
            "UPDATE run SET status = 'killed', ended_at = heartbeat_at, error = 'its process ended without a word' "
            "WHERE id = ?1 AND status = 'running'",
            "i", dead[i].id);
        if (code == GK_OK) code = gk_store_put_event(s, dead[i].id, "killed", dead[i].step, NULL);
    }
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

/* A log without a writer, as a killed process leaves it. Nothing in it is lost: any reader sees it, any writer folds it
 * in. */
static void check_log(findings *f, int living)
{
    struct stat st;
    char *log = f->store->write || living > 0 ? NULL : gk_text("%s-wal", f->store->path);
    if (log && stat(log, &st) == 0 && st.st_size > 0)
        found(f,
              "log: %s holds %lld bytes that were not folded in, and no run is being trained; `groklab doctor "
              "--repair` does it",
              log, (long long)st.st_size);
    free(log);
}

int gk_store_doctor(gk_store *s, bool repair, void (*say)(void *context, const char *line), void *context)
{
    findings f = {.store = s, .say = say, .context = context};
    check_structure(&f);
    check_blobs(&f, "matrix", "SELECT id, run_id, step, kind, raw_size, sha256, data FROM matrix", true);
    check_blobs(&f, "checkpoint", "SELECT id, run_id, step, kind, raw_size, sha256, data FROM checkpoint", false);
    check_contents(&f);
    dead_run *dead;
    int n, living, code = find_dead(&f, &dead, &n, &living);
    if (code == GK_OK) check_log(&f, living);
    if (code == GK_OK && repair && n > 0) code = bury(s, dead, n);
    free(dead);
    return code == GK_OK ? f.problems : code;
}

int gk_store_dead(gk_store *s, void (*say)(void *context, const char *line), void *context)
{
    findings f = {.store = s, .say = say, .context = context};
    int n, living;
    const int code = find_dead(&f, NULL, &n, &living);
    return code == GK_OK ? n : code;
}
