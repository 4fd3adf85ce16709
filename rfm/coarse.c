/* coarse.c: the preconditioner of the matrix-free solver: a diagonal, and the exact operator on row and column
 * indicators. */
#include "grid.h"

#include <math.h>
#include <string.h>

enum { WORK = 13 }; /* p x p matrices: A B C B' T' T and seven for products */

void gk_coarse_layout(gk_coarse *c, int p, bool closed_form, gk_pool *pool)
{
    const size_t d = 2 * (size_t)p, square = d * d;
    c->p = p;
    c->component = gk_pool_take(pool, d, sizeof *c->component);
    c->null_size = gk_pool_take(pool, d, sizeof *c->null_size);
    if (!closed_form) return;
    c->s = gk_pool_take(pool, square, sizeof *c->s);
    c->inverse = gk_pool_take(pool, square, sizeof *c->inverse);
    c->work = gk_pool_take(pool, WORK * square / 4, sizeof *c->work);
    c->h = gk_pool_take(pool, 2 * d * (size_t)gk_grid_stride(p), sizeof *c->h);
    c->inverse_d = gk_pool_take(pool, (size_t)p * (size_t)gk_grid_stride(p), sizeof *c->inverse_d);
}

static int32_t root_of(const int32_t *parent, int32_t i)
{
    while (parent[i] != i) i = parent[i];
    return i;
}

void gk_coarse_place(gk_coarse *c, const gk_rfm_points *by_x)
{
    const int d = 2 * c->p;
    for (int i = 0; i < d; i++) c->component[i] = i;
    for (int i = 0; i < by_x->n; i++) {
        const int32_t a = root_of(c->component, by_x->x[i]), b = root_of(c->component, c->p + by_x->y[i]);
        c->component[a > b ? a : b] = a > b ? b : a;
    }
    for (int i = 0; i < d; i++) c->component[i] = root_of(c->component, i);
    for (int i = 0; i < d; i++) c->null_size[i] = 0;
    for (int i = 0; i < d; i++) c->null_size[c->component[i]] += 1;
}

static double *work_at(gk_coarse *c, int i)
{
    return c->work + (size_t)i * (size_t)c->p * (size_t)c->p;
}

static void multiply(int p, bool ta, bool tb, const double *a, const double *b, double *out)
{
    gk_gemm(ta, tb, p, p, p, 1, a, p, b, p, 0, out, p);
}

static void squared(int p, const double *a, double *out)
{
    for (size_t i = 0; i < (size_t)p * (size_t)p; i++) out[i] = a[i] * a[i];
}

static void hadamard(int p, const double *a, const double *b, double *out)
{
    for (size_t i = 0; i < (size_t)p * (size_t)p; i++) out[i] = a[i] * b[i];
}

static double count_at(const gk_rfm_points *at, int i)
{
    return at->start[i + 1] - at->start[i];
}

/* The block of Z'KZ of two rows x1, x2 (columns: the same with A and C exchanged, B and T transposed), summed over
 * y1 in T(x1) and y2 in T(x2):
 *   sum g^2 = n1 n2 a^2 + n1 [B2 T'] + n2 [B2 T']' + [T C2 T'] + 2 a (n1 [B T'] + n2 [B T']' + [T C T'])
 *             + 2 [B T'] o [B T']' + 2 ([(B o T C) T'] + its transpose),    B2 = B o B, C2 = C o C. */
static void same_side(int p, const double *a, const double *b, const double *c, const double *t,
                      const gk_rfm_points *at, double *work, double *out, int ldo)
{
    const size_t pp = (size_t)p * (size_t)p;
    double *bt = work, *b2t = work + pp, *tct = work + 2 * pp, *tc2t = work + 3 * pp, *et = work + 4 * pp;
    double *one = work + 5 * pp, *two = work + 6 * pp;
    multiply(p, false, true, b, t, bt);
    multiply(p, false, false, t, c, one);
    multiply(p, false, true, one, t, tct);
    hadamard(p, b, one, two);
    multiply(p, false, true, two, t, et);
    squared(p, b, two);
    multiply(p, false, true, two, t, b2t);
    squared(p, c, two);
    multiply(p, false, false, t, two, one);
    multiply(p, false, true, one, t, tc2t);
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < p; j++) {
            const size_t ij = (size_t)i * (size_t)p + (size_t)j, ji = (size_t)j * (size_t)p + (size_t)i;
            const double ni = count_at(at, i), nj = count_at(at, j);
            out[(size_t)i * (size_t)ldo + (size_t)j] = ni * nj * a[ij] * a[ij] + ni * b2t[ij] + nj * b2t[ji] +
                                                       tc2t[ij] + 2 * a[ij] * (ni * bt[ij] + nj * bt[ji] + tct[ij]) +
                                                       2 * bt[ij] * bt[ji] + 2 * (et[ij] + et[ji]);
        }
    }
}

