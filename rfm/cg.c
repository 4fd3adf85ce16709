/* cg.c: the solver of the quadratic kernels: one preconditioned conjugate-gradient solve a class, on grids, in float32,
 * until the residual measured in float64 is small enough. Classes are independent, so they are what threads share out;
 * nothing depends on which thread took which. The last float64 application is the prediction on every cell. */
#include "grid.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    SLOTS = 16,  /* partial sums; their number must not depend on the threads */
    ROUNDS = 8,  /* corrections after which a residual that still is too large counts as lack of convergence */
    LIMIT = 500, /* CG iterations a round */
};

/* What one thread works in. All grids are [p,p]. */
typedef struct gk_cg_desk {
    gk_desk_f32 single;
    gk_desk_f64 fine;
    float *x, *r, *z, *q, *kq;
    double *w, *f;   /* coefficients and outputs */
    void *moments;   /* [2p,2p] float, or double where the tolerance is fine */
    float *sums, *t; /* [2p] each */
} gk_cg_desk;

struct gk_rfm_grids {
    gk_grid_f32 single;
    gk_grid_f64 fine;
    gk_coarse coarse;
    double unit; /* about the mean diagonal entry of M: grids work on M / unit, so that float32 never feels its scale */
    double ridge;            /* in units of unit^2, as K is */
    double *partial;         /* [SLOTS,2p,2p] */
    int *iterations, *codes; /* [p] */
    bool failed;             /* some class cannot be solved: the others need not be */
    double *residual_sq;     /* [p] */
    gk_cg_desk *desks;       /* [threads] */
};

static void desk_layout(const gk_model *m, gk_cg_desk *d, gk_pool *pool)
{
    const size_t p = (size_t)m->p, pp = p * p;
    const bool exact = m->tolerance < GK_RFM_FINE;
    gk_grid_desk_f32(&d->single, m->p, !exact, pool);
    gk_grid_desk_f64(&d->fine, m->p, exact, pool);
    float **grids[] = {&d->x, &d->r, &d->z, &d->q, &d->kq};
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) *grids[i] = gk_pool_take(pool, pp, sizeof(float));
    d->w = gk_pool_take(pool, pp, sizeof *d->w);
    d->f = gk_pool_take(pool, pp, sizeof *d->f);
    d->moments = gk_pool_take(pool, 4 * pp, exact ? sizeof(double) : sizeof(float));
    d->sums = gk_pool_take(pool, 2 * p, sizeof *d->sums);
    d->t = gk_pool_take(pool, 2 * p, sizeof *d->t);
}

static void cg_layout(gk_model *m, gk_pool *pool)
{
    const size_t p = (size_t)m->p, threads = (size_t)m->threads;
    const bool general = m->kernel == GK_RFM_GENERAL;
    gk_rfm_grids counting = {0}, *g = gk_pool_take(pool, 1, sizeof *g);
    m->grids = g;
    if (!g) g = &counting;
    m->outputs_f32 = gk_pool_take(pool, p * (size_t)m->n_cells, sizeof(float));
    gk_grid_layout_f32(&g->single, m->p, general, pool);
    gk_grid_layout_f64(&g->fine, m->p, general, pool);
    gk_coarse_layout(&g->coarse, m->p, true, pool);
    g->partial = gk_pool_take(pool, SLOTS * 4 * p * p, sizeof *g->partial);
    g->iterations = gk_pool_take(pool, p, sizeof *g->iterations);
    g->codes = gk_pool_take(pool, p, sizeof *g->codes);
    g->residual_sq = gk_pool_take(pool, p, sizeof *g->residual_sq);
    g->desks = gk_pool_take(pool, threads, sizeof *g->desks);
    gk_cg_desk unused;
    for (size_t i = 0; i < threads; i++) desk_layout(m, g->desks ? &g->desks[i] : &unused, pool);
}

static void cg_place(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
    for (int i = 0; i < m->n; i++) g->single.mask[m->split->train[i]] = 1;
    for (int i = 0; i < m->n; i++) g->fine.mask[m->split->train[i]] = 1;
    gk_coarse_place(&g->coarse, &m->by_x);
}

/* ---- one class ---- */

