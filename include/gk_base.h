/* gk_base.h: errors, text, files, time, hashes, random numbers and tensor pools: what every room stands on. */
#ifndef GK_BASE_H
#define GK_BASE_H

#include "groklab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__GNUC__)
#define GK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define GK_PRINTF(fmt, args)
#endif

/* GK_HOT marks a hot loop's function: it is compiled once per instruction set and picked when the
 * program loads. PORTABLE=1 and sanitizer builds define GK_PORTABLE, and then there is one version. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(GK_PORTABLE)
#define GK_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GK_HOT
#endif

/* ---- errors: a function that can fail for a reason outside the code returns GK_OK or a negative code. The codes and
 * gk_error_text(), which gives back the line, are public: groklab.h. ---- */

/* Keeps one line of text for this thread (what, where, what would be accepted) and returns `code`. */
int gk_error(int code, const char *fmt, ...) GK_PRINTF(2, 3);

/* Like malloc/calloc, but failure leaves a line in gk_error_text(). The result is freed with free(). */
void *gk_alloc(size_t count, size_t item);  /* not cleared, 64-byte aligned */
void *gk_calloc(size_t count, size_t item); /* cleared, 64-byte aligned */

/* ---- text ---- */

/* malloc'ed sprintf; NULL (with an error line) when memory is out. */
char *gk_text(const char *fmt, ...) GK_PRINTF(1, 2);

/* The entry of `words` (NULL-terminated) that is nearest to `word` in edit distance, or NULL if none is near. */
const char *gk_text_nearest(const char *word, const char *const *words);

/* Whole-string number parsers: 0, or GK_USAGE for trailing text, overflow, NaN. They set no error line. */
int gk_text_int(const char *text, int64_t *out);
int gk_text_real(const char *text, double *out);

/* The shortest decimal text that reads back as the same double; `out` holds 32 bytes. */
void gk_text_from_real(double value, char out[32]);

/* ---- files ---- */

/* A file that is being written: a new one beside it that takes its place once all of it is there. Until then, and for
 * ever if writing fails, what stood there before stays. A device or a pipe is written as it is, and never removed. */
typedef struct gk_file {
    FILE *to;            /* what to write to; NULL while no file is open */
    const char *name;    /* as the caller gave it; borrowed */
    char *place, *beside; /* private */
} gk_file;

int gk_file_open(gk_file *f, const char *name);
/* Puts the file in its place if `code` is GK_OK, else throws it away. Returns `code`, or why it could not be written. */
int gk_file_close(gk_file *f, int code);

/* ---- time ---- */

/* Seconds since some moment in the past, by a clock that nobody sets: only differences mean anything. */
double gk_seconds(void);

/* ---- hashes ---- */

#define GK_SHA256_HEX 65 /* 64 hexadecimal digits and the terminator */

/* SHA-256 of n bytes, as lower-case hexadecimal text. */
void gk_sha256(const void *data, size_t n, char out[GK_SHA256_HEX]);

/* Bytes that lie in several places, meant as one stream. */
typedef struct gk_piece {
    const void *data;
    size_t size;
} gk_piece;
void gk_sha256_pieces(const gk_piece *pieces, int n, char out[GK_SHA256_HEX]);

/* ---- random numbers: Philox4x64-10 (Salmon et al. 2011), a counter-based generator ---- */

typedef struct gk_random {
    uint64_t key[2], counter[4], block[4];
    int left; /* values of `block` not yet handed out */
} gk_random;

/* Stream `stream` of `seed`. With stream 0 the raw output equals numpy.random.Philox(key=seed).random_raw(). */
void gk_random_seed(gk_random *r, uint64_t seed, uint64_t stream);
uint64_t gk_random_raw(gk_random *r);
double gk_random_uniform(gk_random *r);                      /* [0, 1), 53 bits of one raw value */
double gk_random_normal(gk_random *r);                       /* N(0, 1), Box-Muller, two raw values each */
uint64_t gk_random_below(gk_random *r, uint64_t n);          /* 0 .. n-1, without bias */
void gk_random_shuffle(gk_random *r, int32_t *items, int n); /* Fisher-Yates from the end */

/* Streams in use, so that no two purposes share numbers. A shuffle of epoch e takes stream SHUFFLE + e. */
enum { GK_STREAM_SPLIT = 0, GK_STREAM_INIT = 1, GK_STREAM_FEATURES = 2, GK_STREAM_SHUFFLE = 1 << 16 };

/* ---- tensor pools: one block of memory, laid out by running the same layout function twice ---- */

typedef struct gk_pool {
    unsigned char *base; /* NULL while counting */
    size_t used, size;   /* bytes */
} gk_pool;

/* Takes count items, 64-byte aligned. Returns NULL while the pool is only counting. */
void *gk_pool_take(gk_pool *pool, size_t count, size_t item);
/* After the counting pass: allocates what was counted, cleared, and rewinds for the second pass. */
int gk_pool_alloc(gk_pool *pool);
void gk_pool_free(gk_pool *pool);

/* The most memory, in bytes, that was resident since the last reset; without one, or where the system knows none, since the
 * process began. */
int64_t gk_peak_memory(void);
void gk_peak_memory_reset(void);

#endif
