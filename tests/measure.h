/* measure.h: a learner that is only tables of random numbers, and a sink that remembers: what the tests of src/measure
 * share. The tables are the same draws in the same order as in tests/oracle_measure.py. */
#ifndef GK_TESTS_MEASURE_H
#define GK_TESTS_MEASURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gk_matrix.h"
#include "gk_measure.h"

/* ---- a sink that remembers ---- */

enum { RECORDS_MAX = 2048 };

typedef struct record {
    char name[80];
    double value;
    bool expected; /* by the fixture */
} record;

typedef struct records {
    record of[RECORDS_MAX];
    int n;
    char event[64], detail[512]; /* the last event */
    char matrices[128];          /* kinds, each followed by a space */
} records;

static inline int remember_value(void *context, const char *name, double value)
{
    records *r = context;
    assert_true(r->n < RECORDS_MAX);
    snprintf(r->of[r->n].name, sizeof r->of[r->n].name, "%s", name);
    r->of[r->n].value = value;
    r->of[r->n++].expected = false;
    return GK_OK;
}

static inline int remember_matrix(void *context, const char *kind, const double *data, int n)
{
    records *r = context;
    assert_true(n > 0 && isfinite(data[(size_t)n * (size_t)n - 1]));
    strcat(strcat(r->matrices, kind), " ");
    return GK_OK;
}

static inline int remember_event(void *context, const char *kind, const char *detail)
{
    records *r = context;
    snprintf(r->event, sizeof r->event, "%s", kind);
    snprintf(r->detail, sizeof r->detail, "%s", detail);
    return GK_OK;
}

static inline gk_sink remembering(records *r)
{
    memset(r, 0, sizeof *r);
    return (gk_sink){.context = r, .value = remember_value, .matrix = remember_matrix, .event = remember_event};
}

static inline record *recorded(records *r, const char *name)
{
    for (int i = 0; i < r->n; i++) {
        if (strcmp(r->of[i].name, name) == 0) return &r->of[i];
    }
    return NULL;
}

/* ---- the learner ---- */

enum { FAKE_WIDTH = 6, FAKE_ROWS = 12, FAKE_D = 4 };

struct gk_model {
    gk_random random;
    int p, heads;
    bool kernel; /* outputs and a metric only */
    double *base, *neurons, *wl, *embed, *b_out, *w_u, *agop, *nfm, *metric, *final_m;
    float *w_u_float;
    int predictions; /* calls of predict and of feature: what a probe computes twice shows here */
    int features;
};

static inline double *fake_draw(gk_model *m, size_t n)
{
    double *out = malloc(n * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) out[i] = (double)(gk_random_raw(&m->random) >> 11) * 0x1p-53 - 0.5;
    return out;
}

static inline double *fake_gram(gk_model *m)
{
    const int n = 2 * m->p;
    double *a = fake_draw(m, (size_t)n * (size_t)n), *out = malloc((size_t)n * (size_t)n * sizeof *out);
    gk_gram(false, n, n, 1, a, n, 0, out, n);
    free(a);
    return out;
}

static inline void fake_plant(gk_model *m)
{
    const double turn = 2 * acos(-1.0) / m->p;
    const int p = m->p;
    for (int a = 0; a < p; a++) {
        for (int w = 0; w < FAKE_WIDTH; w++) m->wl[a * FAKE_WIDTH + w] += cos(2 * turn * a);
    }
    for (int x = 0; x < p; x++) {
        for (int y = 0; y < p; y++) {
            const int cell = x * p + y;
            for (int c = 0; c < p; c++) m->base[cell * p + c] += cos(2 * turn * (x + y - c));
            double *neuron = m->neurons + cell * FAKE_WIDTH;
            neuron[0] = 0.3 * neuron[0] + cos(turn * (x + y)) + 0.5 * sin(turn * x) + 2;
            neuron[1] = 0.1;
            neuron[2] += (x + y) % 2 ? -0.35 : 0.35;
        }
    }
}

static inline void fake_init(gk_model *m, int p, const char *kind)
{
    const size_t size = (size_t)p;
    *m = (gk_model){.p = p, .heads = strcmp(kind, "net") == 0 ? 2 : 0, .kernel = strcmp(kind, "rfm") == 0};
    gk_random_seed(&m->random, 7, 0);
    m->base = fake_draw(m, size * size * size);
    m->neurons = fake_draw(m, size * size * FAKE_WIDTH);
    m->wl = fake_draw(m, size * FAKE_WIDTH);
    m->embed = fake_draw(m, FAKE_ROWS * size);
    m->b_out = fake_draw(m, FAKE_D);
    m->w_u = fake_draw(m, FAKE_D * (size + 1));
    m->agop = fake_gram(m);
    m->nfm = fake_gram(m);
    m->metric = fake_gram(m);
    m->final_m = fake_draw(m, 4 * size * size);
    m->w_u_float = malloc(FAKE_D * (size + 1) * sizeof *m->w_u_float);
    for (size_t i = 0; i < FAKE_D * (size + 1); i++) m->w_u_float[i] = (float)m->w_u[i];
    fake_plant(m);
}

static inline void fake_clear(gk_model *m)
{
    double *all[] = {m->base, m->neurons, m->wl, m->embed, m->b_out, m->w_u, m->agop, m->nfm, m->metric, m->final_m};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(m->w_u_float);
}

