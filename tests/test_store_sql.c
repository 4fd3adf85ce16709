/* test_store_sql.c: the SQL functions against NumPy, their errors word for word, and any bytes at all for a matrix. */
#include "store_lab.h"

#include "src/store/sql_core.h"
#include "src/store/sql_sqlite.h"
#include "src/store/zip.h"

#include "fixtures/store_sql.h"

#include <float.h>
#include <math.h>

enum { P = 7, N = 2 * P };

typedef struct blob {
    const void *data;
    size_t size;
} blob;

#define BLOB(bytes) ((blob){bytes, sizeof bytes})

static sqlite3 *open_db(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(gk_sql_register(db), SQLITE_OK);
    return db;
}

static int set_up(void **state)
{
    *state = open_db();
    return 0;
}

static int tear_down(void **state)
{
    return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

/* A statement with ?1 and ?2 bound, on its first row. */
static sqlite3_stmt *first(sqlite3 *db, const char *sql, blob a, blob b)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (a.data) sqlite3_bind_blob(row, 1, a.data, (int)a.size, SQLITE_STATIC);
    if (b.data) sqlite3_bind_blob(row, 2, b.data, (int)b.size, SQLITE_STATIC);
    if (sqlite3_step(row) != SQLITE_ROW) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return row;
}

static double number(sqlite3 *db, const char *sql, blob a, blob b)
{
    sqlite3_stmt *row = first(db, sql, a, b);
    const double value = sqlite3_column_type(row, 0) == SQLITE_NULL ? NAN : sqlite3_column_double(row, 0);
    sqlite3_finalize(row);
    return value;
}

static bool near(double is, double wanted, double scale)
{
    return fabs(is - wanted) <= 1e-12 * (1 + scale);
}

static void expect_number(sqlite3 *db, const char *sql, blob a, blob b, double wanted)
{
    const double is = number(db, sql, a, b);
    if (!near(is, wanted, fabs(wanted))) fail_msg("%s is %.17g, not %.17g", sql, is, wanted);
}

static void expect_matrix(sqlite3 *db, const char *sql, blob a, blob b, int rows, int cols, const double *wanted)
{
    sqlite3_stmt *row = first(db, sql, a, b);
    gk_sql_matrix m;
    OK(gk_sql_matrix_read(sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0), &m));
    sqlite3_finalize(row);
    assert_true(m.rows == rows && m.cols == cols);
    double largest = 0;
    for (int i = 0; i < rows * cols; i++) largest = fmax(largest, fabs(wanted[i]));
    for (int i = 0; i < rows * cols; i++) {
        if (!near(m.data[i], wanted[i], largest))
            fail_msg("%s: entry %d is %.17g, not %.17g", sql, i, m.data[i], wanted[i]);
    }
    free(m.data);
}

/* The statement fails with a sentence that begins with the function's name and holds the word. */
static void expect_error(sqlite3 *db, const char *sql, blob a, blob b, const char *word)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (a.data) sqlite3_bind_blob(row, 1, a.data, (int)a.size, SQLITE_STATIC);
    if (b.data) sqlite3_bind_blob(row, 2, b.data, (int)b.size, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(row), SQLITE_ERROR);
    const char *line = sqlite3_errmsg(db);
    if (!strstr(line, word) || !strstr(line, "(): ") || line[strlen(line) - 1] != '.')
        fail_msg("%s\nsays: %s\nnot: %s", sql, line, word);
    sqlite3_finalize(row);
}

static const blob NONE = {NULL, 0};

static void test_numbers(void **state)
{
    sqlite3 *db = *state;
    const blob a = BLOB(sql_a), zipped = BLOB(sql_a_zipped), b = BLOB(sql_b), wide = BLOB(sql_wide);
    expect_number(db, "SELECT mat_rows(?1)", wide, NONE, 3);
    expect_number(db, "SELECT mat_cols(?1)", wide, NONE, 5);
    expect_number(db, "SELECT mat_rows(?1)", BLOB(sql_row), NONE, 1);
    expect_number(db, "SELECT mat_get(?1, 8, 2)", a, NONE, sql_block[1 * P + 2]);
    expect_number(db, "SELECT mat_trace(?1)", a, NONE, sql_traces[0]);
    expect_number(db, "SELECT mat_trace(?1)", zipped, NONE, sql_traces[0]);
    expect_number(db, "SELECT mat_norm(?1)", a, NONE, sql_norms[0]);
    expect_number(db, "SELECT mat_norm(?2)", a, b, sql_norms[1]);
    expect_number(db, "SELECT mat_cosine(?1, ?2)", a, b, sql_cosine[0]);
    expect_number(db, "SELECT mat_cosine(?1, ?2)", zipped, a, 1);
    expect_number(db, "SELECT mat_corr(?1, ?2)", b, zipped, sql_corr[0]);
}

