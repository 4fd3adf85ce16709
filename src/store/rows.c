/* rows.c: what a run says while it trains: metrics, events, comparisons. */
#include "metrics.h"

#include <string.h>

int gk_store_put_metric(gk_store *s, int64_t run, const char *name, int64_t step, double value)
{
    int64_t id;
    const int code = gk_metrics_id(s, name, &id);
    if (code != GK_OK) return code;
    return gk_db_exec(s, "storing a metric",
                      "INSERT INTO metric(run_id, metric_id, step, value) VALUES(?1, ?2, ?3, ?4) "
                      "ON CONFLICT(run_id, metric_id, step) DO UPDATE SET value = excluded.value",
                      "iiir", run, id, step, value);
}

/* What can happen to a run many times; of all else there is one event a kind. */
static bool repeats(const char *kind)
{
    static const char *const kinds[] = {"resumed", "killed", "interrupted"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kind, kinds[i]) == 0) return true;
    }
    return false;
}

int gk_store_put_event(gk_store *s, int64_t run, const char *kind, int64_t step, const char *detail)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    if (!repeats(kind))
        code =
            gk_db_exec(s, "replacing an event", "DELETE FROM event WHERE run_id = ?1 AND kind = ?2", "it", run, kind);
    if (code == GK_OK && step >= 0)
        code = gk_db_exec(s, "storing an event", "INSERT INTO event(run_id, kind, step, detail) VALUES(?1, ?2, ?3, ?4)",
                          "itit", run, kind, step, detail);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

int gk_store_put_comparison(gk_store *s, int64_t run_a, int64_t step_a, const char *kind_a, int64_t run_b,
                            int64_t step_b, const char *kind_b, const char *measure, double value)
{
    return gk_db_exec(
        s, "storing a comparison",
        "INSERT INTO comparison(run_a, step_a, kind_a, run_b, step_b, kind_b, measure, value) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
        "ON CONFLICT(run_a, step_a, kind_a, run_b, step_b, kind_b, measure) DO UPDATE SET value = excluded.value",
        "iitiittr", run_a, step_a, kind_a, run_b, step_b, kind_b, measure, value);
}
