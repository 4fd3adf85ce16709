/* test_measure.c: every family of measures on random tables, for each operation and kind of method, against the values
 * that tests/oracle_measure.py computes with dense projections. Nothing may be emitted that the oracle does not know.
 */
#include "measure.h"

static const double TOLERANCE = 1e-9;

static const gk_measure *const families[] = {&gk_measure_weights,        &gk_measure_structure, &gk_measure_nfa,
                                             &gk_measure_losses,         &gk_measure_gini,      &gk_measure_alignment,
                                             &gk_measure_progress,       &gk_measure_key,       &gk_measure_neurons,
                                             &gk_measure_weight_tensors, &gk_measure_ablation};
enum { FAMILIES = sizeof families / sizeof *families };

/* One case of the fixture: a split, a fake model, a probe. */
typedef struct fixture {
    gk_split split;
    gk_config config;
    gk_model model;
    gk_probe *probe;
    const gk_method *method;
    gk_reference reference;
} fixture;

static void begin(fixture *f, const char *op, int p, const char *kind)
{
    const bool kernel = strcmp(kind, "rfm") == 0;
    memset(f, 0, sizeof *f);
    assert_int_equal(gk_split_make(&f->split, op, p, 0.4, 3, "philox"), GK_OK);
    gk_config_init(&f->config);
    if (!kernel) assert_int_equal(gk_config_add(&f->config, fake_loss_keys), GK_OK);
    if (strcmp(kind, "mlp") == 0) assert_int_equal(gk_config_set(&f->config, "loss", "mse", "test"), GK_OK);
    fake_init(&f->model, p, kind);
    f->method = kernel ? &fake_kernel : &fake_network;
    const bool product = f->split.task.form == GK_FORM_PRODUCT;
    f->reference = (gk_reference){.n_key = 2, .key = {product ? 2 : 1, product ? 5 : 3}, .final_m = f->model.final_m};
    assert_int_equal(gk_probe_new(&f->probe, f->method, &f->model, &f->split, &f->config), GK_OK);
}

static void end(fixture *f)
{
    gk_probe_free(f->probe);
    fake_clear(&f->model);
    gk_config_free(&f->config);
    gk_split_free(&f->split);
}

/* 0/1 for each frequency under a rule, as the oracle writes them. */
static void record_keys(fixture *f, gk_key_rule rule, const char *prefix, const gk_sink *sink)
{
    gk_reference found;
    const gk_task *task = &f->split.task;
    const int m = task->form == GK_FORM_PRODUCT ? task->p - 1 : task->p;
    assert_int_equal(gk_measure_key_frequencies(f->probe, rule, &found), GK_OK);
    for (int k = 1; found.n_key > 0 && k <= m / 2; k++) {
        char name[32];
        bool key = false;
        for (int i = 0; i < found.n_key; i++) key = key || found.key[i] == k;
        snprintf(name, sizeof name, "%s_%d", prefix, k);
        remember_value(sink->context, name, key);
    }
}

static void compute_everything(fixture *f, records *r)
{
    const gk_sink sink = remembering(r);
    for (int i = 0; i < FAMILIES; i++) {
        assert_int_equal(families[i]->compute(f->probe, &f->reference, &sink), GK_OK);
    }
    record_keys(f, GK_KEYS_OUTPUTS, "key_outputs", &sink);
    if (!f->model.kernel) {
        record_keys(f, GK_KEYS_WEIGHTS, "key_weights", &sink);
        record_keys(f, GK_KEYS_NEURONS, "key_neurons", &sink);
    }
}

static void check_nothing_unjudged(const records *r, const char *where)
{
    for (int i = 0; i < r->n; i++) {
        if (!r->of[i].expected) fail_msg("%s: %s is emitted, the oracle does not know it", where, r->of[i].name);
    }
}