static inline int fake_from_neurons(gk_model *m, const int32_t *cells, int n, const double *neurons, double *out)
{
    const int p = m->p;
    gk_gemm(false, true, n, p, FAKE_WIDTH, 1, neurons, FAKE_WIDTH, m->wl, FAKE_WIDTH, 0, out, p);
    for (int r = 0; r < n; r++) {
        for (int c = 0; c < p; c++) {
            out[r * p + c] += m->base[cells[r] * p + c];
            for (int d = 0; d < FAKE_D; d++) out[r * p + c] += m->b_out[d] * (double)m->w_u_float[d * (p + 1) + c];
        }
    }
    return GK_OK;
}

static inline int fake_neurons(gk_model *m, const int32_t *cells, int n, double *out)
{
    for (int r = 0; r < n; r++)
        memcpy(out + r * FAKE_WIDTH, m->neurons + cells[r] * FAKE_WIDTH, FAKE_WIDTH * sizeof *out);
    return GK_OK;
}

static inline int fake_predict(gk_model *m, const int32_t *cells, int n, double *out)
{
    m->predictions++;
    if (m->kernel) {
        for (int r = 0; r < n; r++) memcpy(out + r * m->p, m->base + cells[r] * m->p, (size_t)m->p * sizeof *out);
        return GK_OK;
    }
    double *neurons = calloc((size_t)n * FAKE_WIDTH, sizeof *neurons);
    fake_neurons(m, cells, n, neurons);
    int code = fake_from_neurons(m, cells, n, neurons, out);
    free(neurons);
    return code;
}

static inline int fake_without_head(gk_model *m, const int32_t *cells, int n, int head, double *out)
{
    int code = fake_predict(m, cells, n, out);
    for (int i = 0; i < n * m->p; i++) out[i] *= 0.5 + head;
    return code;
}

static inline int fake_neuron_logit(gk_model *m, double *out)
{
    memcpy(out, m->wl, (size_t)m->p * FAKE_WIDTH * sizeof *out);
    return GK_OK;
}

static inline int fake_embed(gk_model *m, double *out)
{
    memcpy(out, m->embed, (size_t)m->p * FAKE_ROWS * sizeof *out);
    return GK_OK;
}

static inline int fake_width(gk_model *m)
{
    return (void)m, FAKE_WIDTH;
}
static inline int fake_embed_rows(gk_model *m)
{
    return (void)m, FAKE_ROWS;
}
static inline int fake_heads(gk_model *m)
{
    return m->heads;
}
static inline int fake_feature_size(gk_model *m, const char *kind)
{
    return (void)kind, 2 * m->p;
}

static inline int fake_feature(gk_model *m, const char *kind, double *out)
{
    const double *from = strcmp(kind, "agop") == 0 ? m->agop : strcmp(kind, "nfm") == 0 ? m->nfm : m->metric;
    m->features++;
    memcpy(out, from, 4 * (size_t)m->p * (size_t)m->p * sizeof *out);
    return GK_OK;
}

/* Class c has c + 1 times the AGOP. */
static inline int fake_class_agop(gk_model *m, int class, double *out)
{
    m->features++;
    for (int e = 0; e < 4 * m->p * m->p; e++) out[e] = (class + 1) * m->agop[e];
    return GK_OK;
}

static inline int fake_tensors(gk_model *m, gk_tensor_set set, gk_tensor *out)
{
    const int64_t p = m->p;
    (void)set;
    out[0] = (gk_tensor){"base", GK_F64, 2, {p * p, p}, m->base};
    out[1] = (gk_tensor){"out.weight", GK_F64, 2, {p, FAKE_WIDTH}, m->wl};
    out[2] = (gk_tensor){"blocks.0.mlp.b_out", GK_F64, 1, {FAKE_D}, m->b_out};
    out[3] = (gk_tensor){"unembed.W_U", GK_F32, 2, {FAKE_D, p + 1}, m->w_u_float};
    return 4;
}

static const char *const fake_network_kinds[] = {"agop", "nfm", NULL};
static const char *const fake_kernel_kinds[] = {"agop", "metric", NULL};

static const gk_method fake_network = {.name = "fake network",
                                       .predict = fake_predict,
                                       .tensors = fake_tensors,
                                       .feature_kinds = fake_network_kinds,
                                       .feature = fake_feature,
                                       .feature_size = fake_feature_size,
                                       .width = fake_width,
                                       .neurons = fake_neurons,
                                       .from_neurons = fake_from_neurons,
                                       .neuron_logit = fake_neuron_logit,
                                       .embed_rows = fake_embed_rows,
                                       .embed = fake_embed,
                                       .heads = fake_heads,
                                       .without_head = fake_without_head};
static const gk_method fake_kernel = {.name = "fake kernel machine",
                                      .predict = fake_predict,
                                      .tensors = fake_tensors,
                                      .feature_kinds = fake_kernel_kinds,
                                      .feature = fake_feature,
                                      .feature_size = fake_feature_size,
                                      .class_agop = fake_class_agop};

static const gk_key fake_loss_keys[] = {
    {"loss", GK_KEY_CHOICE, "cross_entropy", 0, 0, "mse|cross_entropy", "training loss"}, {0}};

#endif
