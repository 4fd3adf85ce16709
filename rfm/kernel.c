/* kernel.c: the kernel matrix from tables. For a fixed point (x, y) the metric product with (x', y') is u[x'] + v[y'],
 * u[x'] = A[x,x'] + B[x',y] and v[y'] = B[x,y'] + C[y,y']: two p-vectors, then one sum an entry. For the Gaussian the
 * sum becomes a product of entries of exp tables, so that no entry needs an exponential. Points come by panels, whose u
 * and v lie side by side: then the entries of one (x', y') with a whole panel are two lines added, and nothing is
 * gathered. */
#include "rfm.h"

#include <math.h>
#include <string.h>

enum { P_MAX = 1009, X_MAX = 2 * P_MAX };

void gk_rfm_kernel_layout(gk_rfm_tables *t, gk_pool *pool)
{
    const size_t p = (size_t)t->p, px = (size_t)t->px;
    t->a = gk_pool_take(pool, px * px, sizeof *t->a);
    t->b = gk_pool_take(pool, px * p, sizeof *t->b);
    t->bt = gk_pool_take(pool, p * px, sizeof *t->bt);
    t->c = gk_pool_take(pool, p * p, sizeof *t->c);
    t->q = gk_pool_take(pool, px * p, sizeof *t->q);
}

void gk_rfm_panel_layout(const gk_rfm_tables *t, gk_rfm_panel *w, gk_pool *pool)
{
    w->u = gk_pool_take(pool, (size_t)t->px * GK_PANEL, sizeof *w->u);
    w->v = gk_pool_take(pool, (size_t)t->p * GK_PANEL, sizeof *w->v);
    w->q = gk_pool_take(pool, GK_PANEL, sizeof *w->q);
}

/* Entries of the exp tables stay within exp(+-LIMIT), so that a product of four neither overflows nor loses digits. */
static const double LIMIT = 150;

static void own_exp(double *block, int n, double gamma)
{
    double diagonal[X_MAX];
    for (size_t i = 0; i < (size_t)n; i++) diagonal[i] = block[i * (size_t)n + i];
    for (size_t i = 0; i < (size_t)n; i++) {
        double *row = block + i * (size_t)n;
        for (size_t j = 0; j < (size_t)n; j++) row[j] = exp(-gamma * (diagonal[i] + diagonal[j] - 2 * row[j]));
    }
}

/* Replaces the blocks by exp tables. With gamma = 1 / (2 L^2) and q = A[x,x] + 2 B[x,y] + C[y,y]:
 * -gamma (q + q' - 2 g) = -gamma (A[x,x] + A[x',x'] - 2 A[x,x'])        -> a, at most 1
 *                         -gamma (C[y,y] + C[y',y'] - 2 C[y,y'])        -> c, at most 1
 *                         + 2 gamma (B[x,y'] + B[x',y] - B[x,y] - B[x',y'])  -> b b / (b b) */
static void make_exp_tables(gk_rfm_tables *t)
{
    const size_t mixed = (size_t)t->px * (size_t)t->p;
    const double gamma = 1 / (2 * t->bandwidth * t->bandwidth);
    own_exp(t->a, t->px, gamma);
    own_exp(t->c, t->p, gamma);
    for (size_t i = 0; i < mixed; i++) {
        t->b[i] = exp(2 * gamma * t->b[i]);
        t->bt[i] = exp(2 * gamma * t->bt[i]);
    }
}

static void prepare_points(const gk_rfm_tables *t, gk_rfm_points *at)
{
    for (int i = 0; i < at->n; i++) {
        const size_t cell = (size_t)at->x[i] * (size_t)t->p + (size_t)at->y[i];
        at->q[i] = t->q[cell];
        at->h[i] = t->factored ? 1 / t->b[cell] : 0;
    }
}

/* The blocks over the letters x + p t, from M [2p+1,2p+1]. */
static void two_blocks(gk_rfm_tables *t, const double *metric)
{
    const size_t p = (size_t)t->p, px = (size_t)t->px, d = 2 * p + 1;
    const double *last = metric + 2 * p * d; /* r, s, h */
    gk_block(t->c, metric, (int)d, t->p, 2 * t->p, t->p, 2 * t->p);
    for (size_t i = 0; i < px; i++) {
        const double *row = metric + i % p * d;
        const bool second = i >= p;
        for (size_t j = 0; j < px; j++)
            t->a[i * px + j] = row[j % p] + (second ? last[j % p] : 0) + (j >= p ? last[i % p] : 0) +
                               (second && j >= p ? last[2 * p] : 0);
        for (size_t y = 0; y < p; y++) t->b[i * p + y] = t->bt[y * px + i] = row[p + y] + (second ? last[p + y] : 0);
    }
}

