/* test_plot_page.c: what the page carries: exact curve values, matrices that decode to what went in, escapes, its size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void page_of(const gk_plot_page *page, char **html, size_t *n)
{
    assert_int_equal(gk_plot_page_html(page, html, n), GK_OK);
    assert_int_equal(strlen(*html), *n);
}

/* What follows `key` in the page's data. */
static const char *after(const char *html, const char *key)
{
    const char *data = strstr(html, "id=\"data\">"), *at = data ? strstr(data, key) : NULL;
    assert_non_null(at);
    return at + strlen(key);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    assert_true(c && at);
    return (int)(at - digits);
}

/* Bytes of the base64 text up to its closing quote. */
static size_t decode(const char *text, unsigned char *out)
{
    size_t n = 0;
    for (; text[0] != '"'; text += 4) {
        unsigned v = (unsigned)digit(text[0]) << 18 | (unsigned)digit(text[1]) << 12;
        if (text[2] != '=') v |= (unsigned)digit(text[2]) << 6;
        if (text[3] != '=') v |= (unsigned)digit(text[3]);
        out[n++] = (unsigned char)(v >> 16);
        if (text[2] != '=') out[n++] = (unsigned char)(v >> 8 & 255);
        if (text[3] != '=') out[n++] = (unsigned char)(v & 255);
    }
    return n;
}

static void test_curves_and_texts(void **state)
{
    (void)state;
    double step[] = {0, 1, 2}, value[] = {0.1, NAN, 1.0 / 3};
    gk_plot_curve curve = {"test_loss", 3, step, value};
    gk_plot_event event = {"grokked", 2};
    gk_plot_pair setting = {"op", "x<y</script>"};
    gk_plot_page_run run = {.run = {.label = "a \"quoted\" <b>",
                                    .method = "mlp",
                                    .unit = "epoch",
                                    .last = 2,
                                    .curves = &curve,
                                    .n_curves = 1,
                                    .events = &event,
                                    .n_events = 1},
                            .id = 7,
                            .status = "finished",
                            .settings = &setting,
                            .n_settings = 1,
                            .wall_seconds = NAN};
    gk_plot_metric metric = {"test_loss", "nats", "loss & more"};
    gk_plot_pair sql = {"curves", "SELECT 1 < 2"};
    gk_plot_page page = {.title = "x < y & z",
                         .task = "add mod 5",
                         .version = "0",
                         .p = 5,
                         .n = 1,
                         .runs = &run,
                         .metrics = &metric,
                         .n_metrics = 1,
                         .sql = &sql,
                         .n_sql = 1};
    size_t n;
    char *html = NULL;
    page_of(&page, &html, &n);
    assert_non_null(strstr(html, "<title>x &lt; y &amp; z</title>"));
    assert_true(begins(after(html, "\"test_loss\":{"), "\"s\":[0,1,2],\"v\":[0.1,null,0.3333333333333333],\"n\":3}"));
    assert_true(begins(after(html, "\"label\":"), "\"a \\u0022quoted\\u0022 \\u003cb\\u003e\""));
    assert_true(begins(after(html, "\"seconds\":"), "null"));
    /* nothing in the data can end the script element that holds it */
    const char *data = strstr(html, "id=\"data\">") + 10, *end = strstr(data, "</script>");
    for (const char *c = data; c < end; c++) assert_true(*c != '<' && *c != '>');
    assert_true(begins(end, "</script>\n<script>\n"));
    free(html);
}

/* The page of no runs, of a run without anything, is still a page. */
static void test_empty(void **state)
{
    (void)state;
    gk_plot_page_run run = {.run = {.label = "r", .method = "mlp"}};
    gk_plot_page none = {.title = NULL, .p = 5}, bare = {.title = "t", .p = 5, .n = 1, .runs = &run};
    size_t n;
    char *html = NULL;
    page_of(&none, &html, &n);
    assert_non_null(strstr(html, "\"runs\":[]}"));
    free(html);
    page_of(&bare, &html, &n);
    assert_non_null(strstr(html, "\"frames\":{},\"spectra\":[]}"));
    free(html);
}

