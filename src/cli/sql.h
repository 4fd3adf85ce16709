/* sql.h: what cmd_sql.c, sql_shell.c, sql_run.c and sql_text.c share. */
#ifndef GK_CLI_SQL_H
#define GK_CLI_SQL_H

#include "cli.h"

typedef struct gk_sql {
    gk_store *store;
    gk_list_format format;
    bool plan; /* shows how each query would be run instead of running it */
    bool quit; /* .quit was said */
    int depth; /* of files that read files */
} gk_sql;

/* Bytes of the first statement of `text` with its semicolon, or 0 when none is finished. Knows quotes and comments. */
size_t gk_sql_statement(const char *text);
/* Is there nothing but blanks and comments? */
bool gk_sql_blank(const char *text);

/* Runs the statements of `text` one after the other, the last with or without a semicolon, and its lines that start with a
 * dot where a statement might; stops at the first error, and when quit is said. */
int gk_sql_run(gk_sql *sql, const char *text);
/* A whole file, or standard input ("-"). */
int gk_sql_read(gk_sql *sql, const char *path);
/* Lists the functions that groklab adds to SQL, and the ready queries runs/<name>.sql. */
int gk_sql_functions(gk_list_format format);
int gk_sql_queries(gk_list_format format);

/* Reads statements from the terminal, with history and completion, until the end. */
int gk_sql_shell(gk_sql *sql);

#endif
