/* safetensors.c: named tensors as a byte stream (huggingface/safetensors): 8 bytes of header length, little-endian, a
 * JSON header {name: {dtype, shape, data_offsets}}, the numbers. A reader trusts nothing that the header claims. */
#include "gk_store.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, HEADER_MAX = 1 << 20 };

/* By gk_dtype. */
static const char *const DTYPES[] = {[GK_F32] = "F32", [GK_F64] = "F64", [GK_I32] = "I32", [GK_I64] = "I64"};

/* ---- writing ---- */

static json_t *header_of(const gk_tensor *tensors, int n, const char *const *meta, size_t *bytes)
{
    json_t *header = json_object();
    if (meta && meta[0]) {
        json_t *words = json_object();
        for (; meta[0]; meta += 2) json_object_set_new(words, meta[0], json_string(meta[1]));
        json_object_set_new(header, "__metadata__", words);
    }
    *bytes = 0;
    for (int i = 0; i < n; i++) {
        const size_t start = *bytes;
        *bytes += gk_tensor_bytes(&tensors[i]);
        json_t *shape = json_array();
        for (int k = 0; k < tensors[i].rank; k++) json_array_append_new(shape, json_integer(tensors[i].shape[k]));
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", DTYPES[tensors[i].dtype], "shape", shape,
                                  "data_offsets", (json_int_t)start, (json_int_t)*bytes);
        json_object_set_new(header, tensors[i].name, entry);
    }
    return header;
}

int gk_safetensors_pieces(const gk_tensor *tensors, int n, const char *const *meta, unsigned char **head, gk_piece *out)
{
    size_t bytes;
    assert(n <= GK_TENSORS_MAX);
    json_t *header = header_of(tensors, n, meta, &bytes);
    char *text = json_dumps(header, JSON_COMPACT);
    const size_t named = json_object_size(header) - (meta && meta[0] ? 1 : 0);
    json_decref(header);
    if (!text || named != (size_t)n) {
        free(text);
        return gk_error(GK_FAILED, "cannot write %d tensors: a name is not UTF-8, or there twice", n);
    }
    /* Blanks, so that the numbers start at a multiple of 8. */
    const size_t used = strlen(text), length = (used + 7) / 8 * 8;
    unsigned char *raw = gk_alloc(LENGTH_SIZE + length, 1);
    if (raw) {
        for (int i = 0; i < LENGTH_SIZE; i++) raw[i] = (unsigned char)((uint64_t)length >> (8 * i));
        memcpy(raw + LENGTH_SIZE, text, used);
        memset(raw + LENGTH_SIZE + used, ' ', length - used);
        out[0] = (gk_piece){raw, LENGTH_SIZE + length};
        for (int i = 0; i < n; i++)
            out[i + 1] = (gk_piece){tensors[i].data, gk_tensor_bytes(&tensors[i])};
    }
    free(text);
    *head = raw;
    return raw ? GK_OK : GK_FAILED;
}

int gk_safetensors_write(const gk_tensor *tensors, int n, const char *const *meta, unsigned char **out, size_t *size)
{
    gk_piece pieces[GK_TENSORS_MAX + 1];
    unsigned char *head;
    const int code = gk_safetensors_pieces(tensors, n, meta, &head, pieces);
    if (code != GK_OK) return code;
    *size = 0;
    for (int i = 0; i <= n; i++) *size += pieces[i].size;
    unsigned char *at = *out = gk_alloc(*size, 1);
    for (int i = 0; at && i <= n; i++) {
        if (pieces[i].size) memcpy(at, pieces[i].data, pieces[i].size);
        at += pieces[i].size;
    }
    free(head);
    return at ? GK_OK : GK_FAILED;
}

/* ---- reading ---- */

