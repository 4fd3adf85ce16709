/* radial.c: conjugate gradients for the gaussian and laplace kernels on what radial_split.c leaves of them (radial.h).
 */
#include "radial.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ROUNDS = 6,  /* corrections after which a residual that still is too large counts as lack of convergence */
    LIMIT = 200, /* iterations a round */
};

static void radial_layout(gk_model *m, gk_pool *pool)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p;
    gk_rfm_radial counting, *d = gk_pool_take(pool, 1, sizeof *d);
    m->radial = d;
    if (!d) d = &counting;
    m->outputs = gk_pool_take(pool, p * (size_t)m->n_cells, sizeof(double));
    d->kernel = gk_pool_take(pool, n * n, sizeof(float));
    d->e = gk_pool_take(pool, n * 2 * p, sizeof(float));
    d->zk = gk_pool_take(pool, 2 * p * n, sizeof(double));
    d->l = gk_pool_take(pool, 2 * p * n, sizeof(double));
    float **vectors[] = {&d->x, &d->r, &d->q, &d->kq};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = gk_pool_take(pool, n * p, sizeof(float));
    d->packed = gk_pool_take(pool, gk_product_size_f32(m->n, m->p), sizeof(float));
    d->u = gk_pool_take(pool, n * p, sizeof(double));
    gk_coarse_layout(&d->coarse, m->p, false, pool);
    double **squares[] = {&d->count_inverse, &d->s_inverse, &d->f, &d->work};
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        *squares[i] = gk_pool_take(pool, 4 * p * p, sizeof(double));
    double **sums[] = {&d->zy, &d->sums, &d->v};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) *sums[i] = gk_pool_take(pool, 2 * p * p, sizeof(double));
    d->t = gk_pool_take(pool, 2 * p * (size_t)gk_grid_stride(m->p), sizeof(float));
    double **classes[] = {&d->size, &d->before, &d->energy, &d->goal, &d->a, &d->b};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) *classes[i] = gk_pool_take(pool, p, sizeof(double));
    d->iterations = gk_pool_take(pool, p, sizeof *d->iterations);
    d->desks = gk_pool_take(pool, (size_t)m->threads, sizeof *d->desks);
    for (int i = 0; i < m->threads; i++) {
        gk_radial_desk desk;
        desk.line = gk_pool_take(pool, n, sizeof(double));
        desk.sums = gk_pool_take(pool, 2 * p * p, sizeof(float));
        desk.of_class = gk_pool_take(pool, p, sizeof(double));
        desk.factors = gk_pool_take(pool, 4 * GK_RFM_ROWS * p, sizeof(double));
        if (d->desks) d->desks[i] = desk;
    }
    gk_rfm_rows_layout(m, &d->rows, pool);
    if (m->tolerance < GK_RFM_FINE)
        gk_moments_layout_f64(m, &d->fine_moments, pool);
    else
        gk_moments_layout_f32(m, &d->moments, pool);
}

static void radial_place(gk_model *m)
{
    gk_rfm_rows_place(m, &m->radial->rows);
    gk_radial_place(m);
}

static void radial_prepare(gk_model *m)
{
    gk_rfm_kernel_prepare(&m->tables, m->metric, &m->by_x, &m->by_y);
    m->radial->coarse_known = false;
}

/* ---- conjugate gradients on all classes ---- */

/* After a new q: its packed form, and t = -S^+ E'q. */
static void see_coarse(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, count = 2 * row * row, stride = (size_t)gk_grid_stride(m->p);
    const int side = 2 * m->p, p = m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int first = gk_radial_first(m, piece), some = gk_radial_first(m, piece + 1) - first;
        gk_product_pack_f32(m->n, p, d->q, first, first + some, d->packed);
        gk_product_f32(true, side, p, some, d->e + (size_t)first * (size_t)side, side, d->packed, m->n, first,
                       d->desks[piece].sums, p);
    }
    memset(d->sums, 0, count * sizeof *d->sums);
    for (int piece = 0; piece < m->threads; piece++) {
        for (size_t i = 0; i < count; i++) d->sums[i] += (double)d->desks[piece].sums[i];
    }
    gk_radial_multiply(m, d->s_inverse, d->sums, p, d->v);
    for (size_t a = 0; a < 2 * row; a++) {
        for (size_t c = 0; c < row; c++) d->t[a * stride + c] = (float)-d->v[a * row + c];
    }
}