static void measures_equal_the_oracle(void **state)
{
    (void)state;
    static records r;
    FILE *file = fopen("tests/fixtures/measure.csv", "r");
    assert_non_null(file);
    char line[256], op[32], kind[16], name[80], where[128] = "";
    fixture f = {0};
    int p, rows = 0;
    double expected;
    assert_non_null(fgets(line, sizeof line, file)); /* the heading */
    while (fgets(line, sizeof line, file)) {
        char here[128];
        assert_int_equal(sscanf(line, "%31[^,],%d,%15[^,],%79[^,],%lf", op, &p, kind, name, &expected), 5);
        snprintf(here, sizeof here, "%s %d %s", op, p, kind);
        if (strcmp(here, where) != 0) {
            if (where[0]) {
                check_nothing_unjudged(&r, where);
                end(&f);
            }
            begin(&f, op, p, kind);
            compute_everything(&f, &r);
            snprintf(where, sizeof where, "%s", here);
        }
        record *found = recorded(&r, name);
        if (!found) fail_msg("%s: %s is missing", where, name);
        const double scale = fabs(expected) > 1 ? fabs(expected) : 1;
        if (!(fabs(found->value - expected) <= TOLERANCE * scale))
            fail_msg("%s: %s is %.17g, not %.17g", where, name, found->value, expected);
        found->expected = true;
        rows++;
    }
    check_nothing_unjudged(&r, where);
    end(&f);
    fclose(file);
    assert_true(rows > 1000);
}

static void a_probe_computes_once_and_again_after_renewal(void **state)
{
    (void)state;
    fixture f;
    static records r;
    begin(&f, "add", 11, "mlp");
    const gk_sink sink = remembering(&r);
    for (int round = 1; round <= 2; round++) {
        assert_int_equal(gk_measure_losses.compute(f.probe, NULL, &sink), GK_OK);
        assert_int_equal(gk_measure_progress.compute(f.probe, &f.reference, &sink), GK_OK);
        assert_int_equal(gk_measure_structure.compute(f.probe, NULL, &sink), GK_OK);
        assert_int_equal(gk_measure_nfa.compute(f.probe, NULL, &sink), GK_OK);
        assert_int_equal(gk_measure_matrices(f.probe, &sink), GK_OK);
        assert_int_equal(f.model.predictions, round);
        assert_int_equal(f.model.features, 2 * round); /* agop and nfm */
        gk_probe_renew(f.probe);
    }
    assert_string_equal(r.matrices, "agop sqrt_agop nfm agop sqrt_agop nfm ");
    const double *none;
    int n;
    assert_int_equal(gk_probe_feature(f.probe, "metric", &none, &n), GK_NOTFOUND);
    assert_string_equal(gk_error_text(), "method fake network has no feature matrix 'metric'");
    end(&f);
    begin(&f, "add", 11, "rfm");
    const gk_sink other = remembering(&r);
    assert_int_equal(gk_measure_matrices(f.probe, &other), GK_OK);
    assert_string_equal(r.matrices, "agop metric ");
    end(&f);
}

static void without_a_reference_nothing_is_guessed(void **state)
{
    (void)state;
    static records r;
    const gk_reference empty = {0};
    fixture f;
    begin(&f, "add", 11, "net");
    const gk_sink sink = remembering(&r);
    for (int i = 0; i < FAMILIES; i++) {
        if (!families[i]->needs_reference) continue;
        assert_int_equal(families[i]->compute(f.probe, NULL, &sink), GK_OK);
        assert_int_equal(families[i]->compute(f.probe, &empty, &sink), GK_OK);
    }
    assert_int_equal(r.n, 0);
    end(&f);
}

/* Every name that is emitted is in its family's table, exactly or as PREFIX<something>SUFFIX. */
static bool listed(const gk_measure *family, const char *name)
{
    for (const gk_metric_name *n = family->names; n->name; n++) {
        const char *open = strchr(n->name, '<'), *close = strchr(n->name, '>');
        if (!open && strcmp(n->name, name) == 0) return true;
        if (!open) continue;
        const size_t before = (size_t)(open - n->name), after = strlen(close + 1), length = strlen(name);
        if (length > before + after && strncmp(name, n->name, before) == 0 &&
            strcmp(name + length - after, close + 1) == 0)
            return true;
    }
    return false;
}

