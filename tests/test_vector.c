/* test_vector.c: the square root that is not the instruction's, against double, over all of float32. The test sees the
 * networks' AVX-512 build of vector.h and runs only where the CPU has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gk_machine.h"

#if defined(__x86_64__) && !defined(GK_PORTABLE)
#define GK_REAL float
#define GK_REAL_f32
#define GK_ISA_v4
#define GK_VARIANT f32_v4
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#include "nets/vector.h"

/* The largest error among the roots of the VEC floats from bit pattern `bits` on, in units of the last place. */
static double root_error(uint32_t bits)
{
    uint32_t at[VEC];
    vec v, s;
    for (uint32_t i = 0; i < VEC; i++) at[i] = bits + i;
    memcpy(&v, at, sizeof v);
    s = vec_sqrt(v);
    double most = 0;
    for (int i = 0; i < VEC; i++) {
        const double want = sqrt((double)v[i]), unit = ldexp(1, ilogb(want) - 23);
        const double off = want > 0 ? fabs((double)s[i] - want) / unit : fabs((double)s[i]);
        if (!(off <= most)) most = off; /* NaN stays */
    }
    return most;
}

static void roots_are_exact_to_a_unit(void **state)
{
    (void)state;
    if (gk_machine_isa_used() < GK_ISA_V4) skip();
    const uint32_t inf = 0x7f800000;
    double most = root_error(0);
    for (uint32_t bits = 1; bits < inf - VEC; bits += 1009) {
        const double off = root_error(bits);
        if (!(off <= most)) most = off;
    }
    const double last = root_error(inf - VEC);
    assert_true(most < 1);
    assert_true(last < 1);
}

static void odd_numbers_have_the_roots_of_the_instruction(void **state)
{
    (void)state;
    if (gk_machine_isa_used() < GK_ISA_V4) skip();
    const vec s = vec_sqrt((vec){INFINITY, NAN, -1, 0, -0.0f, 4, 0x1p-140f, 9});
    assert_true(s[0] > 0 && isinf(s[0]));
    assert_true(isnan(s[1]) && isnan(s[2]));
    assert_true(s[3] == 0 && s[4] == 0 && signbit(s[4]));
    assert_true(s[5] == 2 && s[6] == 0x1p-70f && s[7] == 3);
}
#pragma GCC pop_options

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_exact_to_a_unit),
        cmocka_unit_test(odd_numbers_have_the_roots_of_the_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void roots_are_exact_to_a_unit(void **state)
{
    (void)state;
    skip(); /* every root is the instruction's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(roots_are_exact_to_a_unit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
