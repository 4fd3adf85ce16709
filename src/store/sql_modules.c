/* sql_modules.c: the adapter between SQLite and the table-valued functions: read-only virtual tables without storage,
 * whose hidden column `matrix` is the argument. */
#include "sql_core.h"
#include "sql_sqlite.h"

#include <stdlib.h>
#include <string.h>

typedef struct table {
    sqlite3_vtab base;
    const gk_sql_table *what;
} table;

typedef struct cursor {
    sqlite3_vtab_cursor base;
    gk_sql_matrix rows, vectors;
    int at;
} cursor;

static int say(sqlite3_vtab *vtab, const char *name, const char *why)
{
    sqlite3_free(vtab->zErrMsg);
    vtab->zErrMsg = sqlite3_mprintf("%s(): %s.", name, why);
    return SQLITE_ERROR;
}

static int connect(sqlite3 *db, void *what, int argc, const char *const *argv, sqlite3_vtab **out, char **error)
{
    (void)argc;
    (void)argv;
    (void)error;
    const gk_sql_table *t = what;
    char *ddl = sqlite3_mprintf("CREATE TABLE x(%s, matrix HIDDEN)", t->columns);
    table *made = ddl ? sqlite3_malloc64(sizeof *made) : NULL;
    int rc = made ? sqlite3_declare_vtab(db, ddl) : SQLITE_NOMEM;
    sqlite3_free(ddl);
    if (rc != SQLITE_OK) {
        sqlite3_free(made);
        return rc;
    }
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    memset(made, 0, sizeof *made);
    made->what = t;
    *out = &made->base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

/* One plan: the matrix is given, and everything else is left to SQLite. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    const table *t = (const table *)vtab;
    const int hidden = (int)strlen(t->what->kinds);
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != hidden || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum = 1;
        break;
    }
    info->estimatedCost = 1000;
    info->estimatedRows = 200;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    cursor *c = sqlite3_malloc64(sizeof *c);
    if (!c) return SQLITE_NOMEM;
    memset(c, 0, sizeof *c);
    *out = &c->base;
    return SQLITE_OK;
}

static void clear(cursor *c)
{
    free(c->rows.data);
    free(c->vectors.data);
    c->rows = c->vectors = (gk_sql_matrix){0};
    c->at = 0;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    clear((cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    (void)text;
    cursor *c = (cursor *)base;
    const gk_sql_table *t = ((const table *)base->pVtab)->what;
    clear(c);
    if (plan != 1 || argc != 1)
        return say(base->pVtab, t->about.name,
                   "needs a matrix, as in "
                   "FROM matrix m, mat_each(m.data)");
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return SQLITE_OK;
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB)
        return say(base->pVtab, t->about.name, "the argument must be a matrix blob, as in matrix.data");
    gk_sql_matrix m;
    const void *blob = sqlite3_value_blob(argv[0]);
    int code = gk_sql_matrix_read(blob, (size_t)sqlite3_value_bytes(argv[0]), &m);
    if (code == GK_OK) code = t->fill(&m, &c->rows, &c->vectors);
    free(m.data);
    if (code == GK_OK) return SQLITE_OK;
    clear(c);
    return say(base->pVtab, t->about.name, gk_error_text());
}

static int next(sqlite3_vtab_cursor *base)
{
    ((cursor *)base)->at++;
    return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
    const cursor *c = (const cursor *)base;
    return c->at >= c->rows.rows;
}

/* Eigenvector number `row` as a 1-D npy blob. */
static void give_vector(sqlite3_context *context, const gk_sql_matrix *vectors, int row)
{
    unsigned char *npy;
    size_t size;
    const int64_t shape[1] = {vectors->cols};
    if (gk_npy_write(vectors->data + (size_t)row * (size_t)vectors->cols, GK_F64, 1, shape, &npy, &size) != GK_OK)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_blob64(context, npy, size, free);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
    const cursor *c = (const cursor *)base;
    const char *kinds = ((const table *)base->pVtab)->what->kinds;
    if (i >= (int)strlen(kinds)) {
        sqlite3_result_null(context); /* the argument itself is not given back */
    } else if (kinds[i] == 'v') {
        give_vector(context, &c->vectors, c->at);
    } else {
        const double value = c->rows.data[(size_t)c->at * (size_t)c->rows.cols + (size_t)i];
        if (kinds[i] == 'i')
            sqlite3_result_int64(context, (sqlite3_int64)value);
        else
            sqlite3_result_double(context, value);
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((const cursor *)base)->at;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .iVersion = 0,
    .xConnect = connect, /* no xCreate: eponymous, never made by CREATE VIRTUAL TABLE */
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
};

int gk_sql_register_tables(sqlite3 *db)
{
    int rc = SQLITE_OK;
    for (const gk_sql_table *t = gk_sql_tables; rc == SQLITE_OK && t->about.name; t++)
        rc = sqlite3_create_module_v2(db, t->about.name, &module, (void *)(uintptr_t)t, NULL);
    return rc;
}
