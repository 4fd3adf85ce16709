/* predict.c: outputs of any kernel by panels of its rows, f = K alpha, in float64. */
#include "rfm.h"

#include <omp.h>

/* Outputs on `count` cells, at most a group of panels. */
static void predict_group(gk_model *m, const int32_t *cells, int count, const double *packed, gk_rfm_cells_desk *w)
{
    const int n = m->n, p = m->p, panels = gk_panels(count);
    const size_t size = (size_t)p * GK_PANEL;
    for (int k = 0; k < panels; k++) {
        const int rest = count - k * GK_PANEL;
        gk_rfm_panel_place(&m->tables, &w->panel[k], cells + k * GK_PANEL, rest < GK_PANEL ? rest : GK_PANEL);
    }
    for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
        const int depth = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
        for (int k = 0; k < panels; k++) {
            gk_rfm_kernel_values(&m->tables, &w->panel[k], &m->by_x, from, depth, w->block);
            gk_panel_product_f64(p, depth, w->block, GK_PANEL, packed + (size_t)from * (size_t)p, from > 0,
                                 w->product + (size_t)k * size);
        }
    }
    for (int c = 0; c < p; c++) {
        double *to = m->outputs + (size_t)c * (size_t)m->n_cells;
        for (int j = 0; j < count; j++)
            to[cells[j]] = w->product[(size_t)(j / GK_PANEL) * size + (size_t)(c * GK_PANEL + j % GK_PANEL)];
    }
}

void gk_rfm_predict_cells(gk_model *m, const int32_t *cells, int count, gk_rfm_cells *w)
{
    const int n = m->n, p = m->p, share = gk_panels(count) / (2 * m->threads);
    const int group = GK_PANEL * (share < 1 ? 1 : share < GK_RFM_GROUP ? share : GK_RFM_GROUP);
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
        const size_t at = (size_t)from * (size_t)p;
        gk_panel_pack_f64(p, n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH, m->alpha + at, p, w->packed + at);
    }
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int first = 0; first < count; first += group) {
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "predicting", (double)first / count);
        predict_group(m, cells + first, count - first < group ? count - first : group, w->packed,
                      &w->desks[omp_get_thread_num()]);
    }
}

void gk_rfm_cells_layout(const gk_model *m, gk_rfm_cells *w, gk_pool *pool)
{
    const size_t threads = (size_t)m->threads, p = (size_t)m->p;
    w->desks = gk_pool_take(pool, threads, sizeof *w->desks);
    for (size_t i = 0; i < threads; i++) {
        gk_rfm_cells_desk desk;
        for (int k = 0; k < GK_RFM_GROUP; k++) gk_rfm_panel_layout(&m->tables, &desk.panel[k], pool);
        desk.block = gk_pool_take(pool, GK_PANEL_DEPTH * GK_PANEL, sizeof(double));
        desk.product = gk_pool_take(pool, GK_RFM_GROUP * p * GK_PANEL, sizeof(double));
        if (w->desks) w->desks[i] = desk;
    }
    w->packed = gk_pool_take(pool, (size_t)m->n * p, sizeof(double));
    w->others = gk_pool_take(pool, (size_t)(m->n_cells - m->n), sizeof *w->others);
}

void gk_rfm_cells_place(const gk_model *m, gk_rfm_cells *w)
{
    int next = 0, other = 0;
    for (int cell = 0; cell < m->n_cells; cell++) {
        if (next < m->n && m->split->learn[next] == cell)
            next++;
        else
            w->others[other++] = cell;
    }
}

/* |y - (K + ridge) alpha|^2 of one class */
static double class_residual_sq(const gk_model *m, int class)
{
    const int32_t *train = m->split->learn, *labels = m->split->task.labels;
    const double *f = m->outputs + (size_t) class * (size_t)m->n_cells;
    double sum = 0;
    for (int i = 0; i < m->n; i++) {
        const double alpha = m->alpha[(size_t)i * (size_t)m->p + (size_t) class];
        const double r = (labels[train[i]] == class) - f[train[i]] - m->ridge * alpha;
        sum += r * r;
    }
    return sum;
}

double gk_rfm_residual_sq(const gk_model *m, double *of_class)
{
    double sum = 0;
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int c = 0; c < m->p; c++) of_class[c] = class_residual_sq(m, c);
    for (int c = 0; c < m->p; c++) sum += of_class[c];
    return sum;
}
