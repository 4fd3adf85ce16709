/* record.h: what a run says, on its way into the store. Training only appends to a queue; a thread of its own writes the
 * queue in short transactions, so that several processes share one file and training does not wait for zlib or a disk. */
#ifndef GK_RECORD_H
#define GK_RECORD_H

#include "gk_store.h"

typedef struct gk_recorder gk_recorder;

/* While it runs, the recorder alone uses `store`. */
int gk_recorder_start(gk_recorder **out, gk_store *store, int64_t run);

/* Each copies what it is given; a large checkpoint is stored at once instead, after a commit. A failure of the writer (a
 * full disk, say) is returned by the next call. */
int gk_recorder_metric(gk_recorder *r, int64_t step, const char *name, double value);
int gk_recorder_event(gk_recorder *r, int64_t step, const char *kind, const char *detail);
int gk_recorder_matrix(gk_recorder *r, int64_t step, const char *kind, const double *data, int n);
int gk_recorder_checkpoint(gk_recorder *r, int64_t step, const char *kind, const gk_tensor *tensors, int n,
                           const char *const *meta);
int gk_recorder_heartbeat(gk_recorder *r, int64_t step, double seconds);

/* A place in what is said for what another thread has still to say: *aside is a recorder for that thread alone, which
 * takes metrics, events and matrices until it is closed. A transaction is written once all its places are closed.
 * last: whatever was and will be said behind this place is not stored. */
int gk_recorder_aside(gk_recorder *r, gk_recorder **aside);
void gk_recorder_close(gk_recorder *aside, bool last);

/* Everything said since the last commit becomes one transaction. */
int gk_recorder_commit(gk_recorder *r);
/* The same, and waits until it is written. Behind a last place, what is said from now on is stored again. */
int gk_recorder_drain(gk_recorder *r);

/* Writes what was committed, ends the thread and gives the store back; every place is closed by then. Accepts NULL. */
int gk_recorder_finish(gk_recorder *r);

#endif
