/* sql_core.h: the SQL functions over matrices in plain C: values in, one value out; nothing here knows SQLite. One
 * table row a function: the adapter, `groklab sql --functions` and the tests follow from it. Private to src/store. */
#ifndef GK_SQL_CORE_H
#define GK_SQL_CORE_H

#include "gk_store.h"

typedef struct gk_sql_matrix {
    int rows, cols;
    double *data; /* [rows,cols], malloc'ed */
} gk_sql_matrix;

/* A matrix from a blob: npy of one or two dimensions, zlib-compressed or not. A row of numbers is a 1 x n matrix. */
int gk_sql_matrix_read(const void *blob, size_t size, gk_sql_matrix *out);

/* GK_USAGE with the first pair of entries that differ by more than float32 rounding, or the shape. */
int gk_sql_need_symmetric(const gk_sql_matrix *m);

typedef enum gk_sql_type { GK_SQL_NULL, GK_SQL_INTEGER, GK_SQL_REAL, GK_SQL_TEXT, GK_SQL_BLOB } gk_sql_type;

/* An argument or a result. */
typedef struct gk_sql_value {
    gk_sql_type type;
    int64_t integer;
    double real;
    const char *word;     /* a text argument, or a result that lives for ever; NUL-terminated */
    unsigned char *bytes; /* a text or blob result, malloc'ed, freed by the caller */
    size_t size;
    gk_sql_matrix matrix; /* a matrix argument, decoded */
} gk_sql_value;

/* What each argument must be: m a matrix, i an integer, t text. */
typedef struct gk_sql_scalar {
    gk_sql_function about;
    const char *kinds;
    int (*call)(const gk_sql_value *arguments, gk_sql_value *result);
} gk_sql_scalar;

extern const gk_sql_scalar gk_sql_scalars[]; /* ended by a NULL name */

/* A table-valued function: from a matrix to rows of numbers. kinds: a column each, i integer, r real, v a row of
 * `vectors` as a 1-D npy blob. */
typedef struct gk_sql_table {
    gk_sql_function about;
    const char *columns, *kinds;
    int (*fill)(const gk_sql_matrix *m, gk_sql_matrix *table, gk_sql_matrix *vectors);
} gk_sql_table;

extern const gk_sql_table gk_sql_tables[]; /* ended by a NULL name */

/* ---- aggregates over one column of numbers ---- */

typedef struct gk_sql_sample {
    double *values; /* malloc'ed */
    size_t n, room;
    double percent; /* of percentile() */
} gk_sql_sample;

typedef struct gk_sql_aggregate {
    gk_sql_function about;
    int arguments;
    double (*end)(gk_sql_sample *sample); /* NaN for NULL; may sort the values */
} gk_sql_aggregate;

extern const gk_sql_aggregate gk_sql_aggregates[]; /* ended by a NULL name */

int gk_sql_sample_add(gk_sql_sample *sample, double value);

/* ---- sql_png.c ---- */

/* An indexed-colour PNG of a matrix, `zoom` pixels an entry: blue below 0, white at 0, red above, on the scale of the
 * largest absolute entry; grey where it is not a number. malloc'ed. */
int gk_sql_png(const gk_sql_matrix *m, int zoom, unsigned char **out, size_t *size);

#endif
