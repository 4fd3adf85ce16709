/* panel_real.h: the body of panel.c for one number type: REAL, LANES, VECTOR, V(op), NAME(x) and GEMM are set by the
 * includer. B's columns fall into tiles of up to COLUMNS, as equal as can be; B is packed by stretches of
 * GK_PANEL_DEPTH rows, in a stretch by tiles, in a tile by rows. */

/* Tile t of a B of some columns begins here. */
static inline int NAME(begin)(int columns, int tile)
{
    return (int)((int64_t)columns * tile / ((columns + COLUMNS - 1) / COLUMNS));
}

void NAME(gk_panel_pack)(int columns, int depth, const REAL *b, int ldb, REAL *packed)
{
    for (int from = 0; from < depth; from += GK_PANEL_DEPTH) {
        const int end = depth - from < GK_PANEL_DEPTH ? depth : from + GK_PANEL_DEPTH;
        for (int t = 0; NAME(begin)(columns, t) < columns; t++) {
            const int first = NAME(begin)(columns, t), some = NAME(begin)(columns, t + 1) - first;
            for (int i = from; i < end; i++, packed += some) {
                const REAL *row = b + (size_t)i * (size_t)ldb + first;
                for (int c = 0; c < some; c++) packed[c] = row[c];
            }
        }
    }
}

#ifdef HAVE_AVX512
/* c [columns,PANEL] (+)= b' a for VECTORS vectors' width of a panel; columns a constant at each call, so that all loops
 * unroll and the sums stay in registers. What is there already is added at the end: a sum of n terms one by one would
 * lose sqrt(n) roundings of the whole, where a stretch's sum has only its own. The lines from `ahead` on, one a row, are
 * what is needed next. */
AVX512 static inline __attribute__((always_inline)) void NAME(tile)(int columns, int depth, const REAL *a, size_t lda,
                                                                    const REAL *b, const char *ahead, size_t stride,
                                                                    bool add, REAL *c)
{
    VECTOR sum[COLUMNS][VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) {
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) sum[j][v] = V(setzero)();
    }
    for (size_t i = 0; i < (size_t)depth; i++) {
        VECTOR line[VECTORS];
        _mm_prefetch(ahead + i * stride, _MM_HINT_T1);
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) line[v] = V(load)(a + i * lda + v * LANES);
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++) {
            const VECTOR x = V(set1)(b[i * (size_t)columns + (size_t)j]);
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) sum[j][v] = V(fmadd)(x, line[v], sum[j][v]);
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < columns; j++) {
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) {
            REAL *to = c + j * GK_PANEL + v * LANES;
            V(store)(to, add ? V(add)(V(load)(to), sum[j][v]) : sum[j][v]);
        }
    }
}

#define TILE(columns)                                                                                                  \
    case columns:                                                                                                      \
        NAME(tile)(columns, depth, a, lda, b, ahead, stride, add, c);                                                  \
        break
AVX512 static void NAME(tile_of)(int columns, int depth, const REAL *a, size_t lda, const REAL *b, const char *ahead,
                                 size_t stride, bool add, REAL *c)
{
    switch (columns) {
        TILE(1);
        TILE(2);
        TILE(3);
        TILE(4);
        TILE(5);
        TILE(6);
        TILE(7);
        TILE(8);
    }
}
#undef TILE

static void NAME(multiply)(int columns, int depth, const REAL *a, size_t lda, const REAL *b, bool add, REAL *c)
{
    const size_t tiles = (size_t)((columns + COLUMNS - 1) / COLUMNS), stride = lda * sizeof *a / tiles;
    for (int from = 0; from < depth; from += GK_PANEL_DEPTH) {
        const int some = depth - from < GK_PANEL_DEPTH ? depth - from : GK_PANEL_DEPTH;
        for (int lane = 0; lane < GK_PANEL; lane += VECTORS * LANES) {
            const REAL *at = a + (size_t)from * lda + lane, *packed = b + (size_t)from * (size_t)columns;
            const char *ahead = (const char *)(at + (size_t)some * lda);
            for (int t = 0; NAME(begin)(columns, t) < columns; t++, ahead += (size_t)some * stride) {
                const int first = NAME(begin)(columns, t), width = NAME(begin)(columns, t + 1) - first;
                NAME(tile_of)
                (width, some, at, lda, packed, ahead, stride, add || from > 0, c + first * GK_PANEL + lane);
                packed += some * width;
            }
        }
    }
}
#endif

/* Without AVX-512: tile by tile through the BLAS, which takes a tile's rows as they lie. */
static void NAME(multiply_by_blas)(int columns, int depth, const REAL *a, int lda, const REAL *b, bool add, REAL *c)
{
    for (int from = 0; from < depth; from += GK_PANEL_DEPTH) {
        const int some = depth - from < GK_PANEL_DEPTH ? depth - from : GK_PANEL_DEPTH;
        for (int t = 0; NAME(begin)(columns, t) < columns; t++) {
            const int first = NAME(begin)(columns, t), width = NAME(begin)(columns, t + 1) - first;
            GEMM(true, false, width, GK_PANEL, some, 1, b, width, a + (size_t)from * (size_t)lda, lda,
                 add || from > 0 ? 1 : 0, c + first * GK_PANEL, GK_PANEL);
            b += some * width;
        }
    }
}

void NAME(gk_panel_product)(int columns, int depth, const REAL *a, int lda, const REAL *packed, bool add, REAL *c)
{
#ifdef HAVE_AVX512
    if (gk_machine_isa_used() >= GK_ISA_V4) {
        NAME(multiply)(columns, depth, a, (size_t)lda, packed, add, c);
        return;
    }
#endif
    NAME(multiply_by_blas)(columns, depth, a, lda, packed, add, c);
}
