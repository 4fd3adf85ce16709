/* test_plot_maps.c: heat maps, comparisons, progress, spectra and grids, read back as pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plot_lab.h"

static const gk_plot_options defaults = {0};

static unsigned cell(cairo_surface_t *image, const gk_plot_figure *f, int panel, int row, int col)
{
    double x, y;
    gk_plot_cell(f, panel, row, col, &x, &y);
    return lab_pixel(image, x, y);
}

enum { RED_END = 0x67001F, BLUE_END = 0x053061, ABSENT = 0xCCCCCC };

/* ---- matrices ---- */

static void test_cells(void **state)
{
    (void)state;
    double m[] = {0, 2, -2, 1, 0, NAN, -1, 0.5, 0};
    gk_plot_frame frame = {"agop", 3, 3, 3, m};
    const char *title[] = {"step 3"};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_matrices(&f, &frame, 1, title, 0, (gk_plot_view){0}, &defaults), GK_OK);
    cairo_surface_t *image = lab_image(f);
    assert_int_equal(cell(image, f, 0, 0, 0), WHITE);
    assert_true(lab_near(cell(image, f, 0, 0, 1), RED_END, 1));  /* row 0 is at the top, +limit red */
    assert_true(lab_near(cell(image, f, 0, 0, 2), BLUE_END, 1)); /* -limit blue */
    assert_true(lab_near(cell(image, f, 0, 1, 0), 0xE58267, 2)); /* +1/2: half-way between F4A582 and D6604D */
    assert_true(lab_near(cell(image, f, 0, 2, 0), 0x6BACD1, 2)); /* -1/2 */
    assert_true(lab_near(cell(image, f, 0, 1, 2), ABSENT, 1));   /* NaN */
    double x0, y0, x1, y1;
    gk_plot_cell(f, 0, 0, 0, &x0, &y0);
    gk_plot_cell(f, 0, 2, 1, &x1, &y1);
    assert_true(fabs((y1 - y0) - 2 * (x1 - x0)) < 1e-9 && x1 > x0); /* square cells */
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

/* Small multiples: one panel a step, in order, each with its own limit. */
static void test_multiples(void **state)
{
    (void)state;
    enum { K = 7 };
    double m[K][4];
    gk_plot_frame frames[K];
    const char *titles[K];
    for (int k = 0; k < K; k++) {
        double scale = pow(10, -k);
        m[k][0] = m[k][3] = 0;
        m[k][1] = scale;
        m[k][2] = -scale;
        frames[k] = (gk_plot_frame){"metric", k, 2, 2, m[k]};
        titles[k] = "a step";
    }
    gk_plot_figure *f;
    assert_int_equal(gk_plot_matrices(&f, frames, K, titles, 1, (gk_plot_view){0}, &defaults), GK_OK);
    assert_int_equal(gk_plot_panels(f), K);
    cairo_surface_t *image = lab_image(f);
    double x, y, px = 0, py = 0;
    for (int k = 0; k < K; k++) {
        assert_true(lab_near(cell(image, f, k, 0, 1), RED_END, 1));
        assert_true(lab_near(cell(image, f, k, 1, 0), BLUE_END, 1));
        gk_plot_cell(f, k, 0, 0, &x, &y);
        assert_true(k == 0 || x > px + 10 || y > py + 10); /* reading order */
        px = x;
        py = y;
    }
    cairo_surface_destroy(image);
    gk_plot_free(f);
    /* a matrix of zeros, of NaN, and of one cell are drawn, too */
    double zero[] = {0, 0, 0, 0}, nan[] = {NAN, NAN, NAN, NAN}, one[] = {5};
    gk_plot_frame odd[] = {{"a", 0, 2, 2, zero}, {"b", 0, 2, 2, nan}, {"c", 0, 1, 1, one}};
    assert_int_equal(gk_plot_matrices(&f, odd, 3, NULL, 0, (gk_plot_view){0}, &defaults), GK_OK);
    image = lab_image(f);
    assert_int_equal(cell(image, f, 0, 0, 0), WHITE);
    assert_true(lab_near(cell(image, f, 1, 1, 1), ABSENT, 1));
    assert_true(lab_near(cell(image, f, 2, 0, 0), RED_END, 1));
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

static void test_outlier_is_cut(void **state)
{
    (void)state;
    enum { N = 40 };
    double m[N * N];
    for (int i = 0; i < N * N; i++) m[i] = i % 2 ? 1 : -1;
    m[0] = 1000;
    gk_plot_frame frame = {"agop", 0, N, N, m};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_matrices(&f, &frame, 1, NULL, 0, (gk_plot_view){0}, &defaults), GK_OK);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(cell(image, f, 0, 0, 0), RED_END, 1));
    assert_true(lab_near(cell(image, f, 0, 0, 1), RED_END, 1)); /* the usual values keep the full range */
    assert_true(lab_near(cell(image, f, 0, 0, 2), BLUE_END, 1));
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

