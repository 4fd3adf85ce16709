/* enforced.c: what would a kernel machine know now if its metric were exactly circulant? Mallinar et al. 2024, section
 * 5: M is replaced by its circulant projection, the machine refitted and only evaluated; training goes on from M
 * itself. */
#include "measure.h"
#include "gk_structure.h"

#include <stdlib.h>
#include <string.h>

static const gk_metric_name names[] = {
    {"enforced_accuracy", "1",
     "test accuracy after M is replaced by its circulant projection and the machine refitted"},
    {"enforced_loss", "1", "test loss after M is replaced by its circulant projection and the machine refitted"},
    {0}};

static const gk_tensor *find_metric(const gk_tensor *tensors, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(tensors[i].name, "M") == 0 && tensors[i].dtype == GK_F64) return &tensors[i];
    }
    return NULL;
}

/* Gives the fresh model `other` the projected metric and all other weights 0: that asks for a new solution. */
static int load_projected(gk_probe *probe, gk_model *other, const gk_grouping *g)
{
    const double *metric;
    int n;
    const int code = gk_probe_structural(probe, &metric, &n);
    if (code != GK_OK) return code;
    gk_tensor tensors[GK_TENSORS_MAX];
    const int count = probe->method->tensors(other, GK_WEIGHTS, tensors);
    for (int i = 0; i < count; i++)
        memset(tensors[i].data, 0, gk_tensor_bytes(&tensors[i]));
    double *m = find_metric(tensors, count)->data;
    memcpy(m, metric, (size_t)n * (size_t)n * sizeof *m);
    gk_circulant_enforce(m, g);
    return probe->method->loaded(other, GK_WEIGHTS, 0);
}

static int refit(gk_probe *probe, const gk_grouping *g, gk_score *score)
{
    gk_model *other;
    int code = probe->method->init(&other, probe->config, probe->split);
    if (code != GK_OK) return code;
    code = load_projected(probe, other, g);
    if (code == GK_OK) code = probe->method->score(other, probe->split->test, probe->split->n_test, score, NULL);
    probe->method->free(other);
    return code;
}

static int compute(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    gk_tensor tensors[GK_TENSORS_MAX];
    const gk_task *t = &probe->split->task;
    const int n = probe->method->tensors(probe->model, GK_WEIGHTS, tensors);
    if (!gk_probe_has_feature(probe, "metric") || !find_metric(tensors, n) || probe->split->n_test == 0) return GK_OK;
    if (probe->split->two) return GK_OK; /* the projection knows no coordinate of a task */
    if (t->form == GK_FORM_NONE || (t->form == GK_FORM_PRODUCT && !t->dlog)) return GK_OK;
    int32_t *keys = gk_alloc(2 * (size_t)t->p, sizeof *keys);
    if (!keys) return GK_FAILED;
    gk_grouping g;
    gk_form_grouping(&g, keys, t->p, t->u, t->v, t->form == GK_FORM_PRODUCT ? t->dlog : NULL, false);
    gk_score score;
    int code = refit(probe, &g, &score);
    free(keys);
    if (code == GK_DIVERGED) return GK_OK; /* a projected metric may have no solution: then there is nothing to say */
    if (code == GK_OK) code = gk_emit(sink, "enforced_accuracy", score.accuracy);
    return code == GK_OK ? gk_emit(sink, "enforced_loss", score.loss) : code;
}

const gk_measure gk_measure_enforced = {.family = "enforced", .names = names, .by_default = false, .compute = compute};
