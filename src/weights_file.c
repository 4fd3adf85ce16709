/* weights_file.c: weights in safetensors, npz and npy files, all as a safetensors stream. */
#include "weights_file.h"

#include "gk_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_file(const char *path, unsigned char **out, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return gk_error(GK_NOTFOUND, "cannot open '%s': %s", path, strerror(errno));
    unsigned char *data = NULL;
    long end = -1;
    if (fseek(f, 0, SEEK_END) == 0) end = ftell(f);
    if (end >= 0 && (data = gk_alloc((size_t)end + 1, 1))) {
        rewind(f);
        if (fread(data, 1, (size_t)end, f) != (size_t)end) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    if (!data) return gk_error(GK_FAILED, "cannot read '%s'", path);
    *out = data;
    *size = (size_t)end;
    return GK_OK;
}

/* ---- NAME=FILE.npy,... ---- */

/* One entry; *raw owns what the tensor points to. */
static int take_entry(const char *entry, size_t length, gk_tensor *t, unsigned char **raw)
{
    const char *equals = memchr(entry, '=', length);
    const size_t name = equals ? (size_t)(equals - entry) : length;
    if (!equals || name == 0 || name >= sizeof t->name)
        return gk_error(GK_USAGE, "'%.*s' is not NAME=FILE.npy", (int)length, entry);
    memcpy(t->name, entry, name);
    char *path = gk_text("%.*s", (int)(length - name - 1), equals + 1);
    size_t size;
    int code = path ? read_file(path, raw, &size) : GK_FAILED;
    if (code == GK_OK && (code = gk_npy_tensor(*raw, size, t)) != GK_OK) {
        char *why = gk_text("%s", gk_error_text());
        code = gk_error(code, "tensor '%s' in %s: %s", t->name, path, why ? why : "out of memory");
        free(why);
    }
    free(path);
    return code;
}

static int read_list(const char *list, unsigned char **out, size_t *size)
{
    gk_tensor tensors[GK_TENSORS_MAX] = {{{0}, GK_F32, 0, {0}, NULL}};
    unsigned char *raws[GK_TENSORS_MAX] = {NULL};
    int n = 0, code = GK_OK;
    for (const char *at = list; at && code == GK_OK; n++) {
        const size_t length = strcspn(at, ",");
        if (n == GK_TENSORS_MAX) {
            code = gk_error(GK_USAGE, "more than %d tensors", GK_TENSORS_MAX);
            break;
        }
        code = take_entry(at, length, &tensors[n], &raws[n]);
        at = at[length] ? at + length + 1 : NULL;
    }
    if (code == GK_OK) code = gk_safetensors_write(tensors, n, NULL, out, size);
    for (int i = 0; i < GK_TENSORS_MAX; i++) free(raws[i]);
    return code;
}

/* ---- a file, by its first bytes ---- */

int gk_weights_read(const char *path, unsigned char **out, size_t *size)
{
    if (strchr(path, '=') && access(path, F_OK) != 0) return read_list(path, out, size);
    unsigned char *raw = NULL;
    int code = read_file(path, &raw, size);
    if (code != GK_OK) return code;
    if (*size >= 4 && memcmp(raw, "PK\3\4", 4) == 0) {
        code = gk_npz_read(raw, *size, out, size);
        free(raw);
        if (code == GK_OK) return code;
        char *why = gk_text("%s", gk_error_text());
        code = gk_error(code, "'%s': %s", path, why ? why : "out of memory");
        free(why);
        return code;
    }
    if (*size >= 6 && memcmp(raw, "\x93NUMPY", 6) == 0) {
        free(raw);
        return gk_error(GK_USAGE,
                        "an npy file does not say which tensor it is; NAME=FILE.npy does, an npz file does for all");
    }
    *out = raw;
    return GK_OK;
}
