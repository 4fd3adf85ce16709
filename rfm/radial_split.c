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

void gk_radial_multiply(const gk_model *m, double factor, const double *a, int k, const double *b, double *out)
{
    const int side = 2 * m->p, p = m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1) if (k > 2 * side)
    for (int piece = 0; piece < m->threads; piece++) { /* a short product is done before a thread wakes */
        const int first = side * piece / m->threads, some = side * (piece + 1) / m->threads - first;
        gk_gemm(false, false, some, p, k, factor, a + (size_t)first * (size_t)k, k, b, p, 0,
                out + (size_t)first * (size_t)p, p);
    }
}

/* ---- Z'K ---- */

/* Z'K of a factored kernel, whose sums over a row or a column of cells are products with the grid H of the h_i:
 * (Z'K)[x,i] = u_i[x] (H v_i)[x] and (Z'K)[y,i] = v_i[y] (H'u_i)[y]. Here: H and H' as factors, which is enough for
 * all panels. */
static void pack_h(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t p = (size_t)m->p;
    double *h = d->work, *transposed = h + p * p;
    memset(h, 0, 2 * p * p * sizeof *h);
    for (int i = 0; i < m->n; i++) {
        const size_t x = (size_t)m->by_x.x[i], y = (size_t)m->by_x.y[i];
        h[x * p + y] = transposed[y * p + x] = m->by_x.h[i];
    }
    gk_panel_pack_f64(m->p, m->p, transposed, m->p, d->packed_square);
    gk_panel_pack_f64(m->p, m->p, h, m->p, d->packed_square + p * p);
}

static void sum_factored(const gk_model *m, gk_radial_desk *desk)
{
    const size_t size = (size_t)m->p * GK_PANEL;
    const double *packed = m->radial->packed_square, *u = desk->panel[0].u, *v = desk->panel[0].v;
    double *of_x = desk->zk, *of_y = desk->zk + size;
    gk_panel_product_f64(m->p, m->p, v, GK_PANEL, packed, false, of_x);
    gk_panel_product_f64(m->p, m->p, u, GK_PANEL, packed + (size_t)m->p * (size_t)m->p, false, of_y);
    for (size_t i = 0; i < size; i++) of_x[i] *= u[i];
    for (size_t i = 0; i < size; i++) of_y[i] *= v[i];
}

/* The same entry by entry, for other kernels. */
static void sum_entries(const gk_model *m, gk_radial_desk *desk)
{
    memset(desk->zk, 0, 2 * (size_t)m->p * GK_PANEL * sizeof *desk->zk);
    for (int from = 0; from < m->n; from += GK_PANEL_DEPTH) {
        const int depth = m->n - from < GK_PANEL_DEPTH ? m->n - from : GK_PANEL_DEPTH;
        gk_rfm_kernel_values(&m->tables, &desk->panel[0], &m->by_x, from, depth, desk->block);
        for (int i = 0; i < depth; i++) {
            double *of_x = desk->zk + m->by_x.x[from + i] * GK_PANEL;
            double *of_y = desk->zk + (m->p + m->by_x.y[from + i]) * GK_PANEL;
            const double *line = desk->block + i * GK_PANEL;
            for (int j = 0; j < GK_PANEL; j++) {
                of_x[j] += line[j];
                of_y[j] += line[j];
            }
        }
    }
}

static void fill_zk(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t n = (size_t)m->n;
    if (m->tables.factored) pack_h(m);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int first = 0; first < m->n; first += GK_PANEL) {
        gk_radial_desk *desk = &d->desks[omp_get_thread_num()];
        const int count = m->n - first < GK_PANEL ? m->n - first : GK_PANEL;
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "summing the kernel matrix", (double)first / m->n);
        gk_rfm_panel_place(&m->tables, &desk->panel[0], m->split->train + first, count);
        if (m->tables.factored)
            sum_factored(m, desk);
        else
            sum_entries(m, desk);
        for (size_t a = 0; a < 2 * (size_t)m->p; a++)
            memcpy(d->zk + a * n + first, desk->zk + a * GK_PANEL, (size_t)count * sizeof *d->zk);
    }
}

