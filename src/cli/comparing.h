/* comparing.h: runs side by side, as data: comparing.c gathers the runs, comparing_view.c what one run is at one step,
 * comparing_pairs.c holds two against each other, comparing_over.c does so over training, comparing_print.c and
 * comparing_words.c show them. */
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
    GK_FACT_KEYS, /* the key frequencies, or how many they are */
    GK_FACTS
} gk_fact;

/* ---- measures of a pair ----
 * The first are all of {cosine, cosine_nodiag, pearson, pearson_nodiag} x {whole, _xx, _yx, _yy} x {plain, _dlog, _group}:
 * of the whole matrix and of its blocks (rows before columns: _yx is M[p:2p, 0:p]), in the order of the inputs, of
 * their discrete logarithms, and of each task's own group. */
enum {
    GK_PAIR_MATRIX = 4 * 4 * 3,
    GK_PAIR_EIGEN = GK_PAIR_MATRIX, /* distance of eigenvalue spectra */
    GK_PAIR_FREQUENCIES,            /* of the block's Fourier energies by frequency */
    GK_PAIR_LINES,                  /* and by frequency and direction */
    GK_PAIR_KEYS,                   /* overlap of key frequencies */
    GK_PAIR_ANSWERS,                /* share of test cells with equal answers */
    GK_PAIR_WRONG,                  /* of those where both are wrong, share of equal answers */
    GK_PAIR_MEASURES
};
/* The name, as stored in comparison.measure. */
const char *gk_pair_name(int measure, char out[40]);
/* Index of a name, or GK_USAGE that suggests the nearest. */
int gk_pair_find(const char *name);
/* A set of measures: the usual ones, all, or those of a comma-separated list. */
void gk_pair_usual(bool wanted[GK_PAIR_MEASURES]);
int gk_pair_choose(const char *list, bool wanted[GK_PAIR_MEASURES]);

typedef struct gk_compared {
    int64_t run, step; /* step -1: the last */
} gk_compared;

typedef struct gk_key_set {
    int modulus, n; /* modulus 0: not known */
    int64_t step;
    bool has[512]; /* [modulus / 2 + 1] */
} gk_key_set;

typedef struct gk_compared_run {
    gk_compared at;
    gk_run_row row;
    gk_stored_split stored;
    gk_split split;  /* the same, alive: its task and its cells */
    int loaded;      /* how many of the three above are there */
    char label[128]; /* "3 mlp" or "3 mlp@40" */
    gk_cell facts[GK_FACTS];
    const char *kind;    /* of its feature matrices */
    int64_t matrix_step; /* the newest of that kind up to the compared step, or -1 */
    gk_key_set keys;
    char keys_text[64];
} gk_compared_run;

/* What one run is at one step; only what the wanted measures need is loaded. Borrows the run. */
typedef struct gk_compared_view {
    const gk_compared_run *run;
    int64_t matrix_step, answers_step; /* -1: none */
    double *matrix[3];                 /* [n,n] in each order, NULL where there is none */
    int n[3];
    double *eigen;   /* [n[0]] ascending */
    double *lines;   /* [2*n_lines] energies of frequency 1..n_lines: Toeplitz line, then Hankel line, in group order */
    int n_lines;
    int32_t *answers; /* [p*p] the answer on each test cell, -1 elsewhere, -2 where the outputs are not numbers */
} gk_compared_view;

/* step: up to which (-1: the last). A run without a matrix or checkpoint there gives a view without them. */
int gk_view_load(gk_compared_view *v, gk_store *s, const gk_compared_run *run, int64_t step,
                 const bool wanted[GK_PAIR_MEASURES]);
void gk_view_free(gk_compared_view *v);

typedef struct gk_compared_pair {
    int a, b; /* indices of runs */
    int64_t matrix_step[2], answers_step[2];
    double values[GK_PAIR_MEASURES]; /* NaN: not wanted or not defined */
} gk_compared_pair;

typedef struct gk_comparison {
    gk_compared_run *runs;
    int n;
    gk_compared_pair *pairs;
    int n_pairs;
    bool wanted[GK_PAIR_MEASURES];
} gk_comparison;

/* SAME: GK_DIFFERS unless all runs share one split. ANY: every pair. GROUPED: the pairs that share one. */
typedef enum gk_compare_splits { GK_SPLITS_SAME, GK_SPLITS_ANY, GK_SPLITS_GROUPED } gk_compare_splits;

/* Reads the runs and lists the pairs. kind: of the feature matrices; NULL: metric of an RFM, sqrt_agop of a network. */
int gk_comparison_load(gk_comparison *c, gk_store *s, const gk_compared *runs, int n, gk_compare_splits splits,
                       const char *kind);
void gk_comparison_free(gk_comparison *c);
/* Fills the pairs at the compared steps with c->wanted. keep: stores them in `comparison`, in one transaction. */
int gk_comparison_pairs(gk_comparison *c, gk_store *s, bool keep);
/* One pair from its views; a and b are indices of runs. */
int gk_pair_compute(gk_compared_pair *pair, const gk_compared_view *a, const gk_compared_view *b,
                    const bool wanted[GK_PAIR_MEASURES]);
/* Puts a pair's values into `comparison`, the run with the lower id first. */
int gk_pair_store(gk_store *s, const gk_comparison *c, const gk_compared_pair *pair);

/* ---- over training ---- */

typedef enum gk_align { GK_ALIGN_STEP, GK_ALIGN_FRACTION, GK_ALIGN_PHASE } gk_align;

typedef struct gk_over {
    gk_align align;
    int n;                   /* points of the axis */
    double *at;              /* [n] */
    int64_t *steps;          /* [n * runs] what each run's matrix or checkpoint there was */
    gk_compared_pair *pairs; /* [n * pairs] */
} gk_over;

/* points 0: 13 along phases (-1 start, 0 memorised, 1 grokked, 2 end), else 11. */
int gk_over_make(gk_over *o, const gk_comparison *c, gk_store *s, gk_align align, int points, bool keep);
void gk_over_free(gk_over *o);
/* Table: each run's step and the wanted measures of each pair, by point. JSON has the runs, too; CSV a row a pair. */
int gk_over_print(const gk_over *o, const gk_comparison *c, gk_list_format format);

/* To stdout. A table or JSON has both runs and pairs, CSV the runs; pairs_only: the pairs alone. */
int gk_comparison_print(const gk_comparison *c, gk_list_format format, bool pairs_only);
int gk_comparison_print_runs(const gk_comparison *c, gk_list_format format);
/* What the numbers say, in a few sentences: who generalised when, and how alike the features are. */
void gk_comparison_say(const gk_comparison *c);
/* "3 mlp ~ 4 rfm" */
void gk_pair_label(const gk_comparison *c, const gk_compared_pair *pair, char out[280]);

#endif