void gk_rfm_kernel_prepare(gk_rfm_tables *t, const double *metric, gk_rfm_points *by_x, gk_rfm_points *by_y)
{
    const int p = t->p;
    const size_t row = (size_t)p, letters = (size_t)t->px;
    if (t->px > p) {
        two_blocks(t, metric);
    } else {
        gk_block(t->a, metric, 2 * p, 0, p, 0, p);
        gk_block(t->b, metric, 2 * p, 0, p, p, 2 * p);
        gk_block(t->bt, metric, 2 * p, p, 2 * p, 0, p);
        gk_block(t->c, metric, 2 * p, p, 2 * p, p, 2 * p);
    }
    double largest = 0;
    for (size_t x = 0; x < letters; x++) {
        for (size_t y = 0; y < row; y++) {
            t->q[x * row + y] = t->a[x * letters + x] + 2 * t->b[x * row + y] + t->c[y * row + y];
            largest = fmax(largest, fabs(t->b[x * row + y]));
        }
    }
    t->factored = t->kernel == GK_RFM_GAUSSIAN && largest / (t->bandwidth * t->bandwidth) < LIMIT;
    if (t->factored) make_exp_tables(t);
    prepare_points(t, by_x);
    prepare_points(t, by_y);
}

double gk_rfm_kernel_scale(const gk_rfm_tables *t)
{
    if (t->kernel == GK_RFM_GAUSSIAN) return 1 / (t->bandwidth * t->bandwidth);
    return t->kernel == GK_RFM_LAPLACE ? 1 / t->bandwidth : 1;
}

/* exp of -708 <= x <= 0 within 1e-15 relative, without a call, so that loops over it become vector code: x = k ln 2 +
 * r, |r| <= ln 2 / 2, a polynomial for e^r, and k added to the exponent bits. Smaller x give exp(-708). */
static inline double exp_of_nonpositive(double x)
{
    const double shift = 0x1.8p52; /* adding it rounds to an integer, which is then in the low bits */
    x = x < -708 ? -708 : x;
    const double k = x * 0x1.71547652b82fep0 + shift, whole = k - shift;
    const double r = (x - whole * 0x1.62e42fee00000p-1) - whole * 0x1.a39ef35793c76p-33;
    double e = 1.0 / 6227020800.0;
    e = e * r + 1.0 / 479001600.0;
    e = e * r + 1.0 / 39916800.0;
    e = e * r + 1.0 / 3628800.0;
    e = e * r + 1.0 / 362880.0;
    e = e * r + 1.0 / 40320.0;
    e = e * r + 1.0 / 5040.0;
    e = e * r + 1.0 / 720.0;
    e = e * r + 1.0 / 120.0;
    e = e * r + 1.0 / 24.0;
    e = e * r + 1.0 / 6.0;
    e = e * r + 0.5;
    e = e * r + 1.0;
    e = e * r + 1.0;
    uint64_t bits, scale;
    double out;
    memcpy(&bits, &k, sizeof bits);
    memcpy(&scale, &e, sizeof scale);
    scale += bits << 52; /* e lies in [0.7, 1.42), so its exponent field takes k without leaving its range */
    memcpy(&out, &scale, sizeof out);
    return out;
}

/* Squared distances below this share of q + q' are rounding of equal points, or of points that M cannot tell apart. */
static const double SAME = 1e-14;

static inline double distance_sq(double q, double q_i, double g)
{
    const double d2 = q + q_i - 2 * g;
    return d2 > SAME * (q + q_i) ? d2 : 0;
}

static inline double gaussian(double q, double q_i, double g, double gamma)
{
    return exp_of_nonpositive(-gamma * distance_sq(q, q_i, g));
}

static inline double laplace(double q, double q_i, double g, double inverse)
{
    return exp_of_nonpositive(-inverse * sqrt(distance_sq(q, q_i, g)));
}

/* k / d, and 0 at d = 0, where the kernel has no gradient (its symmetric difference is 0). */
static inline double laplace_slope(double q, double q_i, double g, double inverse)
{
    const double d = sqrt(distance_sq(q, q_i, g)), k = exp_of_nonpositive(-inverse * d);
    return d > 0 ? k / (d > 0 ? d : 1) : 0;
}

/* u and v of each point: sums of table entries, or products of exp tables (with 1 / b[x,y], which belongs to the
 * point). */
