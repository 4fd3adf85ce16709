/* test_plot_draw.c: drawn figures, read back as pixels at places computed here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plot_lab.h"

#include <stdio.h>

static const gk_plot_options defaults = {0};

static bool has_text(const unsigned char *bytes, size_t n, const char *text)
{
    return memmem(bytes, n, text, strlen(text)) != NULL;
}

/* ---- curves ---- */

static void test_curve_positions(void **state)
{
    (void)state;
    double step[] = {1, 10, 100, 1000}, value[] = {0, 0.5, 0.25, 1};
    gk_plot_curve curve = {"test_accuracy", 4, step, value};
    gk_plot_event event = {"grokked", 100};
    gk_plot_run run = {
        .label = "r", .unit = "epoch", .last = 1000, .curves = &curve, .n_curves = 1, .events = &event, .n_events = 1};
    const char *metrics[] = {"test_accuracy", NULL};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &defaults), GK_OK);
    assert_int_equal(gk_plot_panels(f), 1);
    double x[4], y[4], width, height;
    gk_plot_size(f, &width, &height);
    assert_true(fabs(width - 85 / 25.4 * 72) < 1e-9);
    for (int i = 0; i < 4; i++) gk_plot_point(f, 0, step[i], value[i], &x[i], &y[i]);
    /* decades are equally far apart, and so are equal differences of the value */
    assert_true(fabs((x[1] - x[0]) - (x[2] - x[1])) < 1e-9 && fabs((x[2] - x[1]) - (x[3] - x[2])) < 1e-9);
    assert_true(x[0] > 10 && x[3] > 0.8 * width && x[3] < width);
    assert_true(fabs((y[0] - y[1]) - (y[1] - y[3])) < 1e-9 && fabs((y[0] - y[1]) - 2 * (y[2] - y[1])) < 1e-9);
    assert_true(y[3] < y[0] && y[0] < height);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(lab_pixel(image, x[1], y[1] + 0.5), BLUE, 60)); /* a peak is drawn at its inner side */
    assert_true(lab_near(lab_pixel(image, x[2], y[2] - 0.5), BLUE, 60));
    for (int i = 0; i < 3; i++) { /* straight lines between them, and nothing beside */
        double mx = (x[i] + x[i + 1]) / 2, my = (y[i] + y[i + 1]) / 2;
        assert_true(lab_near(lab_pixel(image, mx, my), BLUE, 60));
        assert_false(lab_near(lab_pixel(image, mx, my + 8), BLUE, 60));
        assert_false(lab_near(lab_pixel(image, mx, my - 8), BLUE, 60));
    }
    assert_int_equal(lab_pixel(image, 1, 1), WHITE);
    /* the event: a filled triangle above the panel at its step */
    assert_true(lab_near(lab_pixel(image, x[2], y[3] - 5.5), 0x212121, 40) ||
                lab_near(lab_pixel(image, x[2], y[3] - 7), 0x212121, 40));
    assert_int_equal(lab_count(image, 0x212121, x[1] + 10, y[3] - 8, x[1] + 20, y[3] - 4), 0);
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

static void test_zero_step(void **state)
{
    (void)state;
    double step[] = {0, 1, 2, 4}, value[] = {1, 1, 1, 1};
    gk_plot_curve curve = {"test_accuracy", 4, step, value};
    gk_plot_run run = {.label = "r", .last = 4, .curves = &curve, .n_curves = 1};
    const char *metrics[] = {"test_accuracy", NULL};
    gk_plot_figure *f;
    double x[4], y;
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &defaults), GK_OK);
    for (int i = 0; i < 4; i++) gk_plot_point(f, 0, step[i], 1, &x[i], &y);
    assert_true(x[0] < x[1] - 5 && fabs((x[2] - x[1]) - (x[3] - x[2])) < 1e-9);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(lab_pixel(image, x[0] + 1, y), BLUE, 60));
    cairo_surface_destroy(image);
    gk_plot_free(f);
    gk_plot_options linear = {.x = GK_PLOT_LINEAR};
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &linear), GK_OK);
    for (int i = 0; i < 4; i++) gk_plot_point(f, 0, step[i], 1, &x[i], &y);
    assert_true(fabs((x[2] - x[0]) - (x[3] - x[2])) < 1e-9);
    gk_plot_free(f);
}

