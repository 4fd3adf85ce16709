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

/* C [m,n] (+)= A [m,k] B. B's rows are ldb apart or, with ldb 0, packed in panels of `all` rows, of which k from `begin`
 * on are meant. A stretch of a panel, DEPTH rows, stays in the first cache while BLOCK rows of A pass; A comes from
 * further away, and of it the BLOCK rows by DEPTH columns stay in the second while the panels pass. */
AVX512 static void NAME(multiply)(bool ta, int m, int n, int k, const REAL *a, size_t lda, const REAL *b, size_t ldb,
                                  int all, int begin, bool add, REAL *c, size_t ldc)
{
    enum { WIDTH = VECTORS * LANES };
    const size_t row = ta ? 1 : lda, step = ta ? lda : 1;
    for (int block = 0; block < m; block += BLOCK) {
        const int end = m - block < BLOCK ? m : block + BLOCK;
        for (int from = 0; from < k; from += DEPTH) {
            const int depth = k - from < DEPTH ? k - from : DEPTH;
            const size_t line = (size_t)(begin + from);
            for (int first = 0; first < n; first += WIDTH) {
                const int columns = n - first < WIDTH ? n - first : WIDTH;
                const size_t padded = (size_t)((columns + LANES - 1) / LANES * LANES);
                const REAL *panel = ldb ? b + line * ldb + first : b + (size_t)first * (size_t)all + line * padded;
                for (int at = block, rows; at < end; at += rows) {
                    rows = end - at >= ROWS ? ROWS : end - at >= SOME_ROWS ? SOME_ROWS : 1;
                    NAME(tile_of)
                    (rows, depth, a + (size_t)at * row + (size_t)from * step, row, step, panel, ldb ? ldb : padded,
                     c + (size_t)at * ldc + first, ldc, columns, add || from > 0);
                }
            }
        }
    }
}

void NAME(gk_product)(bool ta, int m, int n, int k, const REAL *a, int lda, const REAL *packed, int all, int begin,
                      REAL *c, int ldc)
{
    if (have_avx512())
        NAME(multiply)(ta, m, n, k, a, (size_t)lda, packed, 0, all, begin, false, c, (size_t)ldc);
    else
        GEMM(ta, false, m, n, k, 1, a, lda, packed + (size_t)begin * (size_t)n, n, 0, c, ldc);
}

void NAME(gk_product_grid)(bool ta, int m, int n, int k, const REAL *a, int lda, const REAL *b, int ldb, bool add,
                           REAL *c, int ldc)
{
    if (have_avx512())
        NAME(multiply)(ta, m, n, k, a, (size_t)lda, b, (size_t)ldb, 0, 0, add, c, (size_t)ldc);
    else
        GEMM(ta, false, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);
}
