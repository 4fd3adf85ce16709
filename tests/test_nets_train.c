/* test_nets_train.c: how the networks train: the same bits after a resume and for the same threads, agreement between
 * instruction sets and thread counts, divergence, the looks inside that the measures take, and grokking itself. */
#include "nets_lab.h"

static const char *const MLP = "width=24 batch_size=7 lr=0.01";
static const char *const TRANSFORMER = "form=fast d_model=16 n_heads=4 d_mlp=20 lr=0.01";

static void steps(nets_lab *lab, int count)
{
    for (int i = 0; i < count; i++) assert_int_equal(lab->method->step(lab->model, NULL), GK_OK);
}

/* Copies the tensors of `set` from one model into another, which then stands at `step`. */
static void carry(nets_lab *to, nets_lab *from, gk_tensor_set set, int64_t step)
{
    gk_tensor a[GK_TENSORS_MAX], b[GK_TENSORS_MAX];
    const int n = from->method->tensors(from->model, set, a);
    assert_int_equal(to->method->tensors(to->model, set, b), n);
    for (int k = 0; k < n; k++) {
        assert_string_equal(a[k].name, b[k].name);
        memcpy(b[k].data, a[k].data, gk_tensor_bytes(&a[k]));
    }
    assert_int_equal(to->method->loaded(to->model, set, step), GK_OK);
}

static void assert_same_bits(nets_lab *a, nets_lab *b)
{
    size_t na, nb;
    double *sa = nets_lab_copy(a, GK_STATE, &na), *sb = nets_lab_copy(b, GK_STATE, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(sa, sb, na * sizeof *sa);
    free(sa);
    free(sb);
}

static void check_resume(const char *name, gk_dtype dtype, const char *settings)
{
    const gk_method *method = nets_lab_method(name, dtype);
    nets_lab straight, half, resumed;
    nets_lab_open(&straight, method, 11, 0.5, 4, settings);
    nets_lab_open(&half, method, 11, 0.5, 4, settings);
    nets_lab_open(&resumed, method, 11, 0.5, 4, settings);
    steps(&straight, 9);
    steps(&half, 4);
    carry(&resumed, &half, GK_STATE, 4);
    steps(&resumed, 5);
    assert_same_bits(&straight, &resumed);
    assert_int_equal(method->loaded(resumed.model, GK_STATE, 3), GK_FAILED); /* a count that does not fit */
    nets_lab_close(&straight);
    nets_lab_close(&half);
    nets_lab_close(&resumed);
}

static void resume_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (int type = 0; type < 2; type++) {
        check_resume("mlp", type ? GK_F64 : GK_F32, MLP);
        check_resume("mlp", type ? GK_F64 : GK_F32, "width=24 batch_size=0 threads=2 activation=relu");
        check_resume("mlp", type ? GK_F64 : GK_F32, "width=65 batch_size=32 loss=cross_entropy activation=gelu");
        check_resume("mlp", type ? GK_F64 : GK_F32, "form=plain width=24 batch_size=7");
        check_resume("transformer", type ? GK_F64 : GK_F32, TRANSFORMER);
        check_resume("transformer", type ? GK_F64 : GK_F32,
                     "form=plain d_model=16 n_heads=4 d_mlp=20 batch_size=13 threads=2");
    }
}

/* Different instruction sets and thread counts reorder sums and no more. */
static void variants_agree(const char *name, const char *settings, double tolerance)
{
    static const char *const isas[] = {"base", "v3", "v4", "v4"};
    double *want = NULL;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(setenv("GROKLAB_ISA", isas[i], 1), 0);
        char text[256];
        snprintf(text, sizeof text, "%s threads=%d", settings, i == 3 ? 3 : 1);
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(name, GK_F64), 11, 0.5, 4, text);
        steps(&lab, 5);
        size_t n;
        double *got = nets_lab_copy(&lab, GK_WEIGHTS, &n);
        if (want) {
            const double off = nets_lab_difference(got, want, n);
            if (!(off < tolerance)) print_error("%s %s %s: %g\n", name, text, isas[i], off);
            assert_true(off < tolerance);
            free(got);
        } else {
            want = got;
        }
        nets_lab_close(&lab);
    }
    free(want);
    assert_int_equal(unsetenv("GROKLAB_ISA"), 0);
}

