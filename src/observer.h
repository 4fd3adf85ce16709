/* observer.h: what a run measures of its model while it trains. Of a model that trains on one thread another thread looks
 * at a copy, while training goes on; of the others, and where no core is free, training waits. What is stored is the same,
 * to the bit and in the same order. */
#ifndef GK_OBSERVER_H
#define GK_OBSERVER_H

#include "keep.h"
#include "remeasure.h"

typedef struct gk_observer gk_observer;

/* Looks at `model` from now on, which like all else stays the caller's. beside: on a thread of its own where it can be. */
int gk_observer_start(gk_observer **out, const gk_method *method, gk_model *model, const gk_split *split,
                      const gk_config *config, bool beside);
/* Where it says what it sees: a recorder, behind the sieve of what is kept. */
void gk_observer_attach(gk_observer *o, gk_recorder *recorder, gk_keep *keep);

/* Each is about the model as it stands, after `step` steps, and returns the first failure of this or an earlier look. */
/* Where an evaluation may leave the outputs that measures will ask for; NULL: nowhere. */
gk_output_rows *gk_observer_rows(gk_observer *o, int64_t step);
/* All measures that the settings ask for, and the matrices where they stay. */
int gk_observer_measure(gk_observer *o, int64_t step);
/* Keeps in memory what the measures that wait for the final model will ask of this one, if there is room. */
int gk_observer_recall(gk_observer *o, int64_t step);
/* What refers to the final model, which this one is: for runs that leave no checkpoint to come back to. */
int gk_observer_final(gk_observer *o);

/* Waits until everything is said. */
int gk_observer_settle(gk_observer *o);
/* What it looked at last, to measure checkpoints with; after gk_observer_settle. */
gk_subject gk_observer_subject(const gk_observer *o);
/* Accepts NULL. */
void gk_observer_free(gk_observer *o);

#endif
