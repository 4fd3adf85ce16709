/* peak.c: the instruction set of this CPU, and how many multiply-adds a second it really does: the yardstick of
 * `groklab bench`. Each thread runs acc_i = acc_i x + y on independent accumulators that stay in registers, enough of
 * them to hide the latency of two pipes (about 4 cycles each, so 8 or more). */
#include "gk_machine.h"
#include "gk_base.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum {
    CHAINS = 12,        /* accumulators: 12 and the two operands fit into the 16 registers of SSE and AVX */
    FIRST_ROUNDS = 1024 /* of the first block; doubled until one takes BLOCK_SECONDS */
};

static const double BLOCK_SECONDS = 1e-3;

/* Multiply-adds of `rounds` rounds; the sum only keeps the compiler from leaving them out. With x = 1/2 and y = 1 every
 * chain tends to 2: no overflow, no denormals. */
typedef double peak_kernel(long rounds, double x, double y);

#define KERNEL(name, attributes, vector, real, splat, madd)                                                            \
    attributes static double name(long rounds, double x, double y)                                                     \
    {                                                                                                                  \
        const vector by = splat((real)x), plus = splat((real)y);                                                       \
        vector a[CHAINS];                                                                                              \
        for (int i = 0; i < CHAINS; i++) a[i] = plus;                                                                  \
        for (long r = 0; r < rounds; r++) {                                                                            \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) a[i] = madd(a[i], by, plus);                     \
        }                                                                                                              \
        for (int i = 1; i < CHAINS; i++) a[0] += a[i];                                                                 \
        return (double)a[0][0];                                                                                        \
    }

#define SEPARATE(a, x, y) ((a) * (x) + (y))

#if defined(__x86_64__)
KERNEL(base_f32, , __m128, float, _mm_set1_ps, SEPARATE)
KERNEL(base_f64, , __m128d, double, _mm_set1_pd, SEPARATE)
#define AVX2 __attribute__((target("avx2,fma")))
KERNEL(v3_f32, AVX2, __m256, float, _mm256_set1_ps, _mm256_fmadd_ps)
KERNEL(v3_f64, AVX2, __m256d, double, _mm256_set1_pd, _mm256_fmadd_pd)
#define AVX512 __attribute__((target("avx512f")))
KERNEL(v4_f32, AVX512, __m512, float, _mm512_set1_ps, _mm512_fmadd_ps)
KERNEL(v4_f64, AVX512, __m512d, double, _mm512_set1_pd, _mm512_fmadd_pd)

static peak_kernel *const kernels[][2] = {
    {base_f32, base_f64}, {v3_f32, v3_f64}, {v4_f32, v4_f64}, {v4_f32, v4_f64}};
static const int vector_bytes[] = {16, 32, 64, 64};

/* Tiles of bfloat16, and Linux's leave for this process, its threads and its forks to have so much state. clang does not
 * know the names; cpuid itself is no way, since a virtual machine takes 50 microseconds for it. */
