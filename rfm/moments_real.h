/* moments_real.h: the body of moments.c for one number type: REAL, GEMM, GRAM, PRODUCT, WORK, DESK and NAME(x) are
 * set by the includer. */

void NAME(gk_moments_layout)(const gk_model *m, WORK *w, gk_pool *pool)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, threads = (size_t)m->threads;
    const size_t stride = (size_t)gk_grid_stride(m->p);
    w->alpha_x = gk_pool_take(pool, n * stride, sizeof(REAL));
    w->alpha_y = gk_pool_take(pool, n * stride, sizeof(REAL));
    w->tau = gk_pool_take(pool, n * p, sizeof(double));
    w->row_sums = gk_pool_take(pool, n, sizeof(double));
    w->mean = gk_pool_take(pool, 2 * p * p, sizeof(double));
    w->partial = gk_pool_take(pool, SLOTS * 4 * p * p, sizeof(double));
    w->desks = gk_pool_take(pool, threads, sizeof *w->desks);
    for (size_t i = 0; i < threads; i++) {
        DESK desk;
        desk.line = gk_pool_take(pool, n, sizeof(double));
        desk.rows = gk_pool_take(pool, ROWS * n, sizeof(REAL));
        desk.planes = gk_pool_take(pool, 2 * p * ROWS * p, sizeof(REAL));
        desk.product = gk_pool_take(pool, 4 * p * p, sizeof(REAL));
        if (w->desks) w->desks[i] = desk;
    }
}

/* rows[j,:] = R[first + j,:] with columns in the order `at`; returns nothing but leaves each row's sum in sums, if
 * given. */
static void NAME(make_rows)(const gk_model *m, DESK *desk, const gk_rfm_points *at, int first, int count, double *sums)
{
    const size_t n = (size_t)m->n;
    for (int j = 0; j < count; j++) {
        REAL *row = desk->rows + (size_t)j * n;
        double sum = 0;
        gk_rfm_kernel_slopes(&m->tables, m->by_x.x[first + j], m->by_x.y[first + j], at, 0, m->n, desk->line);
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            row[i] = (REAL)desk->line[i];
            sum += desk->line[i];
        }
        if (sums) sums[first + j] = sum;
    }
}

/* tau [n,p] and, for centring, the row sums of R, whose rows are its columns too. */
static void NAME(first_pass)(gk_model *m, WORK *w)
{
    const int n = m->n, classes = w->classes;
    const bool radial = gk_rfm_kernel_radial(&m->tables);
    if (radial || m->centering) {
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
        for (int first = 0; first < n; first += ROWS) {
            DESK *desk = &w->desks[omp_get_thread_num()];
            const int count = n - first < ROWS ? n - first : ROWS;
            NAME(make_rows)(m, desk, &m->by_x, first, count, w->row_sums);
            if (!radial) continue;
            GEMM(false, false, count, classes, n, -1, desk->rows, n, w->alpha_x, gk_grid_stride(m->p), 0, desk->planes,
                 classes);
            double *tau = w->tau + (size_t)first * (size_t)classes;
            for (size_t i = 0; i < (size_t)count * (size_t)classes; i++) tau[i] = (double)desk->planes[i];
        }
    }
    if (radial) return;
    double own[1024] = {0}; /* general_quadratic: one number a class; p <= 1009 */
    for (int i = 0; i < n && m->kernel == GK_RFM_GENERAL; i++) {
        const double *alpha = m->alpha + (size_t)i * (size_t)m->p + w->first;
        for (int c = 0; c < classes; c++) own[c] += alpha[c] * (m->by_x.q[i] - 1);
    }
    for (int j = 0; j < n; j++) memcpy(w->tau + (size_t)j * (size_t)classes, own, (size_t)classes * sizeof *own);
}

/* What first_pass finds, for the gaussian kernel from what is known: R = K, so tau is minus the outputs, and the row
 * sums are given. */
static void NAME(take_known)(const gk_model *m, WORK *w, const double *row_sums)
{
    const size_t classes = (size_t)w->classes, n_cells = (size_t)m->n_cells;
    memcpy(w->row_sums, row_sums, (size_t)m->n * sizeof *row_sums);
    for (size_t i = 0; i < (size_t)m->n; i++) {
        const double *f = m->outputs + (size_t)w->first * n_cells + m->split->train[i];
        for (size_t c = 0; c < classes; c++) w->tau[i * classes + c] = -f[c * n_cells];
    }
}

/* mean[a,c] = (1/n) sum_j w_c(j)[a] = (1/n) sum_{i with coordinate a} (row_sums[i] alpha[i,c] + tau[i,c]). */
static void NAME(find_mean)(const gk_model *m, WORK *w)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, classes = (size_t)w->classes;
    memset(w->mean, 0, 2 * p * classes * sizeof *w->mean);
    for (size_t i = 0; i < n; i++) {
        const double *alpha = m->alpha + i * p + w->first, *tau = w->tau + i * classes;
        double *of_x = w->mean + (size_t)m->by_x.x[i] * classes, *of_y = w->mean + (p + (size_t)m->by_x.y[i]) * classes;
        for (size_t c = 0; c < classes; c++) {
            const double part = (w->row_sums[i] * alpha[c] + tau[c]) / (double)n;
            of_x[c] += part;
            of_y[c] += part;
        }
    }
}

