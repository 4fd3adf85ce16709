/* loss_columns.c: losses of columns of outputs, VEC columns at a time. exp is a vector polynomial in `real` of the
 * difference to the largest output (exact to rounding, and its own error of 2 units in the last place is that of the
 * gradient's rounding); what float32 may not do is kept in double: the sum over the classes, its logarithm, the
 * gradient of the correct class as (e - sum) / sum, and the sum over pairs. */
#include "vector.h"

typedef struct column_sums {
    double classes[VEC]; /* sum of e^(out - top) over the p classes */
    double all[VEC];     /* over all outputs */
    real top[VEC];
} column_sums;

static inline vec column_top(const real *out, ptrdiff_t ld, int outputs)
{
    vec top = vec_load(out);
    for (int c = 1; c < outputs; c++) top = vec_max(vec_load(out + (ptrdiff_t)c * ld), top);
    return top;
}

/* Sums of e^(out - top); kept over out when `keep`. */
static inline column_sums column_exp(real *keep, const real *out, ptrdiff_t ld, int p, int outputs)
{
    const vec top = column_top(out, ld, outputs);
    wide sum = wide_of(vec_of(0));
    column_sums s;
    for (int c = 0; c < p; c++) {
        const vec e = vec_exp(vec_load(out + (ptrdiff_t)c * ld) - top);
        if (keep) vec_store(keep + (ptrdiff_t)c * ld, e);
        sum = wide_sum(sum, wide_of(e));
    }
    wide_store(s.classes, sum);
    for (int c = p; c < outputs; c++) {
        const vec e = vec_exp(vec_load(out + (ptrdiff_t)c * ld) - top);
        if (keep) vec_store(keep + (ptrdiff_t)c * ld, e);
        sum = wide_sum(sum, wide_of(e));
    }
    wide_store(s.all, sum);
    vec_store(s.top, top);
    return s;
}

/* loss = log sum_c e^(out_c - top) - (out_label - top) for the VEC columns at `out`, of which n count. */
static double cross_entropy(const net *nn, real *out, ptrdiff_t ld, const int32_t *labels, int n, double scale)
{
    double loss = 0, label_gradient[VEC];
    real correct[VEC], factor[VEC] __attribute__((aligned(VEC_BYTES)));
    for (int i = 0; i < VEC; i++) correct[i] = out[(ptrdiff_t)labels[i] * ld + i];
    column_sums s = column_exp(out, out, ld, nn->p, nn->outputs);
    for (int i = 0; i < VEC; i++) {
        const double e = (double)out[(ptrdiff_t)labels[i] * ld + i];
        if (i < n) loss += log(s.all[i]) - ((double)correct[i] - (double)s.top[i]);
        factor[i] = i < n ? (real)(scale / s.all[i]) : 0;
        label_gradient[i] = i < n ? scale * (e - s.all[i]) / s.all[i] : 0;
    }
    const vec times = vec_load(factor);
    for (int c = 0; c < nn->outputs; c++) {
        real *at = out + (ptrdiff_t)c * ld;
        vec_store(at, vec_load(at) * times);
    }
    for (int i = 0; i < VEC; i++) out[(ptrdiff_t)labels[i] * ld + i] = (real)label_gradient[i];
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
    real factor[VEC] __attribute__((aligned(VEC_BYTES)));
    squared_error(nn, sums, out, ld, labels);
    for (int i = 0; i < VEC; i++) {
        if (i < n) loss += sums[i];
        factor[i] = i < n ? (real)(2 * scale / nn->outputs) : 0;
    }
    const vec times = vec_load(factor);
    for (int c = 0; c < nn->outputs; c++) {
        real *at = out + (ptrdiff_t)c * ld;
        vec_store(at, vec_load(at) * times);
    }
    return loss;
}

double net_loss_columns(const net *nn, real *out, ptrdiff_t ld, const int32_t *labels, int count, int columns,
                        double scale)
{
    double loss = 0;
    for (int i = 0; i < columns; i += VEC) {
        const int here = count - i < VEC ? count - i : VEC; /* may be negative: then nothing counts */
        loss += nn->loss == NET_MSE ? squared_error_gradient(nn, out + i, ld, labels + i, here, scale)
                                    : cross_entropy(nn, out + i, ld, labels + i, here, scale);
    }
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

static void score_cross_entropy(const net *nn, gk_score *sum, const real *out, ptrdiff_t ld, const int32_t *labels,
                                int n)
{
    const column_sums s = column_exp(NULL, out, ld, nn->p, nn->outputs);
    for (int i = 0; i < n; i++) {
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
    for (int i = 0; i < n; i += VEC) {
        const int here = n - i < VEC ? n - i : VEC;
        const int_vec best = column_best(out + i, ld, nn->p);
        for (int j = 0; j < here; j++) sum->accuracy += best[j] == labels[i + j];
        if (nn->loss == NET_MSE)
            score_squared_error(nn, sum, out + i, ld, labels + i, here);
        else
            score_cross_entropy(nn, sum, out + i, ld, labels + i, here);
    }
}
