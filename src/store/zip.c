/* zip.c: compressed blobs, the only use of zlib. */
#include "zip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Weights are noise but for the bytes of sign and exponent, which entropy coding alone takes: matching runs (Z_RLE)
 * instead of strings gives the same size three times as fast (170 MB/s against 50), and is better on identities. */
int gk_zip(const void *raw, size_t n, unsigned char **out, size_t *size)
{
    *out = NULL;
    *size = n;
    if (n < 2 || n > UINT_MAX / 2) return GK_OK;
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS, 9, Z_RLE) != Z_OK)
        return gk_error(GK_FAILED, "out of memory for zlib");
    unsigned char *packed = gk_alloc(n, 1);
    if (!packed) {
        deflateEnd(&z);
        return GK_FAILED;
    }
    z.next_in = (unsigned char *)(uintptr_t)raw; /* zlib does not write there */
    z.avail_in = (unsigned)n;
    z.next_out = packed;
    z.avail_out = (unsigned)(n - 1); /* no room: not smaller */
    const int rc = deflate(&z, Z_FINISH);
    const size_t used = z.total_out;
    deflateEnd(&z);
    if (rc == Z_STREAM_END) {
        *out = packed;
        *size = used;
        return GK_OK;
    }
    free(packed);
    return rc == Z_OK || rc == Z_BUF_ERROR ? GK_OK
                                           : gk_error(GK_FAILED, "zlib cannot compress %zu bytes (code %d)", n, rc);
}

int gk_deflate(const void *raw, size_t n, unsigned char **out, size_t *size)
{
    uLongf room = compressBound((uLong)n);
    unsigned char *packed = gk_alloc(room, 1);
    if (!packed) return GK_FAILED;
    if (compress2(packed, &room, raw, (uLong)n, 6) != Z_OK) {
        free(packed);
        return gk_error(GK_FAILED, "out of memory for zlib");
    }
    *out = packed;
    *size = room;
    return GK_OK;
}

uint32_t gk_crc32(uint32_t crc, const void *data, size_t n)
{
    return (uint32_t)crc32_z(crc, data, n);
}

bool gk_is_zipped(const void *data, size_t n)
{
    const unsigned char *d = data;
    return n >= 6 && (d[0] & 0x0f) == Z_DEFLATED && (d[0] >> 4) <= 7 && (d[0] * 256 + d[1]) % 31 == 0;
}

static int damaged(size_t n, const z_stream *z)
{
    return gk_error(GK_FAILED, "a compressed blob of %zu bytes is damaged: %s", n,
                    z->msg ? z->msg : "it ends too early");
}

/* bits: as inflateInit2 takes them; negative for deflate without zlib's header and checksum. */
static int inflate_grow(const void *data, size_t n, size_t limit, int bits, unsigned char **out, size_t *size)
{
    *out = NULL;
    if (n > UINT_MAX) return gk_error(GK_FAILED, "a compressed blob of %zu bytes is too large", n);
    z_stream z = {0};
    if (inflateInit2(&z, bits) != Z_OK) return gk_error(GK_FAILED, "out of memory for zlib");
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (unsigned)n;
    /* One byte more than the limit shows that there is more without keeping it. */
    size_t room = 4 * n + 64;
    if (room > limit + 1) room = limit + 1;
    unsigned char *raw = malloc(room);
    int rc = raw ? Z_OK : Z_MEM_ERROR;
    while (rc == Z_OK) {
        const size_t used = z.total_out;
        if (used > limit) break;
        if (used == room) {
            room = 2 * room > limit + 1 ? limit + 1 : 2 * room;
            unsigned char *more = realloc(raw, room);
            if (!more) {
                rc = Z_MEM_ERROR;
                break;
            }
            raw = more;
        }
        z.next_out = raw + used;
        z.avail_out = (unsigned)(room - used > UINT_MAX / 2 ? UINT_MAX / 2 : room - used);
        rc = inflate(&z, Z_NO_FLUSH);
        if (rc == Z_BUF_ERROR && z.avail_in != 0) rc = Z_OK;
    }
    const size_t used = z.total_out;
    int code = GK_OK;
    if (rc == Z_MEM_ERROR)
        code = gk_error(GK_FAILED, "out of memory to decompress a blob of %zu bytes", n);
    else if (used > limit)
        code = gk_error(GK_FAILED, "a compressed blob of %zu bytes holds more than %zu bytes", n, limit);
    else if (rc != Z_STREAM_END)
        code = damaged(n, &z);
    else if (z.avail_in != 0)
        code = gk_error(GK_FAILED, "a compressed blob of %zu bytes is followed by others", n);
    inflateEnd(&z);
    if (code != GK_OK) {
        free(raw);
        return code;
    }
    *out = raw;
    *size = used;
    return GK_OK;
}

int gk_unzip_grow(const void *data, size_t n, size_t limit, unsigned char **out, size_t *size)
{
    return inflate_grow(data, n, limit, MAX_WBITS, out, size);
}

int gk_inflate(const void *data, size_t n, size_t raw_size, unsigned char **out)
{
    size_t size;
    const int code = inflate_grow(data, n, raw_size, -MAX_WBITS, out, &size);
    if (code != GK_OK || size == raw_size) return code;
    free(*out);
    *out = NULL;
    return gk_error(GK_FAILED, "%zu deflated bytes hold %zu and should hold %zu", n, size, raw_size);
}

int gk_unzip(const void *data, size_t n, size_t raw_size, unsigned char **out)
{
    if (n == raw_size) {
        *out = gk_alloc(n, 1);
        if (!*out) return GK_FAILED;
        if (n) memcpy(*out, data, n);
        return GK_OK;
    }
    size_t size;
    const int code = gk_unzip_grow(data, n, raw_size, out, &size);
    if (code != GK_OK || size == raw_size) return code;
    free(*out);
    *out = NULL;
    return gk_error(GK_FAILED, "a compressed blob holds %zu bytes and should hold %zu", size, raw_size);
}
