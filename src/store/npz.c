/* npz.c: NumPy's archive of arrays: a ZIP file (PKWARE APPNOTE 6.3) with a member NAME.npy each. A reader trusts the
 * central directory only as far as the bytes bear it out. */
#include "gk_store.h"
#include "zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL = 30,   /* bytes of a member's header before its name */
    CENTRAL = 46, /* of its entry in the directory */
    END = 22,     /* of the record at the end */
    DATE = 0x21   /* 1980-01-01: the same bytes for the same weights */
};

static const unsigned LOCAL_MARK = 0x04034B50, CENTRAL_MARK = 0x02014B50, END_MARK = 0x06054B50;

/* ---- writing ---- */

typedef struct writer {
    unsigned char *bytes;
    size_t used;
} writer;

static void put(writer *w, size_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) w->bytes[w->used++] = (unsigned char)(value >> (8 * i));
}

static void put_bytes(writer *w, const void *data, size_t n)
{
    memcpy(w->bytes + w->used, data, n);
    w->used += n;
}

typedef struct member {
    unsigned char *npy;
    size_t size, at; /* at: where its header stands */
    uint32_t crc;
} member;

/* The fields that a member's two headers share, from "version needed" to the length of the extra field. */
static void put_fields(writer *w, const gk_tensor *t, const member *m)
{
    put(w, 20, 2);
    put(w, 0, 2);
    put(w, 0, 2); /* stored */
    put(w, 0, 2);
    put(w, DATE, 2);
    put(w, m->crc, 4);
    put(w, m->size, 4);
    put(w, m->size, 4);
    put(w, strlen(t->name) + 4, 2);
    put(w, 0, 2);
}

static void put_name(writer *w, const gk_tensor *t)
{
    put_bytes(w, t->name, strlen(t->name));
    put_bytes(w, ".npy", 4);
}

static void put_archive(writer *w, const gk_tensor *tensors, member *members, int n)
{
    for (int i = 0; i < n; i++) {
        members[i].at = w->used;
        put(w, LOCAL_MARK, 4);
        put_fields(w, &tensors[i], &members[i]);
        put_name(w, &tensors[i]);
        put_bytes(w, members[i].npy, members[i].size);
    }
    const size_t start = w->used;
    for (int i = 0; i < n; i++) {
        put(w, CENTRAL_MARK, 4);
        put(w, 20, 2);
        put_fields(w, &tensors[i], &members[i]);
        put(w, 0, 2); /* comment */
        put(w, 0, 2); /* disk */
        put(w, 0, 2);
        put(w, 0, 4);
        put(w, members[i].at, 4);
        put_name(w, &tensors[i]);
    }
    const size_t length = w->used - start;
    put(w, END_MARK, 4);
    put(w, 0, 4); /* disks */
    put(w, (size_t)n, 2);
    put(w, (size_t)n, 2);
    put(w, length, 4);
    put(w, start, 4);
    put(w, 0, 2);
}

int gk_npz_write(const gk_tensor *tensors, int n, unsigned char **out, size_t *size)
{
    member members[GK_TENSORS_MAX] = {{0}};
    size_t total = END;
    int code = n <= GK_TENSORS_MAX ? GK_OK : gk_error(GK_FAILED, "npz: more than %d tensors", GK_TENSORS_MAX);
    for (int i = 0; i < n && code == GK_OK; i++) {
        const gk_tensor *t = &tensors[i];
        code = gk_npy_write(t->data, t->dtype, t->rank, t->shape, &members[i].npy, &members[i].size);
        if (code != GK_OK) break;
        members[i].crc = gk_crc32(0, members[i].npy, members[i].size);
        total += members[i].size + 2 * (strlen(t->name) + 4) + LOCAL + CENTRAL;
    }
    if (code == GK_OK && total > UINT32_MAX)
        code = gk_error(GK_FAILED, "npz: %zu bytes are more than an archive of 4 GiB holds", total);
    writer w = {code == GK_OK ? gk_alloc(total, 1) : NULL, 0};
    if (w.bytes) put_archive(&w, tensors, members, n);
    for (int i = 0; i < n && i < GK_TENSORS_MAX; i++) free(members[i].npy);
    if (code == GK_OK && !w.bytes) code = GK_FAILED;
    *out = w.bytes;
    *size = w.used;
    return code;
}

/* ---- reading ---- */

static uint32_t number(const unsigned char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << (8 * i);
    return value;
}

/* The record at the end may be followed by a comment of up to 65535 bytes. */
static const unsigned char *find_end(const unsigned char *raw, size_t size)
{
    const size_t most = (size_t)END + 65535;
    for (size_t back = END; back <= size && back <= most; back++) {
        const unsigned char *at = raw + size - back;
        if (number(at, 4) == END_MARK && number(at + 20, 2) == back - END) return at;
    }
    return NULL;
}

