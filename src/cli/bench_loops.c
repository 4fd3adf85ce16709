/* bench_loops.c: the list of loops that `groklab bench` times. A new one is a row here. */
#include "bench.h"

static double number(const gk_config *config, const char *key)
{
    return (double)gk_config_int(config, key);
}

/* Logits, their gradient by neurons, and the gradient by W_L, each [pairs, d_mlp] x [d_mlp, p + 1] once the two linear
 * maps behind the neurons are merged; all else is tables and elementwise. 1.34 GFlop on the mainline. */
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

/* Three ways to solve; the two iterative ones report their iterations and work in float32, but for the outputs.
 * - Quadratic, matrix-free: one application of the kernel to a class's grid is 10 p^3 flops; each class takes
 *   `iterations` of them, one for the warm start and one for the outputs, and 28 p^3 for the moments of its gradients.
 * - Gaussian and Laplace by conjugate gradients: an iteration is a product with the [n,n] kernel matrix, all classes at
 *   once; the outputs are one on all cells; the moments are segment sums over both coordinates and a Gram matrix.
 * - Dense: Cholesky, two triangular solves, outputs and moments as before.
 * Eigenproblems and coarse spaces of 2p x 2p are not counted. */
static gk_bench_work rfm_iteration(const gk_config *config, const gk_split *split, double iterations)
{
    const double p = split->task.p, n = split->n_train, outputs_and_moments = 4 * n * n * p + 6 * p * p * p * n;
    if (iterations > 0 && gk_config_is(config, "kernel", "quadratic"))
        return (gk_bench_work){p * p * p * p * (10 * (iterations + 2) + 28), false};
    if (iterations > 0) return (gk_bench_work){2 * n * n * p * iterations + outputs_and_moments, false};
    return (gk_bench_work){n * n * n / 3 + 2 * n * n * p + outputs_and_moments, true};
}

#define MLP_FORMULA "6 batch width p: matrix products of outputs, of their gradient by neurons, of the gradient by W2"
#define RFM_FORMULA "matrix-free: p^4 (10 (solver iterations + 2) + 28); dense: n^3/3 + 6 n^2 p + 6 p^3 n"
#define GAUSSIAN_FORMULA                                                                                               \
    "conjugate gradients: 2 n^2 p (solver iterations + 2) + 6 p^3 n; dense: n^3/3 + 6 n^2 p + 6 p^3 n"

static const char *const defaults[] = {NULL};
/* 1856 = 58 x 32 training pairs, so that every minibatch is full */
static const char *const mlp_256[] = {"p", "61", "train_fraction", "0.4988", "width", "256", NULL};
static const char *const mlp_1024[] = {"p", "61", "train_fraction", "0.4988", "width", "1024", NULL};
static const char *const quadratic_61[] = {"p", "61", "kernel", "quadratic", NULL};
static const char *const quadratic_113[] = {"p", "113", "kernel", "quadratic", NULL};
static const char *const gaussian_61[] = {"p", "61", "kernel", "gaussian", NULL};
static const char *const gaussian_113[] = {"p", "113", "kernel", "gaussian", NULL};

const gk_bench_loop gk_bench_loops[] = {
    {"transformer-step", "transformer", "one full-batch step, p = 113, 3830 pairs",
     "6 pairs d_mlp (p + 1): matrix products of logits, of their gradient by neurons, of the gradient by W_out W_U",
     defaults, 3, 1000, false, false, transformer_step, NULL},
    {"transformer-test", "transformer", "its loss on the 8939 test pairs", "2 pairs d_mlp (p + 1): the logits",
     defaults, 3, 1000, true, false, transformer_test, NULL},
    {"mlp-256", "mlp", "one step on 32 pairs, p = 61, width 256", MLP_FORMULA, mlp_256, 1, 50, false, true, mlp_epoch,
     mlp_batches},
    {"mlp-1024", "mlp", "one step on 32 pairs, p = 61, width 1024", MLP_FORMULA, mlp_1024, 1, 50, false, true,
     mlp_epoch, mlp_batches},
    {"rfm-61", "rfm", "one iteration, 22 to 30, quadratic kernel, p = 61", RFM_FORMULA, quadratic_61, 20, 9, false,
     false, rfm_iteration, NULL},
    {"rfm-113", "rfm", "one iteration, 22 to 30, quadratic kernel, p = 113", RFM_FORMULA, quadratic_113, 20, 9, false,
     false, rfm_iteration, NULL},
    {"gaussian-61", "rfm", "one iteration, 22 to 30, Gaussian kernel, p = 61", GAUSSIAN_FORMULA, gaussian_61, 20, 9,
     false, false, rfm_iteration, NULL},
    {"gaussian-113", "rfm", "one iteration, 22 to 30, Gaussian kernel, p = 113", GAUSSIAN_FORMULA, gaussian_113, 20, 9,
     false, false, rfm_iteration, NULL},
    {0},
};
