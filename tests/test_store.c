/* test_store.c: what goes into a database comes out of it: splits, runs, rows, blobs, views. */
#include "store_lab.h"

#include <math.h>

typedef struct lab {
    char *folder, *path;
    gk_store *s;
} lab;

static int open_lab(void **state)
{
    lab *l = calloc(1, sizeof *l);
    l->folder = lab_folder();
    l->path = lab_path(l->folder, "new/folder/runs.db");
    *state = l;
    return gk_store_open(&l->s, l->path, GK_STORE_CREATE);
}

static int close_lab(void **state)
{
    lab *l = *state;
    if (gk_store_close(l->s) != GK_OK) return -1;
    char *wal = gk_text("%s-wal", l->path), *journal = gk_text("%s-journal", l->path);
    const bool single = access(wal, F_OK) != 0 && access(journal, F_OK) != 0;
    free(wal);
    free(journal);
    lab_remove(l->folder);
    free(l->path);
    free(l);
    return single ? 0 : -1;
}

static void test_header(void **state)
{
    lab *l = *state;
    assert_string_equal(gk_store_path(l->s), l->path);
    assert_true(lab_number(l->s, "PRAGMA application_id") == 0x67726f6b);
    assert_true(lab_number(l->s, "PRAGMA user_version") >= 1);
    assert_true(lab_number(l->s, "PRAGMA foreign_keys") == 1);
    lab_expect(l->s, "PRAGMA journal_mode", "wal");
    /* The tables and views of the design, and no others. */
    lab_expect(
        l->s, "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name)",
        "checkpoint comparison event matrix meta metric metric_name param run split tag");
    lab_expect(l->s,
               "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name)",
               "curves latest_metrics metrics run_summary split_mates");
    /* Back to a file with the old journal, whose header says so (bytes 18 and 19), when the last writer leaves. */
    OK(gk_store_close(l->s));
    size_t n;
    unsigned char *file = lab_read(l->path, &n);
    assert_true(n > 100 && file[18] == 1 && file[19] == 1);
    free(file);
    OK(gk_store_open(&l->s, l->path, GK_STORE_CREATE));
    gk_store_close(NULL);
}

static void test_splits(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t a = lab_split(s, 1), b = lab_split(s, UINT64_MAX);
    assert_true(a != b && lab_split(s, 1) == a);
    gk_stored_split split;
    OK(gk_store_get_split(s, b, &split));
    assert_true(split.id == b && split.p == 3 && split.n_train == 3 && split.seed == UINT64_MAX);
    assert_true(split.train_fraction == 1.0 / 3 && split.train[0] == 0 && split.train[1] == 2 && split.train[2] == 5);
    assert_string_equal(split.op, "add");
    assert_string_equal(split.generator, "philox");

    int64_t found = -1;
    char prefix[9];
    snprintf(prefix, sizeof prefix, "%.8s", split.sha256);
    OK(gk_store_find_split(s, prefix, &found));
    assert_true(found == b);
    OK(gk_store_find_split(s, "1", &found));
    assert_true(found == 1);
    REFUSED(gk_store_find_split(s, "ffff0000ffff", &found), GK_NOTFOUND, "no split 'ffff0000ffff'", "sha256");
    REFUSED(gk_store_find_split(s, "77", &found), GK_NOTFOUND, "no split '77'");
    gk_stored_split_free(&split);
    REFUSED(gk_store_get_split(s, 77, &split), GK_NOTFOUND, "no split 77");
    gk_stored_split_free(NULL);

    /* Two hashes that begin alike. */
    char sql[200];
    lab_do(s, "UPDATE split SET sha256 = 'abcdef0' WHERE id = 1");
    snprintf(sql, sizeof sql, "UPDATE split SET sha256 = 'abcdef1' WHERE id = %lld", (long long)b);
    lab_do(s, sql);
    REFUSED(gk_store_find_split(s, "abcde", &found), GK_USAGE, "2 splits", "more digits");
    OK(gk_store_find_split(s, "abcdef1", &found));
    assert_true(found == b);

    /* Cells that are not what the row says. */
    lab_do(s, "UPDATE split SET n_train = 4 WHERE id = 1");
    REFUSED(gk_store_get_split(s, 1, &split), GK_FAILED, "split 1 is damaged", "one row of 4");
    lab_do(s, "UPDATE split SET train_cells = x'00' WHERE id = 1");
    REFUSED(gk_store_get_split(s, 1, &split), GK_FAILED, "split 1 is damaged", "npy");
}

