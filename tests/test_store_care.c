/* test_store_care.c: files of an older version, merging, tags, names, removal, metadata. */
#include "store_lab.h"

#include "src/store/zip.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

typedef struct lab {
    char *folder, *a, *b;
} lab;

static int set_up(void **state)
{
    lab *l = calloc(1, sizeof *l);
    l->folder = lab_folder();
    l->a = lab_path(l->folder, "a.db");
    l->b = lab_path(l->folder, "b.db");
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    lab *l = *state;
    lab_remove(l->folder);
    free(l->a);
    free(l->b);
    free(l);
    return 0;
}

static void print_line(void *context, const char *line)
{
    (void)context;
    print_message("doctor: %s\n", line);
}

/* ---- older files ---- */

/* A database that version 1 made: an mlp and an rfm of p = 5. */
static void unpack_v1(const char *path)
{
    size_t n;
    unsigned char *packed = lab_read("tests/fixtures/store_v1.db.zz", &n), *raw;
    OK(gk_unzip(packed, n, 147456, &raw));
    lab_write(path, raw, 147456);
    free(raw);
    free(packed);
}

static const char SCHEMA[] = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
static const char CONTENT[] =
    "SELECT count(*), (SELECT sum(step) FROM metric), (SELECT group_concat(sha256) FROM matrix), "
    "(SELECT group_concat(sha256) FROM checkpoint), (SELECT group_concat(uid) FROM run) FROM metric";

