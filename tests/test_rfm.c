/* test_rfm.c: the RFM against its oracle, its AGOPs against finite differences, its state, and its failures. */
#include "rfm_lab.h"

/* ---- the oracle: tests/oracle_rfm.py ---- */

static double *read_reals(FILE *f, size_t n)
{
    double *out = gk_alloc(n, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(f, "%lf", &out[i]), 1);
    return out;
}

static void close_to(const char *what, const double *got, FILE *f, size_t n, double tolerance)
{
    double *want = read_reals(f, n);
    const double off = rfm_lab_difference(got, want, n);
    if (!(off < tolerance)) print_error("%s differs by %g\n", what, off);
    assert_true(off < tolerance);
    free(want);
}

static void oracle_agrees(void **state)
{
    (void)state;
    FILE *f = fopen("tests/fixtures/rfm.txt", "r");
    assert_non_null(f);
    char name[64], op[64], kernel[64], bandwidth[32], ridge[32], power[32], settings[512];
    int p, n, steps, centering, cases = 0;
    while (fscanf(f, "%63s %63s %d %d %d %63s %31s %31s %31s %d", name, op, &p, &n, &steps, kernel, bandwidth, ridge,
                  power, &centering) == 10) {
        int32_t *train = gk_alloc((size_t)n, sizeof *train);
        assert_non_null(train);
        for (int i = 0; i < n; i++) assert_int_equal(fscanf(f, "%d", &train[i]), 1);
        rfm_lab lab;
        assert_int_equal(gk_split_restore(&lab.split, op, p, 0.5, 7, "philox", train, n), GK_OK);
        snprintf(settings, sizeof settings,
                 "kernel=%s bandwidth=%s ridge=%s agop_power=%s centering=%s solver=cholesky threads=2", kernel,
                 bandwidth, ridge, power, centering ? "on" : "off");
        assert_int_equal(rfm_lab_try(&lab, settings), GK_OK);
        for (int t = 0; t < steps; t++) rfm_lab_step(&lab);
        double *agop = rfm_lab_feature(&lab, "agop");
        const size_t square = (size_t)lab.d * (size_t)lab.d, pp = (size_t)p * (size_t)p;
        int32_t *cells = gk_alloc(pp, sizeof *cells);
        double *outputs = gk_alloc(pp * (size_t)p, sizeof *outputs);
        assert_true(cells && outputs);
        for (int i = 0; i < p * p; i++) cells[i] = i;
        assert_int_equal(gk_rfm_method()->predict(lab.model, cells, p * p, outputs), GK_OK);
        /* G has a null direction, (1, -1): its rounding of 1e-16 becomes 1e-8 in M = G^.5 */
        close_to(name, lab.m, f, square, 1e-7);
        close_to(name, lab.alpha, f, (size_t)n * (size_t)p, 1e-9);
        close_to(name, agop, f, square, 1e-9);
        close_to(name, outputs, f, pp * (size_t)p, 1e-9);
        free(outputs);
        free(cells);
        free(agop);
        free(train);
        rfm_lab_close(&lab);
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 11);
}

/* ---- finite differences of the predictor, written from the definition ---- */

static double metric_product(const rfm_lab *lab, const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < lab->d; i++) {
        for (int j = 0; j < lab->d; j++) sum += a[i] * lab->m[i * lab->d + j] * b[j];
    }
    return sum;
}

static double kernel_of(const rfm_lab *lab, const double *a, const double *b)
{
    const char *kernel = gk_config_text(&lab->config, "kernel");
    const double l = gk_config_real(&lab->config, "bandwidth");
    const double g = metric_product(lab, a, b), qa = metric_product(lab, a, a), qb = metric_product(lab, b, b);
    if (strcmp(kernel, "quadratic") == 0) return g * g;
    if (strcmp(kernel, "general_quadratic") == 0) return g * g + (qa - 1) * (qb - 1) / 2;
    double
        step[64]; /* d^2 from the difference itself: q + q' - 2 g would lose the small ones that differences look at */
    for (int i = 0; i < lab->d; i++) step[i] = a[i] - b[i];
    const double d2 = fmax(metric_product(lab, step, step), 0);
    return strcmp(kernel, "gaussian") == 0 ? exp(-d2 / (2 * l * l)) : exp(-sqrt(d2) / l);
}

