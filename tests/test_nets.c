/* test_nets.c: both networks against what defines them: gradients against differences of the loss, AGOPs against
 * differences of the outputs, and 100 AdamW steps against PyTorch. */
#include "nets_lab.h"

/* ---- gradients ---- */

static double loss_at(nets_lab *lab, const int32_t *cells, int n)
{
    double loss;
    nets_lab_touch(lab);
    assert_int_equal(lab->method->gradient(lab->model, cells, n, true, &loss), GK_OK);
    return loss;
}

/* Every tensor's gradient in both forms against central differences; the batch repeats an index. */
static void check_gradients(const char *name, const char *settings)
{
    nets_lab lab;
    nets_lab_open(&lab, nets_lab_method(name, GK_F64), 5, 0.6, 1, settings);
    nets_lab_sines(&lab, 0.7);
    const int32_t cells[] = {3, 7, 7, 24, 0, 11, 13, 7, 18, 5, 6};
    const int n = (int)(sizeof cells / sizeof *cells);
    gk_tensor gradient[GK_TENSORS_MAX];
    for (int plain = 0; plain < 2; plain++) {
        for (int k = 0; k < lab.n; k++) {
            const size_t count = gk_tensor_count(&lab.tensors[k]);
            double *got = gk_alloc(count, sizeof *got), *want = gk_alloc(count, sizeof *want), loss;
            assert_true(got && want);
            assert_int_equal(lab.method->gradient(lab.model, cells, n, plain, &loss), GK_OK);
            assert_int_equal(lab.method->tensors(lab.model, GK_GRADIENTS, gradient), lab.n);
            assert_string_equal(gradient[k].name, lab.tensors[k].name);
            for (size_t i = 0; i < count; i++) got[i] = nets_lab_get(&gradient[k], i);
            lab.method->tensors(lab.model, GK_WEIGHTS, lab.tensors);
            for (size_t i = 0; i < count; i++) {
                const double h = 1e-5, w = nets_lab_get(&lab.tensors[k], i);
                nets_lab_put(&lab.tensors[k], i, w + h);
                const double up = loss_at(&lab, cells, n);
                lab.method->tensors(lab.model, GK_WEIGHTS, lab.tensors);
                nets_lab_put(&lab.tensors[k], i, w - h);
                want[i] = (up - loss_at(&lab, cells, n)) / (2 * h);
                lab.method->tensors(lab.model, GK_WEIGHTS, lab.tensors);
                nets_lab_put(&lab.tensors[k], i, w);
                nets_lab_touch(&lab);
            }
            const double off = nets_lab_difference(got, want, count);
            if (!(off < 1e-6)) print_error("%s %s %s plain %d: %g\n", name, settings, lab.tensors[k].name, plain, off);
            assert_true(off < 1e-6);
            free(got);
            free(want);
        }
    }
    nets_lab_close(&lab);
}

static void gradients_of_the_mlp(void **state)
{
    (void)state;
    const char *acts[] = {"quadratic", "relu", "gelu", "swish", "softplus"}, *losses[] = {"mse", "cross_entropy"};
    for (int a = 0; a < 5; a++) {
        for (int l = 0; l < 2; l++) {
            char settings[128];
            snprintf(settings, sizeof settings, "width=7 activation=%s loss=%s threads=%d", acts[a], losses[l], 1 + l);
            check_gradients("mlp", settings);
        }
    }
}

static void gradients_of_the_transformer(void **state)
{
    (void)state;
    const char *acts[] = {"relu", "gelu"}, *losses[] = {"mse", "cross_entropy"};
    for (int a = 0; a < 2; a++) {
        for (int l = 0; l < 2; l++) {
            char settings[128];
            snprintf(settings, sizeof settings,
                     "form=fast d_model=6 n_heads=2 d_mlp=9 activation=%s loss=%s threads=%d", acts[a], losses[l],
                     1 + l);
            check_gradients("transformer", settings);
        }
    }
}

/* ---- 100 AdamW steps ---- */

typedef struct oracle_case {
    const char *network, *activation, *loss, *lr, *decay, *warmup;
    int tensors;
    double checks[11][2]; /* norm, and dot product with cos(i) */
    double curve[101];
} oracle_case;

#include "fixtures/nets_oracle.h"

