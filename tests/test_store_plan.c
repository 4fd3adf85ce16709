/* test_store_plan.c: the queries people wait for seek; what is long (metrics, events, blobs) is never read from end to
 * end. Held with and without the statistics that ANALYZE leaves. */
#include "store_lab.h"

typedef struct planned {
    const char *sql, *seek; /* a line that the plan must have */
} planned;

static const planned queries[] = {
    {"SELECT step, value FROM metrics WHERE run = 'a' AND name = 'test_loss' ORDER BY step",
     "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT step, value FROM metrics WHERE run_id = 3 AND name = 'test_loss' ORDER BY step",
     "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT name, step, value FROM metrics WHERE run_id = 3", "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT step, value FROM metrics WHERE name = 'test_loss'",
     "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT * FROM latest_metrics", "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=? AND step=?)"},
    {"SELECT * FROM latest_metrics WHERE run = 'a'", "SEARCH l USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT r.id, (SELECT m.step FROM metrics m WHERE m.run_id = r.id AND m.name = 'test_accuracy' AND m.value >= "
     "0.95 "
     "ORDER BY m.step LIMIT 1) FROM run r",
     "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT * FROM curves WHERE run_id = 3", "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=?)"},
    {"SELECT * FROM curves WHERE run = 'a' ORDER BY step", "SEARCH r USING COVERING INDEX run_name (name=?)"},
    {"SELECT * FROM run_summary", "SEARCH m USING PRIMARY KEY (run_id=? AND metric_id=? AND step=?)"},
    {"SELECT * FROM run_summary WHERE run = 'a'", "SEARCH r USING INDEX run_name (name=?)"},
    {"SELECT * FROM split_mates WHERE run_a = 3", "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)"},
    {"SELECT * FROM split_mates", "SEARCH b USING"},
    {"SELECT max(step) FROM matrix WHERE run_id = 1 AND kind = 'agop'", "SEARCH matrix USING COVERING INDEX"},
    {"SELECT step FROM checkpoint WHERE run_id = 1 AND kind = 'weights'", "SEARCH checkpoint USING COVERING INDEX"},
    {"SELECT step FROM event WHERE run_id = 2 AND kind = 'grokked'", "SEARCH event USING COVERING INDEX event_"},
    {"SELECT run_id, step FROM event WHERE kind = 'grokked' ORDER BY run_id",
     "SEARCH event USING COVERING INDEX event_kind (kind=?)"},
    {"SELECT * FROM comparison WHERE run_a = 1", "SEARCH comparison USING PRIMARY KEY (run_a=?)"},
    {"SELECT * FROM comparison WHERE run_b = 1", "SEARCH comparison USING INDEX comparison_b (run_b=?)"},
    {"SELECT run_id FROM param WHERE key = 'lr' AND value > 0.1", "SEARCH param USING COVERING INDEX param_value"},
    {"SELECT id FROM run WHERE config_sha256 = 'x'", "SEARCH run USING COVERING INDEX run_config"},
};

static void check_plans(gk_store *s)
{
    static const char *const lengthy[] = {"SCAN m",       "SCAN l",      "SCAN e",
                                          "SCAN metric ", "SCAN matrix", "SCAN checkpoint"};
    for (size_t i = 0; i < COUNT(queries); i++) {
        char *sql = gk_text("EXPLAIN QUERY PLAN %s", queries[i].sql), *plan = lab_rows(s, sql);
        assert_non_null(plan);
        bool seeks = strstr(plan, queries[i].seek) != NULL;
        for (size_t k = 0; k < COUNT(lengthy); k++) {
            for (const char *at = plan; (at = strstr(at, lengthy[k])); at++) {
                const char after = at[strlen(lengthy[k])];
                if (after == '\n' || after == ' ' || after == '\0') seeks = false;
            }
        }
        if (!seeks) fail_msg("%s\n%s\n(wanted: %s)", queries[i].sql, plan, queries[i].seek);
        free(plan);
        free(sql);
    }
    /* Runs come in their order, so that groups of them need no sorting. */
    char *plan = lab_rows(s, "EXPLAIN QUERY PLAN SELECT run_id, min(step) FROM metrics WHERE name = 'test_accuracy' "
                             "AND value >= 0.95 GROUP BY run_id");
    assert_non_null(strstr(plan, "SEARCH m USING PRIMARY KEY"));
    if (strstr(plan, "TEMP B-TREE")) fail_msg("%s", plan);
    free(plan);
}

static void test_plans(void **state)
{
    (void)state;
    char *folder = lab_folder(), *path = lab_path(folder, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    check_plans(s);
    OK(gk_store_begin(s));
    const int64_t split = lab_split(s, 1);
    for (int i = 0; i < 30; i++) {
        const int64_t run = lab_run(s, i % 2 ? &lab_mlp : &lab_rfm, i % 3 ? "a" : "b", split);
        for (int step = 0; step < 40; step++) {
            OK(gk_store_put_metric(s, run, "test_loss", step, step));
            OK(gk_store_put_metric(s, run, "test_accuracy", step, step));
        }
        OK(gk_store_put_matrix(s, run, 1, "agop", &(double){1}, 1, 1, GK_F64));
        OK(gk_store_put_event(s, run, "grokked", 1, NULL));
    }
    OK(gk_store_commit(s));
    check_plans(s);
    lab_do(s, "ANALYZE");
    check_plans(s);
    OK(gk_store_close(s));
    lab_remove(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans)};
    return cmocka_run_group_tests_name("store_plan", tests, NULL, NULL);
}
