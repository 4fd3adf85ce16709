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
    const size_t n = (size_t)m->n, p = (size_t)m->p, lanes = (size_t)gk_panels(2 * m->p) * GK_PANEL;
    gk_rfm_radial counting, *d = gk_pool_take(pool, 1, sizeof *d);
    m->radial = d;
    if (!d) d = &counting;
    m->outputs = gk_pool_take(pool, p * (size_t)m->n_cells, sizeof(double));
    d->kernel = gk_pool_take(pool, (size_t)gk_panels(m->n) * (n + 2 * p) * GK_PANEL, sizeof(float));
    d->e = gk_pool_take(pool, n * lanes, sizeof(float));
    d->zk = gk_pool_take(pool, 2 * p * n, sizeof(double));
    d->l = gk_pool_take(pool, n * 2 * p, sizeof(double));
    float **vectors[] = {&d->x, &d->r, &d->q, &d->kq};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = gk_pool_take(pool, n * p, sizeof(float));
    d->packed = gk_pool_take(pool, n * p, sizeof(float));
    d->u = gk_pool_take(pool, n * p, sizeof(double));
    gk_coarse_layout(&d->coarse, m->p, false, pool);
    double **squares[] = {&d->count_inverse, &d->s_inverse, &d->f, &d->work, &d->packed_square};
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        *squares[i] = gk_pool_take(pool, 4 * p * p, sizeof(double));
    double **sums[] = {&d->zy, &d->sums, &d->v};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) *sums[i] = gk_pool_take(pool, 2 * p * p, sizeof(double));
    float **factors[] = {&d->t, &d->packed_t};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        *factors[i] = gk_pool_take(pool, 2 * p * p, sizeof(float));
    double **classes[] = {&d->size, &d->before, &d->energy, &d->goal, &d->a, &d->b};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) *classes[i] = gk_pool_take(pool, p, sizeof(double));
    d->row_sums = gk_pool_take(pool, n, sizeof *d->row_sums);
    d->iterations = gk_pool_take(pool, p, sizeof *d->iterations);
    d->desks = gk_pool_take(pool, (size_t)m->threads, sizeof *d->desks);
    for (int i = 0; i < m->threads; i++) {
        gk_radial_desk desk;
        gk_rfm_panel_layout(&m->tables, &desk.panel, pool);
        desk.block = gk_pool_take(pool, GK_PANEL_DEPTH * GK_PANEL, sizeof(double));
        desk.zk = gk_pool_take(pool, 2 * p * GK_PANEL, sizeof(double));
        desk.l = gk_pool_take(pool, 2 * p * GK_PANEL, sizeof(double));
        desk.product = gk_pool_take(pool, p * GK_PANEL, sizeof(float));
        desk.sums = gk_pool_take(pool, lanes * p, sizeof(float));
        desk.of_class = gk_pool_take(pool, p, sizeof(double));
        if (d->desks) d->desks[i] = desk;
    }
    gk_rfm_cells_layout(m, &d->cells, pool);
    if (m->tolerance < GK_RFM_FINE)
        gk_moments_layout_f64(m, &d->fine_moments, pool);
    else
        gk_moments_layout_f32(m, &d->moments, pool);
}

static void radial_place(gk_model *m)
{
    gk_rfm_cells_place(m, &m->radial->cells);
    gk_radial_place(m);
}

static void radial_prepare(gk_model *m)
{
    gk_rfm_kernel_prepare(&m->tables, m->metric, &m->by_x, &m->by_y);
    m->radial->coarse_known = false;
}

/* ---- conjugate gradients on all classes ---- */

/* out [p] = the pieces' numbers of each class, added. */
static void sum_of_pieces(const gk_model *m, double *out)
{
    const size_t row = (size_t)m->p;
    memset(out, 0, row * sizeof *out);
    for (int piece = 0; piece < m->threads; piece++) {
        for (size_t c = 0; c < row; c++) out[c] += m->radial->desks[piece].of_class[c];
    }
}

/* t = v [2p,p], in float32 and packed. */
static void pack_t(const gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
    for (size_t i = 0; i < 2 * row * row; i++) d->t[i] = (float)d->v[i];
    gk_panel_pack_f32(m->p, 2 * m->p, d->t, m->p, d->packed_t);
}

/* q = r + b q for one piece of the points; b NULL: q stays. */
GK_HOT static void turn(size_t count, const float *r, const double *b, float *q, size_t row)
{
    for (size_t i = 0; i < count; i++, q += row, r += row) {
#pragma omp simd
        for (size_t c = 0; c < row; c++) q[c] = r[c] + (float)b[c] * q[c];
    }
}

