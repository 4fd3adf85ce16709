/* select.c: picks the networks' build for this CPU: the newest instruction set that it has, unless the environment's
 * GROKLAB_ISA (base, v3, v4) asks for an older one. Nothing else of this room runs before the choice is made. */
#include "gk_method.h"

#include <stdlib.h>
#include <string.h>

extern const gk_method gk_mlp_table_f32_base, gk_mlp_table_f64_base;
extern const gk_method gk_transformer_table_f32_base, gk_transformer_table_f64_base;

#ifdef GK_HAVE_X86_VARIANTS
extern const gk_method gk_mlp_table_f32_v3, gk_mlp_table_f64_v3, gk_mlp_table_f32_v4, gk_mlp_table_f64_v4;
extern const gk_method gk_transformer_table_f32_v3, gk_transformer_table_f64_v3;
extern const gk_method gk_transformer_table_f32_v4, gk_transformer_table_f64_v4;

/* 0 base, 1 x86-64-v3 (AVX2, FMA), 2 x86-64-v4 (AVX-512 F, BW, CD, DQ, VL). gcc 12 does not know the level names here.
 */
static int level(void)
{
    __builtin_cpu_init();
    int have = 0;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2"))
        have = 1;
    if (have == 1 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        have = 2;
    const char *asked = getenv("GROKLAB_ISA");
    if (asked && strcmp(asked, "base") == 0) return 0;
    if (asked && strcmp(asked, "v3") == 0 && have > 1) return 1;
    return have;
}

#define PICK(network, type)                                                                                            \
    (level() == 2   ? &gk_##network##_table_##type##_v4                                                                \
     : level() == 1 ? &gk_##network##_table_##type##_v3                                                                \
                    : &gk_##network##_table_##type##_base)
#else
#define PICK(network, type) &gk_##network##_table_##type##_base
#endif

const gk_method *gk_mlp_method(gk_dtype dtype)
{
    return dtype == GK_F64 ? PICK(mlp, f64) : PICK(mlp, f32);
}

const gk_method *gk_transformer_method(gk_dtype dtype)
{
    return dtype == GK_F64 ? PICK(transformer, f64) : PICK(transformer, f32);
}
