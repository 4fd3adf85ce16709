/* rfm_lab.h: what the tests of the RFM share: a model from a few words, its tensors, and copies of its state. */
#ifndef TESTS_RFM_LAB_H
#define TESTS_RFM_LAB_H

#include "gk_matrix.h"
#include "gk_method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct rfm_lab {
    gk_split split;
    gk_config config;
    gk_model *model;
    double *m, *alpha; /* the model's own tensors */
    int p, n, d;       /* d = 2p */
} rfm_lab;

static const gk_key RFM_LAB_SHARED[] = {{"threads", GK_KEY_INT, "1", 0, 1024, NULL, "threads"}, {0}};

/* Opens a model on lab->split. settings: "kernel=gaussian ridge=0.1 ...". */
static inline int rfm_lab_try(rfm_lab *lab, const char *settings)
{
    const gk_method *rfm = gk_rfm_method();
    gk_config_init(&lab->config);
    assert_int_equal(gk_config_add(&lab->config, RFM_LAB_SHARED), GK_OK);
    assert_int_equal(gk_config_add(&lab->config, rfm->keys), GK_OK);
    char text[512];
    assert_true(strlen(settings) < sizeof text);
    strcpy(text, settings);
    for (char *rest = NULL, *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        assert_int_equal(gk_config_set(&lab->config, word, value, "the test"), GK_OK);
    }
    lab->model = NULL;
    lab->p = lab->split.task.p;
    lab->n = lab->split.n_train;
    lab->d = 2 * lab->p;
    int code = rfm->init(&lab->model, &lab->config, &lab->split);
    if (code != GK_OK) return code;
    gk_tensor tensors[GK_TENSORS_MAX];
    assert_true(rfm->tensors(lab->model, GK_WEIGHTS, tensors) == 2);
    lab->m = tensors[0].data;
    lab->alpha = tensors[1].data;
    return GK_OK;
}

static inline void rfm_lab_open(rfm_lab *lab, const char *op, int p, double fraction, uint64_t seed,
                                const char *settings)
{
    assert_int_equal(gk_split_make(&lab->split, op, p, fraction, seed, "philox"), GK_OK);
    int code = rfm_lab_try(lab, settings);
    if (code != GK_OK) print_error("%s: %s\n", settings, gk_error_text());
    assert_int_equal(code, GK_OK);
}

static inline void rfm_lab_close(rfm_lab *lab)
{
    gk_rfm_method()->free(lab->model);
    gk_config_free(&lab->config);
    gk_split_free(&lab->split);
}

static inline void rfm_lab_step(rfm_lab *lab)
{
    int code = gk_rfm_method()->step(lab->model, NULL);
    if (code != GK_OK) print_error("%s\n", gk_error_text());
    assert_int_equal(code, GK_OK);
}

static inline gk_score rfm_lab_score(rfm_lab *lab, bool train)
{
    gk_score score;
    const gk_split *s = &lab->split;
    int code = gk_rfm_method()->score(lab->model, train ? s->train : s->test, train ? s->n_train : s->n_test, &score, NULL);
    if (code != GK_OK) print_error("%s\n", gk_error_text());
    assert_int_equal(code, GK_OK);
    return score;
}

/* The caller frees. */
static inline double *rfm_lab_feature(rfm_lab *lab, const char *kind)
{
    double *out = gk_alloc((size_t)lab->d * (size_t)lab->d, sizeof *out);
    assert_non_null(out);
    int code = gk_rfm_method()->feature(lab->model, kind, out);
    if (code != GK_OK) print_error("%s\n", gk_error_text());
    assert_int_equal(code, GK_OK);
    return out;
}

/* |a - b| / |b|, Frobenius. */
static inline double rfm_lab_difference(const double *a, const double *b, size_t n)
{
    double off = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(off / size);
}

typedef struct rfm_report {
    double residual, iterations;
} rfm_report;

static inline int rfm_lab_hear(void *context, const char *name, double value)
{
    rfm_report *r = context;
    if (strcmp(name, "solve_residual") == 0) r->residual = value;
    if (strcmp(name, "solver_iterations") == 0) r->iterations = value;
    return GK_OK;
}

static inline rfm_report rfm_lab_report(rfm_lab *lab)
{
    rfm_report r = {NAN, NAN};
    assert_int_equal(gk_rfm_method()->report(lab->model, rfm_lab_hear, &r), GK_OK);
    return r;
}

/* Copies all state of one model into another and tells it. */
static inline void rfm_lab_copy(rfm_lab *to, rfm_lab *from, int64_t step)
{
    gk_tensor a[GK_TENSORS_MAX], b[GK_TENSORS_MAX];
    const gk_method *rfm = gk_rfm_method();
    int n = rfm->tensors(from->model, GK_STATE, a);
    assert_int_equal(rfm->tensors(to->model, GK_STATE, b), n);
    for (int i = 0; i < n; i++) {
        assert_string_equal(a[i].name, b[i].name);
        memcpy(b[i].data, a[i].data, gk_tensor_bytes(&a[i]));
    }
    assert_int_equal(rfm->loaded(to->model, GK_STATE, step), GK_OK);
}

#endif
