/* test_base_config.c: typed settings: what is taken, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const gk_key shared_keys[] = {
    {"p", GK_KEY_INT, "113", 2, 1009, NULL, "modulus"},
    {"seed", GK_KEY_INT, "0", 0, 9.3e18, NULL, "random seed"},
    {"shift", GK_KEY_INT, "0", -9.3e18, 4, NULL, "a bound above only"},
    {"lr", GK_KEY_REAL, "1e-03", 0, 10, NULL, "learning rate"},
    {"scale", GK_KEY_REAL, "1", -INFINITY, INFINITY, NULL, "no bounds"},
    {"loss", GK_KEY_CHOICE, "mse", 0, 0, "mse|cross_entropy", "loss"},
    {"name", GK_KEY_TEXT, "", 0, 0, NULL, "name of the run"},
    {.name = NULL},
};
static const gk_key own_keys[] = {
    {"width", GK_KEY_INT, "256", 1, 65536, NULL, "hidden neurons"},
    {"lr", GK_KEY_REAL, "0.5", 0, 1, NULL, "another default and range"},
    {.name = NULL},
};

static int make(void **state)
{
    gk_config *c = malloc(sizeof *c);
    gk_config_init(c);
    *state = c;
    return gk_config_add(c, shared_keys);
}

static int drop(void **state)
{
    gk_config_free(*state);
    gk_config_free(*state); /* an emptied one again, and NULL, are fine */
    gk_config_free(NULL);
    free(*state);
    return 0;
}

static void test_defaults_and_override(void **state)
{
    gk_config *c = *state;
    assert_int_equal(c->n, 7);
    assert_int_equal(gk_config_int(c, "p"), 113);
    assert_true(gk_config_real(c, "lr") == 1e-3);
    assert_string_equal(gk_config_text(c, "lr"), "0.001");
    assert_true(gk_config_is(c, "loss", "mse") && !gk_config_is(c, "loss", "cross_entropy"));
    assert_null(gk_config_find(c, "width"));

    assert_int_equal(gk_config_add(c, own_keys), GK_OK);
    assert_int_equal(c->n, 8);
    assert_true(gk_config_real(c, "lr") == 0.5);
    assert_string_equal(gk_config_find(c, "lr")->key->help, "another default and range");
    assert_int_equal(gk_config_set(c, "lr", "2", "--lr"), GK_USAGE); /* the new range holds */
}

static void test_canonical_text(void **state)
{
    gk_config *c = *state;
    static const struct {
        const char *key, *given, *kept;
    } cases[] = {
        {"p", "+7", "7"},
        {"p", "0061", "61"},
        {"lr", "1e-3", "0.001"},
        {"lr", "0.0010", "0.001"},
        {"lr", "-0", "0"},
        {"lr", "1e0", "1"},
        {"scale", "-1e-5", "-1e-5"},
        {"scale", "1e20", "1e20"},
        {"name", "a b", "a b"},
        {"name", "μ=½ 𝔽", "μ=½ 𝔽"},
        {"loss", "cross_entropy", "cross_entropy"},
        {"seed", "9223372036854775807", "9223372036854775807"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(gk_config_set(c, cases[i].key, cases[i].given, NULL), GK_OK);
        assert_string_equal(gk_config_text(c, cases[i].key), cases[i].kept);
    }
    assert_true(gk_config_int(c, "seed") == INT64_MAX);
}

static void test_refusals(void **state)
{
    gk_config *c = *state;
    static const struct {
        const char *key, *text, *where, *line;
    } cases[] = {
        {"p", "abc", "--p", "--p: p = \"abc\" is not an integer; accepted: an integer from 2 to 1009"},
        {"p", "61.0", "a.ini:3", "a.ini:3: p = \"61.0\" is not an integer; accepted: an integer from 2 to 1009"},
        {"p", "1", "a.ini:3", "a.ini:3: p = \"1\" is out of range; accepted: an integer from 2 to 1009"},
        {"p", "1010", "a.ini:3", "a.ini:3: p = \"1010\" is out of range; accepted: an integer from 2 to 1009"},
        {"seed", "-1", "--seed", "--seed: seed = \"-1\" is out of range; accepted: an integer of at least 0"},
        {"shift", "5", NULL, "shift = \"5\" is out of range; accepted: an integer of at most 4"},
        {"lr", "", "--lr", "--lr: lr = \"\" is not a number; accepted: a number from 0 to 10"},
        {"lr", "nan", "--lr", "--lr: lr = \"nan\" is not a number; accepted: a number from 0 to 10"},
        {"lr", "-1e-9", "--lr", "--lr: lr = \"-1e-9\" is out of range; accepted: a number from 0 to 10"},
        {"scale", "inf", "--scale", "--scale: scale = \"inf\" is not a number; accepted: a number"},
        {"loss", "msee", "b.ini:9", "b.ini:9: loss = \"msee\" is not a choice; accepted: one of mse, cross_entropy"},
        {"loss", "ms", NULL, "loss = \"ms\" is not a choice; accepted: one of mse, cross_entropy"},
        {"loss", "", NULL, "loss = \"\" is not a choice; accepted: one of mse, cross_entropy"},
        {"loss", "mse|cross_entropy", NULL,
         "loss = \"mse|cross_entropy\" is not a choice; accepted: one of mse, cross_entropy"},
        {"name", "a\tb", NULL, "name = \"a b\" is not plain text; accepted: UTF-8 text without control characters"},
        {"l_r", "1", "b.ini:4", "b.ini:4: unknown key \"l_r\"; did you mean \"lr\"?"},
        {"momentum", "1", "b.ini:4", "b.ini:4: unknown key \"momentum\"; accepted: p seed shift lr scale loss name"},
    };
    char *before = gk_config_json(c);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(gk_config_set(c, cases[i].key, cases[i].text, cases[i].where), GK_USAGE);
        assert_string_equal(gk_error_text(), cases[i].line);
    }
    /* Bytes that are not UTF-8: stray and missing continuations, overlong forms, a surrogate, past U+10FFFF. */
    static const char *const bytes[] = {"\xff",
                                        "\x80",
                                        "a\xc3",
                                        "\xc0\xaf",
                                        "\xe0\x80\xaf",
                                        "\xed\xa0\x80",
                                        "\xf0\x80\x80\xaf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xe2\x82"};
    for (size_t i = 0; i < COUNT(bytes); i++) assert_int_equal(gk_config_set(c, "name", bytes[i], NULL), GK_USAGE);
    char *after = gk_config_json(c);
    assert_string_equal(before, after); /* a refused value changes nothing */
    free(before);
    free(after);
}