static bool has_amx(void)
{
#if defined(__linux__) && !defined(__clang__)
    enum { REQUEST = 0x1023, TILE_DATA = 18 };
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
           syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

/* Do the tiles pay here? Twice the rate of multiply-adds on Granite Rapids, over hours; on Emerald Rapids only at times:
 * the clock falls under them, and a step took 1.25 to 1.35 times as long as without (medians of runs by turns; the best
 * were .93). Sapphire Rapids, the generation before, is held to be like it; it was not measured. */
static bool amx_pays(void)
{
    enum { SAPPHIRE_RAPIDS = 0x8f, EMERALD_RAPIDS = 0xcf };
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    const unsigned family = a >> 8 & 15, model = (a >> 4 & 15) | (a >> 12 & 0xf0);
    return family != 6 || (model != SAPPHIRE_RAPIDS && model != EMERALD_RAPIDS);
}

gk_isa gk_machine_isa(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2"))
        return GK_ISA_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return has_amx() ? GK_ISA_AMX : GK_ISA_V4;
    return GK_ISA_V3;
}

#else

#if defined(__aarch64__)
#define FUSED_F32(a, x, y) vfmaq_f32(y, a, x)
#define FUSED_F64(a, x, y) vfmaq_f64(y, a, x)
KERNEL(base_f32, , float32x4_t, float, vdupq_n_f32, FUSED_F32)
KERNEL(base_f64, , float64x2_t, double, vdupq_n_f64, FUSED_F64)
#else
typedef float float4 __attribute__((vector_size(16)));
typedef double double2 __attribute__((vector_size(16)));
static float4 splat_f32(float x)
{
    return (float4){x, x, x, x};
}
static double2 splat_f64(double x)
{
    return (double2){x, x};
}
KERNEL(base_f32, , float4, float, splat_f32, SEPARATE)
KERNEL(base_f64, , double2, double, splat_f64, SEPARATE)
#endif

static peak_kernel *const kernels[][2] = {{base_f32, base_f64}};
static const int vector_bytes[] = {16};

static bool amx_pays(void)
{
    return false;
}

gk_isa gk_machine_isa(void)
{
    return GK_ISA_BASE;
}

#endif

enum { WHAT_PAYS = GK_ISA_AMX + 1 };

/* What the environment asks for; -1 where for nothing that there is. */
static int asked_isa(void)
{
    static const char *const names[] = {"base", "v3", "v4", "amx"};
    const char *asked = getenv("GROKLAB_ISA");
    if (!asked || !*asked) return WHAT_PAYS;
    for (int isa = GK_ISA_BASE; isa <= GK_ISA_AMX; isa++)
        if (strcmp(asked, names[isa]) == 0) return isa;
    return -1;
}

int gk_machine_check(void)
{
    if (asked_isa() >= 0) return GK_OK;
    return gk_error(GK_USAGE, "GROKLAB_ISA is '%s'; base, v3, v4 and amx are accepted", getenv("GROKLAB_ISA"));
}

#if defined(GK_PORTABLE)
enum { ONLY_BASE = true };
#else
enum { ONLY_BASE = false };
#endif

gk_isa gk_machine_isa_used(void)
{
    const gk_isa have = ONLY_BASE ? GK_ISA_BASE : gk_machine_isa();
    const int asked = asked_isa();
    if (asked == WHAT_PAYS && have == GK_ISA_AMX && !amx_pays()) return GK_ISA_V4;
    return asked >= 0 && asked < (int)have ? (gk_isa)asked : have;
}

/* Flops a second of the calling thread: the best of many short blocks. */
static double best_rate(gk_isa isa, bool float64, double seconds)
{
    const volatile double half = 0.5, one = 1; /* unknown to the compiler */
    const double flops_a_round = 2.0 * CHAINS * (vector_bytes[isa] / (float64 ? 8 : 4));
    const double start = omp_get_wtime();
    long rounds = FIRST_ROUNDS;
    double best = 0, taken = 0;
    do {
        if (taken > 0 && taken < BLOCK_SECONDS) rounds *= 2;
        const double begin = omp_get_wtime();
        const double kept = kernels[isa][float64](rounds, half, one);
        taken = omp_get_wtime() - begin;
        assert(kept > 0);
        (void)kept;
        const double rate = flops_a_round * (double)rounds / taken;
        if (taken >= BLOCK_SECONDS && rate > best) best = rate;
    } while (best == 0 || omp_get_wtime() - start < seconds);
    return best;
}

double gk_machine_peak(gk_isa isa, bool float64, int threads, double seconds)
{
    assert(isa <= gk_machine_isa() && threads > 0);
    double sum = 0; /* no barriers inside: a thread that has lost its core for a while must not hold up the others */
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    sum += best_rate(isa, float64, seconds);
    return sum;
}
