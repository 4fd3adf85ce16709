/* rfm.c: the Recursive Feature Machine as a method of the laboratory (include/gk_method.h).
 *
 * The state after t iterations is (M_t, alpha_t); outputs, residual and AGOP are deterministic functions of it,
 * computed when asked for and kept until it changes, so that a resumed run goes on to the same bits. alpha all zero
 * means that M_t is not solved yet: that is how a run starts (M_0 = I), and how a caller that replaces M asks for a
 * fresh solution. M is used as it comes from G^power, never normalised: the quadratic predictor does not feel the scale
 * of M (K scales with its square, alpha with the inverse square), and G, a moment of gradients of an interpolant, stays
 * of order 1. */
#include "rfm.h"

#include "gk_structure.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gk_key rfm_keys[] = {
    {"p", GK_KEY_INT, "61", 2, 1009, NULL, "modulus; mul, div and discrete logarithms need a prime"},
    {"train_fraction", GK_KEY_REAL, "0.5", 0, 1, NULL, "share of the defined pairs that is trained on"},
    {"steps", GK_KEY_INT, "30", 0, 1e6, NULL, "iterations: one solve and one feature update each"},
    {"measure_every", GK_KEY_INT, "3", 0, 1e12, NULL,
     "iterations between measures and feature matrices; 0: only at the end"},
    {"checkpoint_every", GK_KEY_INT, "5", 0, 1e12, NULL, "iterations between checkpoints; 0: only at the end"},
    {"dtype", GK_KEY_CHOICE, "float64", 0, 0, "float64", "number type of M and alpha"},
    {"features", GK_KEY_CHOICE, "identity", 0, 0, "identity|circulant|circulant_control",
     "M_0: the identity, or the root of a random circulant matrix (control: in the wrong orientation); with steps = 0 a "
     "kernel machine that learns no features"},
    {"feature_seed", GK_KEY_INT, "0", 0, 9007199254740992.0, NULL, "seed of the random features"},
    {"kernel", GK_KEY_CHOICE, "quadratic", 0, 0, "quadratic|gaussian|laplace|general_quadratic",
     "(z'Mz')^2 | exp(-d^2/(2 L^2)) | exp(-d/L) | (z'Mz')^2 + (z'Mz - 1)(z''Mz' - 1)/2, d the distance in the metric "
     "M"},
    {"bandwidth", GK_KEY_REAL, "2.5", 1e-6, 1e6, NULL,
     "L of gaussian and laplace; the gaussian follows the authors' code, exp(-d^2/(2 L^2)), where the paper writes "
     "exp(-d^2/L)"},
    {"ridge", GK_KEY_REAL, "0", 0, 1e6, NULL, "added to the diagonal of the kernel matrix"},
    {"agop_power", GK_KEY_REAL, "0.5", 1e-3, 8, NULL, "M becomes the AGOP to this power"},
    {"centering", GK_KEY_CHOICE, "on", 0, 0, "on|off",
     "subtract the mean gradient over training points before the AGOP"},
    {"solver", GK_KEY_CHOICE, "auto", 0, 0, "auto|cholesky|cg",
     "how the linear system is solved; auto: by predicted cost"},
    {"solver_tolerance", GK_KEY_REAL, "1e-5", 1e-13, 0.1, NULL,
     "measured relative residual that an iterative solver must reach; below 1e-6 the AGOP is summed in float64, too"},
    {0},
};

static const char *const rfm_kinds[] = {"agop", "metric", NULL};

static void layout_points(gk_rfm_points *at, int n, int letters, gk_pool *pool)
{
    at->n = n;
    at->x = gk_pool_take(pool, (size_t)n, sizeof *at->x);
    at->y = gk_pool_take(pool, (size_t)n, sizeof *at->y);
    at->from = gk_pool_take(pool, (size_t)n, sizeof *at->from);
    at->start = gk_pool_take(pool, (size_t)letters + 1, sizeof *at->start);
    at->q = gk_pool_take(pool, (size_t)n, sizeof *at->q);
    at->h = gk_pool_take(pool, (size_t)n, sizeof *at->h);
}

