/* sha256.c: the identity of stored things. Every blob is hashed when it is written and when it is read, which was a fifteenth of
 * an RFM's run: by the processor's own instructions where it has them, by libsodium elsewhere. */
#include "gk_base.h"

#include <sodium.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

static bool have_instructions(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* state [a..h] takes in whole blocks of 64 bytes (FIPS 180-4, 6.2.2). The instructions want it as (a, b, e, f) and (c, d, g,
 * h), high to low; one of them makes two rounds, so a vector w of four words of the schedule is four rounds. */
__attribute__((target("sha,sse4.1,ssse3"))) static void take_blocks(uint32_t *state, const unsigned char *data, size_t blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
    __m128i cdgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, cdgh, 8);
    cdgh = _mm_blend_epi16(cdgh, low, 0xf0);
    for (; blocks > 0; blocks--, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i)), big_endian);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *here = &w[i % 4], one = w[(i + 1) % 4], two = w[(i + 2) % 4], three = w[(i + 3) % 4];
            const __m128i k = _mm_loadu_si128((const __m128i *)(const void *)(round_constants + 4 * i));
            const __m128i sum = _mm_add_epi32(*here, k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (i >= 12) continue;
            const __m128i begun = _mm_add_epi32(_mm_sha256msg1_epu32(*here, one), _mm_alignr_epi8(three, two, 4));
            *here = _mm_sha256msg2_epu32(begun, three);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    cdgh = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(low, cdgh, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(cdgh, low, 8));
}

static void hash(unsigned char *digest, const unsigned char *data, size_t n)
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char end[128] = {0}; /* what no block holds, a one bit, zeros, and the length in bits */
    const size_t left = n % 64, padded = left < 56 ? 64 : 128;
    take_blocks(state, data, n / 64);
    memcpy(end, data + (n - left), left);
    end[left] = 0x80;
    for (size_t i = 0; i < 8; i++) end[padded - 1 - i] = (unsigned char)((uint64_t)n << 3 >> (8 * i));
    take_blocks(state, end, padded / 64);
    for (int i = 0; i < 32; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - i % 4 * 8));
}
#else
static bool have_instructions(void) { return false; }
static void hash(unsigned char *digest, const unsigned char *data, size_t n) { crypto_hash_sha256(digest, data, n); }
#endif

void gk_sha256(const void *data, size_t n, char out[GK_SHA256_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    const unsigned char *bytes = n ? data : (const unsigned char *)"";
    if (have_instructions()) hash(digest, bytes, n);
    else crypto_hash_sha256(digest, bytes, n);
    sodium_bin2hex(out, GK_SHA256_HEX, digest, sizeof digest);
}

void gk_sha256_pieces(const gk_piece *pieces, int n, char out[GK_SHA256_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    if (n == 1) {
        gk_sha256(pieces->data, pieces->size, out);
        return;
    }
    crypto_hash_sha256_init(&state);
    for (int i = 0; i < n; i++) {
        if (pieces[i].size) crypto_hash_sha256_update(&state, pieces[i].data, pieces[i].size);
    }
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(out, GK_SHA256_HEX, digest, sizeof digest);
}
