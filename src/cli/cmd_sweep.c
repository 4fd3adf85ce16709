/* cmd_sweep.c: groklab sweep. */
#include "commands.h"
#include "sweep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const gk_cli_option options[] = {
    {"jobs", 'j', "N", "worker processes, one run and one core each (default: the cores this process may use)"},
    {"set", 0, "KEY=LIST", "overrides the recipe, for all sections or as SECTION.KEY=LIST; may be repeated"},
    {"dry-run", 'n', NULL, "says how many runs there are and, from a short calibration, what they will cost"},
    {"list", 0, NULL, "lists the runs of the plan and what is stored of them, and trains nothing"},
    {"again", 0, NULL, "trains every run anew, also those that are stored already"},
    {"shard", 0, "I/N",
     "takes every Nth run beginning with the Ith, into a file of its own (default: from the environment)"},
    {"quiet", 'q', NULL, "says nothing while training"},
    {NULL, 0, NULL, NULL},
};

typedef enum stored_as { NEW, TO_RESUME, STORED } stored_as;

/* One rank's view of the plan. */
typedef struct share {
    gk_sweep_plan plan;
    gk_sweep_shard shard;
    char *db;
    int jobs;
    int64_t *mine, n_mine; /* numbers in the plan */
    int64_t *todo, n_todo; /* those that are not stored */
    int64_t *runs;         /* [n_mine] their ids in the database, -1 */
    unsigned char *states; /* [n_mine] stored_as */
    int64_t to_resume;
} share;

static void share_free(share *s)
{
    gk_sweep_plan_free(&s->plan);
    free(s->db);
    free(s->mine);
    free(s->todo);
    free(s->runs);
    free(s->states);
}

static int read_share(share *s, const gk_cli *cli, const gk_cli_args *args)
{
    const char **sets;
    int n_sets;
    int64_t jobs = 0;
    int code = gk_cli_given_all(args, "set", &sets, &n_sets);
    if (code == GK_OK) code = gk_cli_given_int(args, "jobs", 1, 4096, &jobs);
    if (code == GK_OK) code = gk_sweep_shard_of(&s->shard, gk_cli_given(args, "shard"));
    if (code == GK_OK) code = gk_sweep_plan_read(&s->plan, args->words[0], sets, n_sets);
    free(sets);
    if (code != GK_OK) return code;
    s->jobs = jobs > 0 ? (int)jobs : gk_sweep_jobs(&s->shard);
    s->db = gk_sweep_shard_db(cli->db, &s->shard);
    const size_t room = (size_t)(s->plan.n_runs / s->shard.count) + 2;
    s->mine = gk_calloc(room, sizeof *s->mine);
    s->todo = gk_calloc(room, sizeof *s->todo);
    s->runs = gk_calloc(room, sizeof *s->runs);
    s->states = gk_calloc(room, 1);
    if (!s->db || !s->mine || !s->todo || !s->runs || !s->states) return GK_FAILED;
    for (int64_t i = s->shard.index; i < s->plan.n_runs; i += s->shard.count) s->mine[s->n_mine++] = i;
    return GK_OK;
}

/* ---- what is stored ---- */

static int match_run(share *s, int64_t at, const gk_sweep_index *index, gk_store *store, bool here)
{
    gk_config config;
    gk_run_row row;
    char identity[GK_SHA256_HEX];
    int code = gk_sweep_config(&s->plan, s->mine[at], &config);
    if (code != GK_OK) return code;
    code = gk_sweep_identity(gk_sweep_part_of(&s->plan, s->mine[at])->method, &config, identity);
    gk_config_free(&config);
    const int64_t run = code == GK_OK ? gk_sweep_index_find(index, identity) : -1;
    if (run < 0) return code;
    if ((code = gk_store_get_run(store, run, &row)) != GK_OK) return code;
    const bool stored = strcmp(row.status, "finished") == 0 || strcmp(row.status, "diverged") == 0;
    gk_run_row_free(&row);
    if (stored)
        s->states[at] = STORED;
    else if (here)
        s->states[at] = TO_RESUME;
    if (here) s->runs[at] = run;
    return GK_OK;
}

