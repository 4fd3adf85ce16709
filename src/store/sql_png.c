/* sql_png.c: a matrix as a PNG picture (PNG specification, third edition): indexed colours, one byte a pixel. */
#include "sql_core.h"
#include "zip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Index 0 is -1, 127 is 0, 254 is +1 of the largest absolute entry; 255 is grey, for what is not a number. */
enum { LEVELS = 127, NOT_A_NUMBER = 255 };

/* Blue, white, red in equal steps of lightness, told apart by every kind of colour vision (ColorBrewer RdBu, 11
 * classes). */
static const unsigned char ANCHORS[11][3] = {{5, 48, 97},     {33, 102, 172},  {67, 147, 195},  {146, 197, 222},
                                             {209, 229, 240}, {247, 247, 247}, {253, 219, 199}, {244, 165, 130},
                                             {214, 96, 77},   {178, 24, 43},   {103, 0, 31}};

static void make_palette(unsigned char palette[256][3])
{
    for (int i = 0; i <= 2 * LEVELS; i++) {
        const double at = 10.0 * i / (2 * LEVELS);
        const int k = at >= 10 ? 9 : (int)at;
        for (int c = 0; c < 3; c++)
            palette[i][c] = (unsigned char)lround(ANCHORS[k][c] + (at - k) * (ANCHORS[k + 1][c] - ANCHORS[k][c]));
    }
    memset(palette[NOT_A_NUMBER], 128, 3);
}

/* Rows of [filter 0, indices]; each entry is zoom x zoom pixels. */
static void paint(unsigned char *pixels, const gk_sql_matrix *m, int zoom)
{
    double largest = 0;
    for (size_t i = 0; i < (size_t)m->rows * (size_t)m->cols; i++) {
        if (isfinite(m->data[i])) largest = fmax(largest, fabs(m->data[i]));
    }
    const size_t line = (size_t)m->cols * (size_t)zoom + 1;
    for (int i = 0; i < m->rows; i++) {
        unsigned char *first = pixels + (size_t)i * (size_t)zoom * line;
        *first = 0;
        for (int j = 0; j < m->cols; j++) {
            const double value = m->data[(size_t)i * (size_t)m->cols + (size_t)j];
            /* Divided before it is scaled: the largest entry may be the largest double. */
            double level = largest > 0 ? fmin(fmax(value / largest, -1), 1) * LEVELS : 0;
            const int index = isnan(value) ? NOT_A_NUMBER : LEVELS + (int)lround(level);
            memset(first + 1 + (size_t)j * (size_t)zoom, index, (size_t)zoom);
        }
        for (int k = 1; k < zoom; k++) memcpy(first + (size_t)k * line, first, line);
    }
}

static unsigned char *put32(unsigned char *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = (unsigned char)(value >> shift);
    return at;
}

/* Length, kind, data, and the check sum of kind and data. */
static unsigned char *put_chunk(unsigned char *at, const char *kind, const void *data, size_t n)
{
    at = put32(at, (uint32_t)n);
    unsigned char *from = at;
    memcpy(at, kind, 4);
    if (n) memcpy(at + 4, data, n);
    at += 4 + n;
    return put32(at, gk_crc32(0, from, n + 4));
}

int gk_sql_png(const gk_sql_matrix *m, int zoom, unsigned char **out, size_t *size)
{
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const size_t width = (size_t)m->cols * (size_t)zoom, height = (size_t)m->rows * (size_t)zoom;
    unsigned char *pixels = gk_alloc(height * (width + 1), 1), *packed;
    size_t packed_size;
    if (!pixels) return GK_FAILED;
    paint(pixels, m, zoom);
    const int code = gk_deflate(pixels, height * (width + 1), &packed, &packed_size);
    free(pixels);
    if (code != GK_OK) return code;
    unsigned char palette[256][3], header[13] = {0};
    make_palette(palette);
    put32(put32(header, (uint32_t)width), (uint32_t)height);
    header[8] = 8; /* bits */
    header[9] = 3; /* indexed colour */
    unsigned char *png = gk_alloc(sizeof signature + 4 * 12 + sizeof header + sizeof palette + packed_size, 1);
    if (png) {
        memcpy(png, signature, sizeof signature);
        unsigned char *at = put_chunk(png + sizeof signature, "IHDR", header, sizeof header);
        at = put_chunk(at, "PLTE", palette, sizeof palette);
        at = put_chunk(at, "IDAT", packed, packed_size);
        at = put_chunk(at, "IEND", NULL, 0);
        *out = png;
        *size = (size_t)(at - png);
    }
    free(packed);
    return png ? GK_OK : GK_FAILED;
}