static void test_views(void **state)
{
    (void)state;
    enum { P = 5, N = 10 };
    double m[N * N], *d;
    int rows, cols;
    for (int i = 0; i < N * N; i++) m[i] = i;
    gk_plot_frame frame = {"agop", 0, N, N, m}, wrong = {"agop", 0, N, N - 1, m};
    assert_int_equal(gk_plot_view_apply(&frame, P, (gk_plot_view){.nodiag = true}, &d, &rows, &cols), GK_OK);
    assert_int_equal(rows, N);
    assert_int_equal(cols, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) assert_true(d[i * N + j] == (i == j ? 0 : m[i * N + j]));
    free(d);
    assert_int_equal(gk_plot_view_apply(&frame, P, (gk_plot_view){.block = true, .nodiag = true}, &d, &rows, &cols),
                     GK_OK);
    assert_int_equal(rows, P);
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++)
            assert_true(d[i * P + j] == m[(P + i) * N + j]); /* rows second input, columns first */
    free(d);
    /* powers of 2, the smallest primitive root of 5: 1 2 4 3 */
    static const int power[] = {1, 2, 4, 3};
    assert_int_equal(gk_plot_view_apply(&frame, P, (gk_plot_view){.reorder = true}, &d, &rows, &cols), GK_OK);
    assert_int_equal(rows, 8);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            assert_true(d[i * 8 + j] == m[(i / 4 * P + power[i % 4]) * N + j / 4 * P + power[j % 4]]);
    free(d);
    assert_int_equal(gk_plot_view_apply(&frame, P, (gk_plot_view){.reorder = true, .block = true}, &d, &rows, &cols),
                     GK_OK);
    assert_int_equal(rows, 4);
    assert_true(d[1 * 4 + 2] == m[(P + 2) * N + 4]);
    free(d);
    assert_int_equal(gk_plot_view_apply(&wrong, P, (gk_plot_view){0}, &d, &rows, &cols), GK_USAGE);
    assert_int_equal(gk_plot_view_apply(&frame, 4, (gk_plot_view){0}, &d, &rows, &cols), GK_USAGE);
    gk_plot_frame composite = {"agop", 0, 8, 8, m};
    assert_int_equal(gk_plot_view_apply(&composite, 4, (gk_plot_view){.reorder = true}, &d, &rows, &cols), GK_USAGE);
    assert_null(d);
}

/* ---- compare and progress ---- */

static double steps[] = {1, 10, 100}, up[] = {0, 0, 1}, ones[] = {0, 1, 1}, norm[] = {9, 9, 3};
static const gk_plot_curve curves[] = {
    {"train_accuracy", 3, steps, ones}, {"test_accuracy", 3, steps, up}, {"weight_norm_sq", 3, steps, norm}};
static const gk_plot_event events[] = {{"memorised", 10}, {"grokked", 50}, {"cleaned", 80}};

static gk_plot_run a_run(const char *label)
{
    return (gk_plot_run){
        .label = label, .unit = "epoch", .last = 100, .curves = curves, .n_curves = 3, .events = events, .n_events = 3};
}

static void check_compare(double width_mm, int first_curve, int first_matrix, int stride, int similar)
{
    double m[] = {0, 1, -1, 0}, similarity[] = {1, -1, NAN, -1, 1, 0, NAN, 0, 1};
    gk_plot_run runs[] = {a_run("mlp"), a_run("transformer"), a_run("rfm")};
    gk_plot_frame frames[] = {{"sqrt_agop", 100, 2, 2, m}, {"sqrt_agop", 100, 2, 2, m}, {"metric", 30, 0, 0, NULL}};
    gk_plot_options options = {.width_mm = width_mm};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_compare(&f, runs, 3, frames, 1, (gk_plot_view){0}, similarity, "cosine", &options), GK_OK);
    assert_int_equal(gk_plot_panels(f),
                     8); /* three curves, two matrices, words for the missing one, similarity, verdict */
    cairo_surface_t *image = lab_image(f);
    double x, y, width, height;
    gk_plot_size(f, &width, &height);
    for (int r = 0; r < 3; r++) {
        gk_plot_point(f, first_curve + stride * r, 100, 1, &x, &y);
        assert_true(x > 0 && x < width && y > 0 && y < height);
        gk_plot_point(f, first_curve + stride * r, sqrt(1000), 0.5, &x, &y); /* half-way up from (10, 0) to (100, 1) */
        assert_true(lab_near(lab_pixel(image, x, y), BLUE, 90));
        int inked = 0; /* of the dashed line from (1, 0) to (10, 1): two thirds of its length */
        for (double at = 0.2; at < 0.8; at += 0.01) {
            gk_plot_point(f, first_curve + stride * r, pow(10, at), at, &x, &y);
            inked += lab_near(lab_pixel(image, x, y), VERMILLION, 90);
        }
        assert_in_range(inked, 30, 55);
    }
    for (int r = 0; r < 2; r++) {
        assert_true(lab_near(cell(image, f, first_matrix + stride * r, 0, 1), RED_END, 1));
        assert_true(lab_near(cell(image, f, first_matrix + stride * r, 1, 0), BLUE_END, 1));
    }
    double cw; /* look beside the printed number */
    gk_plot_cell(f, similar, 0, 0, &x, &y);
    gk_plot_cell(f, similar, 0, 1, &cw, &y);
    double corner = 0.42 * (cw - x);
    assert_true(lab_near(lab_pixel(image, x - corner, y - corner), RED_END, 1));
    assert_true(lab_near(lab_pixel(image, cw - corner, y - corner), BLUE_END, 1));
    gk_plot_cell(f, similar, 2, 1, &x, &y);
    assert_int_equal(lab_pixel(image, x - corner, y - corner), WHITE);
    gk_plot_cell(f, similar, 2, 0, &x, &y);
    assert_true(lab_near(lab_pixel(image, x - corner, y - corner), ABSENT, 1));
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

