/* loss_columns.c: losses of columns of outputs, VEC columns at a time. exp is a vector polynomial in `real` of the
 * difference to the largest output (exact to rounding, and its own error of 2 units in the last place is that of the
 * gradient's rounding); what float32 may not do is kept in double: the sum over the classes, its logarithm, the
 * gradient of the correct class as (e - sum) / sum, and the sum over pairs. */
#include "vector.h"

enum { STRIP = 2 }; /* vectors side by side: they hide each other's latency, and their sums still fit the registers */

typedef struct column_sums {
    double classes[STRIP * VEC]; /* sum of e^(out - top) over the p classes */
    double all[STRIP * VEC];     /* over all outputs */
    real top[STRIP * VEC];
} column_sums;

/* Sums of e^(out - top) of `vecs` vectors of columns, a constant once inlined; the terms kept over out when `keep`. */
static inline __attribute__((always_inline)) void column_exp(column_sums *s, real *out, ptrdiff_t ld, int p,
                                                             int outputs, bool keep, const int vecs)
{
    vec top[STRIP];
    wide sum[STRIP];
    for (int g = 0; g < vecs; g++) top[g] = vec_load(out + g * VEC);
    for (int c = 1; c < outputs; c++)
        for (int g = 0; g < vecs; g++) top[g] = vec_max(vec_load(out + c * ld + g * VEC), top[g]);
    for (int g = 0; g < vecs; g++) sum[g] = wide_of(vec_of(0));
    for (int c = 0; c < outputs; c++) {
        for (int g = 0; c == p && g < vecs; g++) wide_store(s->classes + g * VEC, sum[g]);
        for (int g = 0; g < vecs; g++) {
            const vec e = vec_exp(vec_load(out + c * ld + g * VEC) - top[g]);
            if (keep) vec_store(out + c * ld + g * VEC, e);
            sum[g] = wide_sum(sum[g], wide_of(e));
        }
    }
    for (int g = 0; g < vecs; g++) {
        if (outputs == p) wide_store(s->classes + g * VEC, sum[g]);
        wide_store(s->all + g * VEC, sum[g]);
        memcpy(s->top + g * VEC, &top[g], sizeof top[g]);
    }
}

/* out times factor [vecs * VEC] by columns */
static inline __attribute__((always_inline)) void scale_columns(real *out, ptrdiff_t ld, int outputs,
                                                                const real *factor, const int vecs)
{
    vec times[STRIP];
    for (int g = 0; g < vecs; g++) times[g] = vec_load(factor + g * VEC);
    for (int c = 0; c < outputs; c++)
        for (int g = 0; g < vecs; g++) vec_store(out + c * ld + g * VEC, vec_load(out + c * ld + g * VEC) * times[g]);
}

/* loss = log sum_c e^(out_c - top) - (out_label - top) for `vecs` vectors of columns, of which n columns count. */
static inline __attribute__((always_inline)) double
cross_entropy(const net *nn, real *out, ptrdiff_t ld, const int32_t *labels, int n, double scale, const int vecs)
{
    double loss = 0, label_gradient[STRIP * VEC];
    real correct[STRIP * VEC];
    _Alignas(VEC_BYTES) real factor[STRIP * VEC];
    column_sums s;
    for (int i = 0; i < vecs * VEC; i++) correct[i] = out[labels[i] * ld + i];
    column_exp(&s, out, ld, nn->p, nn->outputs, true, vecs);
    for (int i = 0; i < vecs * VEC; i++) {
        const double e = (double)out[labels[i] * ld + i];
        if (i < n) loss += log(s.all[i]) - ((double)correct[i] - (double)s.top[i]);
        factor[i] = i < n ? (real)(scale / s.all[i]) : 0;
        label_gradient[i] = i < n ? scale * (e - s.all[i]) / s.all[i] : 0;
    }
    scale_columns(out, ld, nn->outputs, factor, vecs);
    for (int i = 0; i < vecs * VEC; i++) out[labels[i] * ld + i] = (real)label_gradient[i];
    return loss;
}

/* loss = mean_c (out_c - [c = label])^2 for the VEC columns at `out`, which become the differences; sums [VEC]. */
static void squared_error(const net *nn, double sums[VEC], real *out, ptrdiff_t ld, const int32_t *labels)
{
    for (int i = 0; i < VEC; i++) out[(ptrdiff_t)labels[i] * ld + i] -= 1;
    wide sum = wide_of(vec_of(0));
    for (int c = 0; c < nn->outputs; c++) {
        const wide v = wide_of(vec_load(out + (ptrdiff_t)c * ld));
        sum = wide_sum(sum, wide_product(v, v));
    }
    wide_store(sums, sum);
    for (int i = 0; i < VEC; i++) sums[i] /= nn->outputs;
}

