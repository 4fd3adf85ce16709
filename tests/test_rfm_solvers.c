/* test_rfm_solvers.c: every way to solve gives the same machine, and the machine reproduces the published runs. */
#include "gk_structure.h"
#include "rfm/panel.h"
#include "rfm/product.h"
#include "rfm_lab.h"

/* Runs both solvers side by side: the accuracy at each iteration and M at the end. */
static void same_run(const char *op, int p, double fraction, const char *settings, const char *fast, int steps,
                     double tolerance)
{
    char text[512];
    rfm_lab dense, other;
    snprintf(text, sizeof text, "%s solver=cholesky threads=2", settings);
    rfm_lab_open(&dense, op, p, fraction, 1, text);
    snprintf(text, sizeof text, "%s solver=%s threads=2", settings, fast);
    rfm_lab_open(&other, op, p, fraction, 1, text);
    const double goal = gk_config_real(&other.config, "solver_tolerance");
    for (int t = 0; t <= steps; t++) {
        const bool train = other.split.n_test == 0;
        const double want = rfm_lab_score(&dense, train).accuracy, got = rfm_lab_score(&other, train).accuracy;
        const rfm_report report = rfm_lab_report(&other);
        if (!(fabs(want - got) < 5.1e-4 + 0.5 / other.n)) {
            print_error("%s p=%d %s iteration %d: accuracy %g, dense %g\n", op, p, settings, t, got, want);
        }
        assert_true(fabs(want - got) < 5.1e-4 + 0.5 / other.n);
        assert_true(report.residual <= goal);
        if (t == steps) break;
        rfm_lab_step(&dense);
        rfm_lab_step(&other);
    }
    const double off = rfm_lab_difference(other.m, dense.m, (size_t)(dense.d * dense.d));
    if (getenv("RFM_VERBOSE")) print_message("%s p=%d %s: M differs by %g\n", op, p, settings, off);
    if (!(off < tolerance)) print_error("%s p=%d %s: M differs by %g\n", op, p, settings, off);
    assert_true(off < tolerance);
    rfm_lab_close(&dense);
    rfm_lab_close(&other);
}

/* GROKLAB_SLOW=1 adds p = 47 and 61 of every operation. */
static void grid_equals_dense(void **state)
{
    (void)state;
    static const char *const ops[] = {"add", "sub", "mul", "div"};
    static const int sizes[] = {31, 47, 61};
    const bool slow = getenv("GROKLAB_SLOW") != NULL;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < (slow ? 3 : 1); k++) same_run(ops[i], sizes[k], 0.5, "", "cg", 30, 1e-5);
    }
}

static void grid_equals_dense_with_any_setting(void **state)
{
    (void)state;
    same_run("add", 17, 0.5, "kernel=general_quadratic", "cg", 12, 1e-5);
    same_run("div", 17, 0.7, "kernel=general_quadratic ridge=0.1 centering=off", "cg", 12, 1e-5);
    same_run("mul", 17, 0.6, "ridge=0.01 centering=off", "cg", 12, 1e-5);
    same_run("x^2+x*y+y^2", 16, 0.4, "agop_power=0.75", "cg", 12, 1e-5);
    same_run("sub", 13, 0.9, "agop_power=1", "cg", 5, 1e-4);
    same_run("add", 12, 1.0, "ridge=0.2", "cg", 6, 1e-5);
    same_run("add", 13, 0.08, "", "cg", 6, 1e-5);
    same_run("add", 17, 0.5, "solver_tolerance=1e-11", "cg", 12, 1e-7);
}

/* The kernels without structure: conjugate gradients on a split matrix against Cholesky. GROKLAB_SLOW=1: p = 47 and 61.
 */
