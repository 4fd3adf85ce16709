/* moments_real.h: the body of moments.c for one number type: REAL, WORK, DESK and NAME(x) are set by the includer. */

void NAME(gk_moments_layout)(const gk_model *m, WORK *w, gk_pool *pool)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, threads = (size_t)m->threads;
    const size_t depth = p + 1 > GK_PANEL_DEPTH ? p + 1 : GK_PANEL_DEPTH;
    w->packed_x = gk_pool_take(pool, (n + p) * p, sizeof(REAL));
    w->packed_y = gk_pool_take(pool, (n + p) * p, sizeof(REAL));
    w->tau = gk_pool_take(pool, n * p, sizeof(double));
    w->row_sums = gk_pool_take(pool, n, sizeof(double));
    w->mean = gk_pool_take(pool, 2 * p * p, sizeof(double));
    w->partial = gk_pool_take(pool, SLOTS * 4 * p * p, sizeof(double));
    w->desks = gk_pool_take(pool, threads, sizeof *w->desks);
    for (size_t i = 0; i < threads; i++) {
        DESK desk;
        gk_rfm_panel_layout(&m->tables, &desk.panel, pool);
        desk.block = gk_pool_take(pool, depth * GK_PANEL, sizeof(double));
        desk.rows = gk_pool_take(pool, depth * GK_PANEL, sizeof(REAL));
        desk.lines = gk_pool_take(pool, depth * p, sizeof(REAL));
        desk.planes = gk_pool_take(pool, 2 * p * p * GK_PANEL, sizeof(REAL));
        desk.product = gk_pool_take(pool, 4 * p * p, sizeof(REAL));
        if (w->desks) w->desks[i] = desk;
    }
}

/* rows [count,PANEL] = R of the desk's panel with the points first .. first+count-1 of an order. */
static void NAME(make_rows)(const gk_model *m, DESK *desk, const gk_rfm_points *at, int first, int count)
{
    gk_rfm_kernel_slopes(&m->tables, &desk->panel, at, first, count, desk->block);
#pragma omp simd
    for (int i = 0; i < count * GK_PANEL; i++) desk->rows[i] = (REAL)desk->block[i];
}

/* packed = alpha of `count` points of an order and, unless NULL, a last row: minus that. */
static void NAME(pack_points)(const gk_model *m, const WORK *w, DESK *desk, const gk_rfm_points *at, int first,
                              int count, const double *last, REAL *packed)
{
    const size_t classes = (size_t)w->classes;
    for (size_t i = 0; i < (size_t)count; i++) {
        const double *alpha = m->alpha + (size_t)at->from[first + (int)i] * (size_t)m->p + w->first;
        for (size_t c = 0; c < classes; c++) desk->lines[i * classes + c] = (REAL)alpha[c];
    }
    for (size_t c = 0; last && c < classes; c++) desk->lines[(size_t)count * classes + c] = (REAL)-last[c];
    NAME(gk_panel_pack)(w->classes, last ? count + 1 : count, desk->lines, w->classes, packed);
}