static void every_value_is_described(void **state)
{
    (void)state;
    static records r;
    fixture f;
    static const char *const kinds[] = {"net", "mlp", "rfm"};
    for (int k = 0; k < 3; k++) {
        begin(&f, "mul", 11, kinds[k]);
        for (int i = 0; i < FAMILIES; i++) {
            const gk_sink sink = remembering(&r);
            assert_int_equal(families[i]->compute(f.probe, &f.reference, &sink), GK_OK);
            for (int j = 0; j < r.n; j++) {
                if (!listed(families[i], r.of[j].name))
                    fail_msg("%s does not list %s", families[i]->family, r.of[j].name);
            }
            for (const gk_metric_name *n = families[i]->names; n->name; n++) {
                assert_true(strlen(n->description) > 15 && n->unit);
            }
        }
        end(&f);
    }
}

static void frequencies_are_said_as_json(void **state)
{
    (void)state;
    static records r;
    fixture f;
    begin(&f, "div", 11, "net");
    char *text = gk_measure_key_json(f.probe, &f.reference);
    assert_string_equal(text, "{\"frequencies\":[2,5],\"modulus\":10,\"rule\":\"neuron_logit\"}");
    free(text);
    /* cosines of the exponents' difference: amplitudes below a quarter of the largest do not dominate */
    const gk_task *t = &f.split.task;
    memset(f.model.agop, 0, 4 * 11 * 11 * sizeof(double));
    for (int i = 0; i < 22; i++) f.model.agop[i * 22 + i] = 4;
    for (int y = 1; y < 11; y++) {
        for (int x = 1; x < 11; x++) {
            const double turn = 2 * acos(-1.0) * (t->dlog[t->v[y]] - t->dlog[x]) / 10;
            const double a = 0.01 * cos(3 * turn) + 0.003 * cos(4 * turn) + 0.002 * cos(turn);
            f.model.agop[(11 + y) * 22 + x] = f.model.agop[x * 22 + 11 + y] = a;
        }
    }
    const gk_sink sink = remembering(&r);
    assert_int_equal(gk_measure_structure.compute(f.probe, NULL, &sink), GK_OK);
    assert_string_equal(r.event, "dominant_frequencies");
    assert_string_equal(r.detail, "{\"frequencies\":[3,4],\"modulus\":10}");
    assert_true(fabs(recorded(&r, "circulance")->value - 1) < 1e-9);
    assert_true(recorded(&r, "circulant_deviation")->value < 1e-9);
    assert_true(recorded(&r, "circulance_control")->value < 0.2);
    assert_true(recorded(&r, "best_ordering")->value == 3); /* div is Hankel in discrete logarithms */
    end(&f);
}

/* Mean over the train cells of addition mod p of the cross entropy of L - P_K L, P_K by its definition. */
static double excluded_by_definition(fixture *f)
{
    enum { P = 11 };
    static double out[P * P][P];
    int32_t cells[P * P];
    double sum = 0, left[P];
    assert_int_equal(f->split.task.p, P);
    for (int i = 0; i < P * P; i++) cells[i] = i;
    assert_int_equal(f->method->predict(&f->model, cells, P * P, &out[0][0]), GK_OK);
    for (int i = 0; i < f->split.n_train; i++) {
        const int cell = f->split.train[i], s = (cell / P + cell % P) % P;
        double top = -INFINITY, all = 0;
        for (int c = 0; c < P; c++) {
            left[c] = out[cell][c];
            for (int other = 0; other < P * P; other++)
                for (int k = 0; k < f->reference.n_key; k++)
                    left[c] -= 2.0 / (P * P) * out[other][c] *
                               cos(2 * acos(-1) * f->reference.key[k] * (s - (other / P + other % P) % P) / P);
            top = fmax(top, left[c]);
        }
        for (int c = 0; c < P; c++) all += exp(left[c] - top);
        sum += top + log(all) - left[s];
    }
    return sum / f->split.n_train;
}

