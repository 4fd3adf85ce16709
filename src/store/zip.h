/* zip.h: compressed blobs, the only use of zlib. Private to src/store. */
#ifndef GK_STORE_ZIP_H
#define GK_STORE_ZIP_H

#include "gk_base.h"

/* A zlib stream of the pieces, malloc'ed, or *out = NULL where it would not be smaller, or by a sample's word less than
 * an eighth: then they themselves are what to store. Both open with the sqlite3 shell's sqlar_uncompress(data, raw_size). */
int gk_zip_pieces(const gk_piece *pieces, int n, unsigned char **out, size_t *size);
int gk_zip(const void *raw, size_t n, unsigned char **out, size_t *size);

/* A zlib stream in any case, and the CRC-32 of n bytes going on from `crc` (0 to start): for PNG. */
int gk_deflate(const void *raw, size_t n, unsigned char **out, size_t *size);
uint32_t gk_crc32(uint32_t crc, const void *data, size_t n);

/* The raw_size bytes of a stored blob, malloc'ed; data of that size is taken as it is. GK_FAILED if it is damaged. */
int gk_unzip(const void *data, size_t n, size_t raw_size, unsigned char **out);

/* The same of a blob that is read bit by bit: `read` fills to[n] with what lies from `at` on. */
typedef int gk_zip_read(void *context, size_t at, unsigned char *to, size_t n);
int gk_unzip_from(gk_zip_read *read, void *context, size_t n, size_t raw_size, unsigned char **out);

/* The same where the raw size is not known: grows with what really comes out, never past `limit` bytes. */
int gk_unzip_grow(const void *data, size_t n, size_t limit, unsigned char **out, size_t *size);

/* raw_size bytes from a deflate stream without header, as ZIP archives have it; malloc'ed. */
int gk_inflate(const void *data, size_t n, size_t raw_size, unsigned char **out);

/* Does it start like a zlib stream? A raw npy starts with \x93, safetensors with a length whose low byte could be
 * anything, but whose high bytes are 0. */
bool gk_is_zipped(const void *data, size_t n);

#endif
