/* ablation.c: what breaks when a part of a network is taken out. Nanda et al. 2023, section 4.4. For `measure
 * --ablate`. */
#include "measure.h"
#include "gk_loss.h"
#include "gk_matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CROSS "cross entropy over the p classes (outputs over output_scale for squared-error methods), "

static const gk_metric_name names[] = {
    {"ablation_none", "nats", CROSS "nothing ablated; all cells"},
    {"ablation_mlp_zero", "nats", CROSS "activations and output bias of the MLP zeroed; all cells"},
    {"ablation_mlp_mean", "nats", CROSS "every activation replaced by its mean over the cells; all cells"},
    {"ablation_mlp_only", "nats", CROSS "only W_L times the activations: all that passes by the MLP zeroed; all cells"},
    {"ablation_head<head>_zero", "nats", CROSS "one attention head's output zeroed; all cells"},
    {"ablation_project_on", "nats", CROSS "activations projected on the key directions, plus their mean; kept cells"},
    {"ablation_project_off", "nats", CROSS "activations less their projection on the key directions; kept cells"},
    {"ablation_polynomial", "nats",
     CROSS "neurons over .85 explained replaced by their one-frequency polynomial; kept cells"},
    {"ablation_polynomial_all", "nats", CROSS "every neuron replaced by its one-frequency polynomial; kept cells"},
    {"ablation_<part>_mse", "1", "the same as mean squared error; squared-error methods only"},
    {0}};

/* One way to change activations of the cells of a block. */
typedef enum change { KEEP, ZERO, MEAN, ONLY, PROJECT_ON, PROJECT_OFF, POLYNOMIAL, POLYNOMIAL_ALL } change;

typedef struct ablation {
    gk_probe *probe;
    const gk_sink *sink;
    double temperature;
    int width;
    int32_t *cells, *labels; /* of the block */
    double *activations, *outputs;
    double *mean;          /* [width] over all cells */
    double *wl;            /* [p,width] */
    double *bias;          /* [p] the output bias of the MLP as logits, zero without one */
    double *projection;    /* [m,width] key part of the activations as a function of the answer's exponent */
    double *polynomial[4]; /* [m,width] each: the one-frequency polynomial's parts over i, j, i + j, i - j */
    gk_neuron_spectrum spectrum;
} ablation;

static const gk_tensor *find(const gk_tensor *tensors, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    }
    return NULL;
}

static double number(const gk_tensor *t, size_t i)
{
    return t->dtype == GK_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* b_out W_U: what from_neurons adds whatever the activations. */
static void take_bias(ablation *a)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = a->probe->method->tensors(a->probe->model, GK_WEIGHTS, tensors);
    const gk_tensor *b = find(tensors, n, "blocks.0.mlp.b_out"), *u = find(tensors, n, "unembed.W_U");
    if (!b || !u) return;
    for (int64_t d = 0; d < b->shape[0]; d++) {
        for (int c = 0; c < a->probe->p; c++)
            a->bias[c] += number(b, (size_t)d) * number(u, (size_t)(d * u->shape[1] + c));
    }
}

static void take_mean(ablation *a, int n)
{
    for (int c = 0; c < n; c++) {
        const double *row = a->activations + (size_t)c * (size_t)a->width;
        for (int w = 0; w < a->width; w++) a->mean[w] += row[w] / a->probe->n_cells;
    }
}

/* value [m,width] += F' restricted to frequency k of a marginal's transform, times weight, for the neurons that `use`
 * it */
static void add_frequency(double *value, const double *transformed, const gk_group *g, int k, int width, double weight,
                          const int *best)
{
    const size_t m = (size_t)g->m, columns = (size_t)width;
    for (int d = 0; d < gk_group_directions(g, k); d++) {
        const size_t f = gk_group_row(k) + (size_t)d;
        const double *row = transformed + f * columns;
        for (size_t s = 0; s < m; s++) {
            const double basis = weight * g->basis[f * m + s];
            for (size_t w = 0; w < columns; w++) {
                if (!best || best[w] == k) value[s * columns + w] += basis * row[w];
            }
        }
    }
}

