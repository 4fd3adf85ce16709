/* test_plot_store.c: `groklab plot` on a small real database: what the SVG draws is what the store holds. Curves are
 * read back from their path, heat maps from their image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_fourier.h"
#include "gk_store.h"
#include "plot_lab.h"

#include <stdio.h>

#define DB  "build/test_plot_store.db"
#define SVG "build/test_plot_store.svg"
enum { P = 11, POINTS = 4096 };

static int groklab(const char *words)
{
    const char *program = getenv("GROKLAB");
    char line[1024];
    snprintf(line, sizeof line, "%s --db " DB " %s >/dev/null 2>build/test_plot_store.err",
             program ? program : "build/groklab", words);
    return system(line);
}

/* Three methods on one split, the network with two seeds, and one of another weight decay. */
static int set_up(void **state)
{
    (void)state;
    remove(DB);
    int failed =
        groklab("train mlp --p 11 --width 32 --lr 0.01 --steps 24 --measure_every 4 --checkpoint_every 8 --name a -q");
    failed |= groklab(
        "train mlp --p 11 --width 32 --lr 0.01 --steps 24 --measure_every 4 --checkpoint_every 8 --seed 5 --name b -q");
    failed |= groklab("train rfm --p 11 --steps 12 --measure_every 1 --name r -q");
    failed |= groklab("train mlp --p 11 --width 32 --lr 0.01 --steps 24 --weight_decay 0.5 --name d -q");
    return failed;
}

static char *drawn(const char *words)
{
    remove(SVG);
    char line[512];
    snprintf(line, sizeof line, "plot %s -o " SVG, words);
    assert_int_equal(groklab(line), 0);
    FILE *file = fopen(SVG, "rb");
    assert_non_null(file);
    char *text = calloc(1, 4 << 20);
    assert_non_null(text);
    size_t n = fread(text, 1, (4 << 20) - 1, file);
    assert_true(n > 1000 && n < (4 << 20) - 1);
    fclose(file);
    return text;
}

/* ---- reading the store ---- */

typedef struct column {
    double at[POINTS];
    int n;
} column;

static int take(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    column *c = context;
    if (cells)
        c->at[c->n++] = cells[0].type == GK_CELL_INTEGER ? (double)cells[0].integer
                        : cells[0].type == GK_CELL_REAL  ? cells[0].real
                                                         : NAN;
    return c->n < POINTS ? GK_OK : GK_FAILED;
}

static column query(const char *sql)
{
    gk_store *s;
    column c = {.n = 0};
    assert_int_equal(gk_store_open(&s, DB, GK_STORE_READ), GK_OK);
    assert_int_equal(gk_store_query(s, sql, NULL, take, &c), GK_OK);
    assert_int_equal(gk_store_close(s), GK_OK);
    return c;
}

static double *matrix(int64_t run, int64_t step, const char *kind, int *n)
{
    gk_store *s;
    double *data;
    int cols;
    int64_t at;
    assert_int_equal(gk_store_open(&s, DB, GK_STORE_READ), GK_OK);
    assert_int_equal(gk_store_get_matrix(s, run, step, kind, &data, n, &cols, &at), GK_OK);
    assert_int_equal(gk_store_close(s), GK_OK);
    return data;
}

/* ---- reading the SVG ---- */

/* The k-th curve (stroke of 1.1 points) of a colour: its points. */
static int path_of(const char *svg, const char *rgb, int k, column *x, column *y)
{
    char wanted[96];
    snprintf(wanted, sizeof wanted, "stroke:rgb(%s)", rgb);
    x->n = y->n = 0;
    for (const char *at = svg; (at = strstr(at, "<path style=\"fill:none;stroke-width:1.1;")); at++) {
        const char *end = strchr(at, '>'), *colour = strstr(at, wanted), *d = strstr(at, " d=\"");
        if (!colour || colour > end || k-- > 0) continue;
        for (const char *c = d + 4; *c && *c != '"' && x->n < POINTS;) {
            char *next;
            if (*c == 'M' || *c == 'L' || *c == ' ') {
                c++;
                continue;
            }
            x->at[x->n++] = strtod(c, &next);
            y->at[y->n++] = strtod(next, &next);
            c = next;
        }
        /* cairo repeats the end of a stroke as a move */
        if (x->n > 1 && x->at[x->n - 1] == x->at[x->n - 2] && y->at[y->n - 1] == y->at[y->n - 2]) y->n = --x->n;
        return x->n;
    }
    return 0;
}

