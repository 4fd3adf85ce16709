/* bench_loops.c: the list of loops that `groklab bench` times. A new one is a row here. */
#include "bench.h"

static double number(const gk_config *config, const char *key) { return (double)gk_config_int(config, key); }

/* Logits, their gradient by neurons, and the gradient by W_L, each [pairs, d_mlp] x [d_mlp, p + 1] once the two linear maps
 * behind the neurons are merged; all else is tables and elementwise. 1.34 GFlop on the mainline. */
static gk_bench_work transformer_step(const gk_config *config, const gk_split *split, double iterations)
{
    (void)iterations;
    return (gk_bench_work){6.0 * split->n_train * number(config, "d_mlp") * (split->task.p + 1), false};
}

static gk_bench_work transformer_test(const gk_config *config, const gk_split *split, double iterations)
{
    (void)iterations;
    return (gk_bench_work){2.0 * split->n_test * number(config, "d_mlp") * (split->task.p + 1), false};
}

/* Outputs, their gradient by neurons, and the gradient by W2; the first layer is a gather of one-hot columns. */
static gk_bench_work mlp_epoch(const gk_config *config, const gk_split *split, double iterations)
{
    (void)iterations;
    return (gk_bench_work){6.0 * split->n_train * number(config, "width") * split->task.p, false};
}

static int mlp_batches(const gk_config *config, const gk_split *split)
{
    const int batch = (int)gk_config_int(config, "batch_size");
    return (split->n_train + batch - 1) / batch;
}

/* Matrix-free where the solver reports iterations: 5 p^3 multiply-adds a class for each application of the kernel, and as
 * much again for the feature moments. Dense otherwise: Cholesky, two triangular solves, and the outputs on all cells. */
static gk_bench_work rfm_iteration(const gk_config *config, const gk_split *split, double iterations)
{
    (void)config;
    const double p = split->task.p, n = split->n_train;
    if (iterations > 0) return (gk_bench_work){10 * p * p * p * p * (iterations + 1), false};
    return (gk_bench_work){n * n * n / 3 + 2 * n * n * p + 2 * p * p * p * n, true};
}

#define MLP_FORMULA "6 batch width p: matrix products of outputs, of their gradient by neurons, of the gradient by W2"
#define RFM_FORMULA "matrix-free: 10 p^4 (solver iterations + 1); dense: n^3/3 + 2 n^2 p + 2 p^3 n"

/* 1856 = 58 x 32 training pairs, so that every minibatch is full. */
#define MLP_SETTINGS(width) (const char *const[]){"p", "61", "train_fraction", "0.4988", "width", width, NULL}
#define RFM_SETTINGS(kernel, p) (const char *const[]){"p", p, "kernel", kernel, NULL}

const gk_bench_loop gk_bench_loops[] = {
    {"transformer-step", "transformer", "one full-batch step, p = 113, 3830 pairs",
     "6 pairs d_mlp (p + 1): matrix products of logits, of their gradient by neurons, of the gradient by W_out W_U",
     (const char *const[]){NULL}, 3, 1000, false, false, transformer_step, NULL},
    {"transformer-test", "transformer", "its loss on the 8939 test pairs", "2 pairs d_mlp (p + 1): the logits",
     (const char *const[]){NULL}, 3, 1000, true, false, transformer_test, NULL},
    {"mlp-256", "mlp", "one step on 32 pairs, p = 61, width 256", MLP_FORMULA, MLP_SETTINGS("256"), 1, 50, false, true,
     mlp_epoch, mlp_batches},
    {"mlp-1024", "mlp", "one step on 32 pairs, p = 61, width 1024", MLP_FORMULA, MLP_SETTINGS("1024"), 1, 50, false, true,
     mlp_epoch, mlp_batches},
    {"rfm-61", "rfm", "one iteration, 20 to 30, quadratic kernel, p = 61", RFM_FORMULA, RFM_SETTINGS("quadratic", "61"), 20,
     9, false, false, rfm_iteration, NULL},
    {"rfm-113", "rfm", "one iteration, 20 to 30, quadratic kernel, p = 113", RFM_FORMULA,
     RFM_SETTINGS("quadratic", "113"), 20, 9, false, false, rfm_iteration, NULL},
    {"gaussian-61", "rfm", "one iteration, 20 to 30, Gaussian kernel, p = 61", RFM_FORMULA, RFM_SETTINGS("gaussian", "61"),
     20, 9, false, false, rfm_iteration, NULL},
    {"gaussian-113", "rfm", "one iteration, 2 to 12, Gaussian kernel, p = 113", RFM_FORMULA,
     RFM_SETTINGS("gaussian", "113"), 2, 9, false, false, rfm_iteration, NULL},
    {0},
};
