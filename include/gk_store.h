/* gk_store.h: the run database. The only room that knows SQLite and zlib. */
#ifndef GK_STORE_H
#define GK_STORE_H

#include "gk_method.h"

typedef struct gk_store gk_store;

enum { GK_STORE_READ = 0, GK_STORE_WRITE = 1, GK_STORE_CREATE = 2 };

/* Opens a database. READ never changes the file. CREATE makes it (and the folder) if it is missing. An older file is
 * read as it is; opened for writing it is brought up to date, after a copy (FILE.vN.bak) was made beside it. Errors
 * name the file: GK_NOTFOUND none there; GK_FAILED not a database, not ours (application_id), read-only; GK_BUSY newer
 * user_version, or locked by someone for longer than the busy timeout (GROKLAB_BUSY_MS, default 60000). Several
 * threads may use one store; a transaction keeps the others waiting. */
int gk_store_open(gk_store **out, const char *path, int mode);
/* Flushes; the last writer turns WAL back into a single file. Accepts NULL. */
int gk_store_close(gk_store *s);
const char *gk_store_path(const gk_store *s);

/* ---- transactions: nest by counting; writers begin IMMEDIATE. Keep them short, others wait. A rollback ends all
 * levels; a commit after it fails. Writes outside a transaction commit by themselves. ---- */
int gk_store_begin(gk_store *s);
int gk_store_commit(gk_store *s);
void gk_store_rollback(gk_store *s);

/* ---- splits ---- */
int gk_store_put_split(gk_store *s, const gk_split *split, int64_t *id); /* the existing id if the hash is there */
/* The caller rebuilds the split with gk_split_restore. Strings are borrowed until gk_store_split_free. */
typedef struct gk_stored_split {
    int64_t id;
    char *op, *generator;
    char sha256[GK_SHA256_HEX];
    int p, n_train;
    double train_fraction;
    uint64_t seed;
    int32_t *train;
} gk_stored_split;
int gk_store_get_split(gk_store *s, int64_t id, gk_stored_split *out);
/* By id or a unique prefix (4 digits or more) of its sha256. */
int gk_store_find_split(gk_store *s, const char *text, int64_t *id);
void gk_stored_split_free(gk_stored_split *split);

/* ---- runs ---- */
typedef struct gk_run_row {
    int64_t id, split_id, parent_id, step;
    uint64_t seed;
    char uid[33]; /* 32 hexadecimal digits, random */
    char *name, *method, *dtype, *config, *status, *step_unit, *started_at, *ended_at, *host, *version, *error;
    char config_sha256[GK_SHA256_HEX];
    double wall_seconds;
    int64_t pid;
} gk_run_row;

/* Inserts a run (status running, pid, host, heartbeat) and its params from the config. */
int gk_store_new_run(gk_store *s, const gk_method *method, const gk_config *config, int64_t split_id, int64_t parent_id,
                     int64_t *id);
/* text: an id, a name, the first digits of a uid (4 or more), or @last. GK_NOTFOUND suggests; GK_USAGE when ambiguous. */
int gk_store_find_run(gk_store *s, const char *text, int64_t *id);
int gk_store_get_run(gk_store *s, int64_t id, gk_run_row *out);
void gk_run_row_free(gk_run_row *row);
/* Restores a stored config into `config` (whose rows are already added) from `param`. */
int gk_store_get_config(gk_store *s, int64_t run, gk_config *config);
/* status: running | finished | interrupted | diverged | failed | killed. Adds to wall_seconds; error may be NULL. */
int gk_store_end_run(gk_store *s, int64_t run, const char *status, int64_t step, double seconds, const char *error);
/* Before a resume: deletes metrics, events, matrices, checkpoints with step > `step`; marks running under this pid. */
int gk_store_rewind(gk_store *s, int64_t run, int64_t step);
int gk_store_heartbeat(gk_store *s, int64_t run, int64_t step, double seconds);