static void layout(gk_model *m, gk_pool *pool)
{
    const size_t p = (size_t)m->p, square = (size_t)m->d * (size_t)m->d;
    m->metric = gk_pool_take(pool, square, sizeof(double));
    m->alpha = gk_pool_take(pool, (size_t)m->n * p, sizeof(double));
    m->fallen_back = gk_pool_take(pool, 1, sizeof(int64_t));
    m->previous = gk_pool_take(pool, square, sizeof(double));
    m->agop = gk_pool_take(pool, square, sizeof(double));
    m->scratch = gk_pool_take(pool, square, sizeof(double));
    m->row = gk_pool_take(pool, (size_t)m->n_cells, sizeof(double));
    m->best = gk_pool_take(pool, (size_t)m->n_cells, sizeof *m->best);
    layout_points(&m->by_x, m->n, m->px, pool);
    layout_points(&m->by_y, m->n, m->p, pool);
    gk_rfm_kernel_layout(&m->tables, pool);
    m->solver->layout(m, pool);
}

/* Both orders of the training cells, by counting; split->learn ascends in x*p + y, so it is the order by x. */
static void place_points(gk_model *m)
{
    const int p = m->p, n = m->n;
    gk_rfm_points *bx = &m->by_x, *by = &m->by_y;
    for (int i = 0; i < n; i++) {
        bx->x[i] = m->split->learn[i] / p;
        bx->y[i] = m->split->learn[i] % p;
        bx->from[i] = i;
        bx->start[bx->x[i] + 1]++;
        by->start[bx->y[i] + 1]++;
    }
    for (int a = 0; a < m->px; a++) bx->start[a + 1] += bx->start[a];
    for (int a = 0; a < p; a++) by->start[a + 1] += by->start[a];
    for (int i = 0; i < n; i++) { /* start[y] walks to the end of its segment, that is to the start of the next */
        const int to = by->start[bx->y[i]]++;
        by->x[to] = bx->x[i];
        by->y[to] = bx->y[i];
        by->from[to] = i;
    }
    memmove(by->start + 1, by->start, (size_t)p * sizeof *by->start);
    by->start[0] = 0;
}

static gk_rfm_kernel kernel_of(const gk_config *config)
{
    if (gk_config_is(config, "kernel", "quadratic")) return GK_RFM_QUADRATIC;
    if (gk_config_is(config, "kernel", "gaussian")) return GK_RFM_GAUSSIAN;
    return gk_config_is(config, "kernel", "laplace") ? GK_RFM_LAPLACE : GK_RFM_GENERAL;
}

static void rfm_free(gk_model *m)
{
    if (!m) return;
    gk_pool_free(&m->pool);
    gk_pool_free(&m->fallback_pool);
    free(m);
}

/* The solver that a configuration asks for; auto takes the cheaper one. */
static const gk_rfm_solver *choose(const gk_model *m, const gk_config *config)
{
    const bool grid = m->kernel == GK_RFM_QUADRATIC || m->kernel == GK_RFM_GENERAL;
    const gk_rfm_solver *iterative = grid ? &gk_rfm_cg : &gk_rfm_radial_cg;
    if (m->px > m->p || gk_config_is(config, "solver", "cholesky")) return &gk_rfm_cholesky;
    if (gk_config_is(config, "solver", "cg")) return iterative;
    const double work = grid ? gk_rfm_cg_work(m->p) : gk_rfm_radial_work(m->n, m->p);
    return work < gk_rfm_dense_work(m->n, m->p) ? iterative : &gk_rfm_cholesky;
}

/* Refuses what the machine has no memory for, with what it would take and what would do instead. */
static int affordable(const gk_model *m, size_t bytes)
{
    const double room = gk_rfm_memory_free();
    if ((double)bytes < room) return GK_OK;
    const bool grid = m->kernel == GK_RFM_QUADRATIC || m->kernel == GK_RFM_GENERAL, dense = m->solver != &gk_rfm_cg;
    const double work = !dense ? gk_rfm_cg_work(m->p)
                        : grid ? gk_rfm_dense_work(m->n, m->p)
                               : gk_rfm_radial_work(m->n, m->p);
    char instead[128];
    if (dense && grid)
        snprintf(instead, sizeof instead, "solver = cg needs no kernel matrix");
    else
        snprintf(instead, sizeof instead, "p up to about %d, or a smaller train_fraction, would fit",
                 (int)(m->p * pow(room / (double)bytes, dense ? 0.25 : 1.0 / 3)));
    return gk_error(
        GK_FAILED,
        "rfm with p = %d, %d training pairs and solver %s needs %.1f GB, %.1f GB are free, and about %.3g s an "
        "iteration on %d threads; %s",
        m->p, m->n, m->solver->name, 1e-9 * (double)bytes, 1e-9 * room, gk_rfm_seconds(work, m->threads), m->threads,
        instead);
}

