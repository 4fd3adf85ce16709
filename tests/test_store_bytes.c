/* test_store_bytes.c: npy, safetensors and zlib streams: what NumPy writes is read to the bit, what we write NumPy's
 * way, and no stream, however bent, is more than an error line. */
#include "store_lab.h"

#include "src/store/zip.h"

#include "fixtures/store.h"

#include <math.h>

/* A copy that ends where its allocation ends, so that a sanitizer sees the first byte read beyond it. */
static unsigned char *exact(const unsigned char *data, size_t n)
{
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, data, n);
    return copy;
}

/* ---- npy ---- */

static void expect_npy(const unsigned char *npy, size_t n, int rank, const int64_t *shape, const double *values)
{
    double *out;
    int got;
    int64_t dims[4];
    OK(gk_npy_read(npy, n, &out, &got, dims));
    assert_int_equal(got, rank);
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        assert_true(dims[i] == shape[i]);
        count *= (size_t)shape[i];
    }
    if (count) assert_memory_equal(out, values, count * sizeof *values);
    free(out);
}

static const int64_t TWO_THREE[] = {2, 3};
static const double VALUES[] = {1.5, -2.25, 3e-300, 0.1, INFINITY, -0.0};

static void test_npy_read(void **state)
{
    (void)state;
    double narrow[6], ramp[24];
    for (int i = 0; i < 6; i++) narrow[i] = (double)(float)VALUES[i];
    for (int i = 0; i < 24; i++) ramp[i] = i;
    expect_npy(npy_f8, sizeof npy_f8, 2, TWO_THREE, VALUES);
    expect_npy(npy_v2, sizeof npy_v2, 2, TWO_THREE, VALUES);
    expect_npy(npy_v3, sizeof npy_v3, 2, TWO_THREE, VALUES);
    expect_npy(npy_f4, sizeof npy_f4, 2, TWO_THREE, narrow);
    expect_npy(npy_i4, sizeof npy_i4, 2, (int64_t[]){2, 2}, (double[]){0, 1, -2, 2147483647});
    expect_npy(npy_i8, sizeof npy_i8, 1, (int64_t[]){2}, (double[]){9007199254740992, -7});
    expect_npy(npy_u1, sizeof npy_u1, 1, (int64_t[]){3}, (double[]){0, 7, 255});
    expect_npy(npy_scalar, sizeof npy_scalar, 0, NULL, (double[]){42});
    expect_npy(npy_4d, sizeof npy_4d, 4, (int64_t[]){1, 2, 3, 4}, ramp);
    expect_npy(npy_empty, sizeof npy_empty, 2, (int64_t[]){0, 3}, NULL);
    unsigned char columns[sizeof npy_empty];
    memcpy(columns, npy_empty, sizeof columns);
    memcpy(memmem(columns, sizeof columns, "(0, 3)", 6), "(3, 0)", 6);
    expect_npy(columns, sizeof columns, 2, (int64_t[]){3, 0}, NULL);
}