/* ---- rows of a run; a NaN value becomes NULL ---- */
int gk_store_describe_metric(gk_store *s, const char *name, const char *unit, const char *description);
int gk_store_put_metric(gk_store *s, int64_t run, const char *name, int64_t step, double value);
/* One event a kind and run: a new step replaces the old one; step -1 withdraws it. kinds that repeat (resumed, killed,
 * interrupted) are appended. */
int gk_store_put_event(gk_store *s, int64_t run, const char *kind, int64_t step, const char *detail);
int gk_store_put_matrix(gk_store *s, int64_t run, int64_t step, const char *kind, const double *data, int rows,
                        int cols, gk_dtype dtype);
/* The same from its npy stream, of rows x cols numbers of dtype. */
int gk_store_put_matrix_raw(gk_store *s, int64_t run, int64_t step, const char *kind, int rows, int cols,
                            gk_dtype dtype, const void *npy, size_t size);
/* kind: weights | state. A new state replaces the run's older ones; weights are kept. meta: safetensors __metadata__ as
 * alternating key, value, NULL-terminated, or NULL. */
int gk_store_put_checkpoint(gk_store *s, int64_t run, int64_t step, const char *kind, const gk_tensor *tensors, int n,
                            const char *const *meta);
/* The same from a finished safetensors stream. */
int gk_store_put_checkpoint_raw(gk_store *s, int64_t run, int64_t step, const char *kind, const unsigned char *raw,
                                size_t size);
/* Removes the state of a run that will not be resumed. */
int gk_store_drop_state(gk_store *s, int64_t run);
int gk_store_put_comparison(gk_store *s, int64_t run_a, int64_t step_a, const char *kind_a, int64_t run_b,
                            int64_t step_b, const char *kind_b, const char *measure, double value);

/* The newest matrix of a kind at or before `step` (-1: the last). data [rows,cols] double, malloc'ed. GK_NOTFOUND. */
int gk_store_get_matrix(gk_store *s, int64_t run, int64_t step, const char *kind, double **data, int *rows, int *cols,
                        int64_t *at);
/* Checkpoint of a kind at exactly `step`, or the last with step -1. The raw safetensors stream, malloc'ed. */
int gk_store_get_checkpoint(gk_store *s, int64_t run, int64_t step, const char *kind, unsigned char **raw, size_t *n,
                            int64_t *at);

/* ---- safetensors: pure bytes ---- */
/* The stream of the tensors in order as pieces [n + 1]: a head, malloc'ed, and the tensors' own memory. */
int gk_safetensors_pieces(const gk_tensor *tensors, int n, const char *const *meta, unsigned char **head, gk_piece *out);
/* The same as one malloc'ed stream. */
int gk_safetensors_write(const gk_tensor *tensors, int n, const char *const *meta, unsigned char **out, size_t *size);
/* Copies the stream's tensors into the memory of `tensors` (same names, dtypes, shapes, in any order); a truncated or
 * hostile stream, a missing, extra or ill-shaped tensor is refused with a line that names it. */
int gk_safetensors_read(const unsigned char *raw, size_t size, const gk_tensor *tensors, int n);
/* The checked contents of a stream: fills out[GK_TENSORS_MAX], whose data point into raw, unaligned. */
int gk_safetensors_index(const unsigned char *raw, size_t size, gk_tensor *out, int *n);
/* Value of a __metadata__ key, malloc'ed, or NULL. */
char *gk_safetensors_meta(const unsigned char *raw, size_t size, const char *key);

/* ---- npy: pure bytes; versions 1 to 3, C order, <f4 <f8 <i4 <i8 and |u1 ---- */
int gk_npy_write(const void *data, gk_dtype dtype, int rank, const int64_t *shape, unsigned char **out, size_t *size);
/* Checks everything; out is malloc'ed double, whatever the stored type. rank at most 4. */
int gk_npy_read(const unsigned char *raw, size_t size, double **out, int *rank, int64_t shape[4]);
/* The same checks; *out but its name is filled, data points into raw, unaligned. */
int gk_npy_tensor(const unsigned char *raw, size_t size, gk_tensor *out);