/* Outputs so far apart that the exponentials of the quick form underflow: the long form gives the loss. */
static void excluded_loss_survives_huge_outputs(void **state)
{
    (void)state;
    static records r;
    fixture f;
    begin(&f, "add", 11, "net");
    for (int i = 0; i < 11 * 11 * 11; i++) f.model.base[i] *= 5000;
    const gk_sink sink = remembering(&r);
    assert_int_equal(gk_measure_progress.compute(f.probe, &f.reference, &sink), GK_OK);
    const double loss = recorded(&r, "excluded_loss")->value, want = excluded_by_definition(&f);
    assert_true(want > 100 && fabs(loss - want) < 1e-9 * want);
    end(&f);
}

static bool only_the_third(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "agop_class2") == 0 || strcmp(name, "class_trace1") == 0;
}

/* A matrix a class and its trace; of those that nobody wants nothing is computed. A method without them has none. */
static void classes_have_their_own_agop(void **state)
{
    (void)state;
    static records r;
    fixture f;
    begin(&f, "add", 5, "rfm");
    gk_sink sink = remembering(&r);
    assert_int_equal(gk_measure_agop_class.compute(f.probe, NULL, &sink), GK_OK);
    assert_string_equal(r.matrices, "agop_class0 agop_class1 agop_class2 agop_class3 agop_class4 ");
    for (int c = 0; c < 5; c++) {
        char name[32];
        snprintf(name, sizeof name, "class_trace%d", c);
        assert_true(recorded(&r, name) && listed(&gk_measure_agop_class, name));
        assert_true(fabs(recorded(&r, name)->value - (c + 1) * gk_trace(f.model.agop, 10)) < 1e-12);
    }
    assert_int_equal(f.model.features, 5);
    sink = remembering(&r);
    sink.wants = only_the_third;
    assert_int_equal(gk_measure_agop_class.compute(f.probe, NULL, &sink), GK_OK);
    assert_string_equal(r.matrices, "agop_class2 ");
    assert_int_equal(r.n, 1);
    assert_non_null(recorded(&r, "class_trace1"));
    assert_int_equal(f.model.features, 5 + 2);
    end(&f);
    begin(&f, "add", 5, "net");
    sink = remembering(&r);
    assert_int_equal(gk_measure_agop_class.compute(f.probe, NULL, &sink), GK_OK);
    assert_true(r.n == 0 && r.matrices[0] == 0);
    end(&f);
}

/* ---- what a probe is given instead of computing it ---- */

/* A matrix that was worked out before is the model's until the model moves on, and its rank is its own, not that of the
 * eigenvalues that fell out of an earlier root. */
static void a_given_matrix_is_not_computed(void **state)
{
    (void)state;
    static records r;
    fixture f;
    enum { N = 22 };
    double given[N * N] = {0};
    int n;
    begin(&f, "add", 11, "mlp");
    const gk_sink sink = remembering(&r);
    assert_int_equal(gk_measure_structure.compute(f.probe, NULL, &sink), GK_OK);
    const double own_rank = recorded(&r, "effective_rank")->value;
    gk_probe_renew(f.probe);
    for (int i = 0; i < 4; i++) given[i * N + i] = 2;
    given[1 * N + 12] = given[12 * N + 1] = 0.5;
    f.model.features = 0;
    assert_int_equal(gk_probe_give_feature(f.probe, "sqrt_agop", given, N), GK_OK);
    given[0] = 100; /* it was copied */
    const double *there;
    assert_int_equal(gk_probe_feature(f.probe, "sqrt_agop", &there, &n), GK_OK);
    assert_true(n == N && there[0] == 2 && there[12 * N + 1] == 0.5);
    remembering(&r);
    assert_int_equal(gk_measure_structure.compute(f.probe, NULL, &sink), GK_OK);
    double rank;
    assert_int_equal(gk_effective_rank(there, N, &rank), GK_OK);
    assert_true(recorded(&r, "effective_rank")->value == rank && fabs(rank - own_rank) > 1);
    assert_true(recorded(&r, "trace")->value == 8);
    assert_int_equal(f.model.features, 0);
    gk_probe_renew(f.probe);
    remembering(&r);
    assert_int_equal(gk_measure_structure.compute(f.probe, NULL, &sink), GK_OK);
    assert_true(recorded(&r, "effective_rank")->value == own_rank);
    assert_int_equal(f.model.features, 1);
    end(&f);
}

