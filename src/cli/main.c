/* main.c: the list of commands, dispatch, and exit codes. */
#include "commands.h"
#include "gk_machine.h"
#include "gk_matrix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one list: a new command is a file cmd_NAME.c and a word here. */
static const gk_command *const commands[] = {
    &gk_cmd_run,    &gk_cmd_sweep,  &gk_cmd_train,  &gk_cmd_resume, &gk_cmd_ls,     &gk_cmd_show, &gk_cmd_log,    &gk_cmd_diff,
    &gk_cmd_compare, &gk_cmd_measure, &gk_cmd_split, &gk_cmd_export, &gk_cmd_import, &gk_cmd_sql, &gk_cmd_tag,
    &gk_cmd_note,   &gk_cmd_rename, &gk_cmd_rm,     &gk_cmd_merge,  &gk_cmd_doctor, &gk_cmd_bench, &gk_cmd_plot, &gk_cmd_report,
    &gk_cmd_help,   NULL,
};

/* Two libraries read their settings only while they load, so these are set and the program executed again, once, and never
 * against what the user has set.
 * - Some OpenBLAS builds take newer CPUs for old ones, at half the speed.
 * - OpenBLAS's idle threads turn for 2^26 cycles, also when the program has just begun: a tenth of an MLP's processor time.
 *   2^20 still bridges the gaps between the calls of a solver.
 * - OpenMP's threads spin at a barrier; when another process shares the cores, a 4 ms step becomes 45. Threads that sleep
 *   at once take 2 to 4 % longer on an idle machine: waking them takes as long as a barrier. A thousand turns before
 *   going to sleep, some 40 us, lose neither. */
static void settle_libraries(char **argv)
{
    bool changed = false;
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
        changed = setenv("OMP_WAIT_POLICY", "passive", 0) == 0 && setenv("GOMP_SPINCOUNT", "1000", 0) == 0;
    if (!getenv("OPENBLAS_THREAD_TIMEOUT")) changed |= setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0) == 0;
    const char *core = getenv("OPENBLAS_CORETYPE") ? NULL : gk_blas_core_wanted();
    if (core && setenv("OPENBLAS_CORETYPE", core, 0) == 0) changed |= setenv("GROKLAB_BLAS_CHOSEN", core, 1) == 0;
    if (changed) execv("/proc/self/exe", argv); /* where there is none, the program goes on as it is */
}

static int exit_status(int code)
{
    switch (code) {
    case GK_OK: return 0;
    case GK_USAGE: return 2;
    case GK_NOTFOUND: return 3;
    case GK_DIFFERS: return 4;
    case GK_BUSY: return 5;
    case GK_INTERRUPTED: return 128 + (gk_cli_signal() ? gk_cli_signal() : 2);
    default: return 1;
    }
}

static int finish(const gk_cli *cli, const char *command, int code)
{
    if (code != GK_OK && !cli->told)
        fprintf(stderr, "groklab%s%s: %s\n", command ? " " : "", command ? command : "", gk_error_text());
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("groklab: cannot write to standard output\n", stderr);
        if (code == GK_OK || code == GK_DIFFERS) code = GK_FAILED;
    }
    return exit_status(code);
}

static int dispatch(gk_cli *cli, const gk_command *command, int argc, char **argv)
{
    gk_cli_args args;
    int code = gk_cli_parse(&args, command, argc, argv);
    const char *db = gk_cli_given(&args, "db");
    if (db) cli->db = db;
    if (code == GK_OK && gk_cli_given(&args, "help")) gk_help_command(stdout, command);
    else if (code == GK_OK) code = command->run(cli, &args);
    gk_cli_args_free(&args);
    return code;
}

/* Options before the command's name: --db FILE, --help, --version. Returns the index of the command, argc if there is
 * none, or a negative code; *done tells that an option has said it all. */
static int before_command(gk_cli *cli, int argc, char **argv, bool *done)
{
    static const char *const names[] = {"db", "help", "version", NULL};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *word = argv[i];
        if (strncmp(word, "--db=", 5) == 0) {
            cli->db = word + 5;
        } else if (strcmp(word, "--db") == 0) {
            if (i + 1 >= argc) return gk_error(GK_USAGE, "--db needs a value: FILE");
            cli->db = argv[++i];
        } else if (strcmp(word, "--version") == 0) {
            puts("groklab " GK_VERSION);
            *done = true;
            break;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            gk_help_overview(stdout, cli->commands);
            *done = true;
            break;
        } else {
            const char *near = gk_text_nearest(word + strspn(word, "-"), names);
            return gk_error(GK_USAGE, "unknown option %s before the command%s%s%s", word, near ? "; did you mean --" : "",
                            near ? near : "", near ? "?" : "");
        }
    }
    return i;
}

int main(int argc, char **argv)
{
    settle_libraries(argv);
    const char *db = getenv("GROKLAB_DB");
    gk_cli cli = {.commands = commands, .db = db && *db ? db : "runs/groklab.db"};
    bool done = false;
    int at = gk_machine_check();
    if (at == GK_OK) at = before_command(&cli, argc, argv, &done);
    if (at < 0 || done) return finish(&cli, NULL, done ? GK_OK : at);
    if (at == argc) {
        gk_help_overview(stderr, commands);
        return exit_status(GK_USAGE);
    }
    const gk_command *command = gk_help_find(commands, argv[at]);
    if (!command) return finish(&cli, NULL, gk_help_unknown(commands, argv[at]));
    return finish(&cli, command->name, dispatch(&cli, command, argc - at - 1, argv + at + 1));
}