static void test_compare(void **state)
{
    (void)state;
    check_compare(0, 0, 1, 2, 6);
    check_compare(85, 0, 1, 2, 6);
}

static void test_progress(void **state)
{
    (void)state;
    gk_plot_run runs[] = {a_run("a"), a_run("b")};
    gk_plot_figure *f;
    gk_plot_options linear = {.x = GK_PLOT_LINEAR};
    assert_int_equal(gk_plot_progress(&f, runs, 1, NULL, &linear), GK_OK);
    assert_int_equal(gk_plot_panels(f), 2); /* accuracies, and the weight norm */
    cairo_surface_t *image = lab_image(f);
    double x, y;
    static const struct {
        double step;
        unsigned shade;
    } phase[] = {{6, 0xEDEDED}, {30, 0xF6F6F6}, {65, 0xEDEDED}, {90, WHITE}}; /* the last: after the clean-up */
    for (int i = 0; i < 4; i++) {
        gk_plot_point(f, 1, phase[i].step, 6.3, &x, &y);
        assert_true(lab_near(lab_pixel(image, x, y), phase[i].shade, 1));
    }
    gk_plot_point(f, 1, 55, 6, &x, &y); /* the norm falls from 9 at 10 to 3 at 100 */
    assert_true(lab_near(lab_pixel(image, x, y), INK, 60)); /* blue would be the accuracy's "test" */
    cairo_surface_destroy(image);
    gk_plot_free(f);
    /* a last phase narrower than its name is named beside it */
    double x0, x1, x2, right, top;
    gk_plot_event late[] = {{"memorised", 10}, {"grokked", 80}, {"cleaned", 90}};
    gk_plot_run narrow = a_run("narrow");
    narrow.events = late;
    assert_int_equal(gk_plot_progress(&f, &narrow, 1, NULL, &defaults), GK_OK);
    image = lab_image(f);
    gk_plot_point(f, 0, 80, 1.04, &x, &top);
    gk_plot_point(f, 0, 100, 1.04, &right, &top);
    assert_true(right - x < 15);
    assert_true(lab_count(image, GREY, x, top - 16, right, top - 7) > 10);
    cairo_surface_destroy(image);
    gk_plot_free(f);
    /* several runs meet at their events: step 50 of either stands where phase 1 is */
    assert_int_equal(gk_plot_progress(&f, runs, 2, NULL, &defaults), GK_OK);
    gk_plot_point(f, 0, 0, 0.5, &x0, &y);
    gk_plot_point(f, 0, 1, 0.5, &x1, &y);
    gk_plot_point(f, 0, 2, 0.5, &x2, &y);
    assert_true(x1 - x0 > 20 && fabs((x1 - x0) - (x2 - x1)) < 1e-9);
    gk_plot_free(f);
}

/* ---- spectra and grids ---- */

