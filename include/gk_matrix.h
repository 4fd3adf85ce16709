/* gk_matrix.h: dense row-major matrices. src/algebra is the only place that calls BLAS and LAPACK. Inner mathematics:
 * void functions assert shapes; int functions fail for numerical reasons only. ld = row length in memory. */
#ifndef GK_MATRIX_H
#define GK_MATRIX_H

#include "gk_base.h"

/* C [m,n] = alpha op(A) op(B) + beta C, op(A) [m,k], op(B) [k,n]; ta, tb transpose. */
void gk_gemm(bool ta, bool tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
             double beta, double *c, int ldc);
void gk_gemm_f32(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc);

/* C [n,n] = alpha op(A) op(A)^T + beta C, both triangles; op(A) [n,k]. */
void gk_gram(bool ta, int n, int k, double alpha, const double *a, int lda, double beta, double *c, int ldc);
void gk_gram_f32(bool ta, int n, int k, float alpha, const float *a, int lda, float beta, float *c, int ldc);

/* A = L L^T, lower triangle in place, the upper one left alone. GK_DIVERGED (naming the leading minor) if A is not
 * positive definite. Uses `threads` BLAS threads for this call only. */
int gk_cholesky(double *a, int n, int threads);
int gk_cholesky_f32(float *a, int n, int threads);
/* Solves A X = B for B [n,m] in place from the factor. */
void gk_cholesky_solve(const double *l, int n, double *b, int m, int threads);
void gk_cholesky_solve_f32(const float *l, int n, float *b, int m, int threads);

/* A symmetric [n,n] = V^T diag(values) V: rows of V (over A) are the eigenvectors, values ascending.
 * GK_DIVERGED if the iteration fails or A is not finite. */
int gk_eigen(double *a, int n, double *values);
/* out = A^power by eigendecomposition, negative eigenvalues clipped to 0. out may be a. power > 0. */
int gk_sym_power(double *out, const double *a, int n, double power);
/* The same, and values [n] (or NULL) gets the eigenvalues of the power, ascending. */
int gk_sym_power_values(double *out, double *values, const double *a, int n, double power);
/* exp of the entropy of the normalised eigenvalues (negative ones clipped); 0 for a zero matrix. */
int gk_effective_rank(const double *a, int n, double *out);
double gk_effective_rank_of(const double *values, int n); /* from the eigenvalues */

double gk_norm_sq(const double *a, size_t n);         /* sum of squares */
void gk_add_to(double *restrict sum, const double *restrict a, size_t n); /* sum [n] += a [n] */
/* out [n] = a [n] in the other type; is what is narrowed still the same? (a NaN never is) */
bool gk_narrow(float *restrict out, const double *restrict a, size_t n);
void gk_widen(double *restrict out, const float *restrict a, size_t n);
double gk_trace(const double *a, int n);
double gk_pearson(const double *a, const double *b, size_t n);
void gk_drop_diagonal(double *a, int n);              /* sets the diagonal to 0 */
/* out [r1-r0, c1-c0] = a[r0:r1, c0:c1] */
void gk_block(double *out, const double *a, int lda, int r0, int r1, int c0, int c1);

/* ---- which BLAS, and how many threads ---- */

void gk_blas_threads(int n);          /* of the BLAS inside this process; 1 inside and around OpenMP regions */
const char *gk_blas_core(void);       /* e.g. "SkylakeX"; borrowed */
/* The OPENBLAS_CORETYPE that this CPU deserves, or NULL when the library has picked well: OpenBLAS takes AVX-512 CPUs
 * that it does not know for Haswell or Zen. It is read when the library loads, so `cli` sets it and executes itself
 * again. The answer does not depend on the environment: the caller must leave a variable alone that is set already. */
const char *gk_blas_core_wanted(void);

#endif