void gk_rfm_panel_place(const gk_rfm_tables *t, gk_rfm_panel *w, const int32_t *cells, int count)
{
    const size_t p = (size_t)t->p, px = (size_t)t->px;
    w->count = count;
    if (count < GK_PANEL) {
        memset(w->u, 0, px * GK_PANEL * sizeof *w->u);
        memset(w->v, 0, p * GK_PANEL * sizeof *w->v);
        memset(w->q, 0, GK_PANEL * sizeof *w->q);
    }
    for (size_t j = 0; j < (size_t)count; j++) {
        const size_t x = (size_t)cells[j] / p, y = (size_t)cells[j] % p;
        const double *a = t->a + x * px, *b = t->b + x * p, *bt = t->bt + y * px, *c = t->c + y * p;
        double *u = w->u + j, *v = w->v + j;
        w->q[j] = t->q[x * p + y];
        if (t->factored) {
            const double own = 1 / b[y];
            for (size_t i = 0; i < px; i++) u[i * GK_PANEL] = a[i] * (bt[i] * own);
            for (size_t i = 0; i < p; i++) v[i * GK_PANEL] = c[i] * b[i];
        } else {
            for (size_t i = 0; i < px; i++) u[i * GK_PANEL] = a[i] + bt[i];
            for (size_t i = 0; i < p; i++) v[i * GK_PANEL] = b[i] + c[i];
        }
    }
}

/* name(): out [count,PANEL], each entry from u and v of the panel's point at the other point's coordinates, and from
 * what the two points have of their own: q, and q_i and h_i. */
#define DEFINE_BLOCK(name, entry)                                                                                      \
    GK_HOT static void name(const gk_rfm_panel *w, const gk_rfm_points *at, int first, int count, double scale,        \
                            double *out)                                                                               \
    {                                                                                                                  \
        for (int i = first; i < first + count; i++) {                                                                  \
            const double *u_i = w->u + (size_t)at->x[i] * GK_PANEL, *v_i = w->v + (size_t)at->y[i] * GK_PANEL;         \
            const double h_i = at->h[i], q_i = at->q[i];                                                               \
            double *line = out + (size_t)(i - first) * GK_PANEL;                                                       \
            _Pragma("omp simd") for (int j = 0; j < GK_PANEL; j++)                                                     \
            {                                                                                                          \
                const double u = u_i[j], v = v_i[j], q = w->q[j];                                                      \
                line[j] = (entry);                                                                                     \
                (void)h_i, (void)q_i, (void)q, (void)scale;                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }
DEFINE_BLOCK(quadratic_block, (u + v) * (u + v))
DEFINE_BLOCK(general_block, (u + v) * (u + v) + (q - 1) / 2 * (q_i - 1))
DEFINE_BLOCK(twice_block, 2 * (u + v))
DEFINE_BLOCK(product_block, u *(v *h_i))
DEFINE_BLOCK(gaussian_block, gaussian(q, q_i, u + v, scale))
DEFINE_BLOCK(laplace_block, laplace(q, q_i, u + v, scale))
DEFINE_BLOCK(laplace_slope_block, laplace_slope(q, q_i, u + v, scale))

/* Lanes without a point. */
static void clear_rest(const gk_rfm_panel *w, int count, double *out)
{
    for (int i = 0; w->count < GK_PANEL && i < count; i++) {
        for (int j = w->count; j < GK_PANEL; j++) out[i * GK_PANEL + j] = 0;
    }
}

void gk_rfm_kernel_values(const gk_rfm_tables *t, const gk_rfm_panel *w, const gk_rfm_points *at, int first, int count,
                          double *out)
{
    const double inverse = 1 / t->bandwidth;
    switch (t->kernel) {
    case GK_RFM_QUADRATIC:
        quadratic_block(w, at, first, count, 1, out);
        break;
    case GK_RFM_GENERAL:
        general_block(w, at, first, count, 1, out);
        break;
    case GK_RFM_GAUSSIAN:
        if (t->factored)
            product_block(w, at, first, count, 1, out);
        else
            gaussian_block(w, at, first, count, inverse * inverse / 2, out);
        break;
    case GK_RFM_LAPLACE:
        laplace_block(w, at, first, count, inverse, out);
        break;
    }
    clear_rest(w, count, out);
}

void gk_rfm_kernel_slopes(const gk_rfm_tables *t, const gk_rfm_panel *w, const gk_rfm_points *at, int first, int count,
                          double *out)
{
    if (t->kernel == GK_RFM_GAUSSIAN) {
        gk_rfm_kernel_values(t, w, at, first, count, out);
        return;
    }
    if (t->kernel == GK_RFM_LAPLACE)
        laplace_slope_block(w, at, first, count, 1 / t->bandwidth, out);
    else
        twice_block(w, at, first, count, 1, out);
    clear_rest(w, count, out);
}
