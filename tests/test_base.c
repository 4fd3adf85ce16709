/* test_base.c: errors, memory, text, numbers, files, time, hashes and random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_base.h"

#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/base.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- errors ---- */

static void *error_of_another_thread(void *unused)
{
    (void)unused;
    bool starts_empty = gk_error_text()[0] == '\0';
    gk_error(GK_FAILED, "other");
    return starts_empty ? (void *)1 : NULL;
}

static void test_error_line(void **state)
{
    (void)state;
    assert_int_equal(gk_error(GK_USAGE, "lr = %d\n\tis bad", 3), GK_USAGE);
    assert_string_equal(gk_error_text(), "lr = 3  is bad");
    assert_int_equal(gk_error(GK_FAILED, "file:%d: %s", 12, gk_error_text()), GK_FAILED); /* adds a place */
    assert_string_equal(gk_error_text(), "file:12: lr = 3  is bad");

    pthread_t thread;
    void *starts_empty = NULL;
    assert_int_equal(pthread_create(&thread, NULL, error_of_another_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &starts_empty), 0);
    assert_non_null(starts_empty);
    assert_string_equal(gk_error_text(), "file:12: lr = 3  is bad");

    char *huge = gk_text("%0*d", 100000, 7);
    gk_error(GK_FAILED, "%s", huge);
    size_t length = strlen(gk_error_text());
    assert_in_range(length, 1000, 100000 - 1);
    assert_string_equal(gk_error_text() + length - 3, "...");
    free(huge);
}

/* ---- memory ---- */

static void test_alloc(void **state)
{
    (void)state;
    double *a = gk_calloc(37, sizeof *a);
    float *b = gk_alloc(5, sizeof *b);
    void *nothing = gk_alloc(0, 8);
    assert_true((uintptr_t)a % 64 == 0 && (uintptr_t)b % 64 == 0);
    for (int i = 0; i < 37; i++) assert_true(a[i] == 0);
    assert_non_null(nothing);
    free(a);
    free(b);
    free(nothing);

    assert_null(gk_alloc(SIZE_MAX / 2, 3)); /* the product overflows */
    assert_non_null(strstr(gk_error_text(), "out of memory"));
    gk_error(GK_FAILED, "-");
    assert_null(gk_calloc(SIZE_MAX - 70, 1));
    assert_non_null(strstr(gk_error_text(), "out of memory"));
}

typedef struct tensors {
    float *weight;
    double *sum;
    int32_t *none;
    uint8_t *flag;
} tensors;

static void layout(gk_pool *pool, tensors *t)
{
    t->weight = gk_pool_take(pool, 17, sizeof *t->weight);
    t->sum = gk_pool_take(pool, 3, sizeof *t->sum);
    t->none = gk_pool_take(pool, 0, sizeof *t->none);
    t->flag = gk_pool_take(pool, 65, sizeof *t->flag);
}

static void test_pool(void **state)
{
    (void)state;
    gk_pool pool = {0};
    tensors t;
    layout(&pool, &t);
    assert_null(t.weight);
    assert_null(t.flag);
    assert_int_equal(pool.used, 128 + 64 + 128);
    assert_int_equal(gk_pool_alloc(&pool), GK_OK);
    layout(&pool, &t);
    assert_int_equal(pool.used, pool.size);
    assert_true((uintptr_t)t.weight % 64 == 0 && (uintptr_t)t.sum % 64 == 0 && (uintptr_t)t.flag % 64 == 0);
    assert_true((void *)t.weight == pool.base && (unsigned char *)t.sum == pool.base + 128);
    for (int i = 0; i < 65; i++) assert_int_equal(t.flag[i], 0);
    memset(t.flag, 1, 65);
    gk_pool_free(&pool);
    assert_null(pool.base);
    gk_pool_free(NULL);

    gk_pool huge = {0}; /* what cannot be counted is refused when it is asked for, not wrapped round */
    gk_pool_take(&huge, SIZE_MAX / 4, 3);
    gk_pool_take(&huge, SIZE_MAX / 4, 3);
    assert_int_equal(gk_pool_alloc(&huge), GK_FAILED);
}

/* ---- text ---- */