/* Equal entries correlate with nothing, whatever the rounding of their mean. */
static void test_constant(void **state)
{
    double tenths[N * N];
    for (int i = 0; i < N * N; i++) tenths[i] = 0.1;
    unsigned char *npy;
    size_t n;
    OK(gk_npy_write(tenths, GK_F64, 2, (const int64_t[]){N, N}, &npy, &n));
    const blob same = {npy, n};
    expect_number(*state, "SELECT mat_corr(?1, ?1)", same, NONE, 0);
    expect_number(*state, "SELECT mat_corr(?1, ?2) IS 0.0", same, BLOB(sql_a), 1);
    expect_number(*state, "SELECT mat_cosine(?1, ?1)", same, NONE, 1);
    free(npy);
}

static void test_matrices(void **state)
{
    sqlite3 *db = *state;
    const blob a = BLOB(sql_a), b = BLOB(sql_b);
    expect_matrix(db, "SELECT mat_nodiag(?1)", a, NONE, N, N, sql_nodiag);
    expect_matrix(db, "SELECT mat_block(?1)", a, NONE, P, P, sql_block);
    expect_matrix(db, "SELECT mat_block(?1, 2, 5, 1, 12)", a, NONE, 3, 11, sql_part);
    expect_matrix(db, "SELECT mat_reorder_dlog(mat_block(?1))", a, NONE, P - 1, P - 1, sql_reordered_block);
    expect_matrix(db, "SELECT mat_reorder_dlog(?1)", a, NONE, N - 2, N - 2, sql_reordered);
    expect_matrix(db, "SELECT mat_mul(?1, ?2)", a, b, N, N, sql_product);
    expect_matrix(db, "SELECT mat_sqrt(?1)", b, NONE, N, N, sql_sqrt);
}

static void test_circulance(void **state)
{
    sqlite3 *db = *state;
    const blob a = BLOB(sql_a);
    const double *const wanted[] = {sql_circular_toeplitz, sql_circular_hankel, sql_circular_toeplitz_dlog,
                                    sql_circular_hankel_dlog};
    static const char *const names[][2] = {
        {"toeplitz", "add"}, {"hankel", "sub"}, {"toeplitz_dlog", "mul"}, {"hankel_dlog", "div"}};
    int best = 0;
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 2; k++) {
            char sql[100];
            snprintf(sql, sizeof sql, "SELECT mat_circulant_deviation(mat_block(?1), '%s')", names[i][k]);
            expect_number(db, sql, a, NONE, wanted[i][0]);
            snprintf(sql, sizeof sql, "SELECT mat_circulance(mat_block(?1), '%s')", names[i][k]);
            expect_number(db, sql, a, NONE, wanted[i][1]);
        }
        if (wanted[i][1] > wanted[best][1]) best = i;
    }
    expect_number(db, "SELECT mat_circulance(mat_block(?1))", a, NONE, wanted[best][1]);
    expect_number(db, "SELECT mat_circulance(mat_block(?1), 'best')", a, NONE, wanted[best][1]);
    expect_number(db, "SELECT mat_circulant_deviation(mat_block(?1))", a, NONE, wanted[best][0]);
    sqlite3_stmt *row = first(db, "SELECT mat_best_ordering(mat_block(?1))", a, NONE);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), names[best][0]);
    sqlite3_finalize(row);
}

