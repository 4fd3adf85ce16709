/* gk_measure.h: measures. A family is one file of src/measure with one table; it sees a model through a probe, which
 * computes what several measures need (outputs, feature matrices, weights) once and lazily. */
#ifndef GK_MEASURE_H
#define GK_MEASURE_H

#include "gk_method.h"

typedef struct gk_metric_name {
    const char *name; /* as stored, e.g. circulant_deviation; of a matrix, its kind. <freq> in it stands for anything */
    const char *unit; /* "nats", "1", ... */
    const char *description;
} gk_metric_name;

typedef enum gk_key_rule {
    GK_KEYS_WEIGHTS, /* norm of the rows of F W_L above a quarter of the largest; outputs where there are no neurons */
    GK_KEYS_OUTPUTS, /* the same rule on the cosine coefficients of the outputs: any method */
    GK_KEYS_NEURONS, /* the paper's notebook: best frequency of each neuron, no threshold */
} gk_key_rule;

/* Key frequencies and final matrices that some measures refer to: fixed from the final model (gk_reference_of). */
typedef struct gk_reference {
    int n_key;
    int key[512];     /* key frequencies, ascending */
    gk_key_rule rule; /* that chose them */
    double *final_m;  /* [2p,2p] the final feature matrix (metric of the RFM, else sqrt_agop), NULL if there is none */
} gk_reference;

typedef struct gk_probe gk_probe;

/* A probe looks at one model at one step. method, model, split and config are borrowed. */
int gk_probe_new(gk_probe **out, const gk_method *method, gk_model *model, const gk_split *split,
                 const gk_config *config);
void gk_probe_free(gk_probe *probe);
/* The model moved on: forget what was computed, keep the memory. */
void gk_probe_renew(gk_probe *probe);
/* Forget, and give back the families' own memory, too: before something else needs as much. */
void gk_probe_rest(gk_probe *probe);

/* Where an evaluation of the model as it stands can leave its outputs: once those of all cells are there, the probe
 * need not predict them. Borrowed until it is renewed; NULL where it has no use for them, or no memory. */
gk_output_rows *gk_probe_rows(gk_probe *probe);

/* Fixes the reference from the final model's probe, its frequencies by `rule`; to be freed with gk_reference_free. */
int gk_reference_of(gk_probe *final, gk_key_rule rule, gk_reference *out);
void gk_reference_free(gk_reference *reference);

/* Where measures put their values. Both hooks return GK_OK or a negative code that is passed on. */
typedef struct gk_sink {
    void *context;
    int (*value)(void *context, const char *name, double value);
    /* a feature matrix [n,n] worth keeping */
    int (*matrix)(void *context, const char *kind, const double *data, int n);
    int (*event)(void *context, const char *kind, const char *detail);
    /* Is this value or matrix wanted? For a family whose members cost much one by one; NULL: all are. */
    bool (*wants)(void *context, const char *name);
} gk_sink;

typedef struct gk_measure {
    const char *family;          /* e.g. structure, outputs, weights */
    const gk_metric_name *names; /* ended by a NULL name */
    bool by_default;             /* computed at measure_every without asking */
    bool needs_reference;        /* waits for the final model */
    /* GK_OK also when the family is not defined for this method or task: it then emits nothing. */
    int (*compute)(gk_probe *probe, const gk_reference *reference, const gk_sink *sink);
} gk_measure;

/* The raw and derived feature matrices [n,n] of the model, borrowed from the probe until it is renewed: raw kinds of the
 * method, and sqrt_agop. GK_DIVERGED where a root is asked of what is not finite. */
int gk_probe_feature(gk_probe *probe, const char *kind, const double **out, int *n);

/* Gives the probe a raw or derived matrix [n,n] that was worked out before, e.g. the stored one of this step, in place
 * of computing it; copied, and valid until the probe is renewed. */
int gk_probe_give_feature(gk_probe *probe, const char *kind, const double *data, int n);
/* The kind of matrix whose structure is asked about: `metric` of a kernel machine, sqrt_agop of a network; NULL if the
 * method has neither. */
