/* fourier.c: which frequencies the weights and the outputs live on. Nanda et al. 2023, section 4; over the right group
 * for every task, and for every method that has the quantity. */
#include "measure.h"
#include "gk_fourier.h"
#include "gk_matrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double row_norm(const double *row, int n)
{
    return sqrt(gk_norm_sq(row, (size_t)n));
}

/* ---- the class side: F W_L, rows in the order of the exponents ---- */

/* transformed [m,width] = F W_L; NULL with an error line. The gathered W_L itself goes to *gathered. */
static double *neuron_logit_spectrum(gk_probe *probe, int *width, double **gathered)
{
    const gk_group *g = &probe->group;
    const double *w = gk_probe_neuron_logit(probe, width);
    const size_t size = (size_t)g->m * (size_t)*width;
    *gathered = w ? gk_probe_work(probe, 0, 2 * size) : NULL;
    if (!*gathered) return NULL;
    gk_group_transform(g, w, *width, g->class_of, *gathered, *gathered + size);
    return *gathered + size;
}

/* ---- the token side: |W_E F_f| ---- */

/* norms[f] over all rows of the embedding. Without attention the rows are W1's two halves, of x and of y; each is put
 * in the order of its own exponents. */
static int embed_norms(gk_probe *probe, double *norms)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m, p = (size_t)probe->p, rows = (size_t)probe->method->embed_rows(probe->model);
    const bool shared = probe->method->heads && probe->method->heads(probe->model) > 0;
    double *embed = gk_probe_work(probe, 0, rows * (p + 2 * m));
    if (!embed || probe->method->embed(probe->model, embed) != GK_OK) return GK_FAILED;
    double *ordered = embed + rows * p, *transformed = ordered + rows * m;
    for (size_t r = 0; r < rows; r++) {
        const int32_t *of = shared || r < rows / 2 ? g->x_of : g->y_of;
        for (size_t a = 0; a < m; a++) ordered[r * m + a] = embed[r * p + (size_t)of[a]];
    }
    gk_gemm(false, true, (int)rows, g->m, g->m, 1, ordered, g->m, g->basis, g->m, 0, transformed, g->m);
    memset(norms, 0, m * sizeof *norms);
    for (size_t r = 0; r < rows; r++) {
        for (size_t f = 0; f < m; f++) norms[f] += transformed[r * m + f] * transformed[r * m + f];
    }
    for (size_t f = 0; f < m; f++) norms[f] = sqrt(norms[f]);
    return GK_OK;
}

static const gk_metric_name gini_names[] = {
    {"gini_embed", "1",
     "Gini coefficient of |W_E F_f| over the rows f of the Fourier basis (for the mlp: both halves of W1)"},
    {"gini_neuron_logit", "1", "Gini coefficient of |F_f W_L| over the rows f of the Fourier basis"},
    {0}};

static int compute_gini(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    const int m = probe->group.m;
    int code = GK_OK, width;
    if (m == 0) return GK_OK;
    double *norms = gk_probe_work(probe, 1, (size_t)m), *gathered;
    if (!norms) return GK_FAILED;
    if (probe->method->embed && probe->method->embed_rows) {
        if ((code = embed_norms(probe, norms)) != GK_OK) return code;
        code = gk_emit(sink, "gini_embed", gk_gini(norms, m));
    }
    if (code != GK_OK || !gk_probe_has_neurons(probe)) return code;
    const double *spectrum = neuron_logit_spectrum(probe, &width, &gathered);
    if (!spectrum) return GK_FAILED;
    for (int f = 0; f < m; f++) norms[f] = row_norm(spectrum + (size_t)f * (size_t)width, width);
    return gk_emit(sink, "gini_neuron_logit", gk_gini(norms, m));
}

const gk_measure gk_measure_gini = {.family = "gini", .names = gini_names, .by_default = true, .compute = compute_gini};

/* ---- the outputs: alpha_k = <L, C_k>, C_k the unit tensor cos(2 pi k (x + y - c) / m) ---- */

/* alpha[1..m/2] from T[d], the sum of S[s,c] over s - c = d: one pass over S and a cosine transform of length m. */
static int cosine_coefficients(gk_probe *probe, double *alpha)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m;
    const double *sums = gk_probe_sums(probe);
    double *t = gk_calloc(m, sizeof *t);
    if (!sums || !t) {
        free(t);
        return GK_FAILED;
    }
    for (size_t s = 0; s < m; s++) {
        const double *row = sums + s * (size_t)probe->p;
        for (size_t c = 0; c < m; c++) t[(s + m - c) % m] += row[g->class_of[c]];
    }
    for (size_t k = 1; k <= m / 2; k++) {
        double sum = 0;
        for (size_t d = 0; d < m; d++) sum += g->cosine[k * d % m] * t[d];
        const double cube = (double)m * (double)m * (double)m;
        alpha[k] = sum * sqrt(gk_group_directions(g, (int)k) / cube);
    }
    free(t);
    return GK_OK;
}

static const gk_metric_name key_names[] = {
    {"logit_fve", "1",
     "share of |L|^2, each cell's mean over the classes removed, explained by cos k(x+y-c) over the key frequencies"},
    {"logit_fve_raw", "1", "logit_fve without removing the mean over the classes, which drifts in a trained network"},
    {"cos_coefficient_k<freq>", "1", "coefficient of L on the unit tensor cos(2 pi k (x+y-c) / p), key frequency k"},
    {"wl_residual", "1", "|W_L - its part on the key frequencies|_F / |W_L|_F"},
    {0}};

