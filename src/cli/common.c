/* common.c: opening the database and naming runs. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

int gk_cli_open(const gk_cli *cli, int mode, gk_store **out) { return gk_store_open(out, cli->db, mode); }

int gk_cli_close(gk_store *s, int code)
{
    char *line = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    int closed = gk_store_close(s);
    if (line) gk_error(code, "%s", line);
    free(line);
    return code == GK_OK ? closed : code;
}

int gk_cli_run_at(gk_store *s, const char *text, int64_t *run, int64_t *step)
{
    *step = -1;
    const char *at = strrchr(text, '@');
    if (!at || at == text || gk_text_int(at + 1, step) != GK_OK) { /* "@last" and names may hold an @ */
        *step = -1;
        return gk_store_find_run(s, text, run);
    }
    if (*step < 0) return gk_error(GK_USAGE, "'%s': a step after @ is 0 or more", text);
    char *name = gk_text("%.*s", (int)(at - text), text);
    if (!name) return GK_FAILED;
    int code = gk_store_find_run(s, name, run);
    free(name);
    return code;
}

static int take_number(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    gk_cell *out = context;
    if (cells && (cells[0].type == GK_CELL_INTEGER || cells[0].type == GK_CELL_REAL)) *out = cells[0];
    return GK_OK;
}

int gk_cli_number(gk_store *s, const char *sql, const char *const *params, gk_cell *out)
{
    *out = (gk_cell){.type = GK_CELL_NULL};
    return gk_store_query(s, sql, params, take_number, out);
}
