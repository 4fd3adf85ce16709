/* gk_fourier.h: the real Fourier basis of the cyclic group Z_n (Nanda et al. 2023, section 4). */
#ifndef GK_FOURIER_H
#define GK_FOURIER_H

#include "gk_base.h"

/* F [n,n], orthonormal rows: row 0 constant, row 2k-1 cos(2 pi k a/n), row 2k sin(2 pi k a/n), k = 1..(n-1)/2;
 * for even n the last row is the alternating one. */
void gk_fourier_basis(double *f, int n);
/* Frequencies k = 1..n/2; for even n the last has one row (alternating) only. */
static inline int gk_fourier_frequencies(int n) { return n / 2; }

/* Energy of an [n,n] block on the lines of its 2-D DFT: energy[k] for k = 0..n/2 sums |A^(u,v)|^2 over the line
 * u + v = 0 (toeplitz: entries that depend on i-j) or u = v (hankel) with |u| = k; normalised so that the energies over
 * all (u,v) sum to |A|_F^2. */
void gk_fourier_lines(double *energy, const double *a, int n, bool hankel);

/* Gini coefficient sum_i (2i-n-1) v_(i) / (n sum v), v ascending; sorts v. */
double gk_gini(double *v, int n);
/* Entropy (nats) of nonnegative weights normalised to sum 1; 0 if all are zero. */
double gk_entropy(const double *w, int n);

#endif
