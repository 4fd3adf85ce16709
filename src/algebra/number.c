/* number.c: primes, inverses, primitive roots and discrete logarithms in integer arithmetic; nothing here can overflow
 * (the code released with Mallinar et al. 2024 does from p = 47 on). */
#include "gk_number.h"

#include <assert.h>

__extension__ typedef unsigned __int128 wide;

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((wide)a * b % m);
}

int64_t gk_mod_power(int64_t base, int64_t exponent, int64_t m)
{
    assert(m > 0 && exponent >= 0);
    uint64_t modulus = (uint64_t)m, square = (uint64_t)(base % m < 0 ? base % m + m : base % m), result = 1 % modulus;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2) result = mul_mod(result, square, modulus);
        square = mul_mod(square, square, modulus);
    }
    return (int64_t)result;
}

/* Miller-Rabin; the first twelve primes as bases decide every n < 3.3e24 (Sorenson and Webster 2015). */
bool gk_is_prime(int64_t n)
{
    static const int bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    const size_t n_bases = sizeof bases / sizeof *bases;

    if (n < 2) return false;
    for (size_t i = 0; i < n_bases; i++) {
        if (n % bases[i] == 0) return n == bases[i];
    }
    int64_t odd = n - 1;
    int twos = 0;
    for (; odd % 2 == 0; odd /= 2) twos++;
    for (size_t i = 0; i < n_bases; i++) {
        int64_t x = gk_mod_power(bases[i], odd, n);
        bool witness = x != 1 && x != n - 1; /* that n is composite, unless a square on the way is -1 */
        for (int s = 1; s < twos && witness; s++) {
            x = (int64_t)mul_mod((uint64_t)x, (uint64_t)x, (uint64_t)n);
            witness = x != n - 1;
        }
        if (witness) return false;
    }
    return true;
}

int64_t gk_mod_inverse(int64_t a, int64_t m)
{
    if (m <= 1) return 0;
    int64_t r0 = m, r1 = a % m < 0 ? a % m + m : a % m, t0 = 0, t1 = 1;
    while (r1 != 0) { /* r = t a (mod m) for both pairs */
        int64_t q = r0 / r1, r2 = r0 - q * r1, t2 = t0 - q * t1;
        r0 = r1, r1 = r2, t0 = t1, t1 = t2;
    }
    if (r0 != 1) return 0;
    return t0 < 0 ? t0 + m : t0;
}

/* g is a primitive root when g^((p-1)/q) != 1 for every prime q that divides p-1. */
static bool generates(int g, int p)
{
    int rest = p - 1;
    for (int q = 2; rest > 1; q++) {
        if (q > rest / q) q = rest; /* what is left is prime */
        if (rest % q != 0) continue;
        if (gk_mod_power(g, (p - 1) / q, p) == 1) return false;
        while (rest % q == 0) rest /= q;
    }
    return true;
}

int gk_primitive_root(int p)
{
    assert(gk_is_prime(p));
    int g = 1;
    while (!generates(g, p)) g++;
    return g;
}

void gk_discrete_log(int p, int32_t *power, int32_t *dlog)
{
    int64_t root = gk_primitive_root(p), value = 1;
    dlog[0] = -1;
    for (int i = 0; i < p - 1; i++) {
        power[i] = (int32_t)value;
        dlog[value] = i;
        value = value * root % p;
    }
}