static void test_json(void **state)
{
    gk_config *c = *state;
    assert_int_equal(gk_config_set(c, "name", "say \"a\\b\"", NULL), GK_OK);
    char *json = gk_config_json(c);
    assert_string_equal(json, "{\"loss\":\"mse\",\"lr\":0.001,\"name\":\"say \\\"a\\\\b\\\"\",\"p\":113,\"scale\":1,"
                              "\"seed\":0,\"shift\":0}");
    free(json);

    gk_config empty;
    gk_config_init(&empty);
    json = gk_config_json(&empty);
    assert_string_equal(json, "{}");
    free(json);
}

/* Equal settings, set in another order and written otherwise, are equal bytes. */
static void test_json_is_canonical(void **state)
{
    gk_config *c = *state, other;
    gk_config_init(&other);
    assert_int_equal(gk_config_add(&other, own_keys), GK_OK);
    assert_int_equal(gk_config_add(&other, shared_keys), GK_OK);
    assert_int_equal(gk_config_add(c, own_keys), GK_OK);
    assert_int_equal(gk_config_set(c, "lr", "0.25", NULL), GK_OK);
    assert_int_equal(gk_config_set(&other, "lr", "25e-2", NULL), GK_OK);
    char *a = gk_config_json(c), *b = gk_config_json(&other);
    assert_string_equal(a, b);
    free(a);
    free(b);
    gk_config_free(&other);
}

static void test_copy_is_deep(void **state)
{
    gk_config *c = *state, copy;
    memset(&copy, 0x5a, sizeof copy);
    assert_int_equal(gk_config_copy(&copy, c), GK_OK);
    assert_int_equal(gk_config_set(c, "p", "7", NULL), GK_OK);
    assert_int_equal(gk_config_int(&copy, "p"), 113);
    assert_string_equal(gk_config_text(&copy, "p"), "113");
    gk_config_free(&copy);
}

static void test_too_many_keys(void **state)
{
    (void)state;
    static char names[GK_CONFIG_MAX + 1][16];
    static gk_key rows[GK_CONFIG_MAX + 2];
    for (int i = 0; i <= GK_CONFIG_MAX; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i);
        rows[i] = (gk_key){names[i], GK_KEY_INT, "1", 0, 2, NULL, ""};
    }
    gk_config c;
    gk_config_init(&c);
    assert_int_equal(gk_config_add(&c, rows), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "\"k64\""));
    assert_int_equal(c.n, GK_CONFIG_MAX);
    gk_config_free(&c);

    static const gk_key bad_default[] = {{"lr", GK_KEY_REAL, "fast", 0, 1, NULL, ""}, {.name = NULL}};
    assert_int_equal(gk_config_add(&c, bad_default), GK_USAGE);
    assert_string_equal(gk_error_text(), "default: lr = \"fast\" is not a number; accepted: a number from 0 to 1");
    gk_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults_and_override, make, drop),
        cmocka_unit_test_setup_teardown(test_canonical_text, make, drop),
        cmocka_unit_test_setup_teardown(test_refusals, make, drop),
        cmocka_unit_test_setup_teardown(test_json, make, drop),
        cmocka_unit_test_setup_teardown(test_json_is_canonical, make, drop),
        cmocka_unit_test_setup_teardown(test_copy_is_deep, make, drop),
        cmocka_unit_test(test_too_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
