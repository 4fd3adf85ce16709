/* npy.c: NumPy's array format (numpy.lib.format): magic, version, a Python dictionary literal, the numbers. */
#include "gk_store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_SIZE = 6, HEADER_MAX = 65536 };

/* By gk_dtype. */
static const char *const DESCR[] = {[GK_F32] = "<f4", [GK_F64] = "<f8", [GK_I32] = "<i4", [GK_I64] = "<i8"};

int gk_npy_write(const void *data, gk_dtype dtype, int rank, const int64_t *shape, unsigned char **out, size_t *size)
{
    char dims[128];
    int at = 0;
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        at += snprintf(dims + at, sizeof dims - (size_t)at, i ? ", %lld" : "%lld", (long long)shape[i]);
        count *= (size_t)shape[i];
    }
    if (rank == 1)
        snprintf(dims + at, sizeof dims - (size_t)at, ",");
    else if (rank == 0)
        dims[0] = '\0';
    char header[256];
    const int text =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", DESCR[dtype], dims);
    /* Blanks and a newline, so that the numbers start at a multiple of 64. */
    const size_t start = (MAGIC_SIZE + 4 + (size_t)text + 1 + 63) / 64 * 64, bytes = count * gk_dtype_size(dtype);
    unsigned char *npy = gk_alloc(start + bytes, 1);
    if (!npy) return GK_FAILED;
    memcpy(npy, MAGIC, MAGIC_SIZE);
    const size_t length = start - MAGIC_SIZE - 4;
    const unsigned char version[4] = {1, 0, (unsigned char)(length & 0xff), (unsigned char)(length >> 8)};
    memcpy(npy + MAGIC_SIZE, version, 4);
    memset(npy + MAGIC_SIZE + 4, ' ', length - 1);
    npy[start - 1] = '\n';
    memcpy(npy + MAGIC_SIZE + 4, header, (size_t)text);
    if (bytes) memcpy(npy + start, data, bytes);
    *out = npy;
    *size = start + bytes;
    return GK_OK;
}

/* ---- reading: a cursor over the dictionary, of which NumPy writes and accepts one small shape ---- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

/* A quoted word without escapes, into out. */
static bool take_word(cursor *c, char out[32])
{
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    const char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote && n < 31) out[n++] = *c->at++;
    out[n] = '\0';
    return c->at < c->end && *c->at++ == quote;
}

static bool take_name(cursor *c, const char *name)
{
    skip_blanks(c);
    const size_t n = strlen(name);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, name, n) != 0) return false;
    c->at += n;
    return true;
}

static bool take_size(cursor *c, int64_t *out)
{
    skip_blanks(c);
    int64_t value = 0;
    const char *first = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (value > (INT64_MAX - 9) / 10) return false;
        value = 10 * value + (*c->at - '0');
    }
    if (c->at < c->end && *c->at == 'L') c->at++; /* Python 2 wrote long integers so */
    *out = value;
    return c->at > first;
}

typedef struct header {
    char descr[32];
    bool fortran;
    int rank;
    int64_t shape[4];
    int seen; /* bits: descr, order, shape */
} header;

static bool take_shape(cursor *c, header *h)
{
    if (!take(c, '(')) return false;
    for (h->rank = 0; !take(c, ')'); h->rank++) {
        if (h->rank == 4 || !take_size(c, &h->shape[h->rank])) return false;
        if (!take(c, ',')) {
            h->rank++;
            return take(c, ')');
        }
    }
    return true;
}

static bool take_entry(cursor *c, header *h)
{
    char key[32];
    if (!take_word(c, key) || !take(c, ':')) return false;
    if (strcmp(key, "descr") == 0) {
        h->seen |= 1;
        return take_word(c, h->descr);
    }
    if (strcmp(key, "fortran_order") == 0) {
        h->seen |= 2;
        h->fortran = take_name(c, "True");
        return h->fortran || take_name(c, "False");
    }
    h->seen |= 4;
    return strcmp(key, "shape") == 0 && take_shape(c, h);
}

static bool take_header(cursor *c, header *h)
{
    if (!take(c, '{')) return false;
    while (!take(c, '}')) {
        if (!take_entry(c, h)) return false;
        if (!take(c, ',')) {
            if (!take(c, '}')) return false;
            break;
        }
    }
    skip_blanks(c);
    return c->at == c->end && h->seen == 7;
}

static double number_at(const unsigned char *data, size_t i, const char *descr)
{
    if (descr[1] == 'f' && descr[2] == '8') {
        double v;
        memcpy(&v, data + 8 * i, 8);
        return v;
    }
    if (descr[1] == 'f') {
        float v;
        memcpy(&v, data + 4 * i, 4);
        return (double)v;
    }
    if (descr[2] == '8') {
        int64_t v;
        memcpy(&v, data + 8 * i, 8);
        return (double)v;
    }
    if (descr[2] == '4') {
        int32_t v;
        memcpy(&v, data + 4 * i, 4);
        return v;
    }
    return data[i];
}

