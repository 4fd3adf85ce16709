/* test_store_open.c: every way in which a file cannot be opened, and what is said about it. */
#include "store_lab.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int set_up(void **state)
{
    *state = lab_folder();
    setenv("GROKLAB_BUSY_MS", "150", 1);
    return 0;
}

static int tear_down(void **state)
{
    unsetenv("GROKLAB_BUSY_MS");
    lab_remove(*state);
    return 0;
}

static void sqlite_file(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_missing(void **state)
{
    char *path = lab_path(*state, "none.db"), *deep = lab_path(*state, "file/x.db"), *file = lab_path(*state, "file");
    gk_store *s = (gk_store *)1;
    REFUSED(gk_store_open(&s, path, GK_STORE_READ), GK_NOTFOUND, path, "no such database", "--db");
    assert_null(s);
    REFUSED(gk_store_open(&s, path, GK_STORE_WRITE), GK_NOTFOUND, path);
    assert_int_equal(access(path, F_OK), -1);
    REFUSED(gk_store_open(&s, *state, GK_STORE_READ), GK_FAILED, "is not a file");
    lab_write(file, "x", 1);
    REFUSED(gk_store_open(&s, deep, GK_STORE_CREATE), GK_FAILED, file, "--db");
    free(path);
    free(deep);
    free(file);
}

static void test_not_ours(void **state)
{
    char *path = lab_path(*state, "foreign.db");
    gk_store *s;
    char junk[3000];
    for (size_t i = 0; i < sizeof junk; i++) junk[i] = (char)(i * 37 + 11);
    for (size_t n = 1; n <= sizeof junk; n += 2999) { /* one byte, and many */
        lab_write(path, junk, n);
        for (int mode = GK_STORE_READ; mode <= GK_STORE_CREATE; mode++)
            REFUSED(gk_store_open(&s, path, mode), GK_FAILED, path, "not a groklab database");
        size_t size;
        unsigned char *after = lab_read(path, &size);
        assert_int_equal(size, n);
        assert_memory_equal(after, junk, n);
        free(after);
    }
    unlink(path);
    sqlite_file(path, "CREATE TABLE t(x)");
    for (int mode = GK_STORE_READ; mode <= GK_STORE_CREATE; mode++)
        REFUSED(gk_store_open(&s, path, mode), GK_FAILED, path, "not one of groklab's");
    unlink(path);
    lab_write(path, "", 0);
    REFUSED(gk_store_open(&s, path, GK_STORE_READ), GK_FAILED, path, "empty file");
    OK(gk_store_open(&s, path, GK_STORE_CREATE)); /* as a process that was killed while it made the file leaves it */
    OK(gk_store_close(s));
    OK(gk_store_open(&s, path, GK_STORE_READ));
    OK(gk_store_close(s));
    free(path);
}

static void test_newer(void **state)
{
    char *path = lab_path(*state, "newer.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    OK(gk_store_close(s));
    sqlite_file(path, "PRAGMA user_version = 1000");
    for (int mode = GK_STORE_READ; mode <= GK_STORE_CREATE; mode++)
        REFUSED(gk_store_open(&s, path, mode), GK_BUSY, path, "newer groklab", "1000");
    free(path);
}

static void test_locked(void **state)
{
    char *path = lab_path(*state, "locked.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    OK(gk_store_close(s));
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    for (int mode = GK_STORE_READ; mode <= GK_STORE_CREATE; mode++)
        REFUSED(gk_store_open(&s, path, mode), GK_BUSY, path, "locked by another process", "0.15 s", "GROKLAB_BUSY_MS");
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);

    /* A writer that holds the file beyond the timeout; readers are not kept out. */
    gk_store *a, *b, *r;
    OK(gk_store_open(&a, path, GK_STORE_WRITE));
    OK(gk_store_open(&b, path, GK_STORE_WRITE));
    OK(gk_store_open(&r, path, GK_STORE_READ));
    OK(gk_store_begin(a));
    REFUSED(gk_store_begin(b), GK_BUSY, path, "locked");
    assert_true(lab_number(r, "SELECT count(*) FROM run") == 0);
    OK(gk_store_commit(a));
    OK(gk_store_begin(b));
    OK(gk_store_commit(b));
    OK(gk_store_close(a));
    OK(gk_store_close(b));
    OK(gk_store_close(r));

    setenv("GROKLAB_BUSY_MS", "soon", 1);
    REFUSED(gk_store_open(&s, path, GK_STORE_READ), GK_USAGE, "GROKLAB_BUSY_MS", "'soon'", "86400000");
    free(path);
}

/* What a user who is not root sees; root may read and write everything. */
static void as_nobody(const char *path, const char *folder, void (*look)(const char *path))
{
    assert_int_equal(chmod(folder, 0755), 0);
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(9);
        look(path); /* cmocka's failure would return here: the child tells by its exit */
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect(int code, int wanted, const char *word)
{
    if (code != wanted || (word && !strstr(gk_error_text(), word))) {
        fprintf(stderr, "code %d (wanted %d), no \"%s\" in: %s\n", code, wanted, word ? word : "", gk_error_text());
        _exit(1);
    }
}

static void look_read_only_file(const char *path)
{
    gk_store *s;
    expect(gk_store_open(&s, path, GK_STORE_WRITE), GK_FAILED, "cannot be written: Permission denied");
    expect(gk_store_open(&s, path, GK_STORE_CREATE), GK_FAILED, "--db");
    expect(gk_store_open(&s, path, GK_STORE_READ), GK_OK, NULL);
    gk_store_close(s);
}

static void look_read_only_folder(const char *path)
{
    gk_store *s;
    expect(gk_store_open(&s, path, GK_STORE_WRITE), GK_FAILED, "its folder cannot be written");
    expect(gk_store_open(&s, path, GK_STORE_READ), GK_OK, NULL);
    gk_store_close(s);
}

static void look_unreadable(const char *path)
{
    gk_store *s;
    expect(gk_store_open(&s, path, GK_STORE_READ), GK_FAILED, "cannot be read: Permission denied");
}

static void look_new_in_read_only_folder(const char *path)
{
    gk_store *s;
    expect(gk_store_open(&s, path, GK_STORE_CREATE), GK_FAILED, "new.db");
}

static void test_permissions(void **state)
{
    char *path = lab_path(*state, "runs.db"), *new = lab_path(*state, "new.db"), *deep = lab_path(*state, "sub/new.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    OK(gk_store_close(s));
    assert_int_equal(chmod(path, 0444), 0);
    as_nobody(path, *state, look_read_only_file);
    assert_int_equal(chmod(path, 0666), 0);
    as_nobody(path, *state, look_read_only_folder);
    /* The same file as another program left it in WAL mode: no index can be made beside it. */
    sqlite_file(path, "PRAGMA journal_mode = WAL");
    as_nobody(path, *state, look_read_only_folder);
    assert_int_equal(chmod(path, 0), 0);
    as_nobody(path, *state, look_unreadable);
    as_nobody(new, *state, look_new_in_read_only_folder);
    as_nobody(deep, *state, look_new_in_read_only_folder);
    free(path);
    free(new);
    free(deep);
}

static void test_read_changes_nothing(void **state)
{
    char *path = lab_path(*state, "runs # 100%?.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_close(s));
    size_t n, m;
    unsigned char *before = lab_read(path, &n);
    OK(gk_store_open(&s, path, GK_STORE_READ));
    assert_true(lab_number(s, "SELECT count(*) FROM run") == 1);
    OK(gk_store_close(s));
    unsigned char *after = lab_read(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    free(path);
}

/* A file cut short or with a ruined page is refused or read in part, never crashed on. */
static void test_damaged(void **state)
{
    char *path = lab_path(*state, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t run = lab_run(s, &lab_mlp, "a", lab_split(s, 1));
    OK(gk_store_begin(s));
    for (int i = 0; i < 5000; i++) OK(gk_store_put_metric(s, run, "m", i, i));
    OK(gk_store_commit(s));
    OK(gk_store_close(s));
    size_t n;
    unsigned char *file = lab_read(path, &n);
    int found = 0;
    for (size_t k = 0; k < 24; k++) {
        unsigned char *bad = malloc(n);
        memcpy(bad, file, n);
        size_t size = n;
        if (k < 8)
            size = n * (k + 1) / 9;
        else
            memset(bad + (k - 7) * 4096, (int)(k * 29), 4096);
        lab_write(path, bad, size);
        free(bad);
        if (gk_store_open(&s, path, GK_STORE_READ) != GK_OK) {
            assert_non_null(strstr(gk_error_text(), path));
            found++;
            continue;
        }
        const int problems = gk_store_doctor(s, false, NULL, NULL);
        found += problems != 0;
        OK(gk_store_close(s));
    }
    assert_true(found >= 20); /* a page of the free list may go unseen */
    free(file);
    free(path);
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LAB(test_missing), LAB(test_not_ours),    LAB(test_newer),
        LAB(test_locked),  LAB(test_permissions), LAB(test_read_changes_nothing),
        LAB(test_damaged),
    };
    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
