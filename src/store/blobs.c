/* blobs.c: feature matrices as npy and checkpoints as safetensors, compressed, under the hash of the raw bytes. */
#include "store.h"
#include "zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A stream ready to be stored: its hash, and the bytes to keep (packed, or raw where packing saves little). */
typedef struct parcel {
    char sha256[GK_SHA256_HEX];
    unsigned char *packed;  /* NULL: raw is stored */
    gk_piece whole;         /* the packed stream */
    const gk_piece *pieces; /* what is stored */
    int n;
    size_t raw_size, size;
} parcel;

static int pack(const gk_piece *pieces, int n, parcel *out)
{
    *out = (parcel){.pieces = pieces, .n = n};
    for (int i = 0; i < n; i++) out->raw_size += pieces[i].size;
    gk_sha256_pieces(pieces, n, out->sha256);
    const int code = gk_zip_pieces(pieces, n, &out->packed, &out->size);
    if (!out->packed) return code;
    out->whole = (gk_piece){out->packed, out->size};
    out->pieces = &out->whole;
    out->n = 1;
    return code;
}

/* ---- blobs bit by bit: SQLite makes a second copy of what is bound to a statement or read from a column ---- */

static int open_blob(gk_store *s, const char *table, int64_t id, bool write, sqlite3_blob **out)
{
    const int rc = sqlite3_blob_open(s->db, "main", table, "data", id, write, out);
    return rc == SQLITE_OK ? GK_OK : gk_db_fail(s, rc, "opening a blob");
}

/* Fills the blob of row `id`, which has the parcel's size already. */
static int fill_blob(gk_store *s, int64_t id, const parcel *p)
{
    sqlite3_blob *blob;
    int code = open_blob(s, "checkpoint", id, true, &blob);
    if (code != GK_OK) return code;
    for (int i = 0, at = 0; code == GK_OK && i < p->n; i++) {
        const int size = (int)p->pieces[i].size; /* a row has at most 1 GB, or the zeros had been refused */
        const int rc = size ? sqlite3_blob_write(blob, p->pieces[i].data, size, at) : SQLITE_OK;
        if (rc != SQLITE_OK) code = gk_db_fail(s, rc, "storing a checkpoint");
        at += size;
    }
    sqlite3_blob_close(blob);
    return code;
}

typedef struct blob_reader {
    gk_store *store;
    sqlite3_blob *blob;
} blob_reader;

static int read_blob(void *context, size_t at, unsigned char *to, size_t n)
{
    blob_reader *r = context;
    const int rc = sqlite3_blob_read(r->blob, to, (int)n, (int)at);
    return rc == SQLITE_OK ? GK_OK : gk_db_fail(r->store, rc, "reading a blob");
}

/* ---- storing ---- */

int gk_store_put_matrix_raw(gk_store *s, int64_t run, int64_t step, const char *kind, int rows, int cols,
                            gk_dtype dtype, const void *npy, size_t size)
{
    parcel p;
    int code = pack(&(gk_piece){npy, size}, 1, &p);
    if (code == GK_OK)
        code = gk_db_exec(s, "storing a matrix",
                          "INSERT INTO matrix(run_id, step, kind, rows, cols, dtype, raw_size, sha256, data) "
                          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(run_id, kind, step) DO UPDATE SET "
                          "rows = excluded.rows, cols = excluded.cols, dtype = excluded.dtype, "
                          "raw_size = excluded.raw_size, sha256 = excluded.sha256, data = excluded.data",
                          "iitiititb", run, step, kind, (int64_t)rows, (int64_t)cols,
                          dtype == GK_F32 ? "float32" : "float64", (int64_t)size, p.sha256, p.pieces->data, p.size);
    free(p.packed);
    return code;
}