/* Looks for the share's runs in a database that need not be there. here: it is the one that this rank writes. */
static int match_all(share *s, const char *db, bool here)
{
    gk_store *store;
    gk_sweep_index *index = NULL;
    struct stat st;
    /* Empty: another sweep has just made it, or a full disk left it so. */
    if (stat(db, &st) != 0 || st.st_size == 0) return GK_OK;
    int code = gk_store_open(&store, db, GK_STORE_READ);
    if (code != GK_OK) return code;
    code = gk_sweep_index_new(&index);
    if (code == GK_OK) code = gk_sweep_index_read(index, store);
    for (int64_t i = 0; code == GK_OK && i < s->n_mine; i++)
        if (s->states[i] != STORED) code = match_run(s, i, index, store, here);
    gk_sweep_index_free(index);
    return gk_cli_close(store, code);
}

/* A shard's runs may be in the merged database already. */
static int match(share *s, const gk_cli *cli, bool again)
{
    for (int64_t i = 0; i < s->n_mine; i++) s->runs[i] = -1;
    int code = again ? GK_OK : match_all(s, s->db, true);
    if (code == GK_OK && !again && s->shard.count > 1) code = match_all(s, cli->db, false);
    for (int64_t i = 0; i < s->n_mine; i++) {
        if (s->states[i] != STORED) s->todo[s->n_todo++] = s->mine[i];
        s->to_resume += s->states[i] == TO_RESUME;
    }
    return code;
}

static int list_plan(const share *s, gk_list_format format)
{
    static const char *const names[] = {"number", "name", "method", "state", "run"};
    static const char *const states[] = {"new", "to resume", "stored"};
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, 5, names);
    for (int64_t i = 0; code == GK_OK && i < s->n_mine; i++) {
        gk_config config;
        if ((code = gk_sweep_config(&s->plan, s->mine[i], &config)) != GK_OK) break;
        const gk_cell cells[] = {gk_cell_int(s->mine[i] + 1), gk_cell_text(gk_config_text(&config, "name")),
                                 gk_cell_text(gk_sweep_part_of(&s->plan, s->mine[i])->method),
                                 gk_cell_text(states[s->states[i]]),
                                 s->runs[i] < 0 ? (gk_cell){.type = GK_CELL_NULL} : gk_cell_int(s->runs[i])};
        code = gk_list_row(&list, cells);
        gk_config_free(&config);
    }
    if (code == GK_OK)
        gk_list_end(&list);
    else
        gk_list_free(&list);
    return code;
}

/* ---- the dry run ---- */

static bool stops_early(const share *s)
{
    for (int i = 0; i < s->plan.n_parts; i++)
        if (gk_config_real(&s->plan.parts[i].base, "stop_at") > 0) return true;
    return false;
}

static int dry_run(const share *s, gk_list_format format)
{
    static const char *const names[] = {"runs", "stored",       "to_resume", "new",
                                        "jobs", "core_seconds", "seconds",   "bytes"};
    gk_sweep_estimate cost = {0};
    gk_list list;
    int code = s->n_todo > 0 ? gk_sweep_estimate_of(&s->plan, s->todo, s->n_todo, &cost) : GK_OK;
    if (code == GK_OK) code = gk_list_begin(&list, stdout, format, 8, names);
    if (code != GK_OK) return code;
    const int at_once = s->n_todo < s->jobs ? (int)(s->n_todo ? s->n_todo : 1) : s->jobs;
    const gk_cell cells[] = {gk_cell_int(s->n_mine),
                             gk_cell_int(s->n_mine - s->n_todo),
                             gk_cell_int(s->to_resume),
                             gk_cell_int(s->n_todo - s->to_resume),
                             gk_cell_int(s->jobs),
                             gk_cell_real(cost.seconds),
                             gk_cell_real(cost.seconds / at_once),
                             gk_cell_int((int64_t)cost.bytes)};
    code = gk_list_row(&list, cells);
    gk_list_end(&list);
    if (code == GK_OK && s->n_todo > 0)
        fprintf(stderr, "about %.3g s on %d core%s and %.3g MB%s\n", cost.seconds / at_once, at_once,
                at_once == 1 ? "" : "s", cost.bytes / 1e6, stops_early(s) ? "; less time where runs stop early" : "");
    return code;
}

