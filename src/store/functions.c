/* functions.c: the SQL functions on our own connections, and what they are called. */
#include "sql_core.h"
#include "sql_sqlite.h"
#include "store.h"

int gk_store_functions(gk_store *s)
{
    const int rc = gk_sql_register(s->db);
    return rc == SQLITE_OK ? GK_OK : gk_db_fail(s, rc, "adding functions");
}

const gk_sql_function *gk_store_function(int index)
{
    for (const gk_sql_scalar *f = gk_sql_scalars; f->about.name; f++) {
        if (index-- == 0) return &f->about;
    }
    for (const gk_sql_table *t = gk_sql_tables; t->about.name; t++) {
        if (index-- == 0) return &t->about;
    }
    for (const gk_sql_aggregate *f = gk_sql_aggregates; f->about.name; f++) {
        if (index-- == 0) return &f->about;
    }
    return NULL;
}
