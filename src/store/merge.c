/* merge.c: the runs of another database. Rows meet by what they are, not by their numbers: splits by hash, metrics by
 * name, runs by uid. */
#include "store.h"

#include <stdlib.h>

/* Runs that the other file has and this one lacks, or knows less of. heartbeat_at is ISO text and compares as time. */
static const char CHOOSE[] =
    "INSERT INTO temp.merge_run(theirs, ours) SELECT t.id, o.id FROM other.run t LEFT JOIN main.run o ON o.uid = t.uid "
    "WHERE o.id IS NULL OR coalesce(t.heartbeat_at, '') > coalesce(o.heartbeat_at, '') "
    "OR (t.status <> 'running' AND o.status = 'running' AND coalesce(t.heartbeat_at, '') = coalesce(o.heartbeat_at, "
    "''))";

#define RUN_COLUMNS                                                                                                    \
    "name, method, seed, dtype, config, config_sha256, status, step, step_unit, started_at, ended_at, wall_seconds, "  \
    "host, pid, heartbeat_at, version, error"

static const char *const STEPS[] = {
    "INSERT INTO main.split(sha256, op, p, train_fraction, seed, generator, n_train, n_test, train_cells) "
    "SELECT sha256, op, p, train_fraction, seed, generator, n_train, n_test, train_cells FROM other.split WHERE id IN "
    "(SELECT r.split_id FROM other.run r JOIN temp.merge_run m ON m.theirs = r.id) ORDER BY id ON CONFLICT(sha256) DO "
    "NOTHING",

    /* Known runs with news: what training said is replaced, tags and number stay. */
    "DELETE FROM main.metric WHERE run_id IN (SELECT ours FROM temp.merge_run)",
    "DELETE FROM main.event WHERE run_id IN (SELECT ours FROM temp.merge_run)",
    "DELETE FROM main.matrix WHERE run_id IN (SELECT ours FROM temp.merge_run)",
    "DELETE FROM main.checkpoint WHERE run_id IN (SELECT ours FROM temp.merge_run)",
    "UPDATE main.run SET (" RUN_COLUMNS ") = (SELECT " RUN_COLUMNS " FROM other.run t WHERE t.uid = main.run.uid) "
    "WHERE id IN (SELECT ours FROM temp.merge_run)",

    "INSERT INTO main.run(uid, split_id, " RUN_COLUMNS ") "
    "SELECT uid, (SELECT o.id FROM main.split o JOIN other.split t ON t.sha256 = o.sha256 WHERE t.id = "
    "split_id), " RUN_COLUMNS
    " FROM other.run WHERE id IN (SELECT theirs FROM temp.merge_run WHERE ours IS NULL) ORDER BY id",
    "UPDATE temp.merge_run SET ours = (SELECT o.id FROM main.run o JOIN other.run t ON t.uid = o.uid WHERE t.id = "
    "theirs) "
    "WHERE ours IS NULL",
    "UPDATE main.run SET parent_id = (SELECT parent.id FROM other.run child JOIN other.run theirs ON theirs.id = "
    "child.parent_id "
    "JOIN main.run parent ON parent.uid = theirs.uid WHERE child.uid = main.run.uid) "
    "WHERE id IN (SELECT ours FROM temp.merge_run)",

    "INSERT OR REPLACE INTO main.param(run_id, key, value) "
    "SELECT m.ours, p.key, p.value FROM temp.merge_run m JOIN other.param p ON p.run_id = m.theirs",
    "INSERT OR IGNORE INTO main.tag(run_id, key, value) "
    "SELECT m.ours, g.key, g.value FROM temp.merge_run m JOIN other.tag g ON g.run_id = m.theirs",

    "INSERT INTO main.metric_name(name, unit, description) SELECT name, unit, description FROM other.metric_name WHERE "
    "true "
    "ORDER BY id ON CONFLICT(name) DO NOTHING",
    "INSERT INTO temp.merge_metric(theirs, ours) "
    "SELECT t.id, o.id FROM other.metric_name t JOIN main.metric_name o ON o.name = t.name",
    "INSERT INTO main.metric(run_id, metric_id, step, value) "
    "SELECT m.ours, n.ours, x.step, x.value FROM temp.merge_run m CROSS JOIN temp.merge_metric n "
    "CROSS JOIN other.metric x ON x.run_id = m.theirs AND x.metric_id = n.theirs ORDER BY m.ours, n.ours, x.step",
    "INSERT INTO main.event(run_id, kind, step, detail) "
    "SELECT m.ours, e.kind, e.step, e.detail FROM temp.merge_run m JOIN other.event e ON e.run_id = m.theirs ORDER BY "
    "e.rowid",
    "INSERT INTO main.matrix(run_id, step, kind, rows, cols, dtype, raw_size, sha256, data) "
    "SELECT m.ours, x.step, x.kind, x.rows, x.cols, x.dtype, x.raw_size, x.sha256, x.data "
    "FROM temp.merge_run m JOIN other.matrix x ON x.run_id = m.theirs",
    "INSERT INTO main.checkpoint(run_id, step, kind, raw_size, sha256, data) "
    "SELECT m.ours, x.step, x.kind, x.raw_size, x.sha256, x.data "
    "FROM temp.merge_run m JOIN other.checkpoint x ON x.run_id = m.theirs",

    /* Comparisons join any two runs, new or not. */
    "INSERT OR IGNORE INTO main.comparison(run_a, step_a, kind_a, run_b, step_b, kind_b, measure, value) "
    "SELECT a.id, c.step_a, c.kind_a, b.id, c.step_b, c.kind_b, c.measure, c.value FROM other.comparison c "
    "JOIN other.run ta ON ta.id = c.run_a JOIN main.run a ON a.uid = ta.uid "
    "JOIN other.run tb ON tb.id = c.run_b JOIN main.run b ON b.uid = tb.uid",
};