/* z = e_x (+) e_y of a training point. */
static void point(const rfm_lab *lab, int i, double *z)
{
    memset(z, 0, (size_t)lab->d * sizeof *z);
    z[lab->split.train[i] / lab->p] = 1;
    z[lab->p + lab->split.train[i] % lab->p] = 1;
}

static void predictor(const rfm_lab *lab, const double *z, double *f)
{
    double other[64];
    memset(f, 0, (size_t)lab->p * sizeof *f);
    for (int i = 0; i < lab->n; i++) {
        point(lab, i, other);
        const double k = kernel_of(lab, z, other);
        for (int c = 0; c < lab->p; c++) f[c] += lab->alpha[i * lab->p + c] * k;
    }
}

/* agops [p,d,d]: what each class adds to the AGOP. */
static void numeric_agops(const rfm_lab *lab, double *agops)
{
    const double h = 1e-5;
    const int d = lab->d, p = lab->p, n = lab->n;
    double *jacobian = gk_alloc((size_t)(n * p * d), sizeof *jacobian), z[64], up[64], down[64];
    assert_non_null(jacobian);
    for (int j = 0; j < n; j++) {
        for (int a = 0; a < d; a++) {
            point(lab, j, z);
            z[a] += h;
            predictor(lab, z, up);
            z[a] -= 2 * h;
            predictor(lab, z, down);
            for (int c = 0; c < p; c++) jacobian[(j * p + c) * d + a] = (up[c] - down[c]) / (2 * h);
        }
    }
    for (int e = 0; gk_config_is(&lab->config, "centering", "on") && e < p * d; e++) {
        double mean = 0;
        for (int j = 0; j < n; j++) mean += jacobian[j * p * d + e] / n;
        for (int j = 0; j < n; j++) jacobian[j * p * d + e] -= mean;
    }
    for (int e = 0; e < n * p; e++)
        gk_gram(true, d, 1, 1.0 / n, jacobian + e * d, d, e >= p, agops + e % p * d * d, d);
    free(jacobian);
}

/* A positive definite metric and coefficients that solve nothing in particular: the formulas must not need more. */
static void randomise(rfm_lab *lab, uint64_t seed)
{
    gk_random r;
    gk_random_seed(&r, seed, 99);
    double half[64 * 64];
    for (int i = 0; i < lab->d * lab->d; i++) half[i] = gk_random_normal(&r) / sqrt(lab->d);
    gk_gram(false, lab->d, lab->d, 1, half, lab->d, 0, lab->m, lab->d);
    for (int i = 0; i < lab->d; i++) lab->m[i * lab->d + i] += 0.5;
    for (int i = 0; i < lab->n * lab->p; i++) lab->alpha[i] = gk_random_normal(&r);
    assert_int_equal(gk_rfm_method()->loaded(lab->model, GK_WEIGHTS, 3), GK_OK);
}

static void agop_is_that_of_finite_differences(void **state)
{
    (void)state;
    static const char *const kernels[] = {"quadratic", "gaussian", "laplace", "general_quadratic"};
    static const char *const solvers[] = {"cholesky", "cg"};
    static const char *const ops[] = {"add", "div"};
    for (int k = 0; k < 4; k++) {
        for (int v = 0; v < 8; v++) {
            char settings[256];
            snprintf(settings, sizeof settings, "kernel=%s solver=%s centering=%s bandwidth=1.3", kernels[k],
                     solvers[v & 1], v & 2 ? "on" : "off");
            rfm_lab lab;
            rfm_lab_open(&lab, ops[v >> 2], 5, 0.6, 1, settings);
            randomise(&lab, (uint64_t)(10 * k + v));
            double *agop = rfm_lab_feature(&lab, "agop"), numeric[500], of_class[100], all[100] = {0}, sum[100] = {0};
            numeric_agops(&lab, numeric);
            for (int c = 0; c < 5; c++) {
                assert_int_equal(gk_rfm_method()->class_agop(lab.model, c, of_class), GK_OK);
                const double off = rfm_lab_difference(of_class, numeric + 100 * c, 100);
                if (!(off < 1e-6)) print_error("%s: AGOP of class %d differs by %g\n", settings, c, off);
                assert_true(off < 1e-6);
                for (int e = 0; e < 100; e++) all[e] += numeric[100 * c + e];
                for (int e = 0; e < 100; e++) sum[e] += of_class[e];
            }
            const double off = rfm_lab_difference(agop, all, 100);
            if (!(off < 1e-6)) print_error("%s: AGOP differs by %g\n", settings, off);
            assert_true(off < 1e-6);
            assert_true(rfm_lab_difference(sum, agop, 100) < (v & 1 ? 1e-6 : 1e-13)); /* cg sums in float32 */
            double *again = rfm_lab_feature(&lab, "agop");
            assert_memory_equal(again, agop, sizeof all);
            free(again);
            free(agop);
            rfm_lab_close(&lab);
        }
    }
}

