/* recall.c: snapshots by step. */
#include "recall.h"

#include <stdlib.h>

/* A kernel machine's outputs at p = 61 take 0.9 MB, the mainline transformer's 5.8. Those of p = 251 (63 MB) stay out: they
 * would add a fifth to what such a run takes, and loading is little beside its iterations. */
static const size_t RECALL_MAX = (size_t)32 << 20;

struct gk_recalled {
    gk_recalled *before;
    int64_t step;
    gk_snapshot *snapshot;
};

int gk_recall_keep(gk_recall *r, int64_t step, gk_probe *probe)
{
    gk_snapshot *snapshot;
    const int code = gk_probe_snapshot(probe, RECALL_MAX - r->size, &snapshot);
    if (code != GK_OK || !snapshot) return code;
    gk_recalled *kept = gk_alloc(1, sizeof *kept);
    if (!kept) {
        gk_snapshot_free(snapshot);
        return GK_FAILED;
    }
    *kept = (gk_recalled){.before = r->last, .step = step, .snapshot = snapshot};
    r->last = kept;
    r->size += gk_snapshot_size(snapshot);
    return GK_OK;
}

const gk_snapshot *gk_recall_find(const gk_recall *r, int64_t step)
{
    const gk_recalled *k = r->last;
    while (k && k->step != step) k = k->before;
    return k ? k->snapshot : NULL;
}

void gk_recall_free(gk_recall *r)
{
    while (r->last) {
        gk_recalled *k = r->last;
        r->last = k->before;
        gk_snapshot_free(k->snapshot);
        free(k);
    }
    r->size = 0;
}
