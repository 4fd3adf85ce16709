/* select.c: picks the networks' build for this CPU: the newest instruction set that pays on it, unless the environment's
 * GROKLAB_ISA (base, v3, v4, amx) asks for another. Nothing else of this room runs before the choice is made. */
#include "gk_machine.h"
#include "gk_method.h"

extern const gk_method gk_mlp_table_f32_base, gk_mlp_table_f64_base;
extern const gk_method gk_transformer_table_f32_base, gk_transformer_table_f64_base;

#ifdef GK_HAVE_X86_VARIANTS
extern const gk_method gk_mlp_table_f32_v3, gk_mlp_table_f64_v3, gk_mlp_table_f32_v4, gk_mlp_table_f64_v4;
extern const gk_method gk_transformer_table_f32_v3, gk_transformer_table_f64_v3;
extern const gk_method gk_transformer_table_f32_v4, gk_transformer_table_f64_v4;
extern const gk_method gk_transformer_table_f32_amx;

#define PICK(network, type)                                                                                            \
    (gk_machine_isa_used() >= GK_ISA_V4   ? &gk_##network##_table_##type##_v4                                          \
     : gk_machine_isa_used() == GK_ISA_V3 ? &gk_##network##_table_##type##_v3                                          \
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
#ifdef GK_HAVE_X86_VARIANTS
    if (dtype != GK_F64 && gk_machine_isa_used() == GK_ISA_AMX) return &gk_transformer_table_f32_amx;
#endif
    return dtype == GK_F64 ? PICK(transformer, f64) : PICK(transformer, f32);
}