static void test_npy_refused(void **state)
{
    (void)state;
    double *out;
    int rank;
    int64_t shape[4];
#define NPY(bytes) gk_npy_read(bytes, sizeof bytes, &out, &rank, shape)
    REFUSED(NPY(npy_fortran), GK_FAILED, "Fortran order", "ascontiguousarray");
    REFUSED(NPY(npy_big_endian), GK_FAILED, "'>f8'", "'<f8'");
    REFUSED(NPY(npy_f2), GK_FAILED, "'<f2'", "'<f4'");
    REFUSED(NPY(npy_record), GK_FAILED, "header");
    REFUSED(NPY(npy_5d), GK_FAILED, "4 dimensions");
    REFUSED(gk_npy_read(npy_f8, 0, &out, &rank, shape), GK_FAILED, "NUMPY");
    REFUSED(gk_npy_read(npy_f8, sizeof npy_f8 - 1, &out, &rank, shape), GK_FAILED, "truncated");
    REFUSED(gk_npy_read(npy_f8, 100, &out, &rank, shape), GK_FAILED, "ends within its header");
    unsigned char longer[sizeof npy_f8 + 3] = {0};
    memcpy(longer, npy_f8, sizeof npy_f8);
    REFUSED(NPY(longer), GK_FAILED, "followed by 3");
    longer[6] = 9;
    REFUSED(NPY(longer), GK_FAILED, "version 9.0");

    /* Claims that must not be believed: each fits the header's room. */
    static const char *const claims[] = {"(4294967296, 4294967296)",
                                         "(2147483647, 2147483647)",
                                         "(9223372036854775807,)",
                                         "(99999999999999999999,)",
                                         "(-1, -6)",
                                         "(2, 3"};
    for (size_t i = 0; i < COUNT(claims); i++) {
        char header[118];
        unsigned char npy[128 + 48];
        memcpy(npy, npy_f8, sizeof npy);
        memset(header, ' ', sizeof header);
        const int n =
            snprintf(header, sizeof header, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }", claims[i]);
        header[n] = ' ';
        header[117] = '\n';
        memcpy(npy + 10, header, sizeof header);
        assert_int_equal(NPY(npy), GK_FAILED);
        assert_null(out);
    }
}

static void test_npy_write(void **state)
{
    (void)state;
    unsigned char *npy;
    size_t n;
    int32_t whole[] = {0, 1, -2, INT32_MAX};
    float narrow[6];
    for (int i = 0; i < 6; i++) narrow[i] = (float)VALUES[i];
    const int64_t wide[] = {9007199254740992, -7};
    const double scalar = 42;
    const struct {
        const void *data;
        gk_dtype dtype;
        int rank;
        int64_t shape[2];
        const unsigned char *wanted;
        size_t size;
    } cases[] = {
        {VALUES, GK_F64, 2, {2, 3}, npy_f8, sizeof npy_f8},
        {narrow, GK_F32, 2, {2, 3}, npy_f4, sizeof npy_f4},
        {whole, GK_I32, 2, {2, 2}, npy_i4, sizeof npy_i4},
        {wide, GK_I64, 1, {2}, npy_i8, sizeof npy_i8},
        {&scalar, GK_F64, 0, {0}, npy_scalar, sizeof npy_scalar},
        {VALUES, GK_F64, 2, {0, 3}, npy_empty, sizeof npy_empty},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        OK(gk_npy_write(cases[i].data, cases[i].dtype, cases[i].rank, cases[i].shape, &npy, &n));
        /* The numbers start at a multiple of 64, and NumPy reads what NumPy would have written. */
        const size_t bytes = cases[i].size % 64, header = n - (cases[i].size - 128);
        assert_true(header % 64 == 0 && bytes < 64);
        assert_int_equal(n - header, cases[i].size - 128);
        assert_memory_equal(npy + header, cases[i].wanted + 128, n - header);
        const size_t text = strlen("{'descr': '<f8', 'fortran_order': False, 'shape': (");
        assert_memory_equal(npy + 10, cases[i].wanted + 10, text);
        assert_int_equal(npy[header - 1], '\n');
        assert_int_equal(npy[8] + 256 * npy[9] + 10, header);
        free(npy);
    }
}

/* ---- safetensors ---- */

typedef struct good {
    float fc1[6];
    double alpha[3];
    int64_t count[2];
    int32_t small;
    gk_tensor tensors[4];
} good;

static void good_init(good *g)
{
    memset(g, 0, sizeof *g);
    g->tensors[0] = (gk_tensor){.name = "small", .dtype = GK_I32, .rank = 0, .data = &g->small};
    g->tensors[1] = (gk_tensor){.name = "alpha", .dtype = GK_F64, .rank = 1, .shape = {3}, .data = g->alpha};
    g->tensors[2] = (gk_tensor){.name = "fc1.weight", .dtype = GK_F32, .rank = 2, .shape = {2, 3}, .data = g->fc1};
    g->tensors[3] = (gk_tensor){.name = "count", .dtype = GK_I64, .rank = 1, .shape = {2}, .data = g->count};
}

