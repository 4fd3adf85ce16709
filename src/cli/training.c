/* training.c: what run, train and resume have in common: hooks, the first line and the last. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* The last line of a run: how it ended, and what it did. Of a failure the reason follows as the error's own line. */
static void tell_end(gk_store *s, int64_t run, bool failed)
{
    gk_run_row row;
    if (gk_store_get_run(s, run, &row) != GK_OK) return;
    const bool reason = !failed && row.error && row.error[0];
    fprintf(stderr, "%s  %s at %s %lld after %.1f s (run %lld)%s%s\n", row.name, row.status, row.step_unit,
            (long long)row.step, row.wall_seconds, (long long)row.id, reason ? ": " : "", reason ? row.error : "");
    if (strcmp(row.status, "interrupted") == 0 || strcmp(row.status, "failed") == 0)
        fprintf(stderr, "%s  'groklab resume %lld' goes on from %s\n", row.name, (long long)row.id,
                row.status[0] == 'f' ? "its last checkpoint" : "there");
    gk_run_row_free(&row);
}

/* The error line must outlive the queries that tell_end makes. */
static int end_with(gk_store *s, int64_t run, bool quiet, int code)
{
    char *line = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    const bool began = code == GK_OK || code == GK_DIVERGED || code == GK_INTERRUPTED || code == GK_FAILED;
    if (run > 0 && !quiet && began) tell_end(s, run, code == GK_FAILED || code == GK_DIVERGED);
    if (line) gk_error(code, "%s", line);
    free(line);
    return code;
}

/* What the measures will need of a large p, before they need it. */
static void tell_size(const gk_method *m, const gk_config *config, const char *name)
{
    const double p = (double)gk_config_int(config, "p"), gigabytes = p * p * p * sizeof(double) / 1e9;
    if (m->outputs || gigabytes < 1 || gk_registry_measures_nothing(config)) return;
    fprintf(stderr, "%s  measures hold the outputs of all p x p pairs, %.1f GB, and take long; the setting measures = none does"
                    " without them\n",
            name, gigabytes);
}

int gk_cli_train(gk_store *s, const char *method, const gk_config *config, bool quiet, int64_t *run)
{
    *run = 0;
    const gk_method *m = gk_registry_method(method, GK_F32);
    if (!m) return GK_USAGE;
    const char *name = gk_config_text(config, "name");
    gk_cli_progress *progress;
    if (!quiet) tell_size(m, config, name[0] ? name : method);
    int code = gk_cli_progress_new(&progress, name[0] ? name : method, m->unit, quiet);
    if (code == GK_OK) {
        gk_lab_hooks hooks = gk_cli_progress_hooks(progress);
        gk_cli_signals_catch();
        code = gk_lab_train(s, method, config, &hooks, run);
    }
    gk_cli_progress_free(progress);
    return end_with(s, *run, quiet, code);
}

int gk_cli_resume(gk_store *s, int64_t run, bool quiet)
{
    gk_run_row row;
    int code = gk_store_get_run(s, run, &row);
    if (code != GK_OK) return code;
    gk_cli_progress *progress;
    code = gk_cli_progress_new(&progress, row.name, row.step_unit, quiet);
    if (code == GK_OK) {
        gk_lab_hooks hooks = gk_cli_progress_hooks(progress);
        gk_cli_signals_catch();
        code = gk_lab_resume(s, run, &hooks);
    }
    gk_cli_progress_free(progress);
    gk_run_row_free(&row);
    return end_with(s, run, quiet, code);
}