/* x += a q; r -= a (mask o kq + ridge q); sums gets the row and column sums of r. Returns |r|^2. */
GK_HOT static double move(int p, float a, float ridge, const float *mask, const float *q, const float *kq, float *x,
                          float *r, float *sums)
{
    double total = 0;
    float *columns = sums + p;
    for (int i = 0; i < p; i++) columns[i] = 0;
    for (int i = 0; i < p; i++) {
        const size_t row = (size_t)i * (size_t)p;
        float sum = 0, square = 0;
#pragma omp simd reduction(+ : sum, square)
        for (int j = 0; j < p; j++) {
            const size_t at = row + (size_t)j;
            x[at] += a * q[at];
            const float next = r[at] - a * (mask[at] * kq[at] + ridge * q[at]);
            r[at] = next;
            columns[j] += next;
            sum += next;
            square += next * next;
        }
        sums[i] = sum;
        total += (double)square;
    }
    return total;
}

/* z = r / D + mask o (t_x + t_y). Returns r . z. */
GK_HOT static double precondition(int p, const float *inverse_d, const float *mask, const float *t, const float *r,
                                  float *z)
{
    double total = 0;
    for (int i = 0; i < p; i++) {
        const size_t row = (size_t)i * (size_t)p;
        const float of_x = t[i], *of_y = t + p;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < p; j++) {
            const size_t at = row + (size_t)j;
            const float value = r[at] * inverse_d[at] + mask[at] * (of_x + of_y[j]);
            z[at] = value;
            sum += value * r[at];
        }
        total += (double)sum;
    }
    return total;
}

GK_HOT static double dot(int p, const float *a, const float *b)
{
    double total = 0;
    for (int i = 0; i < p; i++) {
        const float *u = a + (size_t)i * (size_t)p, *v = b + (size_t)i * (size_t)p;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < p; j++) sum += u[j] * v[j];
        total += (double)sum;
    }
    return total;
}

GK_HOT static void matvec(int n, const float *m, const float *v, float *out)
{
    for (int i = 0; i < n; i++) {
        const float *row = m + (size_t)i * (size_t)n;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < n; j++) sum += row[j] * v[j];
        out[i] = sum;
    }
}

GK_HOT static void follow(size_t n, float b, const float *z, float *q)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) q[i] = z[i] + b * q[i];
}

/* Solves (K + ridge I) x = r from x = 0 until |r| <= target (both overwritten). Returns the iterations, or GK_DIVERGED
 * when the operator is not positive on the way or the numbers are not finite. */
static int conjugate_gradients(const gk_model *m, gk_cg_desk *d, double target)
{
    const gk_rfm_grids *g = m->grids;
    const int p = m->p;
    const size_t pp = (size_t)m->n_cells;
    const float ridge = (float)g->ridge, *mask = g->single.mask;
    memset(d->x, 0, pp * sizeof *d->x);
    memset(d->q, 0, pp * sizeof *d->q);
    double size = move(p, 0, 0, mask, d->q, d->q, d->x, d->r, d->sums), before = 1;
    int done = 0;
    while (size > target * target && done < LIMIT) {
        matvec(2 * p, g->coarse.h, d->sums, d->t);
        const double rz = precondition(p, g->coarse.inverse_d, mask, d->t, d->r, d->z);
        follow(pp, done ? (float)(rz / before) : 0, d->z, d->q);
        before = rz;
        gk_grid_apply_f32(&g->single, &d->single, d->q, d->kq);
        const double curvature = dot(p, d->q, d->kq) + g->ridge * dot(p, d->q, d->q);
        if (!(rz > 0 && curvature > 0 && isfinite(rz / curvature))) return GK_DIVERGED;
        size = move(p, (float)(rz / curvature), ridge, mask, d->q, d->kq, d->x, d->r, d->sums);
        done++;
    }
    return isfinite(size) ? done : GK_DIVERGED;
}

/* w = unit^2 alpha[:,class], the coefficients of K / unit^2. */
static void gather(const gk_model *m, int class, double *w)
{
    const double scale = m->grids->unit * m->grids->unit;
    memset(w, 0, (size_t)m->n_cells * sizeof *w);
    for (size_t i = 0; i < (size_t)m->n; i++)
        w[m->split->train[i]] = scale * m->alpha[i * (size_t)m->p + (size_t) class];
}