static void radial_equals_dense(void **state)
{
    (void)state;
    const bool slow = getenv("GROKLAB_SLOW") != NULL;
    same_run("add", 31, 0.5, "kernel=gaussian", "cg", slow ? 30 : 20, 2e-5);
    for (int p = 47; slow && p <= 61; p += 14) same_run("add", p, 0.5, "kernel=gaussian", "cg", 30, 2e-5);
    same_run("div", 23, 0.5, "kernel=laplace", "cg", 12, 1e-5);
    same_run("mul", 17, 0.6, "kernel=gaussian ridge=0.01 centering=off", "cg", 12, 1e-5);
    same_run("x^2+x*y+y^2", 16, 0.4, "kernel=laplace agop_power=0.7 bandwidth=1", "cg", 8, 1e-5);
    same_run("sub", 13, 0.9, "kernel=gaussian bandwidth=0.9", "cg", 8, 1e-5);
    same_run("add", 12, 1.0, "kernel=laplace ridge=0.2", "cg", 6, 1e-5);
    same_run("add", 13, 0.2, "kernel=gaussian solver_tolerance=1e-9", "cg", 6, 1e-5);
}

/* Training cells that split into two blocks without a common row or column: the preconditioner's null space has two
 * dimensions, and a row without any training cell a third. */
static void disconnected_training_cells(void **state)
{
    (void)state;
    int32_t train[64];
    int n = 0;
    for (int x = 0; x < 6; x++) {
        for (int y = 0; y < 7; y++) {
            if ((x < 3) == (y < 4) && (x + 2 * y) % 5) train[n++] = x * 7 + y;
        }
    }
    double *m[4];
    static const char *const settings[] = {"solver=cholesky ridge=0.05", "solver=cg ridge=0.05",
                                           "solver=cholesky ridge=0.05 kernel=gaussian",
                                           "solver=cg ridge=0.05 kernel=gaussian"};
    for (int k = 0; k < 4; k++) {
        rfm_lab lab;
        assert_int_equal(gk_split_restore(&lab.split, "add", 7, 0.5, 0, "file", train, n), GK_OK);
        assert_int_equal(rfm_lab_try(&lab, settings[k]), GK_OK);
        for (int t = 0; t < 4; t++) rfm_lab_step(&lab);
        m[k] = rfm_lab_feature(&lab, "metric");
        rfm_lab_close(&lab);
    }
    assert_true(rfm_lab_difference(m[1], m[0], 14 * 14) < 1e-5);
    assert_true(rfm_lab_difference(m[3], m[2], 14 * 14) < 1e-5);
    for (int k = 0; k < 4; k++) free(m[k]);
}

/* float32 inside must not feel the scale of M, however far from 1. */
static void scale_does_not_reach_float32(void **state)
{
    (void)state;
    rfm_lab plain, scaled;
    rfm_lab_open(&plain, "add", 13, 0.5, 2, "solver=cg");
    rfm_lab_open(&scaled, "add", 13, 0.5, 2, "solver=cg");
    for (int k = -1; k < 2; k += 2) {
        for (int i = 0; i < scaled.d * scaled.d; i++) scaled.m[i] = plain.m[i] * pow(2, 130 * k);
        memset(scaled.alpha, 0, (size_t)(scaled.n * scaled.p) * sizeof(double));
        assert_int_equal(gk_rfm_method()->loaded(scaled.model, GK_WEIGHTS, 0), GK_OK);
        double *a = rfm_lab_feature(&plain, "agop"), *b = rfm_lab_feature(&scaled, "agop");
        assert_true(rfm_lab_difference(b, a, (size_t)(plain.d * plain.d)) < 1e-12);
        free(a);
        free(b);
    }
    rfm_lab_close(&plain);
    rfm_lab_close(&scaled);
}

/* x^2 + y^2 makes points equal, and the kernel matrix nearly singular: auto goes over to cholesky and stays there, also
 * across a resume, to the same bits; cg alone says so. */
