/* zip.c: compressed blobs, the only use of zlib. */
#include "zip.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Weights are noise but for the bytes of sign and exponent, which entropy coding alone takes: matching runs (Z_RLE)
 * instead of strings gives the same size three times as fast (170 MB/s against 50), and is better on identities. */
static int start(z_stream *z)
{
    *z = (z_stream){0};
    return deflateInit2(z, 1, Z_DEFLATED, MAX_WBITS, 9, Z_RLE) == Z_OK ? GK_OK
                                                                       : gk_error(GK_FAILED, "out of memory for zlib");
}

enum { SAMPLE = 1 << 13, AGAIN = 256 /* a byte like the one before it */ };

/* Would entropy coding, by bytes and their runs, make a stretch in the middle of the largest piece at least an eighth
 * smaller? Most weights and features it would not: compressing them took a sixth of an MLP's run, and 4 to 10 % off its
 * database. Small pieces are taken to be worth it. */
static bool seems_worth(const gk_piece *pieces, int count)
{
    const gk_piece *largest = &pieces[0];
    for (int i = 1; i < count; i++)
        if (pieces[i].size > largest->size) largest = &pieces[i];
    if (largest->size < 2 * SAMPLE) return true;
    const unsigned char *sample = (const unsigned char *)largest->data + (largest->size - SAMPLE) / 2;
    int times[AGAIN + 1] = {0};
    for (int i = 1; i < SAMPLE; i++) times[sample[i] == sample[i - 1] ? AGAIN : sample[i]]++;
    double bits = 0;
    for (int b = 0; b <= AGAIN; b++)
        if (times[b]) bits += times[b] * log2((double)SAMPLE / times[b]);
    return bits < 7 * SAMPLE;
}

int gk_zip_pieces(const gk_piece *pieces, int count, unsigned char **out, size_t *size)
{
    size_t n = 0;
    for (int i = 0; i < count; i++) n += pieces[i].size;
    *out = NULL;
    *size = n;
    if (n < 2 || n > UINT_MAX / 2) return GK_OK;
    if (!seems_worth(pieces, count)) return GK_OK;
    unsigned char *packed = gk_alloc(n, 1);
    if (!packed) return GK_FAILED;
    z_stream z;
    if (start(&z) != GK_OK) {
        free(packed);
        return GK_FAILED;
    }
    z.next_out = packed;
    z.avail_out = (unsigned)(n - 1); /* no room: not smaller */
    int rc = Z_OK;
    for (int i = 0; rc == Z_OK && i < count; i++) {
        z.next_in = (unsigned char *)(uintptr_t)pieces[i].data; /* zlib does not write there */
        z.avail_in = (unsigned)pieces[i].size;
        if (i == count - 1)
            rc = deflate(&z, Z_FINISH);
        else if (pieces[i].size > 0)
            rc = deflate(&z, Z_NO_FLUSH);
        if (z.avail_in > 0) rc = Z_BUF_ERROR;
    }
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

int gk_zip(const void *raw, size_t n, unsigned char **out, size_t *size)
{
    return gk_zip_pieces(&(gk_piece){raw, n}, 1, out, size);
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

/* Where compressed bytes come from: all of them in memory, or through `read`. */
typedef struct source {
    const void *data; /* NULL: read */
    gk_zip_read *read;
    void *context;
    size_t n;
} source;

enum { READ_SIZE = 1 << 16 };

/* Gives zlib more to read, where there is more. buffer [READ_SIZE] */
static int refill(const source *from, unsigned char *buffer, z_stream *z)
{
    const size_t at = z->total_in, left = from->n - at;
    if (z->avail_in > 0 || left == 0 || from->data) return GK_OK;
    const size_t some = left < READ_SIZE ? left : READ_SIZE;
    z->next_in = buffer;
    z->avail_in = (unsigned)some;
    return from->read(from->context, at, buffer, some);
}

/* bits: as inflateInit2 takes them; negative for deflate without zlib's header and checksum. */
static int inflate_grow(const source *from, size_t limit, int bits, unsigned char **out, size_t *size)
{
    const size_t n = from->n;
    unsigned char buffer[READ_SIZE];
    *out = NULL;
    if (n > UINT_MAX) return gk_error(GK_FAILED, "a compressed blob of %zu bytes is too large", n);
    z_stream z = {0};
    if (inflateInit2(&z, bits) != Z_OK) return gk_error(GK_FAILED, "out of memory for zlib");
    z.next_in = (unsigned char *)(uintptr_t)from->data;
    z.avail_in = from->data ? (unsigned)n : 0;
    /* One byte more than the limit shows that there is more without keeping it. */
    size_t room = 4 * n + 64;
    if (room > limit + 1) room = limit + 1;
    unsigned char *raw = malloc(room);
    int rc = raw ? Z_OK : Z_MEM_ERROR, code = GK_OK;
    while (rc == Z_OK && (code = refill(from, buffer, &z)) == GK_OK) {
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
    if (code != GK_OK)
        code = GK_FAILED;
    else if (rc == Z_MEM_ERROR)
        code = gk_error(GK_FAILED, "out of memory to decompress a blob of %zu bytes", n);
    else if (used > limit)
        code = gk_error(GK_FAILED, "a compressed blob of %zu bytes holds more than %zu bytes", n, limit);
    else if (rc != Z_STREAM_END)
        code = damaged(n, &z);
    else if (z.total_in != n)
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
    return inflate_grow(&(source){.data = data, .n = n}, limit, MAX_WBITS, out, size);
}

int gk_inflate(const void *data, size_t n, size_t raw_size, unsigned char **out)
{
    size_t size;
    const int code = inflate_grow(&(source){.data = data, .n = n}, raw_size, -MAX_WBITS, out, &size);
    if (code != GK_OK || size == raw_size) return code;
    free(*out);
    *out = NULL;
    return gk_error(GK_FAILED, "%zu deflated bytes hold %zu and should hold %zu", n, size, raw_size);
}

static int unzip(const source *from, size_t raw_size, unsigned char **out)
{
    size_t size;
    const int code = inflate_grow(from, raw_size, MAX_WBITS, out, &size);
    if (code != GK_OK || size == raw_size) return code;
    free(*out);
    *out = NULL;
    return gk_error(GK_FAILED, "a compressed blob holds %zu bytes and should hold %zu", size, raw_size);
}

int gk_unzip(const void *data, size_t n, size_t raw_size, unsigned char **out)
{
    if (n == raw_size) {
        *out = gk_alloc(n, 1);
        if (!*out) return GK_FAILED;
        if (n) memcpy(*out, data, n);
        return GK_OK;
    }
    return unzip(&(source){.data = data, .n = n}, raw_size, out);
}

int gk_unzip_from(gk_zip_read *read, void *context, size_t n, size_t raw_size, unsigned char **out)
{
    if (n != raw_size) return unzip(&(source){.read = read, .context = context, .n = n}, raw_size, out);
    *out = gk_alloc(n, 1);
    const int code = *out ? read(context, 0, *out, n) : GK_FAILED;
    if (code == GK_OK) return GK_OK;
    free(*out);
    *out = NULL;
    return code;
}