/* kq = (K^ + ridge - E S^+ E') q; energy = q'kq. */
static void apply(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const int n = m->n, p = m->p, side = 2 * p;
    const size_t row = (size_t)p;
    const float ridge = (float)m->ridge;
    see_coarse(m);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const size_t first = (size_t)gk_radial_first(m, piece), last = (size_t)gk_radial_first(m, piece + 1);
        double *dots = d->desks[piece].of_class;
        const int some = (int)(last - first);
        float *to = d->kq + first * row;
        gk_product_f32(false, some, p, n, d->kernel + first * (size_t)n, n, d->packed, n, 0, to, p);
        gk_product_grid_f32(false, some, p, side, d->e + first * (size_t)side, side, d->t, gk_grid_stride(p), true, to,
                            p);
        memset(dots, 0, row * sizeof *dots);
        for (size_t i = first; i < last; i++) {
            float *kq = d->kq + i * row;
            const float *q = d->q + i * row;
#pragma omp simd
            for (size_t c = 0; c < row; c++) {
                kq[c] += ridge * q[c];
                dots[c] += (double)(kq[c] * q[c]);
            }
        }
    }
    memset(d->energy, 0, row * sizeof *d->energy);
    for (int piece = 0; piece < m->threads; piece++) {
        for (size_t c = 0; c < row; c++) d->energy[c] += d->desks[piece].of_class[c];
    }
}

/* x += a q, r -= a kq, a a number a class; size = |r|^2, before = what it was. */
static void advance(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        double *sizes = d->desks[piece].of_class;
        memset(sizes, 0, row * sizeof *sizes);
        for (int i = gk_radial_first(m, piece); i < gk_radial_first(m, piece + 1); i++) {
            float *x = d->x + (size_t)i * row, *r = d->r + (size_t)i * row;
            const float *q = d->q + (size_t)i * row, *kq = d->kq + (size_t)i * row;
#pragma omp simd
            for (size_t c = 0; c < row; c++) {
                const float step = (float)d->a[c], next = r[c] - step * kq[c];
                x[c] += step * q[c];
                r[c] = next;
                sizes[c] += (double)(next * next);
            }
        }
    }
    memcpy(d->before, d->size, row * sizeof *d->size);
    memset(d->size, 0, row * sizeof *d->size);
    for (int piece = 0; piece < m->threads; piece++) {
        for (size_t c = 0; c < row; c++) d->size[c] += d->desks[piece].of_class[c];
    }
}

/* q = r + b q */
static void turn(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        for (int i = gk_radial_first(m, piece); i < gk_radial_first(m, piece + 1); i++) {
            const float *r = d->r + (size_t)i * row;
            float *q = d->q + (size_t)i * row;
#pragma omp simd
            for (size_t c = 0; c < row; c++) q[c] = r[c] + (float)d->b[c] * q[c];
        }
    }
}

/* Adds to x until every class's |r| is at most its goal; a class that is there stands still, and so does one whose
 * direction shows no positive curvature: what is left of it is rounding, or K is not positive definite, which the
 * measured residual tells. GK_FAILED if it takes too long. */
static int conjugate_gradients(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const int p = m->p;
    for (int c = 0; c < p; c++) d->a[c] = d->b[c] = 0;
    advance(m); /* for the sizes */
    for (int done = 0; done <= LIMIT; done++) {
        bool busy = false;
        for (int c = 0; c < p; c++) busy |= d->size[c] > d->goal[c] * d->goal[c];
        if (!busy) return GK_OK;
        gk_rfm_tell(m, "solving", (double)done / LIMIT);
        for (int c = 0; c < p; c++) d->b[c] = done > 0 && d->before[c] > 0 ? d->size[c] / d->before[c] : 0;
        turn(m);
        apply(m);
        for (int c = 0; c < p; c++) {
            const double step = d->size[c] / d->energy[c];
            if (!(d->energy[c] > 0 && isfinite(step))) d->goal[c] = INFINITY;
            const bool there = !(d->size[c] > d->goal[c] * d->goal[c]);
            d->a[c] = there ? 0 : step;
            d->iterations[c] += !there;
        }
        advance(m);
    }
    return GK_FAILED;
}

