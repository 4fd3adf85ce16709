/* test_nets_agop.c: the AGOP as an average over pairs: pairs share work with those beside them, threads share the
 * pairs, and a sample stands for all; none of that may show. That one pair's Jacobian is right is test_nets.c's. */
#include "nets_lab.h"

enum { ALL = -1 };

/* out [2p, 2p]: the AGOP of the sine weights over the given cells, or what a class adds to it. */
static void class_agop_over(const char *op, const int32_t *cells, int n, int p, const char *settings, gk_dtype dtype,
                            int class, double *out)
{
    nets_lab lab;
    nets_lab_open(&lab, gk_transformer_method(dtype), p, 0.6, 2, settings);
    gk_split split;
    gk_model *model;
    assert_int_equal(gk_split_restore(&split, op, p, 0.5, 0, "file", cells, n), GK_OK);
    assert_int_equal(lab.method->init(&model, &lab.config, &split), GK_OK);
    lab.method->free(lab.model);
    lab.model = model;
    nets_lab_sines(&lab, 0.7);
    assert_int_equal(class == ALL ? lab.method->feature(lab.model, "agop", out)
                                  : lab.method->class_agop(lab.model, class, out),
                     GK_OK);
    nets_lab_close(&lab);
    gk_split_free(&split);
}

static void agop_over(const char *op, const int32_t *cells, int n, int p, const char *settings, gk_dtype dtype,
                      double *out)
{
    class_agop_over(op, cells, n, p, settings, dtype, ALL, out);
}

enum { P = 17, PAIRS = 170, SIZE = 4 * P * P };

/* Pairs of several first tokens, from 1 to P of each: more than one block of pairs. */
static void take_cells(int32_t *cells)
{
    for (int i = 0, cell = 0; i<PAIRS; i++, cell += i> 140 ? 3 : 1 + (i % 3 == 0)) cells[i] = cell;
}

static void the_agop_is_the_mean_over_pairs(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "d_model=8 n_heads=2 d_mlp=40 activation=relu", "d_model=12 n_heads=3 d_mlp=40 activation=relu threads=3",
        "d_model=40 n_heads=1 d_mlp=24 activation=gelu", "d_model=72 n_heads=4 d_mlp=24 activation=relu",
        "d_model=96 n_heads=6 d_mlp=24 activation=relu"}; /* whole heads fill a block of the Gram matrix */
    static double mean[SIZE], one[SIZE], all[SIZE];
    int32_t cells[PAIRS];
    take_cells(cells);
    assert_true(cells[PAIRS - 1] < P * P);
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        memset(mean, 0, sizeof mean);
        for (int i = 0; i < PAIRS; i++) {
            agop_over("add", cells + i, 1, P, settings[k], GK_F64, one);
            for (int e = 0; e < SIZE; e++) mean[e] += one[e] / PAIRS;
        }
        agop_over("add", cells, PAIRS, P, settings[k], GK_F64, all);
        assert_true(nets_lab_difference(all, mean, SIZE) < 1e-13);
        agop_over("add", cells, PAIRS, P, settings[k], GK_F32, all);
        assert_true(nets_lab_difference(all, mean, SIZE) < 1e-5);
        for (int i = 0; i < 2 * P; i++)
            for (int j = 0; j < i; j++) assert_true(all[i * 2 * P + j] == all[j * 2 * P + i]);
    }
}

static void classes_sum_to_the_agop(void **state)
{
    (void)state;
    static const char *const settings[] = {"d_model=12 n_heads=3 d_mlp=40 activation=relu threads=3 centering=on",
                                           "d_model=72 n_heads=4 d_mlp=24 activation=gelu"};
    static double sum[SIZE], one[SIZE], all[SIZE];
    int32_t cells[PAIRS];
    take_cells(cells);
    for (int k = 0; k < 4; k++) {
        const gk_dtype dtype = k & 1 ? GK_F32 : GK_F64;
        memset(sum, 0, sizeof sum);
        for (int class = 0; class < P; class++) {
            class_agop_over("add", cells, PAIRS, P, settings[k / 2], dtype, class, one);
            for (int e = 0; e < SIZE; e++) sum[e] += one[e];
        }
        agop_over("add", cells, PAIRS, P, settings[k / 2], dtype, all);
        assert_true(nets_lab_difference(all, sum, SIZE) < (k & 1 ? 1e-5 : 1e-13));
    }
}