/* tau [n,classes] and, for centring, the row sums of R, whose rows are its columns too. */
static void NAME(first_pass)(gk_model *m, WORK *w)
{
    const int n = m->n;
    const size_t classes = (size_t)w->classes;
    const bool radial = gk_rfm_kernel_radial(&m->tables);
    if (radial || m->centering) {
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
        for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
            const int depth = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
            NAME(pack_points)
            (m, w, &w->desks[omp_get_thread_num()], &m->by_x, from, depth, NULL, w->packed_x + (size_t)from * classes);
        }
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
        for (int first = 0; first < n; first += GK_PANEL) {
            DESK *desk = &w->desks[omp_get_thread_num()];
            const int count = n - first < GK_PANEL ? n - first : GK_PANEL;
            double *sums = w->row_sums + first;
            gk_rfm_panel_place(&m->tables, &desk->panel, m->split->learn + first, count);
            memset(sums, 0, (size_t)count * sizeof *sums);
            for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
                const int depth = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
                NAME(make_rows)(m, desk, &m->by_x, from, depth);
                for (int i = 0; i < depth; i++) {
                    for (int j = 0; j < count; j++) sums[j] += desk->block[i * GK_PANEL + j];
                }
                if (!radial) continue;
                const REAL *packed = w->packed_x + (size_t)from * classes;
                NAME(gk_panel_product)(w->classes, depth, desk->rows, GK_PANEL, packed, from > 0, desk->planes);
            }
            for (size_t j = 0; radial && j < (size_t)count; j++) {
                double *tau = w->tau + ((size_t)first + j) * classes;
                for (size_t c = 0; c < classes; c++) tau[c] = -(double)desk->planes[c * GK_PANEL + j];
            }
        }
    }
    if (radial) return;
    double own[1024] = {0}; /* general_quadratic: one number a class; p <= 1009 */
    for (int i = 0; i < n && m->kernel == GK_RFM_GENERAL; i++) {
        const double *alpha = m->alpha + (size_t)i * (size_t)m->p + w->first;
        for (size_t c = 0; c < classes; c++) own[c] += alpha[c] * (m->by_x.q[i] - 1);
    }
    for (int j = 0; j < n; j++) memcpy(w->tau + (size_t)j * classes, own, classes * sizeof *own);
}

/* What first_pass finds, for the gaussian kernel from what is known: R = K, so tau is minus the outputs, and the row
 * sums are given. */
static void NAME(take_known)(const gk_model *m, WORK *w, const double *row_sums)
{
    const size_t classes = (size_t)w->classes, n_cells = (size_t)m->n_cells;
    memcpy(w->row_sums, row_sums, (size_t)m->n * sizeof *row_sums);
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int i = 0; i < m->n; i++) {
        const double *f = m->outputs + (size_t)w->first * n_cells + m->split->train[i];
        for (size_t c = 0; c < classes; c++) w->tau[(size_t)i * classes + c] = -f[c * n_cells];
    }
}

/* mean[a,c] = (1/n) sum_j w_c(j)[a] = (1/n) sum_{i with coordinate a} (row_sums[i] alpha[i,c] + tau[i,c]). */
static void NAME(find_mean)(const gk_model *m, WORK *w)
{
    const size_t n = (size_t)m->n, p = (size_t)m->p, classes = (size_t)w->classes;
    memset(w->mean, 0, 2 * p * classes * sizeof *w->mean);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int k = 0; k < m->threads; k++) { /* by classes, so that each sum is one thread's */
        const size_t begin = classes * (size_t)k / (size_t)m->threads,
                     end = classes * (size_t)(k + 1) / (size_t)m->threads;
        for (size_t i = 0; i < n; i++) {
            const double *alpha = m->alpha + i * p + w->first, *tau = w->tau + i * classes;
            double *of_x = w->mean + (size_t)m->by_x.x[i] * classes;
            double *of_y = w->mean + (p + (size_t)m->by_x.y[i]) * classes;
            for (size_t c = begin; c < end; c++) {
                const double part = (w->row_sums[i] * alpha[c] + tau[c]) / (double)n;
                of_x[c] += part;
                of_y[c] += part;
            }
        }
    }
}

/* Each segment of an order as one factor: alpha of its points and, if centred, a row that takes the mean of its
 * coordinate off. */
static void NAME(pack_segments)(const gk_model *m, const WORK *w, const gk_rfm_points *at, REAL *packed,
                                const double *mean)
{
    const size_t classes = (size_t)w->classes;
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 8)
    for (int a = 0; a < m->p; a++) {
        NAME(pack_points)
        (m, w, &w->desks[omp_get_thread_num()], at, at->start[a], at->start[a + 1] - at->start[a],
         m->centering ? mean + (size_t)a * classes : NULL, packed + (size_t)(at->start[a] + a) * classes);
    }
}

/* planes[a,c,j] = sum over the points i of segment a of R[j,i] alpha[i,c], less the mean if centred; a is the
 * coordinate that `at` is sorted by. */
