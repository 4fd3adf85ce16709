/* radial_split.c: the large part of K on row and column indicators, and the small rest (radial.h). */
#include "radial.h"

#include <omp.h>
#include <string.h>

/* work = Z'Z [2p,2p]: counts. */
static void fill_counts(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t p = (size_t)m->p, side = 2 * p;
    memset(d->work, 0, side * side * sizeof *d->work);
    for (int i = 0; i < m->n; i++) {
        const size_t x = (size_t)m->by_x.x[i], y = p + (size_t)m->by_x.y[i];
        d->work[x * side + x] += 1;
        d->work[y * side + y] += 1;
        d->work[x * side + y] = d->work[y * side + x] = 1;
    }
}

void gk_radial_place(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    gk_coarse_place(&d->coarse, &m->by_x);
    fill_counts(m);
    gk_coarse_pseudo_inverse(&d->coarse, d->work, d->count_inverse); /* of counts: cannot fail */
}

/* out [n] = sum over the points j of a segment of `at` of K[j,:], columns in the order by x. */
static void sum_of_rows(const gk_model *m, const gk_rfm_points *at, int segment, double *line, double *out)
{
    memset(out, 0, (size_t)m->n * sizeof *out);
    for (int j = at->start[segment]; j < at->start[segment + 1]; j++) {
        gk_rfm_kernel_values(&m->tables, at->x[j], at->y[j], &m->by_x, 0, m->n, line);
#pragma omp simd
        for (int i = 0; i < m->n; i++) out[i] += line[i];
    }
}

void gk_radial_multiply(const gk_model *m, const double *a, const double *b, int columns, double *out)
{
    gk_gemm(false, false, 2 * m->p, columns, 2 * m->p, 1, a, 2 * m->p, b, columns, 0, out, columns);
}

/* out [2p] = Z' of a row [n]. */
static void sums_of_line(const gk_model *m, const double *line, double *out)
{
    memset(out, 0, 2 * (size_t)m->p * sizeof *out);
    for (int i = 0; i < m->n; i++) {
        out[m->by_x.x[i]] += line[i];
        out[m->p + m->by_x.y[i]] += line[i];
    }
}

/* Z'K of a factored kernel, whose sums over a row or a column of cells are products with the grid H of the h_i:
 * (Z'K)[x,i] = u_i[x] (H v_i)[x] and (Z'K)[y,i] = v_i[y] (H'u_i)[y]. False, and nothing done, for other kernels. */
static bool fill_factored(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t p = (size_t)m->p, n = (size_t)m->n, block = GK_RFM_ROWS * p;
    double *h = d->work;
    if (!gk_rfm_kernel_factors(&m->tables, 0, 0, d->desks[0].factors, d->desks[0].factors + p)) return false;
    memset(h, 0, p * p * sizeof *h);
    for (size_t i = 0; i < n; i++) h[(size_t)m->by_x.x[i] * p + (size_t)m->by_x.y[i]] = m->by_x.h[i];
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int first = 0; first < m->n; first += GK_RFM_ROWS) {
        double *u = d->desks[omp_get_thread_num()].factors, *v = u + block, *hv = v + block, *hu = hv + block;
        const int some = m->n - first < GK_RFM_ROWS ? m->n - first : GK_RFM_ROWS;
        for (int j = 0; j < some; j++) {
            const int at = first + j;
            gk_rfm_kernel_factors(&m->tables, m->by_x.x[at], m->by_x.y[at], u + (size_t)j * p, v + (size_t)j * p);
        }
        gk_gemm(false, true, some, m->p, m->p, 1, v, m->p, h, m->p, 0, hv, m->p);
        gk_gemm(false, false, some, m->p, m->p, 1, u, m->p, h, m->p, 0, hu, m->p);
        for (size_t a = 0; a < p; a++) {
            double *of_x = d->zk + a * n + first, *of_y = d->zk + (p + a) * n + first;
            for (size_t j = 0; j < (size_t)some; j++) of_x[j] = u[j * p + a] * hv[j * p + a];
            for (size_t j = 0; j < (size_t)some; j++) of_y[j] = v[j * p + a] * hu[j * p + a];
        }
    }
    return true;
}

