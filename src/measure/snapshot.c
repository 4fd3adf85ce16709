/* snapshot.c: what the measures that wait for the final model ask of an earlier one, kept after it has moved on, so
 * that nothing need be loaded and predicted again when a run ends. */
#include "measure.h"
#include "gk_matrix.h"

#include <stdlib.h>
#include <string.h>

/* Numbers to be given back as they were: in float32 where that loses nothing, as of a network that computes in it. */
typedef struct numbers {
    bool single;
    size_t n;
    void *data; /* float or double [n]; NULL: none */
} numbers;

struct gk_snapshot {
    size_t size;        /* bytes of all that follows */
    int rows;           /* of the train cells */
    float *single;      /* L [rows,p] of these, or where that loses something */
    double *wide;       /* the same */
    double *sums;       /* S [m,p] */
    gk_output_totals totals;
    numbers logit;      /* W_L [p,width] */
    double *structural; /* [n,n] */
    int n;
};

static int copy(gk_snapshot *s, void **out, const void *data, size_t bytes)
{
    if (!(*out = gk_alloc(bytes, 1))) return GK_FAILED;
    memcpy(*out, data, bytes);
    s->size += bytes;
    return GK_OK;
}

static int pack(gk_snapshot *s, numbers *out, const double *x, size_t n)
{
    *out = (numbers){.single = true, .n = n};
    if (!(out->data = gk_alloc(n, sizeof(float)))) return GK_FAILED;
    if (gk_narrow(out->data, x, n)) {
        s->size += n * sizeof(float);
        return GK_OK;
    }
    free(out->data);
    out->single = false;
    return copy(s, &out->data, x, n * sizeof *x);
}

static void unpack(double *out, const numbers *from)
{
    if (from->single) gk_widen(out, from->data, from->n);
    else memcpy(out, from->data, from->n * sizeof *out);
}

/* The rows of the train cells in float32. *lost: that is not what they are. */
static int take_single(gk_snapshot *s, gk_probe *probe, bool *lost)
{
    const size_t p = (size_t)probe->p, size = (size_t)s->rows * p;
    *lost = false;
    if (!(s->single = gk_alloc(size, sizeof *s->single))) return GK_FAILED;
    for (int i = 0; i < s->rows && !*lost; i++) {
        const double *row = gk_probe_row(probe, probe->row[probe->split->train[i]]);
        *lost = !gk_narrow(s->single + (size_t)i * p, row, p);
    }
    s->size += size * sizeof *s->single;
    return GK_OK;
}

static int take_wide(gk_snapshot *s, gk_probe *probe)
{
    const size_t p = (size_t)probe->p, size = (size_t)s->rows * p;
    free(s->single);
    s->single = NULL;
    s->size -= size * sizeof *s->single;
    if (!(s->wide = gk_alloc(size, sizeof *s->wide))) return GK_FAILED;
    for (int i = 0; i < s->rows; i++)
        memcpy(s->wide + (size_t)i * p, gk_probe_row(probe, probe->row[probe->split->train[i]]), p * sizeof *s->wide);
    s->size += size * sizeof *s->wide;
    return GK_OK;
}

static int take_outputs(gk_snapshot *s, gk_probe *probe)
{
    const gk_output_totals *totals = gk_probe_totals(probe);
    if (!totals) return GK_FAILED;
    bool lost;
    s->totals = *totals;
    s->rows = probe->split->n_train;
    int code = take_single(s, probe, &lost);
    if (code == GK_OK && lost) code = take_wide(s, probe);
    if (code != GK_OK || probe->group.m == 0) return code;
    void *sums = NULL;
    code = copy(s, &sums, probe->sums, (size_t)probe->group.m * (size_t)probe->p * sizeof(double));
    s->sums = sums;
    return code;
}

static int take_weights(gk_snapshot *s, gk_probe *probe)
{
    int width, code = GK_OK;
    if (gk_probe_has_neurons(probe)) {
        const double *logit = gk_probe_neuron_logit(probe, &width);
        code = logit ? pack(s, &s->logit, logit, (size_t)probe->p * (size_t)width) : GK_FAILED;
    }
    if (code != GK_OK) return code;
    const double *structural;
    code = gk_probe_structural(probe, &structural, &s->n);
    if (code != GK_OK || !structural) return code;
    void *copied = NULL;
    code = copy(s, &copied, structural, (size_t)s->n * (size_t)s->n * sizeof *structural);
    s->structural = copied;
    return code;
}

/* What a snapshot takes at most. */
static size_t largest(const gk_probe *probe)
{
    const size_t p = (size_t)probe->p;
    const size_t width = gk_probe_has_neurons(probe) ? (size_t)probe->method->width(probe->model) : 0;
    return ((size_t)probe->split->n_train * p + p * width + 5 * p * p) * sizeof(double);
}

int gk_probe_snapshot(gk_probe *probe, size_t room, gk_snapshot **out)
{
    *out = NULL;
    if (largest(probe) > room) return GK_OK;
    gk_snapshot *s = gk_calloc(1, sizeof *s);
    int code = s ? take_outputs(s, probe) : GK_FAILED;
    if (code == GK_OK) code = take_weights(s, probe);
    if (code == GK_OK) *out = s;
    else gk_snapshot_free(s);
    return code;
}

size_t gk_snapshot_size(const gk_snapshot *s)
{
    return s->size;
}

int gk_probe_recall(gk_probe *probe, const gk_snapshot *s)
{
    gk_probe_renew(probe);
    if (gk_probe_take_sums(probe) != GK_OK) return GK_FAILED;
    probe->train = (gk_train_rows){s->single, s->wide};
    if (s->sums) memcpy(probe->sums, s->sums, (size_t)probe->group.m * (size_t)probe->p * sizeof *s->sums);
    probe->totals = s->totals;
    probe->fresh_outputs = probe->looked = true;
    if (s->logit.data) {
        double *logit = gk_probe_take_logit(probe);
        if (!logit) return GK_FAILED;
        unpack(logit, &s->logit);
        probe->fresh_logit = true;
    }
    return s->structural ? gk_probe_give_feature(probe, gk_probe_structural_kind(probe), s->structural, s->n) : GK_OK;
}

void gk_snapshot_free(gk_snapshot *s)
{
    if (!s) return;
    free(s->single);
    free(s->wide);
    free(s->sums);
    free(s->logit.data);
    free(s->structural);
    free(s);
}
