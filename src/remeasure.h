/* remeasure.h: measures that wait for the final model, computed on stored checkpoints when a run ends. */
#ifndef GK_REMEASURE_H
#define GK_REMEASURE_H

#include "gk_lab.h"

/* Computes the default measures that need a reference on each weights checkpoint of a run. */
int gk_remeasure_reference(gk_store *store, int64_t run);

#endif