/* f = K w on every cell in float64, and r = y - f - ridge w on the training cells. Returns |r|^2. */
static double measure(gk_model *m, gk_cg_desk *d, int class)
{
    gk_rfm_grids *g = m->grids;
    const int32_t *labels = m->split->task.labels;
    double size = 0;
    gk_grid_apply_f64(&g->fine, &d->fine, d->w, d->f);
    memset(d->r, 0, (size_t)m->n_cells * sizeof *d->r);
    for (int i = 0; i < m->n; i++) {
        const int cell = m->split->train[i];
        const double r = (labels[cell] == class) - d->f[cell] - g->ridge * d->w[cell];
        d->r[cell] = (float)r;
        size += r * r;
    }
    float *to = m->outputs_f32 + (size_t) class * (size_t)m->n_cells;
    for (int i = 0; i < m->n_cells; i++) to[i] = (float)d->f[i];
    g->residual_sq[class] = size;
    return size;
}

/* The start: the old coefficients times the factor that minimises the energy, in float32; r gets what is left of y. */
static void warm_start(const gk_model *m, gk_cg_desk *d, int class)
{
    const gk_rfm_grids *g = m->grids;
    const int32_t *labels = m->split->task.labels;
    double along = 0;
    for (int i = 0; i < m->n_cells; i++) d->q[i] = (float)d->w[i];
    gk_grid_apply_f32(&g->single, &d->single, d->q, d->kq);
    for (int i = 0; i < m->n; i++) {
        const int cell = m->split->train[i];
        if (labels[cell] == class) along += d->w[cell];
    }
    const double energy = dot(m->p, d->q, d->kq) + g->ridge * dot(m->p, d->q, d->q);
    const double scale = energy > 0 && isfinite(along / energy) ? along / energy : 0;
    for (int i = 0; i < m->n_cells; i++) d->w[i] = scale == 0 ? 0 : d->w[i] * scale;
    memset(d->r, 0, (size_t)m->n_cells * sizeof *d->r);
    for (int i = 0; i < m->n; i++) {
        const int cell = m->split->train[i];
        const double k = scale == 0 ? 0 : scale * ((double)d->kq[cell] + g->ridge * (double)d->q[cell]);
        d->r[cell] = (float)((labels[cell] == class) - k);
    }
}

/* From w and the residual r of a class to a w whose measured residual is at most goal. */
static int correct(gk_model *m, gk_cg_desk *d, int class, double goal)
{
    gk_rfm_grids *g = m->grids;
    const size_t pp = (size_t)m->n_cells;
    for (int round = 0; round < ROUNDS; round++) {
        double start = 0;
        bool failed;
#pragma omp atomic read
        failed = g->failed;
        if (failed) return GK_INTERRUPTED;
        for (size_t i = 0; i < pp; i++) start += (double)d->r[i] * (double)d->r[i];
        /* float32 takes a residual down by 1e-5 before it drifts from the true one; the next round goes on from there
         */
        const int done = conjugate_gradients(m, d, fmax(0.7 * goal, 1e-5 * sqrt(start)));
        if (done < 0) return done;
        g->iterations[class] += done;
        for (size_t i = 0; i < pp; i++) d->w[i] += (double)d->x[i];
        const double left = measure(m, d, class);
        if (left <= goal * goal) return GK_OK;
        if (!isfinite(left) || done == LIMIT) return GK_FAILED;
    }
    return GK_FAILED;
}

/* Solves one class; codes[class] and iterations[class] say how it went. */
static void solve_class(gk_model *m, gk_cg_desk *d, int class)
{
    gk_rfm_grids *g = m->grids;
    const size_t p = (size_t)m->p;
    int count = 0;
    for (int i = 0; i < m->n; i++) count += m->split->task.labels[m->split->train[i]] == class;
    g->codes[class] = GK_OK;
    g->iterations[class] = 0;
    if (count > 0) {
        gather(m, class, d->w);
        warm_start(m, d, class);
        g->codes[class] = correct(m, d, class, m->tolerance * sqrt(count));
    } else {
        memset(d->w, 0, (size_t)m->n_cells * sizeof *d->w);
        measure(m, d, class);
    }
    if (g->codes[class] != GK_OK) {
#pragma omp atomic write
        g->failed = true;
        return;
    }
    const double scale = g->unit * g->unit;
    for (size_t i = 0; i < (size_t)m->n; i++) m->alpha[i * p + (size_t) class] = d->w[m->split->train[i]] / scale;
}

/* ---- the solver ---- */