/* q = r + b q, unless b is NULL; q's packed form; t = -S^+ E'q. */
static void see_coarse(gk_model *m, const double *b)
{
    gk_rfm_radial *d = m->radial;
    const int p = m->p, lanes = gk_panels(2 * p) * GK_PANEL;
    const size_t row = (size_t)p, count = 2 * row * row;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int begin = gk_radial_first(m, piece), end = gk_radial_first(m, piece + 1);
        float *sums = d->desks[piece].sums;
        if (begin == end) memset(sums, 0, (size_t)lanes * row * sizeof *sums);
        for (int from = begin; from < end; from += GK_PANEL_DEPTH) {
            const int depth = end - from < GK_PANEL_DEPTH ? end - from : GK_PANEL_DEPTH;
            const size_t at = (size_t)from * row;
            if (b) turn((size_t)depth, d->r + at, b, d->q + at, row);
            gk_panel_pack_f32(p, depth, d->q + at, p, d->packed + at);
            for (int lane = 0; lane < lanes; lane += GK_PANEL)
                gk_panel_product_f32(p, depth, d->e + (size_t)from * (size_t)lanes + lane, lanes, d->packed + at,
                                     from > begin, sums + (size_t)lane * row);
        }
    }
    memset(d->sums, 0, count * sizeof *d->sums);
    for (int piece = 0; piece < m->threads; piece++) {
        const float *sums = d->desks[piece].sums;
        for (size_t a = 0; a < 2 * row; a++) {
            const float *of_a = sums + a / GK_PANEL * GK_PANEL * row + a % GK_PANEL;
            for (size_t c = 0; c < row; c++) d->sums[a * row + c] += (double)of_a[c * GK_PANEL];
        }
    }
    gk_radial_multiply(m, -1, d->s_inverse, 2 * p, d->sums, d->v);
    pack_t(m);
}

/* to [count,p] = what a panel's lanes hold + ridge q; dots += q o to. */
GK_HOT static void set_down(int count, int p, const float *lanes, float ridge, const float *q, float *to, double *dots)
{
    for (int i = 0; i < count; i++, q += p, to += p) {
#pragma omp simd
        for (int c = 0; c < p; c++) {
            to[c] = lanes[c * GK_PANEL + i] + ridge * q[c];
            dots[c] += (double)(to[c] * q[c]);
        }
    }
}

/* kq = (K^ + ridge - E S^+ E') q for the q that see_coarse makes; energy = q'kq. */
static void apply(gk_model *m, const double *b)
{
    gk_rfm_radial *d = m->radial;
    const int n = m->n, p = m->p;
    const size_t row = (size_t)p;
    see_coarse(m, b);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int last = gk_radial_first(m, piece + 1);
        const gk_radial_desk *desk = &d->desks[piece];
        memset(desk->of_class, 0, row * sizeof *desk->of_class);
        for (int first = gk_radial_first(m, piece); first < last; first += GK_PANEL) {
            const float *panel = gk_radial_panel(m, first);
            const size_t at = (size_t)first * row;
            gk_panel_product_f32(p, n, panel, GK_PANEL, d->packed, false, desk->product);
            gk_panel_product_f32(p, 2 * p, panel + (size_t)n * GK_PANEL, GK_PANEL, d->packed_t, true, desk->product);
            set_down(last - first < GK_PANEL ? last - first : GK_PANEL, p, desk->product, (float)m->ridge,
                     d->q + at, d->kq + at, desk->of_class);
        }
    }
    sum_of_pieces(m, d->energy);
}

/* x += a q, r -= a kq for one piece of the points; sizes += r o r. */
GK_HOT static void step_on(size_t count, const double *a, const float *q, const float *kq, float *x, float *r,
                           double *sizes, size_t row)
{
    for (size_t i = 0; i < count; i++, q += row, kq += row, x += row, r += row) {
#pragma omp simd
        for (size_t c = 0; c < row; c++) {
            const float step = (float)a[c], next = r[c] - step * kq[c];
            x[c] += step * q[c];
            r[c] = next;
            sizes[c] += (double)(next * next);
        }
    }
}

