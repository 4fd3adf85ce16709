/* kernel.c: rows of the kernel matrix from tables. For a fixed point (x, y) the metric product with (x', y') is
 * u[x'] + v[y'], u[x'] = A[x,x'] + B[x',y] and v[y'] = B[x,y'] + C[y,y']: two p-vectors, then one sum an entry. For the
 * Gaussian the sum becomes a product of entries of exp tables, so that no entry needs an exponential. */
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
        for (size_t y = 0; y < p; y++)
            t->b[i * p + y] = t->bt[y * px + i] = row[p + y] + (second ? last[p + y] : 0);
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

/* u and v of a point: sums of table entries, or products of exp tables (with 1 / b[x,y], which belongs to the point).
 */
static void row_tables(const gk_rfm_tables *t, int x, int y, double *u, double *v)
{
    const size_t p = (size_t)t->p, px = (size_t)t->px, ix = (size_t)x, iy = (size_t)y;
    const double *a = t->a + ix * px, *b = t->b + ix * p, *bt = t->bt + iy * px, *c = t->c + iy * p;
    if (t->factored) {
        const double own = 1 / b[iy];
        for (size_t i = 0; i < px; i++) u[i] = a[i] * (bt[i] * own);
        for (size_t i = 0; i < p; i++) v[i] = c[i] * b[i];
        return;
    }
    for (size_t i = 0; i < px; i++) u[i] = a[i] + bt[i];
    for (size_t i = 0; i < p; i++) v[i] = b[i] + c[i];
}

bool gk_rfm_kernel_factors(const gk_rfm_tables *t, int x, int y, double *u, double *v)
{
    if (t->kernel != GK_RFM_GAUSSIAN || !t->factored) return false;
    row_tables(t, x, y, u, v);
    return true;
}

GK_HOT static void quadratic_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                                 double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const double g = u[x[i]] + v[y[i]];
        out[i] = g * g;
    }
}

GK_HOT static void general_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                               const double *q, double half, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const double g = u[x[i]] + v[y[i]];
        out[i] = g * g + half * (q[i] - 1);
    }
}

GK_HOT static void product_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                               const double *h, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = u[x[i]] * (v[y[i]] * h[i]);
}

GK_HOT static void gaussian_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                                const double *q, double own, double gamma, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = exp_of_nonpositive(-gamma * distance_sq(own, q[i], u[x[i]] + v[y[i]]));
}

GK_HOT static void laplace_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                               const double *q, double own, double inverse, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        out[i] = exp_of_nonpositive(-inverse * sqrt(distance_sq(own, q[i], u[x[i]] + v[y[i]])));
    }
}

/* k / d, and 0 at d = 0, where the kernel has no gradient (its symmetric difference is 0). */
GK_HOT static void laplace_slope_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v,
                                     const double *q, double own, double inverse, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const double d = sqrt(distance_sq(own, q[i], u[x[i]] + v[y[i]]));
        const double k = exp_of_nonpositive(-inverse * d);
        out[i] = d > 0 ? k / (d > 0 ? d : 1) : 0;
    }
}

GK_HOT static void twice_row(int n, const int32_t *x, const int32_t *y, const double *u, const double *v, double *out)
{
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = 2 * (u[x[i]] + v[y[i]]);
}

static double own_q(const gk_rfm_tables *t, int x, int y)
{
    return t->q[(size_t)x * (size_t)t->p + (size_t)y];
}

void gk_rfm_kernel_values(const gk_rfm_tables *t, int x, int y, const gk_rfm_points *at, int first, int count,
                          double *out)
{
    double u[X_MAX], v[P_MAX];
    row_tables(t, x, y, u, v);
    const int32_t *px = at->x + first, *py = at->y + first;
    const double *q = at->q + first, own = own_q(t, x, y), inverse = 1 / t->bandwidth;
    switch (t->kernel) {
    case GK_RFM_QUADRATIC:
        quadratic_row(count, px, py, u, v, out);
        break;
    case GK_RFM_GENERAL:
        general_row(count, px, py, u, v, q, (own - 1) / 2, out);
        break;
    case GK_RFM_GAUSSIAN:
        if (t->factored)
            product_row(count, px, py, u, v, at->h + first, out);
        else
            gaussian_row(count, px, py, u, v, q, own, inverse * inverse / 2, out);
        break;
    case GK_RFM_LAPLACE:
        laplace_row(count, px, py, u, v, q, own, inverse, out);
        break;
    }
}

void gk_rfm_kernel_slopes(const gk_rfm_tables *t, int x, int y, const gk_rfm_points *at, int first, int count,
                          double *out)
{
    if (t->kernel == GK_RFM_GAUSSIAN) {
        gk_rfm_kernel_values(t, x, y, at, first, count, out);
        return;
    }
    double u[X_MAX], v[P_MAX];
    row_tables(t, x, y, u, v);
    const int32_t *px = at->x + first, *py = at->y + first;
    if (t->kernel == GK_RFM_LAPLACE) {
        laplace_slope_row(count, px, py, u, v, at->q + first, own_q(t, x, y), 1 / t->bandwidth, out);
    } else {
        twice_row(count, px, py, u, v, out);
    }
}
