/* test_amx.c: float32 products from three bfloat16 a number, against float64 and beside float32 multiply-adds. The test
 * sees the networks' AMX build of amx.h and runs only where the CPU has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gk_machine.h"

#if defined(__x86_64__) && !defined(GK_PORTABLE)
#define GK_REAL float
#define GK_REAL_f32
#define GK_ISA_amx
#define GK_VARIANT f32_amx
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,amx-tile,amx-bf16")
#include "nets/amx.h"

/* Any number from 2^-100 on is its three parts, to the bit, and the parts shrink as amx.h says. */
static void three_parts_add_up(void **state)
{
    (void)state;
    if (gk_machine_isa() < GK_ISA_AMX) skip();
    const uint32_t from = (127 - 100) << 23, to = (127 + 126) << 23;
    for (uint32_t bits = from; bits < to; bits += 65521) {
        vec x, part[3];
        uint32_t at[VEC];
        for (uint32_t i = 0; i < VEC; i++) at[i] = (bits + i) | (i % 2 ? 0x80000000u : 0);
        memcpy(&x, at, sizeof x);
        amx_split(part, x);
        for (int i = 0; i < VEC; i++) {
            const double all = (double)x[i], one = (double)part[0][i], two = (double)part[1][i],
                         three = (double)part[2][i];
            assert_true(one + two + three == all);
            assert_true(fabs(two) <= 0x1p-8 * fabs(all) && fabs(three) <= 0x1p-16 * fabs(all));
            for (int q = 0; q < 3; q++) {
                const float of = part[q][i];
                uint32_t word;
                memcpy(&word, &of, sizeof word);
                assert_int_equal(word & 0xffff, 0); /* is a bfloat16 */
            }
        }
    }
}

enum { M = 48, N = 48, K = 128 };

typedef struct product {
    _Alignas(64) real a[M * K], b[K * N], c[M * N];
    _Alignas(64) uint32_t left[M / 16 * (K / 32) * AMX_STACK], right[N / 16 * (K / 32) * AMX_STACK];
} product;

static void fill(product *x, bool positive)
{
    gk_random r;
    gk_random_seed(&r, 7, positive);
    for (int i = 0; i < M * K; i++) x->a[i] = (real)(gk_random_uniform(&r) - (positive ? 0 : 0.5));
    for (int i = 0; i < K * N; i++) x->b[i] = (real)(gk_random_uniform(&r) - (positive ? 0 : 0.5));
    for (int i = 0; i < M * N; i++) x->c[i] = 1;
    for (int r1 = 0; r1 < M; r1++)
        for (int s = 0; s < K / 32; s++) {
            const real *low = x->a + r1 * K + s * 32;
            amx_put(x->left + (r1 / 16 * (K / 32) + s) * AMX_STACK, r1 % 16, vec_load(low), vec_load(low + 16));
        }
    for (int s = 0; s < K / 32; s++)
        for (int c = 0; c < N / 16; c++)
            for (int r1 = 0; r1 < 16; r1++) {
                const real *low = x->b + (s * 32 + r1) * N + c * 16;
                amx_put(x->right + (s * (N / 16) + c) * AMX_STACK, r1, vec_load(low), vec_load(low + 16 * N));
            }
}

/* Root mean square of (c - float64) / sum |a b|: of AMX, of a chain of multiply-adds. `mean`: of AMX, no square. */
static void errors(product *x, bool add, double *of_amx, double *of_chain, double *mean)
{
    real chain[M * N];
    double sums[2] = {0, 0}, bias = 0;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            chain[i * N + j] = add ? x->c[i * N + j] : 0;
            for (int k = 0; k < K; k++) chain[i * N + j] = fmaf(x->a[i * K + k], x->b[k * N + j], chain[i * N + j]);
        }
    const double start = add ? 1 : 0;
    amx_begin();
    amx_product(x->c, N, (amx_stacks){x->left, K / 32 * AMX_STACK, AMX_STACK},
                (amx_stacks){x->right, AMX_STACK, N / 16 * AMX_STACK}, M / 16, N / 16, K / 32, add);
    amx_end();
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double want = start, size = start;
            for (int k = 0; k < K; k++) {
                const double term = (double)x->a[i * K + k] * (double)x->b[k * N + j];
                want += term;
                size += fabs(term);
            }
            const double off[2] = {((double)x->c[i * N + j] - want) / size, ((double)chain[i * N + j] - want) / size};
            for (int q = 0; q < 2; q++) sums[q] += off[q] * off[q];
            bias += off[0];
        }
    *of_amx = sqrt(sums[0] / (M * N));
    *of_chain = sqrt(sums[1] / (M * N));
    *mean = bias / (M * N);
}

static void a_product_is_as_good_as_float32(void **state)
{
    (void)state;
    if (gk_machine_isa() < GK_ISA_AMX) skip();
    product *x = aligned_alloc(64, sizeof *x);
    assert_non_null(x);
    for (int positive = 0; positive < 2; positive++)
        for (int add = 0; add < 2; add++) {
            double of_amx, of_chain, mean;
            fill(x, positive);
            errors(x, add, &of_amx, &of_chain, &mean);
            if (!(of_amx < of_chain && fabs(mean) < 0.1 * of_chain))
                print_error("positive %d add %d: rms %g, chain %g, mean %g\n", positive, add, of_amx, of_chain, mean);
            assert_true(of_amx < of_chain && fabs(mean) < 0.1 * of_chain);
        }
    free(x);
}
#pragma GCC pop_options

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_parts_add_up),
        cmocka_unit_test(a_product_is_as_good_as_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void three_parts_add_up(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(three_parts_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