/* ---- the solver ---- */

static int label_of(const gk_model *m, size_t i)
{
    return m->split->task.labels[m->split->train[i]];
}

/* r becomes (I - P) r - E S^+ Z'r; Z'r is kept in zy. */
static void reduce_right_hand_side(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const int p = m->p, side = 2 * p;
    const size_t row = (size_t)p, count = 2 * row * row, stride = (size_t)gk_grid_stride(p);
    gk_radial_project_f32(m, d->r);
    memcpy(d->zy, d->sums, count * sizeof *d->zy);
    gk_radial_add_f32(m, -1, d->v, d->r);
    gk_radial_multiply(m, d->s_inverse, d->zy, p, d->v);
    for (size_t a = 0; a < 2 * row; a++) {
        for (size_t c = 0; c < row; c++) d->t[a * stride + c] = (float)-d->v[a * row + c];
    }
    gk_product_grid_f32(false, m->n, p, side, d->e, side, d->t, (int)stride, true, d->r, p);
}

/* The start: what the old coefficients have beside Z, each class times the factor that minimises its energy, goes to u.
 */
static void warm_start(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, n = (size_t)m->n;
    double along[1024] = {0}; /* p <= 1009 */
    memcpy(d->u, m->alpha, n * row * sizeof *d->u);
    gk_radial_project(m, d->u);
    gk_radial_add(m, -1, d->v, d->u);
    for (size_t i = 0; i < n * row; i++) d->q[i] = (float)d->u[i];
    apply(m);
    for (size_t i = 0; i < n * row; i++) along[i % row] += (double)d->r[i] * (double)d->q[i];
    for (size_t c = 0; c < row; c++) {
        const double scale = along[c] / d->energy[c];
        d->a[c] = d->energy[c] > 0 && isfinite(scale) ? scale : 0;
    }
    for (size_t i = 0; i < n * row; i++) {
        const double scale = d->a[i % row];
        d->u[i] = scale == 0 ? 0 : scale * d->u[i];
        d->r[i] = scale == 0 ? d->r[i] : (float)((double)d->r[i] - scale * (double)d->kq[i]);
    }
}

/* u += x, made exactly free of Z, and then the coarse part that belongs to it: u += Z S^+ (Z'y - Z'K u). */
static void complete(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, n = (size_t)m->n, count = 2 * row * row;
    for (size_t i = 0; i < n * row; i++) d->u[i] += (double)d->x[i];
    gk_radial_project(m, d->u);
    gk_radial_add(m, -1, d->v, d->u);
    memcpy(d->sums, d->zy, count * sizeof *d->sums);
    gk_gemm(false, false, 2 * m->p, m->p, m->n, -1, d->zk, m->n, d->u, m->p, 1, d->sums, m->p);
    gk_radial_multiply(m, d->s_inverse, d->sums, m->p, d->v);
    gk_radial_add(m, 1, d->v, d->u);
}

/* r [n,p] from the outputs on the training cells; all classes' |r|^2, and whether each is within what it may keep. */
static double measure(gk_model *m, const double *may_keep, bool *good)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
    double sum = 0;
    gk_rfm_predict_cells(m, m->split->train, m->n, &d->rows);
    *good = true;
    for (int c = 0; c < m->p; c++) {
        const double residual_sq = gk_rfm_residual_sq(m, c);
        sum += residual_sq;
        *good &= residual_sq <= may_keep[c];
    }
    for (size_t i = 0; i < (size_t)m->n; i++) {
        const double *f = m->outputs + m->split->train[i];
        for (size_t c = 0; c < row; c++) {
            const double known = f[c * (size_t)m->n_cells] + m->ridge * m->alpha[i * row + c];
            d->r[i * row + c] = (float)(((int)c == label_of(m, i)) - known);
        }
    }
    return sum;
}