static void total_residual(gk_model *m)
{
    double sum = 0;
    for (int c = 0; c < m->p; c++) sum += m->grids->residual_sq[c];
    m->residual = sqrt(sum / m->n); /* |Y|^2 = n */
}

static void cg_prepare(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
    const double mean = gk_trace(m->metric, 2 * m->p) / (2 * m->p);
    g->unit = mean > 0 && isfinite(mean) ? exp2(rint(log2(mean))) : 1; /* a power of two: scaling loses nothing */
    g->ridge = m->ridge / (g->unit * g->unit);
    gk_grid_prepare_f32(&g->single, m->metric, g->unit);
    gk_grid_prepare_f64(&g->fine, m->metric, g->unit);
}

static int cg_solve(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
    if (gk_coarse_prepare(&g->coarse, &g->fine, &m->by_x, &m->by_y, g->ridge) != GK_OK) {
        return gk_error(
            GK_DIVERGED,
            "iteration %lld: the kernel matrix is not positive definite on rows and columns; a larger ridge "
            "(now %g) or another agop_power is needed",
            (long long)m->step, m->ridge);
    }
    g->failed = false;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int c = 0; c < m->p; c++) {
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "solving", (double)c / m->p);
        solve_class(m, &g->desks[omp_get_thread_num()], c);
    }
    double total = 0;
    for (int c = 0; c < m->p; c++) {
        if (g->codes[c] == GK_OK) {
            total += g->iterations[c];
            continue;
        }
        if (g->codes[c] == GK_INTERRUPTED) continue;
        return gk_error(
            GK_DIVERGED,
            "iteration %lld: %s to a relative residual of %g; solver cholesky or a larger ridge (now %g) may do",
            (long long)m->step,
            g->codes[c] == GK_DIVERGED ? "the kernel matrix is not positive definite or not finite, so not solved"
                                       : "conjugate gradients did not converge",
            m->tolerance, m->ridge);
    }
    m->iterations = total / m->p;
    total_residual(m);
    return GK_OK;
}

static int cg_predict(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int c = 0; c < m->p; c++) {
        gk_cg_desk *d = &g->desks[omp_get_thread_num()];
        gather(m, c, d->w);
        measure(m, d, c);
    }
    total_residual(m);
    return isfinite(m->residual)
               ? GK_OK
               : gk_error(GK_DIVERGED, "iteration %lld: the outputs are not finite", (long long)m->step);
}

/* Adds the moments of one class to a partial sum. */
static void add_class(const gk_model *m, gk_cg_desk *d, int class, double *partial)
{
    const gk_rfm_grids *g = m->grids;
    const size_t square = 4 * (size_t)m->n_cells;
    gather(m, class, d->w);
    if (m->tolerance < GK_RFM_FINE) {
        double *moments = d->moments;
        gk_grid_moments_f64(&g->fine, &d->fine, d->w, &m->by_x, &m->by_y, m->centering, moments);
        for (size_t i = 0; i < square; i++) partial[i] += moments[i];
        return;
    }
    float *moments = d->moments;
    for (int i = 0; i < m->n_cells; i++) d->q[i] = (float)d->w[i];
    gk_grid_moments_f32(&g->single, &d->single, d->q, &m->by_x, &m->by_y, m->centering, moments);
    for (size_t i = 0; i < square; i++) partial[i] += (double)moments[i];
}

static int cg_moments(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
    const size_t square = 4 * (size_t)m->n_cells;
    memset(g->partial, 0, SLOTS * square * sizeof *g->partial);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int slot = 0; slot < SLOTS; slot++) {
        for (int c = slot; c < m->p; c += SLOTS) {
            if (omp_get_thread_num() == 0) gk_rfm_tell(m, "features", (slot + (double)c / m->p) / SLOTS);
            add_class(m, &g->desks[omp_get_thread_num()], c, g->partial + (size_t)slot * square);
        }
    }
    memset(m->agop, 0, square * sizeof *m->agop);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        for (size_t i = 0; i < square; i++) m->agop[i] += g->partial[slot * square + i] / (g->unit * g->unit);
    }
    return GK_OK;
}

const gk_rfm_solver gk_rfm_cg = {
    .name = "cg",
    .single = true,
    .layout = cg_layout,
    .place = cg_place,
    .prepare = cg_prepare,
    .solve = cg_solve,
    .solve_predicts = true,
    .predict = cg_predict,
    .moments = cg_moments,
};