int gk_store_put_matrix(gk_store *s, int64_t run, int64_t step, const char *kind, const double *data, int rows,
                        int cols, gk_dtype dtype)
{
    const int64_t shape[2] = {rows, cols};
    const size_t count = (size_t)rows * (size_t)cols;
    unsigned char *npy;
    size_t size;
    float *narrow = NULL;
    if (dtype == GK_F32) {
        if (!(narrow = gk_alloc(count, sizeof *narrow))) return GK_FAILED;
        for (size_t i = 0; i < count; i++) narrow[i] = (float)data[i];
    }
    int code = gk_npy_write(narrow ? (const void *)narrow : data, narrow ? GK_F32 : GK_F64, 2, shape, &npy, &size);
    free(narrow);
    if (code != GK_OK) return code;
    code = gk_store_put_matrix_raw(s, run, step, kind, rows, cols, dtype, npy, size);
    free(npy);
    return code;
}

static int put_row(gk_store *s, int64_t run, int64_t step, const char *kind, const parcel *p)
{
    sqlite3_stmt *row;
    int code = gk_db_exec(
        s, "storing a checkpoint",
        "INSERT INTO checkpoint(run_id, step, kind, raw_size, sha256, data) VALUES(?1, ?2, ?3, ?4, ?5, zeroblob(?6)) "
        "ON CONFLICT(run_id, kind, step) DO UPDATE SET "
        "raw_size = excluded.raw_size, sha256 = excluded.sha256, data = excluded.data",
        "iititi", run, step, kind, (int64_t)p->raw_size, p->sha256, (int64_t)p->size);
    if (code != GK_OK) return code;
    code = gk_db_select(s, "storing a checkpoint",
                        "SELECT id FROM checkpoint WHERE run_id = ?1 AND kind = ?2 AND step = ?3", &row, "iti", run,
                        kind, step);
    if (code != GK_OK) return code;
    const int64_t id = sqlite3_column_int64(row, 0);
    gk_db_done(row);
    return fill_blob(s, id, p);
}

static int put_checkpoint(gk_store *s, int64_t run, int64_t step, const char *kind, const gk_piece *pieces, int n)
{
    parcel p;
    int code = pack(pieces, n, &p); /* before the lock is taken: others write meanwhile */
    if (code == GK_OK && (code = gk_store_begin(s)) == GK_OK) {
        code = put_row(s, run, step, kind, &p);
        if (code == GK_OK && strcmp(kind, "state") == 0)
            code = gk_db_exec(s, "dropping older states",
                              "DELETE FROM checkpoint WHERE run_id = ?1 AND kind = 'state' AND step <> ?2", "ii", run,
                              step);
        if (code == GK_OK)
            code = gk_store_commit(s);
        else
            gk_store_rollback(s);
    }
    free(p.packed);
    return code;
}

int gk_store_put_checkpoint(gk_store *s, int64_t run, int64_t step, const char *kind, const gk_tensor *tensors, int n,
                            const char *const *meta)
{
    gk_piece pieces[GK_TENSORS_MAX + 1];
    unsigned char *head;
    int code = gk_safetensors_pieces(tensors, n, meta, &head, pieces);
    if (code != GK_OK) return code;
    code = put_checkpoint(s, run, step, kind, pieces, n + 1);
    free(head);
    return code;
}

int gk_store_put_checkpoint_raw(gk_store *s, int64_t run, int64_t step, const char *kind, const unsigned char *raw,
                                size_t size)
{
    return put_checkpoint(s, run, step, kind, &(gk_piece){raw, size}, 1);
}

int gk_store_drop_state(gk_store *s, int64_t run)
{
    return gk_db_exec(s, "dropping the state of a finished run",
                      "DELETE FROM checkpoint WHERE run_id = ?1 AND kind = 'state'", "i", run);
}

/* The raw stream of a table's row, of which raw_size, sha256, step, id and length(data) were selected, checked against
 * its hash. */
static int unpack(gk_store *s, const char *table, sqlite3_stmt *row, unsigned char **raw, size_t *size)
{
    const int64_t raw_size = sqlite3_column_int64(row, 0);
    if (raw_size < 0) return gk_error(GK_FAILED, "its raw_size is negative");
    *size = (size_t)raw_size;
    blob_reader r = {.store = s};
    int code = open_blob(s, table, sqlite3_column_int64(row, 3), false, &r.blob);
    if (code != GK_OK) return code;
    code = gk_unzip_from(read_blob, &r, (size_t)sqlite3_column_int64(row, 4), *size, raw);
    sqlite3_blob_close(r.blob);
    if (code != GK_OK) return code;
    char hash[GK_SHA256_HEX];
    gk_sha256(*raw, *size, hash);
    const unsigned char *stored = sqlite3_column_text(row, 1);
    if (stored && strcmp((const char *)stored, hash) == 0) return GK_OK;
    free(*raw);
    *raw = NULL;
    return gk_error(GK_FAILED, "its bytes do not have the stored hash");
}