/* The block of a row x and a column y', summed over y in T(x) and x' in T'(y'), n = count of x, m = count of y':
 *   sum g^2 = n [A2 T] + n m b^2 + [T B2' T] + m [T C2] + 2 b (n [A T] + m [T C] + [T B' T]) + 2 [A T] o [T C]
 *             + 2 [(A o T B') T] + 2 [T (C o B' T)],    bt = B'. */
static void other_side(int p, const double *a, const double *b, const double *bt, const double *c, const double *t,
                       const gk_rfm_points *by_x, const gk_rfm_points *by_y, double *work, double *out, int ldo)
{
    const size_t pp = (size_t)p * (size_t)p;
    double *at = work, *tc = work + pp, *tbt = work + 2 * pp, *one = work + 3 * pp, *two = work + 4 * pp,
           *sum = work + 5 * pp;
    multiply(p, false, false, a, t, at);
    multiply(p, false, false, t, c, tc);
    multiply(p, false, false, t, bt, one); /* T B' */
    multiply(p, false, false, one, t, tbt);
    hadamard(p, a, one, two);
    gk_gemm(false, false, p, p, p, 2, two, p, t, p, 0, sum, p);
    multiply(p, false, false, bt, t, one); /* B' T */
    hadamard(p, c, one, two);
    gk_gemm(false, false, p, p, p, 2, t, p, two, p, 1, sum, p);
    squared(p, bt, one);
    multiply(p, false, false, t, one, two);
    gk_gemm(false, false, p, p, p, 1, two, p, t, p, 1, sum, p);
    squared(p, a, one);
    multiply(p, false, false, one, t, two); /* A2 T, times n below */
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < p; j++) {
            const size_t ij = (size_t)i * (size_t)p + (size_t)j;
            const double n = count_at(by_x, i), m = count_at(by_y, j);
            sum[ij] += n * two[ij] + n * m * b[ij] * b[ij] + 2 * at[ij] * tc[ij] +
                       2 * b[ij] * (n * at[ij] + m * tc[ij] + tbt[ij]);
        }
    }
    squared(p, c, one);
    multiply(p, false, false, t, one, two); /* T C2, times m */
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < p; j++) {
            const size_t ij = (size_t)i * (size_t)p + (size_t)j;
            out[(size_t)i * (size_t)ldo + (size_t)j] = sum[ij] + count_at(by_y, j) * two[ij];
        }
    }
}

/* S = Z'(K + ridge I)Z [2p,2p]. */
static void fill_s(gk_coarse *c, const gk_grid_f64 *g, const gk_rfm_points *by_x, const gk_rfm_points *by_y,
                   double ridge)
{
    const int p = c->p, d = 2 * p;
    const size_t row = (size_t)p, half = row * (size_t)d, stride = (size_t)g->stride;
    double *a = work_at(c, 0), *b = work_at(c, 1), *cc = work_at(c, 2), *bt = work_at(c, 3), *tt = work_at(c, 4);
    double *t = work_at(c, 5), *work = work_at(c, 6);
    gk_block(a, g->m, d, 0, p, 0, p);
    gk_block(b, g->m, d, 0, p, p, d);
    gk_block(bt, g->m, d, p, d, 0, p);
    gk_block(cc, g->m, d, p, d, p, d);
    for (size_t x = 0; x < row; x++) {
        for (size_t y = 0; y < row; y++) t[x * row + y] = tt[y * row + x] = g->mask[x * stride + y];
    }
    same_side(p, a, b, cc, t, by_x, work, c->s, d);
    same_side(p, cc, bt, a, tt, by_y, work, c->s + half + p, d);
    other_side(p, a, b, bt, cc, t, by_x, by_y, work, c->s + p, d);
    if (g->excess) { /* + (Z'(q-1)) (Z'(q-1))' / 2 */
        double *e = work;
        memset(e, 0, 2 * row * sizeof *e);
        for (int i = 0; i < by_x->n; i++) {
            const double excess = g->excess[(size_t)by_x->x[i] * stride + (size_t)by_x->y[i]];
            e[by_x->x[i]] += excess;
            e[p + by_x->y[i]] += excess;
        }
        for (size_t i = 0; i < 2 * row; i++) {
            for (size_t j = 0; j < 2 * row; j++) c->s[i * 2 * row + j] += e[i] * e[j] / 2;
        }
    }
    for (size_t x = 0; x < row; x++) {
        c->s[x * 2 * row + x] += ridge * count_at(by_x, (int)x);
        c->s[half + row + x * 2 * row + x] += ridge * count_at(by_y, (int)x);
        for (size_t y = 0; y < row; y++) {
            c->s[x * 2 * row + row + y] += ridge * g->mask[x * stride + y];
            c->s[(row + y) * 2 * row + x] = c->s[x * 2 * row + row + y];
        }
    }
}

