/* test_task.c: label tables of all operations, their form, the number theory beside them, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/task.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What every task promises, whatever its operation. */
static void check_promises(const gk_task *t)
{
    int defined = 0;
    for (int cell = 0; cell < t->p * t->p; cell++) {
        int32_t z = t->labels[cell];
        assert_in_range(z + 1, 0, t->p);
        if (z < 0) continue;
        defined++;
        if (t->form == GK_FORM_SUM) assert_int_equal(z, (t->u[cell / t->p] + t->v[cell % t->p]) % t->p);
        if (t->form == GK_FORM_PRODUCT) assert_int_equal(z, t->u[cell / t->p] * t->v[cell % t->p] % t->p);
    }
    assert_int_equal(defined, t->n_pairs);
    assert_true((t->form == GK_FORM_NONE) == (t->u == NULL) && (t->u == NULL) == (t->v == NULL));
    assert_true(t->form != GK_FORM_PRODUCT || t->prime);
    for (int i = 0; i < t->p && t->u; i++) {
        assert_in_range(t->u[i], 0, t->p - 1);
        assert_in_range(t->v[i], 0, t->p - 1);
    }

    assert_true(t->prime == (t->power != NULL) && t->prime == (t->dlog != NULL) && t->prime == (t->root > 0));
    if (!t->prime) return;
    assert_int_equal(t->dlog[0], -1);
    assert_int_equal(t->power[0], 1);
    for (int i = 0; i < t->p - 1; i++) {
        if (i) assert_int_equal(t->power[i], t->power[i - 1] * t->root % t->p);
        assert_int_equal(t->dlog[t->power[i]], i);
    }
}

static void test_labels_and_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(label_cases); i++) {
        gk_task t;
        int p = label_cases[i].p;
        if (gk_task_init(&t, label_cases[i].op, p) != GK_OK)
            fail_msg("%s mod %d: %s", label_cases[i].op, p, gk_error_text());
        char hex[GK_SHA256_HEX];
        gk_sha256(t.labels, (size_t)(p * p) * sizeof *t.labels, hex);
        if (strcmp(hex, label_cases[i].sha256) != 0) fail_msg("%s mod %d: labels differ", label_cases[i].op, p);
        if (label_cases[i].form >= 0 && (int)t.form != label_cases[i].form)
            fail_msg("%s mod %d: form is %d, not %d", t.op, p, t.form, label_cases[i].form);
        assert_string_equal(t.op, label_cases[i].op);
        assert_int_equal(t.n_pairs, label_cases[i].n_pairs);
        check_promises(&t);
        gk_task_free(&t);
        assert_null(t.labels);
    }
    gk_task_free(NULL);
}

/* u and v as gk_task.h names them, and for other operations as people would write them. */
static void test_form_is_normalised(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        gk_form form;
        const char *u, *v; /* polynomials, read by the same parser: their value at (i, 0) */
    } cases[] = {
        {"add", GK_FORM_SUM, "x", "x"},           {"sub", GK_FORM_SUM, "x", "-x"},
        {"mul", GK_FORM_PRODUCT, "x", "x"},       {"div", GK_FORM_PRODUCT, "x", "1/x"},
        {"x^2+y^2", GK_FORM_SUM, "x^2", "x^2"},   {"x^2*y^3", GK_FORM_PRODUCT, "x^2", "x^3"},
        {"x+1/y", GK_FORM_SUM, "x", "1/x"},       {"1/x+y^2", GK_FORM_SUM, "1/x", "x^2"},
        {"y^3/x", GK_FORM_PRODUCT, "1/x", "x^3"}, {"3*x+5*y", GK_FORM_SUM, "3*x", "5*x"},
        {"x+y+1", GK_FORM_SUM, "x", "x+1"},       {"(x+1)*y", GK_FORM_PRODUCT, "(x+1)/2", "2*x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gk_task t, u, v;
        assert_int_equal(gk_task_init(&t, cases[i].op, 61), GK_OK);
        assert_int_equal(gk_task_init(&u, cases[i].u, 61), GK_OK);
        assert_int_equal(gk_task_init(&v, cases[i].v, 61), GK_OK);
        assert_int_equal(t.form, cases[i].form);
        for (int a = 0; a < 61; a++) { /* where undefined: 0 */
            int32_t ua = u.labels[a * 61], va = v.labels[a * 61];
            assert_int_equal(t.u[a], ua < 0 ? 0 : ua);
            assert_int_equal(t.v[a], va < 0 ? 0 : va);
        }
        gk_task_free(&t);
        gk_task_free(&u);
        gk_task_free(&v);
    }
}

static void test_limits(void **state)
{
    (void)state;
    gk_task t;
    assert_int_equal(gk_task_init(&t, "mul", 1009), GK_OK);
    assert_int_equal(t.n_pairs, 1009 * 1009);
    assert_int_equal(t.root, 11);
    check_promises(&t);
    gk_task_free(&t);

    char *deep = gk_text("%.*sx%.*s", 63, "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", 63,
                         "))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))");
    assert_int_equal(strlen(deep), 127); /* the longest that is taken */
    assert_int_equal(gk_task_init(&t, deep, 5), GK_OK);
    assert_string_equal(t.op, deep);
    gk_task_free(&t);
    free(deep);
}