static float kept[11 * 11 * 11]; /* outputs of a model that keeps them, class by class */

static int keep_outputs(gk_model *m, const float **out)
{
    (void)m;
    *out = kept;
    return GK_OK;
}

static void compute_waiting(fixture *f, records *r)
{
    const gk_sink sink = remembering(r);
    for (int i = 0; i < FAMILIES; i++)
        if (families[i]->needs_reference) assert_int_equal(families[i]->compute(f->probe, &f->reference, &sink), GK_OK);
}

static void assert_recorded_alike(const records *a, const records *b)
{
    assert_true(a->n > 8 && a->n == b->n);
    for (int i = 0; i < a->n; i++) {
        assert_string_equal(a->of[i].name, b->of[i].name);
        if (a->of[i].value != b->of[i].value) fail_msg("%s: %.17g, then %.17g", a->of[i].name, a->of[i].value, b->of[i].value);
    }
}

/* Outputs that the model keeps class by class say what the same outputs say when they are predicted. */
static void kept_outputs_are_read_alike(void **state)
{
    (void)state;
    static records said[2];
    fixture f;
    begin(&f, "mul", 11, "rfm");
    gk_method method = *f.method;
    method.outputs = keep_outputs;
    for (int i = 0; i < 11 * 11 * 11; i++) f.model.base[i] = (double)(float)f.model.base[i];
    for (int by_class = 0; by_class < 2; by_class++) {
        gk_probe_free(f.probe);
        assert_int_equal(gk_probe_new(&f.probe, by_class ? &method : f.method, &f.model, &f.split, &f.config), GK_OK);
        const gk_sink sink = remembering(&said[by_class]);
        for (int cell = 0; !by_class && cell < 121; cell++) {
            double row[11];
            assert_int_equal(f.method->predict(&f.model, &(int32_t){cell}, 1, row), GK_OK);
            for (int c = 0; c < 11; c++) kept[c * 121 + cell] = (float)row[c];
        }
        assert_int_equal(gk_measure_losses.compute(f.probe, NULL, &sink), GK_OK);
        assert_int_equal(gk_measure_progress.compute(f.probe, &f.reference, &sink), GK_OK);
        assert_int_equal(gk_measure_key.compute(f.probe, &f.reference, &sink), GK_OK);
    }
    assert_recorded_alike(&said[0], &said[1]);
    end(&f);
}

/* Every table that the model has becomes another. */
static void move_on(gk_model *m)
{
    double *const tables[] = {m->base, m->wl, m->agop, m->metric};
    const int sizes[] = {11 * 11 * 11, 11 * FAKE_WIDTH, 22 * 22, 22 * 22};
    for (int t = 0; t < 4; t++)
        for (int i = 0; i < sizes[t]; i++) tables[t][i] = 0.3 - 2 * tables[t][i];
    for (int i = 0; i < 11 * 11 * 11; i++) kept[i] = 1 - kept[i];
}

