/* weights.c: squared norms of the weights: what weight decay pulls on, and what falls while a circuit is cleaned up. */
#include "measure.h"
#include "gk_matrix.h"

#include <stdio.h>

static double tensor_norm_sq(const gk_tensor *t)
{
    const size_t n = gk_tensor_count(t);
    if (t->dtype == GK_F64) return gk_norm_sq(t->data, n);
    double sum = 0;
    if (t->dtype == GK_F32) {
        const float *w = t->data;
        for (size_t i = 0; i < n; i++) sum += (double)w[i] * (double)w[i];
    }
    return sum; /* integer tensors are not weights */
}

static const gk_metric_name norm_names[] = {
    {"weight_norm_sq", "1", "sum of squares of all weights: the parameters of a network, M and alpha of an RFM"}, {0}};

static int compute_norm(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = probe->method->tensors(probe->model, GK_WEIGHTS, tensors);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += tensor_norm_sq(&tensors[i]);
    return gk_emit(sink, "weight_norm_sq", sum);
}

const gk_measure gk_measure_weights = {
    .family = "weights", .names = norm_names, .by_default = true, .compute = compute_norm};

static const gk_metric_name tensor_names[] = {
    {"weight_norm_sq_<tensor>", "1", "sum of squares of one weight tensor, by its name"}, {0}};

static int compute_tensors(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = probe->method->tensors(probe->model, GK_WEIGHTS, tensors);
    int code = GK_OK;
    for (int i = 0; code == GK_OK && i < n; i++) {
        char name[96];
        snprintf(name, sizeof name, "weight_norm_sq_%.63s", tensors[i].name);
        code = gk_emit(sink, name, tensor_norm_sq(&tensors[i]));
    }
    return code;
}

const gk_measure gk_measure_weight_tensors = {
    .family = "weight_tensors", .names = tensor_names, .by_default = false, .compute = compute_tensors};
