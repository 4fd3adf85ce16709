/* nets_lab.h: what the tests of the networks share: a model from a few words, its tensors, sine weights. */
#ifndef TESTS_NETS_LAB_H
#define TESTS_NETS_LAB_H

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

typedef struct nets_lab {
    const gk_method *method;
    gk_split split;
    gk_config config;
    gk_model *model;
    gk_tensor tensors[GK_TENSORS_MAX]; /* GK_WEIGHTS */
    int n;
} nets_lab;

static const gk_key NETS_LAB_SHARED[] = {
    {"seed", GK_KEY_INT, "0", 0, 1e15, NULL, "seed"},
    {"threads", GK_KEY_INT, "1", 0, 1024, NULL, "threads"},
    {0},
};

static inline const gk_method *nets_lab_method(const char *name, gk_dtype dtype)
{
    return strcmp(name, "mlp") == 0 ? gk_mlp_method(dtype) : gk_transformer_method(dtype);
}

/* Opens a model on an add-mod-p split. settings: "width=7 loss=mse ...". */
static inline void nets_lab_open(nets_lab *lab, const gk_method *method, int p, double fraction, uint64_t split_seed,
                                 const char *settings)
{
    lab->method = method;
    assert_int_equal(gk_split_make(&lab->split, "add", p, fraction, split_seed, "philox"), GK_OK);
    gk_config_init(&lab->config);
    assert_int_equal(gk_config_add(&lab->config, NETS_LAB_SHARED), GK_OK);
    assert_int_equal(gk_config_add(&lab->config, method->keys), GK_OK);
    assert_int_equal(gk_config_set(&lab->config, "threads", "1", "test"), GK_OK);
    char text[512];
    assert_true(strlen(settings) < sizeof text);
    strcpy(text, settings);
    for (char *rest = NULL, *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        assert_int_equal(gk_config_set(&lab->config, word, value, "test"), GK_OK);
    }
    assert_int_equal(method->init(&lab->model, &lab->config, &lab->split), GK_OK);
    lab->n = method->tensors(lab->model, GK_WEIGHTS, lab->tensors);
}

static inline void nets_lab_close(nets_lab *lab)
{
    lab->method->free(lab->model);
    gk_config_free(&lab->config);
    gk_split_free(&lab->split);
}

static inline double nets_lab_get(const gk_tensor *t, size_t i)
{
    return t->dtype == GK_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

static inline void nets_lab_put(const gk_tensor *t, size_t i, double value)
{
    if (t->dtype == GK_F32)
        ((float *)t->data)[i] = (float)value;
    else
        ((double *)t->data)[i] = value;
}

/* Tells the model that its weights were written, at the start of training. */
static inline void nets_lab_touch(nets_lab *lab)
{
    assert_int_equal(lab->method->loaded(lab->model, GK_WEIGHTS, 0), GK_OK);
}

/* The sine weights of tests/oracle_nets.py. */
static inline void nets_lab_sines(nets_lab *lab, double scale)
{
    lab->n = lab->method->tensors(lab->model, GK_WEIGHTS, lab->tensors);
    for (int k = 0; k < lab->n; k++) {
        for (size_t i = 0; i < gk_tensor_count(&lab->tensors[k]); i++) {
            const double x = (double)i;
            nets_lab_put(&lab->tensors[k], i, scale * sin(1.7 * x + 0.9 * k + 0.3 * sin(x)));
        }
    }
    nets_lab_touch(lab);
}

/* The tensors of a set, copied one behind the other as doubles (an integer too); free() it. */
static inline double *nets_lab_copy(nets_lab *lab, gk_tensor_set set, size_t *count)
{
    gk_tensor t[GK_TENSORS_MAX];
    const int n = lab->method->tensors(lab->model, set, t);
    size_t total = 0, at = 0;
    for (int k = 0; k < n; k++) total += gk_tensor_count(&t[k]);
    double *out = gk_alloc(total, sizeof *out);
    assert_non_null(out);
    for (int k = 0; k < n; k++)
        for (size_t i = 0; i < gk_tensor_count(&t[k]); i++)
            out[at++] = t[k].dtype == GK_I64 ? (double)((const int64_t *)t[k].data)[i] : nets_lab_get(&t[k], i);
    *count = total;
    return out;
}

/* |a - b| / max(|a|, |b|), euclidean; 0 for two zero vectors */
static inline double nets_lab_difference(const double *a, const double *b, size_t n)
{
    double off = 0, na = 0, nb = 0;
    for (size_t i = 0; i < n; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        na += a[i] * a[i];
        nb += b[i] * b[i];
    }
    const double scale = na > nb ? na : nb;
    return off == 0 && scale == 0 ? 0 : sqrt(off / scale);
}

#endif
