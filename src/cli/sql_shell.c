/* sql_shell.c: the interactive half of groklab sql, on libedit. */
#include "sql.h"

#include <histedit.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef struct shell {
    gk_sql *sql;
    char *pending;  /* lines of a statement that is not finished */
    bool cancelled; /* Ctrl-C: the line, and the lines before it, are forgotten */
    char **words;   /* what completion knows */
    int n_words;
} shell;

static const char *prompt(EditLine *el)
{
    shell *sh = NULL;
    el_get(el, EL_CLIENTDATA, &sh);
    return sh->pending ? "    ...> " : "groklab> ";
}

/* ---- Ctrl-C: forgets what is typed, or ends the query that runs; it never ends the shell ---- */

static unsigned char cancel(EditLine *el, int key)
{
    shell *sh = NULL;
    (void)key;
    el_get(el, EL_CLIENTDATA, &sh);
    const LineInfo *line = el_line(el);
    el_cursor(el, (int)(line->lastchar - line->cursor));
    sh->cancelled = true;
    if (el_insertstr(el, "^C\n") != 0) return CC_ERROR;
    fputs("^C\n", stdout);
    return CC_NEWLINE;
}

static int interrupted(void *context)
{
    (void)context;
    return gk_cli_signal();
}

/* ---- completion: keywords, tables, columns and functions ---- */

static int take_word(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    shell *sh = context;
    (void)columns;
    (void)names;
    if (!cells || cells[0].type != GK_CELL_TEXT) return GK_OK;
    char **more = realloc(sh->words, (size_t)(sh->n_words + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for completion");
    sh->words = more;
    if ((more[sh->n_words] = gk_text("%s", cells[0].text))) sh->n_words++;
    return GK_OK;
}

static void load_words(shell *sh)
{
    static const char *const sources[] = {
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')",
        "SELECT DISTINCT c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')",
        "SELECT DISTINCT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list",
        "SELECT value FROM json_each('[\"SELECT\",\"FROM\",\"WHERE\",\"GROUP BY\",\"ORDER BY\",\"LIMIT\",\"JOIN\","
        "\"LEFT JOIN\",\"WITH\",\"HAVING\",\"DISTINCT\",\"BETWEEN\",\"UNION\","
        "\".functions\",\".help\",\".mode\",\".queries\",\".quit\",\".read\",\".schema\",\".tables\"]')"};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        (void)gk_store_query(sh->sql->store, sources[i], NULL, take_word, sh); /* without words, no completion */
}

/* The words that begin so, below the line. */
static void offer(const shell *sh, const char *start, size_t n)
{
    int column = 0;
    fputc('\n', stdout);
    for (int i = 0; i < sh->n_words; i++) {
        if (strncasecmp(sh->words[i], start, n) != 0) continue;
        if (column > 0 && column + (int)strlen(sh->words[i]) > 78) {
            fputc('\n', stdout);
            column = 0;
        }
        column += printf("%s  ", sh->words[i]);
    }
    fputc('\n', stdout);
}

static unsigned char complete(EditLine *el, int key)
{
    shell *sh = NULL;
    (void)key;
    el_get(el, EL_CLIENTDATA, &sh);
    const LineInfo *line = el_line(el);
    const char *start = line->cursor;
    while (start > line->buffer && !strchr(" ,()=<>;'\".", start[-1])) start--;
    if (start == line->buffer + 1 && start[-1] == '.') start--; /* a command */
    const size_t n = (size_t)(line->cursor - start);
    const char *best = NULL;
    size_t common = 0;
    for (int i = 0; i < sh->n_words && n > 0; i++) {
        if (strncasecmp(sh->words[i], start, n) != 0) continue;
        if (!best) common = strlen(best = sh->words[i]);
        while (common > 0 && strncasecmp(best, sh->words[i], common) != 0) common--;
    }
    if (!best) return CC_REFRESH_BEEP;
    if (common <= n) {
        if (strlen(best) > n) offer(sh, start, n);
        return CC_REDISPLAY;
    }
    char *rest = gk_text("%.*s", (int)(common - n), best + n);
    const int failed = rest ? el_insertstr(el, rest) : -1;
    free(rest);
    return failed ? CC_ERROR : CC_REFRESH;
}

/* ---- the loop ---- */

static void tell(void) { fprintf(stderr, "groklab sql: %s\n", gk_error_text()); }

/* Adds a line; runs what is finished. */
static void take_line(shell *sh, const char *line)
{
    if (!sh->pending && line[0] == '.') {
        if (gk_sql_run(sh->sql, line) != GK_OK) tell();
        return;
    }
    char *all = gk_text("%s%s", sh->pending ? sh->pending : "", line);
    free(sh->pending);
    sh->pending = NULL;
    if (!all) {
        tell();
        return;
    }
    size_t n;
    const char *at = all;
    while ((n = gk_sql_statement(at)) > 0) {
        char *statement = gk_text("%.*s", (int)n, at);
        if (statement && gk_sql_run(sh->sql, statement) != GK_OK) tell();
        free(statement);
        at += n;
    }
    fflush(stdout);
    if (!gk_sql_blank(at)) sh->pending = gk_text("%s", at);
    free(all);
}

static char *history_path(void)
{
    const char *home = getenv("HOME");
    return home && *home ? gk_text("%s/.groklab_history", home) : NULL;
}

int gk_sql_shell(gk_sql *sql)
{
    shell sh = {.sql = sql};
    EditLine *el = el_init("groklab", stdin, stdout, stderr);
    History *past = history_init();
    HistEvent event;
    if (!el || !past) {
        if (el) el_end(el);
        if (past) history_end(past);
        return gk_error(GK_FAILED, "the terminal cannot be edited; pipe the query into 'groklab sql' instead");
    }
    char *path = history_path();
    history(past, &event, H_SETSIZE, 1000);
    if (path) history(past, &event, H_LOAD, path);
    load_words(&sh);
    el_set(el, EL_CLIENTDATA, &sh);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_SETTY, "-d", "-isig", NULL); /* while a line is typed, Ctrl-C is a key */
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_HIST, history, past);
    el_set(el, EL_ADDFN, "complete", "completes tables, columns and functions", complete);
    el_set(el, EL_BIND, "\t", "complete", NULL);
    el_set(el, EL_ADDFN, "cancel", "forgets what is typed", cancel);
    el_set(el, EL_BIND, "^C", "cancel", NULL);
    gk_store_stop_when(sql->store, interrupted, NULL);
    fputs("SQL ends with a semicolon; .help lists the other commands, .quit leaves\n", stderr);
    const char *line;
    int count;
    while (!sql->quit && (line = el_gets(el, &count)) && count > 0) {
        if (sh.cancelled) {
            free(sh.pending);
            sh.pending = NULL;
            sh.cancelled = false;
            continue;
        }
        if (line[strspn(line, " \t\r\n")]) history(past, &event, H_ENTER, line);
        gk_cli_signals_catch();
        take_line(&sh, line);
        if (gk_cli_signal() == SIGTERM) sql->quit = true;
        gk_cli_signals_release();
    }
    if (path) history(past, &event, H_SAVE, path);
    for (int i = 0; i < sh.n_words; i++) free(sh.words[i]);
    free(sh.words);
    free(sh.pending);
    free(path);
    history_end(past);
    el_end(el);
    return GK_OK;
}
