/* cli.h: what the commands share. A command is one file cmd_NAME.c with one constant table row; the list of rows is in
 * main.c, and dispatch, help, the man page and completion follow from it. */
#ifndef GK_CLI_H
#define GK_CLI_H

#include <stdio.h>

#include "gk_lab.h"

typedef struct gk_cli_option {
    const char *name;  /* long form without dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* what stands for the value in help; NULL for a flag */
    const char *help;  /* one line */
} gk_cli_option;

typedef struct gk_cli gk_cli;
typedef struct gk_cli_args gk_cli_args;

typedef struct gk_command {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* the words after the name, e.g. "RUN RUN ..." */
    const char *detail;  /* paragraphs of help, or NULL */
    const gk_cli_option *options; /* ended by a NULL name, or NULL */
    int least, most;     /* words wanted; most < 0: any number */
    bool listing;        /* takes --json and --csv */
    bool keys;           /* every configuration key is an option */
    int (*run)(gk_cli *cli, const gk_cli_args *args);
} gk_command;

struct gk_cli {
    const gk_command *const *commands; /* NULL-terminated */
    const char *db;                    /* the database's path */
    bool told;                         /* a failing command has said all there is to say */
};

/* ---- options.c ---- */

typedef struct gk_cli_pair {
    const char *name, *value; /* borrowed from argv or from the option rows; a flag's value is "" */
} gk_cli_pair;

typedef struct gk_cli_key {
    char *name; /* owned, with '_' where '-' was written */
    const char *value;
} gk_cli_key;

struct gk_cli_args {
    const gk_command *command;
    const char **words;
    int n_words;
    gk_cli_pair *options; /* rows of the command's table, in the order given */
    int n_options;
    gk_cli_key *keys; /* --key value pairs that are left to gk_config_set */
    int n_keys;
};

/* Options that every command takes, and those of every listing; ended by a NULL name. */
extern const gk_cli_option gk_cli_common[], gk_cli_listing[];

/* Parses what follows the command's name. GK_USAGE suggests the nearest option. */
int gk_cli_parse(gk_cli_args *args, const gk_command *command, int argc, char **argv);
void gk_cli_args_free(gk_cli_args *args);
/* The value given last, or NULL. A flag that was given has the value "". */
const char *gk_cli_given(const gk_cli_args *args, const char *option);
/* The values of an option that may be repeated, in order: *out [*n], to be freed, the strings borrowed. */
int gk_cli_given_all(const gk_cli_args *args, const char *option, const char ***out, int *n);
/* *out keeps its value when the option was not given. GK_USAGE says what would be accepted. */
int gk_cli_given_int(const gk_cli_args *args, const char *option, int64_t min, int64_t max, int64_t *out);
/* Is `word` in a NULL-terminated list? */
bool gk_cli_is_one_of(const char *word, const char *const *words);
/* Is `name` in the comma-separated `list`? A NULL list has everything. */
bool gk_cli_in_list(const char *list, const char *name);

/* ---- help.c and manual.c: everything that follows from the table of commands ---- */

void gk_help_overview(FILE *out, const gk_command *const *commands);
void gk_help_command(FILE *out, const gk_command *command);
/* Every configuration key with its default and range: the shared ones, then each method's. */
void gk_help_keys(FILE *out);
/* NULL if there is no such command; gk_help_unknown is the error that suggests the nearest. */
const gk_command *gk_help_find(const gk_command *const *commands, const char *name);
int gk_help_unknown(const gk_command *const *commands, const char *name);
/* groklab.1 in troff, and a bash completion script. */
void gk_manual_page(FILE *out, const gk_command *const *commands);
void gk_manual_completion(FILE *out, const gk_command *const *commands);

/* ---- list.c: rows of cells as an aligned table, CSV, JSON, a box or Markdown ---- */

typedef enum gk_list_format { GK_LIST_TABLE, GK_LIST_CSV, GK_LIST_JSON, GK_LIST_BOX, GK_LIST_MARKDOWN } gk_list_format;

