/* cg.c: the solver of the quadratic kernels: one preconditioned conjugate-gradient solve a class, on grids, in float32,
 * until the residual measured in float64 is small enough. Classes are independent, so they are what threads share out;
 * nothing depends on which thread took which. The last float64 application is the prediction on every cell. */
#include "grid_moments.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    SLOTS = 16,  /* partial sums; their number must not depend on the threads */
    ROUNDS = 8,  /* corrections after which a residual that still is too large counts as lack of convergence */
    LIMIT = 500, /* CG iterations a round */
};

/* What one thread works in. All grids are [p,stride], 0 in the padding. */
typedef struct gk_cg_desk {
    gk_desk_f32 single;
    gk_desk_f64 fine;
    float *x, *r, *z, *q, *kq;
    double *w, *f;   /* coefficients and outputs */
    float *sums, *t; /* row and column sums of r [2p], and what is added to each row and column [3 stride] */
} gk_cg_desk;

struct gk_rfm_grids {
    gk_grid_f32 single;
    gk_grid_f64 fine;
    gk_coarse coarse;
    double unit; /* about the mean diagonal entry of M: grids work on M / unit, so that float32 never feels its scale */
    double ridge;            /* in units of unit^2, as K is */
    gk_grid_moments_f32 moments;
    gk_grid_moments_f64 fine_moments; /* in place of the former where the tolerance is fine */
    double *class_sums;               /* [p,2p] r and s of each class */
    double *excess_of;                /* [p] sum (q - 1) alpha of each class; 0 but for general_quadratic */
    int *iterations, *codes; /* [p] */
    bool failed;             /* some class cannot be solved: the others need not be */
    double *residual_sq;     /* [p] */
    gk_cg_desk *desks;       /* [threads] */
};

static void desk_layout(const gk_model *m, gk_cg_desk *d, gk_pool *pool)
{
    const size_t stride = (size_t)gk_grid_stride(m->p), size = (size_t)m->p * stride;
    gk_grid_desk_f32(&d->single, m->p, pool);
    gk_grid_desk_f64(&d->fine, m->p, pool);
    float **grids[] = {&d->x, &d->r, &d->z, &d->q, &d->kq};
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) *grids[i] = gk_pool_take(pool, size, sizeof(float));
    d->w = gk_pool_take(pool, size, sizeof *d->w);
    d->f = gk_pool_take(pool, size, sizeof *d->f);
    d->sums = gk_pool_take(pool, 3 * stride, sizeof *d->sums);
    d->t = gk_pool_take(pool, 3 * stride, sizeof *d->t);
}

static bool is_fine(const gk_model *m)
{
    return m->tolerance < GK_RFM_FINE;
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
    if (is_fine(m))
        gk_grid_moments_layout_f64(&g->fine_moments, m->p, SLOTS, pool);
    else
        gk_grid_moments_layout_f32(&g->moments, m->p, SLOTS, pool);
    g->class_sums = gk_pool_take(pool, 2 * p * p, sizeof *g->class_sums);
    g->excess_of = gk_pool_take(pool, p, sizeof *g->excess_of);
    g->iterations = gk_pool_take(pool, p, sizeof *g->iterations);
    g->codes = gk_pool_take(pool, p, sizeof *g->codes);
    g->residual_sq = gk_pool_take(pool, p, sizeof *g->residual_sq);
    g->desks = gk_pool_take(pool, threads, sizeof *g->desks);
    gk_cg_desk unused;
    for (size_t i = 0; i < threads; i++) desk_layout(m, g->desks ? &g->desks[i] : &unused, pool);
}

/* Where training point i lies in a grid. */
static inline size_t place_of(const gk_model *m, int i)
{
    return (size_t)m->by_x.x[i] * (size_t)m->grids->single.stride + (size_t)m->by_x.y[i];
}

static void cg_place(gk_model *m)
{
    gk_rfm_grids *g = m->grids;
    for (int i = 0; i < m->n; i++) g->single.mask[place_of(m, i)] = 1;
    for (int i = 0; i < m->n; i++) g->fine.mask[place_of(m, i)] = 1;
    gk_coarse_place(&g->coarse, &m->by_x);
}

