/* two_tasks.c: second moments of gradients when z has a coordinate for the task: S = sum_{j,c} w_c(j) w_c(j)' (rfm.h)
 * over d = 2p + 1 coordinates. Point by point, 3 n^2 p + n p d^2 multiply-adds in float64: two tasks are solved
 * densely, which costs more. */
#include "rfm.h"

#include <string.h>

enum {
    ROWS = GK_PANEL, /* points whose coordinates are held at once */
    DESKS = 8,       /* partial sums; their number must not depend on the threads, so that the sum does not either */
};

struct gk_rfm_two_desk {
    gk_rfm_panel panel;
    double *block;   /* [DEPTH,PANEL] of R */
    double *planes;  /* [d,ROWS,classes] coordinates of w_c(j): coordinate, point, class */
    double *mean;    /* [d,classes] sum of w_c(j) over this desk's points */
    double *partial; /* [d,d] */
};

gk_rfm_two_desk *gk_rfm_two_layout(const gk_model *m, gk_pool *pool)
{
    const size_t p = (size_t)m->p, d = (size_t)m->d;
    gk_rfm_two_desk *desks = gk_pool_take(pool, DESKS, sizeof *desks);
    for (int i = 0; i < DESKS; i++) {
        gk_rfm_two_desk desk;
        gk_rfm_panel_layout(&m->tables, &desk.panel, pool);
        desk.block = gk_pool_take(pool, GK_PANEL_DEPTH * GK_PANEL, sizeof(double));
        desk.planes = gk_pool_take(pool, d * ROWS * p, sizeof(double));
        desk.mean = gk_pool_take(pool, d * p, sizeof(double));
        desk.partial = gk_pool_take(pool, d * d, sizeof(double));
        if (desks) desks[i] = desk;
    }
    return desks;
}

/* plane[a] += times row [classes] for the coordinates a of a training point: x, p + y, and 2p in the second task. */
static void add_to_coordinates(const gk_model *m, int point, double *planes, size_t stride, double times,
                               const double *row, size_t classes)
{
    const size_t p = (size_t)m->p, x = (size_t)m->by_x.x[point], y = (size_t)m->by_x.y[point];
    const size_t at[] = {x % p, p + y, 2 * p};
    for (int k = 0; k < (x >= p ? 3 : 2); k++) {
        double *to = planes + at[k] * stride;
#pragma omp simd
        for (size_t c = 0; c < classes; c++) to[c] += times * row[c];
    }
}

/* tau[j,:] [classes] of the kernel. planes, the coordinates of sum_i R[j,i] alpha[i,c] z_i, sum over y to
 * sum_i R[j,i] alpha[i,c]. */
static void find_tau(const gk_model *m, const double *alpha, size_t classes, const double *planes, size_t stride,
                     double *tau)
{
    const size_t p = (size_t)m->p;
    memset(tau, 0, classes * sizeof *tau);
    if (gk_rfm_kernel_radial(&m->tables)) {
        for (size_t y = p; y < 2 * p; y++)
            for (size_t c = 0; c < classes; c++) tau[c] -= planes[y * stride + c];
    } else if (m->kernel == GK_RFM_GENERAL) {
        for (size_t i = 0; i < (size_t)m->n; i++)
            for (size_t c = 0; c < classes; c++) tau[c] += alpha[i * p + c] * (m->by_x.q[i] - 1);
    }
}

/* Adds `count` points from `first` on; alpha [n,p] from the first of some classes on. */
static void add_block(const gk_model *m, gk_rfm_two_desk *desk, const double *alpha, size_t classes, int first,
                      int count)
{
    const size_t p = (size_t)m->p, d = (size_t)m->d, stride = ROWS * classes;
    double tau[1024]; /* p <= 1009 */
    memset(desk->planes, 0, d * stride * sizeof *desk->planes);
    gk_rfm_panel_place(&m->tables, &desk->panel, m->split->learn + first, count);
    for (int from = 0; from < m->n; from += GK_PANEL_DEPTH) {
        const int depth = m->n - from < GK_PANEL_DEPTH ? m->n - from : GK_PANEL_DEPTH;
        gk_rfm_kernel_slopes(&m->tables, &desk->panel, &m->by_x, from, depth, desk->block);
        for (int j = 0; j < count; j++) {
            for (int i = 0; i < depth; i++)
                add_to_coordinates(m, from + i, desk->planes + (size_t)j * classes, stride,
                                   desk->block[i * GK_PANEL + j], alpha + (size_t)(from + i) * p, classes);
        }
    }
    for (int j = 0; j < count; j++) {
        double *planes = desk->planes + (size_t)j * classes;
        find_tau(m, alpha, classes, planes, stride, tau);
        add_to_coordinates(m, first + j, planes, stride, 1, tau, classes);
        for (size_t a = 0; a < d; a++)
            for (size_t c = 0; c < classes; c++) desk->mean[a * classes + c] += planes[a * stride + c];
    }
    gk_gram(false, m->d, (int)stride, 1, desk->planes, (int)stride, 1, desk->partial, m->d);
}

/* agop -= n mean mean', summed over the classes: the second moment about the mean. */
static void centre(gk_model *m, const double *sum, int classes)
{
    gk_gemm(false, true, m->d, m->d, classes, -1.0 / m->n, sum, classes, sum, classes, 1, m->agop, m->d);
}

void gk_rfm_two_moments(gk_model *m, gk_rfm_two_desk *desks, int first, int classes)
{
    const size_t d = (size_t)m->d, row = (size_t)classes;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int k = 0; k < DESKS; k++) {
        gk_rfm_two_desk *desk = &desks[k];
        memset(desk->mean, 0, d * row * sizeof *desk->mean);
        memset(desk->partial, 0, d * d * sizeof *desk->partial);
        for (int from = k * ROWS; from < m->n; from += DESKS * ROWS)
            add_block(m, desk, m->alpha + first, row, from, m->n - from < ROWS ? m->n - from : ROWS);
    }
    for (int k = 1; k < DESKS; k++) {
        for (size_t i = 0; i < d * d; i++) desks[0].partial[i] += desks[k].partial[i];
        for (size_t i = 0; i < d * row; i++) desks[0].mean[i] += desks[k].mean[i];
    }
    memcpy(m->agop, desks[0].partial, d * d * sizeof *m->agop);
    if (m->centering) centre(m, desks[0].mean, classes);
}
