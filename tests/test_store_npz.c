/* test_store_npz.c: NumPy's archives: what is written is read back; what is damaged or hostile is refused and named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_store.h"

#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static float weights[6] = {1, -2.5F, 3, 0, 1e-30F, 7};
static double alpha[4] = {0.1, -1e300, 3, 4};
static int32_t cells[3] = {5, 6, -7};

/* Three tensors of three types, one of them flat. */
static bytes make_archive(void)
{
    const gk_tensor tensors[3] = {{"fc1.weight", GK_F32, 2, {2, 3}, weights},
                                  {"alpha", GK_F64, 3, {2, 1, 2}, alpha},
                                  {"cells", GK_I32, 1, {3}, cells}};
    bytes b;
    assert_int_equal(gk_npz_write(tensors, 3, &b.data, &b.size), GK_OK);
    return b;
}

static void check_tensors(const unsigned char *npz, size_t size)
{
    unsigned char *raw;
    size_t raw_size;
    gk_tensor there[GK_TENSORS_MAX];
    int n;
    assert_int_equal(gk_npz_read(npz, size, &raw, &raw_size), GK_OK);
    assert_int_equal(gk_safetensors_index(raw, raw_size, there, &n), GK_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < n; i++) {
        const bool w = strcmp(there[i].name, "fc1.weight") == 0, a = strcmp(there[i].name, "alpha") == 0;
        assert_true(w || a || strcmp(there[i].name, "cells") == 0);
        assert_int_equal(there[i].dtype, w ? GK_F32 : a ? GK_F64 : GK_I32);
        assert_int_equal(there[i].rank, w ? 2 : a ? 3 : 1);
        assert_int_equal(there[i].shape[0], a || w ? 2 : 3);
        assert_memory_equal(there[i].data,
                            w   ? (void *)weights
                            : a ? (void *)alpha
                                : (void *)cells,
                            w   ? sizeof weights
                            : a ? sizeof alpha
                                : sizeof cells);
    }
    free(raw);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    bytes b = make_archive();
    check_tensors(b.data, b.size);
    bytes again = make_archive();
    assert_int_equal(b.size, again.size);
    assert_memory_equal(b.data, again.data, b.size);
    /* A comment at the end, and bytes of others before it that look like one. */
    unsigned char *longer = malloc(b.size + 5);
    memcpy(longer, b.data, b.size);
    memcpy(longer + b.size, "PK\5\6!", 5);
    longer[b.size - 2] = 5;
    check_tensors(longer, b.size + 5);
    free(longer);
    free(again.data);
    free(b.data);
}

static uint32_t get(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void set(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (8 * i));
}

/* An archive of one tensor, its member as a deflate stream of one stored block (RFC 1951, 3.2.4). */
static bytes make_deflated(void)
{
    const gk_tensor t = {"alpha", GK_F64, 1, {4}, alpha};
    bytes b;
    assert_int_equal(gk_npz_write(&t, 1, &b.data, &b.size), GK_OK);
    const size_t head = 30 + strlen("alpha.npy"), n = get(b.data + 22), more = 5;
    unsigned char *out = malloc(b.size + more);
    memcpy(out, b.data, head);
    const unsigned char block[5] = {1, (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)~n,
                                    (unsigned char)(~n >> 8)};
    memcpy(out + head, block, more);
    memcpy(out + head + more, b.data + head, b.size - head);
    unsigned char *central = out + head + more + n, *end = out + b.size + more - 22;
    out[8] = central[10] = 8;
    set(out + 18, (uint32_t)(n + more));
    set(central + 20, (uint32_t)(n + more));
    set(end + 16, (uint32_t)(central - out));
    free(b.data);
    return (bytes){out, b.size + more};
}

static int read_and_free(const unsigned char *data, size_t size)
{
    unsigned char *raw = NULL;
    size_t raw_size;
    const int code = gk_npz_read(data, size, &raw, &raw_size);
    if (code == GK_OK) free(raw);
    return code;
}

static void refused(const unsigned char *data, size_t size, const char *why, int line)
{
    assert_int_equal(read_and_free(data, size), GK_FAILED);
    if (!strstr(gk_error_text(), why)) fail_msg("line %d: '%s' does not say '%s'", line, gk_error_text(), why);
}