/* The parsed header (to be released), and where the numbers start. */
static int parse(const unsigned char *raw, size_t size, json_t **header, size_t *start)
{
    uint64_t length = 0;
    if (size < LENGTH_SIZE) return gk_error(GK_FAILED, "a safetensors stream of %zu bytes is truncated", size);
    for (int i = 0; i < LENGTH_SIZE; i++) length |= (uint64_t)raw[i] << (8 * i);
    if (length > HEADER_MAX)
        return gk_error(GK_FAILED,
                        "not a safetensors stream, or a hostile one: it claims a header of %" PRIu64 " bytes; at most "
                        "%d are read",
                        length, HEADER_MAX);
    if (length > size - LENGTH_SIZE)
        return gk_error(GK_FAILED, "a safetensors stream of %zu bytes is truncated within its header of %" PRIu64, size,
                        length);
    json_error_t error;
    *header = json_loadb((const char *)raw + LENGTH_SIZE, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!*header)
        return gk_error(GK_FAILED, "a safetensors header is not JSON: %s at byte %d", error.text, error.position);
    *start = LENGTH_SIZE + (size_t)length;
    if (json_is_object(*header)) return GK_OK;
    json_decref(*header);
    return gk_error(GK_FAILED, "a safetensors header is not a JSON object of tensors");
}

static int take_shape(const char *name, const json_t *shape, gk_tensor *out)
{
    const size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > 4)
        return gk_error(GK_FAILED, "tensor '%.80s': its shape is not a list of up to 4 sizes", name);
    size_t count = 1;
    for (size_t k = 0; k < rank; k++) {
        const json_t *item = json_array_get(shape, k);
        const json_int_t n = json_integer_value(item);
        if (!json_is_integer(item) || n < 0 || n > INT32_MAX || (n > 0 && count > (SIZE_MAX >> 4) / (size_t)n))
            return gk_error(GK_FAILED,
                            "tensor '%.80s': size %zu of its shape is not between 0 and %d, or the whole is too large",
                            name, k, INT32_MAX);
        out->shape[k] = n;
        count *= (size_t)n;
    }
    out->rank = (int)rank;
    return GK_OK;
}

/* One entry of the header; data points into the stream. */
static int take_tensor(const char *name, const json_t *entry, const unsigned char *data, size_t there, gk_tensor *out)
{
    *out = (gk_tensor){0};
    if (strlen(name) >= sizeof out->name)
        return gk_error(GK_FAILED, "tensor '%.80s...': its name has over 63 bytes", name);
    memcpy(out->name, name, strlen(name) + 1);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    int type = -1;
    for (int i = 0; dtype && i < 4; i++) {
        if (strcmp(dtype, DTYPES[i]) == 0) type = i;
    }
    if (type < 0)
        return gk_error(GK_FAILED, "tensor '%.80s': its dtype is '%.20s'; F32, F64, I32 and I64 are accepted", name,
                        dtype ? dtype : "missing");
    out->dtype = (gk_dtype)type;
    const int code = take_shape(name, json_object_get(entry, "shape"), out);
    if (code != GK_OK) return code;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return gk_error(GK_FAILED, "tensor '%.80s': its data_offsets are not two integers", name);
    const json_int_t from = json_integer_value(first), to = json_integer_value(last);
    if (from < 0 || to < from || (uint64_t)to > there)
        return gk_error(GK_FAILED,
                        "tensor '%.80s': its bytes %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
                        " are out of range; the stream has %zu (is it truncated?)",
                        name, from, to, there);
    const size_t bytes = gk_tensor_bytes(out);
    if ((size_t)(to - from) != bytes)
        return gk_error(GK_FAILED,
                        "tensor '%.80s': its shape needs %zu bytes and its data_offsets span %" JSON_INTEGER_FORMAT,
                        name, bytes, to - from);
    out->data = (void *)(uintptr_t)(data + from);
    return GK_OK;
}

static int by_start(const void *a, const void *b)
{
    const gk_tensor *const *x = a, *const *y = b;
    const uintptr_t s = (uintptr_t)(*x)->data, t = (uintptr_t)(*y)->data;
    if (s != t) return s < t ? -1 : 1;
    /* An empty tensor stands before the one that starts where it does. */
    return (gk_tensor_count(*x) != 0) - (gk_tensor_count(*y) != 0);
}

