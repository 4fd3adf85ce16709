/* test_nets_features.c: the two-layer network's experiments: random-circulant inputs, and the trace of its AGOP as a
 * term of the loss. */
#include "nets_lab.h"

#include "gk_structure.h"

static double loss_at(nets_lab *lab, const int32_t *cells, int n)
{
    double loss;
    nets_lab_touch(lab);
    assert_int_equal(lab->method->gradient(lab->model, cells, n, true, &loss), GK_OK);
    return loss;
}

/* The largest error of the gradient of any tensor, by central differences of the loss. */
static double gradient_error(nets_lab *lab, const int32_t *cells, int n)
{
    gk_tensor gradient[GK_TENSORS_MAX];
    double worst = 0;
    for (int k = 0; k < lab->n; k++) {
        const size_t count = gk_tensor_count(&lab->tensors[k]);
        double *got = gk_alloc(2 * count, sizeof *got), *want = got + count;
        assert_non_null(got);
        loss_at(lab, cells, n);
        lab->method->tensors(lab->model, GK_GRADIENTS, gradient);
        for (size_t i = 0; i < count; i++) got[i] = nets_lab_get(&gradient[k], i);
        lab->method->tensors(lab->model, GK_WEIGHTS, lab->tensors);
        for (size_t i = 0; i < count; i++) {
            const double h = 1e-5, w = nets_lab_get(&lab->tensors[k], i);
            nets_lab_put(&lab->tensors[k], i, w + h);
            const double up = loss_at(lab, cells, n);
            nets_lab_put(&lab->tensors[k], i, w - h);
            want[i] = (up - loss_at(lab, cells, n)) / (2 * h);
            nets_lab_put(&lab->tensors[k], i, w);
        }
        const double off = nets_lab_difference(got, want, count);
        if (!(off < worst)) worst = off;
        free(got);
    }
    return worst;
}

static void gradients_equal_differences(void **state)
{
    (void)state;
    static const char *const acts[] = {"quadratic", "relu", "gelu", "swish", "softplus"};
    static const char *const more[] = {"agop_weight=0.3", "features=circulant", "features=circulant agop_weight=2"};
    const int32_t cells[] = {3, 7, 7, 24, 0, 11, 13, 7, 18, 5, 6};
    for (int a = 0; a < 5; a++) {
        for (int k = 0; k < 3; k++) {
            char settings[160];
            snprintf(settings, sizeof settings, "width=7 activation=%s loss=%s threads=%d %s", acts[a],
                     k == 1 ? "cross_entropy" : "mse", 1 + k % 2, more[k]);
            nets_lab lab;
            nets_lab_open(&lab, gk_mlp_method(GK_F64), 5, 0.6, 1, settings);
            nets_lab_sines(&lab, 0.7);
            const double off = gradient_error(&lab, cells, (int)(sizeof cells / sizeof *cells));
            if (!(off < 1e-6)) fail_msg("%s: %g", settings, off);
            nets_lab_close(&lab);
        }
    }
}

/* On the whole training set the added loss is weight times the trace of the matrix that `feature` gives. */
static void the_penalty_is_the_trace_of_the_agop(void **state)
{
    (void)state;
    static const char *const cases[] = {"activation=quadratic", "activation=gelu features=circulant"};
    for (int c = 0; c < 2; c++) {
        double loss[2], agop[22 * 22], trace = 0;
        for (int on = 0; on < 2; on++) {
            char settings[160];
            snprintf(settings, sizeof settings, "width=40 form=plain agop_weight=%s %s", on ? "0.25" : "0", cases[c]);
            nets_lab lab;
            nets_lab_open(&lab, gk_mlp_method(GK_F64), 11, 0.6, 1, settings);
            nets_lab_sines(&lab, 0.7);
            assert_int_equal(lab.method->gradient(lab.model, lab.split.train, lab.split.n_train, true, &loss[on]),
                             GK_OK);
            assert_int_equal(lab.method->feature(lab.model, "agop", agop), GK_OK);
            nets_lab_close(&lab);
        }
        for (int i = 0; i < 22; i++) trace += agop[i * 22 + i];
        assert_true(trace > 0.1);
        assert_true(fabs(loss[1] - loss[0] - 0.25 * trace) < 1e-12 * trace);
    }
}

