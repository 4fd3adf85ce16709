/* probe.c: one model at one step, with what several measures need computed once, when first asked for. */
#include "measure.h"
#include "gk_matrix.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool trains_on_squared_error(const gk_config *config)
{
    const gk_setting *loss = gk_config_find(config, "loss");
    return !loss || strcmp(loss->text, "mse") == 0; /* a kernel machine has no such key: ridge regression */
}

int gk_probe_new(gk_probe **out, const gk_method *method, gk_model *model, const gk_split *split,
                 const gk_config *config)
{
    const size_t p = (size_t)split->task.p, n = (size_t)split->task.n_pairs;
    *out = NULL;
    gk_probe *probe = gk_calloc(1, sizeof *probe);
    if (!probe) return GK_FAILED;
    probe->method = method;
    probe->model = model;
    probe->split = split;
    probe->config = config;
    probe->p = split->task.p;
    probe->squared = trains_on_squared_error(config);
    probe->row = gk_alloc(p * p + 3 * n, sizeof *probe->row);
    probe->line = gk_alloc(PROBE_ROWS * p, sizeof *probe->line);
    if (!probe->row || !probe->line || gk_group_init(&probe->group, &split->task) != GK_OK) {
        gk_probe_free(probe);
        return GK_FAILED;
    }
    probe->cells = probe->row + p * p;
    probe->labels = probe->cells + n;
    for (int cell = 0; cell < probe->p * probe->p; cell++) {
        probe->row[cell] = -1;
        if (split->task.labels[cell] < 0) continue;
        probe->row[cell] = probe->n_cells;
        probe->cells[probe->n_cells] = cell;
        probe->labels[probe->n_cells++] = split->task.labels[cell];
    }
    assert(probe->n_cells == split->task.n_pairs);
    probe->train_row = probe->labels + n;
    for (int r = 0; r < probe->n_cells; r++) probe->train_row[r] = -1;
    for (int i = 0; i < split->n_train; i++) probe->train_row[probe->row[split->train[i]]] = i;
    *out = probe;
    return GK_OK;
}

static void free_work(gk_probe *probe)
{
    for (int i = 0; i < 6; i++) {
        free(probe->work[i]);
        probe->work[i] = NULL;
        probe->work_size[i] = 0;
    }
}

void gk_probe_free(gk_probe *probe)
{
    if (!probe) return;
    for (int i = 0; i < probe->n_features; i++) free(probe->features[i].data);
    free_work(probe);
    free(probe->outputs);
    free(probe->line);
    free(probe->logit);
    free(probe->sums);
    free(probe->row);
    gk_group_free(&probe->group);
    free(probe);
}

void gk_probe_renew(gk_probe *probe)
{
    probe->fresh_outputs = probe->fresh_logit = probe->looked = false;
    probe->rows.left = 0;
    probe->train = (gk_train_rows){NULL, NULL};
    for (int i = 0; i < probe->n_features; i++) probe->features[i].fresh = false;
}

void gk_probe_rest(gk_probe *probe)
{
    gk_probe_renew(probe);
    free_work(probe);
}

double *gk_probe_work(gk_probe *probe, int slot, size_t count)
{
    assert(slot >= 0 && slot < 6);
    if (probe->work_size[slot] < count) {
        free(probe->work[slot]);
        probe->work[slot] = gk_alloc(count, sizeof(double));
        probe->work_size[slot] = probe->work[slot] ? count : 0;
    }
    return probe->work[slot];
}

/* Memory for L where the model does not keep it. */
static int take_outputs(gk_probe *probe)
{
    const size_t size = (size_t)probe->n_cells * (size_t)probe->p;
    if (!probe->kept && !probe->outputs) probe->outputs = gk_alloc(size, sizeof *probe->outputs);
    return probe->kept || probe->outputs
               ? GK_OK
               : gk_error(GK_FAILED, "out of memory for the outputs of all %d cells that measures look at, %.1f GB; a run with"
                                     " measures = none does without them",
                          probe->n_cells, (double)size * sizeof(double) / 1e9);
}

gk_output_rows *gk_probe_rows(gk_probe *probe)
{
    if (probe->fresh_outputs || probe->method->outputs) return NULL;
    probe->kept = NULL;
    if (take_outputs(probe) != GK_OK) return NULL;
    probe->rows = (gk_output_rows){.rows = probe->outputs, .row = probe->row};
    return &probe->rows;
}

int gk_probe_outputs(gk_probe *probe)
{
    if (probe->fresh_outputs) return GK_OK;
    const gk_method *method = probe->method;
    probe->kept = NULL;
    int code = method->outputs ? method->outputs(probe->model, &probe->kept) : GK_OK;
    if (code == GK_OK) code = take_outputs(probe);
    if (code == GK_OK && !probe->kept && probe->rows.left != probe->n_cells)
        code = method->predict(probe->model, probe->cells, probe->n_cells, probe->outputs);
    probe->fresh_outputs = code == GK_OK;
    return code;
}