static void auto_falls_back(void **state)
{
    (void)state;
    rfm_lab straight, resumed, alone;
    const char *settings = "kernel=general_quadratic agop_power=1 solver=auto";
    rfm_lab_open(&straight, "x^2+y^2", 31, 0.5, 1, settings);
    rfm_lab_open(&resumed, "x^2+y^2", 31, 0.5, 1, settings);
    rfm_lab_open(&alone, "x^2+y^2", 31, 0.5, 1, "kernel=general_quadratic agop_power=1 solver=cg");
    assert_true(gk_rfm_method()->from_weights(straight.model));
    int code = GK_OK, fell = -1;
    for (int t = 0; t < 6; t++) {
        if (t == 4) rfm_lab_copy(&resumed, &straight, t);
        if (code == GK_OK) code = gk_rfm_method()->step(alone.model, NULL);
        rfm_lab_step(&straight);
        if (t >= 4) rfm_lab_step(&resumed);
        if (fell < 0 && rfm_lab_report(&straight).iterations == 0) fell = t;
    }
    assert_in_range(fell, 0, 3);
    assert_int_equal(code, GK_DIVERGED);
    assert_non_null(strstr(gk_error_text(), "iteration"));
    assert_true(rfm_lab_report(&straight).residual < 1e-6);
    assert_false(gk_rfm_method()->from_weights(straight.model)); /* loaded, they predict with conjugate gradients */
    assert_memory_equal(straight.m, resumed.m, (size_t)(straight.d * straight.d) * sizeof(double));
    assert_memory_equal(straight.alpha, resumed.alpha, (size_t)(straight.n * straight.p) * sizeof(double));
    rfm_lab_close(&straight);
    rfm_lab_close(&resumed);
    rfm_lab_close(&alone);
}

/* A ridge that outweighs the kernel shrinks the features without end: said as such, not as an overflow somewhere. */
static void vanishing_features_are_said(void **state)
{
    (void)state;
    static const char *const solvers[] = {"solver=cholesky ridge=1", "solver=cg ridge=1"};
    for (int k = 0; k < 2; k++) {
        rfm_lab lab;
        int code = GK_OK;
        rfm_lab_open(&lab, "add", 13, 0.5, 1, solvers[k]);
        for (int t = 0; t < 30 && code == GK_OK; t++) code = gk_rfm_method()->step(lab.model, NULL);
        assert_int_equal(code, GK_DIVERGED);
        assert_non_null(strstr(gk_error_text(), "ridge (now 1)"));
        rfm_lab_close(&lab);
    }
}

/* What cannot be held in memory is refused before it starts, with the way out. */
static void too_large_is_refused(void **state)
{
    (void)state;
    rfm_lab lab;
    assert_int_equal(gk_split_make(&lab.split, "add", 1009, 0.5, 0, "philox"), GK_OK);
    assert_int_equal(rfm_lab_try(&lab, "solver=cholesky"), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "GB"));
    assert_non_null(strstr(gk_error_text(), "solver = cg"));
    double seconds = 0; /* n^3 / 3 operations and more, on one thread: days */
    assert_int_equal(sscanf(strstr(gk_error_text(), "about"), "about %lf s an iteration", &seconds), 1);
    assert_true(seconds > 1e5 && seconds < 1e7);
    gk_config_free(&lab.config);
    assert_int_equal(rfm_lab_try(&lab, "kernel=gaussian"), GK_FAILED);
    assert_non_null(strstr(gk_error_text(), "p up to"));
    gk_config_free(&lab.config);
    gk_split_free(&lab.split);
}

