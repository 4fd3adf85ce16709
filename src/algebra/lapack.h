/* lapack.h: the Fortran entry points of LAPACK that this room calls; OpenBLAS brings them without LAPACKE's header.
 * Everything is column-major there: a row-major lower triangle is LAPACK's upper one ('U'). Character arguments carry
 * a hidden length at the end of the argument list, which OpenBLAS and LAPACK ignore for single letters. */
#ifndef GK_ALGEBRA_LAPACK_H
#define GK_ALGEBRA_LAPACK_H

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);

#endif
