/* product_real.h: the body of product.c for one number type: REAL, LANES, VECTOR, MASK, V(op), NAME(x) and GEMM are set
 * by the includer. A panel is VECTORS * LANES columns wide, the last one as many vectors as it needs. */

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
        if (step == 1 && i % LANES == 0) { /* rows far apart are no stream that the hardware sees */
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) {
                if (r < rows) _mm_prefetch((const char *)(a + (size_t)(r + ROWS) * row + (size_t)i), _MM_HINT_T0);
            }
        }
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
        NAME(tile)(rows, vectors, depth, a, row, step, b, ldb, c, ldc, columns, add);                                  \
        break

/* `rows` rows of A against one panel. */
AVX512 static void NAME(tile_of)(int rows, int depth, const REAL *a, size_t row, size_t step, const REAL *b, size_t ldb,
                                 REAL *c, size_t ldc, int columns, bool add)
{
    switch (8 * rows + (columns + LANES - 1) / LANES) {
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
}
#undef TILE

/* C [m,n] (+)= A [m,k] B, B's rows ldb apart. A stretch of a panel, DEPTH rows, stays in the first cache while BLOCK rows of A pass; A comes from
 * further away, and of it the BLOCK rows by DEPTH columns stay in the second while the panels pass. */
AVX512 static void NAME(multiply)(bool ta, int m, int n, int k, const REAL *a, size_t lda, const REAL *b, size_t ldb,
                                  bool add, REAL *c, size_t ldc)
{
    enum { WIDTH = VECTORS * LANES };
    const size_t row = ta ? 1 : lda, step = ta ? lda : 1;
    for (int block = 0; block < m; block += BLOCK) {
        const int end = m - block < BLOCK ? m : block + BLOCK;
        for (int from = 0; from < k; from += DEPTH) {
            const int depth = k - from < DEPTH ? k - from : DEPTH;
            for (int first = 0; first < n; first += WIDTH) {
                const int columns = n - first < WIDTH ? n - first : WIDTH;
                const REAL *panel = b + (size_t)from * ldb + first;
                for (int at = block, rows; at < end; at += rows) {
                    rows = end - at >= ROWS ? ROWS : end - at >= SOME_ROWS ? SOME_ROWS : 1;
                    NAME(tile_of)
                    (rows, depth, a + (size_t)at * row + (size_t)from * step, row, step, panel, ldb,
                     c + (size_t)at * ldc + first, ldc, columns, add || from > 0);
                }
            }
        }
    }
}

void NAME(gk_product_grid)(bool ta, int m, int n, int k, const REAL *a, int lda, const REAL *b, int ldb, bool add,
                           REAL *c, int ldc)
{
    if (have_avx512())
        NAME(multiply)(ta, m, n, k, a, (size_t)lda, b, (size_t)ldb, add, c, (size_t)ldc);
    else
        GEMM(ta, false, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);
}