static void test_run(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t split = lab_split(s, 1);
    gk_config config;
    int64_t run = -1, child = -1;
    lab_config(&config, "first", "0.1234567890123456789");
    OK(gk_config_set(&config, "seed", "900719925474099", "test"));
    OK(gk_store_new_run(s, &lab_mlp, &config, split, 0, &run));
    OK(gk_store_new_run(s, &lab_rfm, &config, split, run, &child));

    gk_run_row row;
    OK(gk_store_get_run(s, run, &row));
    char *json = gk_config_json(&config), hash[GK_SHA256_HEX], host[256] = "";
    gk_sha256(json, strlen(json), hash);
    gethostname(host, sizeof host - 1);
    assert_string_equal(row.config, json);
    assert_string_equal(row.config_sha256, hash);
    assert_string_equal(row.name, "first");
    assert_string_equal(row.method, "mlp");
    assert_string_equal(row.dtype, "float32");
    assert_string_equal(row.status, "running");
    assert_string_equal(row.step_unit, "epoch");
    assert_string_equal(row.host, host);
    assert_int_equal(strlen(row.uid), 32);
    assert_int_equal(strspn(row.uid, "0123456789abcdef"), 32);
    assert_int_equal(strlen(row.started_at), strlen("2024-01-01T00:00:00Z"));
    assert_true(row.id == run && row.split_id == split && row.parent_id == 0 && row.seed == 900719925474099);
    assert_true(row.pid == getpid() && row.step == 0 && row.wall_seconds == 0);
    assert_null(row.ended_at);
    assert_null(row.error);
    free(json);
    gk_run_row_free(&row);
    OK(gk_store_get_run(s, child, &row));
    assert_true(row.parent_id == run);
    gk_run_row_free(&row);
    gk_run_row_free(NULL);
    REFUSED(gk_store_get_run(s, 99, &row), GK_NOTFOUND, "no run 99");

    /* Settings come back to the last bit. */
    gk_config back;
    lab_config(&back, "other", "1");
    OK(gk_store_get_config(s, run, &back));
    assert_true(gk_config_real(&back, "lr") == gk_config_real(&config, "lr"));
    assert_true(gk_config_int(&back, "seed") == 900719925474099);
    assert_string_equal(gk_config_text(&back, "name"), "first");
    lab_do(s, "INSERT INTO param VALUES(1, 'lrr', 3)");
    REFUSED(gk_store_get_config(s, run, &back), GK_USAGE, "lrr", "stored run 1");
    gk_config_free(&back);
    gk_config_free(&config);

    OK(gk_store_heartbeat(s, run, 5, 1.5));
    OK(gk_store_end_run(s, run, "diverged", 7, 2, "loss is nan"));
    OK(gk_store_get_run(s, run, &row));
    assert_true(row.step == 7 && row.wall_seconds == 3.5);
    assert_string_equal(row.status, "diverged");
    assert_string_equal(row.error, "loss is nan");
    assert_non_null(row.ended_at);
    gk_run_row_free(&row);
    REFUSED(gk_store_end_run(s, run, "done", 7, 2, NULL), GK_FAILED, "CHECK constraint", "ending a run");
}