static void hundred_steps_equal_pytorch(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof oracle_cases / sizeof *oracle_cases; c++) {
        const oracle_case *o = &oracle_cases[c];
        char settings[256];
        snprintf(settings, sizeof settings, "%s activation=%s loss=%s lr=%s weight_decay=%s warmup=%s batch_size=0",
                 o->network[0] == 'm' ? "width=10" : "form=fast d_model=8 n_heads=2 d_mlp=12", o->activation, o->loss,
                 o->lr, o->decay, o->warmup);
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(o->network, GK_F64), 7, 0.5, 3, settings);
        nets_lab_sines(&lab, o->network[0] == 'm' ? 0.5 : 0.4);
        for (int t = 0; t < 100; t++) {
            double loss;
            assert_int_equal(lab.method->step(lab.model, &loss), GK_OK);
            const double off = fabs(loss - o->curve[t]) / o->curve[t];
            if (!(off < 1e-9))
                print_error("%s %s %s step %d: %.17g, not %.17g\n", o->network, o->activation, o->loss, t, loss,
                            o->curve[t]);
            assert_true(off < 1e-9);
        }
        gk_score score;
        assert_int_equal(lab.method->score(lab.model, lab.split.train, lab.split.n_train, &score, NULL), GK_OK);
        assert_true(fabs(score.loss - o->curve[100]) / o->curve[100] < 1e-9);
        lab.n = lab.method->tensors(lab.model, GK_WEIGHTS, lab.tensors);
        assert_int_equal(lab.n, o->tensors);
        for (int k = 0; k < lab.n; k++) {
            double sum = 0, wave = 0;
            for (size_t i = 0; i < gk_tensor_count(&lab.tensors[k]); i++) {
                const double w = nets_lab_get(&lab.tensors[k], i);
                sum += w * w;
                wave += w * cos((double)i);
            }
            assert_true(fabs(sqrt(sum) - o->checks[k][0]) < 1e-9 * o->checks[k][0]);
            assert_true(fabs(wave - o->checks[k][1]) < 1e-8 * o->checks[k][0]);
        }
        nets_lab_close(&lab);
    }
}

/* ---- AGOP against differences of the outputs ---- */

/* Moves what the model sees at input coordinate `at` (of 2p) of this cell by h, through the weights that carry it. */
static void nudge(nets_lab *lab, int32_t cell, int at, double h)
{
    const int p = lab->split.task.p, pos = at / p, token = at % p;
    lab->method->tensors(lab->model, GK_WEIGHTS, lab->tensors);
    const gk_tensor *t = lab->tensors;
    if (strcmp(lab->method->name, "mlp") ==
        0) { /* the column of this position's token gains h times the other column */
        const size_t width = (size_t)t[0].shape[0], row = (size_t)t[0].shape[1];
        const size_t own = (size_t)(pos == 0 ? cell / p : p + cell % p);
        for (size_t k = 0; k < width; k++)
            nets_lab_put(&t[0], k * row + own,
                         nets_lab_get(&t[0], k * row + own) + h * nets_lab_get(&t[0], k * row + (size_t)at));
    } else { /* the position's embedding gains h times the token's */
        const size_t d = (size_t)t[0].shape[1];
        for (size_t j = 0; j < d; j++)
            nets_lab_put(&t[1], (size_t)pos * d + j,
                         nets_lab_get(&t[1], (size_t)pos * d + j) + h * nets_lab_get(&t[0], (size_t)token * d + j));
    }
    nets_lab_touch(lab);
}

static void restore(nets_lab *lab, const double *weights)
{
    lab->n = lab->method->tensors(lab->model, GK_WEIGHTS, lab->tensors);
    for (int k = 0; k < lab->n; k++)
        for (size_t i = 0; i < gk_tensor_count(&lab->tensors[k]); i++) nets_lab_put(&lab->tensors[k], i, *weights++);
    nets_lab_touch(lab);
}

/* want [p, 2p, 2p], class by class, by central differences of the outputs on every training cell */
static void difference_agops(nets_lab *lab, bool centred, double *want)
{
    const size_t p = (size_t)lab->split.task.p, n = (size_t)lab->split.n_train, cols = 2 * p;
    size_t count;
    double *weights = nets_lab_copy(lab, GK_WEIGHTS, &count);
    double *j = gk_calloc(n * p * cols, sizeof *j), *mean = gk_calloc(p * cols, sizeof *mean), up[16], down[16];
    assert_true(j && mean && p <= 16);
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < cols; a++) {
            const double h = 1e-5;
            nudge(lab, lab->split.train[i], (int)a, h);
            assert_int_equal(lab->method->predict(lab->model, &lab->split.train[i], 1, up), GK_OK);
            restore(lab, weights);
            nudge(lab, lab->split.train[i], (int)a, -h);
            assert_int_equal(lab->method->predict(lab->model, &lab->split.train[i], 1, down), GK_OK);
            restore(lab, weights);
            for (size_t c = 0; c < p; c++) j[(i * p + c) * cols + a] = (up[c] - down[c]) / (2 * h);
        }
    }
    for (size_t i = 0; centred && i < n; i++)
        for (size_t k = 0; k < p * cols; k++) mean[k] += j[i * p * cols + k] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < p * cols; k++) j[i * p * cols + k] -= mean[k];
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < p; c++)
            gk_gram(true, (int)cols, 1, 1.0 / (double)n, j + (i * p + c) * cols, (int)cols, i > 0,
                    want + c * cols * cols, (int)cols);
    free(weights);
    free(j);
    free(mean);
}