static void test_refusals(void **state)
{
    (void)state;
#define UNKNOWN "; accepted: add, sub, mul, div or a polynomial in x and y such as x^2+x*y+y^2"
#define ATOM    "expected x, y, an integer or \"(\", found "
    static const struct {
        const char *op;
        int p;
        const char *line;
    } cases[] = {
        {"add", 1, "p = 1 is out of range; accepted: an integer from 2 to 1009"},
        {"add", 0, "p = 0 is out of range; accepted: an integer from 2 to 1009"},
        {"add", -7, "p = -7 is out of range; accepted: an integer from 2 to 1009"},
        {"add", 1010, "p = 1010 is out of range; accepted: an integer from 2 to 1009"},
        {"mul", 60, "operation mul needs a prime p, and 60 is not one; the nearest are 59 and 61"},
        {"div", 1008, "operation div needs a prime p, and 1008 is not one; the nearest are 997 and 1009"},
        {"div", 4, "operation div needs a prime p, and 4 is not one; the nearest are 3 and 5"},
        {"ad", 7, "unknown operation \"ad\" (did you mean \"add\"?)" UNKNOWN},
        {"MUL", 7, "unknown operation \"MUL\" (did you mean \"mul\"?)" UNKNOWN},
        {"exclusive_or", 7, "unknown operation \"exclusive_or\"" UNKNOWN},
        {"", 7, "operation \"\", column 1: " ATOM "the end"},
        {"  ", 7, "operation \"  \", column 3: " ATOM "the end"},
        {"x+", 7, "operation \"x+\", column 3: " ATOM "the end"},
        {"x + * y", 7, "operation \"x + * y\", column 5: " ATOM "\"*\""},
        {"x+z", 7, "operation \"x+z\", column 3: " ATOM "\"z\""},
        {"()", 7, "operation \"()\", column 2: " ATOM "\")\""},
        {"2x", 7, "operation \"2x\", column 2: expected an operator or the end, found \"x\""},
        {"xy", 7, "operation \"xy\", column 2: expected an operator or the end, found \"y\""},
        {"x+y)", 7, "operation \"x+y)\", column 4: expected an operator or the end, found \")\""},
        {"x²", 7, "operation \"x²\", column 2: expected an operator or the end, found \"²\""},
        {"(x+y", 7, "operation \"(x+y\", column 5: expected an operator or \")\", found the end"},
        {"(x y)", 7, "operation \"(x y)\", column 4: expected an operator or \")\", found \"y\""},
        {"x^-1", 7, "operation \"x^-1\", column 3: expected a non-negative integer exponent, found \"-\""},
        {"x^y", 7, "operation \"x^y\", column 3: expected a non-negative integer exponent, found \"y\""},
        {"x**2", 7, "operation \"x**2\", column 3: " ATOM "\"*\""},
        {"x^2147483648", 7, "operation \"x^2147483648\", column 3: expected an exponent below 2^31, found \"2\""},
        {"x^2^3", 7, "operation \"x^2^3\", column 4: expected brackets around a power of a power, found \"^\""},
        {"1/(7*x)", 7, "operation \"1/(7*x)\" is undefined for every pair mod 7: its divisor is never a unit"},
        {"x/2", 4, "operation \"x/2\" is undefined for every pair mod 4: its divisor is never a unit"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gk_task t;
        assert_int_equal(gk_task_init(&t, cases[i].op, cases[i].p), GK_USAGE);
        assert_string_equal(gk_error_text(), cases[i].line);
        assert_null(t.labels);
    }
    gk_task t;
    char *endless = gk_text("%0*d+x", 5000, 0);
    assert_int_equal(gk_task_init(&t, endless, 7), GK_USAGE);
    assert_non_null(strstr(gk_error_text(), "has 5002 characters; accepted: at most 127"));
    free(endless);
}

/* Any bytes of the grammar's alphabet either parse or are refused with a column: nothing is read out of bounds. */
static void test_random_text(void **state)
{
    (void)state;
    static const char alphabet[] = "xy()+-*/^0129 z.\xc3\xb2";
    gk_random r;
    gk_random_seed(&r, 1, 0);
    int parsed = 0;
    for (int i = 0; i < 20000; i++) {
        char op[140];
        size_t n = gk_random_below(&r, i % 100 ? 8 : sizeof op - 1);
        for (size_t j = 0; j < n; j++) op[j] = alphabet[gk_random_below(&r, sizeof alphabet - 1)];
        op[n] = '\0';
        gk_task t;
        int code = gk_task_init(&t, op, 3);
        assert_true(code == GK_OK || code == GK_USAGE);
        if (code == GK_OK) {
            parsed++;
            check_promises(&t);
        }
        gk_task_free(&t);
    }
    assert_in_range(parsed, 500, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_and_forms), cmocka_unit_test(test_form_is_normalised),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
