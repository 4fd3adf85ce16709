/* comparing.h: runs side by side, as data; comparing.c gathers them, comparing_print.c shows them. */
#ifndef GK_COMPARING_H
#define GK_COMPARING_H

#include "cli.h"

typedef enum gk_fact {
    GK_FACT_TRAIN, /* accuracies at the compared step; the best one up to there */
    GK_FACT_TEST,
    GK_FACT_BEST,
    GK_FACT_MEMORISED, /* steps */
    GK_FACT_GROKKED,
    GK_FACT_DELAY,
    GK_FACT_DEVIATION, /* structure of the feature matrix last measured */
    GK_FACT_CIRCULANCE,
    GK_FACT_ORDERING,
    GK_FACT_BEST_CIRCULANCE,
    GK_FACT_SPECTRUM,
    GK_FACT_RANK,
    GK_FACT_TRACE,
    GK_FACT_NFA,
    GK_FACTS
} gk_fact;

enum { GK_PAIR_MEASURES = 4 };
extern const char *const gk_pair_measures[GK_PAIR_MEASURES];

typedef struct gk_compared {
    int64_t run, step; /* step -1: the last */
} gk_compared;

typedef struct gk_compared_run {
    gk_compared at;
    bool loaded;
    gk_run_row row;
    gk_stored_split split;
    char label[128]; /* "3 mlp" or "3 mlp@40" */
    gk_cell facts[GK_FACTS];
    const char *kind;
    double *matrix; /* [n,n], NULL if there is none of the kind */
    int n;
    int64_t matrix_step;
} gk_compared_run;

typedef struct gk_compared_pair {
    int a, b; /* indices of runs */
    double values[GK_PAIR_MEASURES];
} gk_compared_pair;

typedef struct gk_comparison {
    gk_compared_run *runs;
    int n;
    gk_compared_pair *pairs;
    int n_pairs;
} gk_comparison;

/* SAME: GK_DIFFERS unless all runs share one split. ANY: every pair of equal size. GROUPED: the pairs that share one. */
typedef enum gk_compare_splits { GK_SPLITS_SAME, GK_SPLITS_ANY, GK_SPLITS_GROUPED } gk_compare_splits;

/* kind: of the feature matrices; NULL: metric of an RFM, sqrt_agop of a network. keep: stores the pairs in `comparison`,
 * in one transaction. */
int gk_comparison_make(gk_comparison *c, gk_store *s, const gk_compared *runs, int n, gk_compare_splits splits,
                       const char *kind, bool keep);
void gk_comparison_free(gk_comparison *c);
/* To stdout. A table or JSON has both runs and pairs, CSV the runs; pairs_only: the pairs alone. */
int gk_comparison_print(const gk_comparison *c, gk_list_format format, bool pairs_only);

#endif
