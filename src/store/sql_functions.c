/* sql_functions.c: the thin adapter between SQLite and the functions of sql_core.h, linked into groklab and, once more,
 * built as the loadable groklab_sql.so. */
#define GK_SQL_ENTRY
#include "sql_core.h"
#include "sql_sqlite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 5 };

static void fail(sqlite3_context *context, const char *name, int argument, const char *why)
{
    char *line = argument >= 0 ? sqlite3_mprintf("%s(): argument %d: %s.", name, argument + 1, why)
                               : sqlite3_mprintf("%s(): %s.", name, why);
    if (line)
        sqlite3_result_error(context, line, -1);
    else
        sqlite3_result_error_nomem(context);
    sqlite3_free(line);
}

/* One argument as its kind wants it; the line says what was given instead. */
static int take(char kind, sqlite3_value *given, gk_sql_value *out)
{
    static const char *const names[] = {[SQLITE_INTEGER] = "an integer",
                                        [SQLITE_FLOAT] = "a real number",
                                        [SQLITE_TEXT] = "a text",
                                        [SQLITE_BLOB] = "a blob"};
    const int type = sqlite3_value_type(given);
    if (kind == 'm') {
        if (type != SQLITE_BLOB)
            return gk_error(GK_USAGE, "%s was given, and a matrix blob is needed, as in matrix.data", names[type]);
        const void *blob = sqlite3_value_blob(given);
        return gk_sql_matrix_read(blob, (size_t)sqlite3_value_bytes(given), &out->matrix);
    }
    if (kind == 'i') {
        if (sqlite3_value_numeric_type(given) != SQLITE_INTEGER)
            return gk_error(GK_USAGE, "%s was given, and an integer is needed", names[type]);
        out->integer = sqlite3_value_int64(given);
        return GK_OK;
    }
    if (type != SQLITE_TEXT) return gk_error(GK_USAGE, "%s was given, and a text is needed", names[type]);
    out->word = (const char *)sqlite3_value_text(given);
    return out->word ? GK_OK : gk_error(GK_FAILED, "out of memory");
}

static void give(sqlite3_context *context, gk_sql_value *result)
{
    switch (result->type) {
    case GK_SQL_NULL:
        sqlite3_result_null(context);
        break;
    case GK_SQL_INTEGER:
        sqlite3_result_int64(context, result->integer);
        break;
    case GK_SQL_REAL:
        sqlite3_result_double(context, result->real);
        break; /* NaN becomes NULL */
    case GK_SQL_TEXT:
        if (result->word)
            sqlite3_result_text(context, result->word, -1, SQLITE_STATIC);
        else
            sqlite3_result_text64(context, (char *)result->bytes, result->size, free, SQLITE_UTF8);
        break;
    case GK_SQL_BLOB:
        sqlite3_result_blob64(context, result->bytes, result->size, free);
        break;
    }
}

static void call_scalar(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const gk_sql_scalar *f = sqlite3_user_data(context);
    gk_sql_value arguments[ARGUMENTS_MAX] = {0}, result = {0};
    for (int i = 0; i < argc; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return; /* NULL in, NULL out */
    }
    int code = GK_OK, i;
    for (i = 0; code == GK_OK && i < argc; i++) code = take(f->kinds[i], argv[i], &arguments[i]);
    if (code != GK_OK)
        fail(context, f->about.name, i - 1, gk_error_text());
    else if (f->call(arguments, &result) != GK_OK)
        fail(context, f->about.name, -1, gk_error_text());
    else
        give(context, &result);
    for (i = 0; i < argc; i++) free(arguments[i].matrix.data);
}

/* ---- aggregates ---- */

static void step_aggregate(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const gk_sql_aggregate *f = sqlite3_user_data(context);
    gk_sql_sample *sample = sqlite3_aggregate_context(context, sizeof *sample);
    if (!sample) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (argc == 2) {
        const int type = sqlite3_value_numeric_type(argv[1]);
        const double percent = sqlite3_value_double(argv[1]);
        if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || !(percent >= 0 && percent <= 100)) {
            fail(context, f->about.name, 1, "a number from 0 to 100 is needed");
            return;
        }
        if (sample->n > 0 && percent != sample->percent) {
            fail(context, f->about.name, 1, "it must be the same in every row");
            return;
        }
        sample->percent = percent;
    }
    const int type = sqlite3_value_numeric_type(argv[0]);
    if (type == SQLITE_NULL) return;
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        fail(context, f->about.name, 0, "numbers are needed, and this is not one");
    else if (gk_sql_sample_add(sample, sqlite3_value_double(argv[0])) != GK_OK)
        sqlite3_result_error_nomem(context);
}

static void end_aggregate(sqlite3_context *context)
{
    const gk_sql_aggregate *f = sqlite3_user_data(context);
    gk_sql_sample *sample = sqlite3_aggregate_context(context, 0);
    if (!sample) return; /* no row: NULL */
    sqlite3_result_double(context, f->end(sample));
    free(sample->values);
}

/* ---- all of them ---- */

int gk_sql_register(sqlite3 *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = SQLITE_OK;
    for (const gk_sql_scalar *f = gk_sql_scalars; rc == SQLITE_OK && f->about.name; f++)
        rc = sqlite3_create_function_v2(db, f->about.name, (int)strlen(f->kinds), flags, (void *)(uintptr_t)f,
                                        call_scalar, NULL, NULL, NULL);
    for (const gk_sql_aggregate *f = gk_sql_aggregates; rc == SQLITE_OK && f->about.name; f++)
        rc = sqlite3_create_function_v2(db, f->about.name, f->arguments, flags, (void *)(uintptr_t)f, NULL,
                                        step_aggregate, end_aggregate, NULL);
    return rc == SQLITE_OK ? gk_sql_register_tables(db) : rc;
}

#ifdef GK_SQL_EXTENSION

int sqlite3_groklabsql_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

int sqlite3_groklabsql_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    (void)error;
    return gk_sql_register(db);
}

#endif