static void test_find_run(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    int64_t id = -1;
    REFUSED(gk_store_find_run(s, "@last", &id), GK_NOTFOUND, "no run yet");
    REFUSED(gk_store_find_run(s, "mlp", &id), GK_NOTFOUND, "no run 'mlp'", "nor any other");
    const int64_t split = lab_split(s, 1), a = lab_run(s, &lab_mlp, "alpha", split),
                  b = lab_run(s, &lab_mlp, "beta", split);
    const int64_t unnamed = lab_run(s, &lab_rfm, "", split), c = lab_run(s, &lab_mlp, "beta", split);
    OK(gk_store_find_run(s, "alpha", &id));
    assert_true(id == a);
    OK(gk_store_find_run(s, "2", &id));
    assert_true(id == b);
    OK(gk_store_find_run(s, "rfm", &id));
    assert_true(id == unnamed);
    OK(gk_store_find_run(s, "@last", &id));
    assert_true(id == c);
    char *uid = lab_rows(s, "SELECT substr(uid, 1, 12) FROM run WHERE id = 3");
    OK(gk_store_find_run(s, uid, &id));
    assert_true(id == 3);
    free(uid);
    lab_do(s, "UPDATE run SET uid = 'fedc' || substr(uid, 5) WHERE id = 2");
    OK(gk_store_find_run(s, "fedc", &id));
    assert_true(id == 2);
    REFUSED(gk_store_find_run(s, "fed", &id), GK_NOTFOUND, "no run 'fed'"); /* three digits are a slip, not a uid */
    REFUSED(gk_store_find_run(s, "beta", &id), GK_USAGE, "'beta'", "2, 4", "@last");
    REFUSED(gk_store_find_run(s, "alhpa", &id), GK_NOTFOUND, "'alhpa'", "did you mean 'alpha'");
    REFUSED(gk_store_find_run(s, "zzzzzzzzzz", &id), GK_NOTFOUND, "groklab ls");
    REFUSED(gk_store_find_run(s, "17", &id), GK_NOTFOUND, "no run '17'");
    for (int i = 0; i < 10; i++) lab_run(s, &lab_mlp, "beta", split);
    REFUSED(gk_store_find_run(s, "beta", &id), GK_USAGE, "and 4 more");
}

static void test_metrics(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t split = lab_split(s, 1), a = lab_run(s, &lab_mlp, "a", split), b = lab_run(s, &lab_rfm, "b", split);
    OK(gk_store_describe_metric(s, "test_loss", "nats", "loss on the test cells"));
    for (int step = 0; step <= 3; step++) {
        OK(gk_store_put_metric(s, a, "test_loss", step, 1.0 / (step + 1)));
        OK(gk_store_put_metric(s, a, "test_accuracy", step, step / 3.0));
        OK(gk_store_put_metric(s, b, "test_loss", 10 * step, step));
    }
    OK(gk_store_put_metric(s, a, "train_loss", 2, NAN));
    OK(gk_store_put_metric(s, b, "test_loss", 30, INFINITY));
    OK(gk_store_put_metric(s, a, "test_loss", 3, 0.125)); /* again: replaced */
    OK(gk_store_describe_metric(s, "test_loss", "loss", "told again"));

    lab_expect(s, "SELECT run_id, run, name, step, value FROM metrics WHERE run = 'a' AND name = 'test_loss'",
               "1|a|test_loss|0|1\n1|a|test_loss|1|0.5\n1|a|test_loss|2|0.3333333333333333\n1|a|test_loss|3|0.125");
    lab_expect(s, "SELECT value FROM metrics WHERE name = 'train_loss'", "NULL");
    lab_expect(s, "SELECT unit, description FROM metric_name WHERE name = 'test_loss'", "loss|told again");
    lab_expect(s, "SELECT run, name, step, value FROM latest_metrics ORDER BY 1, 2",
               "a|test_accuracy|3|1\na|test_loss|3|0.125\na|train_loss|2|NULL\nb|test_loss|30|inf");
    lab_expect(s, "SELECT * FROM curves WHERE run_id = 1 AND step >= 2",
               "1|a|2|NULL|0.3333333333333333|NULL|0.6666666666666666\n1|a|3|NULL|0.125|NULL|1");
    REFUSED(gk_store_put_metric(s, 99, "test_loss", 0, 1), GK_FAILED, "FOREIGN KEY", "storing a metric");
}

static void test_names_of_a_rolled_back_transaction(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_begin(s));
    OK(gk_store_put_metric(s, run, "forgotten", 1, 1));
    gk_store_rollback(s);
    OK(gk_store_put_metric(s, run, "other", 1, 2));
    OK(gk_store_put_metric(s, run, "forgotten", 1, 3));
    lab_expect(s, "SELECT name, value FROM metrics ORDER BY name", "forgotten|3\nother|2");
}

