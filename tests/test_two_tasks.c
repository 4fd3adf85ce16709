/* test_two_tasks.c: two operations learned at once (setting second_op), told apart by one more input coordinate: kernel
 * machines against the oracle of tests/oracle_rfm.py, the network's gradient against differences. */
#include "rfm_lab.h"

#include "gk_lab.h"

/* ---- the split ---- */

static void the_second_task_has_the_same_parts(void **state)
{
    (void)state;
    gk_split one, two;
    const int p = 7, offset = p * p;
    assert_int_equal(gk_split_make(&one, "add", p, 0.6, 3, "philox"), GK_OK);
    assert_int_equal(gk_split_make(&two, "add", p, 0.6, 3, "philox"), GK_OK);
    assert_true(one.learn == one.train && one.n_learn == one.n_train && !one.two);
    assert_int_equal(gk_split_second(&two, "div"), GK_OK);
    assert_string_equal(one.sha256, two.sha256);
    assert_true(two.two && two.n_train == one.n_train && two.n_test == one.n_test);
    int at = two.n_train, test_at = 0;
    for (int i = 0; i < one.n_train; i++) {
        assert_int_equal(two.learn[i], one.train[i]);
        if (one.train[i] % p != 0) assert_int_equal(two.learn[at++], offset + one.train[i]);
    }
    for (int i = 0; i < one.n_test; i++)
        if (one.test[i] % p != 0) assert_int_equal(two.second_test[test_at++], offset + one.test[i]);
    assert_int_equal(two.n_learn, at);
    assert_int_equal(two.n_second_test, test_at);
    for (int x = 0; x < p; x++)
        for (int y = 1; y < p; y++) assert_int_equal(two.task.labels[offset + x * p + y] * y % p, x);
    gk_split_free(&two);
    assert_int_equal(gk_split_second(&one, "dvi"), GK_USAGE);
    gk_split_free(&one);
}

/* ---- kernel machines ---- */

static void close_to(const char *what, const double *got, FILE *f, size_t n, double tolerance)
{
    double *want = gk_alloc(n, sizeof *want);
    assert_non_null(want);
    for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(f, "%lf", &want[i]), 1);
    const double off = rfm_lab_difference(got, want, n);
    if (!(off < tolerance)) fail_msg("%s differs by %g", what, off);
    free(want);
}

static void machines_agree_with_the_oracle(void **state)
{
    (void)state;
    FILE *f = fopen("tests/fixtures/rfm_two.txt", "r");
    assert_non_null(f);
    char name[64], op[64], second[64], kernel[64], bandwidth[32], ridge[32], power[32], settings[512];
    int p, n, steps, centering, cases = 0;
    while (fscanf(f, "%63s %63s %63s %d %d %d %63s %31s %31s %31s %d", name, op, second, &p, &n, &steps, kernel,
                  bandwidth, ridge, power, &centering) == 11) {
        int32_t train[64], cells[128];
        double outputs[128 * 8];
        assert_true(n <= 64 && 2 * p * p <= 128 && p <= 8);
        for (int i = 0; i < n; i++) assert_int_equal(fscanf(f, "%d", &train[i]), 1);
        rfm_lab lab;
        assert_int_equal(gk_split_restore(&lab.split, op, p, 0.5, 7, "philox", train, n), GK_OK);
        assert_int_equal(gk_split_second(&lab.split, second), GK_OK);
        snprintf(settings, sizeof settings, "kernel=%s bandwidth=%s ridge=%s agop_power=%s centering=%s threads=2",
                 kernel, bandwidth, ridge, power, centering ? "on" : "off");
        assert_int_equal(rfm_lab_try(&lab, settings), GK_OK);
        for (int t = 0; t < steps; t++) rfm_lab_step(&lab);
        double *agop = rfm_lab_feature(&lab, "agop");
        for (int i = 0; i < 2 * p * p; i++) cells[i] = i;
        assert_int_equal(gk_rfm_method()->predict(lab.model, cells, 2 * p * p, outputs), GK_OK);
        close_to(name, lab.m, f, (size_t)(2 * p + 1) * (size_t)(2 * p + 1), 1e-7); /* the root of a singular G */
        close_to(name, lab.alpha, f, (size_t)lab.split.n_learn * (size_t)p, 1e-8);
        close_to(name, agop, f, (size_t)(4 * p * p), 1e-8);
        close_to(name, outputs, f, (size_t)(2 * p * p * p), 1e-8);
        double *sum = gk_calloc((size_t)(4 * p * p), sizeof *sum), of_class[4 * 8 * 8];
        assert_non_null(sum);
        for (int c = 0; c < p; c++) {
            assert_int_equal(gk_rfm_method()->class_agop(lab.model, c, of_class), GK_OK);
            for (int e = 0; e < 4 * p * p; e++) sum[e] += of_class[e];
        }
        assert_true(rfm_lab_difference(sum, agop, (size_t)(4 * p * p)) < 1e-13);
        free(sum);
        free(agop);
        rfm_lab_close(&lab);
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 6);
}

