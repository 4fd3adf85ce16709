/* comparing_pairs.c: two runs held against each other; each measure of a pair by its name. */
#include "comparing.h"

#include "gk_similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static const char *const similarities[] = {"cosine", "cosine_nodiag", "pearson", "pearson_nodiag"};
static const char *const blocks[] = {"", "_xx", "_yx", "_yy"};
static const char *const orders[] = {"", "_dlog", "_group"};

static const char *const others[] = {"eigen_distance", "frequency_distance", "line_distance",
                                     "key_overlap",    "agreement",          "agreement_wrong"};

/* (order * 4 + block) * 4 + similarity */
const char *gk_pair_name(int measure, char out[40])
{
    if (measure >= GK_PAIR_MATRIX)
        snprintf(out, 40, "%s", others[measure - GK_PAIR_MATRIX]);
    else
        snprintf(out, 40, "%s%s%s", similarities[measure % 4], blocks[measure / 4 % 4], orders[measure / 16]);
    return out;
}

int gk_pair_find(const char *name)
{
    char names[GK_PAIR_MEASURES][40];
    const char *list[GK_PAIR_MEASURES + 1] = {NULL};
    for (int m = 0; m < GK_PAIR_MEASURES; m++) {
        list[m] = gk_pair_name(m, names[m]);
        if (strcmp(name, list[m]) == 0) return m;
    }
    const char *near = gk_text_nearest(name, list);
    return gk_error(GK_USAGE, "'%s' is no measure of a pair%s%s%s; 'groklab help compare' lists them", name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void gk_pair_usual(bool wanted[GK_PAIR_MEASURES])
{
    for (int m = 0; m < GK_PAIR_MEASURES; m++) wanted[m] = m < 4 || m == GK_PAIR_LINES || m == GK_PAIR_KEYS;
}

int gk_pair_choose(const char *list, bool wanted[GK_PAIR_MEASURES])
{
    memset(wanted, 0, GK_PAIR_MEASURES * sizeof *wanted);
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        char *name = gk_text("%.*s", (int)length, at);
        const int m = name ? gk_pair_find(name) : GK_FAILED;
        free(name);
        if (m < 0) return m;
        wanted[m] = true;
        at = at[length] ? at + length + 1 : NULL;
    }
    return GK_OK;
}

/* ---- values ---- */

/* One order of one block: four similarities. */
static int compare_block(double out[4], const gk_compared_view *a, const gk_compared_view *b, int order, int block)
{
    const double *x = a->matrix[order], *y = b->matrix[order];
    const int n = a->n[order], half = n / 2;
    if (!x || !y || n != b->n[order]) return GK_OK;
    const bool halves = n == 2 * a->run->stored.p || order > 0;
    if (block > 0 && (!halves || half == 0)) return GK_OK;
    const size_t row = block > 1 ? (size_t)half : 0, column = block == 3 ? (size_t)half : 0,
                 at = row * (size_t)n + column;
    gk_similarity s;
    int code = gk_similarity_of(&s, x + at, n, y + at, n, block ? half : n);
    if (code != GK_OK) return code;
    memcpy(out, (const double[]){s.cosine, s.cosine_nodiag, s.pearson, s.pearson_nodiag}, 4 * sizeof *out);
    return GK_OK;
}

static double distance_by_frequency(const gk_compared_view *a, const gk_compared_view *b)
{
    const int n = a->n_lines;
    double sums[2][512];
    for (int k = 0; k < n; k++) {
        sums[0][k] = a->lines[k] + a->lines[n + k];
        sums[1][k] = b->lines[k] + b->lines[n + k];
    }
    return gk_spectrum_distance(sums[0], sums[1], n);
}

/* Cells that are test cells of both; of the same task, or there is nothing to agree on. */
static void compare_answers(gk_compared_pair *pair, const gk_compared_view *a, const gk_compared_view *b)
{
    const gk_task *s = &a->run->split.task, *t = &b->run->split.task;
    if (!a->answers || !b->answers || s->p != t->p ||
        memcmp(s->labels, t->labels, (size_t)(s->p * s->p) * sizeof *s->labels) != 0)
        return;
    int both = 0, equal = 0, wrong = 0, equally_wrong = 0;
    for (int i = 0; i < s->p * s->p; i++) {
        const int32_t x = a->answers[i], y = b->answers[i];
        if (x == -1 || y == -1) continue;
        const bool same = x == y && x >= 0;
        both++;
        equal += same;
        if (x == s->labels[i] || y == s->labels[i]) continue;
        wrong++;
        equally_wrong += same;
    }
    if (both > 0) pair->values[GK_PAIR_ANSWERS] = (double)equal / both;
    if (wrong > 0) pair->values[GK_PAIR_WRONG] = (double)equally_wrong / wrong;
}

int gk_pair_compute(gk_compared_pair *pair, const gk_compared_view *a, const gk_compared_view *b,
                    const bool wanted[GK_PAIR_MEASURES])
{
    double *values = pair->values;
    for (int m = 0; m < GK_PAIR_MEASURES; m++) values[m] = NAN;
    for (int i = 0; i < 2; i++) {
        pair->matrix_step[i] = (i ? b : a)->matrix_step;
        pair->answers_step[i] = (i ? b : a)->answers_step;
    }
    for (int m = 0; m < GK_PAIR_MATRIX; m += 4) {
        if (!wanted[m] && !wanted[m + 1] && !wanted[m + 2] && !wanted[m + 3]) continue;
        int code = compare_block(values + m, a, b, m / 16, m / 4 % 4);
        if (code != GK_OK) return code;
    }
    if (a->eigen && b->eigen && a->n[0] == b->n[0])
        values[GK_PAIR_EIGEN] = gk_spectrum_distance(a->eigen, b->eigen, a->n[0]);
    if (a->lines && b->lines && a->n_lines == b->n_lines) {
        values[GK_PAIR_LINES] = gk_spectrum_distance(a->lines, b->lines, 2 * a->n_lines);
        values[GK_PAIR_FREQUENCIES] = distance_by_frequency(a, b);
    }
    const gk_key_set *j = &a->run->keys, *k = &b->run->keys;
    if (j->modulus > 0 && j->modulus == k->modulus)
        values[GK_PAIR_KEYS] = gk_overlap(j->has, k->has, j->modulus / 2 + 1);
    compare_answers(pair, a, b);
    for (int m = 0; m < GK_PAIR_MEASURES; m++)
        if (!wanted[m]) values[m] = NAN;
    return GK_OK;
}

/* ---- storing ---- */

typedef struct side {
    int64_t run, step;
    const char *kind;
} side;

/* What a measure of a run was taken from. */
static side side_of(const gk_comparison *c, const gk_compared_pair *pair, int measure, int which)
{
    const gk_compared_run *r = &c->runs[which ? pair->b : pair->a];
    if (measure == GK_PAIR_KEYS) return (side){r->row.id, r->keys.step, "key_frequencies"};
    if (measure >= GK_PAIR_ANSWERS) return (side){r->row.id, pair->answers_step[which], "outputs"};
    return (side){r->row.id, pair->matrix_step[which], r->kind};
}

int gk_pair_store(gk_store *s, const gk_comparison *c, const gk_compared_pair *pair)
{
    int code = GK_OK;
    for (int m = 0; m < GK_PAIR_MEASURES && code == GK_OK; m++) {
        if (isnan(pair->values[m])) continue;
        char name[40];
        side a = side_of(c, pair, m, 0), b = side_of(c, pair, m, 1);
        if (a.run > b.run || (a.run == b.run && a.step > b.step)) { /* (a, b) and (b, a) are one row */
            const side swap = a;
            a = b;
            b = swap;
        }
        code = gk_store_put_comparison(s, a.run, a.step, a.kind, b.run, b.step, b.kind, gk_pair_name(m, name),
                                       pair->values[m]);
    }
    return code;
}

int gk_comparison_pairs(gk_comparison *c, gk_store *s, bool keep)
{
    gk_compared_view *views = gk_calloc((size_t)c->n + 1, sizeof *views);
    int code = views ? GK_OK : GK_FAILED;
    for (int i = 0; i < c->n && code == GK_OK && c->n_pairs > 0; i++)
        code = gk_view_load(&views[i], s, &c->runs[i], c->runs[i].at.step, c->wanted);
    for (int k = 0; k < c->n_pairs && code == GK_OK; k++)
        code = gk_pair_compute(&c->pairs[k], &views[c->pairs[k].a], &views[c->pairs[k].b], c->wanted);
    for (int i = 0; views && i < c->n; i++) gk_view_free(&views[i]);
    free(views);
    if (code != GK_OK || !keep || c->n_pairs == 0) return code;
    code = gk_store_begin(s);
    if (code != GK_OK) return code;
    for (int k = 0; k < c->n_pairs && code == GK_OK; k++) code = gk_pair_store(s, c, &c->pairs[k]);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}