/* A bandwidth so small that the Gaussian's exp tables would overflow takes the other path: same numbers. */
static void gaussian_without_tables(void **state)
{
    (void)state;
    rfm_lab lab;
    rfm_lab_open(&lab, "add", 5, 0.6, 1, "kernel=gaussian bandwidth=0.05");
    randomise(&lab, 5);
    double outputs[5], want[5], z[64];
    for (int i = 0; i < lab.n; i++) {
        assert_int_equal(gk_rfm_method()->predict(lab.model, &lab.split.train[i], 1, outputs), GK_OK);
        point(&lab, i, z);
        predictor(&lab, z, want);
        for (int c = 0; c < 5; c++) assert_true(fabs(outputs[c] - want[c]) < 1e-12);
    }
    rfm_lab_close(&lab);
}

/* ---- semantics ---- */

static void score_follows_the_outputs(void **state)
{
    (void)state;
    rfm_lab lab;
    rfm_lab_open(&lab, "sub", 7, 0.6, 2, "");
    for (int t = 0; t < 3; t++) rfm_lab_step(&lab);
    const int n = lab.split.n_test, p = lab.p;
    double *f = gk_alloc((size_t)(n * p), sizeof *f), loss = 0, correct = 0, right = 0;
    assert_non_null(f);
    assert_int_equal(gk_rfm_method()->predict(lab.model, lab.split.test, n, f), GK_OK);
    for (int i = 0; i < n; i++) {
        const int label = lab.split.task.labels[lab.split.test[i]];
        int best = 0;
        for (int c = 0; c < p; c++) {
            loss += (f[i * p + c] - (c == label)) * (f[i * p + c] - (c == label)) / (n * p);
            if (f[i * p + c] > f[i * p + best]) best = c;
        }
        correct += (1 - f[i * p + label]) * (1 - f[i * p + label]) / n;
        right += best == label;
    }
    gk_score score = rfm_lab_score(&lab, false);
    assert_true(fabs(score.loss - loss) < 1e-12);
    assert_true(fabs(score.correct_loss - correct) < 1e-12);
    assert_true(fabs(score.accuracy - right / n) < 1e-15);
    assert_true(rfm_lab_score(&lab, true).accuracy == 1);
    free(f);
    rfm_lab_close(&lab);
}

/* A model that took over the state of another goes on to the same bits, whatever was asked of either on the way. */
static void state_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const settings[] = {"solver=cholesky", "solver=cg", "solver=cg threads=2 kernel=gaussian",
                                           "kernel=laplace ridge=0.1", "solver=cg kernel=general_quadratic ridge=0.1"};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        rfm_lab straight, resumed;
        rfm_lab_open(&straight, "add", 11, 0.6, 3, settings[k]);
        rfm_lab_open(&resumed, "add", 11, 0.6, 3, settings[k]);
        for (int t = 0; t < 3; t++) {
            rfm_lab_score(&straight, true);
            free(rfm_lab_feature(&straight, "agop"));
            rfm_lab_step(&straight);
        }
        rfm_lab_copy(&resumed, &straight, 3);
        for (int t = 3; t < 6; t++) {
            rfm_lab_step(&straight);
            rfm_lab_step(&resumed);
            rfm_lab_score(&resumed, false);
        }
        assert_memory_equal(straight.m, resumed.m, (size_t)(straight.d * straight.d) * sizeof(double));
        assert_memory_equal(straight.alpha, resumed.alpha, (size_t)(straight.n * straight.p) * sizeof(double));
        assert_true(rfm_lab_score(&straight, false).loss == rfm_lab_score(&resumed, false).loss);
        rfm_lab_close(&straight);
        rfm_lab_close(&resumed);
    }
}