int gk_radial_fill_coarse(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    if (d->coarse_known) return GK_OK;
    const int side = 2 * m->p;
    const size_t n = (size_t)m->n, square = (size_t)side * (size_t)side;
    const bool factored = fill_factored(m);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int a = 0; a < side; a++) {
        double *zk = d->zk + (size_t)a * n, *line = d->desks[omp_get_thread_num()].line;
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "summing the kernel matrix", (double)a / side);
        if (!factored) sum_of_rows(m, a < m->p ? &m->by_x : &m->by_y, a % m->p, line, zk);
        sums_of_line(m, zk, d->f + (size_t)a * (size_t)side); /* Z'KZ, for now */
    }
    fill_counts(m);
    for (size_t i = 0; i < square; i++) d->work[i] = d->f[i] + m->ridge * d->work[i];
    int code = gk_coarse_pseudo_inverse(&d->coarse, d->work, d->s_inverse);
    gk_radial_multiply(m, d->count_inverse, d->f, side, d->work);
    gk_radial_multiply(m, d->work, d->count_inverse, side, d->f);
    /* E = KZ - PKZ; row a of work = (Z'Z)^+ Z'KZ is what P puts at coordinate a */
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const size_t first = (size_t)gk_radial_first(m, piece), last = (size_t)gk_radial_first(m, piece + 1);
        gk_gemm(false, false, side, (int)(last - first), side, 1, d->count_inverse, side, d->zk + first, m->n, 0,
                d->l + first, m->n);
        for (size_t i = first; i < last; i++) {
            const double *of_x = d->work + (size_t)m->by_x.x[i] * (size_t)side;
            const double *of_y = d->work + (size_t)(m->p + m->by_x.y[i]) * (size_t)side;
            float *e = d->e + i * (size_t)side;
            for (size_t a = 0; a < (size_t)side; a++) e[a] = (float)(d->zk[a * n + i] - of_x[a] - of_y[a]);
        }
    }
    d->coarse_known = code == GK_OK;
    return code;
}

/* K^[i,j] = K[i,j] - (L[x_i,j] + L[y_i,j]) - (L[x_j,i] + L[y_j,i]) + (F[x_i,x_j] + F[x_i,y_j] + F[y_i,x_j] +
 * F[y_i,y_j]). */
void gk_radial_fill_fine(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t n = (size_t)m->n, p = (size_t)m->p, side = 2 * p;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, GK_RFM_ROWS)
    for (size_t i = 0; i < n; i++) {
        const size_t x = (size_t)m->by_x.x[i], y = p + (size_t)m->by_x.y[i];
        const double *of_x = d->l + x * n, *of_y = d->l + y * n, *f_x = d->f + x * side, *f_y = d->f + y * side;
        double *line = d->desks[omp_get_thread_num()].line, u[2 * 1009];
        float *out = d->kernel + i * n;
        for (size_t a = 0; a < side; a++) u[a] = d->l[a * n + i] - f_x[a] - f_y[a];
        gk_rfm_kernel_values(&m->tables, (int)x, (int)(y - p), &m->by_x, 0, m->n, line);
#pragma omp simd
        for (size_t j = 0; j < n; j++) {
            out[j] = (float)(line[j] - of_x[j] - of_y[j] - u[m->by_x.x[j]] - u[m->p + m->by_x.y[j]]);
        }
    }
}

#define DEFINE_PROJECT(name, real)                                                                                     \
    void name(gk_model *m, const real *w)                                                                              \
    {                                                                                                                  \
        gk_rfm_radial *d = m->radial;                                                                                  \
        const size_t row = (size_t)m->p;                                                                               \
        memset(d->sums, 0, 2 * row * row * sizeof *d->sums);                                                           \
        for (size_t i = 0; i < (size_t)m->n; i++) {                                                                    \
            double *of_x = d->sums + (size_t)m->by_x.x[i] * row;                                                       \
            double *of_y = d->sums + (row + (size_t)m->by_x.y[i]) * row;                                               \
            for (size_t c = 0; c < row; c++) {                                                                         \
                of_x[c] += (double)w[i * row + c];                                                                     \
                of_y[c] += (double)w[i * row + c];                                                                     \
            }                                                                                                          \
        }                                                                                                              \
        gk_radial_multiply(m, d->count_inverse, d->sums, m->p, d->v);                                                  \
    }
DEFINE_PROJECT(gk_radial_project, double)
DEFINE_PROJECT(gk_radial_project_f32, float)

#define DEFINE_ADD(name, real)                                                                                         \
    void name(const gk_model *m, double factor, const double *v, real *w)                                              \
    {                                                                                                                  \
        const size_t row = (size_t)m->p;                                                                               \
        for (size_t i = 0; i < (size_t)m->n; i++) {                                                                    \
            const double *of_x = v + (size_t)m->by_x.x[i] * row, *of_y = v + (row + (size_t)m->by_x.y[i]) * row;       \
            for (size_t c = 0; c < row; c++) w[i * row + c] += (real)(factor * (of_x[c] + of_y[c]));                   \
        }                                                                                                              \
    }
DEFINE_ADD(gk_radial_add, double)
DEFINE_ADD(gk_radial_add_f32, float)
