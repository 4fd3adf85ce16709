/* gk_machine.h: what this CPU can do: its instruction set and its measured rate of fused multiply-adds. In src/algebra.
 */
#ifndef GK_MACHINE_H
#define GK_MACHINE_H

#include <stdbool.h>

/* x86-64 levels (psABI): base has SSE2, v3 AVX2 and FMA, v4 AVX-512 F, BW, CD, DQ and VL; above them v4 with AMX tiles of
 * bfloat16. Elsewhere always BASE. */
typedef enum gk_isa { GK_ISA_BASE, GK_ISA_V3, GK_ISA_V4, GK_ISA_AMX } gk_isa;

/* The highest level that this CPU and its operating system have. */
gk_isa gk_machine_isa(void);
/* The level that the networks run at: the highest that pays on this CPU (AMX does not on Sapphire and Emerald Rapids),
 * unless the environment's GROKLAB_ISA (base, v3, v4, amx) asks for another, or this build holds the base one only. */
gk_isa gk_machine_isa_used(void);
/* GK_USAGE where the environment asks for a level that there is not. */
int gk_machine_check(void);

/* Flops a second, a fused multiply-add counting two, of `threads` threads at once that do nothing else, in registers:
 * float64 or float32, with the vectors of `isa`, which the CPU must have. Of each thread the best of many short blocks
 * over about `seconds`, so that a neighbour on the same core does not lower it. x86-64 base has no FMA and multiplies
 * and adds separately; AMX is counted by the FMAs of its vectors. */
double gk_machine_peak(gk_isa isa, bool float64, int threads, double seconds);

#endif