/* All that waits for the reference is said of a snapshot as of the model it was taken from, to the bit, and without it. */
static void a_snapshot_answers_for_a_model_that_moved_on(void **state)
{
    (void)state;
    static records before, recalled, after, again;
    static const char *const kinds[] = {"net", "mlp", "rfm", "rfm"};
    for (int k = 0; k < 4; k++) {
        fixture f;
        begin(&f, "add", 11, kinds[k]);
        gk_method method = *f.method;
        if (k == 3) method.outputs = keep_outputs; /* the last keeps its outputs itself */
        for (int i = 0; i < 11 * 11 * 11; i++) kept[i] = (float)f.model.base[i];
        gk_probe_free(f.probe);
        assert_int_equal(gk_probe_new(&f.probe, &method, &f.model, &f.split, &f.config), GK_OK);
        gk_snapshot *snapshot;
        assert_int_equal(gk_probe_snapshot(f.probe, 11 * 11 * 11 * sizeof(float), &snapshot), GK_OK);
        assert_null(snapshot); /* no room */
        assert_true(f.model.predictions == 0 && f.model.features == 0);
        compute_waiting(&f, &before);
        assert_int_equal(gk_probe_snapshot(f.probe, (size_t)1 << 20, &snapshot), GK_OK);
        assert_non_null(snapshot);
        const int predictions = f.model.predictions, features = f.model.features;
        move_on(&f.model);
        gk_probe_renew(f.probe);
        compute_waiting(&f, &after);
        for (int i = 0; i < before.n; i++)
            if (before.of[i].value == after.of[i].value && after.of[i].value != 0) fail_msg("%s did not move", after.of[i].name);
        assert_int_equal(gk_probe_recall(f.probe, snapshot), GK_OK);
        compute_waiting(&f, &recalled);
        assert_recorded_alike(&before, &recalled);
        gk_probe_renew(f.probe);
        compute_waiting(&f, &again);
        assert_recorded_alike(&after, &again);
        assert_int_equal(f.model.predictions, 3 * predictions); /* for before, after and again */
        assert_int_equal(f.model.features, 3 * features);
        gk_snapshot_free(snapshot);
        end(&f);
    }
}

/* What float32 can hold takes half the room, and comes back as it was. */
static void a_snapshot_is_single_where_nothing_is_lost(void **state)
{
    (void)state;
    static records before, recalled;
    size_t size[2];
    int n_train = 0;
    for (int single = 0; single < 2; single++) {
        fixture f;
        begin(&f, "add", 11, "rfm");
        for (int i = 0; single && i < 11 * 11 * 11; i++) f.model.base[i] = (double)(float)f.model.base[i];
        gk_snapshot *snapshot;
        compute_waiting(&f, &before);
        assert_int_equal(gk_probe_snapshot(f.probe, (size_t)1 << 20, &snapshot), GK_OK);
        size[single] = gk_snapshot_size(snapshot);
        n_train = f.split.n_train;
        assert_int_equal(gk_probe_recall(f.probe, snapshot), GK_OK);
        compute_waiting(&f, &recalled);
        assert_recorded_alike(&before, &recalled);
        gk_snapshot_free(snapshot);
        end(&f);
    }
    assert_int_equal(size[0] - size[1], (size_t)n_train * 11 * sizeof(float));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_equal_the_oracle),
        cmocka_unit_test(a_probe_computes_once_and_again_after_renewal),
        cmocka_unit_test(without_a_reference_nothing_is_guessed),
        cmocka_unit_test(every_value_is_described),
        cmocka_unit_test(frequencies_are_said_as_json),
        cmocka_unit_test(excluded_loss_survives_huge_outputs),
        cmocka_unit_test(classes_have_their_own_agop),
        cmocka_unit_test(a_given_matrix_is_not_computed),
        cmocka_unit_test(kept_outputs_are_read_alike),
        cmocka_unit_test(a_snapshot_answers_for_a_model_that_moved_on),
        cmocka_unit_test(a_snapshot_is_single_where_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
