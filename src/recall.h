/* recall.h: the models behind a run's checkpoints, as the measures that wait for the final one will ask for them: kept in
 * memory as training passes by, up to a limit, so that the run's end reads back only what had no room here. */
#ifndef GK_RECALL_H
#define GK_RECALL_H

#include "gk_measure.h"

typedef struct gk_recalled gk_recalled;

typedef struct gk_recall {
    gk_recalled *last; /* the newest; NULL at first */
    size_t size;       /* bytes of all snapshots */
} gk_recall;

/* The probe stands at the checkpoint of `step`: keeps that in memory if there is room. */
int gk_recall_keep(gk_recall *r, int64_t step, gk_probe *probe);
/* What was kept of a checkpoint, borrowed; NULL where it was not. */
const gk_snapshot *gk_recall_find(const gk_recall *r, int64_t step);
void gk_recall_free(gk_recall *r);

#endif
