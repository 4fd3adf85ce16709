/* sql_run.c: runs statements and the commands that start with a dot. */
#include "sql.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int gk_sql_functions(gk_list_format format)
{
    static const char *const names[] = {"function", "arguments", "description"};
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, 3, names);
    const gk_sql_function *f;
    for (int i = 0; code == GK_OK && (f = gk_store_function(i)); i++) {
        const gk_cell cells[] = {gk_cell_text(f->name), gk_cell_text(f->arguments), gk_cell_text(f->description)};
        code = gk_list_row(&list, cells);
    }
    gk_list_end(&list);
    return code;
}

/* ---- ready queries and dot commands ---- */

/* Ready queries in the folder where one works; else in the sources around the program's own file, or where it was
 * installed. A glob_t without paths needs no globfree. */
static int find_queries(glob_t *found)
{
    if (glob("runs/*.sql", 0, NULL, found) == 0) return GK_OK;
    char self[1024];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    if (n <= 0 || (size_t)n == sizeof self)
        return gk_error(GK_NOTFOUND, "there are no ready queries, runs/*.sql, in this folder");
    self[n] = '\0';
    for (char *slash; (slash = strrchr(self, '/'));) {
        static const char *const places[] = {"runs", "share/groklab"};
        *slash = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            char *pattern = gk_text("%s/%s/*.sql", self, places[i]);
            const bool there = pattern && glob(pattern, 0, NULL, found) == 0;
            free(pattern);
            if (there) return GK_OK;
        }
    }
    return gk_error(GK_NOTFOUND, "there are no ready queries, runs/*.sql, in this folder or around the program");
}

/* File and question (its first line, a comment) of each ready query. */
int gk_sql_queries(gk_list_format format)
{
    static const char *const names[] = {"file", "question"};
    glob_t found;
    gk_list list;
    int code = find_queries(&found);
    if (code != GK_OK) return code;
    code = gk_list_begin(&list, stdout, format, 2, names);
    for (size_t i = 0; i < found.gl_pathc && code == GK_OK; i++) {
        char line[256] = "";
        FILE *in = fopen(found.gl_pathv[i], "r");
        if (in && !fgets(line, sizeof line, in)) line[0] = '\0';
        if (in) fclose(in);
        line[strcspn(line, "\n")] = '\0';
        const gk_cell cells[] = {gk_cell_text(found.gl_pathv[i]), gk_cell_text(line + strspn(line, "- "))};
        code = gk_list_row(&list, cells);
    }
    globfree(&found);
    gk_list_end(&list);
    return code;
}

static int set_mode(gk_sql *sql, const char *word)
{
    static const char *const names[] = {"table", "csv", "json", "box", "md", NULL};
    for (int i = 0; names[i]; i++)
        if (strcmp(word, names[i]) == 0) {
            sql->format = (gk_list_format)i;
            return GK_OK;
        }
    return gk_error(GK_USAGE, ".mode %s: accepted: table, csv, json, box, md", word);
}

static int print_statement(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)context;
    (void)columns;
    (void)names;
    if (cells) printf("%s;\n", cells[0].text);
    return GK_OK;
}

/* As statements that can be run: a cell of a table would put their comments and what follows them on one line. */
static int show_schema(gk_sql *sql, const char *name)
{
    static const char select[] = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND (?1 = '' OR tbl_name = ?1)";
    const char *const params[] = {name, NULL};
    return sql->format == GK_LIST_TABLE ? gk_store_query(sql->store, select, params, print_statement, NULL)
                                        : gk_list_query(sql->store, sql->format, select, params, NULL);
}

/* A line that starts with a dot. */
static int run_command(gk_sql *sql, const char *line)
{
    static const char *const names[] = {".help", ".quit", ".tables", ".schema", ".functions", ".queries", ".read", ".mode", NULL};
    const size_t n = strcspn(line, " ");
    const char *word = line + n + strspn(line + n, " ");
    char name[16];
    snprintf(name, sizeof name, "%.*s", (int)(n < 15 ? n : 15), line);
    if (strcmp(name, ".quit") == 0 || strcmp(name, ".exit") == 0) {
        sql->quit = true;
        return GK_OK;
    }
    if (strcmp(name, ".help") == 0) {
        fputs(".functions      the SQL functions that groklab adds\n.mode MODE      table, csv, json, box or md\n"
              ".queries        the ready queries\n.quit           leaves\n.read FILE      runs the queries of a file\n"
              ".schema [NAME]  how tables and views are made\n.tables         tables and views\n",
              stderr);
        return GK_OK;
    }
    if (strcmp(name, ".tables") == 0)
        return gk_list_query(sql->store, sql->format,
                             "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1, 2", NULL, NULL);
    if (strcmp(name, ".schema") == 0) return show_schema(sql, word);
    if (strcmp(name, ".functions") == 0) return gk_sql_functions(sql->format);
    if (strcmp(name, ".queries") == 0) return gk_sql_queries(sql->format);
    if (strcmp(name, ".read") == 0) return gk_sql_read(sql, word);
    if (strcmp(name, ".mode") == 0) return set_mode(sql, word);
    const char *near = gk_text_nearest(name, names);
    return gk_error(GK_USAGE, "unknown command %s%s%s%s; .help lists them", name, near ? "; did you mean " : "",
                    near ? near : "", near ? "?" : "");
}

enum { DEEPEST = 8 };

/* ---- statements ---- */

static int run_statement(gk_sql *sql, const char *statement)
{
    if (gk_sql_blank(statement)) return GK_OK;
    if (!sql->plan) return gk_list_query(sql->store, sql->format, statement, NULL, NULL);
    char *plan = gk_text("EXPLAIN QUERY PLAN %s", statement);
    int code = plan ? gk_list_query(sql->store, sql->format, plan, NULL, NULL) : GK_FAILED;
    free(plan);
    return code;
}

int gk_sql_run(gk_sql *sql, const char *text)
{
    static const char blanks[] = " \t\r\n";
    int code = GK_OK;
    for (const char *at = text + strspn(text, blanks); code == GK_OK && *at && !sql->quit; at += strspn(at, blanks)) {
        size_t n = *at == '.' ? strcspn(at, "\r\n") : gk_sql_statement(at);
        if (n == 0) n = strlen(at);
        char *statement = gk_text("%.*s", (int)n, at);
        if (!statement) return GK_FAILED;
        code = *at == '.' ? run_command(sql, statement) : run_statement(sql, statement);
        free(statement);
        at += n;
    }
    return code;
}

int gk_sql_read(gk_sql *sql, const char *path)
{
    if (sql->depth == DEEPEST) return gk_error(GK_USAGE, "%s: files that read files, more than %d deep", path, DEEPEST);
    const bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "r");
    if (!in) return gk_error(errno == ENOENT ? GK_NOTFOUND : GK_FAILED, "cannot open %s: %s", path, strerror(errno));
    char *text = NULL;
    size_t room = 0;
    const ssize_t n = getdelim(&text, &room, '\0', in); /* SQL holds no NUL: the whole file */
    const bool bad = ferror(in) != 0;
    if (!standard) fclose(in);
    sql->depth++;
    int code = bad ? gk_error(GK_FAILED, "cannot read %s", path) : n > 0 ? gk_sql_run(sql, text) : GK_OK;
    sql->depth--;
    free(text);
    return code;
}