static void test_events(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t split = lab_split(s, 1), a = lab_run(s, &lab_mlp, "a", split), b = lab_run(s, &lab_rfm, "b", split);
    OK(gk_store_put_event(s, a, "memorised", 5, NULL));
    OK(gk_store_put_event(s, a, "grokked", 40, NULL));
    OK(gk_store_put_event(s, a, "grokked", -1, NULL));
    OK(gk_store_put_event(s, a, "grokked", 45, "{\"why\":1}"));
    OK(gk_store_put_event(s, b, "grokked", 9, NULL));
    OK(gk_store_put_event(s, b, "grokked", -1, NULL));
    OK(gk_store_put_event(s, b, "resumed", 1, NULL));
    OK(gk_store_put_event(s, b, "resumed", 2, NULL));
    lab_expect(s, "SELECT run_id, kind, step, detail FROM event ORDER BY 1, 2, 3",
               "1|grokked|45|{\"why\":1}\n1|memorised|5|NULL\n2|resumed|1|NULL\n2|resumed|2|NULL");
    OK(gk_store_put_metric(s, a, "train_accuracy", 44, .25));
    OK(gk_store_put_metric(s, a, "train_accuracy", 45, 1));
    OK(gk_store_put_metric(s, a, "test_accuracy", 45, .96));
    lab_expect(s,
               "SELECT run, method, op, p, train_accuracy, test_accuracy, memorised_step, grokked_step, delay FROM "
               "run_summary",
               "a|mlp|add|3|1|0.96|5|45|40\nb|rfm|add|3|NULL|NULL|NULL|NULL|NULL");
}

static void test_split_mates(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t one = lab_split(s, 1), two = lab_split(s, 2);
    lab_run(s, &lab_mlp, "a", one);
    lab_run(s, &lab_rfm, "b", two);
    lab_run(s, &lab_rfm, "c", one);
    lab_run(s, &lab_mlp, "d", one);
    lab_expect(s, "SELECT * FROM split_mates ORDER BY run_a, run_b",
               "1|1|a|mlp|3|c|rfm\n1|1|a|mlp|4|d|mlp\n1|3|c|rfm|4|d|mlp");
}

static void test_matrices(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t run = lab_run(s, &lab_rfm, "a", lab_split(s, 1));
    enum { ROWS = 40, COLS = 30 };
    double wanted[ROWS * COLS], *data;
    for (int i = 0; i < ROWS * COLS; i++) wanted[i] = i % 7 == 0 ? 0 : sin(i) * 1e-3;
    wanted[3] = NAN;
    OK(gk_store_put_matrix(s, run, 10, "agop", wanted, ROWS, COLS, GK_F64));
    OK(gk_store_put_matrix(s, run, 20, "agop", wanted, ROWS, COLS, GK_F32));
    int rows, cols;
    int64_t at;
    OK(gk_store_get_matrix(s, run, 19, "agop", &data, &rows, &cols, &at));
    assert_true(at == 10 && rows == ROWS && cols == COLS);
    assert_memory_equal(data, wanted, sizeof wanted);
    free(data);
    OK(gk_store_get_matrix(s, run, -1, "agop", &data, &rows, &cols, &at));
    assert_true(at == 20 && data[8] == (double)(float)wanted[8] && data[8] != wanted[8]);
    free(data);
    lab_expect(s, "SELECT rows, cols, dtype, length(data) < raw_size FROM matrix", "40|30|float64|1\n40|30|float32|1");
    REFUSED(gk_store_get_matrix(s, run, 9, "agop", &data, &rows, &cols, &at), GK_NOTFOUND, "'agop'", "before step 9");
    REFUSED(gk_store_get_matrix(s, run, -1, "nfm", &data, &rows, &cols, &at), GK_NOTFOUND,
            "no stored matrix of kind 'nfm'");

    /* Stored again at the same step: replaced. */
    OK(gk_store_put_matrix(s, run, 20, "agop", wanted + 1, 1, 2, GK_F64));
    OK(gk_store_get_matrix(s, run, 20, "agop", &data, &rows, &cols, NULL));
    assert_true(rows == 1 && cols == 2 && data[0] == wanted[1]);
    free(data);

    lab_do(s, "UPDATE matrix SET sha256 = 'x' WHERE step = 10");
    REFUSED(gk_store_get_matrix(s, run, 10, "agop", &data, &rows, &cols, NULL), GK_FAILED,
            "agop matrix of run 1 at step 10", "hash");
    lab_do(s, "UPDATE matrix SET data = zeroblob(100) WHERE step = 10");
    REFUSED(gk_store_get_matrix(s, run, 10, "agop", &data, &rows, &cols, NULL), GK_FAILED, "damaged");
    assert_null(data);
}