/* The AGOP, and what each class adds to it. */
static void agop_equals_differences(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"mlp", "width=9 activation=quadratic"},
        {"mlp", "width=9 activation=quadratic centering=on"},
        {"mlp", "width=9 activation=relu centering=on"},
        {"mlp", "width=9 activation=gelu centering=on"},
        {"mlp", "width=9 activation=softplus"},
        {"mlp", "width=9 activation=swish"},
        {"transformer", "d_model=8 n_heads=2 d_mlp=11 activation=relu threads=2"},
        {"transformer", "d_model=8 n_heads=4 d_mlp=11 activation=gelu"},
        {"transformer", "d_model=6 n_heads=3 d_mlp=11 activation=relu centering=on"},
        {"transformer", "d_model=6 n_heads=1 d_mlp=11 activation=gelu centering=on threads=2"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(cases[c][0], GK_F64), 5, 0.6, 2, cases[c][1]);
        nets_lab_sines(&lab, 0.7);
        assert_int_equal(lab.method->feature_size(lab.model, "agop"), 10);
        double got[100], want[500], all[100] = {0}, classes[100] = {0};
        difference_agops(&lab, gk_config_is(&lab.config, "centering", "on"), want);
        for (int class = 0; class < 5; class++) {
            assert_int_equal(lab.method->class_agop(lab.model, class, got), GK_OK);
            const double off = nets_lab_difference(got, want + 100 * class, 100);
            if (!(off < 1e-6)) print_error("%s %s, class %d: %g\n", cases[c][0], cases[c][1], class, off);
            assert_true(off < 1e-6);
            for (int e = 0; e < 100; e++) all[e] += want[100 * class + e];
            for (int e = 0; e < 100; e++) classes[e] += got[e];
        }
        assert_int_equal(lab.method->feature(lab.model, "agop", got), GK_OK);
        const double off = nets_lab_difference(got, all, 100);
        if (!(off < 1e-6)) print_error("%s %s: %g\n", cases[c][0], cases[c][1], off);
        assert_true(off < 1e-6);
        assert_true(nets_lab_difference(got, classes, 100) < 1e-13);
        nets_lab_close(&lab);
    }
}

/* nfm = W1^T W1; for the transformer blockdiag of the embedding's Gram matrix. */
static void nfm_is_the_gram_matrix(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(which ? "transformer" : "mlp", GK_F64), 5, 0.6, 2,
                      which ? "d_model=8 n_heads=2 d_mlp=11" : "width=9");
        double got[100];
        assert_int_equal(lab.method->feature(lab.model, "nfm", got), GK_OK);
        const gk_tensor *t = &lab.tensors[0];
        for (int a = 0; a < 10; a++) {
            for (int b = 0; b < 10; b++) {
                double want = 0;
                for (int k = 0; !which && k < 9; k++)
                    want += nets_lab_get(t, (size_t)(k * 10 + a)) * nets_lab_get(t, (size_t)(k * 10 + b));
                for (int k = 0; which && a / 5 == b / 5 && k < 8; k++)
                    want += nets_lab_get(t, (size_t)(a % 5 * 8 + k)) * nets_lab_get(t, (size_t)(b % 5 * 8 + k));
                assert_true(fabs(got[a * 10 + b] - want) < 1e-12);
            }
        }
        assert_int_equal(lab.method->feature(lab.model, "metric", got), GK_NOTFOUND);
        nets_lab_close(&lab);
    }
}

int main(void)
{
    gk_blas_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_the_mlp),        cmocka_unit_test(gradients_of_the_transformer),
        cmocka_unit_test(hundred_steps_equal_pytorch), cmocka_unit_test(agop_equals_differences),
        cmocka_unit_test(nfm_is_the_gram_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
