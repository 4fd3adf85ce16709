/* vector.h: vectors of this variant's width in the compiler's own vector types (gcc and clang), so that one source
 * serves AVX-512, AVX2, SSE2 and NEON. */
#ifndef GK_NETS_VECTOR_H
#define GK_NETS_VECTOR_H

#include "nets.h"

#include <math.h>
#include <string.h>

#ifdef GK_ISA_amx /* beside the tiles: AVX-512 */
#define GK_ISA_v4
#endif
#if defined(GK_ISA_v4)
#define VEC_BYTES 64
#define TILE_VECS 4 /* 32 registers: 6 x 4 sums, 4 of B, and A from memory */
#elif defined(GK_ISA_v3)
#define VEC_BYTES 32
#define TILE_VECS 2 /* 16 registers: 6 x 2 sums */
#elif defined(__aarch64__)
#define VEC_BYTES 16
#define TILE_VECS 4
#else
#define VEC_BYTES 16
#define TILE_VECS 2
#endif
#ifdef GK_REAL_f32
#define VEC (VEC_BYTES / 4) /* lanes */
typedef int32_t lane_int;
#else
#define VEC (VEC_BYTES / 8)
typedef int64_t lane_int;
#endif
enum {
    TILE_ROWS = 6,
    PANEL = TILE_VECS * VEC, /* columns of a panel: one tile wide */
};

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef lane_int int_vec __attribute__((vector_size(VEC_BYTES)));

static inline int round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

/* p aligned to a vector */
static inline vec vec_load(const real *p)
{
    vec v;
    memcpy(&v, __builtin_assume_aligned(p, VEC_BYTES), sizeof v);
    return v;
}

static inline void vec_store(real *p, vec v)
{
    memcpy(__builtin_assume_aligned(p, VEC_BYTES), &v, sizeof v);
}

static inline vec vec_of(real x)
{
    return x - (vec){0};
}

static inline vec vec_select(int_vec mask, vec a, vec b)
{
    return (vec)(((int_vec)a & mask) | ((int_vec)b & ~mask));
}

/* The larger of each lane; b where either is NaN. One instruction where there is one, which gcc 12 does not find. */
static inline vec vec_max(vec a, vec b)
{
#if defined(__x86_64__)
#if defined(GK_ISA_v4) && defined(GK_REAL_f32)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(GK_ISA_v4)
    return (vec)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif defined(GK_ISA_v3) && defined(GK_REAL_f32)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(GK_ISA_v3)
    return (vec)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(GK_REAL_f32)
    return (vec)_mm_max_ps((__m128)a, (__m128)b);
#else
    return (vec)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
#else
    return vec_select(a > b, a, b);
#endif
}

/* The square root of each lane, within 1 unit in the last place. The instruction for sixteen floats keeps the divider
 * busy for a dozen cycles, which a division beside it must wait for; so there 14 bits of 1 / sqrt v are looked up and
 * one step of Newton's on s = v / sqrt v with an exact residual, s + (v - s s) / (2 sqrt v), gives all 24. It knows
 * nothing of 0, denormal numbers, infinity and NaN: a vector that has one takes the instruction. */
static inline vec vec_sqrt(vec v)
{
#if defined(GK_ISA_v4) && defined(GK_REAL_f32)
    const __m512 x = (__m512)v;
    enum { ODD = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x40 | 0x80 }; /* NaNs, zeros, infinities, denormals, < 0 */
    if (__builtin_expect(_mm512_fpclass_ps_mask(x, ODD) != 0, 0)) return (vec)_mm512_sqrt_ps(x);
    const __m512 y = _mm512_rsqrt14_ps(x), s = _mm512_mul_ps(x, y);
    return (vec)_mm512_fmadd_ps(_mm512_fnmadd_ps(s, s, x), _mm512_mul_ps(y, _mm512_set1_ps(0.5f)), s);
#else
    vec s;
    for (int i = 0; i < VEC; i++) s[i] = real_sqrt(v[i]);
    return s;
#endif
}

#ifdef GK_REAL_f32
/* e^x for x <= 88, within 2 units in the last place; 0 below -87. x = n log 2 + r, e^r by a polynomial (Cephes' expf).
 */
static inline vec vec_exp(vec x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    const vec low = vec_of(-87.0f), y = vec_max(low, x); /* a NaN stays */
    const vec n = (y * 1.44269504088896341f + round) - round;
    const vec r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    vec e = vec_of(1.9875691500e-4f);
    e = e * r + 1.3981999507e-3f;
    e = e * r + 8.3334519073e-3f;
    e = e * r + 4.1665795894e-2f;
    e = e * r + 1.6666665459e-1f;
    e = e * r + 5.0000001201e-1f;
    e = e * r * r + r + 1.0f;
    const int_vec exponent = (__builtin_convertvector(n, int_vec) + 127) << 23;
    return (vec)((int_vec)(e * (vec)exponent) & ~(x < low));
}
#else
static inline vec vec_exp(vec x)
{
    vec e;
    for (int i = 0; i < VEC; i++) e[i] = exp(x[i]);
    return e;
}
#endif