/* Families share a panel, runs of one group are a mean with a band. */
static void test_families_and_seeds(void **state)
{
    (void)state;
    double step[] = {1, 10, 100}, low[] = {0, 0.2, 0.4}, high[] = {0, 0.6, 0.8};
    double longer[] = {1, 10, 1000}, loss[] = {100, 1, 1e-4};
    gk_plot_curve a[] = {
        {"test_accuracy", 3, step, low}, {"train_loss", 3, longer, loss}, {"test_loss", 3, longer, loss}};
    gk_plot_curve b[] = {
        {"test_accuracy", 3, step, high}, {"train_loss", 3, longer, loss}, {"test_loss", 3, longer, loss}};
    gk_plot_run runs[] = {{.label = "a", .unit = "epoch", .group = "g", .last = 100, .curves = a, .n_curves = 3},
                          {.label = "b", .unit = "epoch", .group = "g", .last = 100, .curves = b, .n_curves = 3}};
    const char *metrics[] = {"test_accuracy", "train_loss", "test_loss", NULL};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_curves(&f, runs, 2, metrics, &defaults), GK_OK);
    assert_int_equal(gk_plot_panels(f), 2);
    double x, mean, above, out, x1, y1, x2, y2;
    gk_plot_point(f, 0, 10, 0.4, &x, &mean);
    gk_plot_point(f, 0, 10, 0.4 + 0.2 * sqrt(2) * 0.8, &x, &above); /* within one standard deviation */
    gk_plot_point(f, 0, 10, 0.4 + 0.2 * sqrt(2) * 1.3, &x, &out);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(lab_pixel(image, x, mean), BLUE, 60));
    assert_true(lab_near(lab_pixel(image, x, above), 0xC7E0EE, 12)); /* the band: 22 % blue */
    assert_int_equal(lab_pixel(image, x, out), WHITE);
    cairo_surface_destroy(image);
    /* the panels share their horizontal axis; the loss is logarithmic */
    gk_plot_point(f, 1, 10, 1, &x1, &y1);
    assert_true(fabs(x1 - x) < 1e-9);
    gk_plot_point(f, 1, 10, 1e-2, &x2, &y2);
    gk_plot_point(f, 1, 10, 1e-4, &x1, &out);
    assert_true(fabs((y2 - y1) - (out - y2)) < 1e-9);
    gk_plot_free(f);
}

static void test_hard_inputs(void **state)
{
    (void)state;
    enum { N = 10000 };
    const char *metrics[] = {"test_loss", "test_accuracy", NULL}, *one[] = {"test_accuracy", NULL};
    gk_plot_figure *f;
    unsigned char *bytes;
    size_t n;
    gk_plot_run empty = {.label = "empty"};
    assert_int_equal(gk_plot_curves(&f, &empty, 1, metrics, &defaults), GK_OK); /* axes that say "no data" */
    assert_int_equal(gk_plot_panels(f), 2);
    for (int format = GK_PLOT_SVG; format <= GK_PLOT_PNG; format++) {
        assert_int_equal(gk_plot_render(f, (gk_plot_format)format, 0, &bytes, &n), GK_OK);
        assert_true(n > 500);
        free(bytes);
    }
    gk_plot_free(f);

    double step = 7, value = 0.5, x, y; /* a single point is a dot */
    gk_plot_curve single = {"test_accuracy", 1, &step, &value};
    gk_plot_run run = {.label = "single", .last = 7, .curves = &single, .n_curves = 1};
    assert_int_equal(gk_plot_curves(&f, &run, 1, one, &defaults), GK_OK);
    gk_plot_point(f, 0, 7, 0.5, &x, &y);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(lab_pixel(image, x, y), BLUE, 10));
    cairo_surface_destroy(image);
    gk_plot_free(f);

    double nan_step[] = {1, 2, 3, 4, 5}, nan_value[] = {0.5, NAN, 0.5, NAN, INFINITY}; /* gaps stay gaps */
    gk_plot_curve gaps = {"test_accuracy", 5, nan_step, nan_value};
    run.curves = &gaps;
    gk_plot_options linear = {.x = GK_PLOT_LINEAR};
    assert_int_equal(gk_plot_curves(&f, &run, 1, one, &linear), GK_OK);
    image = lab_image(f);
    gk_plot_point(f, 0, 3, 0.5, &x, &y);
    assert_true(lab_near(lab_pixel(image, x, y), BLUE, 10));
    gk_plot_point(f, 0, 2, 0.5, &x, &y);
    assert_false(lab_near(lab_pixel(image, x, y), BLUE, 60));
    cairo_surface_destroy(image);
    gk_plot_free(f);

    double *many = malloc(N * sizeof *many), *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++) {
        many[i] = i;
        values[i] = i == 6000 ? 1.0 : 0.1;
    }
    gk_plot_curve dense = {"test_accuracy", N, many, values};
    run.curves = &dense;
    run.last = N;
    assert_int_equal(gk_plot_curves(&f, &run, 1, one, &linear), GK_OK);
    double w, with_note, without;
    gk_plot_size(f, &w, &with_note);
    gk_plot_point(f, 0, 6000, 0.6, &x, &y);
    image = lab_image(f);
    assert_true(lab_count(image, BLUE, x - 1, y - 0.5, x + 1, y + 0.5) > 0); /* a spike of one step is drawn */
    cairo_surface_destroy(image);
    gk_plot_free(f);
    dense.n = 100;
    assert_int_equal(gk_plot_curves(&f, &run, 1, one, &linear), GK_OK);
    gk_plot_size(f, &w, &without);
    assert_true(with_note > without + 5); /* the thinned figure says so */
    gk_plot_free(f);
    free(many);
    free(values);
}