static void test_safetensors_read(void **state)
{
    (void)state;
    good g;
    good_init(&g);
    OK(gk_safetensors_read(safe_good, sizeof safe_good, g.tensors, 4));
    for (int i = 0; i < 6; i++) assert_true(g.fc1[i] == (float)i / 4);
    assert_true(g.alpha[0] == 1e-300 && g.alpha[1] == -1 && g.alpha[2] == 3.141592653589793);
    assert_true(g.count[0] == 3 && g.count[1] == -4 && g.small == 7);
    char *word = gk_safetensors_meta(safe_good, sizeof safe_good, "method");
    assert_string_equal(word, "ml\xc3\xa9");
    free(word);
    assert_null(gk_safetensors_meta(safe_good, sizeof safe_good, "nothing"));
    assert_null(gk_safetensors_meta(safe_good, 5, "method"));

    gk_tensor index[GK_TENSORS_MAX];
    int n;
    OK(gk_safetensors_index(safe_good, sizeof safe_good, index, &n));
    assert_int_equal(n, 4);
    assert_string_equal(index[1].name, "alpha");
    assert_true(index[1].dtype == GK_F64 && index[1].rank == 1 && index[1].shape[0] == 3);
}

static void test_safetensors_mismatch(void **state)
{
    (void)state;
    good g;
    good_init(&g);
    g.fc1[0] = 99;
#define READ(n) gk_safetensors_read(safe_good, sizeof safe_good, g.tensors, n)
    REFUSED(READ(3), GK_FAILED, "'count'", "not one of");
    g.tensors[0].dtype = GK_I64;
    REFUSED(READ(4), GK_FAILED, "'small'", "is I32 []", "should be I64 []");
    good_init(&g);
    g.fc1[0] = 99;
    g.tensors[2].shape[0] = 3;
    g.tensors[2].shape[1] = 2;
    REFUSED(READ(4), GK_FAILED, "'fc1.weight'", "F32 [2, 3]", "F32 [3, 2]");
    good_init(&g);
    g.fc1[0] = 99;
    g.tensors[1].rank = 2; /* a column where a row of numbers is stored */
    g.tensors[1].shape[1] = 1;
    REFUSED(READ(4), GK_FAILED, "'alpha'", "F64 [3]", "F64 [3, 1]");
    good_init(&g);
    g.fc1[0] = 99;
    gk_tensor five[5];
    memcpy(five, g.tensors, sizeof g.tensors);
    five[4] = (gk_tensor){.name = "bias", .dtype = GK_F32, .rank = 0, .data = g.fc1};
    REFUSED(gk_safetensors_read(safe_good, sizeof safe_good, five, 5), GK_FAILED, "'bias'", "missing");
    assert_true(g.fc1[0] == 99 && g.alpha[1] == 0); /* nothing was overwritten on the way */
}

static void test_safetensors_refused(void **state)
{
    (void)state;
    gk_tensor index[GK_TENSORS_MAX];
    int n;
#define SAFE(bytes, ...) REFUSED(gk_safetensors_index(bytes, sizeof bytes, index, &n), GK_FAILED, __VA_ARGS__)
    SAFE(safe_overlap, "'b'", "overlap", "'a'");
    SAFE(safe_same, "overlap");
    SAFE(safe_hole, "'b'", "8 bytes before it");
    SAFE(safe_tail, "24 bytes at the end");
    SAFE(safe_range, "'b'", "24 to 49", "out of range");
    SAFE(safe_far, "'a'", "out of range");
    SAFE(safe_backward, "'a'", "out of range");
    SAFE(safe_negative, "'a'", "out of range");
    SAFE(safe_span, "'a'", "needs 48", "span 24");
    SAFE(safe_dtype, "'a'", "'BF16'", "F64");
    SAFE(safe_no_dtype, "'a'", "missing");
    SAFE(safe_wild, "'a'", "size 0");
    SAFE(safe_big_dim, "'a'", "size 0");
    SAFE(safe_negative_dim, "'a'", "size 0");
    SAFE(safe_real_dim, "'a'", "size 0");
    SAFE(safe_rank, "'a'", "up to 4");
    SAFE(safe_shape_word, "'a'", "shape");
    SAFE(safe_offsets_word, "'a'", "two integers");
    SAFE(safe_not_entry, "'a'");
    SAFE(safe_list, "not a JSON object");
    SAFE(safe_not_json, "not JSON");
    SAFE(safe_twice, "not JSON", "duplicate");
    SAFE(safe_nul, "not JSON");
    SAFE(safe_long_name, "'nnnn", "63 bytes");
    SAFE(safe_huge, "9223372036854775808", "hostile");
    SAFE(safe_longer, "truncated within its header");
    SAFE(safe_many, "more than 64");
    REFUSED(gk_safetensors_index(safe_good, 7, index, &n), GK_FAILED, "truncated");
    REFUSED(gk_safetensors_index(safe_good, sizeof safe_good - 1, index, &n), GK_FAILED, "'small'", "truncated");
}