static int take_spectrum(ablation *a, const gk_reference *reference)
{
    const gk_group *g = &a->probe->group;
    const size_t table = (size_t)g->m * (size_t)a->width;
    int code = gk_neuron_spectrum_init(&a->spectrum, a->probe);
    if (code != GK_OK) return code;
    a->projection = gk_calloc(5 * table, sizeof(double));
    if (!a->projection) return GK_FAILED;
    for (size_t t = 0; t < 4; t++) a->polynomial[t] = a->projection + (t + 1) * table;
    for (int i = 0; reference && i < reference->n_key; i++)
        add_frequency(a->projection, a->spectrum.marginal[2], g, reference->key[i], a->width, 1.0 / g->m, NULL);
    for (int t = 0; t < 4; t++) {
        for (int k = 1; k <= g->m / 2; k++) {
            if (t == 3 && 2 * k == g->m) continue; /* the same direction as i + j */
            add_frequency(a->polynomial[t], a->spectrum.marginal[t], g, k, a->width, 1.0 / g->m, a->spectrum.best);
        }
    }
    return GK_OK;
}

/* The activations of one kept cell after the change. Means over the kept cells come from the spectrum's constant row.
 */
static void change_cell(const ablation *a, change how, int32_t cell, double *row)
{
    const gk_group *g = &a->probe->group;
    const size_t m = (size_t)g->m, columns = (size_t)a->width;
    const size_t i = (size_t)g->x[cell / a->probe->p], j = (size_t)g->y[cell % a->probe->p];
    const size_t sum = (i + j) % m, difference = (i + m - j) % m;
    for (size_t w = 0; w < columns; w++) {
        const double mean = a->spectrum.marginal[0][w] / ((double)m * sqrt((double)m));
        const double key = a->projection[sum * columns + w];
        if (how == PROJECT_ON) row[w] = mean + key;
        if (how == PROJECT_OFF) row[w] -= key;
        if (how != POLYNOMIAL_ALL && (how != POLYNOMIAL || a->spectrum.fraction[w] <= NEURON_EXPLAINED)) continue;
        row[w] = mean + a->polynomial[0][i * columns + w] + a->polynomial[1][j * columns + w] +
                 a->polynomial[2][sum * columns + w] + a->polynomial[3][difference * columns + w];
    }
}

static void change_block(const ablation *a, change how, int n)
{
    const size_t columns = (size_t)a->width;
    if (how == ZERO) memset(a->activations, 0, (size_t)n * columns * sizeof(double));
    for (int c = 0; c < n; c++) {
        double *row = a->activations + (size_t)c * columns;
        if (how == MEAN) memcpy(row, a->mean, columns * sizeof(double));
        if (how >= PROJECT_ON) change_cell(a, how, a->cells[c], row);
    }
}

/* Outputs [n,p] of a block whose activations stand changed. */
static int block_outputs(ablation *a, change how, int n)
{
    const int p = a->probe->p;
    if (how == ONLY) {
        gk_gemm(false, true, n, p, a->width, 1, a->activations, a->width, a->wl, a->width, 0, a->outputs, p);
        return GK_OK;
    }
    int code = a->probe->method->from_neurons(a->probe->model, a->cells, n, a->activations, a->outputs);
    if (how != ZERO) return code;
    for (int c = 0; c < n; c++) {
        for (int k = 0; k < p; k++) a->outputs[c * p + k] -= a->bias[k];
    }
    return code;
}

/* Takes the next cells, from row *at on, into the block; kept cells only where the change needs exponents. */
static int next_block(ablation *a, bool kept_only, int *at)
{
    const gk_probe *probe = a->probe;
    int n = 0;
    for (; *at < probe->n_cells && n < NEURON_BLOCK; ++*at) {
        if (kept_only && probe->group.sum_of[probe->cells[*at]] < 0) continue;
        a->cells[n] = probe->cells[*at];
        a->labels[n++] = probe->labels[*at];
    }
    return n;
}