const char *gk_probe_structural_kind(const gk_probe *probe);

/* ---- snapshots: what the families that need a reference ask of a probe, kept when its model moves on. Such a family
 * asks for nothing else: for L, W_L and the structural matrix, and what follows from them. ---- */

typedef struct gk_snapshot gk_snapshot;

/* *out is NULL, and nothing was computed for it, where it might take more than `room` bytes. */
int gk_probe_snapshot(gk_probe *probe, size_t room, gk_snapshot **out);
size_t gk_snapshot_size(const gk_snapshot *snapshot); /* bytes */
/* Until it is renewed the probe, of the same run, answers to these families as it did when the snapshot was taken. */
int gk_probe_recall(gk_probe *probe, const gk_snapshot *snapshot);
void gk_snapshot_free(gk_snapshot *snapshot); /* accepts NULL */

/* Emits through `sink->matrix` the matrices kept by default, where they exist: agop, sqrt_agop (not of a machine with a
 * metric: there it is the next metric), nfm, metric. */
int gk_measure_matrices(gk_probe *probe, const gk_sink *sink);

/* Emits agop_alignment, _nodiag and _block of a stored feature matrix [n,n] against the run's final one. */
int gk_measure_align(const double *matrix, const double *final_m, int n, const gk_sink *sink);

/* ---- key frequencies (Nanda et al. 2023): fixed from the final model, then applied to all checkpoints ---- */

/* Fills reference->key, n_key and rule (outputs where there are no neurons); n_key = 0 where the task is no addition on
 * a cyclic group. */
int gk_measure_key_frequencies(gk_probe *probe, gk_key_rule rule, gk_reference *reference);
/* Detail of the key_frequencies event, {"frequencies":[...],"modulus":m,"rule":"..."}; malloc'ed. */
char *gk_measure_key_json(const gk_probe *probe, const gk_reference *reference);
/* The names of the rules as the event has them, in the order of gk_key_rule, ended by NULL. */
extern const char *const gk_key_rules[];

/* ---- phases ---- */

typedef struct gk_curve {
    int n;
    const int64_t *step; /* [n] ascending */
    const double *value; /* [n] */
} gk_curve;

/* Steps, -1 where a phase was not reached. */
typedef struct gk_phases {
    int64_t memorised; /* first train accuracy >= .99 */
    int64_t circuit;   /* steepest fall of the hidden measure, per log step, from memorised on */
    int64_t grokked;   /* first test accuracy >= .95 and staying */
    int64_t cleaned;   /* end of the fall of weight_norm_sq, not before grokked */
} gk_phases;

/* hidden: restricted_loss, or circulant_deviation where that is not defined. Any curve may be NULL. */
gk_phases gk_phases_of(const gk_curve *train_accuracy, const gk_curve *test_accuracy, const gk_curve *hidden,
                       const gk_curve *weight_norm);

/* ---- the families, one table each; the list is in src/registry.c ---- */
extern const gk_measure gk_measure_weights;   /* squared norm */
extern const gk_measure gk_measure_structure; /* section 3 */
extern const gk_measure gk_measure_nfa;
extern const gk_measure gk_measure_losses;    /* full losses, output_scale */
extern const gk_measure gk_measure_gini;      /* section 4, without a reference */
extern const gk_measure gk_measure_alignment; /* needs reference->final_m */
extern const gk_measure gk_measure_progress;  /* restricted and excluded losses; needs the key frequencies */
extern const gk_measure gk_measure_key;       /* logit_fve, cos_coefficient, wl_residual; needs the key frequencies */
extern const gk_measure gk_measure_neurons;   /* on request */
extern const gk_measure gk_measure_weight_tensors; /* on request */
extern const gk_measure gk_measure_agop_class;     /* on request: a matrix a class */
extern const gk_measure gk_measure_ablation;       /* on request: measure --ablate */
extern const gk_measure gk_measure_enforced;       /* on request: a kernel machine refitted on its circulant metric */

#endif