static void NAME(sum_segments)(const gk_model *m, const WORK *w, DESK *desk, const gk_rfm_points *at,
                               const REAL *packed, REAL *planes)
{
    const size_t classes = (size_t)w->classes;
    for (int a = 0; a < m->p; a++) {
        const int first = at->start[a], width = at->start[a + 1] - first, depth = m->centering ? width + 1 : width;
        REAL *plane = planes + (size_t)a * classes * GK_PANEL, *one = desk->rows + width * GK_PANEL;
        if (depth == 0) {
            memset(plane, 0, classes * GK_PANEL * sizeof *plane);
            continue;
        }
        NAME(make_rows)(m, desk, at, first, width);
        for (int j = 0; m->centering && j < GK_PANEL; j++) one[j] = j < desk->panel.count;
        NAME(gk_panel_product)
        (w->classes, depth, desk->rows, GK_PANEL, packed + (size_t)(first + a) * classes, false, plane);
    }
}

/* Adds sum_{j,c} w_c(j) w_c(j)' of `count` points from `first` on to partial [2p,2p]. */
static void NAME(add_block)(const gk_model *m, const WORK *w, DESK *desk, int first, int count, double *partial)
{
    const size_t p = (size_t)m->p, classes = (size_t)w->classes, plane = classes * GK_PANEL;
    gk_rfm_panel_place(&m->tables, &desk->panel, m->split->learn + first, count);
    NAME(sum_segments)(m, w, desk, &m->by_x, w->packed_x, desk->planes);
    NAME(sum_segments)(m, w, desk, &m->by_y, w->packed_y, desk->planes + p * plane);
    for (int j = 0; j < count; j++) {
        const double *tau = w->tau + (size_t)(first + j) * classes;
        REAL *of_x = desk->planes + (size_t)m->by_x.x[first + j] * plane + j;
        REAL *of_y = desk->planes + (p + (size_t)m->by_x.y[first + j]) * plane + j;
        for (size_t c = 0; c < classes; c++) {
            of_x[c * GK_PANEL] += (REAL)tau[c];
            of_y[c * GK_PANEL] += (REAL)tau[c];
        }
    }
    NAME(gk_panel_gram)(2 * m->p, (int)plane, desk->planes, desk->product, partial);
}

void NAME(gk_moments_find)(gk_model *m, WORK *w, int first, int classes, const double *row_sums)
{
    const size_t p = (size_t)m->p, square = 4 * p * p;
    w->first = first;
    w->classes = classes;
    if (row_sums && m->kernel == GK_RFM_GAUSSIAN)
        NAME(take_known)(m, w, row_sums);
    else
        NAME(first_pass)(m, w);
    if (m->centering) NAME(find_mean)(m, w);
    NAME(pack_segments)(m, w, &m->by_x, w->packed_x, w->mean);
    NAME(pack_segments)(m, w, &m->by_y, w->packed_y, w->mean + p * (size_t)classes);
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 1)
    for (int slot = 0; slot < SLOTS; slot++) {
        DESK *desk = &w->desks[omp_get_thread_num()];
        memset(w->partial + (size_t)slot * square, 0, square * sizeof *w->partial);
        for (int from = slot * GK_PANEL; from < m->n; from += SLOTS * GK_PANEL) {
            if (omp_get_thread_num() == 0) gk_rfm_tell(m, "features", (slot + (double)from / m->n) / SLOTS);
            const int count = m->n - from < GK_PANEL ? m->n - from : GK_PANEL;
            NAME(add_block)(m, w, desk, from, count, w->partial + (size_t)slot * square);
        }
    }
#pragma omp parallel for num_threads(m->threads) schedule(dynamic, 8)
    for (size_t i = 0; i < 2 * p; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t slot = 0; slot < SLOTS; slot++) sum += w->partial[slot * square + i * 2 * p + j];
            m->agop[i * 2 * p + j] = m->agop[j * 2 * p + i] = sum;
        }
    }
}