static int emit_residual(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    const gk_group *g = &probe->group;
    int width;
    double *gathered;
    const double *spectrum = neuron_logit_spectrum(probe, &width, &gathered);
    if (!spectrum) return GK_FAILED;
    double left = 0, all = gk_norm_sq(gathered, (size_t)g->m * (size_t)width);
    for (int f = 0; f < g->m; f++) {
        bool key = false;
        for (int i = 0; i < reference->n_key; i++) key = key || (f > 0 && (f + 1) / 2 == reference->key[i]);
        if (!key) left += gk_norm_sq(spectrum + (size_t)f * (size_t)width, (size_t)width);
    }
    return gk_emit(sink, "wl_residual", sqrt(left / all));
}

static int compute_key(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    const int m = probe->group.m;
    if (!reference || reference->n_key == 0 || m == 0) return GK_OK;
    const gk_output_totals *totals = gk_probe_totals(probe);
    double *alpha = totals ? gk_probe_work(probe, 1, (size_t)m) : NULL, explained = 0;
    int code = alpha ? cosine_coefficients(probe, alpha) : GK_FAILED;
    for (int i = 0; code == GK_OK && i < reference->n_key; i++) {
        const int k = reference->key[i];
        if (k < 1 || k > m / 2) return gk_error(GK_USAGE, "key frequency %d is not in 1..%d", k, m / 2);
        explained += alpha[k] * alpha[k];
        code = gk_emit_indexed(sink, "cos_coefficient_k", k, alpha[k]);
    }
    if (code != GK_OK) return code;
    code = gk_emit(sink, "logit_fve", explained / totals->centred);
    if (code == GK_OK) code = gk_emit(sink, "logit_fve_raw", explained / totals->raw);
    return code == GK_OK && gk_probe_has_neurons(probe) ? emit_residual(probe, reference, sink) : code;
}

const gk_measure gk_measure_key = {
    .family = "key", .names = key_names, .by_default = true, .needs_reference = true, .compute = compute_key};

/* ---- which frequencies are the key ones ---- */

static int strength_of_outputs(gk_probe *probe, double *strength)
{
    int code = cosine_coefficients(probe, strength);
    for (int k = 1; k <= probe->group.m / 2; k++) strength[k] = fabs(strength[k]);
    return code;
}

static int strength_of_weights(gk_probe *probe, double *strength)
{
    int width;
    double *gathered;
    const double *spectrum = neuron_logit_spectrum(probe, &width, &gathered);
    if (!spectrum) return GK_FAILED;
    for (int k = 1; k <= probe->group.m / 2; k++) {
        const int rows = gk_group_directions(&probe->group, k);
        strength[k] = row_norm(spectrum + gk_group_row(k) * (size_t)width, rows * width);
    }
    return GK_OK;
}

/* The notebook's rule: every neuron's best frequency, strong or not. */
static int strength_of_neurons(gk_probe *probe, double *strength)
{
    gk_neuron_spectrum spectrum;
    int code = gk_neuron_spectrum_init(&spectrum, probe);
    if (code != GK_OK) return code;
    memset(strength, 0, ((size_t)probe->group.m / 2 + 1) * sizeof *strength);
    for (int i = 0; i < spectrum.width; i++) {
        if (spectrum.fraction[i] > 0) strength[spectrum.best[i]] = 1;
    }
    gk_neuron_spectrum_free(&spectrum);
    return GK_OK;
}

int gk_measure_key_frequencies(gk_probe *probe, gk_key_rule rule, gk_reference *reference)
{
    const int m = probe->group.m;
    int code;
    reference->n_key = 0;
    if (m == 0) return GK_OK;
    if (!gk_probe_has_neurons(probe)) rule = GK_KEYS_OUTPUTS;
    reference->rule = rule;
    double *strength = gk_probe_work(probe, 1, (size_t)m / 2 + 1), largest = 0;
    if (!strength) return GK_FAILED;
    switch (rule) {
    case GK_KEYS_WEIGHTS:
        code = strength_of_weights(probe, strength);
        break;
    case GK_KEYS_NEURONS:
        code = strength_of_neurons(probe, strength);
        break;
    default:
        code = strength_of_outputs(probe, strength);
        break;
    }
    if (code != GK_OK) return code;
    for (int k = 1; k <= m / 2; k++) largest = fmax(largest, strength[k]);
    for (int k = 1; k <= m / 2; k++) {
        if (largest > 0 && strength[k] > largest / 4) reference->key[reference->n_key++] = k;
    }
    return GK_OK;
}

const char *const gk_key_rules[] = {"neuron_logit", "outputs", "neurons", NULL};

char *gk_measure_key_json(const gk_probe *probe, const gk_reference *reference)
{
    char *text = gk_alloc(128 + 8 * (size_t)reference->n_key, 1);
    if (!text) return NULL;
    int at = sprintf(text, "{\"frequencies\":[");
    for (int i = 0; i < reference->n_key; i++) at += sprintf(text + at, "%s%d", i ? "," : "", reference->key[i]);
    sprintf(text + at, "],\"modulus\":%d,\"rule\":\"%s\"}", probe->group.m,
            gk_key_rules[reference->rule]);
    return text;
}
