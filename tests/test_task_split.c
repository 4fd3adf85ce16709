/* test_task_split.c: splits as NumPy and CPython make them, as files, and as stored cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/task.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_splits_are_the_oracles(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(split_cases); i++) {
        gk_split s;
        if (gk_split_make(&s, split_cases[i].op, split_cases[i].p, split_cases[i].train_fraction, split_cases[i].seed,
                          split_cases[i].generator) != GK_OK)
            fail_msg("case %zu: %s", i, gk_error_text());
        assert_int_equal(s.task.n_pairs, split_cases[i].n_pairs);
        assert_int_equal(s.n_train, split_cases[i].n_train);
        assert_int_equal(s.n_train + s.n_test, s.task.n_pairs);
        assert_string_equal(s.sha256, split_cases[i].sha256);
        assert_string_equal(s.generator, split_cases[i].generator);
        assert_true(s.seed == split_cases[i].seed && s.train_fraction == split_cases[i].train_fraction);
        for (int j = 1; j < s.n_train; j++) assert_true(s.train[j - 1] < s.train[j]);
        for (int j = 1; j < s.n_test; j++) assert_true(s.test[j - 1] < s.test[j]);
        gk_split_free(&s);
    }
    gk_split_free(NULL);
}

static void test_csv(void **state)
{
    (void)state;
    const int32_t train[] = {5, 1, 7}; /* any order */
    gk_split s;
    assert_int_equal(gk_split_restore(&s, "div", 3, 0.5, 9, "philox", train, 3), GK_OK);
    char *csv = gk_split_csv(&s);
    assert_string_equal(csv, "x,y,z,part\n0,1,0,train\n0,2,0,test\n1,1,1,test\n1,2,2,train\n2,1,2,train\n2,2,1,test\n");
    char hex[GK_SHA256_HEX];
    gk_sha256(csv, strlen(csv), hex);
    assert_string_equal(s.sha256, hex);
    assert_true(s.train_fraction == 0.5 && s.seed == 9);
    assert_string_equal(s.generator, "philox");
    free(csv);
    gk_split_free(&s);
}

static void test_restore_gives_the_same(void **state)
{
    (void)state;
    gk_split a, b;
    assert_int_equal(gk_split_make(&a, "x^2+x*y+y^2", 31, 0.4, 5, "python"), GK_OK);
    assert_int_equal(
        gk_split_restore(&b, a.task.op, a.task.p, a.train_fraction, a.seed, a.generator, a.train, a.n_train), GK_OK);
    assert_string_equal(a.sha256, b.sha256);
    assert_memory_equal(a.test, b.test, (size_t)a.n_test * sizeof *a.test);
    gk_split_free(&a);
    gk_split_free(&b);
}