/* The format wants every byte to belong to one tensor: no overlap, no holes. */
static int check_cover(const gk_tensor *tensors, int n, const unsigned char *data, size_t there)
{
    const gk_tensor *sorted[GK_TENSORS_MAX];
    for (int i = 0; i < n; i++) sorted[i] = &tensors[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_start);
    const unsigned char *end = data;
    for (int i = 0; i < n; i++) {
        const unsigned char *start = sorted[i]->data;
        if (start < end)
            return gk_error(GK_FAILED, "tensor '%s': its bytes overlap those of tensor '%s'", sorted[i]->name,
                            sorted[i - 1]->name);
        if (start > end)
            return gk_error(GK_FAILED, "tensor '%s': %td bytes before it belong to no tensor", sorted[i]->name,
                            start - end);
        end = start + gk_tensor_bytes(sorted[i]);
    }
    if (end != data + there)
        return gk_error(GK_FAILED, "%td bytes at the end of a safetensors stream belong to no tensor",
                        data + there - end);
    return GK_OK;
}

int gk_safetensors_index(const unsigned char *raw, size_t size, gk_tensor *out, int *n)
{
    json_t *header;
    size_t start;
    int code = parse(raw, size, &header, &start);
    if (code != GK_OK) return code;
    *n = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (*n == GK_TENSORS_MAX)
            code = gk_error(GK_FAILED, "tensor '%.80s': more than %d tensors", name, GK_TENSORS_MAX);
        else
            code = take_tensor(name, entry, raw + start, size - start, &out[*n]);
        if (code != GK_OK) break;
        (*n)++;
    }
    json_decref(header);
    return code == GK_OK ? check_cover(out, *n, raw + start, size - start) : code;
}

static void shape_text(const gk_tensor *t, char out[112])
{
    int at = snprintf(out, 112, "%s [", DTYPES[t->dtype]);
    for (int k = 0; k < t->rank; k++)
        at += snprintf(out + at, 112 - (size_t)at, k ? ", %" PRId64 : "%" PRId64, t->shape[k]);
    snprintf(out + at, 112 - (size_t)at, "]");
}

static const gk_tensor *named(const gk_tensor *tensors, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    }
    return NULL;
}

int gk_safetensors_read(const unsigned char *raw, size_t size, const gk_tensor *tensors, int n)
{
    gk_tensor there[GK_TENSORS_MAX];
    int n_there;
    const int code = gk_safetensors_index(raw, size, there, &n_there);
    if (code != GK_OK) return code;
    for (int i = 0; i < n_there; i++) {
        if (!named(tensors, n, there[i].name))
            return gk_error(GK_FAILED, "tensor '%s' is not one of this model's%s%s", there[i].name,
                            n ? ", which begin with " : "", n ? tensors[0].name : "");
    }
    /* All is checked before the first number is overwritten. */
    for (int i = 0; i < n; i++) {
        const gk_tensor *t = named(there, n_there, tensors[i].name);
        if (!t) return gk_error(GK_FAILED, "tensor '%s' is missing", tensors[i].name);
        if (t->dtype != tensors[i].dtype || t->rank != tensors[i].rank ||
            memcmp(t->shape, tensors[i].shape, (size_t)t->rank * sizeof *t->shape) != 0) {
            char is[112], wanted[112];
            shape_text(t, is);
            shape_text(&tensors[i], wanted);
            return gk_error(GK_FAILED, "tensor '%s' is %s and should be %s", t->name, is, wanted);
        }
    }
    for (int i = 0; i < n; i++) {
        const gk_tensor *t = named(there, n_there, tensors[i].name);
        const size_t bytes = gk_tensor_bytes(t);
        if (bytes) memcpy(tensors[i].data, t->data, bytes);
    }
    return GK_OK;
}

char *gk_safetensors_meta(const unsigned char *raw, size_t size, const char *key)
{
    json_t *header;
    size_t start;
    if (parse(raw, size, &header, &start) != GK_OK) return NULL;
    const char *value = json_string_value(json_object_get(json_object_get(header, "__metadata__"), key));
    char *copy = value ? gk_text("%s", value) : NULL;
    json_decref(header);
    return copy;
}