/* One entry of the directory: the name without .npy into t, the member's npy stream into *npy, malloc'ed. */
static int take_member(const unsigned char *raw, size_t size, const unsigned char *entry, gk_tensor *t,
                       unsigned char **npy, size_t *npy_size)
{
    const size_t name_size = number(entry + 28, 2), packed = number(entry + 20, 4), whole = number(entry + 24, 4),
                 at = number(entry + 42, 4);
    const uint32_t crc = number(entry + 16, 4), method = number(entry + 10, 2);
    const char *name = (const char *)entry + CENTRAL;
    if (name_size < 5 || memcmp(name + name_size - 4, ".npy", 4) != 0 || name_size - 4 >= sizeof t->name)
        return gk_error(GK_FAILED, "npz: member '%.*s' is no array NAME.npy with a name of up to 63 bytes",
                        (int)(name_size < 80 ? name_size : 80), name);
    memcpy(t->name, name, name_size - 4);
    if (strlen(t->name) != name_size - 4)
        return gk_error(GK_FAILED, "npz: tensor '%s': its name has a zero byte", t->name);
    if (packed == UINT32_MAX || whole == UINT32_MAX || at == UINT32_MAX)
        return gk_error(GK_FAILED, "npz: tensor '%s' is larger than 4 GiB, or its size is not in the directory",
                        t->name);
    if (number(entry + 8, 2) & 1) return gk_error(GK_FAILED, "npz: tensor '%s' is encrypted", t->name);
    if (at > size || size - at < LOCAL || number(raw + at, 4) != LOCAL_MARK)
        return gk_error(GK_FAILED, "npz: tensor '%s': there is no member at byte %zu", t->name, at);
    const size_t skip = LOCAL + (size_t)number(raw + at + 26, 2) + number(raw + at + 28, 2);
    if (skip > size - at || packed > size - at - skip)
        return gk_error(GK_FAILED, "npz: tensor '%s' is truncated: its %zu bytes are not all there", t->name, packed);
    const unsigned char *data = raw + at + skip;
    int code;
    if (method == 8) {
        code = gk_inflate(data, packed, whole, npy);
    } else if (method == 0 && packed == whole) {
        code = (*npy = gk_alloc(whole + 1, 1)) ? GK_OK : GK_FAILED;
        if (code == GK_OK) memcpy(*npy, data, whole);
    } else {
        return gk_error(GK_FAILED, "npz: tensor '%s' is compressed by method %u; stored and deflated are read", t->name,
                        method);
    }
    *npy_size = whole;
    if (code == GK_OK && gk_crc32(0, *npy, whole) != crc)
        return gk_error(GK_FAILED, "npz: tensor '%s': its checksum is wrong", t->name);
    if (code == GK_OK) code = gk_npy_tensor(*npy, whole, t);
    if (code == GK_OK) return GK_OK;
    char *why = gk_text("%s", gk_error_text());
    code = gk_error(code, "npz: tensor '%s': %s", t->name, why ? why : "out of memory");
    free(why);
    return code;
}

int gk_npz_read(const unsigned char *raw, size_t size, unsigned char **out, size_t *out_size)
{
    gk_tensor tensors[GK_TENSORS_MAX] = {{{0}, GK_F32, 0, {0}, NULL}};
    unsigned char *streams[GK_TENSORS_MAX] = {NULL};
    const unsigned char *end = find_end(raw, size);
    if (!end) return gk_error(GK_FAILED, "npz: not a ZIP archive, or it is truncated: its directory is not there");
    const size_t n = number(end + 10, 2), start = number(end + 16, 4), before = (size_t)(end - raw);
    if (n > GK_TENSORS_MAX) return gk_error(GK_FAILED, "npz: %zu arrays; at most %d are read", n, GK_TENSORS_MAX);
    size_t at = start;
    int code = GK_OK, read = 0;
    for (; (size_t)read < n && code == GK_OK; read++) {
        if (at > before || before - at < CENTRAL || number(raw + at, 4) != CENTRAL_MARK ||
            (size_t)number(raw + at + 28, 2) > before - at - CENTRAL) {
            code = gk_error(GK_FAILED, "npz: entry %d of the directory is damaged", read + 1);
            break;
        }
        size_t bytes;
        code = take_member(raw, size, raw + at, &tensors[read], &streams[read], &bytes);
        at += CENTRAL + (size_t)number(raw + at + 28, 2) + number(raw + at + 30, 2) + number(raw + at + 32, 2);
    }
    if (code == GK_OK) code = gk_safetensors_write(tensors, read, NULL, out, out_size);
    for (int i = 0; i < GK_TENSORS_MAX; i++) free(streams[i]);
    return code;
}
