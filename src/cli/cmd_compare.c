/* cmd_compare.c: groklab compare. */
#include "commands.h"
#include "comparing.h"

#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"kind", 0, "KIND", "feature matrices of this kind (default: metric of an RFM, sqrt_agop of a network)"},
    {"deep", 0, NULL, "every measure of every pair: blocks, orders, spectra, key frequencies, answers"},
    {"measure", 0, "NAME,...", "these measures of each pair"},
    {"align", 0, "AXIS", "over training, on one axis: step, fraction or phase (memorised = 0, grokked = 1)"},
    {"points", 0, "N", "of that axis (default: 13 along phases, else 11)"},
    {"across-splits", 0, NULL, "compares runs that were trained on different splits, too"},
    {"pairs", 0, NULL, "prints the pairs alone, one a row"},
    {NULL, 0, NULL, NULL},
};

typedef struct request {
    const gk_cli_args *args;
    bool over, keep;
    gk_align align;
    int64_t points;
} request;

/* A database that cannot be written is still compared, only nothing is kept. */
static int open_for_compare(const gk_cli *cli, gk_store **s, bool *keep)
{
    int code = gk_cli_open(cli, GK_STORE_WRITE, s);
    *keep = code == GK_OK;
    if (code != GK_FAILED) return code;
    code = gk_cli_open(cli, GK_STORE_READ, s);
    if (code == GK_OK) fprintf(stderr, "%s is read-only; the comparison is not stored\n", cli->db);
    return code;
}

static int read_request(request *q)
{
    static const char *const words[] = {"step", "fraction", "phase", NULL};
    const char *axis = gk_cli_given(q->args, "align");
    q->over = axis != NULL;
    for (int i = 0; axis && words[i]; i++)
        if (strcmp(axis, words[i]) == 0) q->align = (gk_align)i;
    if (axis && !gk_cli_is_one_of(axis, words))
        return gk_error(GK_USAGE, "--align: '%s' is not step, fraction or phase", axis);
    if (!axis && gk_cli_given(q->args, "points")) return gk_error(GK_USAGE, "--points needs --align");
    if (axis && gk_cli_given(q->args, "pairs"))
        return gk_error(GK_USAGE, "--align prints pairs already; leave out --pairs");
    if (axis && q->args->n_words < 2) return gk_error(GK_USAGE, "--align needs two runs or more");
    if (gk_cli_given(q->args, "deep") && gk_cli_given(q->args, "measure"))
        return gk_error(GK_USAGE, "--deep has every measure; leave out --measure");
    return gk_cli_given_int(q->args, "points", 1, 10000, &q->points);
}

/* Over training one measure is enough for the eye. Matrices and checkpoints are stored at steps of their own, and one
 * axis has one step of a run at a point: so the measures are of the ones or of the others, all of matrices under
 * --deep. */
static int choose_measures(const request *q, gk_comparison *c)
{
    const char *list = gk_cli_given(q->args, "measure");
    bool matrices = false;
    int code = GK_OK;
    if (gk_cli_given(q->args, "deep"))
        for (int m = 0; m < GK_PAIR_MEASURES; m++) c->wanted[m] = !q->over || m < GK_PAIR_ANSWERS;
    else if (list || q->over)
        code = gk_pair_choose(list ? list : "cosine_nodiag", c->wanted);
    for (int m = 0; m <= GK_PAIR_LINES; m++) matrices = matrices || c->wanted[m];
    if (code == GK_OK && q->over && matrices && (c->wanted[GK_PAIR_ANSWERS] || c->wanted[GK_PAIR_WRONG]))
        return gk_error(GK_USAGE,
                        "--measure %s: agreement is of checkpoints and the others are of matrices, stored at "
                        "other steps; --align takes them one after the other",
                        list);
    return code;
}

/* What cannot be compared as asked, on stderr. */
static void warn(const request *q, const gk_comparison *c)
{
    for (int i = 0; i < c->n; i++) {
        const gk_compared_run *r = &c->runs[i];
        if (!q->over && r->matrix_step < 0) fprintf(stderr, "run %s has no matrix of kind %s\n", r->label, r->kind);
        if (!q->over || q->align != GK_ALIGN_PHASE) continue;
        const bool memorised = r->facts[GK_FACT_MEMORISED].type == GK_CELL_INTEGER;
        if (r->facts[GK_FACT_GROKKED].type != GK_CELL_INTEGER)
            fprintf(stderr, "run %s has not %s; its phases end at %d\n", r->label, memorised ? "grokked" : "memorised",
                    memorised ? 1 : 0);
    }
}