/* What the measures read in place of a copy. */
static void kept_outputs_are_those_of_predict(void **state)
{
    (void)state;
    static const char *const settings[] = {"solver=cg", "solver=cholesky"};
    for (int k = 0; k < 2; k++) {
        rfm_lab lab;
        rfm_lab_open(&lab, "add", 13, 0.5, 4, settings[k]);
        rfm_lab_step(&lab);
        const float *kept;
        assert_int_equal(gk_rfm_method()->outputs(lab.model, &kept), GK_OK);
        assert_true((kept != NULL) == (k == 0));
        double row[13];
        for (int32_t cell = 0; kept && cell < 13 * 13; cell++) {
            assert_int_equal(gk_rfm_method()->predict(lab.model, &cell, 1, row), GK_OK);
            for (int c = 0; c < 13; c++) assert_true(row[c] == (double)kept[c * 13 * 13 + cell]);
        }
        rfm_lab_close(&lab);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static const char *const settings[] = {"solver=cg threads=1", "solver=cg threads=3", "solver=cg threads=2"};
    double *m[3];
    for (int k = 0; k < 3; k++) {
        rfm_lab lab;
        rfm_lab_open(&lab, "mul", 19, 0.5, 4, settings[k]);
        for (int t = 0; t < 5; t++) rfm_lab_step(&lab);
        m[k] = rfm_lab_feature(&lab, "metric");
        rfm_lab_close(&lab);
        assert_memory_equal(m[0], m[k], 38 * 38 * sizeof(double));
    }
    for (int k = 0; k < 3; k++) free(m[k]);
}

/* One product with a grid in both number types, where A is transposed or not, set down or added. */
static void check_product(int m, int n, int k, bool ta, uint64_t seed)
{
    const int ld = ta ? m + 2 : k + 2, stride = (n + 15) / 16 * 16, lines = ta ? k : m;
    const size_t size_a = (size_t)(lines * ld), size_b = (size_t)(k * stride), size_c = (size_t)(m * n);
    double *a = gk_alloc(size_a, 8), *b = gk_calloc(size_b, 8), *c = gk_alloc(size_c, 8), *want = gk_alloc(size_c, 8);
    float *a32 = gk_alloc(size_a, 4), *b32 = gk_calloc(size_b, 4), *c32 = gk_alloc(size_c, 4);
    assert_true(a && b && c && want && a32 && b32 && c32);
    gk_random r;
    gk_random_seed(&r, seed, 7);
    for (size_t i = 0; i < size_a; i++) a32[i] = (float)(a[i] = gk_random_normal(&r));
    for (int i = 0; i < k * n; i++)
        b32[i / n * stride + i % n] = (float)(b[i / n * stride + i % n] = gk_random_normal(&r));
    gk_gemm(ta, false, m, n, k, 1, a, ld, b, stride, 0, want, n);
    for (int times = 1; times <= 2; times++) {
        gk_product_grid_f64(ta, m, n, k, a, ld, b, stride, times == 2, c, n);
        gk_product_grid_f32(ta, m, n, k, a32, ld, b32, stride, times == 2, c32, n);
        for (size_t i = 0; i < size_c; i++) assert_true(fabs(c[i] - times * want[i]) < 1e-12);
        for (size_t i = 0; i < size_c; i++) assert_true(fabs((double)c32[i] - times * want[i]) < 1e-3);
    }
    void *all_of_it[] = {a, b, c, want, a32, b32, c32};
    for (size_t i = 0; i < sizeof all_of_it / sizeof *all_of_it; i++) free(all_of_it[i]);
}

/* One product of a panel in both number types, set down or added, B packed whole and in two pieces. */
static void check_panel(int columns, int depth, int extra, uint64_t seed)
{
    const int lda = GK_PANEL * (1 + extra), cut = depth > GK_PANEL_DEPTH ? GK_PANEL_DEPTH : 0;
    const size_t size_a = (size_t)(depth * lda), size_b = (size_t)(depth * columns),
                 size_c = (size_t)(columns * GK_PANEL);
    double *a = gk_alloc(size_a, 8), *b = gk_alloc(size_b, 8), *packed = gk_alloc(size_b, 8);
    double *c = gk_alloc(size_c, 8), *want = gk_alloc(size_c, 8);
    float *a32 = gk_alloc(size_a, 4), *b32 = gk_alloc(size_b, 4), *packed32 = gk_alloc(size_b, 4),
          *c32 = gk_alloc(size_c, 4);
    assert_true(a && b && packed && c && want && a32 && b32 && packed32 && c32);
    gk_random r;
    gk_random_seed(&r, seed, 8);
    for (size_t i = 0; i < size_a; i++) a32[i] = (float)(a[i] = gk_random_normal(&r));
    for (size_t i = 0; i < size_b; i++) b32[i] = (float)(b[i] = gk_random_normal(&r));
    gk_gemm(true, false, columns, GK_PANEL, depth, 1, b, columns, a, lda, 0, want, GK_PANEL);
    gk_panel_pack_f64(columns, depth - cut, b + cut * columns, columns, packed + cut * columns);
    gk_panel_pack_f64(columns, cut, b, columns, packed);
    gk_panel_pack_f32(columns, depth, b32, columns, packed32);
    for (int times = 1; times <= 2; times++) {
        gk_panel_product_f64(columns, depth, a, lda, packed, times == 2, c);
        gk_panel_product_f32(columns, depth, a32, lda, packed32, times == 2, c32);
        for (size_t i = 0; i < size_c; i++) assert_true(fabs(c[i] - times * want[i]) < 1e-12);
        for (size_t i = 0; i < size_c; i++) assert_true(fabs((double)c32[i] - times * want[i]) < 1e-3);
    }
    void *all_of_it[] = {a, b, packed, c, want, a32, b32, packed32, c32};
    for (size_t i = 0; i < sizeof all_of_it / sizeof *all_of_it; i++) free(all_of_it[i]);
}

/* Long sums in float32 lose the roundings of a stretch and of the sum of stretches, not one of the whole a term: .1
 * added 40000 times one by one is off by 1e-3. */
static void long_products_are_summed_by_stretches(void **state)
{
    (void)state;
    enum { DEPTH = 40000 };
    float *a = gk_alloc(DEPTH * GK_PANEL, 4), *b = gk_alloc(DEPTH, 4), *c = gk_alloc(GK_PANEL, 4);
    assert_true(a && b && c);
    for (size_t i = 0; i < DEPTH * GK_PANEL; i++) a[i] = 0.1F;
    for (size_t i = 0; i < DEPTH; i++) b[i] = 1;
    gk_panel_product_f32(1, DEPTH, a, GK_PANEL, b, false, c);
    for (int j = 0; j < GK_PANEL; j++) assert_true(fabs((double)c[j] / (DEPTH * (double)0.1F) - 1) < 2e-5);
    free(a);
    free(b);
    free(c);
}

/* Gram matrices of rows of k numbers, added to what is there. */
static void check_gram(int n, int k, uint64_t seed)
{
    const size_t size = (size_t)(n * k), square = (size_t)(n * n);
    double *a = gk_alloc(size, 8), *want = gk_alloc(square, 8), *sum = gk_alloc(square, 8),
           *sum32 = gk_alloc(square, 8);
    double *product = gk_alloc(square, 8);
    float *a32 = gk_alloc(size, 4), *product32 = gk_alloc(square, 4);
    assert_true(a && want && sum && sum32 && product && a32 && product32);
    gk_random r;
    gk_random_seed(&r, seed, 9);
    for (size_t i = 0; i < size; i++) a[i] = (double)(a32[i] = (float)gk_random_normal(&r));
    for (size_t i = 0; i < square; i++) sum[i] = sum32[i] = 3;
    gk_gram(false, n, k, 1, a, k, 0, want, n);
    gk_panel_gram_f64(n, k, a, product, sum);
    gk_panel_gram_f32(n, k, a32, product32, sum32);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            assert_true(fabs(sum[i * n + j] - want[i * n + j] - 3) < 1e-11);
            assert_true(fabs(sum32[i * n + j] - want[i * n + j] - 3) < 1e-5 * k);
        }
    }
    void *all_of_it[] = {a, want, sum, sum32, product, a32, product32};
    for (size_t i = 0; i < sizeof all_of_it / sizeof *all_of_it; i++) free(all_of_it[i]);
}

