/* comparing_view.c: what one run is at one step: its feature matrix in three orders, its spectra, its answers. */
#include "comparing.h"

#include "gk_fourier.h"
#include "gk_matrix.h"
#include "gk_similarity.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- matrices ---- */

/* The matrix with both inputs in a given order; NULL stays where the order is not defined. */
static int reorder(gk_compared_view *v, int order, const int32_t *x, const int32_t *y, int k)
{
    if (k == 0) return GK_OK;
    const size_t n = 2 * (size_t)k;
    if (!(v->matrix[order] = gk_alloc(n * n, sizeof(double)))) return GK_FAILED;
    v->n[order] = 2 * k;
    gk_reorder_features(v->matrix[order], v->matrix[0], v->run->stored.p, x, y, k);
    return GK_OK;
}

static int load_orders(gk_compared_view *v)
{
    const gk_task *t = &v->run->split.task;
    if (v->n[0] != 2 * t->p) return GK_OK;
    int32_t *x = gk_alloc(2 * (size_t)t->p, sizeof *x), *y = x ? x + t->p : NULL;
    if (!x) return GK_FAILED;
    int code = t->power ? reorder(v, 1, t->power, t->power, t->p - 1) : GK_OK;
    const bool product = t->form == GK_FORM_PRODUCT && t->dlog, sum = t->form == GK_FORM_SUM;
    if (code == GK_OK && (product || sum))
        code = reorder(v, 2, x, y, gk_group_order(x, y, t->p, t->u, t->v, product ? t->dlog : NULL));
    free(x);
    return code;
}

static int load_eigen(gk_compared_view *v)
{
    const size_t n = (size_t)v->n[0];
    double *copy = gk_alloc(n * n, sizeof *copy);
    v->eigen = gk_alloc(n + 1, sizeof *v->eigen);
    int code = copy && v->eigen ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        memcpy(copy, v->matrix[0], n * n * sizeof *copy);
        code = gk_eigen(copy, v->n[0], v->eigen);
    }
    free(copy);
    return code;
}

/* Energies of the off-diagonal block along frequency 1, 2, ...: on the line of functions of v(y) - u(x), then on that
 * of functions of their sum. For an even group the alternating function is both; it counts with the first. */
static int load_lines(gk_compared_view *v)
{
    const int n = v->n[2], k = n / 2, half = k / 2;
    double *block = gk_alloc((size_t)k * (size_t)k, sizeof *block),
           *energy = gk_alloc((size_t)half + 1, sizeof *energy);
    v->lines = gk_alloc(2 * (size_t)half + 1, sizeof *v->lines);
    v->n_lines = half;
    const int code = block && energy && v->lines ? GK_OK : GK_FAILED;
    if (code == GK_OK) gk_block(block, v->matrix[2], n, k, n, 0, k);
    for (int hankel = 0; hankel < 2 && code == GK_OK; hankel++) {
        gk_fourier_lines(energy, block, k, hankel == 1);
        memcpy(v->lines + hankel * half, energy + 1, (size_t)half * sizeof *energy);
    }
    if (code == GK_OK && k % 2 == 0 && half > 0) v->lines[2 * half - 1] = 0;
    free(block);
    free(energy);
    return code;
}

static int load_matrix(gk_compared_view *v, gk_store *s, int64_t step, const bool *wanted)
{
    const gk_compared_run *r = v->run;
    int columns,
        code = gk_store_get_matrix(s, r->at.run, step, r->kind, &v->matrix[0], &v->n[0], &columns, &v->matrix_step);
    if (code == GK_NOTFOUND) {
        v->matrix[0] = NULL;
        v->matrix_step = -1;
        return GK_OK;
    }
    if (code != GK_OK) return code;
    if (columns != v->n[0] || v->n[0] < 1)
        return gk_error(GK_FAILED, "the %s of run %" PRId64 " is %d x %d and not square", r->kind, r->at.run, v->n[0],
                        columns);
    bool ordered = false;
    for (int m = GK_PAIR_MATRIX / 3; m <= GK_PAIR_LINES; m++) ordered = ordered || (m != GK_PAIR_EIGEN && wanted[m]);
    if (ordered) code = load_orders(v);
    if (code == GK_OK && wanted[GK_PAIR_EIGEN]) code = load_eigen(v);
    if (code == GK_OK && v->matrix[2] && (wanted[GK_PAIR_LINES] || wanted[GK_PAIR_FREQUENCIES])) code = load_lines(v);
    return code;
}

/* ---- answers ---- */

static int32_t answer_of(const double *outputs, int p)
{
    int32_t best = -2;
    for (int32_t c = 0; c < p; c++)
        if (!isnan(outputs[c]) && (best < 0 || outputs[c] > outputs[best])) best = c;
    return best;
}

static int load_answers(gk_compared_view *v, gk_store *s, int64_t step)
{
    const gk_compared_run *r = v->run;
    char run[24], bound[24];
    snprintf(run, sizeof run, "%" PRId64, r->at.run);
    snprintf(bound, sizeof bound, "%" PRId64, step < 0 ? INT64_MAX : step);
    const char *const params[] = {run, bound, NULL};
    gk_cell at;
    int code = gk_cli_number(s,
                             "SELECT max(step) FROM checkpoint WHERE run_id = CAST(?1 AS INTEGER) AND kind = 'weights'"
                             " AND step <= CAST(?2 AS INTEGER)",
                             params, &at);
    if (code != GK_OK || at.type != GK_CELL_INTEGER) return code;
    gk_revived alive;
    if ((code = gk_lab_revive(s, r->at.run, at.integer, &alive)) != GK_OK) return code;
    const size_t p = (size_t)alive.split.task.p, n = (size_t)alive.split.n_test;
    double *outputs = gk_alloc(n * p + 1, sizeof *outputs);
    v->answers = gk_alloc(p * p, sizeof *v->answers);
    code = outputs && v->answers ? GK_OK : GK_FAILED;
    if (code == GK_OK && n > 0) code = alive.method->predict(alive.model, alive.split.test, (int)n, outputs);
    if (code == GK_OK) {
        for (size_t i = 0; i < p * p; i++) v->answers[i] = -1;
        for (size_t i = 0; i < n; i++) v->answers[alive.split.test[i]] = answer_of(outputs + i * p, (int)p);
        v->answers_step = at.integer;
    }
    free(outputs);
    gk_revived_free(&alive);
    return code;
}

/* ---- the view ---- */

void gk_view_free(gk_compared_view *v)
{
    for (int o = 0; o < 3; o++) free(v->matrix[o]);
    free(v->eigen);
    free(v->lines);
    free(v->answers);
    *v = (gk_compared_view){0};
}

int gk_view_load(gk_compared_view *v, gk_store *s, const gk_compared_run *run, int64_t step,
                 const bool wanted[GK_PAIR_MEASURES])
{
    *v = (gk_compared_view){.run = run, .matrix_step = -1, .answers_step = -1};
    bool matrix = false;
    for (int m = 0; m <= GK_PAIR_LINES; m++) matrix = matrix || wanted[m];
    int code = matrix ? load_matrix(v, s, step, wanted) : GK_OK;
    if (code == GK_OK && (wanted[GK_PAIR_ANSWERS] || wanted[GK_PAIR_WRONG])) code = load_answers(v, s, step);
    if (code != GK_OK) gk_view_free(v);
    return code;
}
