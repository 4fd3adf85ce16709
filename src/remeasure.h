/* remeasure.h: measures that wait for the final model, computed on a run's checkpoints when it ends. */
#ifndef GK_REMEASURE_H
#define GK_REMEASURE_H

#include "gk_lab.h"
#include "recall.h"

/* What is measured: a model that the run's checkpoints can be loaded into, and a probe that looks at it. */
typedef struct gk_subject {
    const gk_method *method;
    gk_model *model;
    const gk_config *config;
    gk_probe *probe;
    const gk_recall *recall; /* checkpoints that need not be loaded for the families that wait; NULL: all are */
    bool (*stop)(void *context); /* asked before each checkpoint; NULL: nobody stops it */
    void *context;
    int64_t at;              /* the checkpoint that the probe looks at, as if it had been loaded; -1: none */
} gk_subject;

/* Computes the measures of the subject's run that need a reference on each of its weights checkpoints. Stores nothing where
 * it is stopped: GK_INTERRUPTED. */
int gk_remeasure_reference(gk_store *store, int64_t run, gk_subject *subject);

#endif
