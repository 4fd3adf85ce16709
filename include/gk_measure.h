/* gk_measure.h: measures. A family is one file of src/measure with one table; it sees a model through a probe, which
 * computes what several measures need (outputs, feature matrices, weights) once and lazily. */
#ifndef GK_MEASURE_H
#define GK_MEASURE_H

#include "gk_method.h"

typedef struct gk_metric_name {
    const char *name; /* as stored, e.g. circulant_deviation; a trailing <freq> in the docs is a family of names */
    const char *unit; /* "nats", "1", ... */
    const char *description;
} gk_metric_name;

/* Key frequencies and final matrices that some measures refer to: fixed from the final model (gk_reference_of). */
typedef struct gk_reference {
    int n_key;
    int key[512];    /* key frequencies, ascending */
    double *final_m; /* [2p,2p] the final feature matrix (metric of the RFM, else sqrt_agop), NULL if there is none */
} gk_reference;

typedef struct gk_probe gk_probe;

/* A probe looks at one model at one step. method, model, split and config are borrowed. */
int gk_probe_new(gk_probe **out, const gk_method *method, gk_model *model, const gk_split *split, const gk_config *config);
void gk_probe_free(gk_probe *probe);
/* The model moved on: forget what was computed, keep the memory. */
void gk_probe_renew(gk_probe *probe);

/* Fixes the reference from the final model's probe; to be freed with gk_reference_free. */
int gk_reference_of(gk_probe *final, gk_reference *out);
void gk_reference_free(gk_reference *reference);

/* Where measures put their values. Both hooks return GK_OK or a negative code that is passed on. */
typedef struct gk_sink {
    void *context;
    int (*value)(void *context, const char *name, double value);
    /* a feature matrix [n,n] worth keeping */
    int (*matrix)(void *context, const char *kind, const double *data, int n);
    int (*event)(void *context, const char *kind, const char *detail);
} gk_sink;

typedef struct gk_measure {
    const char *family;           /* e.g. structure, outputs, weights */
    const gk_metric_name *names;  /* ended by a NULL name */
    bool by_default;              /* computed at measure_every without asking */
    bool needs_reference;         /* waits for the final model */
    /* GK_OK also when the family is not defined for this method or task: it then emits nothing. */
    int (*compute)(gk_probe *probe, const gk_reference *reference, const gk_sink *sink);
} gk_measure;

/* The raw and derived feature matrices of the model, borrowed from the probe until it is renewed: raw kinds of the method,
 * and sqrt_agop. NULL with an error line on failure. *n gets the size. */
const double *gk_probe_feature(gk_probe *probe, const char *kind, int *n);

/* Emits through `sink->matrix` the matrices kept by default: agop, sqrt_agop, nfm, metric where they exist. */
int gk_measure_matrices(gk_probe *probe, const gk_sink *sink);

/* The families, ended by NULL; the list is in src/registry.c. */
extern const gk_measure gk_measure_weights;   /* squared norms */
extern const gk_measure gk_measure_structure; /* section 3 */

#endif