/* ---- the network ---- */

typedef struct network {
    gk_split split;
    gk_config config;
    const gk_method *method;
    gk_model *model;
} network;

static int open_network(network *k, const char *const (*settings)[2])
{
    assert_int_equal(gk_registry_config(&k->config, "mlp"), GK_OK);
    for (; (*settings)[0]; settings++)
        assert_int_equal(gk_config_set(&k->config, (*settings)[0], (*settings)[1], "test"), GK_OK);
    assert_int_equal(gk_registry_split(&k->split, &k->config), GK_OK);
    k->method = gk_mlp_method(GK_F64);
    k->model = NULL;
    return k->method->init(&k->model, &k->config, &k->split);
}

static void close_network(network *k)
{
    k->method->free(k->model);
    gk_split_free(&k->split);
    gk_config_free(&k->config);
}

static double loss_of(network *k)
{
    double loss;
    assert_int_equal(k->method->loaded(k->model, GK_WEIGHTS, 0), GK_OK);
    assert_int_equal(k->method->gradient(k->model, k->split.learn, k->split.n_learn, true, &loss), GK_OK);
    return loss;
}

static void gradients_equal_differences(void **state)
{
    (void)state;
    static const char *const activations[] = {"quadratic", "gelu"}, *const weights[] = {"0", "0.3"};
    for (int c = 0; c < 4; c++) {
        const char *const settings[][2] = {{"p", "5"}, {"op", "add"}, {"second_op", "div"}, {"width", "6"},
                                           {"activation", activations[c % 2]}, {"agop_weight", weights[c / 2]}, {0}};
        network k;
        gk_tensor w[GK_TENSORS_MAX], g[GK_TENSORS_MAX];
        if (open_network(&k, settings) != GK_OK) fail_msg("%s", gk_error_text());
        assert_int_equal(k.method->tensors(k.model, GK_WEIGHTS, w), 2);
        assert_int_equal(w[0].shape[1], 11);
        for (int t = 0; t < 2; t++) {
            for (size_t i = 0; i < gk_tensor_count(&w[t]); i++) {
                const double h = 1e-5;
                double *at = (double *)w[t].data + i, was = *at;
                loss_of(&k);
                k.method->tensors(k.model, GK_GRADIENTS, g);
                const double got = ((double *)g[t].data)[i];
                *at = was + h;
                const double up = loss_of(&k);
                *at = was - h;
                const double down = loss_of(&k);
                *at = was;
                const double want = (up - down) / (2 * h);
                if (!(fabs(got - want) < 1e-7 * (1 + fabs(want))))
                    fail_msg("case %d, %s[%zu]: %g, not %g", c, w[t].name, i, got, want);
            }
        }
        close_network(&k);
    }
}

static void what_does_not_know_two_tasks_says_so(void **state)
{
    (void)state;
    static const char *const refused[][2] = {{"form", "fast"}, {"features", "circulant"}};
    for (int c = 0; c < 2; c++) {
        const char *const settings[][2] = {{"p", "5"}, {"second_op", "sub"}, {refused[c][0], refused[c][1]}, {0}};
        network k;
        assert_int_equal(open_network(&k, settings), GK_USAGE);
        assert_non_null(strstr(gk_error_text(), "second_op"));
        close_network(&k);
    }
    static const char *const machines[] = {"solver=cg", "features=circulant"};
    for (int c = 0; c < 2; c++) {
        rfm_lab lab;
        assert_int_equal(gk_split_make(&lab.split, "add", 5, 0.5, 0, "philox"), GK_OK);
        assert_int_equal(gk_split_second(&lab.split, "sub"), GK_OK);
        assert_int_equal(rfm_lab_try(&lab, machines[c]), GK_USAGE);
        assert_non_null(strstr(gk_error_text(), "second_op"));
        rfm_lab_close(&lab);
    }
}

int main(void)
{
    gk_blas_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_task_has_the_same_parts),
        cmocka_unit_test(machines_agree_with_the_oracle),
        cmocka_unit_test(gradients_equal_differences),
        cmocka_unit_test(what_does_not_know_two_tasks_says_so),
    };
    return cmocka_run_group_tests_name("two_tasks", tests, NULL, NULL);
}
