/* predict.c: outputs of any kernel by its rows, f = K alpha, in float64. */
#include "rfm.h"
#include "product.h"

#include <omp.h>

void gk_rfm_predict_cells(gk_model *m, const int32_t *cells, int count, gk_rfm_rows *w)
{
    const int n = m->n, p = m->p;
    gk_product_pack_f64(n, p, m->alpha, 0, n, w->packed);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int first = 0; first < count; first += GK_RFM_ROWS) {
        double *rows = w->rows + (size_t)omp_get_thread_num() * GK_RFM_ROWS * (size_t)n;
        double *product = w->product + (size_t)omp_get_thread_num() * GK_RFM_ROWS * (size_t)p;
        const int some = count - first < GK_RFM_ROWS ? count - first : GK_RFM_ROWS;
        if (omp_get_thread_num() == 0) gk_rfm_tell(m, "predicting", (double)first / count);
        for (int j = 0; j < some; j++) {
            const int cell = cells[first + j];
            gk_rfm_kernel_values(&m->tables, cell / p, cell % p, &m->by_x, 0, n, rows + (size_t)j * (size_t)n);
        }
        gk_product_f64(false, some, p, n, rows, n, w->packed, n, 0, product, p);
        for (int j = 0; j < some; j++) {
            double *to = m->outputs + cells[first + j];
            for (int c = 0; c < p; c++) to[(size_t)c * (size_t)m->n_cells] = product[j * p + c];
        }
    }
}

void gk_rfm_rows_layout(const gk_model *m, gk_rfm_rows *w, gk_pool *pool)
{
    const size_t threads = (size_t)m->threads;
    w->rows = gk_pool_take(pool, threads * GK_RFM_ROWS * (size_t)m->n, sizeof(double));
    w->product = gk_pool_take(pool, threads * GK_RFM_ROWS * (size_t)m->p, sizeof(double));
    w->packed = gk_pool_take(pool, gk_product_size_f64(m->n, m->p), sizeof(double));
    w->others = gk_pool_take(pool, (size_t)(m->n_cells - m->n), sizeof *w->others);
}

void gk_rfm_rows_place(const gk_model *m, gk_rfm_rows *w)
{
    int next = 0, other = 0;
    for (int cell = 0; cell < m->n_cells; cell++) {
        if (next < m->n && m->split->learn[next] == cell)
            next++;
        else
            w->others[other++] = cell;
    }
}

double gk_rfm_residual_sq(const gk_model *m, int class)
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