#define BLUE_STROKE       "0%,44.705882%,69.803922%"
#define VERMILLION_STROKE "83.529412%,36.862745%,0%"
#define INK_STROKE        "13%,13%,13%" /* of a line alone in its panel */

/* Does the drawn line pass through all the points (step, value), under straight axes, larger values higher? The drawing
 * library leaves out points that lie on a straight line, and rounds to 1/256 of a point. */
static void assert_drawn(const column *x, const column *y, const column *steps, const column *values)
{
    assert_true(x->n >= 2 && steps->n == values->n && values->n >= 2);
    double lo = INFINITY, hi = -INFINITY, top = INFINITY, bottom = -INFINITY;
    for (int i = 0; i < values->n; i++) {
        lo = fmin(lo, values->at[i]);
        hi = fmax(hi, values->at[i]);
    }
    for (int i = 0; i < y->n; i++) {
        top = fmin(top, y->at[i]);
        bottom = fmax(bottom, y->at[i]);
    }
    assert_true(hi > lo && bottom - top > 1 && x->at[x->n - 1] - x->at[0] > 20);
    const double bx = (x->at[x->n - 1] - x->at[0]) / (steps->at[steps->n - 1] - steps->at[0]),
                 by = (bottom - top) / (hi - lo);
    for (int i = 0, k = 0; i < values->n; i++) {
        const double px = x->at[0] + bx * (steps->at[i] - steps->at[0]), py = bottom - by * (values->at[i] - lo);
        while (k + 2 < x->n && x->at[k + 1] < px - 4e-3) k++;
        const double w = (px - x->at[k]) / (x->at[k + 1] - x->at[k]);
        assert_true(w > -0.02 && w < 1.02 && fabs(y->at[k] + w * (y->at[k + 1] - y->at[k]) - py) < 0.05);
    }
}

/* The k-th image as a surface, each cell `cell` pixels wide. */
static cairo_surface_t *image_of(const char *svg, int k)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = svg;
    for (int i = 0; i <= k; i++) {
        at = strstr(at, "base64,");
        assert_non_null(at);
        at += 7;
    }
    unsigned char *png = malloc(strlen(at)), *end = png;
    unsigned v = 0;
    int bits = 0;
    for (; *at != '"'; at++) {
        const char *d = *at == '=' ? NULL : strchr(digits, *at);
        if (!d) continue;
        v = v << 6 | (unsigned)(d - digits);
        if ((bits += 6) >= 8) *end++ = (unsigned char)(v >> (bits -= 8) & 255);
    }
    lab_bytes from = {png, (size_t)(end - png)};
    cairo_surface_t *image = cairo_image_surface_create_from_png_stream(lab_read, &from);
    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    free(png);
    return image;
}

static unsigned cell_of(cairo_surface_t *image, int rows, int cols, int row, int col)
{
    const int h = cairo_image_surface_get_height(image), w = cairo_image_surface_get_width(image);
    assert_true(h % rows == 0 && w % cols == 0);
    uint32_t v;
    const int y = row * (h / rows) + h / rows / 2, x = col * (w / cols) + w / cols / 2;
    memcpy(&v, cairo_image_surface_get_data(image) + (ptrdiff_t)y * cairo_image_surface_get_stride(image) + 4 * x, 4);
    return v & 0xFFFFFF;
}

/* Every cell has the colour of its sign, and the largest an end of the scale. */
static void assert_diverging(cairo_surface_t *image, const double *m, int rows, int cols)
{
    double limit = 0;
    for (int i = 0; i < rows * cols; i++) limit = fmax(limit, fabs(m[i]));
    for (int i = 0; i < rows * cols; i++) {
        const unsigned c = cell_of(image, rows, cols, i / cols, i % cols);
        const int red = (int)(c >> 16), blue = (int)(c & 255);
        if (m[i] == 0) assert_int_equal(c, WHITE);
        if (m[i] > 0.05 * limit) assert_true(red > blue);
        if (m[i] < -0.05 * limit) assert_true(blue > red);
        if (fabs(m[i]) == limit) assert_true(lab_near(c, m[i] > 0 ? 0x67001F : 0x053061, 1));
    }
}