static void test_same_bytes(void **state)
{
    (void)state;
    double step[] = {1, 10, 100}, value[] = {1e-3, 0.5, 1}, cells[] = {0, 1, -1, 0.5}, similarity[] = {1, NAN, NAN, 1};
    gk_plot_curve curve = {"test_accuracy", 3, step, value};
    gk_plot_run run = {.label = "r", .last = 100, .curves = &curve, .n_curves = 1};
    gk_plot_run runs[] = {run, run};
    gk_plot_frame frames[] = {{"agop", 1, 2, 2, cells}, {"agop", 1, 2, 2, cells}};
    unsigned char *bytes[2];
    size_t n[2];
    for (int format = GK_PLOT_SVG; format <= GK_PLOT_PNG; format++) {
        for (int i = 0; i < 2; i++) {
            gk_plot_figure *f;
            assert_int_equal(
                gk_plot_compare(&f, runs, 2, frames, 1, (gk_plot_view){0}, similarity, "cosine", &defaults), GK_OK);
            assert_int_equal(gk_plot_render(f, (gk_plot_format)format, 0, &bytes[i], &n[i]), GK_OK);
            gk_plot_free(f);
        }
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(bytes[0], bytes[1], n[0]);
        assert_false(has_text(bytes[0], n[0], "CreationDate"));
        if (format == GK_PLOT_SVG) assert_true(has_text(bytes[0], n[0], "\"#image1\""));
        free(bytes[0]);
        free(bytes[1]);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    gk_plot_figure *f;
    gk_plot_run run = {.label = "r"};
    const char *metrics[] = {"test_loss", NULL}, *none[] = {NULL};
    gk_plot_options narrow = {.width_mm = 10};
    assert_int_equal(gk_plot_curves(&f, &run, 1, metrics, &narrow), GK_USAGE);
    assert_null(f);
    assert_int_equal(gk_plot_curves(&f, &run, 0, metrics, &defaults), GK_USAGE);
    assert_int_equal(gk_plot_curves(&f, &run, 1, none, &defaults), GK_FAILED);
    assert_int_equal(gk_plot_progress(&f, &run, 1, NULL, &defaults), GK_NOTFOUND);
    assert_int_equal(gk_plot_spectra(&f, &run, 1, &defaults), GK_NOTFOUND);
    assert_int_equal(gk_plot_matrices(&f, NULL, 0, NULL, 5, (gk_plot_view){0}, &defaults), GK_USAGE);
    gk_plot_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve_positions),    cmocka_unit_test(test_zero_step),
        cmocka_unit_test(test_families_and_seeds), cmocka_unit_test(test_hard_inputs),
        cmocka_unit_test(test_same_bytes),         cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