/* The MLP's AGOP comes by blocks of its neurons' kernel, what a class adds to it from Jacobians. */
static void classes_sum_to_the_agop_of_many_neurons(void **state)
{
    (void)state;
    static const char *const settings[] = {"width=150", "width=64 centering=on", "width=65 activation=relu",
                                           "width=200 activation=gelu centering=on"};
    static double sum[SIZE], one[SIZE], all[SIZE];
    for (int k = 0; k < 4; k++) {
        nets_lab lab;
        nets_lab_open(&lab, gk_mlp_method(GK_F64), P, 0.6, 2, settings[k]);
        nets_lab_sines(&lab, 0.7);
        memset(sum, 0, sizeof sum);
        for (int class = 0; class < P; class++) {
            assert_int_equal(lab.method->class_agop(lab.model, class, one), GK_OK);
            for (int e = 0; e < SIZE; e++) sum[e] += one[e];
        }
        assert_int_equal(lab.method->feature(lab.model, "agop", all), GK_OK);
        assert_true(nets_lab_difference(all, sum, SIZE) < 1e-13);
        nets_lab_close(&lab);
    }
}

/* One first token with more pairs than a block holds: threads cut the pairs where one thread's blocks do not. */
static void blocks_and_threads_do_not_show(void **state)
{
    (void)state;
    enum { WIDE = 131 };
    int32_t cells[WIDE + 3];
    double *agop = gk_alloc(2 * 4 * WIDE * WIDE, sizeof *agop), *other = agop + 4 * WIDE * WIDE;
    assert_non_null(agop);
    for (int i = 0; i < WIDE + 3; i++) cells[i] = 4 * WIDE + i;
    agop_over("add", cells, WIDE + 3, WIDE, "d_model=4 n_heads=2 d_mlp=16", GK_F64, agop);
    agop_over("add", cells, WIDE + 3, WIDE, "d_model=4 n_heads=2 d_mlp=16 threads=2", GK_F64, other);
    assert_true(nets_lab_difference(agop, other, 4 * WIDE * WIDE) < 1e-13);
    free(agop);
}

static void a_sample_is_spread_evenly_over_the_pairs(void **state)
{
    (void)state;
    static double sample[SIZE], chosen[SIZE], all[SIZE];
    int32_t cells[PAIRS], some[60];
    take_cells(cells);
    for (int i = 0; i < 60; i++) some[i] = cells[i * PAIRS / 60];
    for (int centred = 0; centred < 2; centred++) {
        char settings[128], sampled[160];
        snprintf(settings, sizeof settings, "d_model=8 n_heads=2 d_mlp=40 centering=%s", centred ? "on" : "off");
        snprintf(sampled, sizeof sampled, "%s agop_samples=60", settings);
        agop_over("add", cells, PAIRS, P, sampled, GK_F64, sample);
        agop_over("add", some, 60, P, settings, GK_F64, chosen);
        assert_true(nets_lab_difference(sample, chosen, SIZE) < 1e-13);
        snprintf(sampled, sizeof sampled, "%s agop_samples=%d", settings, centred ? 0 : PAIRS + 1);
        agop_over("add", cells, PAIRS, P, settings, GK_F64, all);
        agop_over("add", cells, PAIRS, P, sampled, GK_F64, chosen);
        assert_true(nets_lab_difference(all, chosen, SIZE) == 0);
        assert_true(nets_lab_difference(all, sample, SIZE) > 1e-3);
    }
}

int main(void)
{
    gk_blas_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agop_is_the_mean_over_pairs),
        cmocka_unit_test(classes_sum_to_the_agop),
        cmocka_unit_test(classes_sum_to_the_agop_of_many_neurons),
        cmocka_unit_test(blocks_and_threads_do_not_show),
        cmocka_unit_test(a_sample_is_spread_evenly_over_the_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