/* f = Z'K Z, for now: a row of Z'K summed over the points of each row and column. */
static void fill_zkz(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const int side = 2 * m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int a = 0; a < side; a++) {
        const double *zk = d->zk + (size_t)a * (size_t)m->n;
        double *out = d->f + (size_t)a * (size_t)side;
        memset(out, 0, (size_t)side * sizeof *out);
        for (int i = 0; i < m->n; i++) {
            out[m->by_x.x[i]] += zk[i];
            out[m->p + m->by_x.y[i]] += zk[i];
        }
    }
}

/* E = KZ - PKZ, twice: by rows, and as the lower part of the kernel's panels; and L = K Z (Z'Z)^+. Row a of work =
 * (Z'Z)^+ Z'KZ is what P puts at coordinate a. */
static void fill_e(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t side = 2 * (size_t)m->p, stride = (size_t)gk_panels(2 * m->p) * GK_PANEL;
    gk_panel_pack_f64(2 * m->p, 2 * m->p, d->count_inverse, 2 * m->p, d->packed_square);
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int first = 0; first < m->n; first += GK_PANEL) {
        gk_radial_desk *desk = &d->desks[omp_get_thread_num()];
        const size_t count = (size_t)(m->n - first < GK_PANEL ? m->n - first : GK_PANEL);
        float *below = gk_radial_panel(m, first) + (size_t)m->n * GK_PANEL;
        for (size_t a = 0; a < side; a++)
            memcpy(desk->zk + a * GK_PANEL, d->zk + a * (size_t)m->n + first, count * sizeof *d->zk);
        gk_panel_product_f64(2 * m->p, 2 * m->p, desk->zk, GK_PANEL, d->packed_square, false, desk->l);
        for (size_t j = 0; j < count; j++) {
            const size_t at = (size_t)first + j;
            const double *of_x = d->work + (size_t)m->by_x.x[at] * side;
            const double *of_y = d->work + ((size_t)m->p + (size_t)m->by_x.y[at]) * side;
            for (size_t a = 0; a < side; a++) {
                d->l[at * side + a] = desk->l[a * GK_PANEL + j];
                d->e[at * stride + a] = below[a * GK_PANEL + j] =
                    (float)(desk->zk[a * GK_PANEL + j] - of_x[a] - of_y[a]);
            }
        }
    }
}

int gk_radial_fill_coarse(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    if (d->coarse_known) return GK_OK;
    const int side = 2 * m->p;
    const size_t square = (size_t)side * (size_t)side;
    fill_zk(m);
    fill_zkz(m);
    fill_counts(m);
    for (size_t i = 0; i < square; i++) d->work[i] = d->f[i] + m->ridge * d->work[i];
    int code = gk_coarse_pseudo_inverse(&d->coarse, d->work, d->s_inverse);
    gk_gemm(false, false, side, side, side, 1, d->count_inverse, side, d->f, side, 0, d->work, side);
    gk_gemm(false, false, side, side, side, 1, d->work, side, d->count_inverse, side, 0, d->f, side);
    fill_e(m);
    d->coarse_known = code == GK_OK;
    return code;
}

/* ---- the rest ---- */

/* out = block - u[x_i] - u[y_i] - (L[i,x_j] + L[i,y_j]) for `count` points i of an order and the panel's points j. */
GK_HOT static void take_off(int count, const gk_rfm_points *at, int first, int p, const double *block, const double *u,
                            const double *l, const int32_t *x, const int32_t *y, float *out)
{
    for (int i = 0; i < count; i++) {
        const double *u_x = u + at->x[first + i] * GK_PANEL, *u_y = u + (p + at->y[first + i]) * GK_PANEL;
        const double *l_i = l + (size_t)(first + i) * 2 * (size_t)p;
#pragma omp simd
        for (int j = 0; j < GK_PANEL; j++)
            out[i * GK_PANEL + j] = (float)(block[i * GK_PANEL + j] - u_x[j] - u_y[j] - (l_i[x[j]] + l_i[y[j]]));
    }
}

/* The terms of the other point's coordinates for a panel's points, l [2p,PANEL], and those points' own coordinates. */
static void place_rest(const gk_model *m, int first, int count, double *l, int32_t *x, int32_t *y)
{
    const gk_rfm_radial *d = m->radial;
    const size_t side = 2 * (size_t)m->p;
    for (int j = 0; j < count; j++) {
        x[j] = m->by_x.x[first + j];
        y[j] = m->p + m->by_x.y[first + j];
        const double *of_j = d->l + (size_t)(first + j) * side;
        const double *f_x = d->f + (size_t)x[j] * side, *f_y = d->f + (size_t)y[j] * side;
        for (size_t a = 0; a < side; a++) l[a * GK_PANEL + (size_t)j] = of_j[a] - f_x[a] - f_y[a];
    }
}