static void test_migration(void **state)
{
    lab *l = *state;
    gk_store *s;
    unpack_v1(l->a);
    size_t n, m;
    unsigned char *before = lab_read(l->a, &n);

    /* Read as it is: today's views, and not a byte changed. */
    OK(gk_store_open(&s, l->a, GK_STORE_READ));
    assert_true(lab_number(s, "PRAGMA user_version") == 1);
    lab_expect(s, "SELECT run, status, train_loss IS NOT NULL, circuit_step FROM run_summary",
               "old-mlp|finished|1|0\nold-rfm|finished|1|0");
    assert_int_equal(gk_store_doctor(s, false, print_line, NULL), 0);
    char *content = lab_rows(s, CONTENT);
    OK(gk_store_close(s));
    unsigned char *after = lab_read(l->a, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(after);

    /* Written: brought up to date, with a copy beside it. */
    OK(gk_store_open(&s, l->a, GK_STORE_WRITE));
    gk_store *fresh;
    OK(gk_store_open(&fresh, l->b, GK_STORE_CREATE));
    assert_true(lab_number(s, "PRAGMA user_version") == lab_number(fresh, "PRAGMA user_version"));
    char *migrated = lab_rows(s, SCHEMA), *made = lab_rows(fresh, SCHEMA);
    assert_string_equal(migrated, made); /* the same tables, indices and views as in a new file, to the letter */
    free(migrated);
    free(made);
    lab_expect(s, CONTENT, content);
    lab_expect(s, "SELECT value FROM meta WHERE key = 'updated_from_version'", "1");
    assert_int_equal(gk_store_doctor(s, false, print_line, NULL), 0);
    OK(gk_store_close(fresh));
    OK(gk_store_close(s));
    char *backup = gk_text("%s.v1.bak", l->a);
    OK(gk_store_open(&s, backup, GK_STORE_READ));
    assert_true(lab_number(s, "PRAGMA user_version") == 1);
    lab_expect(s, CONTENT, content);
    OK(gk_store_close(s));

    /* Once is enough, and a copy is never written over. */
    OK(gk_store_open(&s, l->a, GK_STORE_WRITE));
    OK(gk_store_close(s));
    char *second = gk_text("%s.v1.2.bak", l->a);
    assert_int_equal(access(second, F_OK), -1);
    unpack_v1(l->a);
    OK(gk_store_open(&s, l->a, GK_STORE_WRITE));
    OK(gk_store_close(s));
    assert_int_equal(access(second, F_OK), 0);
    free(second);
    free(backup);
    free(content);
    free(before);
}

static void test_migration_at_once(void **state)
{
    enum { PROCESSES = 4 };
    lab *l = *state;
    unpack_v1(l->a);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        if ((children[i] = fork()) == 0) {
            gk_store *s;
            const int code = gk_store_open(&s, l->a, GK_STORE_WRITE);
            if (code != GK_OK)
                fprintf(stderr, "child: %s\n", gk_error_text());
            else
                gk_store_close(s);
            _exit(code != GK_OK);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        waitpid(children[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    gk_store *s;
    OK(gk_store_open(&s, l->a, GK_STORE_READ));
    assert_true(lab_number(s, "PRAGMA user_version") == 2);
    lab_expect(s, "SELECT value FROM meta WHERE key = 'updated_from_version'",
               "1"); /* by the first; the others found it done */
    assert_int_equal(gk_store_doctor(s, false, print_line, NULL), 0);
    OK(gk_store_close(s));
}

static void test_versions_that_never_were(void **state)
{
    lab *l = *state;
    gk_store *s;
    OK(gk_store_open(&s, l->a, GK_STORE_CREATE));
    lab_do(s, "PRAGMA user_version = 0");
    OK(gk_store_close(s));
    REFUSED(gk_store_open(&s, l->a, GK_STORE_WRITE), GK_FAILED, l->a, "version (0)");
}

/* ---- tags, names, removal ---- */

static void test_tags_and_names(void **state)
{
    lab *l = *state;
    gk_store *s;
    OK(gk_store_open(&s, l->a, GK_STORE_CREATE));
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_tag(s, run, "note", "first try"));
    OK(gk_store_tag(s, run, "figure", "2"));
    OK(gk_store_tag(s, run, "note", "it's the \"one\""));
    lab_expect(s, "SELECT key, value FROM tag ORDER BY key", "figure|2\nnote|it's the \"one\"");
    OK(gk_store_tag(s, run, "figure", NULL));
    REFUSED(gk_store_tag(s, run, "figure", NULL), GK_NOTFOUND, "run 1", "'figure'");
    REFUSED(gk_store_tag(s, run, "", "x"), GK_USAGE, "key=value");
    REFUSED(gk_store_tag(s, 9, "x", "x"), GK_NOTFOUND, "no run 9");
    OK(gk_store_rename(s, run, "better name"));
    int64_t found = -1;
    OK(gk_store_find_run(s, "better name", &found));
    assert_true(found == run);
    REFUSED(gk_store_rename(s, 9, "x"), GK_NOTFOUND, "no run 9");
    static const char *const bad[] = {"", "17", "@last"};
    for (size_t i = 0; i < COUNT(bad); i++)
        REFUSED(gk_store_rename(s, run, bad[i]), GK_USAGE, "no name for a run", bad[i]);
    OK(gk_store_close(s));
}

static const gk_tensor *small_tensor(float value)
{
    static float w[1000];
    static gk_tensor tensor = {.name = "w", .dtype = GK_F32, .rank = 1, .shape = {1000}, .data = w};
    for (int i = 0; i < 1000; i++) w[i] = value * sinf((float)(i * i));
    return &tensor;
}

static void test_remove(void **state)
{
    lab *l = *state;
    gk_store *s;
    gk_run_extent what;
    OK(gk_store_open(&s, l->a, GK_STORE_CREATE));
    const int64_t split = lab_split(s, 1), a = lab_run(s, &lab_mlp, "a", split), b = lab_run(s, &lab_mlp, "b", split);
    for (int64_t run = a; run <= b; run++) {
        for (int i = 0; i < 10; i++) OK(gk_store_put_metric(s, run, "m", i, i));
        OK(gk_store_put_event(s, run, "grokked", 1, NULL));
        OK(gk_store_put_matrix(s, run, 1, "agop", &(double){1}, 1, 1, GK_F64));
        OK(gk_store_put_checkpoint(s, run, 1, "state", small_tensor(1), 1, NULL));
        OK(gk_store_put_checkpoint(s, run, 1, "weights", small_tensor(1), 1, NULL));
        OK(gk_store_tag(s, run, "x", "y"));
    }
    OK(gk_store_put_comparison(s, a, 1, "agop", b, 1, "agop", "cosine", 1));
    OK(gk_store_put_comparison(s, b, 1, "agop", a, 1, "agop", "cosine", 1));
    OK(gk_store_put_comparison(s, b, 1, "agop", b, 1, "agop", "cosine", 1));
    OK(gk_store_put_comparison(s, a, 1, "agop", a, 1, "nfm", "cosine", 1));
    REFUSED(gk_store_remove(s, a, false, &what), GK_BUSY, "run 1", "being trained",
            "stop it first"); /* by this process */
    OK(gk_store_end_run(s, a, "finished", 10, 1, NULL));
    OK(gk_store_remove(s, a, true, &what));
    assert_true(what.metrics == 10 && what.events == 1 && what.matrices == 1 && what.checkpoints == 2 &&
                what.comparisons == 3);
    assert_true(what.bytes > 4000);
    lab_expect(s, "SELECT count(*) FROM run", "2"); /* nothing is gone yet */
    what = (gk_run_extent){0};
    OK(gk_store_remove(s, a, false, &what));
    assert_true(what.metrics == 10 && what.comparisons == 3);
    lab_expect(s,
               "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM metric), (SELECT count(*) FROM event), "
               "(SELECT count(*) FROM matrix),"
               "(SELECT count(*) FROM checkpoint), (SELECT count(*) FROM comparison), (SELECT count(*) FROM tag),"
               "(SELECT count(DISTINCT run_id) FROM param), (SELECT count(*) FROM split)",
               "1|10|1|1|2|1|1|1|1");
    REFUSED(gk_store_remove(s, a, false, &what), GK_NOTFOUND, "no run 1");
    REFUSED(gk_store_remove(s, a, true, &what), GK_NOTFOUND, "no run 1");
    assert_int_equal(gk_store_doctor(s, false, print_line, NULL), 0);
    OK(gk_store_close(s));
}

/* ---- merging ---- */

static int64_t whole_run(gk_store *s, const gk_method *method, const char *name, int64_t split, float value)
{
    const int64_t run = lab_run(s, method, name, split);
    for (int i = 0; i < 5; i++) {
        OK(gk_store_put_metric(s, run, "test_loss", i, value * (float)i));
        OK(gk_store_put_metric(s, run, name, i, NAN));
    }
    OK(gk_store_put_event(s, run, "grokked", 3, "{}"));
    OK(gk_store_put_matrix(s, run, 2, "agop", (double[]){value, 2, 3, 4}, 2, 2, GK_F64));
    OK(gk_store_put_checkpoint(s, run, 4, "weights", small_tensor(value), 1, NULL));
    OK(gk_store_tag(s, run, "from", name));
    OK(gk_store_end_run(s, run, "finished", 4, 1.5, NULL));
    return run;
}

/* A whole file by what it says, without its numbers. */
static char *gist(gk_store *s)
{
    return lab_rows(
        s, "SELECT r.uid, r.name, r.status, r.step, r.wall_seconds, r.config_sha256, s.sha256, p.uid, "
           "(SELECT group_concat(n.name || m.step || ':' || ifnull(m.value, 'nan')) FROM metric m JOIN metric_name n "
           "ON n.id = "
           "m.metric_id WHERE m.run_id = r.id), "
           "(SELECT group_concat(kind || step || ifnull(detail, '')) FROM event WHERE run_id = r.id), "
           "(SELECT group_concat(kind || step || sha256 || length(data)) FROM matrix WHERE run_id = r.id), "
           "(SELECT group_concat(kind || step || sha256 || length(data)) FROM checkpoint WHERE run_id = r.id), "
           "(SELECT group_concat(key || '=' || value) FROM tag WHERE run_id = r.id), "
           "(SELECT group_concat(key || '=' || value) FROM param WHERE run_id = r.id), "
           "(SELECT group_concat(b.uid || measure || value) FROM comparison c JOIN run b ON b.id = c.run_b WHERE "
           "c.run_a = r.id) "
           "FROM run r JOIN split s ON s.id = r.split_id LEFT JOIN run p ON p.id = r.parent_id ORDER BY r.uid");
}

static void test_merge(void **state)
{
    lab *l = *state;
    gk_store *a, *b;
    gk_merge_count count;
    OK(gk_store_open(&a, l->a, GK_STORE_CREATE));
    OK(gk_store_open(&b, l->b, GK_STORE_CREATE));
    /* Numbers that do not meet: other splits, metrics and runs first. */
    const int64_t shared_a = lab_split(a, 7);
    whole_run(a, &lab_mlp, "mine", shared_a, 1);
    lab_split(b, 1);
    const int64_t shared_b = lab_split(b, 7), only_b = lab_split(b, 9);
    const int64_t first = whole_run(b, &lab_rfm, "theirs", shared_b, 2),
                  second = whole_run(b, &lab_mlp, "also", only_b, 3);
    lab_do(b, "UPDATE run SET parent_id = 1 WHERE id = 2");
    OK(gk_store_put_comparison(b, first, 2, "agop", second, 2, "agop", "cosine", .75));
    char *theirs = gist(b);
    OK(gk_store_close(b));

    OK(gk_store_merge(a, l->b, &count));
    assert_true(count.added == 2 && count.updated == 0 && count.unchanged == 0);
    lab_expect(a, "SELECT count(*), (SELECT count(*) FROM split) FROM run",
               "3|2"); /* the shared split once, the unused not */
    char *merged = gist(a);
    for (char *line = strtok(theirs, "\n"); line; line = strtok(NULL, "\n")) assert_non_null(strstr(merged, line));
    lab_expect(a, "SELECT name_a, name_b FROM split_mates", "mine|theirs");
    assert_int_equal(gk_store_doctor(a, false, print_line, NULL), 0);

    /* Again: nothing changes. */
    OK(gk_store_merge(a, l->b, &count));
    assert_true(count.added == 0 && count.updated == 0 && count.unchanged == 2);
    char *again = gist(a);
    assert_string_equal(again, merged);
    free(again);
    free(theirs);
    free(merged);

    /* Later news of a known run replace what was there; tags given here stay. */
    OK(gk_store_tag(a, 2, "from", "edited here"));
    OK(gk_store_open(&b, l->b, GK_STORE_WRITE));
    OK(gk_store_rewind(b, first, 2));
    OK(gk_store_put_metric(b, first, "test_loss", 3, 77));
    OK(gk_store_end_run(b, first, "finished", 3, 1, NULL));
    lab_do(b, "UPDATE run SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 minute') WHERE id = 1");
    OK(gk_store_close(b));
    OK(gk_store_merge(a, l->b, &count));
    assert_true(count.added == 0 && count.updated == 1 && count.unchanged == 1);
    lab_expect(a, "SELECT group_concat(step || ':' || value) FROM metrics WHERE run_id = 2 AND name = 'test_loss'",
               "0:0.0,1:2.0,2:4.0,3:77.0");
    lab_expect(a, "SELECT step, (SELECT value FROM tag WHERE run_id = 2) FROM run WHERE id = 2", "3|edited here");
    lab_expect(a, "SELECT count(*), (SELECT count(*) FROM comparison) FROM run", "3|1");
    assert_int_equal(gk_store_doctor(a, false, print_line, NULL), 0);

    /* What cannot be merged is said, and nothing is half done. */
    char *none = lab_path(l->folder, "none.db");
    REFUSED(gk_store_merge(a, none, &count), GK_NOTFOUND, none);
    REFUSED(gk_store_merge(a, l->a, &count), GK_USAGE, "into itself");
    lab_write(none, "not a database at all", 21);
    REFUSED(gk_store_merge(a, none, &count), GK_FAILED, none, "not a groklab database");
    free(none);
    OK(gk_store_merge(a, l->b, &count));
    assert_true(count.unchanged == 2);
    OK(gk_store_close(a));
}

/* Many shards into one: the same runs as trained into one file. */
static void test_merge_old_and_many(void **state)
{
    lab *l = *state;
    gk_store *out, *s;
    gk_merge_count count;
    OK(gk_store_open(&out, l->a, GK_STORE_CREATE));
    unpack_v1(l->b);
    OK(gk_store_merge(out, l->b, &count)); /* an older file is read as it is */
    assert_true(count.added == 2);
    for (int shard = 0; shard < 5; shard++) {
        char name[32];
        snprintf(name, sizeof name, "shard%d.db", shard);
        char *path = lab_path(l->folder, name);
        OK(gk_store_open(&s, path, GK_STORE_CREATE));
        for (int i = 0; i < 4; i++) whole_run(s, &lab_mlp, name, lab_split(s, 7), (float)shard);
        OK(gk_store_close(s));
        OK(gk_store_merge(out, path, &count));
        assert_true(count.added == 4);
        free(path);
    }
    lab_expect(out, "SELECT count(*), count(DISTINCT split_id), (SELECT count(*) FROM split) FROM run", "22|2|2");
    assert_int_equal(gk_store_doctor(out, false, print_line, NULL), 0);
    OK(gk_store_close(out));
}

/* ---- a log left over, and words about the tables ---- */

static void test_log_left_over(void **state)
{
    lab *l = *state;
    gk_store *s;
    OK(gk_store_open(&s, l->a, GK_STORE_CREATE));
    OK(gk_store_close(s));
    const pid_t child = fork();
    if (child == 0) {
        if (gk_store_open(&s, l->a, GK_STORE_WRITE) != GK_OK) _exit(1);
        whole_run(s, &lab_mlp, "a", lab_split(s, 1), 1);
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    OK(gk_store_open(&s, l->a, GK_STORE_READ));
    lab_expect(s, "SELECT status FROM run", "finished"); /* the log is part of the database */
    assert_int_equal(gk_store_doctor(s, false, NULL, NULL), 1);
    OK(gk_store_close(s));
    OK(gk_store_open(&s, l->a, GK_STORE_WRITE));
    assert_int_equal(gk_store_doctor(s, true, print_line, NULL), 0);
    OK(gk_store_close(s));
    OK(gk_store_open(&s, l->a, GK_STORE_READ));
    assert_int_equal(gk_store_doctor(s, false, print_line, NULL), 0);
    OK(gk_store_close(s));
}

/* Every table and view of a new file has words, every column with words is there. */
static void test_metadata(void **state)
{
    lab *l = *state;
    gk_store *s;
    OK(gk_store_open(&s, l->a, GK_STORE_CREATE));
    char *text = gk_store_metadata("groklab");
    json_t *all = json_loads(text, 0, NULL);
    assert_non_null(all);
    json_t *tables = json_object_get(json_object_get(json_object_get(all, "databases"), "groklab"), "tables");
    assert_true(json_object_size(tables) ==
                lab_number(s, "SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view')"));
    const char *table, *column;
    json_t *about, *words;
    json_object_foreach(tables, table, about)
    {
        assert_true(strlen(json_string_value(json_object_get(about, "description"))) > 9);
        char *sql = gk_text("SELECT count(*) FROM %s", table);
        assert_true(lab_number(s, sql) >= 0);
        free(sql);
        json_object_foreach(json_object_get(about, "columns"), column, words)
        {
            sql = gk_text("SELECT count(%s) FROM %s", column, table);
            assert_true(lab_number(s, sql) >= 0);
            free(sql);
        }
    }
    json_decref(all);
    free(text);
    OK(gk_store_close(s));
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LAB(test_migration),
        LAB(test_migration_at_once),
        LAB(test_versions_that_never_were),
        LAB(test_tags_and_names),
        LAB(test_remove),
        LAB(test_merge),
        LAB(test_merge_old_and_many),
        LAB(test_log_left_over),
        LAB(test_metadata),
    };
    return cmocka_run_group_tests_name("store_care", tests, NULL, NULL);
}
