/* grid_real.h: the body of grid.c for one number type: REAL, GEMM and NAME(x) are set by the includer. */

void NAME(gk_grid_layout)(GRID *g, int p, bool general, gk_pool *pool)
{
    const size_t pp = (size_t)p * (size_t)p;
    g->p = p;
    g->m = gk_pool_take(pool, 4 * pp, sizeof(REAL));
    g->squares = gk_pool_take(pool, 4 * pp, sizeof(REAL));
    g->mask = gk_pool_take(pool, pp, sizeof(REAL));
    g->excess = general ? gk_pool_take(pool, pp, sizeof(REAL)) : NULL;
}

void NAME(gk_grid_desk)(DESK *d, int p, bool moments, gk_pool *pool)
{
    const size_t pp = (size_t)p * (size_t)p;
    d->t = gk_pool_take(pool, 2 * pp, sizeof(REAL));
    d->u = gk_pool_take(pool, 2 * pp, sizeof(REAL));
    d->h = moments ? gk_pool_take(pool, 2 * pp, sizeof(REAL)) : NULL;
    d->sums = gk_pool_take(pool, 4 * (size_t)p, sizeof(REAL));
}

void NAME(gk_grid_prepare)(GRID *g, const double *metric, double unit)
{
    const size_t p = (size_t)g->p;
    for (size_t i = 0; i < 4 * p * p; i++) {
        const double entry = metric[i] / unit;
        g->m[i] = (REAL)entry;
        g->squares[i] = (REAL)(entry * entry);
    }
    if (!g->excess) return;
    const double *a = metric, *b = metric + p, *c = metric + 2 * p * p + p; /* blocks with row length 2p */
    for (size_t x = 0; x < p; x++) {
        for (size_t y = 0; y < p; y++) {
            const double q = a[x * 2 * p + x] + 2 * b[x * 2 * p + y] + c[y * 2 * p + y];
            g->excess[x * p + y] = (REAL)((q - 1) / unit);
        }
    }
}

/* r[x] and s[y] of w [p,p]. */
GK_HOT static void NAME(sums)(const REAL *w, int p, REAL *r, REAL *s)
{
    for (int y = 0; y < p; y++) s[y] = 0;
    for (int x = 0; x < p; x++) {
        const REAL *row = w + (size_t)x * (size_t)p;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int y = 0; y < p; y++) {
            sum += row[y];
            s[y] += row[y];
        }
        r[x] = sum;
    }
}

/* out [n] = m [n,n] v for symmetric m: its rows, times v's numbers, are added up, so that nothing need be summed across
 * a vector register. */
GK_HOT static void NAME(matvec)(const REAL *m, int n, const REAL *v, REAL *out)
{
    enum { WIDTH = 128 };
    for (int first = 0; first < n; first += WIDTH) {
        REAL sum[WIDTH] = {0};
        const int some = n - first < WIDTH ? n - first : WIDTH;
        for (int j = 0; j < n; j++) {
            const REAL *row = m + (size_t)j * (size_t)n + first, x = v[j];
#pragma omp simd
            for (int i = 0; i < some; i++) sum[i] += x * row[i];
        }
        for (int i = 0; i < some; i++) out[first + i] = sum[i];
    }
}

/* out[x] += 2 sum_y u[x,y] b[x,y] */
GK_HOT static void NAME(add_row_products)(int p, const REAL *u, int ldu, const REAL *b, int ldb, REAL *out)
{
    for (int x = 0; x < p; x++) {
        const REAL *row = u + (size_t)x * (size_t)ldu, *other = b + (size_t)x * (size_t)ldb;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int y = 0; y < p; y++) sum += row[y] * other[y];
        out[x] += 2 * sum;
    }
}

/* F2' = [W C + diag(r) B ; W'B + diag(s) C]; where `out` is given, out[y] += 2 colsum((W'B) o C) on the way. */
GK_HOT static void NAME(complete_second)(const GRID *g, const REAL *r, REAL *t, REAL *out)
{
    const int p = g->p;
    for (int x = 0; x < 2 * p; x++) {
        const REAL *row = g->m + (size_t)x * 2 * (size_t)p + p; /* B above C */
        REAL *to = t + (size_t)x * (size_t)p;
        const REAL sum = r[x];
        if (out && x >= p) {
#pragma omp simd
            for (int y = 0; y < p; y++) {
                out[y] += 2 * to[y] * row[y];
                to[y] += sum * row[y];
            }
        } else {
#pragma omp simd
            for (int y = 0; y < p; y++) to[y] += sum * row[y];
        }
    }
}

GK_HOT static void NAME(add_vectors)(int p, const REAL *of_x, const REAL *of_y, REAL *out)
{
    for (int x = 0; x < p; x++) {
        REAL *row = out + (size_t)x * (size_t)p;
        const REAL a = of_x[x];
#pragma omp simd
        for (int y = 0; y < p; y++) row[y] += a + of_y[y];
    }
}

