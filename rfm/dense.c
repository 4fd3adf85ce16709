/* dense.c: the reference solver: the whole kernel matrix in double and its Cholesky factor. Serves every kernel; O(n^2)
 * memory, O(n^3) time. */
#include "moments.h"

#include <math.h>
#include <omp.h>
#include <string.h>

struct gk_rfm_dense {
    double *kernel; /* [n,n] lower triangle, then its Cholesky factor */
    gk_rfm_cells cells;
    gk_moments_f64 moments;
    gk_rfm_two_desk *two; /* in their place with two tasks */
};

static void dense_layout(gk_model *m, gk_pool *pool)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p;
    gk_rfm_dense counting, *d = gk_pool_take(pool, 1, sizeof *d);
    m->dense = d;
    if (!d) d = &counting;
    m->outputs = gk_pool_take(pool, p * (size_t)m->n_cells, sizeof(double));
    d->kernel = gk_pool_take(pool, n * n, sizeof(double));
    gk_rfm_cells_layout(m, &d->cells, pool);
    if (m->split->two)
        d->two = gk_rfm_two_layout(m, pool);
    else
        gk_moments_layout_f64(m, &d->moments, pool);
}

static void dense_place(gk_model *m)
{
    gk_rfm_cells_place(m, &m->dense->cells);
}

static void dense_prepare(gk_model *m)
{
    gk_rfm_kernel_prepare(&m->tables, m->metric, &m->by_x, &m->by_y);
}

/* K + ridge I, the lower triangle: a panel of columns at a time, from its diagonal down. */
static void fill_kernel(gk_model *m)
{
    const int n = m->n;
    double *kernel = m->dense->kernel;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int first = 0; first < n; first += GK_PANEL) {
        gk_rfm_cells_desk *desk = &m->dense->cells.desks[omp_get_thread_num()];
        const int columns = n - first < GK_PANEL ? n - first : GK_PANEL;
        gk_rfm_panel_place(&m->tables, &desk->panel[0], m->split->learn + first, columns);
        for (int from = first; from < n; from += GK_PANEL_DEPTH) {
            const int rows = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
            gk_rfm_kernel_values(&m->tables, &desk->panel[0], &m->by_x, from, rows, desk->block);
            for (int i = 0; i < rows; i++)
                memcpy(kernel + (size_t)(from + i) * (size_t)n + first, desk->block + i * GK_PANEL,
                       (size_t)columns * sizeof *kernel);
        }
    }
    for (size_t i = 0; i < (size_t)n; i++) kernel[i * (size_t)n + i] += m->ridge;
}

/* alpha = (K + ridge I)^-1 Y by Cholesky. */
static int dense_solve(gk_model *m)
{
    const int n = m->n;
    double *kernel = m->dense->kernel;
    fill_kernel(m);
    gk_rfm_tell(m, "factorising the kernel matrix", 0);
    if (gk_cholesky(kernel, n, m->threads) != GK_OK) {
        return gk_error(GK_DIVERGED,
                        "iteration %lld: the %d x %d kernel matrix is not positive definite; a larger ridge "
                        "(now %g) or another kernel, bandwidth or agop_power is needed",
                        (long long)m->step, n, n, m->ridge);
    }
    memset(m->alpha, 0, (size_t)n * (size_t)m->p * sizeof *m->alpha);
    for (int j = 0; j < n; j++)
        m->alpha[(size_t)j * (size_t)m->p + (size_t)m->split->task.labels[m->split->learn[j]]] = 1;
    gk_cholesky_solve(kernel, n, m->alpha, m->p, m->threads);
    return GK_OK;
}

static int dense_predict(gk_model *m)
{
    gk_rfm_predict_cells(m, m->split->learn, m->n, &m->dense->cells);
    gk_rfm_predict_cells(m, m->dense->cells.others, m->n_cells - m->n, &m->dense->cells);
    const double sum = gk_rfm_residual_sq(m, m->row);
    m->residual = sqrt(sum / m->n); /* |Y|^2 = n */
    m->iterations = 0;
    return isfinite(sum) ? GK_OK
                         : gk_error(GK_DIVERGED, "iteration %lld: the outputs are not finite", (long long)m->step);
}

static int dense_moments(gk_model *m, int first, int classes)
{
    if (m->split->two)
        gk_rfm_two_moments(m, m->dense->two, first, classes);
    else
        gk_moments_find_f64(m, &m->dense->moments, first, classes, NULL);
    return GK_OK;
}

const gk_rfm_solver gk_rfm_cholesky = {
    .name = "cholesky",
    .layout = dense_layout,
    .place = dense_place,
    .prepare = dense_prepare,
    .solve = dense_solve,
    .predict = dense_predict,
    .moments = dense_moments,
};