/* Our own products, at every width and remainder, against the BLAS; and without AVX-512. */
static void products_are_those_of_blas(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 1, 1}, {7, 61, 100}, {13, 113, 600}, {12, 64, 512}, {5, 17, 513}, {31, 199, 40}};
    for (int turn = 0; turn < 2; turn++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            check_product(sizes[s][0], sizes[s][1], sizes[s][2], s % 2, s);
            check_product(sizes[s][0], sizes[s][1], sizes[s][2], s % 2 == 0, s);
            check_panel(sizes[s][1], sizes[s][2], (int)s % 3, s);
            check_gram(sizes[s][0] + (int)s, GK_PANEL * sizes[s][1], s);
        }
        for (int columns = 1; columns <= 18; columns++) check_panel(columns, 97, 0, (uint64_t)columns);
        setenv("GROKLAB_ISA", "v3", 1);
    }
    unsetenv("GROKLAB_ISA");
}

/* ---- the published runs: measures.md, section 1 ---- */

/* Circulant deviation of the off-diagonal block M[p:2p, 0:p]. */
static double deviation(const rfm_lab *lab, gk_ordering ordering)
{
    int32_t keys[2 * 64];
    gk_grouping g;
    assert_int_equal(gk_ordering_keys(&g, keys, lab->p, ordering), GK_OK);
    return gk_circularity_of(lab->m + lab->p * lab->d, lab->d, &g).deviation;
}

