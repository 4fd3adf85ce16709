/* measure.h: what the families share: the probe's insides, the group of the task, and emission of values. Private to
 * src/measure. */
#ifndef GK_MEASURE_PRIVATE_H
#define GK_MEASURE_PRIVATE_H

#include "gk_measure.h"

/* The cyclic group Z_m on which the task is an addition: exponent(z) = exponent(x) + exponent(y) mod m.
 * SUM: exponents u(x), v(y) and z, m = p. PRODUCT over a prime: their discrete logarithms, m = p - 1, and whatever has
 * none is left out. Defined only when u and v take each exponent exactly once; m = 0 otherwise.
 * A "kept" cell is one of the m x m cells whose x and y have exponents. */
typedef struct gk_group {
    int m;
    int32_t *x, *y, *z;              /* [p] exponents; -1: left out */
    int32_t *x_of, *y_of, *class_of; /* [m] inverse maps */
    int32_t *sum_of;                 /* [p*p] exponent of the cell's answer, -1 where the cell is not kept */
    double *basis;                   /* F [m,m], see gk_fourier.h */
    double *cosine, *sine;           /* [m] of 2 pi a / m */
} gk_group;

int gk_group_init(gk_group *g, const gk_task *task);
void gk_group_free(gk_group *g);
/* Frequencies 1..m/2. For even m the last has a cosine only: 1 direction instead of 2. */
static inline int gk_group_directions(const gk_group *g, int k)
{
    return 2 * k == g->m ? 1 : 2;
}
/* F row of frequency k's cosine; its sine is the next one. */
static inline size_t gk_group_row(int k)
{
    return (size_t)(2 * k - 1);
}

enum {
    PROBE_FEATURES = 16,
    PROBE_ROWS = 8 /* rows of the outputs that are worked on at once */
};

typedef struct probe_feature {
    char kind[32];
    int n;
    bool fresh;
    bool given;     /* not worked out here: without eigenvalues */
    double *data;   /* [n,n] */
    double *values; /* [n] its eigenvalues where they fell out on the way, else NULL */
} probe_feature;

/* What is summed over the outputs. */
typedef struct gk_output_totals {
    double scale;        /* root mean square over cells and classes after each cell's mean over the classes is removed */
    double raw, centred; /* |L|^2 over kept cells and classes, as it is and without each cell's mean over the kept classes */
} gk_output_totals;

/* L [n_train,p] of the train cells in the order of the split, as float32 or as double; borrowed. Both NULL: there is
 * more. */
typedef struct gk_train_rows {
    const float *single;
    const double *wide;
} gk_train_rows;

struct gk_probe {
    const gk_method *method;
    gk_model *model;
    const gk_split *split;
    const gk_config *config;
    int p, n_cells;
    bool squared;    /* trained on squared error: an RFM, or loss = mse */
    int32_t *cells;  /* [n_cells] the defined cells, ascending: row r of the outputs is cells[r] */
    int32_t *row;    /* [p*p] the row of a cell, -1 where undefined */
    int32_t *labels; /* [n_cells] */
    gk_group group;
    /* Lazy: the memory stays, `fresh` flags say whether it holds the model's present values. */
    double *outputs;     /* L [n_cells,p], or NULL where the model keeps it: */
    gk_output_rows rows; /* outputs and row, lent to whoever scores the model */
    const float *kept;   /* [p,p*p] borrowed, class by class */
    gk_train_rows train; /* or where there are its train cells' rows alone */
    int32_t *train_row;  /* [n_cells] the place of a row among those, -1: it has none */
    double *line;        /* [PROBE_ROWS,p] the rows that were asked for last, where L is not [n_cells,p] */
    double *logit;       /* W_L [p,width] */
    double *sums;    /* S [m,p]: L summed over the kept cells of equal exponent sum */
    double *work[6]; /* families' own memory, by gk_probe_work */
    size_t work_size[6];
    bool fresh_outputs, fresh_logit, looked; /* looked: sums and totals are those of the outputs */
    gk_output_totals totals;
    probe_feature features[PROBE_FEATURES];
    int n_features;
};