/* planes[a,j,c] = sum over the points i of segment a of R[j,i] alpha[i,c], a the coordinate that `at` is sorted by. */
static void NAME(sum_segments)(const gk_model *m, const gk_rfm_points *at, const REAL *alpha, int classes,
                               const REAL *rows, int count, REAL *planes)
{
    const int n = m->n, p = m->p;
    const size_t stride = (size_t)gk_grid_stride(p);
    for (int a = 0; a < p; a++) {
        const int first = at->start[a], width = at->start[a + 1] - first;
        REAL *plane = planes + (size_t)a * ROWS * (size_t)classes;
        if (width == 0)
            memset(plane, 0, (size_t)count * (size_t)classes * sizeof *plane);
        else
            PRODUCT(false, count, classes, width, rows + first, n, alpha + (size_t)first * stride, (int)stride, false,
                    plane, classes);
    }
}

/* partial [2p,2p] += planes planes', the lower triangle. */
static void NAME(add_gram)(const gk_model *m, DESK *desk, int classes, int count, double *partial)
{
    const size_t d = 2 * (size_t)m->p;
    GRAM(false, 2 * m->p, count * classes, 1, desk->planes, ROWS * classes, 0, desk->product, 2 * m->p);
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++) partial[i * d + j] += (double)desk->product[i * d + j];
    }
}

/* Adds sum_{j,c} w_c(j) w_c(j)' of `count` points from `first` on to partial [2p,2p]. */
static void NAME(add_block)(const gk_model *m, const WORK *w, DESK *desk, int first, int count, double *partial)
{
    const size_t p = (size_t)m->p, classes = (size_t)w->classes, plane = ROWS * classes;
    NAME(make_rows)(m, desk, &m->by_x, first, count, NULL);
    NAME(sum_segments)(m, &m->by_x, w->alpha_x, w->classes, desk->rows, count, desk->planes);
    NAME(make_rows)(m, desk, &m->by_y, first, count, NULL);
    NAME(sum_segments)(m, &m->by_y, w->alpha_y, w->classes, desk->rows, count, desk->planes + p * plane);
    for (int j = 0; j < count; j++) {
        const double *tau = w->tau + (size_t)(first + j) * classes;
        REAL *of_x = desk->planes + (size_t)m->by_x.x[first + j] * plane + (size_t)j * classes;
        REAL *of_y = desk->planes + (p + (size_t)m->by_x.y[first + j]) * plane + (size_t)j * classes;
        for (size_t c = 0; c < classes; c++) {
            of_x[c] += (REAL)tau[c];
            of_y[c] += (REAL)tau[c];
        }
    }
    for (size_t a = 0; m->centering && a < 2 * p; a++) {
        for (size_t j = 0; j < (size_t)count; j++) {
            REAL *of = desk->planes + a * plane + j * classes;
            for (size_t c = 0; c < classes; c++) of[c] -= (REAL)w->mean[a * classes + c];
        }
    }
    NAME(add_gram)(m, desk, w->classes, count, partial);
}

void NAME(gk_moments_find)(gk_model *m, WORK *w, int first, int classes, const double *row_sums)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, square = 4 * p * p, stride = (size_t)gk_grid_stride(m->p);
    const double *alpha = m->alpha + first;
    w->first = first;
    w->classes = classes;
    for (size_t i = 0; i < n; i++) {
        const double *by_y = alpha + (size_t)m->by_y.from[i] * p;
        for (size_t c = 0; c < (size_t)classes; c++) w->alpha_x[i * stride + c] = (REAL)alpha[i * p + c];
        for (size_t c = 0; c < (size_t)classes; c++) w->alpha_y[i * stride + c] = (REAL)by_y[c];
    }
    if (row_sums && m->kernel == GK_RFM_GAUSSIAN)
        NAME(take_known)(m, w, row_sums);
    else
        NAME(first_pass)(m, w);
    if (m->centering) NAME(find_mean)(m, w);
    memset(w->partial, 0, SLOTS * square * sizeof *w->partial);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int slot = 0; slot < SLOTS; slot++) {
        DESK *desk = &w->desks[omp_get_thread_num()];
        for (int from = slot * ROWS; from < m->n; from += SLOTS * ROWS) {
            if (omp_get_thread_num() == 0) gk_rfm_tell(m, "features", (slot + (double)from / m->n) / SLOTS);
            const int count = m->n - from < ROWS ? m->n - from : ROWS;
            NAME(add_block)(m, w, desk, from, count, w->partial + (size_t)slot * square);
        }
    }
    for (size_t i = 0; i < 2 * p; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t slot = 0; slot < SLOTS; slot++) sum += w->partial[slot * square + i * 2 * p + j];
            m->agop[i * 2 * p + j] = m->agop[j * 2 * p + i] = sum;
        }
    }
}