#if VEC == 16
#define VEC_FIRSTS 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define VEC_LASTS  8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define VEC_FIRST  0, 1, 2, 3, 4, 5, 6, 7
#define VEC_LAST   8, 9, 10, 11, 12, 13, 14, 15
#define VEC_LOW    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define VEC_HIGH   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VEC == 8
#define VEC_FIRSTS 0, 1, 2, 3, 8, 9, 10, 11
#define VEC_LASTS  4, 5, 6, 7, 12, 13, 14, 15
#define VEC_FIRST  0, 1, 2, 3
#define VEC_LAST   4, 5, 6, 7
#define VEC_LOW    0, 8, 1, 9, 2, 10, 3, 11
#define VEC_HIGH   4, 12, 5, 13, 6, 14, 7, 15
#elif VEC == 4
#define VEC_FIRSTS 0, 1, 4, 5
#define VEC_LASTS  2, 3, 6, 7
#define VEC_FIRST  0, 1
#define VEC_LAST   2, 3
#define VEC_LOW    0, 4, 1, 5
#define VEC_HIGH   2, 6, 3, 7
#else
#define VEC_FIRSTS 0, 2
#define VEC_LASTS  1, 3
#define VEC_LOW    0, 2
#define VEC_HIGH   1, 3
#endif

/* Half sums of two vectors side by side: the lanes of the first half add up to a's sum, those of the second to b's. */
static inline vec vec_fold(vec a, vec b)
{
    return __builtin_shufflevector(a, b, VEC_FIRSTS) + __builtin_shufflevector(a, b, VEC_LASTS);
}

/* A double for each lane of a vec. */
typedef double double_vec __attribute__((vector_size(VEC_BYTES)));
#ifdef GK_REAL_f32
typedef struct wide {
    double_vec first, last;
} wide;
typedef float half_vec __attribute__((vector_size(VEC_BYTES / 2)));

static inline wide wide_of(vec v)
{
    const half_vec a = __builtin_shufflevector(v, v, VEC_FIRST), b = __builtin_shufflevector(v, v, VEC_LAST);
    return (wide){__builtin_convertvector(a, double_vec), __builtin_convertvector(b, double_vec)};
}

static inline wide wide_sum(wide a, wide b)
{
    return (wide){a.first + b.first, a.last + b.last};
}

static inline wide wide_product(wide a, wide b)
{
    return (wide){a.first * b.first, a.last * b.last};
}
#else
typedef vec wide;
static inline wide wide_of(vec v)
{
    return v;
}

static inline wide wide_sum(wide a, wide b)
{
    return a + b;
}

static inline wide wide_product(wide a, wide b)
{
    return a * b;
}
#endif

static inline void wide_store(double out[VEC], wide w)
{
    memcpy(out, &w, sizeof w);
}

/* to [VEC, VEC] (row length ldt) = the transpose of from [VEC, VEC] (ldf), both aligned: interleaving row i with row
 * i + VEC/2 rotates the index bits by one, and log2 VEC rotations exchange row and column. */
static inline void vec_transpose(real *to, ptrdiff_t ldt, const real *from, ptrdiff_t ldf)
{
    vec a[VEC], b[VEC];
#pragma GCC unroll 16
    for (int i = 0; i < VEC; i++) a[i] = vec_load(from + i * ldf);
#pragma GCC unroll 4
    for (int bit = 1; bit < VEC; bit *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < VEC; i++)
            b[i] = i % 2 == 0 ? __builtin_shufflevector(a[i / 2], a[i / 2 + VEC / 2], VEC_LOW)
                              : __builtin_shufflevector(a[i / 2], a[i / 2 + VEC / 2], VEC_HIGH);
#pragma GCC unroll 16
        for (int i = 0; i < VEC; i++) a[i] = b[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < VEC; i++) vec_store(to + i * ldt, a[i]);
}

/* to [columns, rows] = the transpose of from [rows, columns]; rows and columns multiples of VEC. */
static inline void vec_transpose_all(real *to, ptrdiff_t ldt, const real *from, ptrdiff_t ldf, int rows, int columns)
{
    for (int i = 0; i < rows; i += VEC)
        for (int j = 0; j < columns; j += VEC) vec_transpose(to + j * ldt + i, ldt, from + i * ldf + j, ldf);
}

#endif