static int take_memory(gk_model *m)
{
    layout(m, &m->pool);
    int code = affordable(m, m->pool.used);
    if (code == GK_OK) code = gk_pool_alloc(&m->pool);
    if (code == GK_OK) layout(m, &m->pool);
    return code;
}

/* M_0 */
static int first_metric(gk_model *m, const gk_config *config)
{
    if (gk_config_is(config, "features", "identity")) {
        for (int i = 0; i < m->d; i++) m->metric[(size_t)i * (size_t)m->d + (size_t)i] = 1;
        return GK_OK;
    }
    return gk_task_features(m->metric, &m->split->task, gk_config_is(config, "features", "circulant_control"),
                            (uint64_t)gk_config_int(config, "feature_seed"), 0.5);
}

/* Two tasks at once take the dense solver and start from the identity. */
static int check_two(const gk_config *config)
{
    if (gk_config_is(config, "solver", "cg"))
        return gk_error(GK_USAGE, "solver = cg does not know second_op; take solver = cholesky or auto");
    if (gk_config_is(config, "features", "identity")) return GK_OK;
    return gk_error(GK_USAGE, "features = %s does not know second_op; take features = identity",
                    gk_config_text(config, "features"));
}

static int rfm_init(gk_model **out, const gk_config *config, const gk_split *split)
{
    int code = split->two ? check_two(config) : GK_OK;
    if (code != GK_OK) return code;
    gk_model *m = gk_calloc(1, sizeof *m);
    if (!m) return GK_FAILED;
    m->split = split;
    m->p = split->task.p;
    m->px = split->two ? 2 * m->p : m->p;
    m->d = split->two ? 2 * m->p + 1 : 2 * m->p;
    m->n = split->n_learn;
    m->n_cells = m->px * m->p;
    m->threads = (int)gk_config_int(config, "threads");
    if (m->threads == 0) m->threads = omp_get_num_procs();
    m->kernel = kernel_of(config);
    m->bandwidth = gk_config_real(config, "bandwidth");
    m->ridge = gk_config_real(config, "ridge");
    m->power = gk_config_real(config, "agop_power");
    m->tolerance = gk_config_real(config, "solver_tolerance");
    m->centering = gk_config_is(config, "centering", "on");
    m->tables = (gk_rfm_tables){.kernel = m->kernel, .bandwidth = m->bandwidth, .p = m->p, .px = m->px};
    m->chosen = m->solver = choose(m, config);
    m->may_fall_back = gk_config_is(config, "solver", "auto");
    code = take_memory(m);
    if (code != GK_OK) {
        rfm_free(m);
        return code;
    }
    place_points(m);
    m->solver->place(m);
    if ((code = first_metric(m, config)) != GK_OK) {
        rfm_free(m);
        return code;
    }
    *out = m;
    return GK_OK;
}

/* ---- what is computed when asked for ---- */

static void prepare(gk_model *m)
{
    gk_blas_threads(1);
    gk_rfm_tell_from_here(m);
    if (!m->prepared) m->solver->prepare(m);
    m->prepared = true;
}

/* From here on cholesky, whose memory is taken now. Part of the state, so that a resumed run does the same. */
static int fall_back(gk_model *m)
{
    if (!m->fallback_pool.base) {
        gk_pool counting = {0};
        gk_rfm_cholesky.layout(m, &counting);
        if ((double)counting.used > gk_rfm_memory_free()) {
            return gk_error(GK_DIVERGED,
                            "iteration %lld: conjugate gradients cannot solve the system and a dense solve needs "
                            "%.1f GB; a ridge (now %g) or a smaller p may do",
                            (long long)m->step, 1e-9 * (double)counting.used, m->ridge);
        }
        m->fallback_pool.used = counting.used;
        int code = gk_pool_alloc(&m->fallback_pool);
        if (code != GK_OK) return code;
        gk_rfm_cholesky.layout(m, &m->fallback_pool);
        gk_rfm_cholesky.place(m);
    }
    m->solver = &gk_rfm_cholesky;
    m->fallen_back[0] = 1;
    m->prepared = false;
    return GK_OK;
}

static int solved(gk_model *m)
{
    if (m->solved) return GK_OK;
    prepare(m);
    int code = m->solver->solve(m);
    if (code == GK_DIVERGED && m->may_fall_back && m->solver != &gk_rfm_cholesky) {
        code = fall_back(m);
        if (code == GK_OK) prepare(m);
        if (code == GK_OK) code = m->solver->solve(m);
    }
    if (code == GK_OK && !m->solver->solve_predicts) code = m->solver->predict(m);
    m->solved = m->predicted = code == GK_OK;
    if (code != GK_OK) memset(m->alpha, 0, (size_t)m->n * (size_t)m->p * sizeof *m->alpha);
    return code;
}