static void test_text(void **state)
{
    (void)state;
    char *text = gk_text("%s-%05d", "run", 42);
    assert_string_equal(text, "run-00042");
    free(text);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const keys[] = {"op",    "p",     "train_fraction", "lr", "weight_decay",
                                       "width", "beta1", "beta2",          NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"trian_fraction", "train_fraction"},
        {"train-fraction", "train_fraction"},
        {"weightdecay", "weight_decay"},
        {"LR", "lr"},
        {"rl", "lr"},
        {"with", "width"},
        {"beta", "beta1"},
        {"beta3", "beta1"},
        {"ops", "op"},
        {"colour", NULL},
        {"x_y_z", NULL},
        {"", NULL},
        {"weight", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest = gk_text_nearest(cases[i].word, keys);
        if (cases[i].nearest)
            assert_string_equal(nearest, cases[i].nearest);
        else
            assert_null(nearest);
    }
    char *endless = gk_text("%0*d", 5000, 0);
    assert_null(gk_text_nearest(endless, keys));
    free(endless);
    static const char *const none[] = {NULL};
    assert_null(gk_text_nearest("lr", none));
}

static void test_integers(void **state)
{
    (void)state;
    int64_t value = 0;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-17", -17},
                {"+5", 5},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(gk_text_int(good[i].text, &value), GK_OK);
        assert_true(value == good[i].value);
    }
    static const char *const bad[] = {"", " 1", "1 ", "1.0", "1e3", "0x10", "-", "+", "--1", "9223372036854775808",
                                      "x"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        value = 99;
        assert_int_equal(gk_text_int(bad[i], &value), GK_USAGE);
        assert_true(value == 99);
    }
}

static void test_reals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(real_cases); i++) {
        char text[32];
        double value = -1;
        gk_text_from_real(real_cases[i].value, text);
        assert_string_equal(text, real_cases[i].text);
        assert_int_equal(gk_text_real(text, &value), GK_OK);
        assert_memory_equal(&value, &real_cases[i].value, sizeof value); /* the sign of zero too */
    }
    double value = 99;
    assert_int_equal(gk_text_real(".5", &value), GK_OK);
    assert_true(value == 0.5);
    assert_int_equal(gk_text_real("1e-400", &value), GK_OK); /* underflow is the nearest double, 0 */
    assert_true(value == 0);
    value = 99;
    static const char *const bad[] = {"",       " 1",    "1 ",  "nan", "inf", "-infinity", "1e999",
                                      "-1e999", "0x1p3", "1,5", "1e",  "e1",  ".",         "1.2.3"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(gk_text_real(bad[i], &value), GK_USAGE);
        assert_true(value == 99);
    }
    char text[32];
    gk_text_from_real((double)NAN, text);
    assert_string_equal(text, "nan");
    gk_text_from_real(-(double)INFINITY, text);
    assert_string_equal(text, "-inf");
}

/* ---- hashes: the examples of FIPS 180-4 ---- */

static void test_sha256(void **state)
{
    (void)state;
    char hex[GK_SHA256_HEX];
    gk_sha256(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gk_sha256("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    gk_sha256(two_blocks, strlen(two_blocks), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* Ends of every length, in one block and in two, and many blocks, against libsodium's portable code. */
static void test_sha256_of_every_length(void **state)
{
    (void)state;
    enum { MOST = 100003 };
    static unsigned char data[MOST];
    char hex[GK_SHA256_HEX], want[GK_SHA256_HEX];
    unsigned char digest[crypto_hash_sha256_BYTES];
    for (size_t i = 0; i < MOST; i++) data[i] = (unsigned char)(i * i >> 3 ^ i);
    for (size_t n = 0; n <= MOST; n += n < 300 ? 1 : MOST - 300) {
        gk_sha256(data, n, hex);
        crypto_hash_sha256(digest, data, n);
        sodium_bin2hex(want, sizeof want, digest, sizeof digest);
        assert_string_equal(hex, want);
    }
}

/* ---- random numbers ---- */

/* Known answers that Random123 publishes in tests/kat_vectors (philox4x64, 10 rounds): counter, key, result. */
static const uint64_t known_answers[][10] = {
    {0, 0, 0, 0, 0, 0, 0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0x87b092c3013fe90b, 0x438c3c67be8d0224,
     0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0},
    {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89, 0x452821e638d01377,
     0xbe5466cf34e90c6c, 0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6},
};

static void test_philox_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known_answers); i++) {
        const uint64_t *known = known_answers[i];
        gk_random r;
        gk_random_seed(&r, known[4], known[5]);
        memcpy(r.counter, known, sizeof r.counter);
        /* The generator increments before it makes a block; a borrow through all words precedes counter 0. */
        for (int w = 0; w < 4 && r.counter[w]-- == 0; w++) {
        }
        for (int w = 0; w < 4; w++) assert_true(gk_random_raw(&r) == known[6 + w]);
    }
}

