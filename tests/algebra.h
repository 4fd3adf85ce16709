/* algebra.h: what the tests of src/algebra share: the oracle's input numbers and comparisons that NaN fails. */
#ifndef GK_TESTS_ALGEBRA_H
#define GK_TESTS_ALGEBRA_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* n numbers in [-1, 1) from SplitMix64, the same bits as splitmix() in tests/oracle_algebra.py. */
static inline void algebra_fill(double *out, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        z ^= z >> 31;
        out[i] = (double)(z >> 11) * 0x1p-52 - 1.0;
    }
}

/* |value - expected| <= tolerance * max(1, |expected|) must be true. */
static inline void algebra_near(double value, double expected, double tolerance, const char *what, int line)
{
    double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    if (fabs(value - expected) <= tolerance * scale) return;
    fail_msg("line %d: %s is %.17g, not %.17g (tolerance %g)", line, what, value, expected, tolerance);
}

#define assert_near(value, expected, tolerance) algebra_near(value, expected, tolerance, #value, __LINE__)
#define assert_all_near(values, expected, n, tolerance)                                                                \
    do {                                                                                                               \
        for (size_t at_ = 0; at_ < (size_t)(n); at_++) assert_near((values)[at_], (expected)[at_], tolerance);         \
    } while (0)

#endif
