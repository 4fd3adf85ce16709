/* gk_train.h: the one loop that trains any method. It knows the method contract and nothing else; all it has to
 * say goes through the hooks. */
#ifndef GK_TRAIN_H
#define GK_TRAIN_H

#include "gk_method.h"

typedef struct gk_progress {
    int64_t step, steps;
    double train_loss, train_accuracy, test_loss, test_accuracy; /* of the last evaluation, NaN before it */
    double seconds, steps_per_second;                            /* of this process */
} gk_progress;

/* Every hook returns GK_OK, or a negative code that ends the run with that code. NULL hooks are skipped. */
typedef struct gk_train_hooks {
    void *context;
    int (*metric)(void *context, int64_t step, const char *name, double value);
    /* A kind happens at one step; a later call moves it, step -1 withdraws it. */
    int (*event)(void *context, int64_t step, const char *kind, const char *detail);
    /* Before an evaluation that a measure or a checkpoint is sure to follow: where it may leave the outputs of the
     * train and test cells, NULL for nowhere. */
    gk_output_rows *(*outputs)(void *context, int64_t step);
    int (*measure)(void *context, int64_t step, gk_model *model, bool last); /* at measure_every and at the end */
    /* keep: a checkpoint of the cadence or the last one; otherwise only what a resume needs (an interruption). */
    int (*checkpoint)(void *context, int64_t step, gk_model *model, bool keep);
    int (*progress)(void *context, const gk_progress *now); /* after each step */
    bool (*stop)(void *context);                            /* true: checkpoint and return GK_INTERRUPTED */
} gk_train_hooks;

/* What the loop must remember across a resume (events are announced once). -1 = not yet. */
typedef struct gk_train_state {
    int64_t step;       /* steps done */
    bool fresh;         /* nothing was said about `step` yet: evaluate it before going on */
    int64_t memorised;  /* first evaluated step with train accuracy >= .99 */
    int64_t grokked;    /* first step of the current stretch with test accuracy >= .95 */
    int64_t held_since; /* first step of the current stretch with test accuracy >= stop_at */
} gk_train_state;

static const gk_train_state GK_TRAIN_START = {0, true, -1, -1, -1};

/* Trains from state->step to config's `steps`. Returns GK_OK, GK_INTERRUPTED, GK_DIVERGED (reason in
 * gk_error_text) or what a hook returned. The state is up to date on every return. */
int gk_train(const gk_method *method, gk_model *model, const gk_config *config, const gk_split *split,
             const gk_train_hooks *hooks, gk_train_state *state);

#endif
