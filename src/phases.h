/* phases.h: the phases of a run, from its stored curves. */
#ifndef GK_PHASES_H
#define GK_PHASES_H

#include "gk_lab.h"

/* Puts the events `circuit` and `cleaned` (memorised and grokked come from the loop; an imported run has none). */
int gk_phases_record(gk_store *store, int64_t run);

#endif