/* K^[j,i] = K[j,i] - (L[j,x_i] + L[j,y_i]) - (L[i,x_j] + L[i,y_j]) + (F[x_i,x_j] + F[x_i,y_j] + F[y_i,x_j] +
 * F[y_i,y_j]) for a group of panels. Lanes without a point hold something, which nobody reads. */
static void fill_group(const gk_model *m, gk_radial_desk *desk, int first, int panels)
{
    const int n = m->n, p = m->p;
    int32_t x[GK_RFM_GROUP][GK_PANEL] = {{0}}, y[GK_RFM_GROUP][GK_PANEL] = {{0}};
    for (int k = 0; k < panels; k++) {
        const int begin = first + k * GK_PANEL, count = n - begin < GK_PANEL ? n - begin : GK_PANEL;
        gk_rfm_panel_place(&m->tables, &desk->panel[k], m->split->train + begin, count);
        place_rest(m, begin, count, desk->l + 2 * k * p * GK_PANEL, x[k], y[k]);
    }
    for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
        const int depth = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
        for (int k = 0; k < panels; k++) {
            gk_rfm_kernel_values(&m->tables, &desk->panel[k], &m->by_x, from, depth, desk->block);
            take_off(depth, &m->by_x, from, p, desk->block, desk->l + 2 * k * p * GK_PANEL, m->radial->l, x[k], y[k],
                     gk_radial_panel(m, first + k * GK_PANEL) + (size_t)from * GK_PANEL);
        }
    }
}

void gk_radial_fill_fine(gk_model *m)
{
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int last = gk_panels(gk_radial_first(m, piece + 1));
        for (int at = gk_panels(gk_radial_first(m, piece)); at < last; at += GK_RFM_GROUP)
            fill_group(m, &m->radial->desks[piece], at * GK_PANEL, last - at < GK_RFM_GROUP ? last - at : GK_RFM_GROUP);
    }
}

/* ---- projections ---- */

/* By classes, so that each sum is one thread's. */
#define DEFINE_PROJECT(name, real)                                                                                     \
    void name(gk_model *m, const real *w)                                                                              \
    {                                                                                                                  \
        gk_rfm_radial *d = m->radial;                                                                                  \
        const size_t row = (size_t)m->p;                                                                               \
        memset(d->sums, 0, 2 * row * row * sizeof *d->sums);                                                           \
        _Pragma("omp parallel for num_threads(m->threads) schedule(static, 1)") for (int k = 0; k < m->threads; k++)   \
        {                                                                                                              \
            const size_t begin = row * (size_t)k / (size_t)m->threads,                                                 \
                         end = row * (size_t)(k + 1) / (size_t)m->threads;                                             \
            for (size_t i = 0; i < (size_t)m->n; i++) {                                                                \
                double *of_x = d->sums + (size_t)m->by_x.x[i] * row;                                                   \
                double *of_y = d->sums + (row + (size_t)m->by_x.y[i]) * row;                                           \
                for (size_t c = begin; c < end; c++) {                                                                 \
                    of_x[c] += (double)w[i * row + c];                                                                 \
                    of_y[c] += (double)w[i * row + c];                                                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        gk_radial_multiply(m, 1, d->count_inverse, 2 * m->p, d->sums, d->v);                                           \
    }
DEFINE_PROJECT(gk_radial_project, double)
DEFINE_PROJECT(gk_radial_project_f32, float)

#define DEFINE_ADD(name, real)                                                                                         \
    void name(const gk_model *m, double factor, const double *v, real *w)                                              \
    {                                                                                                                  \
        const size_t row = (size_t)m->p;                                                                               \
        _Pragma("omp parallel for num_threads(m->threads) schedule(static)") for (int i = 0; i < m->n; i++)            \
        {                                                                                                              \
            const double *of_x = v + (size_t)m->by_x.x[i] * row, *of_y = v + (row + (size_t)m->by_x.y[i]) * row;       \
            real *to = w + (size_t)i * row;                                                                            \
            for (size_t c = 0; c < row; c++) to[c] += (real)(factor * (of_x[c] + of_y[c]));                            \
        }                                                                                                              \
    }
DEFINE_ADD(gk_radial_add, double)
DEFINE_ADD(gk_radial_add_f32, float)