static int predicted(gk_model *m)
{
    int code = solved(m);
    if (code != GK_OK || m->predicted) return code;
    prepare(m);
    code = m->solver->predict(m);
    m->predicted = code == GK_OK;
    return code;
}

/* agop = (s^2 / n) M S M of some classes, exactly symmetric. */
static int find_agop(gk_model *m, int first, int classes)
{
    int code = solved(m);
    if (code != GK_OK) return code;
    prepare(m);
    m->agop_known = false;
    code = m->solver->moments(m, first, classes);
    if (code != GK_OK) return code;
    const int d = m->d;
    const double s = gk_rfm_kernel_scale(&m->tables);
    gk_gemm(false, false, d, d, d, s * s / m->n, m->metric, d, m->agop, d, 0, m->scratch, d);
    gk_gemm(false, false, d, d, d, 1, m->scratch, d, m->metric, d, 0, m->agop, d);
    for (size_t i = 0; i < (size_t)d; i++) {
        for (size_t j = 0; j < i; j++) {
            double *lower = m->agop + i * (size_t)d + j, *upper = m->agop + j * (size_t)d + i;
            *lower = *upper = (*lower + *upper) / 2;
        }
    }
    return GK_OK;
}

/* G, that of all classes. */
static int agop_known(gk_model *m)
{
    const int code = m->agop_known ? GK_OK : find_agop(m, 0, m->p);
    m->agop_known = code == GK_OK;
    return code;
}

/* ---- the table ---- */

static inline double output_at(const gk_model *m, int class, int cell)
{
    const size_t at = (size_t) class * (size_t)m->n_cells + (size_t)cell;
    return !m->solver->single ? m->outputs[at] : (double)m->outputs_f32[at];
}

static int rfm_score(gk_model *m, const int32_t *cells, int n, gk_score *out, gk_output_rows *rows)
{
    (void)rows; /* the model keeps its outputs itself */
    int code = predicted(m);
    if (code != GK_OK) return code;
    const int32_t *labels = m->split->task.labels;
    double loss = 0, correct = 0;
    int right = 0;
    for (int c = 0; c < m->p; c++) { /* class by class, as the outputs lie; row keeps the largest so far of each cell */
        for (int i = 0; i < n; i++) {
            const double f = output_at(m, c, cells[i]), e = f - (labels[cells[i]] == c);
            loss += e * e;
            if (labels[cells[i]] == c) correct += e * e;
            if (c > 0 && !(f > m->row[i])) continue;
            m->row[i] = f;
            m->best[i] = c;
        }
    }
    for (int i = 0; i < n; i++) right += m->best[i] == labels[cells[i]];
    *out = (gk_score){loss / ((double)n * m->p), (double)right / n, correct / n};
    return GK_OK;
}

/* M_{t+1} = G^power. Features that overflow, or that vanish (a ridge that outweighs the kernel shrinks them faster and
 * faster), end the run: nothing more can be learnt from them. */
static int next_metric(gk_model *m)
{
    int code = gk_sym_power(m->metric, m->agop, m->d, m->power);
    if (code != GK_OK) return code;
    const double mean = gk_trace(m->metric, m->d) / m->d;
    const bool radial = gk_rfm_kernel_radial(&m->tables);
    if (mean > 1e-100 && mean < 1e100 && (radial || m->ridge <= 1e20 * mean * mean)) return GK_OK;
    return gk_error(
        GK_DIVERGED,
        "iteration %lld: the mean diagonal entry of M has come to %g; ridge (now %g), agop_power or bandwidth do not "
        "suit the kernel",
        (long long)m->step + 1, mean, m->ridge);
}

static int rfm_step(gk_model *m, double *train_loss)
{
    const size_t square = (size_t)m->d * (size_t)m->d;
    int code = agop_known(m);
    if (code != GK_OK) return code;
    memcpy(m->previous, m->metric, square * sizeof *m->metric);
    code = next_metric(m);
    m->step++;
    m->solved = m->predicted = m->agop_known = m->prepared = false;
    if (code == GK_OK) code = solved(m);
    if (code != GK_OK) { /* the last good state: M_t, to be solved again when asked for */
        memcpy(m->metric, m->previous, square * sizeof *m->metric);
        memset(m->alpha, 0, (size_t)m->n * (size_t)m->p * sizeof *m->alpha);
        m->solved = m->prepared = false;
        m->step--;
        return code;
    }
    gk_score score;
    if (!train_loss) return GK_OK;
    code = rfm_score(m, m->split->learn, m->n, &score, NULL);
    *train_loss = score.loss;
    return code;
}