/* x += a q, r -= a kq, a a number a class; size = |r|^2, before = what it was. */
static void advance(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const size_t first = (size_t)gk_radial_first(m, piece), last = (size_t)gk_radial_first(m, piece + 1);
        const size_t at = first * row;
        memset(d->desks[piece].of_class, 0, row * sizeof(double));
        step_on(last - first, d->a, d->q + at, d->kq + at, d->x + at, d->r + at, d->desks[piece].of_class, row);
    }
    memcpy(d->before, d->size, row * sizeof *d->size);
    sum_of_pieces(m, d->size);
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
        apply(m, d->b);
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
    const int p = m->p, n = m->n;
    const size_t row = (size_t)p, count = 2 * row * row;
    gk_radial_project_f32(m, d->r);
    memcpy(d->zy, d->sums, count * sizeof *d->zy);
    gk_radial_add_f32(m, -1, d->v, d->r);
    gk_radial_multiply(m, -1, d->s_inverse, 2 * p, d->zy, d->v);
    pack_t(m);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int last = gk_radial_first(m, piece + 1);
        float *lanes = d->desks[piece].product;
        for (int first = gk_radial_first(m, piece); first < last; first += GK_PANEL) {
            gk_panel_product_f32(p, 2 * p, gk_radial_panel(m, first) + (size_t)n * GK_PANEL, GK_PANEL, d->packed_t, false,
                                 lanes);
            for (int i = first; i < last && i < first + GK_PANEL; i++) {
                float *r = d->r + (size_t)i * row;
                for (int c = 0; c < p; c++) r[c] += lanes[c * GK_PANEL + i - first];
            }
        }
    }
}

/* The start: what the old coefficients have beside Z, each class times the factor that minimises its energy, goes to u.
 */
static void warm_start(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
    double *along = d->a;
    memcpy(d->u, m->alpha, (size_t)m->n * row * sizeof *d->u);
    gk_radial_project(m, d->u);
    gk_radial_add(m, -1, d->v, d->u);
    for (size_t i = 0; i < (size_t)m->n * row; i++) d->q[i] = (float)d->u[i];
    apply(m, NULL);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        double *of_class = d->desks[piece].of_class;
        memset(of_class, 0, row * sizeof *of_class);
        for (int i = gk_radial_first(m, piece); i < gk_radial_first(m, piece + 1); i++) {
            const float *r = d->r + (size_t)i * row, *q = d->q + (size_t)i * row;
            for (size_t c = 0; c < row; c++) of_class[c] += (double)r[c] * (double)q[c];
        }
    }
    sum_of_pieces(m, along);
    for (size_t c = 0; c < row; c++) {
        const double scale = along[c] / d->energy[c];
        d->a[c] = d->energy[c] > 0 && isfinite(scale) ? scale : 0;
    }
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int i = 0; i < m->n; i++) {
        const float *kq = d->kq + (size_t)i * row;
        double *u = d->u + (size_t)i * row;
        float *r = d->r + (size_t)i * row;
        for (size_t c = 0; c < row; c++) {
            const double scale = d->a[c];
            u[c] = scale == 0 ? 0 : scale * u[c];
            r[c] = scale == 0 ? r[c] : (float)((double)r[c] - scale * (double)kq[c]);
        }
    }
}

/* u += x, made exactly free of Z, and then the coarse part that belongs to it: u += Z S^+ (Z'y - Z'K u). */
static void complete(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, count = 2 * row * row;
    for (size_t i = 0; i < (size_t)m->n * row; i++) d->u[i] += (double)d->x[i];
    gk_radial_project(m, d->u);
    gk_radial_add(m, -1, d->v, d->u);
    gk_radial_multiply(m, -1, d->zk, m->n, d->u, d->sums);
    for (size_t i = 0; i < count; i++) d->sums[i] += d->zy[i];
    gk_radial_multiply(m, 1, d->s_inverse, 2 * m->p, d->sums, d->v);
    gk_radial_add(m, 1, d->v, d->u);
}

/* r [n,p] from the outputs on the training cells; all classes' |r|^2, and whether each is within what it may keep. */
static double measure(gk_model *m, const double *may_keep, bool *good)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
    double sum = 0;
    gk_rfm_predict_cells(m, m->split->train, m->n, &d->cells);
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
    gk_rfm_predict_cells(m, m->radial->cells.others, m->n_cells - m->n, &m->radial->cells);
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
    gk_rfm_predict_cells(m, m->split->train, m->n, &m->radial->cells);
    finish(m);
    return isfinite(m->residual)
               ? GK_OK
               : gk_error(GK_DIVERGED, "iteration %lld: the outputs are not finite", (long long)m->step);
}

static int radial_moments(gk_model *m, int first, int classes)
{
    gk_rfm_radial *d = m->radial;
    double *row_sums = d->row_sums;
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
