/* keep.h: what a run leaves in the database (setting `store`). A map of ten thousand small runs wants their ends only;
 * between the loop and the recorder stands this sieve.
 *   all     every value, matrix and checkpoint, at the cadences that the settings ask for
 *   events  the same at the steps where something happened (memorised, grokked) and at the end; no curves in between
 *   final   the last values and the events: no matrices, no checkpoints
 * Under events and final a running run still leaves a state to resume from now and then; it goes when the run ends. */
#ifndef GK_KEEP_H
#define GK_KEEP_H

#include "gk_config.h"
#include "record.h"

typedef enum gk_keep_mode { GK_KEEP_FINAL, GK_KEEP_EVENTS, GK_KEEP_ALL } gk_keep_mode;

typedef struct gk_kept_value {
    char name[64];
    double value;
} gk_kept_value;

typedef struct gk_keep {
    gk_keep_mode mode;
    gk_recorder *recorder;
    int64_t step;          /* of the values held back */
    bool wanted;           /* they will stay, whatever comes */
    gk_kept_value *values; /* [n] */
    int n, room;
    double state_at; /* seconds of this process at the last state */
} gk_keep;

gk_keep_mode gk_keep_mode_of(const gk_config *config);

/* A metric on its way to the recorder: passed on, or held back until it is known whether its step stays. */
int gk_keep_metric(gk_keep *k, int64_t step, const char *name, double value);
/* The values of the current step stay. */
void gk_keep_step(gk_keep *k);
/* Passes on what stays already, so that a state of the same step carries it. */
int gk_keep_settle(gk_keep *k);
/* Is a state to resume from worth its bytes now? Under `all` always. */
bool gk_keep_state_due(gk_keep *k, double seconds);
/* No value comes after this one: passes on what stays. last: the current step is the run's last. */
int gk_keep_end(gk_keep *k, bool last);

#endif