static void test_tables(void **state)
{
    sqlite3 *db = *state;
    const blob a = BLOB(sql_a), b = BLOB(sql_b);
    expect_number(db, "SELECT count(*) FROM mat_each(?1)", a, NONE, N * N);
    expect_number(db, "SELECT value FROM mat_each(?1) WHERE row = 8 AND col = 2", a, NONE, sql_block[P + 2]);
    expect_number(db, "SELECT sum(value) FROM mat_each(?1) WHERE row = col", a, NONE, sql_traces[0]);
    for (int i = 0; i < N; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT value FROM mat_eig(?1) WHERE n = %d", i);
        expect_number(db, sql, b, NONE, sql_eigenvalues[i]);
        /* B v = lambda v, and v has length 1 */
        snprintf(sql, sizeof sql,
                 "SELECT abs(mat_get(mat_mul(vector, mat_mul(?1, ?1)), 0, 3) - value * value * mat_get(vector, 0, 3)) "
                 "+ abs(1 - mat_norm(vector)) < 1e-11 FROM mat_eig(?1) WHERE n = %d",
                 i);
        expect_number(db, sql, b, NONE, 1);
    }
    double sum = 0;
    for (int k = 0; k <= P / 2; k++) {
        char sql[100];
        snprintf(sql, sizeof sql, "SELECT toeplitz FROM mat_fourier(mat_block(?1)) WHERE k = %d", k);
        expect_number(db, sql, a, NONE, sql_fourier[2 * k]);
        snprintf(sql, sizeof sql, "SELECT hankel FROM mat_fourier(mat_block(?1)) WHERE k = %d", k);
        expect_number(db, sql, a, NONE, sql_fourier[2 * k + 1]);
        sum += sql_fourier[2 * k];
    }
    expect_number(db, "SELECT sum(toeplitz) FROM mat_fourier(mat_block(?1))", a, NONE, sum);
    /* Joined to a column, each row with its own matrix; NULL gives no rows. */
    expect_number(db,
                  "WITH m(x) AS (VALUES (?1), (?2), (NULL)) SELECT sum(value) FROM m, mat_each(m.x) WHERE row = col", a,
                  b, sql_traces[0] + sql_traces[1]);
    expect_number(db, "SELECT count(*) FROM mat_each(NULL)", NONE, NONE, 0);
    expect_number(db, "SELECT count(*) FROM mat_eig(?1) WHERE matrix IS NULL", a, NONE, N);
    assert_int_equal(sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING mat_each(x)", NULL, NULL, NULL), SQLITE_ERROR);
}

static void test_aggregates(void **state)
{
    sqlite3 *db = *state;
    sqlite3_exec(db, "CREATE TABLE n(i INTEGER, x)", NULL, NULL, NULL);
    sqlite3_stmt *insert;
    sqlite3_prepare_v2(db, "INSERT INTO n VALUES(?1, ?2)", -1, &insert, NULL);
    for (int i = 0; i < (int)COUNT(sql_numbers); i++) {
        sqlite3_bind_int(insert, 1, i);
        sqlite3_bind_double(insert, 2, sql_numbers[i]);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite3_exec(db, "INSERT INTO n VALUES(99, NULL)", NULL, NULL, NULL);
    expect_number(db, "SELECT median(x) FROM n", NONE, NONE, sql_statistics[0]);
    expect_number(db, "SELECT median(x) FROM n WHERE i < 10", NONE, NONE, sql_statistics[1]);
    expect_number(db, "SELECT stddev_samp(x) FROM n", NONE, NONE, sql_statistics[2]);
    expect_number(db, "SELECT percentile(x, 0) FROM n", NONE, NONE, sql_statistics[3]);
    expect_number(db, "SELECT percentile(x, 33.3) FROM n", NONE, NONE, sql_statistics[4]);
    expect_number(db, "SELECT percentile(x, '90') FROM n", NONE, NONE, sql_statistics[5]);
    expect_number(db, "SELECT percentile(x, 100) FROM n", NONE, NONE, sql_statistics[6]);
    expect_number(db, "SELECT median(x) FROM (SELECT 7 AS x)", NONE, NONE, 7);
    expect_number(db, "SELECT median(9e999) IS 9e999", NONE, NONE, 1);
    expect_number(db, "SELECT sum(m) FROM (SELECT median(x) AS m FROM n WHERE i < 4 GROUP BY i / 2)", NONE, NONE,
                  (sql_numbers[0] + sql_numbers[1] + sql_numbers[2] + sql_numbers[3]) / 2);
    assert_true(isnan(number(db, "SELECT median(x) FROM n WHERE 0", NONE, NONE)));
    assert_true(isnan(number(db, "SELECT median(x) FROM n WHERE x IS NULL", NONE, NONE)));
    assert_true(isnan(number(db, "SELECT stddev_samp(x) FROM n WHERE i = 1", NONE, NONE)));
    expect_error(db, "SELECT median(x) FROM (SELECT 1 AS x UNION ALL SELECT 'many')", NONE, NONE,
                 "median(): argument 1: numbers");
}

static void test_json(void **state)
{
    sqlite3_stmt *row = first(*state, "SELECT mat_to_json(?1)", BLOB(sql_row), NONE);
    assert_string_equal((const char *)sqlite3_column_text(row, 0), "[[1.5,-2,null]]");
    sqlite3_finalize(row);
    /* Exact: every number reads back to the same bits. */
    row = first(*state, "SELECT mat_to_json(mat_block(?1))", BLOB(sql_a), NONE);
    const char *at = (const char *)sqlite3_column_text(row, 0);
    for (int i = 0; i < P * P; i++) {
        at += strspn(at, "[],");
        char *end;
        assert_true(strtod(at, &end) == sql_block[i]);
        at = end;
    }
    assert_string_equal(at, "]]");
    sqlite3_finalize(row);
    expect_number(*state, "SELECT json_array_length(mat_to_json(?1), '$[2]')", BLOB(sql_wide), NONE, 5);
}

/* ---- png ---- */

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void test_png(void **state)
{
    double values[6] = {-4, 0, 4, 2, NAN, -1e-9};
    const int64_t shape[2] = {2, 3};
    unsigned char *npy;
    size_t n;
    OK(gk_npy_write(values, GK_F64, 2, shape, &npy, &n));
    sqlite3_stmt *row = first(*state, "SELECT mat_png(?1, 5)", (blob){npy, n}, NONE);
    const unsigned char *png = sqlite3_column_blob(row, 0), *end = png + sqlite3_column_bytes(row, 0);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    const unsigned char *palette = NULL, *packed = NULL, *at = png + 8;
    size_t packed_size = 0;
    char kinds[40] = "";
    while (at < end) { /* every chunk with its check sum, up to the last byte */
        const uint32_t size = get32(at);
        assert_true(at + 12 + size <= end);
        strncat(kinds, (const char *)at + 4, 4);
        assert_int_equal(gk_crc32(0, at + 4, size + 4), get32(at + 8 + size));
        if (memcmp(at + 4, "IHDR", 4) == 0) assert_memory_equal(at + 8, "\0\0\0\x0f\0\0\0\x0a\x08\x03\0\0\0", 13);
        if (memcmp(at + 4, "PLTE", 4) == 0) palette = at + 8;
        if (memcmp(at + 4, "IDAT", 4) == 0) packed = at + 8, packed_size = size;
        at += 12 + size;
    }
    assert_true(at == end);
    assert_string_equal(kinds, "IHDRPLTEIDATIEND");
    unsigned char *pixels;
    OK(gk_unzip(packed, packed_size, 10 * 16, &pixels));
    static const int wanted[2][3] = {{0, 127, 254}, {127 + 64, 255, 127}};
    for (int y = 0; y < 10; y++) {
        assert_int_equal(pixels[16 * y], 0); /* no filter */
        for (int x = 0; x < 15; x++) assert_int_equal(pixels[16 * y + 1 + x], wanted[y / 5][x / 5]);
    }
    assert_memory_equal(palette + 3 * 127, "\xf7\xf7\xf7", 3);                       /* white at 0 */
    assert_true(palette[0] < palette[2] && palette[3 * 254] > palette[3 * 254 + 2]); /* blue below, red above */
    free(pixels);
    sqlite3_finalize(row);
    row = first(*state, "SELECT mat_png(?1)", (blob){npy, n}, NONE);
    png = sqlite3_column_blob(row, 0);
    assert_int_equal(get32(png + 16), 3 * 134); /* about 400 pixels */
    sqlite3_finalize(row);
    free(npy);
}

/* ---- what is refused ---- */

static void test_errors(void **state)
{
    sqlite3 *db = *state;
    const blob a = BLOB(sql_a), wide = BLOB(sql_wide), row = BLOB(sql_row);
    expect_error(db, "SELECT mat_rows(3)", NONE, NONE,
                 "mat_rows(): argument 1: an integer was given, and a matrix blob");
    expect_error(db, "SELECT mat_rows('x')", NONE, NONE, "a text was given");
    expect_error(db, "SELECT mat_rows(x'')", NONE, NONE, "does not start with");
    expect_error(db, "SELECT mat_rows(x'789c00')", NONE, NONE, "does not start with");
    expect_error(db, "SELECT mat_rows(substr(?1, 1, 200))", BLOB(sql_a_zipped), NONE, "damaged");
    expect_error(db, "SELECT mat_rows(substr(?1, 1, 200))", a, NONE, "truncated");
    expect_error(db, "SELECT mat_rows(?1)", BLOB(sql_cube), NONE, "3 dimensions");
    expect_error(db, "SELECT mat_cosine(?1, 'b')", a, NONE, "mat_cosine(): argument 2");
    expect_error(db, "SELECT mat_cosine(?1, ?2)", a, wide, "14 x 14 and 3 x 5");
    expect_error(db, "SELECT mat_corr(?1, ?2)", a, wide, "one shape");
    expect_error(db, "SELECT mat_trace(?1)", wide, NONE, "3 x 5 and must be square");
    expect_error(db, "SELECT mat_get(?1, 3, 0)", wide, NONE, "no entry (3, 0)");
    expect_error(db, "SELECT mat_get(?1, 0, -1)", wide, NONE, "no entry (0, -1)");
    expect_error(db, "SELECT mat_get(?1, 0, 9223372036854775807)", wide, NONE, "no entry");
    expect_error(db, "SELECT mat_get(?1, 0, 1.5)", wide, NONE, "argument 3: a real number was given");
    expect_error(db, "SELECT mat_mul(?1, ?2)", a, wide, "14 x 14");
    expect_error(db, "SELECT mat_sqrt(?1)", wide, NONE, "square");
    expect_error(db, "SELECT mat_sqrt(mat_block(?1))", a, NONE, "symmetric, and entry (1, 0)");
    expect_error(db, "SELECT * FROM mat_eig(mat_block(?1))", a, NONE, "mat_eig(): the matrix must be symmetric");
    expect_error(db, "SELECT * FROM mat_eig(?1)", wide, NONE, "mat_eig(): the matrix is 3 x 5");
    expect_error(db, "SELECT * FROM mat_fourier(?1)", wide, NONE, "square");
    expect_error(db, "SELECT * FROM mat_each", NONE, NONE, "mat_each(): needs a matrix");
    expect_error(db, "SELECT * FROM mat_each(3)", NONE, NONE, "matrix blob");
    expect_error(db, "SELECT * FROM mat_each(x'00')", NONE, NONE, "mat_each(): not an npy array");
    expect_error(db, "SELECT mat_block(mat_block(?1))", a, NONE, "7 x 7; a feature matrix has 2p rows");
    expect_error(db, "SELECT mat_block(?1, 0, 15, 0, 1)", a, NONE, "no block of a 14 x 14");
    expect_error(db, "SELECT mat_block(?1, 3, 3, 0, 1)", a, NONE, "no block");
    expect_error(db, "SELECT mat_reorder_dlog(mat_block(?1, 0, 9, 0, 9))", a, NONE, "9 rows, which is neither");
    expect_error(db, "SELECT mat_circulance(?1, 'mul')", a, NONE, "p = 14 is not prime");
    expect_error(db, "SELECT mat_circulance(mat_block(?1), 'x^2')", a, NONE, "'x^2' is no ordering");
    expect_error(db, "SELECT mat_png(?1, 0)", a, NONE, "0 pixels");
    expect_error(db, "SELECT mat_png(?1, 5000)", a, NONE, "5000 pixels");
    expect_error(db, "SELECT mat_sqrt(?1)", row, NONE, "square");
    expect_error(db, "SELECT median(x'00')", NONE, NONE, "median(): argument 1: numbers are needed");
    expect_error(db, "SELECT percentile(1, 101)", NONE, NONE, "0 to 100");
    expect_error(db, "SELECT percentile(1, NULL)", NONE, NONE, "0 to 100");
    expect_error(db, "SELECT percentile(x, x) FROM (SELECT 1 AS x UNION ALL SELECT 2)", NONE, NONE,
                 "the same in every row");
}

/* A small blob that unpacks to far more than any matrix: refused before the memory is taken. */
static void test_bomb(void **state)
{
    const size_t n = (size_t)300 << 20;
    unsigned char *zeros = calloc(n, 1), *packed;
    size_t size;
    assert_non_null(zeros);
    OK(gk_deflate(zeros, n, &packed, &size));
    free(zeros);
    assert_true(size < 400000);
    expect_error(*state, "SELECT mat_rows(?1)", (blob){packed, size}, NONE, "holds more than 268435456 bytes");
    free(packed);
    /* A product that would not fit, and a picture too tall. */
    const int64_t tall[2] = {20000, 1}, flat[2] = {1, 20000};
    double *ones = calloc(20000, sizeof *ones);
    unsigned char *a, *b;
    size_t na, nb;
    OK(gk_npy_write(ones, GK_F64, 2, tall, &a, &na));
    OK(gk_npy_write(ones, GK_F64, 2, flat, &b, &nb));
    expect_error(*state, "SELECT mat_mul(?1, ?2)", (blob){a, na}, (blob){b, nb}, "20000 x 20000 entries");
    expect_error(*state, "SELECT mat_png(?1)", (blob){a, na}, NONE, "1 to 16000 pixels a side");
    free(ones);
    free(a);
    free(b);
}

/* ---- every row of the tables ---- */

static void make_call(char *sql, size_t room, const char *name, const char *kinds, int null_at)
{
    int at = snprintf(sql, room, "SELECT %s(", name);
    for (int i = 0; kinds[i]; i++)
        at += snprintf(sql + at, room - (size_t)at, "%s%s", i ? ", " : "",
                       i == null_at      ? "NULL"
                       : kinds[i] == 'm' ? "?1"
                       : kinds[i] == 'i' ? "1"
                                         : "'add'");
    snprintf(sql + at, room - (size_t)at, ")");
}

static void test_contract(void **state)
{
    sqlite3 *db = *state;
    char sql[200];
    int functions = 0;
    for (const gk_sql_scalar *f = gk_sql_scalars; f->about.name; f++, functions++) {
        for (int i = 0; f->kinds[i]; i++) { /* NULL in, NULL out, whatever else is given */
            make_call(sql, sizeof sql, f->about.name, f->kinds, i);
            assert_true(isnan(number(db, sql, (blob){"junk", 4}, NONE)));
        }
        /* Deterministic and innocuous: allowed in an index, and in a view of a schema that is not trusted. */
        make_call(sql, sizeof sql, f->about.name, f->kinds, -1);
        char *parameter = strstr(sql, "?1");
        char *statement =
            gk_text("CREATE TABLE IF NOT EXISTS t(x); DROP INDEX IF EXISTS ix; CREATE INDEX ix ON t(%.*sx%s)",
                    (int)(parameter - sql) - 7, sql + 7, parameter + 2);
        for (char *again; (again = strstr(statement, "?1")); memcpy(again, "x ", 2)) continue;
        if (sqlite3_exec(db, statement, NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", statement, sqlite3_errmsg(db));
        free(statement);
    }
    for (const gk_sql_table *t = gk_sql_tables; t->about.name; t++, functions++) assert_true(strlen(t->kinds) >= 3);
    for (const gk_sql_aggregate *f = gk_sql_aggregates; f->about.name; f++) functions++;
    /* The public list has them all, each with its words. */
    for (int i = 0; i < functions; i++) {
        const gk_sql_function *f = gk_store_function(i);
        assert_non_null(f);
        assert_true(strlen(f->arguments) > 0 && strlen(f->description) > 9);
    }
    assert_null(gk_store_function(functions));
    /* Every function of the design. */
    static const char *const design[] = {
        "mat_rows",    "mat_cols",   "mat_get",     "mat_trace",        "mat_norm",       "mat_cosine",
        "mat_corr",    "mat_nodiag", "mat_block",   "mat_reorder_dlog", "mat_circulance", "mat_circulant_deviation",
        "mat_mul",     "mat_sqrt",   "mat_to_json", "mat_png",          "mat_each",       "mat_eig",
        "mat_fourier", "median",     "stddev_samp", "percentile"};
    for (size_t k = 0; k < COUNT(design); k++) {
        bool there = false;
        for (int i = 0; i < functions; i++) there = there || strcmp(gk_store_function(i)->name, design[k]) == 0;
        assert_true(there);
    }
}

/* Blobs that are bent in any way, through every function. */
static void test_fuzz(void **state)
{
    sqlite3 *db = *state;
    sqlite3_stmt *calls[64];
    int n = 0;
    char sql[200];
    for (const gk_sql_scalar *f = gk_sql_scalars; f->about.name; f++) {
        make_call(sql, sizeof sql, f->about.name, f->kinds, -1);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &calls[n++], NULL), SQLITE_OK);
    }
    for (const gk_sql_table *t = gk_sql_tables; t->about.name; t++) {
        snprintf(sql, sizeof sql, "SELECT * FROM %s(?1)", t->about.name);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &calls[n++], NULL), SQLITE_OK);
    }
    const double small[16] = {1, 2, 0, 0, 2, 1, 0, 0, 0, 0, 3, NAN, 0, 0, 1, 1};
    unsigned char *npy, *zipped;
    size_t size[2];
    OK(gk_npy_write(small, GK_F64, 2, (const int64_t[]){4, 4}, &npy, &size[0]));
    OK(gk_deflate(npy, size[0], &zipped, &size[1]));
    const unsigned char *const seeds[2] = {npy, zipped};
    gk_random random;
    gk_random_seed(&random, 11, 0);
    for (int round = 0; round < 3000; round++) {
        const int which = round % 2;
        size_t length = size[which];
        unsigned char *bent = malloc(length);
        memcpy(bent, seeds[which], length);
        for (uint64_t k = gk_random_below(&random, 4); k > 0; k--)
            bent[gk_random_below(&random, length)] = (unsigned char)gk_random_raw(&random);
        if (round % 5 == 0) length = gk_random_below(&random, length + 1);
        unsigned char *exact = malloc(length ? length : 1);
        memcpy(exact, bent, length);
        free(bent);
        sqlite3_stmt *call = calls[(round / 2) % n];
        sqlite3_bind_blob(call, 1, exact, (int)length, SQLITE_STATIC);
        while (sqlite3_step(call) == SQLITE_ROW)
            for (int i = 0; i < sqlite3_column_count(call); i++) sqlite3_column_bytes(call, i);
        sqlite3_reset(call);
        sqlite3_clear_bindings(call);
        free(exact);
    }
    for (int i = 0; i < n; i++) sqlite3_finalize(calls[i]);
    free(npy);
    free(zipped);
}

