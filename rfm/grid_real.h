/* grid_real.h: the body of grid.c for one number type: REAL, GRID, DESK, PRODUCT and NAME(x) are set by the includer.
 * Loops over a row run to its width, the padding included, which is 0 in everything that is multiplied. */

void NAME(gk_grid_layout)(GRID *g, int p, bool general, gk_pool *pool)
{
    const size_t row = (size_t)p, stride = (size_t)gk_grid_stride(p);
    g->p = p;
    g->stride = (int)stride;
    g->m = gk_pool_take(pool, 4 * row * row, sizeof(REAL));
    g->right = gk_pool_take(pool, 2 * row * stride, sizeof(REAL));
    g->squares = gk_pool_take(pool, 4 * row * stride, sizeof(REAL));
    g->mask = gk_pool_take(pool, row * stride, sizeof(REAL));
    g->excess = general ? gk_pool_take(pool, row * stride, sizeof(REAL)) : NULL;
}

void NAME(gk_grid_desk)(DESK *d, int p, gk_pool *pool)
{
    const size_t row = (size_t)p, stride = (size_t)gk_grid_stride(p);
    d->t = gk_pool_take(pool, 2 * row * stride, sizeof(REAL));
    d->u = gk_pool_take(pool, row * stride, sizeof(REAL));
    d->sums = gk_pool_take(pool, 2 * stride, sizeof(REAL));
    d->columns = gk_pool_take(pool, stride, sizeof(REAL));
    d->added = gk_pool_take(pool, 3 * stride, sizeof(REAL)); /* read from p on in whole vectors */
}

void NAME(gk_grid_prepare)(GRID *g, const double *metric, double unit)
{
    const size_t p = (size_t)g->p, stride = (size_t)g->stride;
    for (size_t i = 0; i < 2 * p; i++) {
        for (size_t j = 0; j < 2 * p; j++) {
            const double entry = metric[i * 2 * p + j] / unit;
            g->m[i * 2 * p + j] = (REAL)entry;
            g->squares[i * 2 * stride + j] = (REAL)(entry * entry);
            if (j >= p) g->right[i * stride + j - p] = (REAL)entry;
        }
    }
    if (!g->excess) return;
    const double *a = metric, *b = metric + p, *c = metric + 2 * p * p + p; /* blocks with row length 2p */
    for (size_t x = 0; x < p; x++) {
        for (size_t y = 0; y < p; y++) {
            const double q = a[x * 2 * p + x] + 2 * b[x * 2 * p + y] + c[y * 2 * p + y];
            g->excess[x * stride + y] = (REAL)((q - 1) / unit);
        }
    }
}

GK_HOT static void NAME(add_up)(int p, const REAL *w, REAL *r, REAL *s)
{
    const size_t stride = (size_t)gk_grid_stride(p);
    const int width = gk_grid_width(p);
    for (int y = 0; y < width; y++) s[y] = 0;
    for (int x = 0; x < p; x++) {
        const REAL *row = w + (size_t)x * stride;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int y = 0; y < width; y++) {
            sum += row[y];
            s[y] += row[y];
        }
        r[x] = sum;
    }
}

void NAME(gk_grid_sums)(int p, const REAL *w, DESK *d)
{
    NAME(add_up)(p, w, d->sums, d->columns);
    memcpy(d->sums + p, d->columns, (size_t)p * sizeof *d->sums);
}

/* Its rows, times v's numbers, are added up, so that nothing need be summed across a vector register. */
GK_HOT void NAME(gk_grid_matvec)(const REAL *m, int ldm, int n, const REAL *v, REAL *out)
{
    enum { WIDTH = 128 };
    const int width = gk_grid_width(n);
    for (int first = 0; first < width; first += WIDTH) {
        REAL sum[WIDTH] = {0};
        if (width - first >= WIDTH) {
            for (int j = 0; j < n; j++) {
                const REAL *row = m + (size_t)j * (size_t)ldm + first, x = v[j];
#pragma omp simd
                for (int i = 0; i < WIDTH; i++) sum[i] += x * row[i];
            }
            memcpy(out + first, sum, sizeof sum);
            continue;
        }
        for (int j = 0; j < n; j++) {
            const REAL *row = m + (size_t)j * (size_t)ldm + first, x = v[j];
#pragma omp simd
            for (int i = 0; i < width - first; i++) sum[i] += x * row[i];
        }
        memcpy(out + first, sum, (size_t)(width - first) * sizeof *sum);
    }
}