static int emit_losses(const ablation *a, const char *part, int head, double sum, double mse_sum, int n)
{
    char *name = head < 0 ? gk_text("ablation_%s", part) : gk_text("ablation_head%d_zero", head);
    char *mse = name && a->probe->squared ? gk_text("%s_mse", name) : NULL;
    int code = name ? gk_emit(a->sink, name, sum / n) : GK_FAILED;
    if (code == GK_OK && a->probe->squared) code = mse ? gk_emit(a->sink, mse, mse_sum / n) : GK_FAILED;
    free(name);
    free(mse);
    return code;
}

/* One pass over the cells: change (head < 0) or without_head, loss, emission. */
static int ablate(ablation *a, const char *part, change how, int head)
{
    const gk_method *method = a->probe->method;
    const int p = a->probe->p;
    double sum = 0, mse_sum = 0;
    int at = 0, total = 0, n;
    while ((n = next_block(a, how >= PROJECT_ON, &at)) > 0) {
        int code;
        if (head >= 0) {
            code = method->without_head(a->probe->model, a->cells, n, head, a->outputs);
        } else if ((code = method->neurons(a->probe->model, a->cells, n, a->activations)) == GK_OK) {
            if (how == KEEP) take_mean(a, n);
            change_block(a, how, n);
            code = block_outputs(a, how, n);
        }
        if (code != GK_OK) return code;
        sum += n * gk_cross_entropy(a->outputs, p, n, p, a->temperature, a->labels);
        mse_sum += n * gk_squared_error(a->outputs, p, n, p, a->labels);
        total += n;
    }
    return emit_losses(a, part, head, sum, mse_sum, total);
}

static int ablate_all(ablation *a, const gk_reference *reference)
{
    const gk_method *method = a->probe->method;
    const int heads = method->heads && method->without_head ? method->heads(a->probe->model) : 0;
    int code = ablate(a, "none", KEEP, -1); /* first: it also takes the mean */
    if (code == GK_OK) code = ablate(a, "mlp_zero", ZERO, -1);
    if (code == GK_OK) code = ablate(a, "mlp_mean", MEAN, -1);
    if (code == GK_OK) code = ablate(a, "mlp_only", ONLY, -1);
    for (int h = 0; code == GK_OK && h < heads; h++) code = ablate(a, "head", KEEP, h);
    if (code != GK_OK || a->probe->group.m == 0) return code;
    if ((code = take_spectrum(a, reference)) != GK_OK) return code;
    if (reference && reference->n_key > 0) {
        code = ablate(a, "project_on", PROJECT_ON, -1);
        if (code == GK_OK) code = ablate(a, "project_off", PROJECT_OFF, -1);
    }
    if (code == GK_OK) code = ablate(a, "polynomial", POLYNOMIAL, -1);
    return code == GK_OK ? ablate(a, "polynomial_all", POLYNOMIAL_ALL, -1) : code;
}

static int compute(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    const gk_method *method = probe->method;
    if (!method->neurons || !method->from_neurons || !method->neuron_logit || !method->width) return GK_OK;
    ablation a = {.probe = probe, .sink = sink, .width = method->width(probe->model)};
    const size_t width = (size_t)a.width, p = (size_t)probe->p, block = NEURON_BLOCK;
    double *memory = gk_calloc(block * (width + p + 1) + width + p * width + p, sizeof *memory);
    int code = GK_FAILED;
    if (memory) {
        a.activations = memory;
        a.outputs = a.activations + block * width;
        a.mean = a.outputs + block * p;
        a.wl = a.mean + width;
        a.bias = a.wl + p * width;
        a.cells = (int32_t *)(void *)(a.bias + p);
        a.labels = a.cells + block;
        a.temperature = gk_probe_temperature(probe);
        take_bias(&a);
        code = method->neuron_logit(probe->model, a.wl);
        if (code == GK_OK) code = ablate_all(&a, reference);
    }
    gk_neuron_spectrum_free(&a.spectrum);
    free(a.projection);
    free(memory);
    return code;
}

const gk_measure gk_measure_ablation = {.family = "ablation", .names = names, .by_default = false, .compute = compute};
