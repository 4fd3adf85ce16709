/* tile.c: the register tile. The bounds are constants and the loops unrolled, so that the sums live in registers: with
 * bounds that are parameters gcc keeps them on the stack at less than half the speed. */
#include "tile.h"

/* `count` tiles one below the other, each c [ROWS, VECS * VEC] = or += A [ROWS, k] B [k, VECS * VEC]. The operands come
 * by address and the loop over tiles is in here: an operand passed by value is copied through the stack behind a tile's
 * stores, and waits for them. */
#define DEFINE_TILE(ROWS, VECS)                                                                                        \
    static void tile_##ROWS##_##VECS(real *c, ptrdiff_t ldc, const tile_left *a, const tile_right *b, int count,       \
                                     int k, bool add)                                                                  \
    {                                                                                                                  \
        const ptrdiff_t row = a->row, step = a->step, right_step = b->step;                                            \
        const real *top = a->a;                                                                                        \
        for (; count > 0; count--, c += ROWS * ldc, top += ROWS * row) {                                               \
            vec sum[ROWS][VECS];                                                                                       \
            _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++)                                                    \
                _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++)                                                 \
                    sum[r][j] = add ? vec_load(c + r * ldc + j * VEC) : (vec){0};                                      \
            const real *from = top, *with = b->b;                                                                      \
            for (int s = 0; s < k; s++, with += right_step, from += step) {                                            \
                vec right[VECS];                                                                                       \
                _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) right[j] = vec_load(with + j * VEC);            \
                _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++)                                                \
                {                                                                                                      \
                    const vec left = vec_of(from[r * row]);                                                            \
                    _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) sum[r][j] += left * right[j];               \
                }                                                                                                      \
            }                                                                                                          \
            _Pragma("GCC unroll 12") for (int r = 0; r < ROWS; r++)                                                    \
                _Pragma("GCC unroll 4") for (int j = 0; j < VECS; j++) vec_store(c + r * ldc + j * VEC, sum[r][j]);    \
        }                                                                                                              \
    }

typedef void tile_fn(real *c, ptrdiff_t ldc, const tile_left *a, const tile_right *b, int count, int k, bool add);

/* All m rows: whole tiles, then the rest by the tile of so many rows. */
static inline void rows(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, bool add, int most,
                        tile_fn *const tiles[])
{
    const int whole = m / most * most;
    tiles[most](c, ldc, &a, &b, m / most, k, add);
    a.a += whole * a.row;
    if (m > whole) tiles[m - whole](c + whole * ldc, ldc, &a, &b, 1, k, add);
}

#if TILE_VECS == 4
DEFINE_TILE(1, 4)
DEFINE_TILE(2, 4)
DEFINE_TILE(3, 4)
DEFINE_TILE(4, 4)
DEFINE_TILE(5, 4)
DEFINE_TILE(6, 4)
static tile_fn *const broad[] = {NULL, tile_1_4, tile_2_4, tile_3_4, tile_4_4, tile_5_4, tile_6_4};

DEFINE_TILE(1, 3)
DEFINE_TILE(2, 3)
DEFINE_TILE(3, 3)
DEFINE_TILE(4, 3)
DEFINE_TILE(5, 3)
DEFINE_TILE(6, 3)
DEFINE_TILE(7, 3)
DEFINE_TILE(8, 3)
static tile_fn *const three[] = {NULL,     tile_1_3, tile_2_3, tile_3_3, tile_4_3,
                                 tile_5_3, tile_6_3, tile_7_3, tile_8_3};
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
    if (columns == 3 * VEC) rows(c, ldc, a, b, m, k, add, 8, three);
    if (columns == 2 * VEC) rows(c, ldc, a, b, m, k, add, 12, two);
#endif
    if (columns == VEC) rows(c, ldc, a, b, m, k, add, 8, one);
}