static void test_spectra(void **state)
{
    (void)state;
    enum { K = 10, T = 4 };
    double energy[T][K];
    gk_plot_spectrum spectra[T + 1];
    for (int t = 0; t < T; t++) {
        for (int k = 0; k < K; k++) energy[t][k] = k == 3 ? t : 0.1;
        spectra[t] = (gk_plot_spectrum){"features", 10 * t, K, energy[t]};
    }
    double zero[K] = {0};
    spectra[T] = (gk_plot_spectrum){"outputs", 0, K, zero};
    gk_plot_run run = {.label = "r", .unit = "epoch", .last = 30, .spectra = spectra, .n_spectra = T + 1};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_spectra(&f, &run, 1, &defaults), GK_OK);
    assert_int_equal(gk_plot_panels(f), 4);
    cairo_surface_t *image = lab_image(f);
    assert_true(lab_near(cell(image, f, 0, 3, T - 1), 0xFDE725, 1)); /* frequency 4, last step: the largest share */
    assert_true(lab_near(cell(image, f, 0, 3, 0), 0x440154, 1));     /* none at first */
    double x, y, top;
    gk_plot_cell(f, 0, 0, 0, &x, &y);
    gk_plot_cell(f, 0, 3, 0, &x, &top);
    assert_true(top < y); /* frequencies count upwards */
    gk_plot_point(f, 1, 4, 3.0 / 3.9, &x, &top);
    gk_plot_point(f, 1, 4, 0, &x, &y);
    assert_int_equal(lab_pixel(image, x, top + 1), BLUE);
    assert_int_equal(lab_pixel(image, x, y - 2), BLUE);
    assert_true(lab_pixel(image, x, top - 1.5) != BLUE);
    gk_plot_point(f, 1, 5, 0.3, &x, &y);
    assert_true(lab_pixel(image, x, y) != BLUE);               /* its neighbours are low */
    assert_true(lab_near(cell(image, f, 2, 0, 0), ABSENT, 1)); /* no energy at all has no shares */
    cairo_surface_destroy(image);
    gk_plot_free(f);
}

static bool blank(cairo_surface_t *image, double x0, double x1, double y0, double y1)
{
    for (double y = y0; y < y1; y += 0.25)
        for (double x = x0; x < x1; x += 0.25)
            if (lab_pixel(image, x, y) != WHITE) return false;
    return true;
}

static void test_grid(void **state)
{
    (void)state;
    const char *x_labels[] = {"0.3", "0.4", "0.5"}, *y_labels[] = {"0.1", "1.0"};
    double value[] = {NAN, 10000, 1000, 1000, 100, 10};
    int counts[] = {5, 5, 5, 5, 5, 5};
    gk_plot_map map = {"train_fraction", "weight_decay", "steps", "no run grokked", 3,   2,
                       x_labels,         y_labels,       value,   counts,           true};
    gk_plot_figure *f;
    assert_int_equal(gk_plot_grid(&f, &map, &defaults), GK_OK);
    cairo_surface_t *image = lab_image(f);
    double x[3], y0, y1;
    for (int c = 0; c < 3; c++) gk_plot_cell(f, 0, 0, c, &x[c], &y0);
    gk_plot_cell(f, 0, 1, 0, &x[0], &y1);
    assert_true(y1 < y0);                                    /* the second setting grows upwards */
    double dx = 0.45 * (x[1] - x[0]), dy = 0.42 * (y0 - y1); /* a corner, clear of the number */
    assert_true(lab_near(lab_pixel(image, x[0] - dx, y0 - dy), ABSENT, 1));
    assert_true(lab_near(lab_pixel(image, x[1] - dx, y0 - dy), 0xFDE725, 1)); /* the largest */
    assert_true(lab_near(lab_pixel(image, x[2] - dx, y1 - dy), 0x440154, 1)); /* the smallest */
    unsigned two_thirds = lab_pixel(image, x[2] - dx, y0 - dy);
    assert_true(
        lab_near(two_thirds, 0x35B779, 2)); /* 1000: two thirds of the logarithmic range, a node of the palette */
    assert_int_equal(lab_pixel(image, x[0] - dx, y1 - dy), two_thirds);
    /* the name of the vertical axis, seen between its two labels, ends before the labels begin */
    double left = x[0] - (x[1] - x[0]) / 2, middle = (y0 + y1) / 2, name = left - 2;
    while (name > 1 && blank(image, name - 1, name, middle - 4, middle + 4)) name -= 0.25;
    assert_in_range((int)name, 5, (int)left - 8);
    assert_true(blank(image, name + 0.25, name + 1, y1 - 10, y0 + 10));
    cairo_surface_destroy(image);
    gk_plot_free(f);
    map.nx = 0;
    assert_int_equal(gk_plot_grid(&f, &map, &defaults), GK_USAGE);
    double nothing[] = {NAN}, single[] = {3};
    gk_plot_map tiny = {"a", "b", "v", NULL, 1, 1, x_labels, y_labels, nothing, NULL, false};
    assert_int_equal(gk_plot_grid(&f, &tiny, &defaults), GK_OK);
    gk_plot_free(f);
    tiny.value = single;
    assert_int_equal(gk_plot_grid(&f, &tiny, &defaults), GK_OK);
    gk_plot_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),   cmocka_unit_test(test_multiples), cmocka_unit_test(test_outlier_is_cut),
        cmocka_unit_test(test_views),   cmocka_unit_test(test_compare),   cmocka_unit_test(test_progress),
        cmocka_unit_test(test_spectra), cmocka_unit_test(test_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