static void check_matrix(int p, int bits, bool symmetric)
{
    const size_t n = 2 * (size_t)p;
    double *m = malloc(n * n * sizeof *m), most = 0, top = bits == 8 ? 127 : 32767;
    unsigned char *bytes = malloc(2 * n * n + 4);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            m[i * n + j] =
                i == j ? 100.0 + (double)i : sin((double)(i * j)) + (symmetric ? 0 : 0.3 * cos((double)(i + 2 * j)));
            if (i != j) most = fmax(most, fabs(m[i * n + j]));
        }
    m[n] = NAN; /* (1, 0) */
    if (symmetric) m[1] = NAN;
    gk_plot_frame frame = {"metric", 12, (int)n, (int)n, m};
    gk_plot_page_run run = {.run = {.label = "r", .method = "rfm", .frames = &frame, .n_frames = 1}};
    gk_plot_page page = {.title = "t", .p = p, .n = 1, .runs = &run};
    size_t size;
    char *html = NULL, want[32];
    page_of(&page, &html, &size);
    snprintf(want, sizeof want, "\"bits\":%d,", bits);
    assert_non_null(strstr(html, want));
    assert_non_null(strstr(html, symmetric ? "\"sym\":true" : "\"sym\":false"));
    assert_true(fabs(strtod(after(html, "\"max\":"), NULL) - most) < 1e-15);
    assert_true(strtod(after(html, "\"diag\":["), NULL) == 100);
    const char *text = after(html, "],\"data\":\"");
    const size_t got = decode(text, bytes), cells = symmetric ? n * (n - 1) / 2 : n * n;
    assert_int_equal(got, cells * (size_t)bits / 8);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < (symmetric ? i : n); j++, at++) {
            int q = bits == 8 ? (int8_t)bytes[at] : (int16_t)(bytes[2 * at] | bytes[2 * at + 1] << 8);
            if (i == 1 && j == 0)
                assert_int_equal(q, -(int)top - 1);
            else if (i == j)
                assert_int_equal(q, 0);
            else
                assert_true(fabs(q / top * most - m[i * n + j]) <= 0.51 * most / top);
        }
    }
    free(html);
    free(bytes);
    free(m);
}

static void test_matrices(void **state)
{
    (void)state;
    check_matrix(7, 16, true);
    check_matrix(83, 8, true);
    check_matrix(7, 16, false);
}

/* Ten thousand points a curve: thinned, and the page says of how many. */
static void test_many_points(void **state)
{
    (void)state;
    enum { N = 10000, CURVES = 40, RUNS = 3 };
    double *step = malloc(N * sizeof *step), *value = malloc(N * sizeof *value);
    for (int i = 0; i < N; i++) {
        step[i] = i;
        value[i] = i == 6543 ? 1e3 : sin(i * 0.37) / 3;
    }
    gk_plot_curve curves[CURVES];
    char names[CURVES][16];
    gk_plot_page_run runs[RUNS];
    for (int c = 0; c < CURVES; c++) {
        snprintf(names[c], sizeof names[c], "m%d", c);
        curves[c] = (gk_plot_curve){names[c], N, step, value};
    }
    for (int r = 0; r < RUNS; r++)
        runs[r] =
            (gk_plot_page_run){.run = {.label = "r", .method = "mlp", .last = N, .curves = curves, .n_curves = CURVES}};
    gk_plot_page page = {.title = "t", .p = 5, .n = RUNS, .runs = runs};
    size_t n;
    char *html = NULL;
    page_of(&page, &html, &n);
    assert_true(n < 2000000);
    const char *first = after(html, "\"m0\":");
    const char *end = strchr(first, '}');
    assert_memory_equal(end - 9, "\"n\":10000", 9);
    const char *spike = strstr(first, ",1000,"); /* the highest point of its interval stays */
    assert_true(spike && spike < end);
    free(html);
    free(step);
    free(value);
}

static void test_pick(void **state)
{
    (void)state;
    enum { N = 501 };
    double steps[N];
    int index[N];
    for (int i = 0; i < N; i++) steps[i] = 100.0 * i;
    gk_plot_event events[] = {{"memorised", 1000}, {"grokked", 20000}};
    gk_plot_run run = {.last = 50000, .events = events, .n_events = 2};
    int n = gk_plot_pick(&run, steps, N, 20, index), early = 0, between = 0;
    assert_int_equal(n, 20);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[n - 1], N - 1);
    for (int i = 1; i < n; i++) assert_true(index[i] > index[i - 1]);
    for (int i = 0; i < n; i++) {
        early += steps[index[i]] > 0 && steps[index[i]] <= 1000;
        between += steps[index[i]] > 1000 && steps[index[i]] < 20000;
    }
    assert_true(early >= 3 && between >= 5);
    static const double phases[] = {0, 1000, 20000, 50000}; /* a handful show the transition */
    assert_int_equal(gk_plot_pick(&run, steps, N, 4, index), 4);
    for (int i = 0; i < 4; i++) assert_true(steps[index[i]] == phases[i]);
    assert_int_equal(gk_plot_pick(&run, steps, 5, 20, index), 5); /* few: all */
    assert_int_equal(gk_plot_pick(&run, steps, 0, 20, index), 0);
    assert_int_equal(gk_plot_pick(&run, steps, N, 1, index), 1);
    assert_int_equal(index[0], N - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves_and_texts), cmocka_unit_test(test_empty), cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_many_points),      cmocka_unit_test(test_pick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
