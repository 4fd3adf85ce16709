/* gk_loss.h: losses of outputs in double; pure functions of numbers, in src/algebra. No rows, or a NaN, give NaN. */
#ifndef GK_LOSS_H
#define GK_LOSS_H

#include "gk_base.h"

/* log sum exp of x [n], shifted by the largest; double throughout (a float one causes loss spikes, Nanda et al.). */
double gk_log_sum_exp(const double *x, int n);
/* out [n] = exp((x - largest) / scale), scale > 0, at least 3e-308; returns largest / scale. out may be x. */
double gk_exp_shifted(double *out, const double *x, int n, double scale);
/* Mean over rows of logsumexp(row / scale) - row[label] / scale; outputs [rows, classes] with row length ld. */
double gk_cross_entropy(const double *outputs, int ld, int rows, int classes, double scale, const int32_t *labels);
/* Mean over rows and classes of (output - onehot)^2. */
double gk_squared_error(const double *outputs, int ld, int rows, int classes, const int32_t *labels);
/* Share of rows whose first largest entry is the label; NaN rows are wrong. */
double gk_accuracy(const double *outputs, int ld, int rows, int classes, const int32_t *labels);

#endif
