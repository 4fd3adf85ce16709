/* gk_lab.h: what joins the rooms below `cli`: the lists (src/registry.c) and a recorded run (src/lab.c). */
#ifndef GK_LAB_H
#define GK_LAB_H

#include "gk_measure.h"
#include "gk_store.h"
#include "gk_train.h"

/* ---- registry.c: one list per kind ---- */
extern const char *const gk_method_names[];         /* NULL-terminated */
extern const gk_measure *const gk_measures[];       /* NULL-terminated */
extern const gk_key gk_shared_keys[];               /* op p train_fraction ... */
/* The method's table for a dtype; NULL with an error that suggests the nearest name. */
const gk_method *gk_registry_method(const char *name, gk_dtype dtype);
/* Shared keys, then the method's own and its overrides: a config with that method's defaults. */
int gk_registry_config(gk_config *config, const char *method);
/* Is this family computed during and after a run of these settings? The default ones and those of `measures`. */
bool gk_registry_measures(const gk_config *config, const gk_measure *m);
/* measures = none */
bool gk_registry_measures_nothing(const gk_config *config);
/* GK_USAGE, with the nearest name, where `measures` names a family that there is not. */
int gk_registry_check_measures(const gk_config *config);
/* Gives a split the second task that a config asks for, if it does; frees it on failure. */
int gk_registry_second(gk_split *split, const gk_config *config);
/* The split that a config asks for (generator or split_file). */
int gk_registry_split(gk_split *split, const gk_config *config);

/* ---- lab.c: train one run into a store ---- */
typedef struct gk_lab_hooks {
    void *context;
    int (*progress)(void *context, const gk_progress *now);
    void (*event)(void *context, int64_t step, const char *kind, const char *detail);
    bool (*stop)(void *context);
    bool crowded; /* no core is free: nothing is measured beside training */
} gk_lab_hooks;

/* Creates the run and trains it to its end. *run gets its id even when training fails after creation. */
int gk_lab_train(gk_store *store, const char *method, const gk_config *config, const gk_lab_hooks *hooks, int64_t *run);
/* Goes on from the last checkpoint to the same bits as a straight run. */
int gk_lab_resume(gk_store *store, int64_t run, const gk_lab_hooks *hooks);

/* A stored run brought back to life at a checkpoint (step -1: the last): for measuring, exporting, comparing. */
typedef struct gk_revived {
    const gk_method *method;
    gk_config config;
    gk_split split;
    gk_model *model;
    int64_t step;
} gk_revived;
int gk_lab_revive(gk_store *store, int64_t run, int64_t step, gk_revived *out);
void gk_revived_free(gk_revived *r);

typedef struct gk_measuring {
    const char *const *only; /* NULL-terminated names of families, metrics and matrices; NULL: the default families */
    gk_key_rule rule;        /* how the key frequencies are chosen */
    int64_t step;            /* the last checkpoint at or before this step alone; -1: all */
} gk_measuring;

/* (Re)computes measures on the stored weights checkpoints of a run, with key frequencies and the final feature matrix
 * fixed from the last one, and puts them into the store in one transaction. report (may be NULL) is told the time each
 * family took in all, and the number of values and matrices. */
typedef void gk_measured_fn(void *context, const char *family, double seconds, int values);
int gk_lab_measure(gk_store *store, int64_t run, gk_measuring what, gk_measured_fn *report, void *context);

#endif