static int rfm_predict(gk_model *m, const int32_t *cells, int n, double *out)
{
    enum { BLOCK = 64 }; /* cells at a time: outputs lie class by class, out cell by cell, and both stay in cache */
    int code = predicted(m);
    for (int from = 0; code == GK_OK && from < n; from += BLOCK) {
        const int end = n - from < BLOCK ? n : from + BLOCK;
        for (int c = 0; c < m->p; c++)
            for (int i = from; i < end; i++) out[(size_t)i * (size_t)m->p + (size_t)c] = output_at(m, c, cells[i]);
    }
    return code;
}

static int rfm_outputs(gk_model *m, const float **out)
{
    int code = predicted(m);
    *out = m->solver->single ? m->outputs_f32 : NULL;
    return code;
}

static int rfm_tensors(gk_model *m, gk_tensor_set set, gk_tensor *out)
{
    if (set == GK_GRADIENTS) return 0;
    out[0] = (gk_tensor){"M", GK_F64, 2, {m->d, m->d}, m->metric};
    out[1] = (gk_tensor){"alpha", GK_F64, 2, {m->n, m->p}, m->alpha};
    out[2] = (gk_tensor){"fallen_back", GK_I64, 1, {1}, m->fallen_back};
    return set == GK_STATE ? 3 : 2;
}

static int rfm_loaded(gk_model *m, gk_tensor_set set, int64_t step)
{
    const size_t n = (size_t)m->n * (size_t)m->p;
    m->step = step;
    m->solved = m->predicted = m->agop_known = m->prepared = false;
    for (size_t i = 0; i < n && !m->solved; i++) m->solved = m->alpha[i] != 0;
    if (set != GK_STATE) m->fallen_back[0] = 0;
    m->solver = m->chosen;
    return m->fallen_back[0] ? fall_back(m) : GK_OK;
}

/* A loaded model predicts with the solver that was chosen. */
static bool rfm_from_weights(gk_model *m)
{
    return !m->fallen_back[0];
}

static int rfm_feature_size(gk_model *m, const char *kind)
{
    (void)kind;
    return 2 * m->p;
}

static int rfm_feature(gk_model *m, const char *kind, double *out)
{
    const int size = 2 * m->p; /* the coordinate of the task stays out: it has no place in a circulant structure */
    if (strcmp(kind, "metric") == 0) {
        gk_block(out, m->metric, m->d, 0, size, 0, size);
        return GK_OK;
    }
    if (strcmp(kind, "agop") != 0) {
        return gk_error(GK_NOTFOUND, "rfm has no feature matrix '%s'; it has agop and metric", kind);
    }
    int code = agop_known(m);
    if (code == GK_OK) gk_block(out, m->agop, m->d, 0, size, 0, size);
    return code;
}

static int rfm_class_agop(gk_model *m, int class, double *out)
{
    const int size = 2 * m->p, code = find_agop(m, class, 1);
    if (code == GK_OK) gk_block(out, m->agop, m->d, 0, size, 0, size);
    return code;
}

static int rfm_report(gk_model *m, int (*value)(void *context, const char *name, double v), void *context)
{
    if (!m->predicted) return GK_OK;
    int code = value(context, "solve_residual", m->residual);
    return code == GK_OK ? value(context, "solver_iterations", m->iterations) : code;
}

static void rfm_watch(gk_model *m, void (*now)(void *context, const char *doing, double share), void *context)
{
    m->watch = now;
    m->watch_context = context;
}

static const gk_method rfm_method = {
    .name = "rfm",
    .unit = "iteration",
    .summary = "Recursive Feature Machine: kernel regression whose metric is the AGOP of its own predictor",
    .keys = rfm_keys,
    .init = rfm_init,
    .step = rfm_step,
    .score = rfm_score,
    .predict = rfm_predict,
    .outputs = rfm_outputs,
    .tensors = rfm_tensors,
    .loaded = rfm_loaded,
    .from_weights = rfm_from_weights,
    .feature_kinds = rfm_kinds,
    .feature = rfm_feature,
    .feature_size = rfm_feature_size,
    .class_agop = rfm_class_agop,
    .free = rfm_free,
    .report = rfm_report,
    .watch = rfm_watch,
};

const gk_method *gk_rfm_method(void)
{
    return &rfm_method;
}