static void test_checkpoints(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    float w[6] = {1, 2, 3, 4, 5, 6}, back[6] = {0};
    gk_tensor tensors[1] = {{.name = "fc1.weight", .dtype = GK_F32, .rank = 2, .shape = {2, 3}, .data = w}};
    const char *const meta[] = {"step", "10", NULL};
    unsigned char *raw;
    size_t n;
    int64_t at = -1;
    for (int step = 10; step <= 30; step += 10) {
        w[0] = (float)step;
        OK(gk_store_put_checkpoint(s, run, step, "weights", tensors, 1, meta));
        OK(gk_store_put_checkpoint(s, run, step, "state", tensors, 1, NULL));
    }
    lab_expect(s, "SELECT kind, step FROM checkpoint ORDER BY 1, 2", "state|30\nweights|10\nweights|20\nweights|30");
    OK(gk_store_get_checkpoint(s, run, 20, "weights", &raw, &n, &at));
    tensors[0].data = back;
    OK(gk_safetensors_read(raw, n, tensors, 1));
    assert_true(at == 20 && back[0] == 20 && back[5] == 6);
    free(raw);
    OK(gk_store_get_checkpoint(s, run, -1, "state", &raw, &n, &at));
    assert_true(at == 30);
    free(raw);
    REFUSED(gk_store_get_checkpoint(s, run, 15, "weights", &raw, &n, &at), GK_NOTFOUND, "at step 15", "SELECT step");
    REFUSED(gk_store_get_checkpoint(s, 9, -1, "state", &raw, &n, &at), GK_NOTFOUND, "run 9", "state");
}

static void test_rewind(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t split = lab_split(s, 1), run = lab_run(s, &lab_mlp, "a", split),
                  other = lab_run(s, &lab_mlp, "b", split);
    const double one = 1;
    float w = 1;
    const gk_tensor tensor = {.name = "w", .dtype = GK_F32, .rank = 1, .shape = {1}, .data = &w};
    for (int64_t r = run; r <= other; r++) {
        for (int step = 0; step <= 6; step++) {
            OK(gk_store_put_metric(s, r, "test_loss", step, step));
            OK(gk_store_put_matrix(s, r, step, "agop", &one, 1, 1, GK_F64));
            OK(gk_store_put_checkpoint(s, r, step, "weights", &tensor, 1, NULL));
            OK(gk_store_put_event(s, r, "resumed", step, NULL));
        }
    }
    OK(gk_store_put_comparison(s, run, 3, "agop", other, 6, "agop", "cosine", .5));
    OK(gk_store_put_comparison(s, other, 6, "agop", run, 5, "agop", "cosine", .5));
    OK(gk_store_put_comparison(s, other, 6, "agop", run, 5, "agop", "cosine", NAN));
    lab_expect(s, "SELECT value FROM comparison ORDER BY run_a", "0.5\nNULL");
    OK(gk_store_end_run(s, run, "interrupted", 6, 1, "stopped"));
    OK(gk_store_rewind(s, run, 3));
    lab_expect(
        s,
        "SELECT (SELECT max(step) FROM metric WHERE run_id = 1), (SELECT max(step) FROM matrix WHERE run_id = 1),"
        "(SELECT max(step) FROM checkpoint WHERE run_id = 1), (SELECT max(step) FROM event WHERE run_id = 1),"
        "(SELECT count(*) FROM comparison), (SELECT count(*) FROM metric WHERE run_id = 2)",
        "3|3|3|3|1|7");
    lab_expect(s, "SELECT status, step, error, ended_at, wall_seconds FROM run WHERE id = 1", "running|3|NULL|NULL|1");
    OK(gk_store_rewind(s, run, -1)); /* from the start */
    lab_expect(s, "SELECT count(*), (SELECT step FROM run WHERE id = 1) FROM metric WHERE run_id = 1", "0|0");
}

