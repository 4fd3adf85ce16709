/* sha256.c: the identity of stored things. */
#include "gk_base.h"

#include <sodium.h>

void gk_sha256(const void *data, size_t n, char out[GK_SHA256_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, n ? data : (const unsigned char *)"", n);
    sodium_bin2hex(out, GK_SHA256_HEX, digest, sizeof digest);
}