/* ---- the sweep ---- */

static void count_outcomes(const gk_sweep_board *b, int64_t count[GK_SWEEP_OUTCOMES], int64_t *resumed)
{
    for (int64_t i = 0; i < b->n_tasks; i++) {
        count[atomic_load(&b->tasks[i].outcome)]++;
        *resumed += b->tasks[i].resumed;
    }
}

static int print_outcome(const share *s, const int64_t count[GK_SWEEP_OUTCOMES], int64_t resumed,
                         const gk_sweep_cost *cost, gk_list_format format)
{
    static const char *const names[] = {"runs",   "finished",    "stored", "resumed", "diverged", "failed", "killed",
                                        "others", "interrupted", "waiting", "jobs",   "seconds", "busy",     "cpu"};
    gk_list list;
    int code = gk_list_begin(&list, stdout, format, sizeof names / sizeof *names, names);
    if (code != GK_OK) return code;
    const double room = cost->wall * s->jobs;
    const gk_cell cells[] = {gk_cell_int(s->n_mine),
                             gk_cell_int(count[GK_SWEEP_FINISHED]),
                             gk_cell_int(s->n_mine - s->n_todo + count[GK_SWEEP_SKIPPED]),
                             gk_cell_int(resumed),
                             gk_cell_int(count[GK_SWEEP_DIVERGED]),
                             gk_cell_int(count[GK_SWEEP_FAILED]),
                             gk_cell_int(count[GK_SWEEP_KILLED]),
                             gk_cell_int(count[GK_SWEEP_LEFT]),
                             gk_cell_int(count[GK_SWEEP_INTERRUPTED] + count[GK_SWEEP_TAKEN]),
                             gk_cell_int(count[GK_SWEEP_WAITING] + count[GK_SWEEP_ELSEWHERE]),
                             gk_cell_int(s->jobs),
                             gk_cell_real(cost->wall),
                             gk_cell_real(room > 0 ? cost->busy / room : 0),
                             gk_cell_real(room > 0 ? cost->cpu / room : 0)};
    code = gk_list_row(&list, cells);
    gk_list_end(&list);
    return code;
}

/* The code that the command ends with when the pool itself came through. Divergence is a result: it would come again.
 */
static int judge(const int64_t count[GK_SWEEP_OUTCOMES], int64_t n)
{
    const int64_t lost = count[GK_SWEEP_FAILED] + count[GK_SWEEP_KILLED];
    const int64_t open = count[GK_SWEEP_WAITING] + count[GK_SWEEP_TAKEN] + count[GK_SWEEP_INTERRUPTED];
    if (lost + open > 0)
        return gk_error(GK_FAILED, "%lld of %lld runs did not finish; the same command tries them again",
                        (long long)(lost + open), (long long)n);
    if (count[GK_SWEEP_LEFT] > 0)
        return gk_error(GK_BUSY, "%lld of %lld runs are being trained by other processes",
                        (long long)count[GK_SWEEP_LEFT], (long long)n);
    return GK_OK;
}

/* Says where the data goes, and how the files of an engine become one. */
static void tell_shard(const share *s, const gk_cli *cli, bool before)
{
    const gk_sweep_shard *h = &s->shard;
    if (h->count == 1) return;
    if (before) {
        fprintf(stderr, "shard %lld of %lld (%s): %lld of %lld runs into %s\n", (long long)h->index + 1,
                (long long)h->count, h->source, (long long)s->n_mine, (long long)s->plan.n_runs, s->db);
        return;
    }
    gk_sweep_shard any = *h;
    any.index = 0;
    char *first = gk_sweep_shard_db(cli->db, &any);
    char *cut = first ? strstr(first, ".shard-1-of-") : NULL;
    if (cut)
        fprintf(stderr, "when all %lld shards are done: groklab merge %s %.*s.shard-*%s\n", (long long)h->count,
                cli->db, (int)(cut - first), first, cut + strlen(".shard-1"));
    free(first);
}