static void test_transactions(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_begin(s));
    OK(gk_store_begin(s));
    OK(gk_store_put_metric(s, run, "m", 1, 1));
    OK(gk_store_commit(s));
    gk_store *reader;
    OK(gk_store_open(&reader, gk_store_path(s), GK_STORE_READ));
    assert_true(lab_number(reader, "SELECT count(*) FROM metric") == 0); /* the outer one has not ended */
    OK(gk_store_commit(s));
    assert_true(lab_number(reader, "SELECT count(*) FROM metric") == 1);
    OK(gk_store_begin(s));
    OK(gk_store_begin(s));
    OK(gk_store_put_metric(s, run, "m", 2, 1));
    gk_store_rollback(s);
    REFUSED(gk_store_commit(s), GK_FAILED, "rolled back");
    assert_true(lab_number(reader, "SELECT count(*) FROM metric") == 1);
    REFUSED(gk_store_put_metric(reader, run, "m", 2, 1), GK_FAILED, "cannot be written");
    OK(gk_store_close(reader));
    gk_store_rollback(s);
}

static int stop_at_second(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    assert_int_equal(columns, 1);
    assert_string_equal(names[0], "n");
    return cells && ++*(int *)context == 2 ? -77 : GK_OK;
}

static int count_calls(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    ((int *)context)[cells ? 1 : 0]++;
    return GK_OK;
}

static void test_query(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    int rows = 0, calls[2] = {0};
    assert_int_equal(gk_store_query(s, "SELECT 1 AS n UNION SELECT 2 UNION SELECT 3", NULL, stop_at_second, &rows),
                     -77);
    assert_int_equal(rows, 2);
    OK(gk_store_query(s, "SELECT 1 WHERE 0", NULL, count_calls, calls));
    assert_true(calls[0] == 1 && calls[1] == 0);
    const char *const params[] = {"x", "y", NULL};
    char *text = NULL;
    OK(gk_store_query(s, "SELECT ?2 || ?1, x'00', NULL, 2.5, 7; -- the end", params, lab_take_text, &text));
    assert_string_equal(text, "yx|BLOB|NULL|2.5|7");
    free(text);
    text = NULL;
    REFUSED(gk_store_query(s, "SELECT 1; SELECT 2", NULL, lab_take_text, &text), GK_USAGE, "one statement", "SELECT 2");
    REFUSED(gk_store_query(s, "SELEKT 1", NULL, lab_take_text, &text), GK_USAGE, "SELEKT", "syntax error");
    REFUSED(gk_store_query(s, " -- nothing", NULL, lab_take_text, &text), GK_USAGE, "no statement");
    REFUSED(gk_store_query(s, "SELECT ?3", params, lab_take_text, &text), GK_USAGE, "3 parameters", "2 values");
    REFUSED(gk_store_query(s, "SELECT * FROM nowhere", NULL, lab_take_text, &text), GK_USAGE, "no such table: nowhere");
    gk_store *reader;
    OK(gk_store_open(&reader, gk_store_path(s), GK_STORE_READ));
    REFUSED(gk_store_query(reader, "DELETE FROM run", NULL, lab_take_text, &text), GK_USAGE, "reading only", "--write");
    OK(gk_store_close(reader));
}

/* Counts down and then says stop. */
static int stop_soon(void *context)
{
    int *left = context;
    return --*left < 0;
}

static void test_interrupted(void **state)
{
    gk_store *s = ((lab *)*state)->s;
    static const char *const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    char *text = NULL;
    int left = 3;
    gk_store_stop_when(s, stop_soon, &left);
    REFUSED(gk_store_query(s, endless, NULL, lab_take_text, &text), GK_INTERRUPTED, "interrupted");
    assert_int_equal(left, -1);
    gk_store_stop_when(s, NULL, NULL);
    OK(gk_store_query(s, "SELECT 'goes on'", NULL, lab_take_text, &text));
    assert_string_equal(text, "goes on");
    free(text);
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB(test_header),      LAB(test_splits),      LAB(test_run),
        LAB(test_find_run),    LAB(test_metrics),     LAB(test_names_of_a_rolled_back_transaction),
        LAB(test_events),      LAB(test_split_mates), LAB(test_matrices),
        LAB(test_checkpoints), LAB(test_rewind),      LAB(test_transactions),
        LAB(test_query),       LAB(test_interrupted),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
