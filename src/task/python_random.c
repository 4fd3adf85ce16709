/* python_random.c: the shuffle of CPython's random module, so that splits made with
 * random.seed(seed); random.shuffle(pairs) (Nanda et al. 2023) can be had again. The generator is MT19937
 * (Matsumoto and Nishimura 1998), seeded by their init_by_array. */
#include "task.h"

enum { N = 624, M = 397 };

typedef struct mersenne {
    uint32_t state[N];
    int used;
} mersenne;

/* CPython hands init_by_array the seed's 32-bit digits, lowest first; seed 0 has one digit, 0. */
static void mersenne_seed(mersenne *r, uint64_t seed)
{
    const uint32_t digits[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    int n_digits = digits[1] ? 2 : 1;
    uint32_t *s = r->state;
    s[0] = 19650218;
    for (uint32_t i = 1; i < N; i++) s[i] = UINT32_C(1812433253) * (s[i - 1] ^ (s[i - 1] >> 30)) + i;

    int i = 1, j = 0;
    for (int k = 0; k < N; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * UINT32_C(1664525))) + digits[j] + (uint32_t)j;
        if (++j == n_digits) j = 0;
        if (++i == N) s[0] = s[N - 1], i = 1;
    }
    for (int k = 0; k < N - 1; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * UINT32_C(1566083941))) - (uint32_t)i;
        if (++i == N) s[0] = s[N - 1], i = 1;
    }
    s[0] = UINT32_C(0x80000000);
    r->used = N;
}

static uint32_t mersenne_raw(mersenne *r)
{
    uint32_t *s = r->state;
    if (r->used == N) {
        for (int i = 0; i < N; i++) {
            uint32_t y = (s[i] & UINT32_C(0x80000000)) | (s[(i + 1) % N] & UINT32_C(0x7fffffff));
            s[i] = s[(i + M) % N] ^ (y >> 1) ^ (y & 1 ? UINT32_C(0x9908b0df) : 0);
        }
        r->used = 0;
    }
    uint32_t y = s[r->used++];
    y ^= y >> 11;
    y ^= (y << 7) & UINT32_C(0x9d2c5680);
    y ^= (y << 15) & UINT32_C(0xefc60000);
    return y ^ (y >> 18);
}

/* Random._randbelow_with_getrandbits(n): as many bits as n has, again until the value is below n. 0 < n < 2^31 */
static uint32_t mersenne_below(mersenne *r, uint32_t n)
{
    int bits = 0;
    while (n >> bits) bits++;
    uint32_t value;
    do value = mersenne_raw(r) >> (32 - bits);
    while (value >= n);
    return value;
}

void gk_python_shuffle(uint64_t seed, int32_t *items, int n)
{
    mersenne r;
    mersenne_seed(&r, seed);
    for (int i = n - 1; i > 0; i--) {
        uint32_t j = mersenne_below(&r, (uint32_t)i + 1);
        int32_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