static double squared_error_gradient(const net *nn, real *out, ptrdiff_t ld, const int32_t *labels, int n, double scale)
{
    double loss = 0, sums[VEC];
    _Alignas(VEC_BYTES) real factor[VEC];
    squared_error(nn, sums, out, ld, labels);
    for (int i = 0; i < VEC; i++) {
        if (i < n) loss += sums[i];
        factor[i] = i < n ? (real)(2 * scale / nn->outputs) : 0;
    }
    scale_columns(out, ld, nn->outputs, factor, 1);
    return loss;
}

double net_loss_columns(const net *nn, real *out, ptrdiff_t ld, const int32_t *labels, int count, int columns,
                        double scale)
{
    double loss = 0;
    int i = 0;
    if (nn->loss == NET_MSE) /* counts may be negative: then nothing counts */
        for (; i < columns; i += VEC) loss += squared_error_gradient(nn, out + i, ld, labels + i, count - i, scale);
    for (; i + STRIP * VEC <= columns; i += STRIP * VEC)
        loss += cross_entropy(nn, out + i, ld, labels + i, count - i, scale, STRIP);
    for (; i < columns; i += VEC) loss += cross_entropy(nn, out + i, ld, labels + i, count - i, scale, 1);
    return loss;
}

/* The first largest of the p classes of each column; NaN is never the largest. */
static inline int_vec column_best(const real *out, ptrdiff_t ld, int p)
{
    vec top = vec_of(-INFINITY);
    int_vec best = (int_vec)vec_of(0) - 1;
    for (int c = 0; c < p; c++) {
        const vec v = vec_load(out + (ptrdiff_t)c * ld);
        const int_vec above = v > top;
        top = vec_select(above, v, top);
        best = (above & (lane_int)c) | (~above & best);
    }
    return best;
}

/* log sum over classes of e^(out - top) in double, for a column whose float sum has vanished under the other outputs */
static double classes_alone(const real *out, ptrdiff_t ld, int p, double top)
{
    double sum = 0, most = -INFINITY;
    for (int c = 0; c < p; c++)
        if ((double)out[(ptrdiff_t)c * ld] > most) most = (double)out[(ptrdiff_t)c * ld];
    for (int c = 0; c < p; c++) sum += exp((double)out[(ptrdiff_t)c * ld] - most);
    return log(sum) + most - top;
}

static inline __attribute__((always_inline)) void
score_cross_entropy(const net *nn, gk_score *sum, real *out, ptrdiff_t ld, const int32_t *labels, int n, const int vecs)
{
    column_sums s;
    column_exp(&s, out, ld, nn->p, nn->outputs, false, vecs);
    for (int i = 0; i < vecs * VEC && i < n; i++) {
        const double correct = (double)out[(ptrdiff_t)labels[i] * ld + i] - (double)s.top[i];
        const double others = (s.all[i] - s.classes[i]) / s.classes[i]; /* all = classes (1 + others) */
        if (s.classes[i] > 1e-30) {
            const double classes = log(s.classes[i]) - correct;
            sum->correct_loss += classes;
            sum->loss += classes + (others < 1e-6 ? others - others * others / 2 : log1p(others));
        } else {
            sum->correct_loss += classes_alone(out + i, ld, nn->p, (double)s.top[i]) - correct;
            sum->loss += log(s.all[i]) - correct;
        }
    }
}

static void score_squared_error(const net *nn, gk_score *sum, real *out, ptrdiff_t ld, const int32_t *labels, int n)
{
    double sums[VEC];
    squared_error(nn, sums, out, ld, labels);
    for (int i = 0; i < n; i++) {
        const double off = (double)out[(ptrdiff_t)labels[i] * ld + i];
        sum->loss += sums[i];
        sum->correct_loss += off * off;
    }
}

void net_score_columns(const net *nn, gk_score *sum, real *out, ptrdiff_t ld, const int32_t *labels, int n)
{
    int i = 0;
    for (; i < n; i += VEC) {
        const int_vec best = column_best(out + i, ld, nn->p);
        for (int j = 0; j < VEC && i + j < n; j++) sum->accuracy += best[j] == labels[i + j];
    }
    if (nn->loss == NET_MSE) {
        for (i = 0; i < n; i += VEC) score_squared_error(nn, sum, out + i, ld, labels + i, n - i < VEC ? n - i : VEC);
        return;
    }
    for (i = 0; i + STRIP * VEC <= round_up(n, VEC); i += STRIP * VEC)
        score_cross_entropy(nn, sum, out + i, ld, labels + i, n - i, STRIP);
    for (; i < n; i += VEC) score_cross_entropy(nn, sum, out + i, ld, labels + i, n - i, 1);
}
