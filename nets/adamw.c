/* adamw.c: AdamW over flat vectors. */
#include "adamw.h"

void net_adamw(real *w, real *m, real *v, const real *g, size_t count, const net_rates *r)
{
    net_adamw_inline(w, m, v, g, count, *r);
}
