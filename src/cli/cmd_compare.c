/* cmd_compare.c: groklab compare. */
#include "commands.h"
#include "comparing.h"

#include <stdlib.h>

static const gk_cli_option options[] = {
    {"kind", 0, "KIND", "feature matrices of this kind (default: metric of an RFM, sqrt_agop of a network)"},
    {"across-splits", 0, NULL, "compares runs that were trained on different splits, too"},
    {"pairs", 0, NULL, "prints the pairs alone, one a row"},
    {NULL, 0, NULL, NULL},
};

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

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    bool keep;
    gk_comparison c;
    gk_compared *runs = gk_calloc((size_t)args->n_words, sizeof *runs);
    int code = runs ? open_for_compare(cli, &s, &keep) : GK_FAILED;
    for (int i = 0; i < args->n_words && code == GK_OK; i++)
        code = gk_cli_run_at(s, args->words[i], &runs[i].run, &runs[i].step);
    if (code == GK_OK)
        code = gk_comparison_make(&c, s, runs, args->n_words,
                                  gk_cli_given(args, "across-splits") ? GK_SPLITS_ANY : GK_SPLITS_SAME,
                                  gk_cli_given(args, "kind"), keep);
    if (code == GK_OK) {
        for (int i = 0; i < c.n; i++)
            if (!c.runs[i].matrix) fprintf(stderr, "run %s has no matrix of kind %s\n", c.runs[i].label, c.runs[i].kind);
        code = gk_comparison_print(&c, gk_list_format_of(args), gk_cli_given(args, "pairs") != NULL);
        gk_comparison_free(&c);
    }
    free(runs);
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_compare = {
    .name = "compare",
    .summary = "puts runs that share a split side by side",
    .usage = "RUN[@STEP] RUN[@STEP] ...",
    .detail = "Accuracies, when each run memorised and grokked, the structure of the last feature matrices, and the cosines\n"
              "and Pearson correlations of these matrices, with and without diagonal; the pairs are stored in the table\n"
              "comparison. Runs of different splits are refused (exit status 4) without --across-splits.\n"
              "--json has runs and pairs, --csv the runs, --csv --pairs the pairs.",
    .options = options,
    .least = 1,
    .most = -1,
    .listing = true,
    .run = run,
};
