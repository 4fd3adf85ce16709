/* tile.c: the register tile. The bounds are constants and the loops unrolled, so that the sums live in registers: with
 * bounds that are parameters gcc keeps them on the stack at less than half the speed. */
#include "tile.h"

/* c [ROWS, VECS * VEC] = or += A [ROWS, k] B [k, VECS * VEC] */
#define DEFINE_TILE(ROWS, VECS)                                                                                        \
    static void tile_##ROWS##_##VECS(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int k, bool add)               \
    {                                                                                                                  \
        vec sum[ROWS][VECS];                                                                                           \
        _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++) _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) \
            sum[r][j] = add ? vec_load(c + r * ldc + j * VEC) : (vec){0};                                              \
        const real *from = a.a, *with = b.b;                                                                           \
        for (int s = 0; s < k; s++, with += b.step, from += a.step) {                                                  \
            vec right[VECS];                                                                                           \
            _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) right[j] = vec_load(with + j * VEC);                \
            _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++)                                                    \
            {                                                                                                          \
                const vec left = vec_of(from[r * a.row]);                                                              \
                _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) sum[r][j] += left * right[j];                   \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++) _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) \
            vec_store(c + r * ldc + j * VEC, sum[r][j]);                                                               \
    }

typedef void tile_fn(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int k, bool add);

/* All m rows: whole tiles, then the rest by the tile of so many rows. */
static inline void rows(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, bool add, int most,
                        tile_fn *const tiles[])
{
    for (; m >= most; m -= most, c += most * ldc, a.a += most * a.row) tiles[most](c, ldc, a, b, k, add);
    if (m > 0) tiles[m](c, ldc, a, b, k, add);
}

#if TILE_VECS == 4
DEFINE_TILE(1, 4)
DEFINE_TILE(2, 4)
DEFINE_TILE(3, 4)
DEFINE_TILE(4, 4)
DEFINE_TILE(5, 4)
DEFINE_TILE(6, 4)
static tile_fn *const broad[] = {NULL, tile_1_4, tile_2_4, tile_3_4, tile_4_4, tile_5_4, tile_6_4};
#endif

DEFINE_TILE(1, 2)
DEFINE_TILE(2, 2)
DEFINE_TILE(3, 2)
DEFINE_TILE(4, 2)
DEFINE_TILE(5, 2)
DEFINE_TILE(6, 2)
#if TILE_VECS == 4 /* there are registers for twice the rows */
DEFINE_TILE(7, 2)
DEFINE_TILE(8, 2)
DEFINE_TILE(9, 2)
DEFINE_TILE(10, 2)
DEFINE_TILE(11, 2)
DEFINE_TILE(12, 2)
static tile_fn *const two[] = {NULL,     tile_1_2, tile_2_2, tile_3_2,  tile_4_2,  tile_5_2, tile_6_2,
                               tile_7_2, tile_8_2, tile_9_2, tile_10_2, tile_11_2, tile_12_2};
#else
static tile_fn *const broad[] = {NULL, tile_1_2, tile_2_2, tile_3_2, tile_4_2, tile_5_2, tile_6_2};
#endif

DEFINE_TILE(1, 1)
DEFINE_TILE(2, 1)
DEFINE_TILE(3, 1)
DEFINE_TILE(4, 1)
DEFINE_TILE(5, 1)
DEFINE_TILE(6, 1)
DEFINE_TILE(7, 1)
DEFINE_TILE(8, 1)
static tile_fn *const one[] = {NULL, tile_1_1, tile_2_1, tile_3_1, tile_4_1, tile_5_1, tile_6_1, tile_7_1, tile_8_1};

void tile_panel(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, bool add)
{
    rows(c, ldc, a, b, m, k, add, TILE_ROWS, broad);
}

void tile_panels(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, int from, int to, bool add)
{
    for (int j = from; j < to; j++) tile_panel(c + j * PANEL, ldc, a, (tile_right){b.b + j * PANEL, b.step}, m, k, add);
}

void tile_columns(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, int columns, bool add)
{
    for (; columns >= PANEL; columns -= PANEL, c += PANEL, b.b += PANEL) tile_panel(c, ldc, a, b, m, k, add);
#if TILE_VECS == 4
    for (; columns >= 2 * VEC; columns -= 2 * VEC, c += 2 * VEC, b.b += 2 * VEC) rows(c, ldc, a, b, m, k, add, 12, two);
#endif
    for (; columns > 0; columns -= VEC, c += VEC, b.b += VEC) rows(c, ldc, a, b, m, k, add, 8, one);
}
