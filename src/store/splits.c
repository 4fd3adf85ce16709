/* splits.c: splits, stored once under the hash of their content. */
#include "store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int gk_store_put_split(gk_store *s, const gk_split *split, int64_t *id)
{
    unsigned char *cells;
    size_t size;
    const int64_t shape[1] = {split->n_train};
    int code = gk_npy_write(split->train, GK_I32, 1, shape, &cells, &size);
    if (code != GK_OK) return code;
    /* Seeds are unsigned; the column has the same 64 bits. */
    code = gk_db_exec(s, "storing a split",
                      "INSERT INTO split(sha256, op, p, train_fraction, seed, generator, n_train, n_test, train_cells) "
                      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(sha256) DO NOTHING",
                      "ttiritiib", split->sha256, split->task.op, (int64_t)split->task.p, split->train_fraction,
                      (int64_t)split->seed, split->generator, (int64_t)split->n_train, (int64_t)split->n_test,
                      (const void *)cells, size);
    free(cells);
    if (code != GK_OK) return code;
    sqlite3_stmt *row;
    code = gk_db_select(s, "looking up a split", "SELECT id FROM split WHERE sha256 = ?1", &row, "t", split->sha256);
    if (code != GK_OK) return code;
    *id = sqlite3_column_int64(row, 0);
    gk_db_done(row);
    return GK_OK;
}

static int read_cells(sqlite3_stmt *row, int column, gk_stored_split *out)
{
    double *numbers;
    int rank;
    int64_t shape[4];
    const int code = gk_npy_read(sqlite3_column_blob(row, column), (size_t)sqlite3_column_bytes(row, column), &numbers,
                                 &rank, shape);
    if (code != GK_OK) return code;
    const bool right = rank == 1 && shape[0] == out->n_train;
    if (right && (out->train = gk_alloc((size_t)out->n_train, sizeof *out->train))) {
        for (int i = 0; i < out->n_train; i++) out->train[i] = (int32_t)numbers[i];
    }
    free(numbers);
    if (!right) return gk_error(GK_FAILED, "the train cells are not one row of %d", out->n_train);
    return out->train ? GK_OK : GK_FAILED;
}

int gk_store_get_split(gk_store *s, int64_t id, gk_stored_split *out)
{
    *out = (gk_stored_split){.id = id};
    sqlite3_stmt *row;
    int code = gk_db_select(
        s, "reading a split",
        "SELECT op, generator, sha256, p, n_train, train_fraction, seed, train_cells FROM split WHERE id = ?1", &row,
        "i", id);
    if (code == GK_NOTFOUND) return gk_error(code, "%s: there is no split %" PRId64, s->path, id);
    if (code != GK_OK) return code;
    out->op = gk_db_text(row, 0);
    out->generator = gk_db_text(row, 1);
    const unsigned char *hash = sqlite3_column_text(row, 2);
    if (hash) strncpy(out->sha256, (const char *)hash, sizeof out->sha256 - 1);
    out->p = sqlite3_column_int(row, 3);
    out->n_train = sqlite3_column_int(row, 4);
    out->train_fraction = sqlite3_column_double(row, 5);
    out->seed = (uint64_t)sqlite3_column_int64(row, 6);
    code = out->op && out->generator ? read_cells(row, 7, out) : GK_FAILED;
    gk_db_done(row);
    if (code == GK_OK) return GK_OK;
    gk_stored_split_free(out);
    return gk_error(code, "%s: split %" PRId64 " is damaged: %s", s->path, id, gk_error_text());
}

void gk_stored_split_free(gk_stored_split *split)
{
    if (!split) return;
    free(split->op);
    free(split->generator);
    free(split->train);
    *split = (gk_stored_split){0};
}

/* The one split whose hash starts with `text`. */
static int find_by_hash(gk_store *s, const char *text, int64_t *id)
{
    sqlite3_stmt *row;
    int code = gk_db_select(s, "looking up a split",
                            "SELECT id, (SELECT count(*) FROM split WHERE sha256 >= ?1 AND sha256 < ?1 || 'g') "
                            "FROM split WHERE sha256 >= ?1 AND sha256 < ?1 || 'g' LIMIT 1",
                            &row, "t", text);
    if (code != GK_OK) return code;
    *id = sqlite3_column_int64(row, 0);
    const int64_t n = sqlite3_column_int64(row, 1);
    gk_db_done(row);
    if (n == 1) return GK_OK;
    return gk_error(GK_USAGE, "%s: the hashes of %" PRId64 " splits start with '%s'; give more digits", s->path, n,
                    text);
}

int gk_store_find_split(gk_store *s, const char *text, int64_t *id)
{
    int64_t number;
    int code = GK_NOTFOUND;
    if (gk_text_int(text, &number) == GK_OK) {
        sqlite3_stmt *row;
        code = gk_db_select(s, "looking up a split", "SELECT id FROM split WHERE id = ?1", &row, "i", number);
        if (code == GK_OK) gk_db_done(row);
        *id = number;
    }
    if (code == GK_NOTFOUND && strlen(text) >= 4 && strspn(text, "0123456789abcdef") == strlen(text))
        code = find_by_hash(s, text, id);
    if (code != GK_NOTFOUND) return code;
    return gk_error(GK_NOTFOUND,
                    "%s: there is no split '%s'; an id, or the first digits (4 or more) of a hash, as in `groklab "
                    "sql \"SELECT id, sha256, op, p FROM split\"`",
                    s->path, text);
}
