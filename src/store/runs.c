/* runs.c: the row of a run from its start to its end, and how people name runs. */
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define NOW "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

static int new_uid(char uid[33])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return gk_error(GK_FAILED, "the system gives no random bytes for the run's uid");
    for (int i = 0; i < 16; i++) {
        uid[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        uid[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    uid[32] = '\0';
    return GK_OK;
}

static void host_name(char out[256])
{
    if (gethostname(out, 255) != 0) out[0] = '\0';
    out[255] = '\0';
}

static int put_params(gk_store *s, int64_t run, const gk_config *config)
{
    static const char doing[] = "storing the settings";
    int code = GK_OK;
    for (int i = 0; code == GK_OK && i < config->n; i++) {
        const gk_setting *p = &config->settings[i];
        const char *key = p->key->name;
        if (p->key->type == GK_KEY_INT)
            code = gk_db_exec(s, doing, "INSERT INTO param VALUES(?1, ?2, ?3)", "iti", run, key, p->integer);
        else if (p->key->type == GK_KEY_REAL)
            code = gk_db_exec(s, doing, "INSERT INTO param VALUES(?1, ?2, ?3)", "itr", run, key, p->real);
        else
            code = gk_db_exec(s, doing, "INSERT INTO param VALUES(?1, ?2, ?3)", "itt", run, key, p->text);
    }
    return code;
}

/* Text of a key that a config need not have. */
static const char *text_of(const gk_config *config, const char *key, const char *otherwise)
{
    const gk_setting *p = gk_config_find(config, key);
    return p && p->text[0] ? p->text : otherwise;
}

static int insert_run(gk_store *s, const gk_method *method, const gk_config *config, const char *json, int64_t split_id,
                      int64_t parent_id)
{
    char uid[33], host[256], hash[GK_SHA256_HEX];
    const int code = new_uid(uid);
    if (code != GK_OK) return code;
    host_name(host);
    gk_sha256(json, strlen(json), hash);
    const gk_setting *seed = gk_config_find(config, "seed");
    return gk_db_exec(
        s, "storing a run",
        "INSERT INTO run(uid, name, method, split_id, parent_id, seed, dtype, config, config_sha256, status, "
        "step_unit, started_at, host, pid, heartbeat_at, version) VALUES(?1, ?2, ?3, ?4, "
        "CASE WHEN ?5 > 0 THEN ?5 END, ?6, ?7, ?8, ?9, 'running', ?10, " NOW ", ?11, ?12, " NOW ", ?13)",
        "tttiiitttttit", uid, text_of(config, "name", method->name), method->name, split_id, parent_id,
        seed ? seed->integer : (int64_t)0, text_of(config, "dtype", "float64"), json, hash, method->unit, host,
        (int64_t)getpid(), GK_VERSION);
}

int gk_store_new_run(gk_store *s, const gk_method *method, const gk_config *config, int64_t split_id, int64_t parent_id,
                     int64_t *id)
{
    const char *name = gk_config_text(config, "name");
    int code = name[0] ? gk_store_check_name(name) : GK_OK; /* without a name it has the method's */
    if (code != GK_OK) return code;
    char *json = gk_config_json(config);
    if (!json) return GK_FAILED;
    code = gk_store_begin(s);
    if (code == GK_OK) {
        code = insert_run(s, method, config, json, split_id, parent_id);
        const int64_t run = sqlite3_last_insert_rowid(s->db);
        if (code == GK_OK) code = put_params(s, run, config);
        if (code == GK_OK)
            code = gk_store_commit(s);
        else
            gk_store_rollback(s);
        if (code == GK_OK) *id = run;
    }
    free(json);
    return code;
}

/* ---- finding ---- */

/* The ids of all runs with a name, as "1, 4 and 7", or a count when they are many. */
static char *ids_of(gk_store *s, const char *sql, const char *text)
{
    sqlite3_stmt *row;
    char *list = NULL;
    int n = 0, code = gk_db_select(s, "looking up a run", sql, &row, "t", text);
    for (; code == GK_OK; code = gk_db_next(s, "looking up a run", row)) {
        if (++n > 8) continue;
        char *longer = gk_text("%s%s%lld", list ? list : "", list ? ", " : "", sqlite3_column_int64(row, 0));
        free(list);
        list = longer;
    }
    if (n > 8 && list) {
        char *longer = gk_text("%s and %d more", list, n - 8);
        free(list);
        list = longer;
    }
    return list;
}

/* GK_OK with the one id that sql finds for text, GK_NOTFOUND without a line, or GK_USAGE when there are several. */
static int find_one(gk_store *s, const char *sql, const char *text, const char *what, int64_t *id)
{
    sqlite3_stmt *row;
    int code = gk_db_select(s, "looking up a run", sql, &row, "t", text);
    if (code != GK_OK) return code;
    *id = sqlite3_column_int64(row, 0);
    code = gk_db_next(s, "looking up a run", row);
    if (code == GK_NOTFOUND) return GK_OK;
    if (code != GK_OK) return code;
    gk_db_done(row);
    char *ids = ids_of(s, sql, text);
    code =
        gk_error(GK_USAGE, "%s: several runs have the %s '%s' (%s); name one by its id, or the newest of all by @last",
                 s->path, what, text, ids ? ids : "");
    free(ids);
    return code;
}

/* "there is no run X", with the nearest name. */
static int no_such_run(gk_store *s, const char *text)
{
    enum { NAMES = 1000 };
    char **names = gk_calloc(NAMES + 1, sizeof *names);
    if (!names) return GK_FAILED;
    sqlite3_stmt *row;
    int n = 0, code = gk_db_select(s, "looking up a run", "SELECT DISTINCT name FROM run ORDER BY id DESC LIMIT 1000",
                                   &row, "");
    for (; code == GK_OK; code = gk_db_next(s, "looking up a run", row)) {
        if (n < NAMES && (names[n] = gk_db_text(row, 0))) n++;
    }
    const char *nearest = gk_text_nearest(text, (const char *const *)names);
    if (code == GK_NOTFOUND && n == 0)
        gk_error(code, "%s: there is no run '%s', nor any other yet", s->path, text);
    else if (code == GK_NOTFOUND && nearest)
        gk_error(code, "%s: there is no run '%s'; did you mean '%s'?", s->path, text, nearest);
    else if (code == GK_NOTFOUND)
        gk_error(code, "%s: there is no run '%s'; `groklab ls` lists them", s->path, text);
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
    return code;
}

enum { UID_DIGITS_MIN = 4 };

int gk_store_find_run(gk_store *s, const char *text, int64_t *id)
{
    int code = GK_NOTFOUND;
    int64_t number;
    if (strcmp(text, "@last") == 0) {
        code = gk_db_integer(s, "looking up a run", "SELECT id FROM run ORDER BY id DESC LIMIT 1", -1, id);
        return code == GK_OK && *id < 0 ? gk_error(GK_NOTFOUND, "%s: there is no run yet", s->path) : code;
    }
    if (gk_text_int(text, &number) == GK_OK)
        code = find_one(s, "SELECT id FROM run WHERE id = CAST(?1 AS INTEGER)", text, "id", id);
    if (code == GK_NOTFOUND) code = find_one(s, "SELECT id FROM run WHERE name = ?1 ORDER BY id", text, "name", id);
    /* A wrong id, 99 say, is the start of one uid in 256: `rm 99` must not take that run. */
    if (code == GK_NOTFOUND && strlen(text) >= UID_DIGITS_MIN && strspn(text, "0123456789abcdef") == strlen(text))
        code = find_one(s, "SELECT id FROM run WHERE uid >= ?1 AND uid < ?1 || 'g' ORDER BY id", text,
                        "first uid digits", id);
    return code == GK_NOTFOUND ? no_such_run(s, text) : code;
}

/* ---- reading ---- */

int gk_store_get_run(gk_store *s, int64_t id, gk_run_row *out)
{
    *out = (gk_run_row){.id = id};
    sqlite3_stmt *row;
    const int code =
        gk_db_select(s, "reading a run",
                     "SELECT uid, split_id, parent_id, step, seed, name, method, dtype, config, status, step_unit, "
                     "started_at, ended_at, host, version, error, config_sha256, wall_seconds, pid "
                     "FROM run WHERE id = ?1",
                     &row, "i", id);
    if (code == GK_NOTFOUND) return gk_error(code, "%s: there is no run %" PRId64, s->path, id);
    if (code != GK_OK) return code;
    const unsigned char *uid = sqlite3_column_text(row, 0), *hash = sqlite3_column_text(row, 16);
    if (uid) strncpy(out->uid, (const char *)uid, sizeof out->uid - 1);
    if (hash) strncpy(out->config_sha256, (const char *)hash, sizeof out->config_sha256 - 1);
    out->split_id = sqlite3_column_int64(row, 1);
    out->parent_id = sqlite3_column_int64(row, 2);
    out->step = sqlite3_column_int64(row, 3);
    out->seed = (uint64_t)sqlite3_column_int64(row, 4);
    char **const texts[] = {&out->name,       &out->method,   &out->dtype, &out->config,  &out->status, &out->step_unit,
                            &out->started_at, &out->ended_at, &out->host,  &out->version, &out->error};
    for (int i = 0; i < 11; i++) *texts[i] = gk_db_text(row, 5 + i);
    out->wall_seconds = sqlite3_column_double(row, 17);
    out->pid = sqlite3_column_int64(row, 18);
    gk_db_done(row);
    return GK_OK;
}

void gk_run_row_free(gk_run_row *row)
{
    if (!row) return;
    char *const texts[] = {row->name,       row->method,   row->dtype, row->config,  row->status, row->step_unit,
                           row->started_at, row->ended_at, row->host,  row->version, row->error};
    for (int i = 0; i < 11; i++) free(texts[i]);
    *row = (gk_run_row){0};
}

int gk_store_get_config(gk_store *s, int64_t run, gk_config *config)
{
    char where[64];
    snprintf(where, sizeof where, "stored run %" PRId64, run);
    sqlite3_stmt *row;
    int code =
        gk_db_select(s, "reading the settings", "SELECT key, value FROM param WHERE run_id = ?1", &row, "i", run);
    while (code == GK_OK) {
        char number[32];
        const char *key = (const char *)sqlite3_column_text(row, 0), *value;
        if (sqlite3_column_type(row, 1) == SQLITE_FLOAT) { /* SQLite's own text keeps 15 digits only */
            gk_text_from_real(sqlite3_column_double(row, 1), number);
            value = number;
        } else {
            value = (const char *)sqlite3_column_text(row, 1);
        }
        const int set = gk_config_set(config, key ? key : "", value ? value : "", where);
        if (set != GK_OK) {
            gk_db_done(row);
            return set;
        }
        code = gk_db_next(s, "reading the settings", row);
    }
    return code == GK_NOTFOUND ? GK_OK : code;
}

/* ---- its life ---- */

int gk_store_end_run(gk_store *s, int64_t run, const char *status, int64_t step, double seconds, const char *error)
{
    return gk_db_exec(
        s, "ending a run",
        "UPDATE run SET status = ?2, step = ?3, wall_seconds = wall_seconds + ?4, error = ?5, ended_at = " NOW
        ", heartbeat_at = " NOW " WHERE id = ?1",
        "itirt", run, status, step, seconds, error);
}

int gk_store_heartbeat(gk_store *s, int64_t run, int64_t step, double seconds)
{
    return gk_db_exec(s, "storing a heartbeat",
                      "UPDATE run SET step = ?2, wall_seconds = wall_seconds + ?3, heartbeat_at = " NOW
                      " WHERE id = ?1",
                      "iir", run, step, seconds);
}

int gk_store_rewind(gk_store *s, int64_t run, int64_t step)
{
    static const char *const deletes[] = {
        "DELETE FROM metric WHERE run_id = ?1 AND step > ?2",
        "DELETE FROM event WHERE run_id = ?1 AND step > ?2",
        "DELETE FROM matrix WHERE run_id = ?1 AND step > ?2",
        "DELETE FROM checkpoint WHERE run_id = ?1 AND step > ?2",
        "DELETE FROM comparison WHERE run_a = ?1 AND step_a > ?2",
        "DELETE FROM comparison WHERE run_b = ?1 AND step_b > ?2",
    };
    char host[256];
    host_name(host);
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (size_t i = 0; code == GK_OK && i < sizeof deletes / sizeof *deletes; i++)
        code = gk_db_exec(s, "going back to a checkpoint", deletes[i], "ii", run, step);
    if (code == GK_OK)
        code = gk_db_exec(
            s, "going back to a checkpoint",
            "UPDATE run SET status = 'running', step = max(?2, 0), ended_at = NULL, error = NULL, host = ?3, "
            "pid = ?4, heartbeat_at = " NOW " WHERE id = ?1",
            "iiti", run, step, host, (int64_t)getpid());
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}