static void deflated_members_are_read(void **state)
{
    (void)state;
    bytes b = make_deflated();
    assert_int_equal(read_and_free(b.data, b.size), GK_OK);
    const size_t central = get(b.data + b.size - 6);
    unsigned char *sizes = b.data + central + 20;
    set(sizes + 4, get(sizes + 4) - 8); /* claims less than comes out */
    refused(b.data, b.size, "tensor 'alpha': ", __LINE__);
    set(sizes + 4, 0x7FFFFFFF); /* claims much more: nothing of that size is allocated */
    refused(b.data, b.size, "tensor 'alpha': ", __LINE__);
    free(b.data);
}

static void what_is_hostile_is_named(void **state)
{
    (void)state;
    bytes good = make_archive();
    unsigned char *bad = malloc(good.size);
    unsigned char *end = bad + good.size - 22, *entry = bad + get(good.data + good.size - 6);
    const struct {
        unsigned char *at;
        uint32_t value;
        int size;
        const char *why;
    } cases[] = {
        {entry + 16, 1, 4, "tensor 'fc1.weight': its checksum"},
        {entry + 20, 0x7FFFFFFF, 4, "tensor 'fc1.weight' is truncated"},
        {entry + 24, 3, 4, "tensor 'fc1.weight' is compressed by method 0"},
        {entry + 10, 12, 2, "tensor 'fc1.weight' is compressed by method 12"},
        {entry + 8, 1, 2, "tensor 'fc1.weight' is encrypted"},
        {entry + 42, 7, 4, "tensor 'fc1.weight': there is no member at byte 7"},
        {entry + 42, 0xFFFFFFFE, 4, "tensor 'fc1.weight': there is no member"},
        {entry + 20, 0xFFFFFFFF, 4, "tensor 'fc1.weight' is larger than 4 GiB"},
        {entry + 28, 0xFFFF, 2, "entry 1 of the directory"},
        {entry + 28, 0, 2, "is no array NAME.npy"},
        {entry + 46 + 3, 0, 1, "zero byte"},
        {entry, 0, 4, "entry 1 of the directory"},
        {entry + 30, 0xFFFF, 2, "entry 2 of the directory"},
        {end + 10, 0xFFFF, 2, "65535 arrays"},
        {end + 10, 4, 2, "entry 4 of the directory"},
        {end + 16, 0xFFFFFFFF, 4, "entry 1 of the directory"},
        {end, 0, 4, "directory is not there"},
        {bad + 30 + 14 + 1, 'X', 1, "tensor 'fc1.weight': "}, /* \x93NUMPY */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, good.data, good.size);
        for (int k = 0; k < cases[i].size; k++) cases[i].at[k] = (unsigned char)(cases[i].value >> (8 * k));
        refused(bad, good.size, cases[i].why, __LINE__);
    }
    free(bad);
    free(good.data);
}

static void a_tensor_twice_is_refused(void **state)
{
    (void)state;
    const gk_tensor twice[2] = {{"w", GK_F32, 1, {6}, weights}, {"w", GK_F32, 1, {6}, weights}};
    bytes b;
    assert_int_equal(gk_npz_write(twice, 2, &b.data, &b.size), GK_OK);
    assert_int_equal(read_and_free(b.data, b.size), GK_FAILED);
    free(b.data);
}

/* Cut anywhere and changed anywhere: refused or read, never a crash (under sanitizers). */
static void no_damage_crashes(void **state)
{
    (void)state;
    gk_random r;
    gk_random_seed(&r, 3, 0);
    for (int kind = 0; kind < 2; kind++) {
        bytes good = kind ? make_deflated() : make_archive();
        for (size_t n = 0; n < good.size; n++) {
            unsigned char *cut = malloc(n + 1); /* exactly as long, for the address sanitizer */
            memcpy(cut, good.data, n);
            assert_int_equal(read_and_free(cut, n), GK_FAILED);
            free(cut);
        }
        unsigned char *bad = malloc(good.size);
        for (int i = 0; i < 20000; i++) {
            memcpy(bad, good.data, good.size);
            for (uint64_t k = gk_random_below(&r, 4) + 1; k > 0; k--)
                bad[gk_random_below(&r, good.size)] = (unsigned char)gk_random_raw(&r);
            (void)read_and_free(bad, good.size);
        }
        free(bad);
        free(good.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),  cmocka_unit_test(deflated_members_are_read),
        cmocka_unit_test(what_is_hostile_is_named), cmocka_unit_test(a_tensor_twice_is_refused),
        cmocka_unit_test(no_damage_crashes),
    };
    return cmocka_run_group_tests_name("npz", tests, NULL, NULL);
}