static int train_all(share *s, const gk_cli *cli, const gk_cli_args *args)
{
    const bool quiet = gk_cli_given(args, "quiet") != NULL;
    gk_store *store;
    gk_sweep_board *board = NULL;
    gk_sweep_cost cost = {0};
    int64_t count[GK_SWEEP_OUTCOMES] = {0}, resumed = 0;
    int code =
        gk_store_open(&store, s->db, GK_STORE_CREATE); /* what is wrong with the file is said before workers start */
    if (code == GK_OK) code = gk_store_close(store);
    if (code == GK_OK) code = gk_sweep_board_new(&board, s->todo, s->n_todo, s->jobs);
    if (code != GK_OK) return code;
    if (!quiet) tell_shard(s, cli, true);
    const gk_sweep_job job = {
        .plan = &s->plan, .db = s->db, .again = gk_cli_given(args, "again") != NULL, .board = board};
    code = gk_sweep_pool(&job, quiet, &cost);
    gk_sweep_claims claims = {.path = gk_text("%s-sweep", s->db), .fd = -1};
    if (claims.path) gk_sweep_claims_end(&claims);
    free(claims.path);
    count_outcomes(board, count, &resumed);
    char *line = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    print_outcome(s, count, resumed, &cost, gk_list_format_of(args));
    if (!quiet) tell_shard(s, cli, false);
    if (code == GK_OK)
        code = judge(count, s->n_mine);
    else
        gk_error(code, "%s", line ? line : "out of memory");
    free(line);
    gk_sweep_board_free(board);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    share s = {0};
    const bool dry = gk_cli_given(args, "dry-run") != NULL, list = gk_cli_given(args, "list") != NULL;
    /* Many processes share one file, for hours: somebody else's lock of a minute should not end that. */
    setenv("GROKLAB_BUSY_MS", "600000", 0);
    int code = read_share(&s, cli, args);
    if (code == GK_OK) code = match(&s, cli, gk_cli_given(args, "again") != NULL);
    if (code == GK_OK && list)
        code = list_plan(&s, gk_list_format_of(args));
    else if (code == GK_OK && dry)
        code = dry_run(&s, gk_list_format_of(args));
    else if (code == GK_OK)
        code = train_all(&s, cli, args);
    share_free(&s);
    return code;
}

const gk_command gk_cmd_sweep = {
    .name = "sweep",
    .summary = "trains every combination of a recipe's lists, many runs at once",
    .usage = "RECIPE.ini",
    .detail =
        "The recipe is one of 'groklab run' in which any key may have several values:\n"
        "  seed = 0, 1, 5              a list\n"
        "  seed = 0:4                  whole numbers from 0 to 4\n"
        "  train_fraction = 0.2:0.6:0.05   steps of 0.05, both ends included\n"
        "  weight_decay = 1e-3:1e1:log9    9 values with equal ratios\n"
        "Keys above the first section, in [split] and in [sweep] hold for every method that knows them, each other\n"
        "section for its own. combine = grid (every value with every other; the default) or paired (first with\n"
        "first, second with second), seeds = N (each setting with N seeds, also when paired), and in place of\n"
        "sections method = mlp, rfm steer the sweep. store = final (the default here) keeps last values and events,\n"
        "events also matrices and weights where the run memorised, grokked and ended, all everything.\n"
        "stop_at and stop_hold end a run that has grokked and settled.\n"
        "A run is known by all its settings and its split, not by its name: what is finished is skipped, what was\n"
        "interrupted goes on from its last checkpoint, so the same command may be killed and started again at any\n"
        "time. Under srun, a Slurm array or mpirun each rank takes its share into a file of its own; 'groklab\n"
        "merge' makes them one. Ends with 1 if a run failed or was killed; a diverged run is a result.\n"
        "example: groklab sweep runs/phase_mlp.ini --set weight_decay=0.1:10:log5 --dry-run",
    .options = options,
    .least = 1,
    .most = 1,
    .listing = true,
    .run = run,
};
