/* radial.c: conjugate gradients for the gaussian and laplace kernels on what radial_split.c leaves of them (radial.h).
 */
#include "radial.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ROUNDS = 6,  /* corrections after which a residual that still is too large counts as lack of convergence */
    LIMIT = 200, /* iterations a round */
    KINDS = 3,   /* sums over points that a piece keeps of each class */
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
    double **classes[] = {&d->size, &d->energy, &d->along, &d->own, &d->goal, &d->left, &d->a, &d->b};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) *classes[i] = gk_pool_take(pool, p, sizeof(double));
    d->row_sums = gk_pool_take(pool, n, sizeof *d->row_sums);
    d->iterations = gk_pool_take(pool, p, sizeof *d->iterations);
    d->desks = gk_pool_take(pool, (size_t)m->threads, sizeof *d->desks);
    for (int i = 0; i < m->threads; i++) {
        gk_radial_desk desk;
        for (int k = 0; k < GK_RFM_GROUP; k++) gk_rfm_panel_layout(&m->tables, &desk.panel[k], pool);
        desk.block = gk_pool_take(pool, GK_PANEL_DEPTH * GK_PANEL, sizeof(double));
        desk.zk = gk_pool_take(pool, 2 * p * GK_PANEL, sizeof(double));
        desk.l = gk_pool_take(pool, GK_RFM_GROUP * 2 * p * GK_PANEL, sizeof(double));
        desk.product = gk_pool_take(pool, GK_RFM_GROUP * p * GK_PANEL, sizeof(float));
        desk.sums = gk_pool_take(pool, lanes * p, sizeof(float));
        desk.of_class = gk_pool_take(pool, KINDS * p, sizeof(double));
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

/* out [p] = the pieces' sums of one kind, added. */
static void sum_of_pieces(const gk_model *m, int kind, double *out)
{
    const size_t row = (size_t)m->p;
    memset(out, 0, row * sizeof *out);
    for (int piece = 0; piece < m->threads; piece++) {
        const double *of_piece = m->radial->desks[piece].of_class + (size_t)kind * row;
        for (size_t c = 0; c < row; c++) out[c] += of_piece[c];
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

/* x += a q, r -= a kq and then q = r + b q for some points; sizes += r o r. */
GK_HOT static void step_on(size_t count, size_t row, const double *a, const double *b, const float *kq, float *x,
                           float *r, float *q, double *sizes)
{
    for (size_t i = 0; i < count; i++, q += row, kq += row, x += row, r += row) {
#pragma omp simd
        for (size_t c = 0; c < row; c++) {
            const float step = (float)a[c], next = r[c] - step * kq[c];
            x[c] += step * q[c];
            r[c] = next;
            q[c] = next + (float)b[c] * q[c];
            sizes[c] += (double)next * (double)next;
        }
    }
}

/* One piece's part of E'q, and q packed. */
static void see_coarse(const gk_model *m, int first, int depth, bool add, float *sums)
{
    const gk_rfm_radial *d = m->radial;
    const int p = m->p, lanes = gk_panels(2 * p) * GK_PANEL;
    const size_t at = (size_t)first * (size_t)p;
    gk_panel_pack_f32(p, depth, d->q + at, p, d->packed + at);
    for (int lane = 0; lane < lanes; lane += GK_PANEL)
        gk_panel_product_f32(p, depth, d->e + (size_t)first * (size_t)lanes + lane, lanes, d->packed + at, add,
                             sums + lane * p);
}

enum { STEP = 1, SEE = 2 };

/* STEP: x += a q, r -= a kq, q = r + b q, a and b numbers a class; size = |r|^2. SEE: q is made ready to be multiplied
 * by: packed, and t = -S^+ E'q. */
static void advance(gk_model *m, int what)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, count = 2 * row * row;
    memset(d->sums, 0, count * sizeof *d->sums);
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int begin = gk_radial_first(m, piece), end = gk_radial_first(m, piece + 1);
        const gk_radial_desk *desk = &d->desks[piece];
        memset(desk->of_class, 0, row * sizeof *desk->of_class);
        for (int from = begin; from < end; from += GK_PANEL_DEPTH) {
            const int depth = end - from < GK_PANEL_DEPTH ? end - from : GK_PANEL_DEPTH;
            const size_t at = (size_t)from * row;
            if (what & STEP)
                step_on((size_t)depth, row, d->a, d->b, d->kq + at, d->x + at, d->r + at, d->q + at, desk->of_class);
            if (what & SEE) see_coarse(m, from, depth, from > begin, desk->sums);
        }
    }
    if (what & STEP) sum_of_pieces(m, 0, d->size);
    if (!(what & SEE)) return;
    for (int piece = 0; piece < m->threads; piece++) {
        if (gk_radial_first(m, piece) == gk_radial_first(m, piece + 1)) continue;
        for (size_t a = 0; a < 2 * row; a++) {
            const float *of_a = d->desks[piece].sums + a / GK_PANEL * GK_PANEL * row + a % GK_PANEL;
            for (size_t c = 0; c < row; c++) d->sums[a * row + c] += (double)of_a[c * GK_PANEL];
        }
    }
    gk_radial_multiply(m, -1, d->s_inverse, 2 * m->p, d->sums, d->v);
    pack_t(m);
}

/* kq [count,p] = what a panel's lanes hold + ridge q, and its products with q, with r and with itself. */
GK_HOT static void set_down(int count, int p, const float *lanes, float ridge, const float *q, const float *r,
                            float *kq, double *energy, double *along, double *own)
{
    for (int i = 0; i < count; i++, q += p, r += p, kq += p) {
#pragma omp simd
        for (int c = 0; c < p; c++) {
            const float next = lanes[c * GK_PANEL + i] + ridge * q[c];
            kq[c] = next;
            energy[c] += (double)next * (double)q[c];
            along[c] += (double)next * (double)r[c];
            own[c] += (double)next * (double)next;
        }
    }
}

/* kq for a group of panels. */
static void apply_to_group(const gk_model *m, const gk_radial_desk *desk, int first, int count)
{
    const gk_rfm_radial *d = m->radial;
    const int n = m->n, p = m->p, panels = gk_panels(count);
    const size_t row = (size_t)p;
    for (int from = 0; from < n; from += GK_PANEL_DEPTH) {
        const int depth = n - from < GK_PANEL_DEPTH ? n - from : GK_PANEL_DEPTH;
        for (int k = 0; k < panels; k++)
            gk_panel_product_f32(p, depth, gk_radial_panel(m, first + k * GK_PANEL) + (size_t)from * GK_PANEL, GK_PANEL,
                                 d->packed + (size_t)from * row, from > 0, desk->product + k * p * GK_PANEL);
    }
    for (int k = 0; k < panels; k++) {
        const int begin = first + k * GK_PANEL, some = first + count - begin;
        const size_t at = (size_t)begin * row;
        float *lanes = desk->product + k * p * GK_PANEL;
        gk_panel_product_f32(p, 2 * p, gk_radial_panel(m, begin) + (size_t)n * GK_PANEL, GK_PANEL, d->packed_t, true,
                             lanes);
        set_down(some < GK_PANEL ? some : GK_PANEL, p, lanes, (float)m->ridge, d->q + at, d->r + at, d->kq + at,
                 desk->of_class, desk->of_class + row, desk->of_class + 2 * row);
    }
}

/* kq = (K^ + ridge - E S^+ E') q for a q made ready; energy = q'kq, along = r'kq, own = kq'kq. */
static void apply(gk_model *m)
{
    enum { GROUP = GK_RFM_GROUP * GK_PANEL };
    gk_rfm_radial *d = m->radial;
#pragma omp parallel for num_threads(m->threads) schedule(static, 1)
    for (int piece = 0; piece < m->threads; piece++) {
        const int last = gk_radial_first(m, piece + 1);
        const gk_radial_desk *desk = &d->desks[piece];
        memset(desk->of_class, 0, KINDS * (size_t)m->p * sizeof *desk->of_class);
        for (int first = gk_radial_first(m, piece); first < last; first += GROUP)
            apply_to_group(m, desk, first, last - first < GROUP ? last - first : GROUP);
    }
    sum_of_pieces(m, 0, d->energy);
    sum_of_pieces(m, 1, d->along);
    sum_of_pieces(m, 2, d->own);
}

/* Some class's |r| is above its goal. */
static bool busy(const gk_rfm_radial *d, int p)
{
    bool some = false;
    for (int c = 0; c < p; c++) some |= d->size[c] > d->goal[c] * d->goal[c];
    return some;
}

/* Adds to x until every class's |r| is at most its goal; a class that is there stands still, and so does one whose
 * direction shows no positive curvature: what is left of it is rounding, or K is not positive definite, which the
 * measured residual tells. The step to the next r and the next direction are taken in one pass: for the direction
 * |r - a kq|^2 is known before r is. a and b are 0 and size is |r|^2 at first. GK_FAILED if it takes too long. */
static int conjugate_gradients(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const int p = m->p;
    for (int done = 0; done <= LIMIT; done++) {
        int what = STEP | SEE;
        if (!busy(d, p)) {
            advance(m, STEP); /* what counts is r itself, not what was expected of it */
            if (!busy(d, p)) return GK_OK;
            what = SEE;
        }
        gk_rfm_tell(m, "solving", (double)done / LIMIT);
        if (done == LIMIT) break;
        advance(m, what);
        apply(m);
        for (int c = 0; c < p; c++) {
            const double step = d->size[c] / d->energy[c];
            if (!(d->energy[c] > 0 && isfinite(step))) d->goal[c] = INFINITY;
            const bool there = !(d->size[c] > d->goal[c] * d->goal[c]);
            d->a[c] = there ? 0 : step;
            d->iterations[c] += !there;
            d->b[c] = 0; /* should rounding move it, it begins anew */
            if (there) continue;
            const double next = fmax(d->size[c] - step * (2 * d->along[c] - step * d->own[c]), 0);
            d->b[c] = next / d->size[c];
            d->size[c] = next;
        }
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
            gk_panel_product_f32(p, 2 * p, gk_radial_panel(m, first) + (size_t)n * GK_PANEL, GK_PANEL, d->packed_t,
                                 false, lanes);
            for (int i = first; i < last && i < first + GK_PANEL; i++) {
                float *r = d->r + (size_t)i * row;
                for (int c = 0; c < p; c++) r[c] += lanes[c * GK_PANEL + i - first];
            }
        }
    }
}

