/* amx.h: products of float32 matrices on AMX, whose tiles multiply bfloat16 (8 significant bits) into float32 sums, 16
 * times as many a cycle as AVX-512 does float32. A float32 x is exactly the sum of three bfloat16,
 *     x_1 = round(x), x_2 = round(x - x_1), x_3 = x - x_1 - x_2,   |x_2| <= 2^-8 |x|, |x_3| <= 2^-16 |x|,
 * and x y is computed as the six products x_i y_j with i + j <= 4. The three left out are 2^-23 |x y| together at the most,
 * and of either sign: less than what rounding a chain of float32 multiply-adds costs (tests/test_amx.c compares both
 * with float64).
 *
 * A stack is a matrix of 16 x 32 numbers in this form: three tiles of 16 rows of 32 bfloat16, the two in a 32-bit word
 * being 16 columns apart. The right factor's stack is 32 x 16, a word holding rows r and r + 16 of one column. AMX only
 * asks that both factors go through the inner dimension in the same order. */
#ifndef GK_NETS_AMX_H
#define GK_NETS_AMX_H

#ifdef GK_ISA_amx

#include "vector.h"

enum {
    AMX_ROWS = 16,            /* of a tile; also its columns of float32 */
    AMX_INNER = 32,           /* inner dimension of one step */
    AMX_TILE = 16 * 16,       /* 32-bit words of a tile */
    AMX_STACK = 3 * AMX_TILE, /* of a stack */
};

/* Between these two, on this thread: all eight tiles are of 16 rows of 64 bytes. */
static inline void amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = AMX_ROWS;
    }
    __asm__ volatile("" : : "m"(config));
    _tile_loadconfig(&config);
}

static inline void amx_end(void)
{
    _tile_release();
}

/* The nearest bfloat16; halves away from 0. */
static inline vec amx_round(vec x)
{
    return (vec)(((int_vec)x + 0x8000) & (int32_t)0xffff0000);
}

/* The three bfloat16 that add up to each lane, as float32. */
static inline void amx_split(vec part[3], vec x)
{
    part[0] = amx_round(x);
    x -= part[0];
    part[1] = amx_round(x);
    part[2] = x - part[1];
}

/* A row of a stack: of a left factor columns 0.. and 16.. of one row, of a right factor rows r and r + 16. */
static inline void amx_put(uint32_t *stack, int row, vec low, vec high)
{
    typedef uint32_t words __attribute__((vector_size(VEC_BYTES)));
    vec a[3], b[3];
    amx_split(a, low);
    amx_split(b, high);
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        const words both = ((words)a[i] >> 16) | ((words)b[i] & 0xffff0000u);
        memcpy(__builtin_assume_aligned(stack + i * AMX_TILE + row * 16, VEC_BYTES), &both, sizeof both);
    }
}

/* A matrix as stacks: stack (i, s) of 16 rows (columns of a right factor) and one step of 32 at at + i * across + s *
 * along words. */
typedef struct amx_stacks {
    const uint32_t *at;
    ptrdiff_t across, along;
} amx_stacks;

/* sum (tile number) += left stack (tiles 2, 3, 4) times right stack (tiles 5, 6, 7), the smallest products first */
#define AMX_ADD(sum)                                                                                                   \
    do {                                                                                                               \
        _tile_dpbf16ps(sum, 2, 7);                                                                                     \
        _tile_dpbf16ps(sum, 3, 6);                                                                                     \
        _tile_dpbf16ps(sum, 4, 5);                                                                                     \
        _tile_dpbf16ps(sum, 2, 6);                                                                                     \
        _tile_dpbf16ps(sum, 3, 5);                                                                                     \
        _tile_dpbf16ps(sum, 2, 5);                                                                                     \
    } while (0)

#define AMX_LOAD(first, second, third, stack)                                                                          \
    do {                                                                                                               \
        _tile_loadd(first, stack, 64);                                                                                 \
        _tile_loadd(second, stack + AMX_TILE, 64);                                                                     \
        _tile_loadd(third, stack + 2 * AMX_TILE, 64);                                                                  \
    } while (0)

/* c [16 rows, 16 columns] (row length ldc) = or += a [16 rows, 32 steps] b [32 steps, 16 columns] */
static inline void amx_product(real *c, ptrdiff_t ldc, amx_stacks a, amx_stacks b, int rows, int columns, int steps,
                               bool add)
{
    const ptrdiff_t line = ldc * (ptrdiff_t)sizeof *c;
    __asm__ volatile("" : : : "memory"); /* the tile loads do not tell the compiler what they read */
    for (int j = 0; j < columns; j += 2)
        for (int i = 0; i < rows; i++) {
            real *to = c + (ptrdiff_t)i * AMX_ROWS * ldc + j * 16;
            const uint32_t *left = a.at + i * a.across, *right = b.at + j * b.across;
            const bool pair = j + 1 < columns;
            _tile_zero(0);
            _tile_zero(1);
            if (add) _tile_loadd(0, to, line);
            if (add && pair) _tile_loadd(1, to + 16, line);
            for (int s = 0; s < steps; s++, left += a.along, right += b.along) {
                AMX_LOAD(2, 3, 4, left);
                AMX_LOAD(5, 6, 7, right);
                AMX_ADD(0);
                if (!pair) continue;
                const uint32_t *beside = right + b.across;
                AMX_LOAD(5, 6, 7, beside);
                AMX_ADD(1);
            }
            _tile_stored(0, to, line);
            if (pair) _tile_stored(1, to + 16, line);
        }
}

#endif
#endif
