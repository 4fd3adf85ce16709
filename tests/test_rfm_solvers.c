/* test_rfm_solvers.c: every way to solve gives the same machine, and the machine reproduces the published runs. */
#include "gk_structure.h"
#include "rfm_lab.h"

/* Runs both solvers side by side: the accuracy at each iteration and M at the end. */
static void same_run(const char *op, int p, double fraction, const char *settings, const char *fast, int steps, double tolerance)
{
    char text[512];
    rfm_lab dense, other;
    snprintf(text, sizeof text, "%s solver=cholesky threads=2", settings);
    rfm_lab_open(&dense, op, p, fraction, 1, text);
    snprintf(text, sizeof text, "%s solver=%s threads=2", settings, fast);
    rfm_lab_open(&other, op, p, fraction, 1, text);
    const double goal = gk_config_real(&other.config, "solver_tolerance");
    for (int t = 0; t <= steps; t++) {
        const double want = rfm_lab_score(&dense, false).accuracy, got = rfm_lab_score(&other, false).accuracy;
        const rfm_report report = rfm_lab_report(&other);
        if (!(fabs(want - got) < 5.1e-4 + 0.5 / other.split.n_test)) {
            print_error("%s p=%d %s iteration %d: accuracy %g, dense %g\n", op, p, settings, t, got, want);
        }
        assert_true(fabs(want - got) < 5.1e-4 + 0.5 / other.split.n_test);
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

static void grid_equals_dense(void **state)
{
    (void)state;
    static const char *const ops[] = {"add", "sub", "mul", "div"};
    const int large = getenv("GROKLAB_SLOW") ? 61 : 31;
    for (int i = 0; i < 4; i++) {
        for (int p = 31; p <= large; p = p == 31 ? 47 : p + 14) same_run(ops[i], p, 0.5, "", "cg", 30, 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_equals_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