/* out[x] += 2 sum_y u[x,y] b[x,y] */
GK_HOT static void NAME(add_row_products)(int p, const REAL *u, const REAL *b, REAL *out)
{
    const size_t stride = (size_t)gk_grid_stride(p);
    const int width = gk_grid_width(p);
    for (int x = 0; x < p; x++) {
        const REAL *row = u + (size_t)x * stride, *other = b + (size_t)x * stride;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int y = 0; y < width; y++) sum += row[y] * other[y];
        out[x] += 2 * sum;
    }
}

/* From t = [W C ; W'B] to F2' = [W C + diag(r) B ; W'B + diag(s) C]; out[y] += 2 colsum((W'B) o C) on the way. */
GK_HOT static void NAME(complete_second)(const GRID *g, const REAL *sums, REAL *t, REAL *out)
{
    const int p = g->p, width = gk_grid_width(p);
    for (int x = 0; x < 2 * p; x++) {
        const REAL *row = g->right + (size_t)x * (size_t)g->stride;
        REAL *to = t + (size_t)x * (size_t)g->stride;
        const REAL sum = sums[x];
        if (x >= p) {
#pragma omp simd
            for (int y = 0; y < width; y++) out[y] += 2 * to[y] * row[y];
        }
#pragma omp simd
        for (int y = 0; y < width; y++) to[y] += sum * row[y];
    }
}

/* out = 2 out + of_x + of_y */
GK_HOT static void NAME(add_vectors)(int p, const REAL *of_x, const REAL *of_y, REAL *out)
{
    const int width = gk_grid_width(p);
    for (int x = 0; x < p; x++) {
        REAL *row = out + (size_t)x * (size_t)gk_grid_stride(p);
        const REAL a = of_x[x];
#pragma omp simd
        for (int y = 0; y < width; y++) row[y] = 2 * row[y] + (a + of_y[y]);
    }
}

GK_HOT static REAL NAME(inner)(size_t n, const REAL *a, const REAL *b)
{
    REAL sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

void NAME(gk_grid_apply)(const GRID *g, DESK *d, const REAL *w, REAL *out)
{
    const int p = g->p, stride = g->stride, width = gk_grid_width(p);
    const size_t row = (size_t)p, size = row * (size_t)stride;
    REAL *of_x = d->added, *of_y = d->added + p;
    NAME(gk_grid_sums)(p, w, d);
    NAME(gk_grid_matvec)(g->squares, 2 * stride, 2 * p, d->sums, d->added);
    PRODUCT(false, p, width, p, w, stride, g->right + size, stride, false, d->t, stride);      /* W C */
    PRODUCT(true, p, width, p, w, stride, g->right, stride, false, d->t + size, stride);       /* W'B */
    NAME(complete_second)(g, d->sums, d->t, of_y);
    PRODUCT(false, p, width, p, g->m, 2 * p, w, stride, false, d->u, stride);                  /* A W */
    NAME(add_row_products)(p, d->u, g->right, of_x);
    PRODUCT(false, p, width, 2 * p, g->m, 2 * p, d->t, stride, false, out, stride);            /* [A | B] F2' */
    NAME(add_vectors)(p, of_x, of_y, out);
    if (g->excess) { /* rank one: (q - 1)/2 sum (q' - 1) W */
        const REAL half = NAME(inner)(size, g->excess, w) / 2;
        for (size_t i = 0; i < size; i++) out[i] += half * g->excess[i];
    }
}