static void instruction_sets_and_threads_agree(void **state)
{
    (void)state;
    variants_agree("mlp", MLP, 1e-9);
    variants_agree("mlp", "width=65 batch_size=0 loss=cross_entropy activation=gelu", 1e-9);
    variants_agree("mlp", "width=24 form=plain", 1e-9);
    variants_agree("transformer", TRANSFORMER, 1e-9);
    variants_agree("transformer", "form=fast d_model=12 n_heads=4 d_mlp=70 activation=gelu loss=mse batch_size=20",
                   1e-9);
    variants_agree("transformer", "form=plain d_model=16 n_heads=4 d_mlp=20", 1e-9);
}

/* Largest difference of the two forms' gradients, tensor by tensor, and of scores of many and of few cells. */
static double difference_of_forms(const char *name, const char *isa, gk_dtype dtype, const char *settings, int p)
{
    assert_int_equal(setenv("GROKLAB_ISA", isa, 1), 0);
    nets_lab lab;
    nets_lab_open(&lab, nets_lab_method(name, dtype), p, 0.8, 4, settings);
    assert_int_equal(unsetenv("GROKLAB_ISA"), 0);
    int32_t cells[840];
    for (int i = 0; i < 840; i++) cells[i] = (i * i + 3 * i) % (p * p); /* out of order, with repeats; large tiles and the end of one */
    gk_tensor t[GK_TENSORS_MAX];
    double loss[2], *grad[2], worst = 0;
    size_t n = 0;
    for (int plain = 0; plain < 2; plain++) {
        assert_int_equal(lab.method->gradient(lab.model, cells, 840, plain, &loss[plain]), GK_OK);
        grad[plain] = nets_lab_copy(&lab, GK_GRADIENTS, &n);
    }
    const int count = lab.method->tensors(lab.model, GK_GRADIENTS, t);
    for (size_t k = 0, at = 0; k < (size_t)count; at += gk_tensor_count(&t[k++]))
        worst = fmax(worst, nets_lab_difference(grad[0] + at, grad[1] + at, gk_tensor_count(&t[k])));
    worst = fmax(worst, fabs(loss[0] - loss[1]) / loss[1]);
    gk_score all, part, sum = {0, 0, 0};
    assert_int_equal(lab.method->score(lab.model, cells, 840, &all, NULL), GK_OK);
    for (int i = 0; i < 840; i += 120) {
        assert_int_equal(lab.method->score(lab.model, cells + i, 120, &part, NULL), GK_OK);
        sum.loss += part.loss / 7;
        sum.accuracy += part.accuracy / 7;
        sum.correct_loss += part.correct_loss / 7;
    }
    worst = fmax(worst, fabs(all.loss - sum.loss) / sum.loss);
    worst = fmax(worst, fabs(all.correct_loss - sum.correct_loss) / sum.correct_loss);
    assert_true(fabs(all.accuracy - sum.accuracy) < 1e-12);
    double *out = gk_alloc(2 * 840 * (size_t)p, sizeof *out), *few = out + 840 * p;
    assert_non_null(out);
    assert_int_equal(lab.method->predict(lab.model, cells, 840, out), GK_OK);
    for (int i = 0; i < 840; i += 60)
        assert_int_equal(lab.method->predict(lab.model, cells + i, 60, few + i * p), GK_OK);
    worst = fmax(worst, nets_lab_difference(out, few, 840 * (size_t)p));
    free(out);
    free(grad[0]);
    free(grad[1]);
    nets_lab_close(&lab);
    return worst;
}