/* T falls out of the columns of W1 T with W1 = I; its fourth power is M* less its negative part. */
static void inputs_are_multiplied_by_the_fourth_root(void **state)
{
    (void)state;
    enum { P = 7, IN = 2 * P };
    for (int control = 0; control < 2; control++) {
        nets_lab lab;
        double embed[2 * IN * P], t[IN * IN], square[IN * IN], fourth[IN * IN], star[IN * IN];
        nets_lab_open(&lab, gk_mlp_method(GK_F64), P, 0.6, 1,
                      control ? "width=14 features=circulant_control feature_seed=3"
                              : "width=14 features=circulant feature_seed=3");
        for (int i = 0; i < IN * IN; i++) nets_lab_put(&lab.tensors[0], (size_t)i, i / IN == i % IN);
        nets_lab_touch(&lab);
        assert_int_equal(lab.method->embed(lab.model, embed), GK_OK);
        for (int i = 0; i < IN; i++)
            for (int j = 0; j < IN; j++) t[i * IN + j] = embed[(j / P * IN + i) * P + j % P];
        gk_gemm(false, false, IN, IN, IN, 1, t, IN, t, IN, 0, square, IN);
        gk_gemm(false, false, IN, IN, IN, 1, square, IN, square, IN, 0, fourth, IN);
        assert_int_equal(gk_task_features(star, &lab.split.task, control, 3, 1), GK_OK);
        assert_true(nets_lab_difference(fourth, star, IN * IN) < 1e-12);
        nets_lab_close(&lab);
    }
}

/* The network on T X is the plain network with W1 T, in all that it shows. */
static void random_inputs_are_other_columns(void **state)
{
    (void)state;
    enum { P = 7, IN = 2 * P, WIDTH = 9 };
    static const char *const kinds[] = {"agop", "nfm"};
    nets_lab a, b;
    double embed[2 * WIDTH * P], out[2][P], neurons[2][WIDTH], matrix[2][IN * IN];
    nets_lab_open(&a, gk_mlp_method(GK_F64), P, 0.6, 1, "width=9 features=circulant activation=swish");
    nets_lab_open(&b, gk_mlp_method(GK_F64), P, 0.6, 1, "width=9 activation=swish");
    nets_lab_sines(&a, 0.7);
    nets_lab_sines(&b, 0.7);
    assert_int_equal(a.method->embed(a.model, embed), GK_OK);
    for (int k = 0; k < WIDTH; k++)
        for (int j = 0; j < IN; j++)
            nets_lab_put(&b.tensors[0], (size_t)(k * IN + j), embed[(j / P * WIDTH + k) * P + j % P]);
    nets_lab_touch(&b);
    for (int32_t cell = 0; cell < P * P; cell++) {
        nets_lab *both[] = {&a, &b};
        for (int i = 0; i < 2; i++) {
            assert_int_equal(both[i]->method->predict(both[i]->model, &cell, 1, out[i]), GK_OK);
            assert_int_equal(both[i]->method->neurons(both[i]->model, &cell, 1, neurons[i]), GK_OK);
        }
        assert_true(nets_lab_difference(out[0], out[1], P) < 1e-12);
        assert_true(nets_lab_difference(neurons[0], neurons[1], WIDTH) < 1e-12);
    }
    for (int k = 0; k < 2; k++) {
        assert_int_equal(a.method->feature(a.model, kinds[k], matrix[0]), GK_OK);
        assert_int_equal(b.method->feature(b.model, kinds[k], matrix[1]), GK_OK);
        assert_true(nets_lab_difference(matrix[0], matrix[1], IN * IN) < 1e-12);
    }
    nets_lab_close(&a);
    nets_lab_close(&b);
}

static void the_fast_form_refuses_what_it_cannot(void **state)
{
    (void)state;
    static const char *const refused[][2] = {{"features=circulant", "add"}, {"agop_weight=1", "add"}};
    for (int k = 0; k < 2; k++) {
        nets_lab lab;
        gk_model *model = NULL;
        nets_lab_open(&lab, gk_mlp_method(GK_F32), 5, 0.6, 1, refused[k][0]);
        assert_int_equal(gk_config_set(&lab.config, "form", "fast", "test"), GK_OK);
        assert_int_equal(lab.method->init(&model, &lab.config, &lab.split), GK_USAGE);
        assert_non_null(strstr(gk_error_text(), "form = plain or auto"));
        nets_lab_close(&lab);
    }
    nets_lab lab;
    gk_split odd;
    gk_model *model = NULL;
    nets_lab_open(&lab, gk_mlp_method(GK_F32), 7, 0.6, 1, "features=circulant");
    assert_int_equal(gk_split_make(&odd, "x^2+x*y+y^2", 7, 0.5, 0, "philox"), GK_OK);
    assert_int_equal(lab.method->init(&model, &lab.config, &odd), GK_USAGE);
    assert_non_null(strstr(gk_error_text(), "x^2+x*y+y^2 mod 7 is neither"));
    gk_split_free(&odd);
    nets_lab_close(&lab);
}

int main(void)
{
    gk_blas_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_differences),
        cmocka_unit_test(the_penalty_is_the_trace_of_the_agop),
        cmocka_unit_test(inputs_are_multiplied_by_the_fourth_root),
        cmocka_unit_test(random_inputs_are_other_columns),
        cmocka_unit_test(the_fast_form_refuses_what_it_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