/* Makes sure of the outputs L [n_cells,p], rows in the order of probe->cells. */
int gk_probe_outputs(gk_probe *probe);
/* Row r of L, once that is known: [p], valid until the next call. A large L is read where the model keeps it and is
 * never there twice. Families that need a reference ask for train cells only, of which alone a snapshot has the rows. */
const double *gk_probe_row(gk_probe *probe, int r);
/* Rows r..r+count-1 of it, at most PROBE_ROWS; not of a snapshot. */
const double *gk_probe_rows_from(gk_probe *probe, int r, int *count);
/* Neurons whose effect on the outputs is a matrix W_L, over a group? */
bool gk_probe_has_neurons(const gk_probe *probe);
/* W_L [p,width], borrowed until the probe is renewed. NULL with an error line. */
const double *gk_probe_neuron_logit(gk_probe *probe, int *width);
/* Memory for S, and for W_L (NULL with an error line). */
int gk_probe_take_sums(gk_probe *probe);
double *gk_probe_take_logit(gk_probe *probe);
/* S [m,p]; the group must be defined. NULL with an error line. */
const double *gk_probe_sums(gk_probe *probe);
/* NULL with an error line. */
const gk_output_totals *gk_probe_totals(gk_probe *probe);
/* Their `scale`, NaN on failure. */
double gk_probe_scale(gk_probe *probe);
/* At least `count` doubles that live as long as the probe, uncleared; slot 0..5. Slots are shared by the families: what
 * a slot holds is gone when another family computes. NULL with an error line. */
double *gk_probe_work(gk_probe *probe, int slot, size_t count);
/* The matrix [n,n] whose structure is asked about, borrowed: `metric` for a kernel machine, sqrt_agop for a network; *out
 * is NULL where the method has neither. */
int gk_probe_structural(gk_probe *probe, const double **out, int *n);
/* The effective rank of that matrix [n,n]. */
int gk_probe_structural_rank(gk_probe *probe, double *rank);
bool gk_probe_has_feature(const gk_probe *probe, const char *kind);

/* Emission. `name` with a frequency (or head) appended. */
int gk_emit(const gk_sink *sink, const char *name, double value);
int gk_emit_indexed(const gk_sink *sink, const char *prefix, int index, double value);

/* Energy of a [rows,columns] matrix's rows on the basis: norms[f] = |F_f W| for f = 0..m-1, where row a of W in the
 * order of the exponents is w[of[a]]. transformed [m,columns] gets F W itself. */
void gk_group_transform(const gk_group *g, const double *w, int columns, const int32_t *of, double *gathered,
                        double *transformed);

/* ---- losses of whole outputs (losses.c), shared with the ablations ---- */

/* 1 for cross-entropy methods; for methods trained on squared error the scale by which outputs are divided before a
 * cross entropy is taken, so that it is comparable with the others'. */
double gk_probe_temperature(gk_probe *probe);

/* ---- neurons (neurons.c), shared with the ablations ---- */

/* Fourier tables of all neurons over the kept cells: for each of the four marginals (over x, y, x + y, x - y exponents)
 * F times the marginal, [m,width] each, one after the other. */
typedef struct gk_neuron_spectrum {
    int width;
    double *marginal[4]; /* [m,width] F R, F C, F S, F D */
    double *energy;      /* [width] centred energy */
    int *best;           /* [width] frequency that explains most */
    double *fraction;    /* [width] the share it explains, 0 for a silent neuron */
} gk_neuron_spectrum;

enum { NEURON_BLOCK = 2048 }; /* cells whose activations are held at once, about */
/* A neuron is explained by one frequency when that frequency holds this share of its centred energy (Nanda et
 * al., 4.2). */
#define NEURON_EXPLAINED 0.85

int gk_neuron_spectrum_init(gk_neuron_spectrum *s, gk_probe *probe);
void gk_neuron_spectrum_free(gk_neuron_spectrum *s);

#endif
