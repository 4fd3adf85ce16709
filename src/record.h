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

/* Everything said since the last commit becomes one transaction. */
int gk_recorder_commit(gk_recorder *r);

/* Writes what was committed, ends the thread and gives the store back. Accepts NULL. */
int gk_recorder_finish(gk_recorder *r);

#endif
