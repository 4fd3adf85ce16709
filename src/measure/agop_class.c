/* agop_class.c: what each class adds to the AGOP: one matrix a class, and its trace. On request only, for p matrices a step
 * are p times what is kept otherwise. */
#include "measure.h"
#include "gk_matrix.h"

#include <stdio.h>

static const gk_metric_name names[] = {
    {"agop_class<class>", "matrix",
     "a feature matrix, not a metric: the mean of g g^T, g the gradient of this class's output; agop is their sum"},
    {"class_trace<class>", "1", "trace of agop_class<class>, this class's share of the AGOP's trace"},
    {0}};

static bool wants(const gk_sink *sink, const char *name)
{
    return !sink->wants || sink->wants(sink->context, name);
}

static int compute(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    if (!probe->method->class_agop) return GK_OK;
    const int n = 2 * probe->p;
    double *g = gk_probe_work(probe, 0, (size_t)n * (size_t)n);
    if (!g) return GK_FAILED;
    int code = GK_OK;
    for (int c = 0; code == GK_OK && c < probe->p; c++) {
        char kind[32], trace[32];
        snprintf(kind, sizeof kind, "agop_class%d", c);
        snprintf(trace, sizeof trace, "class_trace%d", c);
        const bool matrix = wants(sink, kind), value = wants(sink, trace);
        if (!matrix && !value) continue;
        code = probe->method->class_agop(probe->model, c, g);
        if (code == GK_OK && value) code = gk_emit(sink, trace, gk_trace(g, n));
        if (code == GK_OK && matrix) code = sink->matrix(sink->context, kind, g, n);
    }
    return code;
}

const gk_measure gk_measure_agop_class = {
    .family = "agop_class", .names = names, .by_default = false, .compute = compute};