/* Finds the dictionary behind the version's length field. */
static int find_header(const unsigned char *raw, size_t size, cursor *c)
{
    if (size < MAGIC_SIZE + 4 || memcmp(raw, MAGIC, MAGIC_SIZE) != 0)
        return gk_error(GK_FAILED, "not an npy array: it does not start with \\x93NUMPY");
    const unsigned char *v = raw + MAGIC_SIZE;
    if (v[0] < 1 || v[0] > 3 || v[1] != 0)
        return gk_error(GK_FAILED, "an npy array of version %d.%d; versions 1.0, 2.0 and 3.0 are read", v[0], v[1]);
    const size_t skip = v[0] == 1 ? MAGIC_SIZE + 4 : MAGIC_SIZE + 6;
    if (size < skip) return gk_error(GK_FAILED, "an npy array that ends within its header");
    size_t length = (size_t)v[2] | (size_t)v[3] << 8;
    if (v[0] > 1) length |= (size_t)v[4] << 16 | (size_t)v[5] << 24;
    if (length > size - skip)
        return gk_error(GK_FAILED, "an npy array that ends within its header of %zu bytes", length);
    if (length > HEADER_MAX)
        return gk_error(GK_FAILED, "an npy header of %zu bytes; at most %d are read", length, HEADER_MAX);
    c->at = (const char *)raw + skip;
    c->end = c->at + length;
    return GK_OK;
}

/* A checked array: `data` are `count` numbers of type h->descr, which fill the rest of raw. */
static int open_array(const unsigned char *raw, size_t size, header *h, const unsigned char **data, size_t *count)
{
    static const char *const known[] = {"<f8", "<f4", "<i8", "<i4", "|u1"};
    cursor c = {0};
    *h = (header){0};
    const int code = find_header(raw, size, &c);
    if (code != GK_OK) return code;
    *data = (const unsigned char *)c.end;
    if (!take_header(&c, h))
        return gk_error(GK_FAILED, "an npy array with a header that cannot be read; up to 4 dimensions are accepted");
    size_t item = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(h->descr, known[i]) == 0) item = (size_t)(h->descr[2] - '0');
    }
    if (item == 0)
        return gk_error(GK_FAILED, "an npy array of type '%s'; '<f8', '<f4', '<i8', '<i4' and '|u1' are accepted",
                        h->descr);
    if (h->fortran && h->rank > 1)
        return gk_error(GK_FAILED, "an npy array in Fortran order; write it with np.ascontiguousarray(a)");

    /* The claimed shape must be exactly what is there before anything is allocated for it. */
    const size_t there = size - (size_t)(*data - raw);
    bool fits = true, empty = false;
    for (int i = 0; i < h->rank; i++) {
        fits = fits && h->shape[i] <= INT_MAX;
        empty = empty || h->shape[i] == 0;
    }
    *count = empty ? 0 : 1;
    for (int i = 0; fits && !empty && i < h->rank; i++) {
        if ((fits = *count <= there / (size_t)h->shape[i])) *count *= (size_t)h->shape[i];
    }
    if (!fits || *count > there / item)
        return gk_error(GK_FAILED, "an npy array is truncated: its shape needs more than the %zu bytes there are",
                        there);
    if (*count * item != there)
        return gk_error(GK_FAILED, "an npy array of %zu bytes is followed by %zu others", *count * item,
                        there - *count * item);
    return GK_OK;
}

int gk_npy_read(const unsigned char *raw, size_t size, double **out, int *rank, int64_t shape[4])
{
    header h;
    const unsigned char *data;
    size_t count;
    *out = NULL;
    const int code = open_array(raw, size, &h, &data, &count);
    if (code != GK_OK) return code;
    double *numbers = gk_alloc(count, sizeof *numbers);
    if (!numbers) return GK_FAILED;
    for (size_t i = 0; i < count; i++) numbers[i] = number_at(data, i, h.descr);
    *out = numbers;
    *rank = h.rank;
    memcpy(shape, h.shape, sizeof h.shape);
    return GK_OK;
}

int gk_npy_tensor(const unsigned char *raw, size_t size, gk_tensor *out)
{
    header h;
    const unsigned char *data;
    size_t count;
    const int code = open_array(raw, size, &h, &data, &count);
    if (code != GK_OK) return code;
    for (int type = GK_F32; type <= GK_I64; type++) {
        if (strcmp(h.descr, DESCR[type]) != 0) continue;
        out->dtype = (gk_dtype)type;
        out->rank = h.rank;
        memcpy(out->shape, h.shape, sizeof out->shape);
        out->data = (void *)(uintptr_t)data;
        return GK_OK;
    }
    return gk_error(GK_FAILED, "an npy array of type '%s'; tensors are '<f4', '<f8', '<i4' or '<i8'", h.descr);
}