static void test_restore_refusals(void **state)
{
    (void)state;
    static const struct {
        int32_t train[3];
        int n;
        const char *line;
    } cases[] = {
        {{1, 2, 1}, 3, "train cell 1 of a split of div mod 3 is there twice"},
        {{1, 9, 2}, 3, "train cell 9 of a split of div mod 3 is not a defined pair x*p + y"},
        {{-1, 0, 0}, 1, "train cell -1 of a split of div mod 3 is not a defined pair x*p + y"},
        {{3, 0, 0}, 1, "train cell 3 of a split of div mod 3 is not a defined pair x*p + y"},
        {{1, 0, 0}, 0, "a split of div mod 3 cannot have 0 train cells of its 6 pairs"},
        {{1, 0, 0}, 7, "a split of div mod 3 cannot have 7 train cells of its 6 pairs"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gk_split s;
        assert_int_equal(gk_split_restore(&s, "div", 3, 0.5, 0, "philox", cases[i].train, cases[i].n), GK_FAILED);
        assert_string_equal(gk_error_text(), cases[i].line);
        assert_null(s.train);
    }
}

static void test_make_refusals(void **state)
{
    (void)state;
#define RANGE " is out of range; accepted: a number above 0 and at most 1"
#define ANY   "; accepted: philox, python (or a split file)"
    static const struct {
        const char *op;
        int p;
        double train_fraction;
        const char *generator, *line;
    } cases[] = {
        {"add", 7, NAN, "philox", "train_fraction = nan" RANGE},
        {"add", 7, 0, "philox", "train_fraction = 0" RANGE},
        {"add", 7, -0.5, "philox", "train_fraction = -0.5" RANGE},
        {"add", 7, 1.5, "python", "train_fraction = 1.5" RANGE},
        {"add", 7, INFINITY, "python", "train_fraction = inf" RANGE},
        {"add", 7, 0.02, "philox",
         "train_fraction = 0.02 of the 49 pairs of add mod 7 leaves no train pair; accepted: above 1/49"},
        {"add", 1, 0.5, "philox", "p = 1 is out of range; accepted: an integer from 2 to 1009"},
        {"div", 60, 0.5, "philox", "operation div needs a prime p, and 60 is not one; the nearest are 59 and 61"},
        {"add", 7, 0.5, "pyhton", "unknown split generator \"pyhton\" (did you mean \"python\"?)" ANY},
        {"add", 7, 0.5, "file", "unknown split generator \"file\"" ANY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gk_split s;
        assert_int_equal(gk_split_make(&s, cases[i].op, cases[i].p, cases[i].train_fraction, 0, cases[i].generator),
                         GK_USAGE);
        assert_string_equal(gk_error_text(), cases[i].line);
        assert_null(s.train);
    }
}

/* ---- split files ---- */

static char path[] = "/tmp/groklab_split_XXXXXX";

static int open_file(void **state)
{
    (void)state;
    int file = mkstemp(path);
    if (file >= 0) close(file);
    return file < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void test_file_round_trip(void **state)
{
    (void)state;
    gk_split a, b;
    assert_int_equal(gk_split_make(&a, "div", 23, 0.3, 4, "philox"), GK_OK);
    char *csv = gk_split_csv(&a);
    write_file(csv, strlen(csv));
    assert_int_equal(gk_split_read(&b, path, "div", 23), GK_OK);
    assert_string_equal(a.sha256, b.sha256);
    assert_memory_equal(a.train, b.train, (size_t)a.n_train * sizeof *a.train);
    assert_string_equal(b.generator, "file");
    assert_true(b.train_fraction == (double)a.n_train / a.task.n_pairs);
    assert_true(b.seed == 0);
    free(csv);
    gk_split_free(&a);
    gk_split_free(&b);
}

/* As a spreadsheet on another system may save it: byte order mark, CRLF, its own order, no last line end. */
static void test_file_of_others(void **state)
{
    (void)state;
    const char *text = "\xef\xbb\xbfx,y,z,part\r\n1,1,0,test\r\n\r\n0,1,1,train\r\n1,0,1,train\r\n0,0,0,test";
    write_file(text, strlen(text));
    gk_split s;
    assert_int_equal(gk_split_read(&s, path, "add", 2), GK_OK);
    assert_int_equal(s.n_train, 2);
    assert_int_equal(s.train[0], 1);
    assert_int_equal(s.train[1], 2);
    gk_split_free(&s);
}

static void test_file_refusals(void **state)
{
    (void)state;
#define HEAD "x,y,z,part\n"
    static const struct {
        const char *op, *text, *line; /* the error line after the path */
    } cases[] = {
        {"add", "", ":1: empty; accepted: CSV x,y,z,part"},
        {"add", "x,y,part\n", ":1: header \"x,y,part\"; accepted: x,y,z,part"},
        {"add", "0,0,0,train\n", ":1: header \"0,0,0,train\"; accepted: x,y,z,part"},
        {"add", HEAD "0,0,1,train\n", ":2: z = 1 is a wrong label; add mod 3 of (0, 0) is 0"},
        {"add", HEAD "0,0,0,train\n3,0,0,test\n", ":3: x = \"3\"; accepted: an integer from 0 to 2"},
        {"add", HEAD "0,-1,0,train\n", ":2: y = \"-1\"; accepted: an integer from 0 to 2"},
        {"add", HEAD "0,a,0,train\n", ":2: y = \"a\"; accepted: an integer from 0 to 2"},
        {"add", HEAD "0,0,,train\n", ":2: z = \"\"; accepted: an integer from 0 to 2"},
        {"add", HEAD "0,0,99999999999999999999,train\n",
         ":2: z = \"99999999999999999999\"; accepted: an integer from 0 to 2"},
        {"add", HEAD "0,0,0,Train\n", ":2: part = \"Train\"; accepted: train or test"},
        {"add", HEAD "0,0,0,\n", ":2: part = \"\"; accepted: train or test"},
        {"add", HEAD "0,0,0\n", ":2: fewer than four fields; accepted: x,y,z,part"},
        {"add", HEAD "0,0,0,train,\n", ":2: more than four fields; accepted: x,y,z,part"},
        {"add", HEAD "0,0,0,train\n\n0,1,1,test\n0,0,0,test\n", ":5: pair (0, 0) is a duplicate of line 2"},
        {"div", HEAD "0,1,0,train\n1,0,0,test\n",
         ":3: pair (1, 0) has no label, div mod 3 is undefined there; leave it out"},
        {"div", HEAD "0,1,0,train\n0,2,0,test\n1,2,2,train\n2,1,2,train\n",
         ":5: ends with 2 missing pairs, the first is (1, 1); accepted: all 6 of div mod 3"},
        {"div", HEAD "0,1,0,train\n0,2,0,test\n1,2,2,train\n2,1,2,train\n1,1,1,train\n",
         ":6: ends with 1 missing pair, the first is (2, 2); accepted: all 6 of div mod 3"},
        {"div", HEAD "0,1,0,train\n0,2,0,train\n1,1,1,train\n1,2,2,train\n2,1,2,train\n2,2,1,train\n",
         ":7: ends without any test pair; accepted: at least one of each part"},
        {"div", HEAD "0,1,0,test\n0,2,0,test\n1,1,1,test\n1,2,2,test\n2,1,2,test\n2,2,1,test\n",
         ":7: ends without any train pair; accepted: at least one of each part"},
        {"ad", HEAD, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_file(cases[i].text, strlen(cases[i].text));
        gk_split s;
        assert_int_equal(gk_split_read(&s, path, cases[i].op, 3), GK_USAGE);
        char *line = gk_text("%s%s", path, cases[i].line ? cases[i].line : "");
        if (cases[i].line) assert_string_equal(gk_error_text(), line);
        free(line);
        assert_null(s.train);
        assert_null(s.task.labels);
    }
    gk_split s;
    write_file(HEAD "0,0\0,0,train\n", 24);
    assert_int_equal(gk_split_read(&s, path, "add", 3), GK_USAGE);
    assert_non_null(strstr(gk_error_text(), ":2: holds a zero byte; accepted: CSV text x,y,z,part"));
}

static void test_file_that_cannot_be_read(void **state)
{
    (void)state;
    gk_split s;
    assert_int_equal(gk_split_read(&s, "tests/no_such.csv", "add", 3), GK_NOTFOUND);
    assert_string_equal(gk_error_text(),
                        "tests/no_such.csv: cannot be opened: No such file or directory; accepted: a CSV "
                        "file x,y,z,part");
    assert_int_equal(gk_split_read(&s, "tests", "add", 3), GK_FAILED);
    assert_string_equal(gk_error_text(), "tests: cannot be read: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits_are_the_oracles),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_restore_gives_the_same),
        cmocka_unit_test(test_restore_refusals),
        cmocka_unit_test(test_make_refusals),
        cmocka_unit_test(test_file_round_trip),
        cmocka_unit_test(test_file_of_others),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, open_file, remove_file);
}