const double *gk_probe_row(gk_probe *probe, int r)
{
    const size_t p = (size_t)probe->p;
    assert(probe->fresh_outputs);
    if (probe->train.single || probe->train.wide) {
        const int32_t at = probe->train_row[r];
        assert(at >= 0);
        if (probe->train.wide) return probe->train.wide + (size_t)at * p;
        gk_widen(probe->line, probe->train.single + (size_t)at * p, p);
        return probe->line;
    }
    if (!probe->kept) return probe->outputs + (size_t)r * p;
    const float *from = probe->kept + probe->cells[r];
    for (size_t c = 0; c < p; c++) probe->line[c] = (double)from[c * p * p];
    return probe->line;
}

const double *gk_probe_rows_from(gk_probe *probe, int r, int *count)
{
    const size_t p = (size_t)probe->p;
    *count = probe->n_cells - r < PROBE_ROWS ? probe->n_cells - r : PROBE_ROWS;
    assert(probe->fresh_outputs && !probe->train.single && !probe->train.wide);
    if (!probe->kept) return probe->outputs + (size_t)r * p;
    for (size_t c = 0; c < p; c++) {
        const float *from = probe->kept + c * p * p;
        for (int i = 0; i < *count; i++) probe->line[(size_t)i * p + c] = (double)from[probe->cells[r + i]];
    }
    return probe->line;
}

bool gk_probe_has_neurons(const gk_probe *probe)
{
    return probe->group.m > 0 && probe->method->width && probe->method->neuron_logit;
}

double *gk_probe_take_logit(gk_probe *probe)
{
    const size_t width = (size_t)probe->method->width(probe->model);
    if (!probe->logit) probe->logit = gk_alloc((size_t)probe->p * width, sizeof *probe->logit);
    return probe->logit;
}

const double *gk_probe_neuron_logit(gk_probe *probe, int *width)
{
    *width = probe->method->width(probe->model);
    if (probe->fresh_logit) return probe->logit;
    double *logit = gk_probe_take_logit(probe);
    if (!logit || probe->method->neuron_logit(probe->model, logit) != GK_OK) return NULL;
    probe->fresh_logit = true;
    return logit;
}

/* The sum of squares of row [n] less its mean, which goes to *mean. */
GK_HOT static double centred_sum_sq(const double *row, int n, double *mean)
{
    double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < n; c++) sum += row[c];
    const double middle = *mean = sum / n;
#pragma omp simd reduction(+ : squares)
    for (int c = 0; c < n; c++) squares += (row[c] - middle) * (row[c] - middle);
    return squares;
}

int gk_probe_take_sums(gk_probe *probe)
{
    const size_t size = (size_t)probe->group.m * (size_t)probe->p;
    if (!probe->sums && size > 0) probe->sums = gk_alloc(size, sizeof(double));
    return probe->sums || size == 0 ? GK_OK : GK_FAILED;
}

/* All that is summed over the outputs in one pass over their rows, which cost more to fetch than to sum where they lie
 * class by class. */
static int look(gk_probe *probe)
{
    const gk_group *g = &probe->group;
    const int p = probe->p, left_out = p - g->m; /* 1: class 0 has no logarithm */
    if (probe->looked) return GK_OK;
    if (gk_probe_outputs(probe) != GK_OK || gk_probe_take_sums(probe) != GK_OK) return GK_FAILED;
    if (g->m > 0) memset(probe->sums, 0, (size_t)g->m * (size_t)p * sizeof(double));
    double squares = 0, mean;
    const double *rows = NULL;
    gk_output_totals totals = {0};
    for (int r = 0, next = 0, count = 0; r < probe->n_cells; r++) {
        if (r == next) {
            rows = gk_probe_rows_from(probe, r, &count);
            next += count;
        }
        const int32_t s = g->m > 0 ? g->sum_of[probe->cells[r]] : -1;
        const double *row = rows + (size_t)(count - (next - r)) * (size_t)p, about_mean = centred_sum_sq(row, p, &mean);
        squares += about_mean;
        if (s < 0) continue;
        gk_add_to(probe->sums + (size_t)s * (size_t)p, row, (size_t)p);
        const double centred = left_out ? centred_sum_sq(row + left_out, g->m, &mean) : about_mean;
        totals.centred += centred;
        totals.raw += centred + g->m * mean * mean;
    }
    totals.scale = sqrt(squares / ((double)probe->n_cells * p));
    probe->totals = totals;
    probe->looked = true;
    return GK_OK;
}

const double *gk_probe_sums(gk_probe *probe)
{
    assert(probe->group.m > 0);
    return look(probe) == GK_OK ? probe->sums : NULL;
}

const gk_output_totals *gk_probe_totals(gk_probe *probe)
{
    return look(probe) == GK_OK ? &probe->totals : NULL;
}

double gk_probe_scale(gk_probe *probe)
{
    return look(probe) == GK_OK ? probe->totals.scale : NAN;
}