static void test_safetensors_write(void **state)
{
    (void)state;
    good g, back;
    good_init(&g);
    OK(gk_safetensors_read(safe_good, sizeof safe_good, g.tensors, 4));
    const char *const meta[] = {"step", "12", "quote", "a\"b", NULL};
    unsigned char *raw;
    size_t n;
    OK(gk_safetensors_write(g.tensors, 4, meta, &raw, &n));
    assert_int_equal((raw[0] + 256 * raw[1]) % 8, 0);
    good_init(&back);
    OK(gk_safetensors_read(raw, n, back.tensors, 4));
    assert_memory_equal(back.fc1, g.fc1, sizeof g.fc1);
    assert_memory_equal(back.alpha, g.alpha, sizeof g.alpha);
    assert_true(back.count[1] == -4 && back.small == 7);
    char *word = gk_safetensors_meta(raw, n, "quote");
    assert_string_equal(word, "a\"b");
    free(word);
    /* The stream's tensors stand in the order given. */
    gk_tensor index[GK_TENSORS_MAX];
    int count;
    OK(gk_safetensors_index(raw, n, index, &count));
    for (int i = 0; i < 4; i++) assert_string_equal(index[i].name, g.tensors[i].name);
    free(raw);
    strcpy(g.tensors[1].name, "small");
    REFUSED(gk_safetensors_write(g.tensors, 4, NULL, &raw, &n), GK_FAILED, "twice");
    OK(gk_safetensors_write(NULL, 0, NULL, &raw, &n));
    OK(gk_safetensors_index(raw, n, index, &count));
    assert_int_equal(count, 0);
    free(raw);
}

/* ---- zlib ---- */

typedef struct stream {
    const unsigned char *data;
    size_t fail_at;
} stream;

static int read_stream(void *context, size_t at, unsigned char *to, size_t n)
{
    const stream *s = context;
    if (at + n > s->fail_at) return gk_error(GK_FAILED, "the disk failed");
    memcpy(to, s->data + at, n);
    return GK_OK;
}

/* Longer than what is read at a time, packed and not. */
static void zip_reads_bit_by_bit(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    unsigned char *raw = gk_alloc(SIZE, 1), *packed, *again;
    size_t n;
    gk_random random;
    gk_random_seed(&random, 2, 0);
    for (size_t i = 0; i < SIZE; i++) raw[i] = (unsigned char)(gk_random_raw(&random) & 15);
    OK(gk_zip(raw, SIZE, &packed, &n));
    assert_true(packed && n > 140000 && n < SIZE);
    OK(gk_unzip_from(read_stream, &(stream){packed, n}, n, SIZE, &again));
    assert_memory_equal(again, raw, SIZE);
    free(again);
    OK(gk_unzip_from(read_stream, &(stream){raw, SIZE}, SIZE, SIZE, &again));
    assert_memory_equal(again, raw, SIZE);
    free(again);
    REFUSED(gk_unzip_from(read_stream, &(stream){packed, n}, n - 1, SIZE, &again), GK_FAILED, "too early");
    REFUSED(gk_unzip_from(read_stream, &(stream){packed, n}, n, SIZE - 1, &again), GK_FAILED, "more than");
    REFUSED(gk_unzip_from(read_stream, &(stream){packed, 100000}, n, SIZE, &again), GK_FAILED, "disk failed");
    free(packed);
    free(raw);
}

