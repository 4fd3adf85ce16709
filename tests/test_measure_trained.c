/* test_measure_trained.c: the measures on trained weights of the three real methods, against
 * tests/oracle_measure_trained.py: whether methods and measures agree on orders, halves, scales and signs. */
#include "measure.h"

#include "gk_lab.h"

static const double TOLERANCE =
    1e-6; /* the weights have 12 digits; sqrt_agop takes the root of rounding in null directions */
enum { P = 7 }; /* the largest */

typedef struct trained {
    const gk_method *method;
    gk_split split;
    gk_config config;
    gk_model *model;
    gk_probe *probe;
    int p;
    double final_m[4 * P * P];
    records found;
    char where[64];
} trained;

static void set(trained *t, const char *key, const char *value)
{
    if (gk_config_set(&t->config, key, value, "test") != GK_OK) fail_msg("%s", gk_error_text());
}

static void begin(trained *t, const char *method, const char *op, int p)
{
    char modulus[12];
    memset(t, 0, sizeof *t);
    t->p = p;
    assert_true(p <= P);
    snprintf(t->where, sizeof t->where, "%s %s %d", method, op, p);
    snprintf(modulus, sizeof modulus, "%d", p);
    assert_int_equal(gk_registry_config(&t->config, method), GK_OK);
    set(t, "p", modulus);
    set(t, "threads", "1");
    set(t, "dtype", "float64");
    if (strcmp(method, "mlp") == 0) set(t, "width", "8");
    if (strcmp(method, "transformer") == 0) {
        set(t, "d_model", "8");
        set(t, "n_heads", "2");
        set(t, "d_mlp", "12");
    }
    assert_int_equal(gk_split_make(&t->split, op, p, 0.4, 3, "philox"), GK_OK);
    t->method = gk_registry_method(method, GK_F64);
    assert_int_equal(t->method->init(&t->model, &t->config, &t->split), GK_OK);
    assert_int_equal(gk_probe_new(&t->probe, t->method, t->model, &t->split, &t->config), GK_OK);
    for (int i = 0; i < 4 * p * p; i++) t->final_m[i] = i / (2 * p) * (i % (2 * p)) % 7 + 1;
}

static void end(trained *t)
{
    gk_probe_free(t->probe);
    t->method->free(t->model);
    gk_config_free(&t->config);
    gk_split_free(&t->split);
}

static void read_weights(trained *t, const char *name, size_t count, FILE *file)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = t->method->tensors(t->model, GK_WEIGHTS, tensors);
    for (int i = 0; i < n; i++) {
        if (strcmp(tensors[i].name, name) != 0) continue;
        assert_int_equal(gk_tensor_count(&tensors[i]), count);
        for (size_t j = 0; j < count; j++) assert_int_equal(fscanf(file, "%lf", (double *)tensors[i].data + j), 1);
        return;
    }
    fail_msg("%s has no tensor %s", t->where, name);
}

static void record_keys(trained *t, gk_key_rule rule, const char *prefix, const gk_sink *sink)
{
    gk_reference found;
    const int m = t->split.task.form == GK_FORM_PRODUCT ? t->p - 1 : t->p;
    assert_int_equal(gk_measure_key_frequencies(t->probe, rule, &found), GK_OK);
    for (int k = 1; k <= m / 2; k++) {
        char name[32];
        bool key = false;
        for (int i = 0; i < found.n_key; i++) key = key || found.key[i] == k;
        snprintf(name, sizeof name, "%s_%d", prefix, k);
        remember_value(sink->context, name, key);
    }
}

static void compute_everything(trained *t)
{
    const gk_reference reference = {.n_key = 2, .key = {1, 3}, .final_m = t->final_m};
    const gk_sink sink = remembering(&t->found);
    assert_int_equal(t->method->loaded(t->model, GK_WEIGHTS, 0), GK_OK);
    for (const gk_measure *const *m = gk_measures; *m; m++) {
        if (strcmp((*m)->family, "enforced") == 0) continue; /* has its own test */
        if ((*m)->compute(t->probe, &reference, &sink) != GK_OK)
            fail_msg("%s %s: %s", t->where, (*m)->family, gk_error_text());
    }
    record_keys(t, GK_KEYS_OUTPUTS, "key_outputs", &sink);
    if (!t->method->neurons) return;
    record_keys(t, GK_KEYS_WEIGHTS, "key_weights", &sink);
    record_keys(t, GK_KEYS_NEURONS, "key_neurons", &sink);
}

static void check_nothing_unjudged(const trained *t)
{
    for (int i = 0; i < t->found.n; i++) {
        if (!t->found.of[i].expected) fail_msg("%s: the oracle does not know %s", t->where, t->found.of[i].name);
    }
}

static void check(trained *t, const char *name, double expected)
{
    if (t->found.n == 0) compute_everything(t);
    record *found = recorded(&t->found, name);
    if (!found) fail_msg("%s: %s is missing", t->where, name);
    const double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(found->value - expected) <= TOLERANCE * scale))
        fail_msg("%s: %s is %.17g, not %.17g", t->where, name, found->value, expected);
    found->expected = true;
}

static void trained_models_equal_the_oracle(void **state)
{
    (void)state;
    static trained t;
    char what[16], method[16], op[16], name[80];
    int p, values = 0, models = 0;
    FILE *file = fopen("tests/fixtures/measure_trained.txt", "r");
    assert_non_null(file);
    while (fscanf(file, "%15s %15s %15s %d %79s", what, method, op, &p, name) == 5) {
        char here[64];
        snprintf(here, sizeof here, "%s %s %d", method, op, p);
        if (strcmp(here, t.where) != 0) {
            if (models++ > 0) {
                check_nothing_unjudged(&t);
                end(&t);
            }
            begin(&t, method, op, p);
        }
        if (strcmp(what, "weights") == 0) {
            size_t count = 0;
            assert_int_equal(fscanf(file, "%zu", &count), 1);
            read_weights(&t, name, count, file);
        } else {
            double expected = NAN;
            assert_int_equal(fscanf(file, "%lf", &expected), 1);
            check(&t, name, expected);
            values++;
        }
    }
    check_nothing_unjudged(&t);
    end(&t);
    fclose(file);
    assert_true(models == 18 && values > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trained_models_equal_the_oracle)};
    return cmocka_run_group_tests_name("measure_trained", tests, NULL, NULL);
}