bool gk_probe_has_feature(const gk_probe *probe, const char *kind)
{
    if (strcmp(kind, "sqrt_agop") == 0) kind = "agop";
    for (const char *const *k = probe->method->feature_kinds; k && *k; k++) {
        if (strcmp(*k, kind) == 0) return true;
    }
    return false;
}

/* The entry for a kind, with memory for [n,n]; NULL with an error line. */
static probe_feature *feature_slot(gk_probe *probe, const char *kind, int n)
{
    for (int i = 0; i < probe->n_features; i++) {
        if (strcmp(probe->features[i].kind, kind) == 0) return &probe->features[i];
    }
    assert(probe->n_features < PROBE_FEATURES);
    probe_feature *f = &probe->features[probe->n_features];
    f->data = gk_alloc((size_t)n * (size_t)n + (size_t)n, sizeof(double));
    if (!f->data) return NULL;
    f->values = strcmp(kind, "sqrt_agop") == 0 ? f->data + (size_t)n * (size_t)n : NULL;
    snprintf(f->kind, sizeof f->kind, "%s", kind);
    f->n = n;
    f->fresh = false;
    probe->n_features++;
    return f;
}

/* f->data = the symmetric square root of the AGOP */
static int take_root(gk_probe *probe, probe_feature *f)
{
    const double *agop;
    int n;
    int code = gk_probe_feature(probe, "agop", &agop, &n);
    if (code != GK_OK) return code;
    code = gk_sym_power_values(f->data, f->values, agop, n, 0.5);
    return code == GK_OK ? code : gk_error(code, "root of the AGOP: %s", gk_error_text());
}

int gk_probe_feature(gk_probe *probe, const char *kind, const double **out, int *n)
{
    const bool root = strcmp(kind, "sqrt_agop") == 0;
    const char *raw = root ? "agop" : kind;
    if (!gk_probe_has_feature(probe, kind))
        return gk_error(GK_NOTFOUND, "method %s has no feature matrix '%s'", probe->method->name, kind);
    probe_feature *f = feature_slot(probe, kind, probe->method->feature_size(probe->model, raw));
    if (!f) return GK_FAILED;
    *n = f->n;
    *out = f->data;
    if (f->fresh) return GK_OK;
    const int code = root ? take_root(probe, f) : probe->method->feature(probe->model, raw, f->data);
    if (code != GK_OK) return code;
    f->fresh = true;
    f->given = false;
    return GK_OK;
}

int gk_probe_give_feature(gk_probe *probe, const char *kind, const double *data, int n)
{
    probe_feature *f = feature_slot(probe, kind, n);
    if (!f) return GK_FAILED;
    assert(f->n == n);
    memcpy(f->data, data, (size_t)n * (size_t)n * sizeof *data);
    f->fresh = f->given = true;
    return GK_OK;
}

const char *gk_probe_structural_kind(const gk_probe *probe)
{
    const char *kind = gk_probe_has_feature(probe, "metric") ? "metric" : "sqrt_agop";
    return gk_probe_has_feature(probe, kind) ? kind : NULL;
}

int gk_probe_structural(gk_probe *probe, const double **out, int *n)
{
    const char *kind = gk_probe_structural_kind(probe);
    *out = NULL;
    return kind ? gk_probe_feature(probe, kind, out, n) : GK_OK;
}

int gk_probe_structural_rank(gk_probe *probe, double *rank)
{
    const double *matrix;
    int n;
    const int code = gk_probe_structural(probe, &matrix, &n);
    if (code != GK_OK) return code;
    for (int i = 0; i < probe->n_features; i++) {
        if (probe->features[i].data != matrix || !probe->features[i].values || probe->features[i].given) continue;
        *rank = gk_effective_rank_of(probe->features[i].values, n);
        return GK_OK;
    }
    return gk_effective_rank(matrix, n, rank);
}

int gk_measure_matrices(gk_probe *probe, const gk_sink *sink)
{
    static const char *const kinds[] = {"agop", "sqrt_agop", "nfm", "metric"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int n;
        if (!gk_probe_has_feature(probe, kinds[i])) continue;
        /* a kernel machine's next metric is the root of this AGOP: no second copy, no second eigenproblem */
        if (strcmp(kinds[i], "sqrt_agop") == 0 && gk_probe_has_feature(probe, "metric")) continue;
        const double *matrix;
        int code = gk_probe_feature(probe, kinds[i], &matrix, &n);
        if (code == GK_OK) code = sink->matrix(sink->context, kinds[i], matrix, n);
        if (code != GK_OK) return code;
    }
    return GK_OK;
}

int gk_emit(const gk_sink *sink, const char *name, double value)
{
    return sink->value(sink->context, name, value);
}

int gk_emit_indexed(const gk_sink *sink, const char *prefix, int index, double value)
{
    char name[64];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return gk_emit(sink, name, value);
}
