/* random.c: Philox4x64-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3" (SC 2011), section 3.3. The key is (seed, stream), the counter starts at 0 and,
 * as in NumPy, is incremented before each block, so that the first block handed out is that of counter 1. */
#include "gk_base.h"

#include <assert.h>
#include <math.h>

__extension__ typedef unsigned __int128 wide;

enum { ROUNDS = 10 };
static const uint64_t multiplier[2] = {UINT64_C(0xD2E7470EE14C6C93), UINT64_C(0xCA5A826395121157)};
static const uint64_t weyl[2] = {UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xBB67AE8584CAA73B)};

/* out = Philox4x64-10 (counter, key): ten rounds of two 64 x 64 -> 128 bit products, the key bumped between. */
static void philox_block(uint64_t out[4], const uint64_t counter[4], const uint64_t key[2])
{
    uint64_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint64_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        wide a = (wide)multiplier[0] * c0, b = (wide)multiplier[1] * c2;
        c0 = (uint64_t)(b >> 64) ^ c1 ^ k0;
        c2 = (uint64_t)(a >> 64) ^ c3 ^ k1;
        c1 = (uint64_t)b;
        c3 = (uint64_t)a;
        k0 += weyl[0];
        k1 += weyl[1];
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void gk_random_seed(gk_random *r, uint64_t seed, uint64_t stream)
{
    *r = (gk_random){.key = {seed, stream}};
}

uint64_t gk_random_raw(gk_random *r)
{
    if (r->left == 0) {
        for (int i = 0; i < 4 && ++r->counter[i] == 0; i++) {
        }
        philox_block(r->block, r->counter, r->key);
        r->left = 4;
    }
    return r->block[4 - r->left--];
}

double gk_random_uniform(gk_random *r)
{
    return (double)(gk_random_raw(r) >> 11) * 0x1p-53;
}

double gk_random_normal(gk_random *r)
{
    double radius = sqrt(-2.0 * log(1.0 - gk_random_uniform(r))); /* 1 - u is in (0, 1]: never log 0 */
    return radius * cos(2.0 * 3.14159265358979323846 * gk_random_uniform(r));
}

uint64_t gk_random_below(gk_random *r, uint64_t n)
{
    assert(n > 0);
    /* 2^64 mod n values at the bottom are refused: what is left is a whole number of runs 0 .. n-1. */
    uint64_t refused = (UINT64_MAX - n + 1) % n, raw;
    do raw = gk_random_raw(r);
    while (raw < refused);
    return raw % n;
}

void gk_random_shuffle(gk_random *r, int32_t *items, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)gk_random_below(r, (uint64_t)i + 1);
        int32_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