static void test_zip(void **state)
{
    (void)state;
    unsigned char *raw, *packed, *again;
    size_t n;
    double ramp[RAMP];
    for (int i = 0; i < RAMP; i++) ramp[i] = i % 64;
    OK(gk_unzip(zipped_ramp, sizeof zipped_ramp, sizeof ramp, &raw)); /* what Python packed */
    assert_memory_equal(raw, ramp, sizeof ramp);
    free(raw);
    OK(gk_unzip_grow(zipped_ramp, sizeof zipped_ramp, 1 << 20, &raw, &n));
    assert_int_equal(n, sizeof ramp);
    assert_memory_equal(raw, ramp, sizeof ramp);
    free(raw);
    OK(gk_zip(ramp, sizeof ramp, &packed, &n));
    assert_non_null(packed);
    assert_true(n < sizeof ramp && gk_is_zipped(packed, n));
    OK(gk_unzip(packed, n, sizeof ramp, &again));
    assert_memory_equal(again, ramp, sizeof ramp);
    free(again);
    REFUSED(gk_unzip(packed, n, sizeof ramp - 1, &again), GK_FAILED, "more than 8191");
    REFUSED(gk_unzip(packed, n, sizeof ramp + 1, &again), GK_FAILED, "holds 8192", "8193");
    REFUSED(gk_unzip(packed, n - 1, sizeof ramp, &again), GK_FAILED, "damaged");
    REFUSED(gk_unzip_grow(packed, n, 100, &again, &n), GK_FAILED, "more than 100");
    free(packed);

    /* Cut into pieces, one of them empty, it is the same stream. */
    const char *at = (const char *)ramp;
    const gk_piece pieces[] = {{at, 5}, {NULL, 0}, {at + 5, 4000}, {at + 4005, sizeof ramp - 4005}};
    char whole[GK_SHA256_HEX], cut[GK_SHA256_HEX];
    gk_sha256(ramp, sizeof ramp, whole);
    gk_sha256_pieces(pieces, 4, cut);
    assert_string_equal(cut, whole);
    OK(gk_zip_pieces(pieces, 4, &packed, &n));
    OK(gk_unzip(packed, n, sizeof ramp, &again));
    assert_memory_equal(again, ramp, sizeof ramp);
    free(again);
    free(packed);

    /* Noise is stored as it is. */
    unsigned char noise[5000];
    gk_random random;
    gk_random_seed(&random, 1, 0);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)gk_random_raw(&random);
    for (size_t size = 0; size < sizeof noise; size = 3 * size + 1) {
        OK(gk_zip(noise, size, &packed, &n));
        assert_null(packed);
        assert_int_equal(n, size);
        OK(gk_unzip(noise, n, size, &raw));
        assert_memory_equal(raw, noise, size);
        free(raw);
    }
    /* Weights would lose less than an eighth: they are not worth the time; where every second is 0 they are. */
    float weights[20000];
    for (size_t i = 0; i < 20000; i++) weights[i] = (float)gk_random_normal(&random);
    OK(gk_zip(weights, sizeof weights, &packed, &n));
    assert_null(packed);
    assert_int_equal(n, sizeof weights);
    for (size_t i = 0; i < 20000; i += 2) weights[i] = 0;
    OK(gk_zip(weights, sizeof weights, &packed, &n));
    assert_non_null(packed);
    assert_true(n < sizeof weights * 7 / 8);
    free(packed);

    /* Packed or not must be told by the size alone, also where both would be nearly of one size. */
    for (int round = 0; round < 5000; round++) {
        const size_t size = 20 + (size_t)round % 200, same = gk_random_below(&random, 20);
        memset(noise, 7, same);
        for (size_t i = same; i < size; i++) noise[i] = (unsigned char)gk_random_raw(&random);
        OK(gk_zip(noise, size, &packed, &n));
        assert_true(packed ? n < size : n == size);
        OK(gk_unzip(packed ? packed : noise, n, size, &raw));
        assert_memory_equal(raw, noise, size);
        free(raw);
        free(packed);
    }
    assert_false(gk_is_zipped(npy_f8, sizeof npy_f8));
    assert_false(gk_is_zipped(safe_good, sizeof safe_good));
}

