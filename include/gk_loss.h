/* gk_loss.h: losses of outputs in double; pure functions of numbers, in src/algebra. No rows, or a NaN, give NaN. */
#ifndef GK_LOSS_H
#define GK_LOSS_H

#include "gk_base.h"

/* log sum exp of x [n], shifted by the largest; double throughout (a float one causes loss spikes, Nanda et al.). */
double gk_log_sum_exp(const double *x, int n);
/* Each of `count` rows [n] becomes exp((row - its largest) / scale), scale > 0, at least 3e-308; largest [count] gets
 * those, divided by scale. A few rows at once take less time than one by one. */
void gk_exp_shifted(double *const *rows, double *largest, int count, int n, double scale);
/* losses [rows] = logsumexp(row / scale) - row[label] / scale; outputs [rows, classes] with row length ld. */
void gk_cross_entropies(double *losses, const double *outputs, int ld, int rows, int classes, double scale,
                        const int32_t *labels);
/* Their mean. */
double gk_cross_entropy(const double *outputs, int ld, int rows, int classes, double scale, const int32_t *labels);
/* Mean over rows and classes of (output - onehot)^2. */
double gk_squared_error(const double *outputs, int ld, int rows, int classes, const int32_t *labels);
/* Share of rows whose first largest entry is the label; NaN rows are wrong. */
double gk_accuracy(const double *outputs, int ld, int rows, int classes, const int32_t *labels);

#endif
