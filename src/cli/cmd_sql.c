/* cmd_sql.c: groklab sql: the database with our functions. */
#include "commands.h"
#include "sql.h"

#include <unistd.h>

static const gk_cli_option options[] = {
    {"write", 0, NULL, "lets the queries change the database"},
    {"file", 'f', "FILE", "runs the queries of a file, e.g. one of runs/*.sql"},
    {"box", 0, NULL, "prints a box"},
    {"md", 0, NULL, "prints a Markdown table"},
    {"plan", 0, NULL, "shows how each query would be run"},
    {"functions", 0, NULL, "lists the SQL functions that groklab adds"},
    {"queries", 0, NULL, "lists the ready queries, runs/*.sql"},
    {NULL, 0, NULL, NULL},
};

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_sql sql = {.format = gk_list_format_of(args), .plan = gk_cli_given(args, "plan") != NULL};
    const char *file = gk_cli_given(args, "file");
    if (file && args->n_words > 0) return gk_error(GK_USAGE, "a query and --file exclude each other");
    if (gk_cli_given(args, "queries")) return gk_sql_queries(sql.format);
    if (gk_cli_given(args, "functions")) return gk_sql_functions(sql.format);
    int code = gk_cli_open(cli, gk_cli_given(args, "write") ? GK_STORE_WRITE : GK_STORE_READ, &sql.store);
    if (code != GK_OK) return code;
    code = gk_store_functions(sql.store);
    if (code != GK_OK) return gk_cli_close(sql.store, code);
    if (file) code = gk_sql_read(&sql, file);
    else if (args->n_words > 0) code = gk_sql_run(&sql, args->words[0]);
    else if (isatty(STDIN_FILENO)) code = gk_sql_shell(&sql);
    else code = gk_sql_read(&sql, "-");
    return gk_cli_close(sql.store, code);
}

const gk_command gk_cmd_sql = {
    .name = "sql",
    .summary = "asks the database in SQL, with functions over matrices",
    .usage = "[QUERY]",
    .detail = "Without a query it reads standard input, on a terminal with history and completion. The database is opened\n"
              "for reading only, unless --write is given.\n"
              "example: groklab sql 'SELECT run, method, grokked_step FROM run_summary' --box",
    .options = options,
    .most = 1,
    .listing = true,
    .run = run,
};