static void fast_form_equals_plain_form(void **state)
{
    (void)state;
    static const char *const isas[] = {"base", "v3", "v4", "amx"};
    static const char *const cases[][2] = {
        {"transformer", "form=fast d_model=24 n_heads=3 d_mlp=70 threads=2"},
        {"transformer", "form=fast d_model=64 n_heads=2 d_mlp=128 loss=mse"},
        {"transformer", "form=fast d_model=128 n_heads=4 d_mlp=512 threads=3"},
        {"transformer", "form=fast d_model=10 n_heads=1 d_mlp=33 activation=gelu threads=3"},
        {"mlp", "form=fast width=70 threads=2"},
        {"mlp", "form=fast width=64 activation=relu loss=cross_entropy"},
        {"mlp", "form=fast width=200 activation=softplus batch_size=0 threads=3"},
        {"mlp", "form=fast width=30 activation=swish loss=cross_entropy threads=2"},
        {"mlp", "form=fast width=65 activation=gelu"},
    };
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            const int p = k % 2 ? 29 : 41; /* 30 and 42 logits: an even and an odd number of AMX's tiles */
            const double wide = difference_of_forms(cases[k][0], isas[i], GK_F64, cases[k][1], p);
            const double narrow = difference_of_forms(cases[k][0], isas[i], GK_F32, cases[k][1], p);
            if (!(wide < 1e-12 && narrow < 1e-5)) print_error("%s %s: %g %g\n", isas[i], cases[k][1], wide, narrow);
            assert_true(wide < 1e-12 && narrow < 1e-5);
        }
    }
}

/* One epoch of AdamW in both forms, for batches of one chunk, of several, and of all examples. */
static void fast_epochs_equal_plain_epochs(void **state)
{
    (void)state;
    static const char *const batches[] = {"32", "1", "200", "0"};
    for (int i = 0; i < 4; i++) {
        double *weights[2];
        size_t n = 0;
        for (int plain = 0; plain < 2; plain++) {
            nets_lab lab;
            char settings[128];
            snprintf(settings, sizeof settings, "width=70 warmup=3 form=%s batch_size=%s threads=2",
                     plain ? "plain" : "fast", batches[i]);
            nets_lab_open(&lab, nets_lab_method("mlp", GK_F64), 29, 0.6, 4, settings);
            steps(&lab, 3);
            weights[plain] = nets_lab_copy(&lab, GK_STATE, &n);
            nets_lab_close(&lab);
        }
        assert_true(nets_lab_difference(weights[0], weights[1], n) < 1e-11);
        free(weights[0]);
        free(weights[1]);
    }
}

static void same_threads_same_bits(void **state)
{
    (void)state;
    static const char *const settings[] = {"width=24 batch_size=0 threads=2",
                                           "form=fast d_model=16 n_heads=4 d_mlp=20 threads=2"};
    for (int which = 0; which < 2; which++) {
        nets_lab a, b;
        const gk_method *method = nets_lab_method(which ? "transformer" : "mlp", GK_F32);
        nets_lab_open(&a, method, 23, 0.5, 4, settings[which]);
        nets_lab_open(&b, method, 23, 0.5, 4, settings[which]);
        steps(&a, 6);
        steps(&b, 6);
        assert_same_bits(&a, &b);
        nets_lab_close(&a);
        nets_lab_close(&b);
    }
}

