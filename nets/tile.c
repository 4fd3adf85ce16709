/* tile.c: the register tile. The bounds are constants and the loops unrolled, so that the sums live in registers: with
 * bounds that are parameters gcc keeps them on the stack at less than half the speed. */
#include "tile.h"

/* c [rows, PANEL] = or += A [rows, k] B [k, PANEL] */
#define DEFINE_TILE(ROWS)                                                                                              \
    static void tile_##ROWS(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int k, bool add)                        \
    {                                                                                                                  \
        vec sum[ROWS][TILE_VECS];                                                                                      \
        _Pragma("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                         \
            _Pragma("GCC unroll 8") for (int j = 0; j < TILE_VECS; j++) sum[r][j] =                                    \
                add ? vec_load(c + r * ldc + j * VEC) : (vec){0};                                                      \
        const real *from = a.a, *with = b.b;                                                                           \
        for (int s = 0; s < k; s++, with += b.step, from += a.step) {                                                  \
            vec right[TILE_VECS];                                                                                      \
            _Pragma("GCC unroll 8") for (int j = 0; j < TILE_VECS; j++) right[j] = vec_load(with + j * VEC);           \
            _Pragma("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                     \
            {                                                                                                          \
                const vec left = vec_of(from[r * a.row]);                                                              \
                _Pragma("GCC unroll 8") for (int j = 0; j < TILE_VECS; j++) sum[r][j] += left * right[j];              \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                         \
            _Pragma("GCC unroll 8") for (int j = 0; j < TILE_VECS; j++) vec_store(c + r * ldc + j * VEC, sum[r][j]);   \
    }
DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

void tile_panel(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, bool add)
{
    for (; m >= TILE_ROWS; m -= TILE_ROWS, c += TILE_ROWS * ldc, a.a += TILE_ROWS * a.row) tile_6(c, ldc, a, b, k, add);
    switch (m) {
    case 1:
        tile_1(c, ldc, a, b, k, add);
        return;
    case 2:
        tile_2(c, ldc, a, b, k, add);
        return;
    case 3:
        tile_3(c, ldc, a, b, k, add);
        return;
    case 4:
        tile_4(c, ldc, a, b, k, add);
        return;
    case 5:
        tile_5(c, ldc, a, b, k, add);
        return;
    default:
        return;
    }
}

void tile_panels(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, int from, int to, bool add)
{
    for (int j = from; j < to; j++) tile_panel(c + j * PANEL, ldc, a, (tile_right){b.b + j * PANEL, b.step}, m, k, add);
}