/* ---- the kinds ---- */

#define OF(run, metric) " FROM metrics WHERE run = '" run "' AND name = '" metric "' ORDER BY step"

static void test_curves(void **state)
{
    (void)state;
    column *x = malloc(sizeof *x), *y = malloc(sizeof *y);
    char *svg = drawn("curves a --x linear --metrics test_accuracy,train_loss --y linear");
    column steps = query("SELECT step" OF("a", "test_accuracy")),
           values = query("SELECT value" OF("a", "test_accuracy"));
    assert_true(path_of(svg, BLUE_STROKE, 0, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    values = query("SELECT value" OF("a", "train_loss"));
    assert_true(path_of(svg, VERMILLION_STROKE, 0, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    free(svg);
    /* two seeds: their mean */
    svg = drawn("curves a b --x linear --metrics test_loss --y linear");
    values = query(
        "SELECT avg(value) FROM metrics WHERE run IN ('a', 'b') AND name = 'test_loss' GROUP BY step ORDER BY step");
    assert_true(path_of(svg, BLUE_STROKE, 0, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    assert_int_equal(path_of(svg, BLUE_STROKE, 1, x, y), 0);
    free(svg);
    svg = drawn("curves a b --each --metrics test_accuracy"); /* each: two lines */
    assert_true(path_of(svg, BLUE_STROKE, 0, x, y) > 2);
    assert_true(path_of(svg, VERMILLION_STROKE, 0, x, y) > 2);
    free(svg);
    free(x);
    free(y);
}

static void test_progress(void **state)
{
    (void)state;
    column *x = malloc(sizeof *x), *y = malloc(sizeof *y);
    char *svg = drawn("progress a --x linear --y linear --metrics test_accuracy,weight_norm_sq");
    column steps = query("SELECT step" OF("a", "weight_norm_sq")),
           values = query("SELECT value" OF("a", "weight_norm_sq"));
    assert_true(path_of(svg, INK_STROKE, 0, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    free(svg);
    free(x);
    free(y);
}

static void test_matrix(void **state)
{
    (void)state;
    int n;
    double *m = matrix(3, 12, "metric", &n), block[P * P];
    assert_int_equal(n, 2 * P);
    char *svg = drawn("matrix r --block");
    cairo_surface_t *image = image_of(svg, 0);
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++) block[i * P + j] = m[(P + i) * n + j];
    assert_diverging(image, block, P, P);
    cairo_surface_destroy(image);
    free(svg);
    svg = drawn("matrix r@2 --nodiag");
    free(m);
    m = matrix(3, 2, "metric", &n);
    for (int i = 0; i < n; i++) m[i * n + i] = 0;
    image = image_of(svg, 0);
    assert_diverging(image, m, n, n);
    cairo_surface_destroy(image);
    free(svg);
    free(m);
    /* small multiples, in the order asked for; the powers of 2, the smallest primitive root of 11 */
    static const int power[] = {1, 2, 4, 8, 5, 10, 9, 7, 3, 6};
    svg = drawn("matrix r --steps 1,4 --block --reorder");
    for (int k = 0; k < 2; k++) {
        m = matrix(3, k == 0 ? 1 : 4, "metric", &n);
        for (int i = 0; i < P - 1; i++)
            for (int j = 0; j < P - 1; j++) block[i * (P - 1) + j] = m[(P + power[i]) * n + power[j]];
        image = image_of(svg, k);
        assert_diverging(image, block, P - 1, P - 1);
        cairo_surface_destroy(image);
        free(m);
    }
    free(svg);
}

static void test_compare(void **state)
{
    (void)state;
    static const char *const kind[] = {"sqrt_agop", "metric"};
    column *x = malloc(sizeof *x), *y = malloc(sizeof *y);
    char *svg = drawn("compare a r --x linear");
    column steps = query("SELECT step" OF("a", "test_accuracy")),
           values = query("SELECT value" OF("a", "test_accuracy"));
    assert_true(path_of(svg, BLUE_STROKE, 0, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    steps = query("SELECT step" OF("r", "test_accuracy"));
    values = query("SELECT value" OF("r", "test_accuracy"));
    assert_true(path_of(svg, BLUE_STROKE, 1, x, y) > 2);
    assert_drawn(x, y, &steps, &values);
    int n = 0;
    double *m[2], ab = 0, aa = 0, bb = 0;
    for (int r = 0; r < 2; r++) {
        m[r] = matrix(r == 0 ? 1 : 3, -1, kind[r], &n);
        for (int i = 0; i < n; i++) m[r][i * n + i] = 0;
        cairo_surface_t *image = image_of(svg, r);
        assert_diverging(image, m[r], n, n);
        cairo_surface_destroy(image);
    }
    for (int i = 0; i < n * n; i++) {
        ab += m[0][i] * m[1][i];
        aa += m[0][i] * m[0][i];
        bb += m[1][i] * m[1][i];
    }
    const double cosine = ab / sqrt(aa * bb), similarity[] = {1, cosine, cosine, 1};
    cairo_surface_t *image = image_of(svg, 2);
    assert_diverging(image, similarity, 2, 2);
    cairo_surface_destroy(image);
    for (int r = 0; r < 2; r++) free(m[r]);
    free(svg);
    free(x);
    free(y);
}

static void test_spectrum(void **state)
{
    (void)state;
    int n;
    double energy[P], share[P], total = 0;
    double *m = matrix(3, 12, "metric", &n);
    double block[P * P];
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++) block[i * P + j] = m[(P + i) * n + j];
    gk_fourier_lines(energy, block, P, false); /* add: functions of y - x */
    for (int k = 1; k <= P / 2; k++) total += energy[k];
    for (int k = 1; k <= P / 2; k++) share[k] = energy[k] / total;
    char *svg = drawn("spectrum r");
    column steps = query("SELECT step FROM matrix WHERE run_id = 3 AND kind = 'metric' ORDER BY step");
    cairo_surface_t *image = image_of(svg, 0);
    /* brightness grows with the share, frequency 1 is at the bottom, the last step at the right */
    for (int k = 1; k <= P / 2; k++) {
        for (int j = 1; j <= P / 2; j++) {
            const unsigned a = cell_of(image, P / 2, steps.n, P / 2 - k, steps.n - 1),
                           b = cell_of(image, P / 2, steps.n, P / 2 - j, steps.n - 1);
            if (share[k] > share[j] + 0.02) assert_true((a >> 8 & 255) > (b >> 8 & 255));
        }
    }
    cairo_surface_destroy(image);
    free(svg);
    free(m);
    svg = drawn(
        "spectrum a --source embed,outputs"); /* from checkpoints: 0, 8, 16, 24, all of a random network's energies */
    image = image_of(svg, 0);
    column checkpoints = query("SELECT step FROM checkpoint WHERE run_id = 1 AND kind = 'weights' ORDER BY step");
    assert_true(checkpoints.n >= 3);
    assert_int_equal(cairo_image_surface_get_width(image) % checkpoints.n, 0);
    cairo_surface_destroy(image);
    free(svg);
}

static void test_grid(void **state)
{
    (void)state;
    char *svg = drawn("grid --settings seed,weight_decay --value test_accuracy --method mlp");
    column a =
        query("SELECT value FROM latest_metrics WHERE name = 'test_accuracy' AND run_id IN (1, 2, 4) ORDER BY run_id");
    cairo_surface_t *image = image_of(svg, 0);
    /* columns: seed 0, 5; rows from the bottom: weight decay .5, 1; no run has seed 5 and decay .5, which is white */
    const unsigned cells[] = {cell_of(image, 2, 2, 0, 0), cell_of(image, 2, 2, 0, 1), cell_of(image, 2, 2, 1, 0)};
    assert_true(lab_near(cell_of(image, 2, 2, 1, 1), 0xFFFFFF, 1));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            if (a.at[i] > a.at[j]) assert_true((cells[i] >> 8 & 255) > (cells[j] >> 8 & 255));
    cairo_surface_destroy(image);
    free(svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves),  cmocka_unit_test(test_progress), cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_spectrum), cmocka_unit_test(test_grid),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
