/* grid_moments_real.h: the body of grid_moments.c for one number type: REAL, MOMENTS, DESK, PRODUCT and NAME(x) are set
 * by the includer. */

void NAME(gk_grid_moments_layout)(MOMENTS *f, int p, int slots, gk_pool *pool)
{
    const size_t size = (size_t)p * (size_t)gk_grid_stride(p);
    f->p = p;
    f->stride = gk_grid_stride(p);
    f->slots = slots;
    f->q = gk_pool_take(pool, 4 * size, sizeof(REAL));
    f->sums = gk_pool_take(pool, 3 * (size_t)slots * size, sizeof(REAL));
}

void NAME(gk_grid_moments_start)(MOMENTS *f, const double *q)
{
    const size_t p = (size_t)f->p, stride = (size_t)f->stride, size = p * stride;
    memset(f->sums, 0, 3 * (size_t)f->slots * size * sizeof *f->sums);
    for (size_t i = 0; i < 2 * p; i++) {
        REAL *left = f->q + (i < p ? i * stride : 2 * size + (i - p) * stride);
        for (size_t j = 0; j < p; j++) left[j] = (REAL)q[i * 2 * p + j];
        for (size_t j = 0; j < p; j++) left[size + j] = (REAL)q[i * 2 * p + p + j];
    }
}

static void NAME(transpose)(int p, const REAL *in, REAL *out)
{
    enum { TILE = 16 };
    const size_t stride = (size_t)gk_grid_stride(p);
    for (int i0 = 0; i0 < p; i0 += TILE) {
        for (int j0 = 0; j0 < p; j0 += TILE) {
            for (int i = i0; i < i0 + TILE && i < p; i++) {
                for (int j = j0; j < j0 + TILE && j < p; j++) out[(size_t)i * stride + (size_t)j] = in[(size_t)j * stride + (size_t)i];
            }
        }
    }
}

/* product = scale product + diag(v) q */
GK_HOT static void NAME(add_scaled_rows)(int p, REAL *product, REAL scale, const REAL *v, const REAL *q)
{
    const size_t stride = (size_t)gk_grid_stride(p);
    const int width = gk_grid_width(p);
    for (int i = 0; i < p; i++) {
        REAL *to = product + (size_t)i * stride;
        const REAL *from = q + (size_t)i * stride, factor = v[i];
#pragma omp simd
        for (int j = 0; j < width; j++) to[j] = scale * to[j] + factor * from[j];
    }
}

/* sum += product diag(v) */
GK_HOT static void NAME(add_scaled_columns)(int p, REAL *sum, const REAL *product, const REAL *v)
{
    const size_t stride = (size_t)gk_grid_stride(p);
    for (int i = 0; i < p; i++) {
        REAL *to = sum + (size_t)i * stride;
        const REAL *from = product + (size_t)i * stride;
#pragma omp simd
        for (int j = 0; j < p; j++) to[j] += from[j] * v[j];
    }
}

void NAME(gk_grid_moments_add)(const MOMENTS *f, DESK *d, const REAL *w, REAL *transposed, int slot)
{
    const int p = f->p, stride = f->stride, width = gk_grid_width(p);
    const size_t size = (size_t)p * (size_t)stride;
    const REAL *q11 = f->q, *q12 = q11 + size, *q21 = q12 + size, *q22 = q21 + size, *r = d->sums, *s = d->sums + p;
    REAL *s11 = f->sums + 3 * (size_t)slot * size, *s21 = s11 + size, *s22 = s21 + size, *t = d->t;
    NAME(gk_grid_sums)(p, w, d);
    NAME(transpose)(p, w, transposed);
    PRODUCT(false, p, width, p, w, stride, q22, stride, false, t, stride);
    NAME(add_scaled_rows)(p, t, (REAL)0.5, r, q12);
    PRODUCT(false, p, width, p, t, stride, transposed, stride, true, s11, stride); /* (W Q22 / 2 + diag(r) Q12) W' */
    PRODUCT(false, p, width, p, transposed, stride, q11, stride, false, t, stride);
    NAME(add_scaled_columns)(p, s21, t, r); /* W'Q11 diag(r) */
    NAME(add_scaled_rows)(p, t, (REAL)0.5, s, q21);
    PRODUCT(false, p, width, p, t, stride, w, stride, true, s22, stride); /* (W'Q11 / 2 + diag(s) Q21) W */
    PRODUCT(false, p, width, p, transposed, stride, q12, stride, false, t, stride);
    NAME(add_scaled_rows)(p, t, 1, s, q22);
    PRODUCT(false, p, width, p, t, stride, transposed, stride, true, s21, stride); /* (W'Q12 + diag(s) Q22) W' */
}

void NAME(gk_grid_moments_end)(const MOMENTS *f, double *out)
{
    const size_t p = (size_t)f->p, stride = (size_t)f->stride, size = p * stride, d = 2 * p;
    memset(out, 0, d * d * sizeof *out);
    for (size_t slot = 0; slot < (size_t)f->slots; slot++) {
        const REAL *s11 = f->sums + 3 * slot * size, *s21 = s11 + size, *s22 = s21 + size;
        for (size_t i = 0; i < p; i++) {
            for (size_t j = 0; j < p; j++) {
                out[i * d + j] += (double)s11[i * stride + j];
                out[(p + i) * d + j] += (double)s21[i * stride + j];
                out[(p + i) * d + p + j] += (double)s22[i * stride + j];
            }
        }
    }
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++) out[i * d + p + j] = out[(p + j) * d + i];
        for (size_t j = 0; j <= i; j++) {
            double *x = out + i * d + j, *y = out + (p + i) * d + p + j;
            *x = out[j * d + i] = *x + out[j * d + i];
            *y = out[(p + j) * d + p + i] = *y + out[(p + j) * d + p + i];
        }
    }
}
