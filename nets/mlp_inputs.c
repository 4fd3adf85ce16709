/* mlp_inputs.c: what one-hot inputs are multiplied by: z = W1 T X is a gather of columns of W1 T. */
#include "gk_structure.h"
#include "mlp.h"

#include <stdlib.h>
#include <string.h>

void mlp_inputs_take(gk_model *m)
{
    const size_t in = 2 * (size_t)m->n.p, width = (size_t)m->width;
    mlp_inputs *inputs = &m->inputs;
    inputs->columns = m->w.w1;
    if (!inputs->random) return;
    inputs->t = gk_pool_take(&m->n.pool, in * in, sizeof(real));
    inputs->columns = gk_pool_take(&m->n.pool, width * in, sizeof(real));
    inputs->work = gk_pool_take(&m->n.pool, width * in, sizeof(real));
}

int mlp_inputs_fill(gk_model *m, const gk_config *config)
{
    const size_t in = 2 * (size_t)m->n.p;
    double *t = gk_alloc(in * in, sizeof *t);
    if (!t) return GK_FAILED;
    const int code = gk_task_features(t, &m->n.split->task, gk_config_is(config, "features", "circulant_control"),
                                      (uint64_t)gk_config_int(config, "feature_seed"), 0.25);
    if (code == GK_OK) net_narrow(m->inputs.t, t, in * in);
    free(t);
    return code;
}

void mlp_inputs_forward(gk_model *m)
{
    const int in = 2 * m->n.p;
    net_gemm(false, false, m->width, in, in, 1, m->w.w1, in, m->inputs.t, in, 0, m->inputs.columns, in);
}

void mlp_inputs_backward(gk_model *m, real *dcolumns)
{
    /* columns = W1 T, T symmetric */
    const int in = 2 * m->n.p;
    net_gemm(false, false, m->width, in, in, 1, dcolumns, in, m->inputs.t, in, 0, m->inputs.work, in);
    memcpy(dcolumns, m->inputs.work, (size_t)m->width * (size_t)in * sizeof *dcolumns);
}
