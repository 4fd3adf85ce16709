/* blas.c: which kernels OpenBLAS took for this CPU, which ones it should have taken, and its thread count. */
#include "gk_matrix.h"
#include "blas.h"

#include <cblas.h>
#include <string.h>

void gk_blas_threads(int n)
{
    gk_blas_enter(n > 0 ? n : 1);
}

int gk_blas_enter(int threads)
{
    int before = openblas_get_num_threads();
    if (threads > 0 && threads != before) openblas_set_num_threads(threads);
    return before;
}

const char *gk_blas_core(void)
{
    return openblas_get_corename();
}

#if defined(__x86_64__)

/* The AVX-512 subset that OpenBLAS's SkylakeX kernels are compiled for (-march=skylake-avx512). */
static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const char *gk_blas_core_wanted(void)
{
    /* Cores whose kernels use at most AVX2; OpenBLAS falls back to them for CPUs younger than itself. */
    static const char *const narrow[] = {"Haswell",  "Zen",   "Excavator", "Steamroller", "Sandybridge", "Nehalem",
                                         "Prescott", "Core2", "Barcelona", "Katmai",      "Unknown"};

    /* Without run-time choice of kernels the variable would change nothing. */
    if (!strstr(openblas_get_config(), "DYNAMIC_ARCH") || !has_avx512()) return NULL;
    const char *core = openblas_get_corename();
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
        if (!strcmp(core, narrow[i])) return "SkylakeX";
    }
    return NULL;
}

#else

const char *gk_blas_core_wanted(void)
{
    return NULL;
}

#endif