static void test_philox_is_numpys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(philox_cases); i++) {
        gk_random r;
        uint64_t seed = philox_cases[i].seed, stream = philox_cases[i].stream;
        gk_random_seed(&r, seed, stream);
        for (int j = 0; j < 9; j++) assert_true(gk_random_raw(&r) == philox_cases[i].raw[j]);
        gk_random_seed(&r, seed, stream);
        for (int j = 0; j < 3; j++) assert_true(gk_random_uniform(&r) == philox_cases[i].uniform[j]);
        gk_random_seed(&r, seed, stream);
        for (int j = 0; j < 3; j++) assert_true(fabs(gk_random_normal(&r) - philox_cases[i].normal[j]) < 1e-14);
        gk_random_seed(&r, seed, stream);
        for (int j = 0; j < 4; j++) assert_true(gk_random_below(&r, 10) == philox_cases[i].below_10[j]);
        gk_random_seed(&r, seed, stream);
        for (int j = 0; j < 3; j++) assert_true(gk_random_below(&r, huge_bound) == philox_cases[i].below_huge[j]);
    }
}

static void test_random_laws(void **state)
{
    (void)state;
    enum { N = 40000 };
    gk_random r;
    gk_random_seed(&r, 3, GK_STREAM_INIT);
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        double z = gk_random_normal(&r);
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
    }
    /* Five standard errors of the mean (1), of the variance (2) and of the fourth moment (96). */
    assert_true(fabs(sum / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(fourth / N - 3) < 5 * sqrt(96.0 / N));
    for (int i = 0; i < 100; i++) assert_true(gk_random_below(&r, 1) == 0);
}

static void test_shuffle(void **state)
{
    (void)state;
    int32_t items[COUNT(shuffle_case)];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = (int32_t)i;
    gk_random r;
    gk_random_seed(&r, 5, GK_STREAM_SHUFFLE);
    gk_random_shuffle(&r, items, COUNT(items));
    assert_memory_equal(items, shuffle_case, sizeof items);
    gk_random_shuffle(&r, items, 0);
}

static void write_file(const char *name, const char *text, int code)
{
    gk_file f;
    assert_int_equal(gk_file_open(&f, name), GK_OK);
    fputs(text, f.to);
    assert_int_equal(gk_file_close(&f, code), code);
    assert_null(f.to);
}

static void expect_file(const char *name, const char *text)
{
    char back[16] = "";
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    assert_true(fread(back, 1, sizeof back - 1, file) == strlen(text));
    fclose(file);
    assert_string_equal(back, text);
}

static void test_file(void **state)
{
    (void)state;
    const char *name = "build/test_base_file.txt";
    struct stat before, after;
    remove(name);
    write_file(name, "thrown away", GK_FAILED);
    assert_int_not_equal(access(name, F_OK), 0);
    write_file(name, "first", GK_OK);
    expect_file(name, "first");
    assert_int_equal(chmod(name, 0600), 0);
    write_file(name, "lost", GK_NOTFOUND);
    expect_file(name, "first");
    write_file(name, "second", GK_OK);
    expect_file(name, "second");
    assert_int_equal(stat(name, &after), 0);
    assert_int_equal(after.st_mode & 0777, 0600);
    remove(name);

    gk_file f;
    assert_int_equal(gk_file_open(&f, "build/no/such/folder/x"), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "build/no/such/folder/x"));
    assert_int_equal(gk_file_close(&f, GK_NOTFOUND), GK_NOTFOUND);

    /* A device takes what is written, says when it cannot, and is never removed, not even by root. */
    write_file("/dev/null", "x", GK_FAILED);
    if (stat("/dev/full", &before) != 0) skip();
    assert_int_equal(gk_file_open(&f, "/dev/full"), GK_OK);
    fputs("x", f.to);
    assert_int_equal(gk_file_close(&f, GK_OK), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "/dev/full"));
    assert_int_equal(stat("/dev/full", &after), 0);
    assert_true(S_ISCHR(after.st_mode) && before.st_ino == after.st_ino);
}

static void test_seconds(void **state)
{
    (void)state;
    const double start = gk_seconds();
    usleep(20000);
    const double taken = gk_seconds() - start; /* at least the nap, and in seconds */
    assert_true(taken >= 0.02 && taken < 20);
}

/* Holds `bytes` resident for a moment; not through malloc, which may keep them. */
static void hold(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    memset(block, 1, bytes);
    munmap(block, bytes);
}

static void test_peak_memory(void **state)
{
    (void)state;
    enum { MB = 1 << 20 };
    const int64_t before = gk_peak_memory();
    assert_true(before > MB);
    hold((size_t)before + 64 * MB);
    const int64_t with = gk_peak_memory();
    assert_true(with > before + 60 * MB);
    if (access("/proc/self/clear_refs", W_OK) != 0) skip();
    gk_peak_memory_reset();
    assert_true(gk_peak_memory() < with - 32 * MB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_line),
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha256_of_every_length),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_philox_is_numpys),
        cmocka_unit_test(test_random_laws),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_peak_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