/* The null directions, one a component, +1 on its rows and -1 on its columns, are lifted out of the way, which changes
 * nothing that Z'r can see. */
int gk_coarse_pseudo_inverse(const gk_coarse *c, double *s, double *inverse)
{
    const int d = 2 * c->p;
    const size_t side = (size_t)d;
    const double lift = gk_trace(s, d) / d;
    for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < side; j++) {
            inverse[i * side + j] = i == j;
            if (c->component[i] != c->component[j]) continue;
            const double sign = (i < side / 2) == (j < side / 2) ? 1 : -1;
            s[i * side + j] += sign * lift / c->null_size[c->component[i]];
        }
    }
    int code = gk_cholesky(s, d, 1);
    if (code == GK_OK) gk_cholesky_solve(s, d, inverse, d, 1);
    return code;
}

int gk_coarse_prepare(gk_coarse *c, const gk_grid_f64 *g, const gk_rfm_points *by_x, const gk_rfm_points *by_y,
                      double ridge)
{
    const int p = c->p, d = 2 * p;
    const size_t row = (size_t)p, side = (size_t)d, stride = (size_t)g->stride;
    /* D: halfway between the diagonal of K and its mean, which took the fewest iterations of the three */
    double *diagonal = work_at(c, 0), mean = 0;
    for (size_t x = 0; x < row; x++) {
        for (size_t y = 0; y < row; y++) {
            const size_t at = x * row + y;
            const double q = g->m[x * side + x] + 2 * g->m[x * side + row + y] + g->m[(row + y) * (side + 1)];
            const double e = g->excess ? g->excess[x * stride + y] : 0;
            diagonal[at] = g->mask[x * stride + y] * (q * q + e * e / 2 + ridge);
            mean += diagonal[at] / by_x->n;
        }
    }
    for (size_t x = 0; x < row; x++) {
        for (size_t y = 0; y < row; y++) {
            double *at = diagonal + x * row + y;
            *at = sqrt(*at * mean);
            c->inverse_d[x * stride + y] = *at > 0 ? (float)(1 / *at) : 0;
        }
    }
    memset(c->s, 0, side * side * sizeof *c->s); /* Z'DZ */
    for (size_t x = 0; x < row; x++) {
        for (size_t y = 0; y < row; y++) {
            c->s[x * side + x] += diagonal[x * row + y];
            c->s[(row + y) * side + row + y] += diagonal[x * row + y];
            c->s[x * side + row + y] = c->s[(row + y) * side + x] = diagonal[x * row + y];
        }
    }
    int code = gk_coarse_pseudo_inverse(c, c->s, c->inverse);
    if (code != GK_OK) return code;
    for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < side; j++) c->h[i * 2 * stride + j] = (float)-c->inverse[i * side + j];
    }
    fill_s(c, g, by_x, by_y, ridge);
    code = gk_coarse_pseudo_inverse(c, c->s, c->inverse);
    for (size_t i = 0; code == GK_OK && i < side; i++) {
        for (size_t j = 0; j < side; j++) c->h[i * 2 * stride + j] += (float)c->inverse[i * side + j];
    }
    return code;
}