/* ---- one class ---- */

/* x += a q; r -= a (mask o kq + ridge q); sums gets the row and column sums of r. Returns |r|^2. */
GK_HOT static double move(int p, float a, float ridge, const float *mask, const float *q, const float *kq, float *x,
                          float *r, float *sums)
{
    const int width = gk_grid_width(p);
    double total = 0;
    float *columns = sums + p;
    for (int i = 0; i < width; i++) columns[i] = 0;
    for (int i = 0; i < p; i++) {
        const size_t row = (size_t)i * (size_t)gk_grid_stride(p);
        float sum = 0, square = 0;
#pragma omp simd reduction(+ : sum, square)
        for (int j = 0; j < width; j++) {
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
    const int width = gk_grid_width(p);
    double total = 0;
    for (int i = 0; i < p; i++) {
        const size_t row = (size_t)i * (size_t)gk_grid_stride(p);
        const float of_x = t[i], *of_y = t + p;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < width; j++) {
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
    const int width = gk_grid_width(p);
    double total = 0;
    for (int i = 0; i < p; i++) {
        const size_t row = (size_t)i * (size_t)gk_grid_stride(p);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < width; j++) sum += a[row + (size_t)j] * b[row + (size_t)j];
        total += (double)sum;
    }
    return total;
}

/* q = z + b q */
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
    const int p = m->p, stride = g->single.stride;
    const size_t size_of_grid = (size_t)p * (size_t)stride;
    const float ridge = (float)g->ridge, *mask = g->single.mask;
    memset(d->x, 0, size_of_grid * sizeof *d->x);
    memset(d->q, 0, size_of_grid * sizeof *d->q);
    double size = move(p, 0, 0, mask, d->q, d->q, d->x, d->r, d->sums), before = 1;
    int done = 0;
    while (size > target * target && done < LIMIT) {
        gk_grid_matvec_f32(g->coarse.h, 2 * stride, 2 * p, d->sums, d->t);
        const double rz = precondition(p, g->coarse.inverse_d, mask, d->t, d->r, d->z);
        follow(size_of_grid, done ? (float)(rz / before) : 0, d->z, d->q);
        before = rz;
        gk_grid_apply_f32(&g->single, &d->single, d->q, d->kq);
        double curvature = dot(p, d->q, d->kq);
        if (g->ridge > 0) curvature += g->ridge * dot(p, d->q, d->q);
        if (!(rz > 0 && curvature > 0 && isfinite(rz / curvature))) return GK_DIVERGED;
        size = move(p, (float)(rz / curvature), ridge, mask, d->q, d->kq, d->x, d->r, d->sums);
        done++;
    }
    return isfinite(size) ? done : GK_DIVERGED;
}

static inline size_t grid_size(const gk_model *m)
{
    return (size_t)m->p * (size_t)m->grids->single.stride;
}

/* w = unit^2 alpha[:,class], the coefficients of K / unit^2. */
static void gather(const gk_model *m, int class, double *w)
{
    const double scale = m->grids->unit * m->grids->unit;
    memset(w, 0, grid_size(m) * sizeof *w);
    for (int i = 0; i < m->n; i++) w[place_of(m, i)] = scale * m->alpha[(size_t)i * (size_t)m->p + (size_t) class];
}

/* f = K w on every cell in float64, and r = y - f - ridge w on the training cells. Returns |r|^2. */
static double measure(gk_model *m, gk_cg_desk *d, int class)
{
    gk_rfm_grids *g = m->grids;
    const int32_t *labels = m->split->task.labels;
    double size = 0;
    gk_grid_apply_f64(&g->fine, &d->fine, d->w, d->f);
    memset(d->r, 0, grid_size(m) * sizeof *d->r);
    for (int i = 0; i < m->n; i++) {
        const size_t at = place_of(m, i);
        const double r = (labels[m->split->train[i]] == class) - d->f[at] - g->ridge * d->w[at];
        d->r[at] = (float)r;
        size += r * r;
    }
    float *to = m->outputs_f32 + (size_t) class * (size_t)m->n_cells;
    for (int x = 0; x < m->p; x++) {
        const double *row = d->f + x * g->fine.stride;
        for (int y = 0; y < m->p; y++) *to++ = (float)row[y];
    }
    g->residual_sq[class] = size;
    return size;
}

/* The start: the old coefficients times the factor that minimises the energy, in float32; r gets what is left of y. */
static void warm_start(const gk_model *m, gk_cg_desk *d, int class)
{
    const gk_rfm_grids *g = m->grids;
    const int32_t *labels = m->split->task.labels;
    double along = 0;
    const size_t size = grid_size(m);
    for (size_t i = 0; i < size; i++) d->q[i] = (float)d->w[i];
    gk_grid_apply_f32(&g->single, &d->single, d->q, d->kq);
    for (int i = 0; i < m->n; i++) {
        if (labels[m->split->train[i]] == class) along += d->w[place_of(m, i)];
    }
    const double energy = dot(m->p, d->q, d->kq) + g->ridge * dot(m->p, d->q, d->q);
    const double scale = energy > 0 && isfinite(along / energy) ? along / energy : 0;
    for (size_t i = 0; i < size; i++) d->w[i] = scale == 0 ? 0 : d->w[i] * scale;
    memset(d->r, 0, size * sizeof *d->r);
    for (int i = 0; i < m->n; i++) {
        const size_t at = place_of(m, i);
        const double k = scale == 0 ? 0 : scale * ((double)d->kq[at] + g->ridge * (double)d->q[at]);
        d->r[at] = (float)((labels[m->split->train[i]] == class) - k);
    }
}

/* From w and the residual r of a class to a w whose measured residual is at most goal. */
static int correct(gk_model *m, gk_cg_desk *d, int class, double goal)
{
    gk_rfm_grids *g = m->grids;
    const size_t size = grid_size(m);
    for (int round = 0; round < ROUNDS; round++) {
        double start = 0;
        bool failed;
#pragma omp atomic read
        failed = g->failed;
        if (failed) return GK_INTERRUPTED;
        for (size_t i = 0; i < size; i++) start += (double)d->r[i] * (double)d->r[i];
        /* float32 takes a residual down by 1e-5 before it drifts from the true one; the next round goes on from there
         */
        const int done = conjugate_gradients(m, d, fmax(0.7 * goal, 1e-5 * sqrt(start)));
        if (done < 0) return done;
        g->iterations[class] += done;
        for (size_t i = 0; i < size; i++) d->w[i] += (double)d->x[i];
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
        memset(d->w, 0, grid_size(m) * sizeof *d->w);
        measure(m, d, class);
    }
    if (g->codes[class] != GK_OK) {
#pragma omp atomic write
        g->failed = true;
        return;
    }
    const double scale = g->unit * g->unit;
    for (size_t i = 0; i < (size_t)m->n; i++) m->alpha[i * p + (size_t) class] = d->w[place_of(m, (int)i)] / scale;
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

/* ---- moments ---- */

/* Adds one class to the sums of its slot. */
static void add_class(const gk_model *m, gk_cg_desk *d, int class, int slot)
{
    gk_rfm_grids *g = m->grids;
    const size_t p = (size_t)m->p;
    double *sums = g->class_sums + (size_t) class * 2 * p, excess = 0;
    gather(m, class, d->w);
    for (size_t i = 0; g->fine.excess && i < grid_size(m); i++) excess += g->fine.excess[i] * d->w[i];
    g->excess_of[class] = excess;
    if (is_fine(m)) {
        gk_grid_moments_add_f64(&g->fine_moments, &d->fine, d->w, d->f, slot);
        memcpy(sums, d->fine.sums, 2 * p * sizeof *sums);
        return;
    }
    for (size_t i = 0; i < grid_size(m); i++) d->q[i] = (float)d->w[i];
    gk_grid_moments_add_f32(&g->moments, &d->single, d->q, d->kq, slot);
    for (size_t a = 0; a < 2 * p; a++) sums[a] = (double)d->single.sums[a];
}

/* N [2p,2p] = sum over training cells of z z', less n times the outer product of their mean if centred. */
static void fill_n(const gk_model *m, double *out)
{
    const size_t p = (size_t)m->p, d = 2 * p;
    memset(out, 0, d * d * sizeof *out);
    for (int i = 0; i < m->n; i++) {
        const size_t x = (size_t)m->by_x.x[i], y = p + (size_t)m->by_x.y[i];
        out[x * d + x] += 1;
        out[y * d + y] += 1;
        out[x * d + y] = out[y * d + x] = 1;
    }
    if (!m->centering) return;
    for (size_t a = 0; a < d; a++) {
        const gk_rfm_points *of_a = a < p ? &m->by_x : &m->by_y;
        const double count = of_a->start[a % p + 1] - of_a->start[a % p];
        for (size_t b = 0; b < d; b++) {
            const gk_rfm_points *of_b = b < p ? &m->by_x : &m->by_y;
            out[a * d + b] -= count * (of_b->start[b % p + 1] - of_b->start[b % p]) / m->n;
        }
    }
}

/* (sum t X) M N / 2, its transpose, and (sum t^2) N / 4 over the classes first..end-1: general_quadratic. x, product:
 * scratch [2p,2p]. */
static void add_excess(gk_model *m, size_t first, size_t end, const double *n, const double *mn, double *x,
                       double *product)
{
    const gk_rfm_grids *g = m->grids;
    const size_t p = (size_t)m->p, d = 2 * p;
    double squares = 0;
    memset(x, 0, d * d * sizeof *x);
    for (size_t c = first; c < end; c++) {
        squares += g->excess_of[c] * g->excess_of[c];
        for (size_t a = 0; a < d; a++) x[a * d + a] += g->excess_of[c] * g->class_sums[c * d + a];
    }
    for (int i = 0; i < m->n; i++) {
        const size_t at_x = (size_t)m->by_x.x[i], at_y = p + (size_t)m->by_x.y[i];
        double sum = 0;
        for (size_t c = first; c < end; c++) sum += g->excess_of[c] * m->alpha[(size_t)i * p + c];
        x[at_x * d + at_y] = x[at_y * d + at_x] = sum * g->unit * g->unit;
    }
    gk_gemm(false, false, (int)d, (int)d, (int)d, 1, x, (int)d, mn, (int)d, 0, product, (int)d);
    for (size_t a = 0; a < d; a++) {
        for (size_t b = 0; b < d; b++)
            m->agop[a * d + b] += (product[a * d + b] + product[b * d + a]) / 2 + squares * n[a * d + b] / 4;
    }
}

static int cg_moments(gk_model *m, int first, int classes)
{
    gk_rfm_grids *g = m->grids;
    const int d = 2 * m->p, end = first + classes;
    const double *sums = g->class_sums + (ptrdiff_t)first * d;
    const size_t square = (size_t)d * (size_t)d;
    double *n = g->coarse.work, *mn = n + square, *q = mn + square; /* nobody else needs it now */
    fill_n(m, n);
    gk_gemm(false, false, d, d, d, 1, g->fine.m, d, n, d, 0, mn, d);
    gk_gemm(false, false, d, d, d, 1, mn, d, g->fine.m, d, 0, q, d);
    if (is_fine(m))
        gk_grid_moments_start_f64(&g->fine_moments, q);
    else
        gk_grid_moments_start_f32(&g->moments, q);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int slot = 0; slot < SLOTS; slot++) {
        for (int c = first + slot; c < end; c += SLOTS) {
            if (omp_get_thread_num() == 0) gk_rfm_tell(m, "features", (slot + (double)(c - first) / classes) / SLOTS);
            add_class(m, &g->desks[omp_get_thread_num()], c, slot);
        }
    }
    if (is_fine(m))
        gk_grid_moments_end_f64(&g->fine_moments, m->agop);
    else
        gk_grid_moments_end_f32(&g->moments, m->agop);
    gk_gemm(true, false, d, d, classes, 1, sums, d, sums, d, 0, m->scratch, d);
    for (size_t i = 0; i < square; i++) m->agop[i] += m->scratch[i] * q[i];
    if (g->fine.excess) add_excess(m, (size_t)first, (size_t)end, n, mn, g->coarse.s, g->coarse.inverse);
    for (size_t i = 0; i < square; i++) m->agop[i] *= 4 / (g->unit * g->unit); /* w_c = 2 v_c */
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