/* Scoring the training pairs is half of the next step; what comes in between must not be lost for that. */
/* What an evaluation leaves of all pairs and what `predict` says of them: the same bits, or nothing is left. */
static void check_left_outputs(const char *name, gk_dtype dtype, int p, const char *settings, bool leaves)
{
    nets_lab lab;
    nets_lab_open(&lab, nets_lab_method(name, dtype), p, 0.5, 4, settings);
    steps(&lab, 2);
    const gk_split *s = &lab.split;
    const size_t classes = (size_t)p, size = classes * classes * classes;
    double *out = gk_alloc(2 * size, sizeof *out), *left = out + size;
    int32_t *cells = gk_alloc(2 * classes * classes, sizeof *cells), *row = cells + p * p;
    assert_true(out && cells);
    for (int i = 0; i < p * p; i++) row[cells[i] = i] = (i + p) % (p * p); /* other rows than those of the call */
    for (size_t i = 0; i < size; i++) left[i] = -1;
    gk_output_rows rows = {.rows = left, .row = row};
    gk_score score, alone;
    assert_int_equal(lab.method->score(lab.model, s->train, s->n_train, &score, &rows), GK_OK);
    assert_int_equal(lab.method->score(lab.model, s->train, s->n_train, &alone, NULL), GK_OK);
    assert_memory_equal(&score, &alone, sizeof score);
    assert_int_equal(rows.left, leaves ? s->n_train : 0);
    assert_int_equal(lab.method->score(lab.model, s->test, s->n_test, &score, &rows), GK_OK);
    assert_int_equal(rows.left, leaves ? p * p : 0);
    assert_int_equal(lab.method->predict(lab.model, cells, p * p, out), GK_OK);
    for (size_t i = 0; i < classes * classes; i++) {
        const double *there = left + (size_t)row[i] * classes;
        if (leaves) assert_memory_equal(there, out + i * classes, classes * sizeof *out);
        else assert_true(there[0] == -1 && there[p - 1] == -1);
    }
    free(out);
    free(cells);
    nets_lab_close(&lab);
}

static void scores_leave_the_outputs_that_predict_gives(void **state)
{
    (void)state;
    for (int type = 0; type < 2; type++) {
        const gk_dtype dtype = type ? GK_F64 : GK_F32;
        check_left_outputs("transformer", dtype, 31, TRANSFORMER, true);
        check_left_outputs("transformer", dtype, 41, "form=fast d_mlp=70 activation=gelu threads=2 batch_size=100", true);
        check_left_outputs("mlp", dtype, 31, "width=70", true);
        check_left_outputs("mlp", dtype, 23, "width=65 loss=cross_entropy activation=relu threads=2", true);
    }
    check_left_outputs("transformer", GK_F32, 23, TRANSFORMER, false); /* too few pairs for the tables */
    check_left_outputs("transformer", GK_F32, 31, "form=plain d_model=16 n_heads=4 d_mlp=20", false);
    check_left_outputs("mlp", GK_F32, 23, "width=24 form=plain", false);
}

/* Neither the tables that one of them still has nor those that the other makes anew show in the scores. */
static void assert_same_test(nets_lab *a, nets_lab *b)
{
    gk_score of_a, of_b;
    assert_int_equal(a->method->score(a->model, a->split.test, a->split.n_test, &of_a, NULL), GK_OK);
    assert_int_equal(b->method->score(b->model, b->split.test, b->split.n_test, &of_b, NULL), GK_OK);
    assert_memory_equal(&of_a, &of_b, sizeof of_a);
}

static void scores_between_steps_leave_the_bits(void **state)
{
    (void)state;
    const gk_method *method = nets_lab_method("transformer", GK_F32);
    nets_lab alone, scored;
    nets_lab_open(&alone, method, 31, 0.5, 4, TRANSFORMER);
    nets_lab_open(&scored, method, 31, 0.5, 4, TRANSFORMER);
    const gk_split *split = &scored.split;
    const size_t size = (size_t)split->n_train * sizeof *split->train;
    int32_t *same = gk_alloc(1, size);
    assert_non_null(same);
    memcpy(same, split->train, size);
    gk_score first, again;
    double loss, ahead;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(method->score(scored.model, split->train, split->n_train, &first, NULL), GK_OK);
        assert_same_test(&alone, &scored);
        assert_int_equal(method->score(scored.model, same, split->n_train, &again, NULL), GK_OK);
        assert_memory_equal(&first, &again, sizeof first);
        assert_int_equal(method->step(scored.model, &ahead), GK_OK);
        assert_int_equal(method->step(alone.model, &loss), GK_OK);
        assert_true(loss == ahead);
    }
    assert_same_bits(&alone, &scored);
    assert_int_equal(method->score(scored.model, split->train, split->n_train, &first, NULL), GK_OK);
    assert_int_equal(method->gradient(scored.model, split->test, split->n_test, false, &loss), GK_OK);
    steps(&scored, 1); /* not with the gradient of other pairs */
    steps(&alone, 1);
    assert_same_bits(&alone, &scored);
    assert_same_test(&alone, &scored);
    steps(&alone, 2);
    assert_int_equal(method->score(scored.model, split->train, split->n_train, &first, NULL), GK_OK);
    carry(&scored, &alone, GK_STATE, 6);
    assert_same_test(&alone, &scored);
    steps(&scored, 1); /* nor with that of other weights */
    steps(&alone, 1);
    assert_same_bits(&alone, &scored);
    free(same);
    nets_lab_close(&alone);
    nets_lab_close(&scored);
}

