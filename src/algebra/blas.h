/* blas.h: the thread count of BLAS around one call, for this room. */
#ifndef GK_ALGEBRA_BLAS_H
#define GK_ALGEBRA_BLAS_H

/* Sets the thread count of BLAS and returns the one it had; does nothing when it is that already, so that calls from
 * several threads at once are harmless as long as the process keeps BLAS at one thread. */
int gk_blas_enter(int threads);

#endif
