/* reference.c: what is fixed from the final model and then held against every earlier one. */
#include "measure.h"

#include <stdlib.h>
#include <string.h>

int gk_reference_of(gk_probe *final, gk_key_rule rule, gk_reference *out)
{
    *out = (gk_reference){0};
    const double *m;
    int n, code = gk_measure_key_frequencies(final, rule, out);
    if (code == GK_OK) code = gk_probe_structural(final, &m, &n);
    if (code != GK_OK || !m) return code;
    const size_t count = (size_t)n * (size_t)n;
    if (!(out->final_m = gk_alloc(count, sizeof *m))) return GK_FAILED;
    memcpy(out->final_m, m, count * sizeof *m);
    return GK_OK;
}

void gk_reference_free(gk_reference *reference)
{
    if (!reference) return;
    free(reference->final_m);
    reference->final_m = NULL;
    reference->n_key = 0;
}
