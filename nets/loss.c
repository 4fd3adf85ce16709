/* loss.c: losses of rows of outputs. Log-softmax and sums are double whatever the outputs are: a float32 log-softmax
 * causes loss spikes ("slingshots", Nanda et al. 2023). */
#include "nets.h"

#include <math.h>

static real largest(const real *row, int count)
{
    real top = row[0];
    for (int c = 1; c < count; c++)
        if (!(row[c] <= top)) top = row[c]; /* a NaN gets through to the sum */
    return top;
}

/* sum_c exp(row_c - top) */
static double exp_sum(const real *row, int count, real top)
{
    double sum = 0;
    for (int c = 0; c < count; c++) sum += exp((double)row[c] - (double)top);
    return sum;
}

static double squared_error(real *drow, const real *row, int outputs, int label, double scale)
{
    double sum = 0; /* loss = mean_c (row_c - [c = label])^2 */
    for (int c = 0; c < outputs; c++) {
        const double d = (double)row[c] - (c == label);
        sum += d * d;
        if (drow) drow[c] = (real)(scale * 2 * d / outputs);
    }
    return sum / outputs;
}

static double cross_entropy(real *drow, const real *row, int outputs, int label, double scale)
{
    const real top = largest(row, outputs); /* loss = log sum_c exp(row_c) - row_label */
    const double sum = exp_sum(row, outputs, top);
    const double loss = log(sum) - ((double)row[label] - (double)top);
    for (int c = 0; drow && c < outputs; c++) {
        const double e = exp((double)row[c] - (double)top);
        drow[c] = (real)(scale * ((c == label ? e - sum : e) / sum));
    }
    return loss;
}

double net_loss_rows(const net *n, real *dout, const real *out, int ld, const int32_t *cells, int rows, double scale)
{
    double sum = 0;
    for (int i = 0; i < rows; i++) {
        const real *row = out + (ptrdiff_t)i * ld;
        real *drow = dout ? dout + (ptrdiff_t)i * ld : NULL;
        const int label = n->split->task.labels[cells[i]];
        sum += n->loss == NET_MSE ? squared_error(drow, row, n->outputs, label, scale)
                                  : cross_entropy(drow, row, n->outputs, label, scale);
    }
    return sum;
}

/* Whether the first largest of the p class outputs is the label's; a NaN before or at the label is wrong. */
static bool hit(const real *row, int p, int label)
{
    for (int c = 0; c < p; c++) {
        const bool below = c < label ? row[c] < row[label] : row[c] <= row[label];
        if (!below) return false;
    }
    return true;
}

void net_score_rows(const net *n, gk_score *sum, const real *out, int ld, const int32_t *cells, int rows)
{
    for (int i = 0; i < rows; i++) {
        const real *row = out + (ptrdiff_t)i * ld;
        const int label = n->split->task.labels[cells[i]];
        sum->accuracy += hit(row, n->p, label);
        if (n->loss == NET_MSE) {
            const double d = 1 - (double)row[label];
            sum->loss += squared_error(NULL, row, n->outputs, label, 0);
            sum->correct_loss += d * d;
        } else {
            sum->loss += cross_entropy(NULL, row, n->outputs, label, 0);
            sum->correct_loss += cross_entropy(NULL, row, n->p, label, 0);
        }
    }
}

void net_score_add(gk_score *total, const gk_score *part, int cells)
{
    total->loss += part->loss / cells;
    total->accuracy += part->accuracy / cells;
    total->correct_loss += part->correct_loss / cells;
}