/* Corrections in float32 until the measured residual of each class is small enough. */
static int correct(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, n = (size_t)m->n;
    double may_keep[1024] = {0}, before = m->n; /* squared residuals; p <= 1009 */
    for (size_t i = 0; i < n; i++) {
        may_keep[label_of(m, i)] += m->tolerance * m->tolerance;
        for (size_t c = 0; c < row; c++) d->r[i * row + c] = (int)c == label_of(m, i);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double left[1024] = {0};
        bool good;
        reduce_right_hand_side(m);
        if (round == 0)
            warm_start(m);
        else
            memset(d->u, 0, n * row * sizeof *d->u);
        gk_radial_project_f32(m, d->r); /* what rounding left along Z has no eigenvalue to be solved by */
        gk_radial_add_f32(m, -1, d->v, d->r);
        for (size_t i = 0; i < n * row; i++) left[i % row] += (double)d->r[i] * (double)d->r[i];
        /* float32 takes a residual down by 1e-5 before it drifts from the true one; the next round goes on from there
         */
        for (size_t c = 0; c < row; c++) d->goal[c] = fmax(0.6 * sqrt(may_keep[c]), 1e-5 * sqrt(left[c]));
        memset(d->x, 0, n * row * sizeof *d->x);
        int code = conjugate_gradients(m);
        if (code != GK_OK) return code;
        complete(m);
        for (size_t i = 0; i < n * row; i++) m->alpha[i] = (round == 0 ? 0 : m->alpha[i]) + d->u[i];
        const double after = measure(m, may_keep, &good);
        if (good) return GK_OK;
        if (!(after < 0.25 * before)) return GK_DIVERGED;
        before = after;
    }
    return GK_FAILED;
}

static void finish(gk_model *m)
{
    double sum = 0;
    gk_rfm_predict_cells(m, m->radial->rows.others, m->n_cells - m->n, &m->radial->rows);
    for (int c = 0; c < m->p; c++) sum += gk_rfm_residual_sq(m, c);
    m->residual = sqrt(sum / m->n); /* |Y|^2 = n */
}

static int radial_solve(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    memset(d->iterations, 0, (size_t)m->p * sizeof *d->iterations);
    int code = gk_radial_fill_coarse(m);
    if (code == GK_OK) {
        gk_radial_fill_fine(m);
        code = correct(m);
    }
    if (code != GK_OK) {
        return gk_error(
            GK_DIVERGED,
            "iteration %lld: %s to a relative residual of %g; solver cholesky or a larger ridge (now %g) may do",
            (long long)m->step,
            code == GK_DIVERGED ? "the kernel matrix is not positive definite or not finite, so not solved"
                                : "conjugate gradients did not converge",
            m->tolerance, m->ridge);
    }
    m->iterations = 0;
    for (int c = 0; c < m->p; c++) m->iterations += (double)d->iterations[c] / m->p;
    finish(m);
    return GK_OK;
}

static int radial_predict(gk_model *m)
{
    gk_rfm_predict_cells(m, m->split->train, m->n, &m->radial->rows);
    finish(m);
    return isfinite(m->residual)
               ? GK_OK
               : gk_error(GK_DIVERGED, "iteration %lld: the outputs are not finite", (long long)m->step);
}

static int radial_moments(gk_model *m, int first, int classes)
{
    gk_rfm_radial *d = m->radial;
    double *row_sums = d->desks[0].line;
    int code = gk_radial_fill_coarse(m);
    if (code == GK_OK && !m->predicted) code = radial_predict(m);
    m->predicted = code == GK_OK;
    if (code != GK_OK) return code;
    /* the sums over all columns are those over all x */
    memset(row_sums, 0, (size_t)m->n * sizeof *row_sums);
    for (int a = 0; a < m->p; a++) {
        for (int i = 0; i < m->n; i++) row_sums[i] += d->zk[(size_t)a * (size_t)m->n + (size_t)i];
    }
    if (m->tolerance < GK_RFM_FINE)
        gk_moments_find_f64(m, &d->fine_moments, first, classes, row_sums);
    else
        gk_moments_find_f32(m, &d->moments, first, classes, row_sums);
    return GK_OK;
}

const gk_rfm_solver gk_rfm_radial_cg = {
    .name = "cg",
    .layout = radial_layout,
    .place = radial_place,
    .prepare = radial_prepare,
    .solve = radial_solve,
    .solve_predicts = true,
    .predict = radial_predict,
    .moments = radial_moments,
};