/* Feature matrices keep their scale by themselves: the quadratic predictor does not feel the scale of M. */
static void scale_of_the_metric_does_not_matter(void **state)
{
    (void)state;
    rfm_lab plain, scaled;
    rfm_lab_open(&plain, "add", 7, 0.6, 2, "solver=cholesky");
    rfm_lab_open(&scaled, "add", 7, 0.6, 2, "solver=cholesky");
    for (int i = 0; i < scaled.d; i++) scaled.m[i * scaled.d + i] = 1e40;
    assert_int_equal(gk_rfm_method()->loaded(scaled.model, GK_WEIGHTS, 0), GK_OK);
    for (int t = 0; t < 3; t++) {
        double *a = rfm_lab_feature(&plain, "agop"), *b = rfm_lab_feature(&scaled, "agop");
        assert_true(rfm_lab_difference(b, a, (size_t)(plain.d * plain.d)) < 1e-12);
        free(a);
        free(b);
        rfm_lab_step(&plain);
        rfm_lab_step(&scaled);
    }
    rfm_lab_close(&plain);
    rfm_lab_close(&scaled);
}

/* A kernel matrix without full rank ends as diverged, with the iteration; a step that fails leaves the state before it.
 */
static void a_failed_solve_is_said(void **state)
{
    (void)state;
    rfm_lab lab;
    gk_score score;
    rfm_lab_open(&lab, "add", 5, 0.6, 1, "solver=cholesky");
    memset(lab.m, 0, (size_t)(lab.d * lab.d) * sizeof(double));
    assert_int_equal(gk_rfm_method()->loaded(lab.model, GK_WEIGHTS, 4), GK_OK);
    assert_int_equal(gk_rfm_method()->score(lab.model, lab.split.train, lab.n, &score, NULL), GK_DIVERGED);
    assert_non_null(strstr(gk_error_text(), "iteration 4"));
    assert_non_null(strstr(gk_error_text(), "ridge"));
    assert_int_equal(gk_rfm_method()->step(lab.model, NULL), GK_DIVERGED);
    assert_true(lab.m[0] == 0);
    rfm_lab_close(&lab);
    rfm_lab_open(&lab, "add", 5, 0.6, 1, "solver=cholesky");
    double *before = rfm_lab_feature(&lab, "metric");
    lab.alpha[0] = NAN;
    assert_int_equal(gk_rfm_method()->loaded(lab.model, GK_WEIGHTS, 2), GK_OK);
    assert_int_equal(gk_rfm_method()->step(lab.model, NULL), GK_DIVERGED);
    assert_memory_equal(before, lab.m, (size_t)(lab.d * lab.d) * sizeof(double));
    assert_int_equal(gk_rfm_method()->score(lab.model, lab.split.train, lab.n, &score, NULL), GK_OK);
    assert_true(score.accuracy == 1);
    free(before);
    rfm_lab_close(&lab);
}

static void unknown_feature_is_refused(void **state)
{
    (void)state;
    rfm_lab lab;
    double out[100];
    rfm_lab_open(&lab, "add", 5, 0.6, 1, "");
    assert_int_equal(gk_rfm_method()->feature(lab.model, "nfm", out), GK_NOTFOUND);
    assert_non_null(strstr(gk_error_text(), "nfm"));
    rfm_lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oracle_agrees),
        cmocka_unit_test(agop_is_that_of_finite_differences),
        cmocka_unit_test(gaussian_without_tables),
        cmocka_unit_test(score_follows_the_outputs),
        cmocka_unit_test(state_goes_on_to_the_same_bits),
        cmocka_unit_test(scale_of_the_metric_does_not_matter),
        cmocka_unit_test(a_failed_solve_is_said),
        cmocka_unit_test(unknown_feature_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