static int run_steps(gk_store *s, gk_merge_count *count)
{
    static const char doing[] = "merging";
    int64_t total = 0;
    int code =
        gk_db_exec(s, doing, "CREATE TEMP TABLE IF NOT EXISTS merge_run(theirs INTEGER PRIMARY KEY, ours INTEGER)", "");
    if (code == GK_OK)
        code = gk_db_exec(s, doing,
                          "CREATE TEMP TABLE IF NOT EXISTS merge_metric(theirs INTEGER PRIMARY KEY, ours INTEGER)", "");
    if (code == GK_OK) code = gk_db_exec(s, doing, "DELETE FROM temp.merge_run", "");
    if (code == GK_OK) code = gk_db_exec(s, doing, "DELETE FROM temp.merge_metric", "");
    if (code == GK_OK) code = gk_db_exec(s, doing, CHOOSE, "");
    if (code == GK_OK)
        code = gk_db_integer(s, doing, "SELECT count(*) FROM temp.merge_run WHERE ours IS NULL", 0, &count->added);
    if (code == GK_OK) code = gk_db_integer(s, doing, "SELECT count(ours) FROM temp.merge_run", 0, &count->updated);
    if (code == GK_OK) code = gk_db_integer(s, doing, "SELECT count(*) FROM other.run", 0, &total);
    count->unchanged = total - count->added - count->updated;
    for (size_t i = 0; code == GK_OK && i < sizeof STEPS / sizeof *STEPS; i++)
        code = gk_db_exec(s, doing, STEPS[i], "");
    return code;
}

int gk_store_merge(gk_store *s, const char *path, gk_merge_count *count)
{
    *count = (gk_merge_count){0};
    /* Opened once by itself: that says what is wrong with it. */
    gk_store *other;
    int64_t same = 0;
    int code = gk_store_open(&other, path, GK_STORE_READ);
    if (code != GK_OK) return code;
    code = gk_store_close(other);
    if (code == GK_OK) code = gk_db_exec(s, "opening the other database", "ATTACH ?1 AS other", "t", path);
    if (code != GK_OK) return code;
    code = gk_db_integer(s, "opening the other database",
                         "SELECT (SELECT file FROM pragma_database_list WHERE name = 'main') = "
                         "(SELECT file FROM pragma_database_list WHERE name = 'other')",
                         0, &same);
    if (code == GK_OK && same) code = gk_error(GK_USAGE, "%s: cannot be merged into itself", path);
    if (code == GK_OK) code = gk_store_begin(s);
    if (code == GK_OK) {
        code = run_steps(s, count);
        if (code == GK_OK)
            code = gk_store_commit(s);
        else
            gk_store_rollback(s);
    }
    char *why = code == GK_OK ? NULL : gk_text("%s", gk_error_text());
    gk_db_exec(s, "closing the other database", "DETACH other", "");
    if (code != GK_OK) gk_error(code, "%s", why ? why : "out of memory");
    free(why);
    return code;
}
