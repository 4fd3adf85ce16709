/* keep.c: the sieve between the training loop and the recorder. */
#include "keep.h"

#include <stdlib.h>
#include <string.h>

/* A state is several times the weights. Where it is only there to be resumed from, losing this much work is cheaper
 * than compressing one at every checkpoint of a run of a second. */
static const double STATE_SECONDS = 10;

gk_keep_mode gk_keep_mode_of(const gk_config *config)
{
    if (gk_config_is(config, "store", "final")) return GK_KEEP_FINAL;
    return gk_config_is(config, "store", "events") ? GK_KEEP_EVENTS : GK_KEEP_ALL;
}

static int pass_on(gk_keep *k)
{
    int code = GK_OK;
    for (int i = 0; code == GK_OK && i < k->n; i++)
        code = gk_recorder_metric(k->recorder, k->step, k->values[i].name, k->values[i].value);
    k->n = 0;
    return code;
}

int gk_keep_metric(gk_keep *k, int64_t step, const char *name, double value)
{
    if (k->mode == GK_KEEP_ALL) return gk_recorder_metric(k->recorder, step, name, value);
    if (step != k->step) {
        const int code = gk_keep_settle(k);
        if (code != GK_OK) return code;
        k->n = 0;
        k->wanted = false;
        k->step = step;
    }
    if (k->n == k->room) {
        const int room = k->room ? 2 * k->room : 64;
        gk_kept_value *more = realloc(k->values, (size_t)room * sizeof *more);
        if (!more) return gk_error(GK_FAILED, "out of memory for %d values of a step", room);
        k->values = more;
        k->room = room;
    }
    gk_kept_value *v = &k->values[k->n++];
    *v = (gk_kept_value){.value = value};
    strncpy(v->name, name, sizeof v->name - 1);
    return GK_OK;
}

void gk_keep_step(gk_keep *k)
{
    k->wanted = true;
}

int gk_keep_settle(gk_keep *k)
{
    return k->wanted ? pass_on(k) : GK_OK;
}

bool gk_keep_state_due(gk_keep *k, double seconds)
{
    if (k->mode != GK_KEEP_ALL && seconds - k->state_at < STATE_SECONDS) return false;
    k->state_at = seconds;
    return true;
}

int gk_keep_end(gk_keep *k, bool last)
{
    const int code = last || k->wanted ? pass_on(k) : GK_OK;
    free(k->values);
    k->values = NULL;
    k->n = k->room = 0;
    return code;
}
