/* product_real.h: the body of product.c for one number type: REAL, LANES, VECTOR, MASK, V(op), NAME(x) and GEMM are set
 * by the includer. A panel is VECTORS * LANES columns wide, the last one as many vectors as it needs, padded with
 * zeros; without AVX-512 B is kept as it is. */

size_t NAME(gk_product_size)(int k, int n)
{
    return (size_t)k * (((size_t)n + LANES - 1) / LANES * LANES);
}

void NAME(gk_product_pack)(int k, int n, const REAL *b, int first, int last, REAL *packed)
{
    const size_t row = (size_t)n, width = VECTORS * LANES;
    if (!have_avx512()) {
        memcpy(packed + (size_t)first * row, b + (size_t)first * row, (size_t)(last - first) * row * sizeof *packed);
        return;
    }
    for (size_t from = 0; from < row; from += width) {
        const size_t some = row - from < width ? row - from : width, padded = (some + LANES - 1) / LANES * LANES;
        for (size_t i = (size_t)first; i < (size_t)last; i++) {
            REAL *to = packed + from * (size_t)k + i * padded;
            memcpy(to, b + i * row + from, some * sizeof *to);
            memset(to + some, 0, (padded - some) * sizeof *to);
        }
    }
}

/* C [rows,columns] (+)= A [rows,depth] times a panel of `vectors` vectors, its rows ldb apart. A[r,i] lies at r * row +
 * i * step, so that a transposed A is read where it lies, too. rows and vectors are constants at each call, so that all
 * loops unroll and the sums stay in registers. */
AVX512 static inline __attribute__((always_inline)) void NAME(tile)(int rows, int vectors, int depth, const REAL *a,
                                                                    size_t row, size_t step, const REAL *b, size_t ldb,
                                                                    REAL *c, size_t ldc, int columns, bool add)
{
    VECTOR sum[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) sum[r][v] = V(setzero)();
    }
    for (int i = 0; i < depth; i++) {
        VECTOR line[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) line[v] = v < vectors ? V(load)(b + (size_t)i * ldb + v * LANES) : V(setzero)();
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            if (r >= rows) continue;
            const VECTOR x = V(set1)(a[(size_t)r * row + (size_t)i * step]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                if (v < vectors) sum[r][v] = V(fmadd)(x, line[v], sum[r][v]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        if (r >= rows) continue;
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            const int left = columns - v * LANES;
            if (left <= 0) continue;
            REAL *to = c + (size_t)r * ldc + (size_t)(v * LANES);
            const MASK mask = left >= LANES ? (MASK)-1 : (MASK)((1U << left) - 1);
            V(mask_storeu)(to, mask, add ? V(add)(V(maskz_loadu)(mask, to), sum[r][v]) : sum[r][v]);
        }
    }
}

#define TILE(rows, vectors)                                                                                            \
    case 8 * (rows) + (vectors):                                                                                       \
        NAME(tile)(rows, vectors, depth, from, row, step, b, ldb, c, ldc, columns, add);                               \
        break

/* One panel against all m rows of A. */
AVX512 static void NAME(panel_product)(int m, int depth, const REAL *a, size_t row, size_t step, const REAL *b,
                                       size_t ldb, int columns, REAL *c, size_t ldc, bool add)
{
    const int vectors = (columns + LANES - 1) / LANES;
    for (int at = 0; at < m;) {
        const int rows = m - at >= ROWS ? ROWS : m - at >= SOME_ROWS ? SOME_ROWS : 1;
        const REAL *from = a + (size_t)at * row;
        switch (8 * rows + vectors) {
            TILE(ROWS, 4);
            TILE(ROWS, 3);
            TILE(ROWS, 2);
            TILE(ROWS, 1);
            TILE(SOME_ROWS, 4);
            TILE(SOME_ROWS, 3);
            TILE(SOME_ROWS, 2);
            TILE(SOME_ROWS, 1);
            TILE(1, 4);
            TILE(1, 3);
            TILE(1, 2);
            TILE(1, 1);
        }
        at += rows;
        c += (size_t)rows * ldc;
    }
}
#undef TILE

void NAME(gk_product)(int m, int n, int k, const REAL *a, int lda, const REAL *packed, REAL *c, int ldc)
{
    const int width = VECTORS * LANES;
    if (!have_avx512()) {
        GEMM(false, false, m, n, k, 1, a, lda, packed, n, 0, c, ldc);
        return;
    }
    for (int from = 0; from < k; from += DEPTH) {
        const int depth = k - from < DEPTH ? k - from : DEPTH;
        for (int first = 0; first < n; first += width) {
            const int columns = n - first < width ? n - first : width, padded = (columns + LANES - 1) / LANES * LANES;
            NAME(panel_product)
            (m, depth, a + from, (size_t)lda, 1, packed + (size_t)first * (size_t)k + (size_t)from * (size_t)padded,
             (size_t)padded, columns, c + first, (size_t)ldc, from > 0);
        }
    }
}

void NAME(gk_product_grid)(bool ta, int m, int n, int k, const REAL *a, int lda, const REAL *b, int ldb, bool add,
                           REAL *c, int ldc)
{
    const int width = VECTORS * LANES;
    if (!have_avx512()) {
        GEMM(ta, false, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);
        return;
    }
    for (int first = 0; first < n; first += width) {
        const int columns = n - first < width ? n - first : width;
        NAME(panel_product)
        (m, k, a, ta ? 1 : (size_t)lda, ta ? (size_t)lda : 1, b + first, (size_t)ldb, columns, c + first, (size_t)ldc,
         add);
    }
}