/* The start: what the old coefficients have beside Z, each class times the factor that leaves the smallest residual,
 * goes to u. */
static void warm_start(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
    memcpy(d->u, m->alpha, (size_t)m->n * row * sizeof *d->u);
    gk_radial_project(m, d->u);
    gk_radial_add(m, -1, d->v, d->u);
    for (size_t i = 0; i < (size_t)m->n * row; i++) d->q[i] = (float)d->u[i];
    advance(m, SEE);
    apply(m);
    for (size_t c = 0; c < row; c++) {
        const double scale = d->along[c] / d->own[c];
        d->a[c] = d->own[c] > 0 && isfinite(scale) ? scale : 0;
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

/* r [n,p], the right-hand side of the next correction: Y less what alpha gives on the training cells. */
static void take_residual(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p;
#pragma omp parallel for num_threads(m->threads) schedule(static)
    for (int i = 0; i < m->n; i++) {
        const double *f = m->outputs + m->split->train[i], *alpha = m->alpha + (size_t)i * row;
        for (size_t c = 0; c < row; c++) {
            const double known = f[c * (size_t)m->n_cells] + m->ridge * alpha[c];
            d->r[(size_t)i * row + c] = (float)(((int)c == label_of(m, (size_t)i)) - known);
        }
    }
}

/* The residual in float64: |Y - (K + ridge) alpha|^2; good: each class has at most what it may keep. */
static double measure(gk_model *m, const double *may_keep, bool *good)
{
    gk_rfm_radial *d = m->radial;
    gk_rfm_predict_cells(m, m->split->train, m->n, &d->cells);
    const double sum = gk_rfm_residual_sq(m, d->left);
    *good = true;
    for (int c = 0; c < m->p; c++) *good &= d->left[c] <= may_keep[c];
    m->residual = sqrt(sum / m->n); /* |Y|^2 = n */
    return sum;
}

/* Corrections in float32 until the measured residual of each class is small enough. */
static int correct(gk_model *m)
{
    gk_rfm_radial *d = m->radial;
    const size_t row = (size_t)m->p, n = (size_t)m->n;
    double may_keep[1024] = {0}, before = m->n; /* squared residuals; p <= 1009 */
    memset(d->r, 0, n * row * sizeof *d->r);
    for (size_t i = 0; i < n; i++) {
        may_keep[label_of(m, i)] += m->tolerance * m->tolerance;
        d->r[i * row + (size_t)label_of(m, i)] = 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        bool good;
        reduce_right_hand_side(m);
        if (round == 0)
            warm_start(m);
        else
            memset(d->u, 0, n * row * sizeof *d->u);
        gk_radial_project_f32(m, d->r); /* what rounding left along Z has no eigenvalue to be solved by */
        gk_radial_add_f32(m, -1, d->v, d->r);
        memset(d->x, 0, n * row * sizeof *d->x);
        for (size_t c = 0; c < row; c++) d->a[c] = d->b[c] = 0;
        advance(m, STEP);
        /* A tenth is left to rounding; float32 takes a residual down by 1e-5 before it drifts from the true one, and the
         * next round goes on from there. */
        for (size_t c = 0; c < row; c++) d->goal[c] = fmax(0.9 * sqrt(may_keep[c]), 1e-5 * sqrt(d->size[c]));
        int code = conjugate_gradients(m);
        if (code != GK_OK) return code;
        complete(m);
        for (size_t i = 0; i < n * row; i++) m->alpha[i] = (round == 0 ? 0 : m->alpha[i]) + d->u[i];
        const double after = measure(m, may_keep, &good);
        if (good) return GK_OK;
        if (!(after < 0.25 * before)) return GK_DIVERGED;
        before = after;
        take_residual(m);
    }
    return GK_FAILED;
}

static void predict_others(gk_model *m)
{
    gk_rfm_predict_cells(m, m->radial->cells.others, m->n_cells - m->n, &m->radial->cells);
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
    predict_others(m);
    return GK_OK;
}

static int radial_predict(gk_model *m)
{
    gk_rfm_predict_cells(m, m->split->train, m->n, &m->radial->cells);
    m->residual = sqrt(gk_rfm_residual_sq(m, m->radial->left) / m->n);
    predict_others(m);
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