/* ---- any bytes at all ---- */

typedef void taster(const unsigned char *data, size_t n);

static void taste_npy(const unsigned char *data, size_t n)
{
    double *out;
    int rank;
    int64_t shape[4];
    if (gk_npy_read(data, n, &out, &rank, shape) != GK_OK) return;
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= (size_t)shape[i];
    volatile double sum = 0;
    for (size_t i = 0; i < count; i++) sum += out[i];
    free(out);
}

static void taste_safetensors(const unsigned char *data, size_t n)
{
    good g;
    good_init(&g);
    gk_safetensors_read(data, n, g.tensors, 4);
    free(gk_safetensors_meta(data, n, "step"));
    gk_tensor index[GK_TENSORS_MAX];
    int count;
    if (gk_safetensors_index(data, n, index, &count) != GK_OK) return;
    volatile unsigned sum = 0;
    for (int i = 0; i < count; i++) {
        const unsigned char *bytes = index[i].data;
        for (size_t k = 0; k < gk_tensor_bytes(&index[i]); k++) sum += bytes[k];
    }
}

static void taste_zip(const unsigned char *data, size_t n)
{
    unsigned char *out;
    size_t size;
    if (gk_unzip_grow(data, n, 1 << 16, &out, &size) == GK_OK) free(out);
    if (gk_unzip(data, n, 8192, &out) == GK_OK) free(out);
}

static void fuzz(const unsigned char *seed, size_t n, taster *taste)
{
    gk_random random;
    gk_random_seed(&random, n, 0);
    for (size_t size = 0; size <= n; size++) {
        unsigned char *bent = exact(seed, size);
        taste(bent, size);
        free(bent);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char *bent = exact(seed, n);
        for (int bit = 0; bit < 8; bit++) {
            bent[i] = seed[i] ^ (unsigned char)(1 << bit);
            taste(bent, n);
        }
        static const unsigned char words[] = {0, 0xff, '9', '-', '{', '}', '"', ',', '(', '\''};
        for (size_t w = 0; w < sizeof words; w++) {
            bent[i] = words[w];
            taste(bent, n);
        }
        free(bent);
    }
    for (int round = 0; round < 2000; round++) {
        unsigned char *bent = exact(seed, n);
        for (uint64_t k = gk_random_below(&random, 6) + 1; k > 0; k--)
            bent[gk_random_below(&random, n)] = (unsigned char)gk_random_raw(&random);
        taste(bent, n);
        free(bent);
    }
}

static void test_fuzz(void **state)
{
    (void)state;
    fuzz(npy_f8, sizeof npy_f8, taste_npy);
    fuzz(npy_v2, sizeof npy_v2, taste_npy);
    fuzz(npy_u1, sizeof npy_u1, taste_npy);
    fuzz(safe_good, sizeof safe_good, taste_safetensors);
    fuzz(zipped_ramp, sizeof zipped_ramp, taste_zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_read),
        cmocka_unit_test(test_npy_refused),
        cmocka_unit_test(test_npy_write),
        cmocka_unit_test(test_safetensors_read),
        cmocka_unit_test(test_safetensors_mismatch),
        cmocka_unit_test(test_safetensors_refused),
        cmocka_unit_test(test_safetensors_write),
        cmocka_unit_test(test_zip),
        cmocka_unit_test(zip_reads_bit_by_bit),
        cmocka_unit_test(test_fuzz),
    };
    return cmocka_run_group_tests_name("store_bytes", tests, NULL, NULL);
}