/* Says again why, with the place in front. */
static int damaged(gk_store *s, int code, const char *what, const char *kind, int64_t run, int64_t step)
{
    return gk_error(code, "%s: the %s %s of run %" PRId64 " at step %" PRId64 " is damaged: %s", s->path, kind, what,
                    run, step, gk_error_text());
}

static int matrix_numbers(gk_store *s, sqlite3_stmt *row, double **data, int *rows, int *cols)
{
    unsigned char *npy;
    size_t size;
    int64_t shape[4];
    int rank, code = unpack(s, "matrix", row, &npy, &size);
    if (code != GK_OK) return code;
    code = gk_npy_read(npy, size, data, &rank, shape);
    free(npy);
    if (code != GK_OK) return code;
    if (rank == 2) {
        *rows = (int)shape[0];
        *cols = (int)shape[1];
        return GK_OK;
    }
    free(*data);
    *data = NULL;
    return gk_error(GK_FAILED, "it has %d dimensions, not 2", rank);
}

int gk_store_get_matrix(gk_store *s, int64_t run, int64_t step, const char *kind, double **data, int *rows, int *cols,
                        int64_t *at)
{
    *data = NULL;
    sqlite3_stmt *row;
    int code =
        gk_db_select(s, "reading a matrix",
                     "SELECT raw_size, sha256, step, id, length(data) FROM matrix "
                     "WHERE run_id = ?1 AND kind = ?2 AND step <= ?3 "
                     "ORDER BY step DESC LIMIT 1",
                     &row, "iti", run, kind, step < 0 ? INT64_MAX : step);
    if (code == GK_NOTFOUND) {
        if (step < 0)
            return gk_error(code, "%s: run %" PRId64 " has no stored matrix of kind '%s'", s->path, run, kind);
        return gk_error(code, "%s: run %" PRId64 " has no stored matrix of kind '%s' at or before step %" PRId64,
                        s->path, run, kind, step);
    }
    if (code != GK_OK) return code;
    const int64_t found = sqlite3_column_int64(row, 2);
    code = matrix_numbers(s, row, data, rows, cols);
    gk_db_done(row);
    if (code != GK_OK) return damaged(s, code, "matrix", kind, run, found);
    if (at) *at = found;
    return GK_OK;
}

int gk_store_get_checkpoint(gk_store *s, int64_t run, int64_t step, const char *kind, unsigned char **raw, size_t *n,
                            int64_t *at)
{
    *raw = NULL;
    sqlite3_stmt *row;
    int code = gk_db_select(s, "reading a checkpoint",
                            "SELECT raw_size, sha256, step, id, length(data) FROM checkpoint "
                            "WHERE run_id = ?1 AND kind = ?2 "
                            "AND step BETWEEN ?3 AND ?4 ORDER BY step DESC LIMIT 1",
                            &row, "itii", run, kind, step < 0 ? 0 : step, step < 0 ? INT64_MAX : step);
    if (code == GK_NOTFOUND) {
        if (step < 0) return gk_error(code, "%s: run %" PRId64 " has no stored checkpoint with %s", s->path, run, kind);
        return gk_error(code,
                        "%s: run %" PRId64 " has no stored checkpoint with %s at step %" PRId64 "; the steps are in "
                        "`groklab sql \"SELECT step FROM checkpoint WHERE run_id = %" PRId64 "\"`",
                        s->path, run, kind, step, run);
    }
    if (code != GK_OK) return code;
    const int64_t found = sqlite3_column_int64(row, 2);
    code = unpack(s, "checkpoint", row, raw, n);
    gk_db_done(row);
    if (code != GK_OK) return damaged(s, code, "checkpoint", kind, run, found);
    if (at) *at = found;
    return GK_OK;
}