static void test_on_a_store(void **state)
{
    (void)state;
    char *folder = lab_folder(), *path = lab_path(folder, "runs.db");
    gk_store *s;
    OK(gk_store_open(&s, path, GK_STORE_CREATE));
    const int64_t split = lab_split(s, 1), a = lab_run(s, &lab_mlp, "a", split), b = lab_run(s, &lab_rfm, "b", split);
    const double same[4] = {1, 2, 2, 5}, other[4] = {1, 0, 0, 1};
    OK(gk_store_put_matrix(s, a, 1, "agop", other, 2, 2, GK_F64));
    OK(gk_store_put_matrix(s, a, 2, "agop", same, 2, 2, GK_F32));
    OK(gk_store_put_matrix(s, b, 9, "metric", same, 2, 2, GK_F64));
    OK(gk_store_functions(s));
    lab_expect(s,
               "SELECT x.step, round(mat_cosine(x.data, y.data), 6) FROM matrix x, matrix y WHERE x.run_id = 1 AND "
               "y.run_id = 2 ORDER BY 1",
               "1|0.727607\n2|1");
    OK(gk_store_close(s));
    lab_remove(folder);
    free(path);
}

int main(void)
{
#define DB(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        DB(test_numbers),    DB(test_constant), DB(test_matrices), DB(test_circulance), DB(test_tables),
        DB(test_aggregates), DB(test_json),     DB(test_png),        DB(test_errors),
        DB(test_bomb),       DB(test_contract), DB(test_fuzz),       DB(test_on_a_store),
    };
    return cmocka_run_group_tests_name("store_sql", tests, NULL, NULL);
}