GK_HOT static REAL NAME(inner)(size_t n, const REAL *a, const REAL *b)
{
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* T = [W C ; W'B] */
static void NAME(first_products)(const GRID *g, const REAL *w, REAL *t)
{
    const int p = g->p;
    const REAL *b = g->m + p, *c = g->m + 2 * (size_t)p * (size_t)p + p;
    GEMM(false, false, p, p, p, 1, w, p, c, 2 * p, 0, t, p);
    GEMM(true, false, p, p, p, 1, w, p, b, 2 * p, 0, t + (size_t)p * (size_t)p, p);
}

void NAME(gk_grid_apply)(const GRID *g, DESK *d, const REAL *w, REAL *out)
{
    const int p = g->p;
    const size_t pp = (size_t)p * (size_t)p;
    REAL *r = d->sums, *of_x = d->sums + 2 * p, *of_y = of_x + p;
    NAME(sums)(w, p, r, r + p);
    NAME(matvec)(g->squares, 2 * p, r, of_x);
    NAME(first_products)(g, w, d->t);
    NAME(complete_second)(g, r, d->t, of_y);
    GEMM(false, false, p, p, p, 1, g->m, 2 * p, w, p, 0, d->u, p); /* A W */
    NAME(add_row_products)(p, d->u, p, g->m + p, 2 * p, of_x);
    GEMM(false, false, p, p, 2 * p, 2, g->m, 2 * p, d->t, p, 0, out, p); /* [A | B] F2' */
    NAME(add_vectors)(p, of_x, of_y, out);
    if (g->excess) { /* rank one: (q - 1)/2 sum (q' - 1) W */
        const REAL half = NAME(inner)(pp, g->excess, w) / 2;
        for (size_t i = 0; i < pp; i++) out[i] += half * g->excess[i];
    }
}

/* Subtracts from F1 [p,2p] and F2' [2p,p] their means over the training cells, weighted by how many a row or column
 * has: then F1[x] + F2[y] has mean 0 over the cells, and no large part is ever subtracted from the moments. */
static void NAME(center)(int p, int n, const gk_rfm_points *by_x, const gk_rfm_points *by_y, REAL *f1, REAL *f2)
{
    const size_t d = 2 * (size_t)p;
    for (size_t a = 0; a < d; a++) {
        double mean1 = 0, mean2 = 0;
        REAL *row = f2 + a * (size_t)p;
        for (size_t i = 0; i < (size_t)p; i++) {
            mean1 += (double)f1[i * d + a] * (by_x->start[i + 1] - by_x->start[i]);
            mean2 += (double)row[i] * (by_y->start[i + 1] - by_y->start[i]);
        }
        mean1 /= n;
        mean2 /= n;
        for (size_t i = 0; i < (size_t)p; i++) f1[i * d + a] -= (REAL)mean1;
        for (size_t i = 0; i < (size_t)p; i++) row[i] -= (REAL)mean2;
    }
}

/* sum over training cells (x,y) of (F1[x] + F2[y])(F1[x] + F2[y])' = Q + Q' with T the mask, n_x and n_y its sums and
 * Q = F1' (T F2 + diag(n_x)/2 F1) + F2' diag(n_y)/2 F2. */
void NAME(gk_grid_moments)(const GRID *g, DESK *d, const REAL *w, const gk_rfm_points *by_x, const gk_rfm_points *by_y,
                           bool centering, REAL *out)
{
    const int p = g->p;
    const size_t row = (size_t)p, pp = row * row;
    REAL *r = d->sums, *f1 = d->u, *f2 = d->t, *h = d->h;
    NAME(sums)(w, p, r, r + p);
    NAME(first_products)(g, w, f2);
    NAME(complete_second)(g, r, f2, NULL);
    for (size_t x = 0; x < row; x++) {
        for (size_t a = 0; a < 2 * row; a++) f1[x * 2 * row + a] = g->m[x * 2 * row + a] * r[a];
    }
    GEMM(false, true, p, p, p, 1, g->m + p, 2 * p, w, p, 1, f1, 2 * p);  /* + B W' */
    GEMM(false, false, p, p, p, 1, g->m, 2 * p, w, p, 1, f1 + p, 2 * p); /* + A W */
    if (g->excess) {                                                     /* tau z / 2, tau = sum (q - 1) W */
        const REAL half = NAME(inner)(pp, g->excess, w) / 2;
        for (size_t i = 0; i < row; i++) f1[i * 2 * row + i] += half;
        for (size_t i = 0; i < row; i++) f2[(row + i) * row + i] += half;
    }
    if (centering) NAME(center)(p, by_x->n, by_x, by_y, f1, f2);
    GEMM(false, true, p, 2 * p, p, 1, g->mask, p, f2, p, 0, h, 2 * p);
    for (size_t x = 0; x < row; x++) {
        const REAL half = (REAL)(by_x->start[x + 1] - by_x->start[x]) / 2;
        for (size_t a = 0; a < 2 * row; a++) h[x * 2 * row + a] += half * f1[x * 2 * row + a];
    }
    GEMM(true, false, 2 * p, 2 * p, p, 1, f1, 2 * p, h, 2 * p, 0, out, 2 * p);
    for (size_t a = 0; a < 2 * row; a++) { /* h = F2' diag(n_y)/2, [2p,p] */
        for (size_t y = 0; y < row; y++)
            h[a * row + y] = f2[a * row + y] * ((REAL)(by_y->start[y + 1] - by_y->start[y]) / 2);
    }
    GEMM(false, true, 2 * p, 2 * p, p, 1, f2, p, h, p, 1, out, 2 * p);
    for (size_t i = 0; i < 2 * row; i++) { /* w = 2 v: the factor 4 */
        for (size_t j = 0; j <= i; j++) {
            REAL *lower = out + i * 2 * row + j, *upper = out + j * 2 * row + i;
            *lower = *upper = 4 * (*lower + *upper);
        }
    }
}
