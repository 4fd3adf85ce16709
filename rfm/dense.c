/* dense.c: the reference solver: the whole kernel matrix in double, Cholesky, and feature moments over all pairs of
 * training points. Serves every kernel; O(n^2) memory, O(n^3) time. */
#include "rfm.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ROWS = 32,  /* kernel rows that are made and multiplied at a time */
    SLOTS = 16, /* partial sums; their number must not depend on the threads, so that the sum does not either */
};

/* What one thread works in. */
typedef struct gk_rfm_desk {
    double *rows;   /* [ROWS,n] */
    double *planes; /* [2p,ROWS,p] coordinates of w_c(j): coordinate, point, class */
} gk_rfm_desk;

struct gk_rfm_dense {
    double *kernel;     /* [n,n] lower triangle, then its Cholesky factor */
    double *alpha_y;    /* [n,p] alpha in the order by y */
    double *tau;        /* [n,p] */
    double *row_sums;   /* [n] sums of the rows of R */
    double *mean;       /* [2p,p] mean of w over the training points */
    double *partial;    /* [SLOTS,2p,2p] */
    gk_rfm_desk *desks; /* [threads] */
};

static void dense_layout(gk_model *m, gk_pool *pool)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, threads = (size_t)m->threads;
    gk_rfm_dense *d = gk_pool_take(pool, 1, sizeof *d);
    gk_rfm_dense counting = {0};
    m->dense = d;
    if (!d) d = &counting;
    m->outputs = gk_pool_take(pool, p * (size_t)m->n_cells, sizeof(double));
    d->kernel = gk_pool_take(pool, n * n, sizeof(double));
    d->alpha_y = gk_pool_take(pool, n * p, sizeof(double));
    d->tau = gk_pool_take(pool, n * p, sizeof(double));
    d->row_sums = gk_pool_take(pool, n, sizeof(double));
    d->mean = gk_pool_take(pool, 2 * p * p, sizeof(double));
    d->partial = gk_pool_take(pool, SLOTS * 4 * p * p, sizeof(double));
    d->desks = gk_pool_take(pool, threads, sizeof *d->desks);
    for (size_t i = 0; i < threads; i++) {
        double *rows = gk_pool_take(pool, ROWS * n, sizeof(double));
        double *planes = gk_pool_take(pool, 2 * p * ROWS * p, sizeof(double));
        if (d->desks) d->desks[i] = (gk_rfm_desk){rows, planes};
    }
}

static void dense_prepare(gk_model *m)
{
    gk_rfm_kernel_prepare(&m->tables, m->metric, &m->by_x, &m->by_y);
}

/* alpha = (K + ridge I)^-1 Y by Cholesky. */
static int dense_solve(gk_model *m)
{
    const int n = m->n;
    double *kernel = m->dense->kernel;
    const gk_rfm_points *at = &m->by_x;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, ROWS)
    for (int j = 0; j < n; j++) {
        double *row = kernel + (size_t)j * (size_t)n;
        gk_rfm_kernel_values(&m->tables, at->x[j], at->y[j], at, 0, j + 1, row);
        row[j] += m->ridge;
    }
    gk_rfm_tell(m, "factorising the kernel matrix", 0);
    if (gk_cholesky(kernel, n, m->threads) != GK_OK) {
        return gk_error(GK_DIVERGED,
                        "iteration %lld: the %d x %d kernel matrix is not positive definite; a larger ridge "
                        "(now %g) or another kernel, bandwidth or agop_power is needed",
                        (long long)m->step, n, n, m->ridge);
    }
    memset(m->alpha, 0, (size_t)n * (size_t)m->p * sizeof *m->alpha);
    for (int j = 0; j < n; j++)
        m->alpha[(size_t)j * (size_t)m->p + (size_t)m->split->task.labels[m->split->train[j]]] = 1;
    gk_cholesky_solve(kernel, n, m->alpha, m->p, m->threads);
    return GK_OK;
}

