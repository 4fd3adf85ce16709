/* gk_number.h: integer arithmetic modulo p: primes, inverses, primitive roots, discrete logarithms. */
#ifndef GK_NUMBER_H
#define GK_NUMBER_H

#include "gk_base.h"

bool gk_is_prime(int64_t n);
int64_t gk_mod_power(int64_t base, int64_t exponent, int64_t m);
/* x with a x = 1 (mod m), 0 < x < m, or 0 when gcd(a, m) > 1. */
int64_t gk_mod_inverse(int64_t a, int64_t m);
/* The smallest primitive root of a prime p. */
int gk_primitive_root(int p);
/* power [p-1]: root^i mod p; dlog [p]: the inverse map, dlog[0] = -1. p prime. */
void gk_discrete_log(int p, int32_t *power, int32_t *dlog);

#endif