typedef struct gk_list {
    FILE *out;
    gk_list_format format;
    bool bold; /* headings, on a terminal */
    int columns;
    char **names;
    char **texts;  /* [rows*columns] kept cells of the formats that must know widths */
    bool *numbers; /* [rows*columns] numbers stand at the right */
    size_t rows, room;
} gk_list;

/* The format that the arguments ask for. */
gk_list_format gk_list_format_of(const gk_cli_args *args);
/* A zeroed list needs no begin before gk_list_take. Names are copied. */
int gk_list_begin(gk_list *l, FILE *out, gk_list_format format, int columns, const char *const *names);
int gk_list_row(gk_list *l, const gk_cell *cells);
/* Prints what was kept and frees. */
void gk_list_end(gk_list *l);
void gk_list_free(gk_list *l);
/* A query straight to stdout. *rows (NULL allowed) gets the number of rows. */
int gk_list_query(gk_store *s, gk_list_format format, const char *sql, const char *const *params, size_t *rows);

/* Cells. */
gk_cell gk_cell_int(int64_t value);
gk_cell gk_cell_real(double value); /* NaN: NULL */
gk_cell gk_cell_text(const char *text); /* borrowed; NULL: NULL */

/* JSON pieces: a quoted string (invalid UTF-8 becomes U+FFFD), the shortest number (null unless finite). */
void gk_json_text(FILE *out, const char *text);
void gk_json_real(FILE *out, double value);
void gk_json_cell(FILE *out, const gk_cell *cell);
/* May this stream be coloured? A terminal, and neither NO_COLOR nor a dumb one. */
bool gk_cli_colour(FILE *out);

/* ---- progress.c: how training talks, and how it is stopped ---- */

typedef struct gk_cli_progress gk_cli_progress;
/* label: what stands before the line. quiet: says nothing but still stops on signals. */
int gk_cli_progress_new(gk_cli_progress **out, const char *label, const char *unit, bool quiet);
void gk_cli_progress_free(gk_cli_progress *p); /* clears the line; accepts NULL */
gk_lab_hooks gk_cli_progress_hooks(gk_cli_progress *p);
/* SIGINT and SIGTERM ask training to stop; a second one, half a second later or more, ends the process at once. */
void gk_cli_signals_catch(void);
/* From here on they end the process again, and none has been caught. */
void gk_cli_signals_release(void);
/* The signal that asked, or 0. */
int gk_cli_signal(void);

/* ---- recipe.c: an INI file of runs ---- */

typedef struct gk_recipe_run {
    char *name;
    char *method; /* an entry of gk_method_names */
    gk_config config;
} gk_recipe_run;

typedef struct gk_recipe {
    gk_recipe_run *runs;
    int n_runs;
} gk_recipe;

/* Reads and checks every key of every section; the error line names file:line. sets [n_sets] override it: KEY=VALUE for
 * every run that knows the key, or SECTION.KEY=VALUE. */
int gk_recipe_read(gk_recipe *recipe, const char *path, const char *const *sets, int n_sets);
void gk_recipe_free(gk_recipe *recipe);

/* ---- opening and naming, in common.c ---- */

/* Opens cli->db. CREATE makes the file. */
int gk_cli_open(const gk_cli *cli, int mode, gk_store **out);
/* Closes (NULL allowed) and returns `code`, or what closing failed with when all was well before. Keeps the error line. */
int gk_cli_close(gk_store *s, int code);
/* "RUN" or "RUN@STEP"; *step is -1 without one. "@last" is a run. */
int gk_cli_run_at(gk_store *s, const char *text, int64_t *run, int64_t *step);
/* The one number that a query gives; a NULL cell where there is no row. */
int gk_cli_number(gk_store *s, const char *sql, const char *const *params, gk_cell *out);

/* ---- training.c: what run, train and resume have in common ---- */

/* Trains one configured run and says how it ended. *run gets the id (0 if it was not created). */
int gk_cli_train(gk_store *s, const char *method, const gk_config *config, bool quiet, int64_t *run);
/* Goes on with a stored run. */
int gk_cli_resume(gk_store *s, int64_t run, bool quiet);

#endif