/* f = K alpha on all p p cells, and the residual on the training ones. */
static int dense_predict(gk_model *m)
{
    const int n = m->n, p = m->p, cells = m->n_cells;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int first = 0; first < cells; first += ROWS) {
        double *rows = m->dense->desks[omp_get_thread_num()].rows;
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "predicting", (double)first / cells);
        const int count = cells - first < ROWS ? cells - first : ROWS;
        for (int j = 0; j < count; j++) {
            const int cell = first + j;
            gk_rfm_kernel_values(&m->tables, cell / p, cell % p, &m->by_x, 0, n, rows + (size_t)j * (size_t)n);
        }
        gk_gemm(true, true, p, count, n, 1, m->alpha, p, rows, n, 0, m->outputs + first, cells);
    }
    double sum = 0;
    for (int j = 0; j < n; j++) {
        const int cell = m->split->train[j], label = m->split->task.labels[cell];
        const double *alpha = m->alpha + (size_t)j * (size_t)p;
        for (int c = 0; c < p; c++) {
            const double r = (c == label) - m->outputs[(size_t)c * (size_t)cells + (size_t)cell] - m->ridge * alpha[c];
            sum += r * r;
        }
    }
    m->residual = sqrt(sum / n); /* |Y|^2 = n */
    m->iterations = 0;
    return isfinite(sum) ? GK_OK
                         : gk_error(GK_DIVERGED, "iteration %lld: the outputs are not finite", (long long)m->step);
}

/* tau [n,p] and, for centring, the row sums of R: one pass over R, whose rows are its columns too. */
static void first_pass(gk_model *m)
{
    gk_rfm_dense *d = m->dense;
    const int n = m->n, p = m->p;
    const bool radial = gk_rfm_kernel_radial(&m->tables);
    const gk_rfm_points *at = &m->by_x;
    if (radial || m->centering) {
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
        for (int first = 0; first < n; first += ROWS) {
            double *rows = d->desks[omp_get_thread_num()].rows;
            const int count = n - first < ROWS ? n - first : ROWS;
            for (int j = 0; j < count; j++) {
                double *row = rows + (size_t)j * (size_t)n, sum = 0;
                gk_rfm_kernel_slopes(&m->tables, at->x[first + j], at->y[first + j], at, 0, n, row);
                for (int i = 0; i < n; i++) sum += row[i];
                d->row_sums[first + j] = sum;
            }
            if (radial)
                gk_gemm(false, false, count, p, n, -1, rows, n, m->alpha, p, 0, d->tau + (size_t)first * (size_t)p, p);
        }
    }
    if (radial) return;
    double own[1024] = {0}; /* general_quadratic: one number a class; p <= 1009 */
    if (m->kernel == GK_RFM_GENERAL) {
        for (int i = 0; i < n; i++) {
            for (int c = 0; c < p; c++) own[c] += m->alpha[(size_t)i * (size_t)p + (size_t)c] * (at->q[i] - 1);
        }
    }
    for (int j = 0; j < n; j++) memcpy(d->tau + (size_t)j * (size_t)p, own, (size_t)p * sizeof *own);
}

/* mean[a,c] = (1/n) sum_j w_c(j)[a] = (1/n) sum_{i with coordinate a} (row_sums[i] alpha[i,c] + tau[i,c]). */
static void find_mean(gk_model *m)
{
    gk_rfm_dense *d = m->dense;
    const size_t n = (size_t)m->n, p = (size_t)m->p;
    memset(d->mean, 0, 2 * p * p * sizeof *d->mean);
    for (size_t i = 0; i < n; i++) {
        double *of_x = d->mean + (size_t)m->by_x.x[i] * p, *of_y = d->mean + (p + (size_t)m->by_x.y[i]) * p;
        for (size_t c = 0; c < p; c++) {
            const double w = (d->row_sums[i] * m->alpha[i * p + c] + d->tau[i * p + c]) / (double)n;
            of_x[c] += w;
            of_y[c] += w;
        }
    }
}