static void a_loss_that_is_not_finite_ends_the_run(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(which ? "transformer" : "mlp", GK_F32), 11, 0.5, 4,
                      which ? TRANSFORMER : MLP);
        nets_lab_sines(&lab, 1e30);
        assert_int_equal(lab.method->step(lab.model, NULL), GK_DIVERGED);
        assert_non_null(strstr(gk_error_text(), "epoch 1"));
        nets_lab_close(&lab);
    }
}

/* What the measures see: neurons put back give the outputs, W_L carries a neuron to the logits, embed is the embedding.
 */
static void looks_inside_are_consistent(void **state)
{
    (void)state;
    enum { P = 7, N = 10 };
    for (int which = 0; which < 2; which++) {
        nets_lab lab;
        nets_lab_open(&lab, nets_lab_method(which ? "transformer" : "mlp", GK_F64), P, 0.5, 4,
                      which ? "d_model=8 n_heads=2 d_mlp=12" : "width=12");
        const gk_method *k = lab.method;
        const int width = k->width(lab.model), rows = k->embed_rows(lab.model);
        assert_int_equal(width, 12);
        int32_t cells[N];
        for (int i = 0; i < N; i++) cells[i] = 5 * i;
        double out[N * P], again[N * P], neurons[N * 12], logit[P * 12], embed[24 * P];
        assert_int_equal(k->predict(lab.model, cells, N, out), GK_OK);
        assert_int_equal(k->neurons(lab.model, cells, N, neurons), GK_OK);
        assert_int_equal(k->from_neurons(lab.model, cells, N, neurons, again), GK_OK);
        assert_true(nets_lab_difference(out, again, N * P) < 1e-12);
        assert_int_equal(k->neuron_logit(lab.model, logit), GK_OK);
        neurons[3 * width + 5] += 1; /* one neuron of one pair more: its column of W_L more */
        assert_int_equal(k->from_neurons(lab.model, cells, N, neurons, again), GK_OK);
        for (int i = 0; i < N; i++)
            for (int c = 0; c < P; c++)
                assert_true(fabs(again[i * P + c] - out[i * P + c] - (i == 3 ? logit[c * width + 5] : 0)) < 1e-12);
        assert_int_equal(k->embed(lab.model, embed), GK_OK);
        lab.n = k->tensors(lab.model, GK_WEIGHTS, lab.tensors);
        const double corner =
            which ? nets_lab_get(&lab.tensors[0], 3 * 8 + 1) : nets_lab_get(&lab.tensors[0], 2 * P + 3);
        assert_true(embed[1 * P + 3] == corner && rows == (which ? 8 : 24)); /* row 1, token 3 */
        gk_score score;
        assert_int_equal(k->score(lab.model, cells, N, &score, NULL), GK_OK);
        double hits = 0;
        for (int i = 0; i < N; i++) {
            int best = 0;
            for (int c = 1; c < P; c++)
                if (out[i * P + c] > out[i * P + best]) best = c;
            hits += best == lab.split.task.labels[cells[i]];
        }
        assert_true(fabs(score.accuracy - hits / N) < 1e-12);
        if (which) { /* without every head but its value mixture nothing of the tokens is left */
            assert_int_equal(k->heads(lab.model), 2);
            assert_int_equal(k->without_head(lab.model, cells, N, 1, again), GK_OK);
            assert_true(nets_lab_difference(out, again, N * P) > 1e-3);
            assert_int_equal(k->without_head(lab.model, cells, N, 2, again), GK_USAGE);
        } else {
            assert_int_equal(k->heads(lab.model), 0);
        }
        nets_lab_close(&lab);
    }
}

