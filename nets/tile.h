/* tile.h: matrix products by register tiles of TILE_ROWS x PANEL. The hot operands lie in panels: panel j holds columns
 * j PANEL to (j + 1) PANEL of every row one behind the other, so that a tile reads one stream. */
#ifndef GK_NETS_TILE_H
#define GK_NETS_TILE_H

#include "vector.h"

#define tile_panel   NAME(gk_tile_panel)
#define tile_panels  NAME(gk_tile_panels)
#define tile_columns NAME(gk_tile_columns)

/* A [m, k] by two strides: element (r, s) is a[r * row + s * step]. */
typedef struct tile_left {
    const real *a;
    ptrdiff_t row, step;
} tile_left;

/* B [k, PANEL]: one panel, its rows `step` apart. */
typedef struct tile_right {
    const real *b;
    ptrdiff_t step;
} tile_right;

/* c [m, PANEL] (row length ldc) = or += A [m, k] B [k, PANEL]; c, b and their row lengths aligned to a vector. */
void tile_panel(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, bool add);
/* The same for the panels from..to-1 of c and of a row-major b. */
void tile_panels(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, int from, int to, bool add);
/* The same for any multiple of VEC columns. */
void tile_columns(real *c, ptrdiff_t ldc, tile_left a, tile_right b, int m, int k, int columns, bool add);

#endif