/* planes[a,j,c] += sum over the points i of the segment a of R[j,i] alpha[i,c], a the sorted coordinate of `at`. */
static void add_segments(const gk_model *m, const gk_rfm_points *at, const double *alpha, const double *rows, int count,
                         double *planes)
{
    const int n = m->n, p = m->p;
    for (int a = 0; a < p; a++) {
        const int first = at->start[a], width = at->start[a + 1] - first;
        double *plane = planes + (size_t)a * ROWS * (size_t)p;
        if (width == 0)
            memset(plane, 0, (size_t)count * (size_t)p * sizeof *plane);
        else
            gk_gemm(false, false, count, p, width, 1, rows + first, n, alpha + (size_t)first * (size_t)p, p, 0, plane,
                    p);
    }
}

/* Adds sum_{j,c} w_c(j) w_c(j)' of `count` points from `first` on to partial [2p,2p]. */
static void add_block(const gk_model *m, gk_rfm_desk *desk, int first, int count, double *partial)
{
    const gk_rfm_dense *d = m->dense;
    const size_t p = (size_t)m->p, n = (size_t)m->n, plane = ROWS * p;
    const gk_rfm_points *orders[2] = {&m->by_x, &m->by_y};
    const double *alphas[2] = {m->alpha, d->alpha_y};
    for (size_t half = 0; half < 2; half++) {
        for (int j = 0; j < count; j++) {
            gk_rfm_kernel_slopes(&m->tables, m->by_x.x[first + j], m->by_x.y[first + j], orders[half], 0, m->n,
                                 desk->rows + (size_t)j * n);
        }
        add_segments(m, orders[half], alphas[half], desk->rows, count, desk->planes + half * p * plane);
    }
    for (int j = 0; j < count; j++) {
        const double *tau = d->tau + (size_t)(first + j) * p;
        double *of_x = desk->planes + (size_t)m->by_x.x[first + j] * plane + (size_t)j * p;
        double *of_y = desk->planes + (p + (size_t)m->by_x.y[first + j]) * plane + (size_t)j * p;
        for (size_t c = 0; c < p; c++) {
            of_x[c] += tau[c];
            of_y[c] += tau[c];
        }
    }
    for (size_t a = 0; m->centering && a < 2 * p; a++) {
        for (size_t j = 0; j < (size_t)count; j++) {
            for (size_t c = 0; c < p; c++) desk->planes[a * plane + j * p + c] -= d->mean[a * p + c];
        }
    }
    gk_gram(false, 2 * m->p, count * m->p, 1, desk->planes, ROWS * m->p, 1, partial, 2 * m->p);
}

static int dense_moments(gk_model *m)
{
    gk_rfm_dense *d = m->dense;
    const size_t p = (size_t)m->p, square = 4 * p * p;
    for (size_t i = 0; i < (size_t)m->n; i++) {
        memcpy(d->alpha_y + i * p, m->alpha + (size_t)m->by_y.from[i] * p, p * sizeof *d->alpha_y);
    }
    first_pass(m);
    if (m->centering) find_mean(m);
    memset(d->partial, 0, SLOTS * square * sizeof *d->partial);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int slot = 0; slot < SLOTS; slot++) {
        gk_rfm_desk *desk = &d->desks[omp_get_thread_num()];
        for (int first = slot * ROWS; first < m->n; first += SLOTS * ROWS) {
            if (omp_get_thread_num() == 0) gk_rfm_tell(m, "features", (slot + (double)first / m->n) / SLOTS);
            const int count = m->n - first < ROWS ? m->n - first : ROWS;
            add_block(m, desk, first, count, d->partial + (size_t)slot * square);
        }
    }
    memset(m->agop, 0, square * sizeof *m->agop);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        for (size_t i = 0; i < square; i++) m->agop[i] += d->partial[slot * square + i];
    }
    return GK_OK;
}

const gk_rfm_solver gk_rfm_cholesky = {
    .name = "cholesky",
    .layout = dense_layout,
    .prepare = dense_prepare,
    .solve = dense_solve,
    .predict = dense_predict,
    .moments = dense_moments,
};