/* W_O of one head set to 0 is that head's removal. */
static void a_removed_head_is_a_zero_head(void **state)
{
    (void)state;
    enum { P = 7, N = 10 };
    nets_lab lab;
    nets_lab_open(&lab, nets_lab_method("transformer", GK_F64), P, 0.5, 4, "d_model=8 n_heads=2 d_mlp=12");
    int32_t cells[N];
    for (int i = 0; i < N; i++) cells[i] = 4 * i;
    double removed[N * P], zeroed[N * P];
    assert_int_equal(lab.method->without_head(lab.model, cells, N, 1, removed), GK_OK);
    lab.n = lab.method->tensors(lab.model, GK_WEIGHTS, lab.tensors);
    assert_string_equal(lab.tensors[5].name, "blocks.0.attn.W_O");
    for (size_t i = 32; i < 64; i++) nets_lab_put(&lab.tensors[5], i, 0);
    nets_lab_touch(&lab);
    assert_int_equal(lab.method->predict(lab.model, cells, N, zeroed), GK_OK);
    assert_true(nets_lab_difference(removed, zeroed, N * P) < 1e-12);
    nets_lab_close(&lab);
}

/* Heads that do not divide the stream are refused with both numbers. */
static void odd_heads_are_refused(void **state)
{
    (void)state;
    nets_lab lab;
    const gk_method *method = nets_lab_method("transformer", GK_F32);
    nets_lab_open(&lab, method, 7, 0.5, 4, "d_model=8 n_heads=2 d_mlp=12");
    gk_model *model = NULL;
    assert_int_equal(gk_config_set(&lab.config, "n_heads", "3", "test"), GK_OK);
    assert_int_equal(method->init(&model, &lab.config, &lab.split), GK_USAGE);
    assert_non_null(strstr(gk_error_text(), "n_heads = 3"));
    assert_null(model);
    nets_lab_close(&lab);
}

/* Mallinar et al. 2024: p = 61, half of the pairs: memorised by epoch 5, grokked by epoch 20. */
static void the_mlp_groks(void **state)
{
    (void)state;
    nets_lab lab;
    nets_lab_open(&lab, nets_lab_method("mlp", GK_F32), 61, 0.5, 0, "width=512");
    gk_score train, early, late;
    steps(&lab, 5);
    assert_int_equal(lab.method->score(lab.model, lab.split.train, lab.split.n_train, &train, NULL), GK_OK);
    assert_int_equal(lab.method->score(lab.model, lab.split.test, lab.split.n_test, &early, NULL), GK_OK);
    steps(&lab, 15);
    assert_int_equal(lab.method->score(lab.model, lab.split.test, lab.split.n_test, &late, NULL), GK_OK);
    assert_true(early.accuracy < 0.5);
    assert_true(train.accuracy > early.accuracy);
    assert_true(late.accuracy > 0.99);
    nets_lab_close(&lab);
}

int main(void)
{
    gk_blas_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_goes_on_to_the_same_bits), cmocka_unit_test(instruction_sets_and_threads_agree),
        cmocka_unit_test(fast_form_equals_plain_form),     cmocka_unit_test(fast_epochs_equal_plain_epochs),
        cmocka_unit_test(same_threads_same_bits),          cmocka_unit_test(scores_between_steps_leave_the_bits),
        cmocka_unit_test(scores_leave_the_outputs_that_predict_gives),
        cmocka_unit_test(a_loss_that_is_not_finite_ends_the_run),
        cmocka_unit_test(looks_inside_are_consistent),     cmocka_unit_test(a_removed_head_is_a_zero_head),
        cmocka_unit_test(odd_heads_are_refused),           cmocka_unit_test(the_mlp_groks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