/* Steps to iteration `until`; returns the first iteration with test accuracy over .9, or -1. */
static int transition(rfm_lab *lab, int until)
{
    int first = -1;
    for (int t = 0; t <= until; t++) {
        if (t > 0) rfm_lab_step(lab);
        if (first < 0 && rfm_lab_score(lab, false).accuracy > 0.9) first = t;
    }
    return first;
}

static void quadratic_groks_as_published(void **state)
{
    (void)state;
    static const char *const ops[] = {"add", "sub", "mul", "div"};
    static const gk_ordering right[] = {GK_TOEPLITZ, GK_HANKEL, GK_TOEPLITZ_DLOG, GK_HANKEL_DLOG};
    static const gk_ordering wrong[] = {GK_HANKEL, GK_TOEPLITZ, GK_HANKEL_DLOG, GK_TOEPLITZ_DLOG};
    for (int i = 0; i < 4; i++) {
        rfm_lab lab;
        rfm_lab_open(&lab, ops[i], 61, 0.5, (uint64_t)i + 1, "threads=2");
        assert_in_range(transition(&lab, 30), 13, 17);
        assert_true(rfm_lab_score(&lab, true).accuracy == 1);
        assert_true(deviation(&lab, right[i]) < 0.0005);
        assert_true(deviation(&lab, wrong[i]) > 0.01);
        double values[122], *m = rfm_lab_feature(&lab, "metric"), asymmetry = 0;
        for (int a = 0; a < lab.d; a++) {
            for (int b = 0; b < a; b++) asymmetry = fmax(asymmetry, fabs(m[a * lab.d + b] - m[b * lab.d + a]));
        }
        assert_true(asymmetry == 0);
        assert_int_equal(gk_eigen(m, lab.d, values), GK_OK);
        assert_true(values[0] > -1e-12 * values[lab.d - 1]);
        free(m);
        rfm_lab_close(&lab);
    }
}

static void gaussian_groks_as_published(void **state)
{
    (void)state;
    rfm_lab lab;
    rfm_lab_open(&lab, "add", 61, 0.5, 0, "kernel=gaussian threads=2");
    assert_in_range(transition(&lab, 18), 14, 18);
    rfm_lab_close(&lab);
}

static void power_decides(void **state)
{
    (void)state;
    rfm_lab lab;
    rfm_lab_open(&lab, "add", 61, 0.5, 0, "agop_power=0.25 threads=2");
    assert_int_equal(transition(&lab, 17), -1);
    rfm_lab_close(&lab);
    rfm_lab_open(&lab, "add", 61, 0.5, 0, "agop_power=1 threads=2");
    assert_in_range(transition(&lab, 10), 4, 10);
    rfm_lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_equals_dense),
        cmocka_unit_test(grid_equals_dense_with_any_setting),
        cmocka_unit_test(radial_equals_dense),
        cmocka_unit_test(disconnected_training_cells),
        cmocka_unit_test(scale_does_not_reach_float32),
        cmocka_unit_test(auto_falls_back),
        cmocka_unit_test(vanishing_features_are_said),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(kept_outputs_are_those_of_predict),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(products_are_those_of_blas),
        cmocka_unit_test(long_products_are_summed_by_stretches),
        cmocka_unit_test(quadratic_groks_as_published),
        cmocka_unit_test(gaussian_groks_as_published),
        cmocka_unit_test(power_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