/* A step between two stored ones is compared as the one before it; that is said once a run. */
static void warn_steps(const gk_comparison *c)
{
    for (int i = 0; i < c->n; i++) {
        const gk_compared_run *r = &c->runs[i];
        const int64_t step = r->at.step < 0 ? r->row.step : r->at.step;
        for (int k = 0; k < c->n_pairs; k++) {
            const gk_compared_pair *pair = &c->pairs[k];
            if (pair->a != i && pair->b != i) continue;
            const int64_t matrix = pair->matrix_step[pair->b == i], answers = pair->answers_step[pair->b == i];
            if (matrix >= 0 && matrix != step)
                fprintf(stderr, "run %s: its %s is that of %s %lld\n", r->label, r->kind, r->row.step_unit,
                        (long long)matrix);
            if (answers >= 0 && answers != step)
                fprintf(stderr, "run %s: its answers are those of %s %lld\n", r->label, r->row.step_unit,
                        (long long)answers);
            break;
        }
    }
}

static int show(const request *q, gk_comparison *c, gk_store *s)
{
    const gk_list_format format = gk_list_format_of(q->args);
    int code;
    warn(q, c);
    if (!q->over) {
        code = gk_comparison_pairs(c, s, q->keep);
        if (code == GK_OK) warn_steps(c);
        return code == GK_OK ? gk_comparison_print(c, format, gk_cli_given(q->args, "pairs") != NULL) : code;
    }
    gk_over over;
    code = gk_over_make(&over, c, s, q->align, (int)q->points, q->keep);
    if (code == GK_OK) code = gk_over_print(&over, c, format);
    gk_over_free(&over);
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    gk_comparison c;
    request q = {.args = args};
    int code = read_request(&q);
    if (code != GK_OK) return code;
    gk_compared *runs = gk_calloc((size_t)args->n_words, sizeof *runs);
    code = runs ? open_for_compare(cli, &s, &q.keep) : GK_FAILED;
    for (int i = 0; i < args->n_words && code == GK_OK; i++) {
        code = gk_cli_run_at(s, args->words[i], &runs[i].run, &runs[i].step);
        if (code == GK_OK && q.over && runs[i].step >= 0)
            code = gk_error(GK_USAGE, "%s: with --align every run is compared at all its steps; leave out @STEP",
                            args->words[i]);
    }
    const gk_compare_splits splits = gk_cli_given(args, "across-splits") ? GK_SPLITS_ANY : GK_SPLITS_SAME;
    if (code == GK_OK) code = gk_comparison_load(&c, s, runs, args->n_words, splits, gk_cli_given(args, "kind"));
    if (code == GK_OK) {
        code = choose_measures(&q, &c);
        if (code == GK_OK) code = show(&q, &c, s);
        gk_comparison_free(&c);
    }
    free(runs);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_compare = {
    .name = "compare",
    .summary = "puts runs that share a split side by side",
    .usage = "RUN[@STEP] RUN[@STEP] ...",
    .detail =
        "Accuracies, when each run memorised and grokked, the structure of the last feature matrices, how alike they\n"
        "are, and what that says. Whatever is worked out of a pair is stored in the table comparison. Runs of\n"
        "different splits are refused (exit status 4) without --across-splits.\n"
        "--json has runs and pairs, --csv the runs, --csv --pairs the pairs, --csv --align a row a point and pair.\n"
        "\n"
        "Measures of a pair, for --measure and in the column measure of comparison:\n"
        "  cosine, cosine_nodiag, pearson, pearson_nodiag\n"
        "      of the entries of the feature matrices, with and without their diagonals; also of the blocks xx, yx\n"
        "      (M[p:2p, 0:p]) and yy, as in cosine_yx; also with rows and columns by their discrete logarithms\n"
        "      (cosine_dlog, cosine_yx_dlog) or in the order in which each run's task is an addition (cosine_group),\n"
        "      so that add, sub, and with --across-splits mul mod 61 and add mod 60 can be held against each other\n"
        "  eigen_distance, frequency_distance, line_distance\n"
        "      total variation, 0 the same to 1 nothing shared, between the eigenvalues; between the Fourier energies\n"
        "      of the block yx by frequency; and by frequency and direction (functions of x - y, and of x + y)\n"
        "  key_overlap      key frequencies of both over those of either\n"
        "  agreement        share of test cells with equal answers\n"
        "  agreement_wrong  the same where both are wrong\n"
        "examples: groklab compare mlp rfm transformer --deep\n"
        "          groklab compare mlp@20 rfm@12 --measure agreement,agreement_wrong\n"
        "          groklab compare mlp rfm --align phase --measure cosine_yx,line_distance",
    .options = options,
    .least = 1,
    .most = -1,
    .listing = true,
    .run = run,
};