/* ---- npz: arrays by name, NumPy's savez and savez_compressed; pure bytes ---- */
/* malloc'ed archive of NAME.npy, uncompressed; equal tensors give equal bytes. Under 4 GiB. */
int gk_npz_write(const gk_tensor *tensors, int n, unsigned char **out, size_t *size);
/* The archive's arrays as a safetensors stream, malloc'ed, for gk_safetensors_read. A truncated or hostile archive is
 * refused with a line that names the array. */
int gk_npz_read(const unsigned char *raw, size_t size, unsigned char **out, size_t *out_size);

/* ---- queries for listings ---- */

typedef enum gk_cell_type { GK_CELL_NULL, GK_CELL_INTEGER, GK_CELL_REAL, GK_CELL_TEXT, GK_CELL_BLOB } gk_cell_type;

typedef struct gk_cell {
    gk_cell_type type;
    int64_t integer;
    double real;
    const char *text; /* borrowed for the call; blobs: NULL */
    size_t size;
} gk_cell;

/* Calls `row` for each result row (and once before the first with cells == NULL, so that headers print even when
 * empty).
 * A nonzero return stops and is passed on. params: text values bound to ?1, ?2 ... NULL-terminated, or NULL. */
typedef int gk_row_fn(void *context, int columns, const char *const *names, const gk_cell *cells);
int gk_store_query(gk_store *s, const char *sql, const char *const *params, gk_row_fn *row, void *context);
/* `stop` is asked now and then while a statement runs; not 0 ends it with GK_INTERRUPTED. NULL: never. */
void gk_store_stop_when(gk_store *s, int (*stop)(void *context), void *context);

/* ---- SQL functions over matrices, medians and the like ---- */

typedef struct gk_sql_function {
    const char *name, *arguments, *description;
} gk_sql_function;

/* Teaches them to this connection. The same are in build/groklab_sql.so, for any SQLite that loads extensions. */
int gk_store_functions(gk_store *s);
/* Number `index` of the functions, NULL after the last. A name with other arguments is listed again. */
const gk_sql_function *gk_store_function(int index);

/* ---- care ---- */

/* value NULL takes the tag away (GK_NOTFOUND if there is none). A note is the tag `note`. */
int gk_store_tag(gk_store *s, int64_t run, const char *key, const char *value);
int gk_store_rename(gk_store *s, int64_t run, const char *name);
/* GK_USAGE for what would be taken for an id, a place in a list or an option. */
int gk_store_check_name(const char *name);

/* What belongs to a run and to it alone; its split stays. */
typedef struct gk_run_extent {
    int64_t metrics, events, matrices, checkpoints, comparisons;
    int64_t bytes; /* of matrices and checkpoints */
} gk_run_extent;
/* Removes a run with all its rows, or with `dry` only counts them. GK_BUSY while a living process trains it. */
int gk_store_remove(gk_store *s, int64_t run, bool dry, gk_run_extent *what);

typedef struct gk_merge_count {
    int64_t added, updated, unchanged; /* runs */
} gk_merge_count;
/* Copies the runs of the database at `path` into s: by uid, splits by hash, metrics by name. A run that s has already
 * is replaced where the other knows later news of it (its heartbeat), and else left alone, so that merging again
 * changes nothing; tags given in s stay. All or nothing. Errors of gk_store_open for `path`. */
int gk_store_merge(gk_store *s, const char *path, gk_merge_count *count);

/* Datasette's metadata for a database of this name (the file name without .db): what each table, view and column is.
 * malloc'ed JSON. */
char *gk_store_metadata(const char *database);

/* Integrity, foreign keys, hashes of every blob, dead runs, a log left over by a process that was killed. Each finding
 * is a line through `say`; returns how many problems were found, or a negative code. repair: marks dead runs killed,
 * and nothing that loses data; closing a store opened for writing folds the log in. */
int gk_store_doctor(gk_store *s, bool repair, void (*say)(void *context, const char *line), void *context);
/* Of that only the dead runs, those that count as running and whose process is gone: how many, or a negative code. */
int gk_store_dead(gk_store *s, void (*say)(void *context, const char *line), void *context);

#endif
