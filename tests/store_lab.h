/* store_lab.h: a scratch folder, a small split, a method and settings for the tests of the store. */
#ifndef STORE_LAB_H
#define STORE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gk_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OK(call)                                                                                                       \
    do {                                                                                                               \
        const int code_ = (call);                                                                                      \
        if (code_ != GK_OK) fail_msg("%s: %d: %s", #call, code_, gk_error_text());                                     \
    } while (0)
/* The call fails with the code, in one line that holds each of the words. */
#define REFUSED(call, code, ...)                                                                                       \
    do {                                                                                                               \
        const char *const words_[] = {__VA_ARGS__};                                                                    \
        assert_int_equal(call, code);                                                                                  \
        for (size_t i_ = 0; i_ < COUNT(words_); i_++) {                                                                \
            if (!strstr(gk_error_text(), words_[i_])) fail_msg("no \"%s\" in: %s", words_[i_], gk_error_text());       \
        }                                                                                                              \
        assert_null(strchr(gk_error_text(), '\n'));                                                                    \
    } while (0)

static const gk_method lab_mlp = {.name = "mlp", .unit = "epoch", .summary = "for tests"};
static const gk_method lab_rfm = {.name = "rfm", .unit = "iteration", .summary = "for tests"};

static inline char *lab_folder(void)
{
    char *folder = strdup("/tmp/groklab-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

/* Removes the folder and the files in it (one level). */
static inline void lab_remove(char *folder)
{
    char *command = gk_text("rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(folder);
}

static inline char *lab_path(const char *folder, const char *name)
{
    return gk_text("%s/%s", folder, name);
}

/* A split of p = 3 addition whose hash is that of its seed: the store takes it as it is. */
static inline int64_t lab_split(gk_store *s, uint64_t seed)
{
    int32_t train[] = {0, 2, 5};
    gk_split split = {
        .train_fraction = 1.0 / 3, .seed = seed, .generator = "philox", .n_train = 3, .n_test = 6, .train = train};
    strcpy(split.task.op, "add");
    split.task.p = 3;
    gk_sha256(&seed, sizeof seed, split.sha256);
    int64_t id = -1;
    OK(gk_store_put_split(s, &split, &id));
    return id;
}

static inline void lab_config(gk_config *config, const char *name, const char *lr)
{
    static const gk_key keys[] = {
        {"name", GK_KEY_TEXT, "", 0, 0, NULL, "name"},
        {"seed", GK_KEY_INT, "0", 0, 1e15, NULL, "seed"},
        {"lr", GK_KEY_REAL, "0.001", 0, 10, NULL, "learning rate"},
        {"dtype", GK_KEY_CHOICE, "float32", 0, 0, "float32|float64", "number type"},
        {0},
    };
    gk_config_init(config);
    OK(gk_config_add(config, keys));
    OK(gk_config_set(config, "name", name, "test"));
    OK(gk_config_set(config, "lr", lr, "test"));
}

static inline int64_t lab_run(gk_store *s, const gk_method *method, const char *name, int64_t split)
{
    gk_config config;
    int64_t id = -1;
    lab_config(&config, name, "0.001");
    OK(gk_store_new_run(s, method, &config, split, -1, &id));
    gk_config_free(&config);
    return id;
}

/* ---- one value out of a query ---- */

static inline int lab_take_real(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)names;
    assert_true(columns >= 1);
    if (cells) *(double *)context = cells[0].type == GK_CELL_NULL ? -999 : cells[0].real;
    return GK_OK;
}

/* The first column of the last row; -999 for NULL, -998 for no row. */
static inline double lab_number(gk_store *s, const char *sql)
{
    double value = -998;
    OK(gk_store_query(s, sql, NULL, lab_take_real, &value));
    return value;
}

static inline int lab_take_text(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    char **text = context;
    (void)names;
    for (int i = 0; cells && i < columns; i++) {
        char number[32];
        gk_text_from_real(cells[i].real, number);
        char *longer = gk_text("%s%s%s", *text ? *text : "", *text ? (i ? "|" : "\n") : "",
                               cells[i].type == GK_CELL_NULL   ? "NULL"
                               : cells[i].type == GK_CELL_TEXT ? cells[i].text
                               : cells[i].type == GK_CELL_BLOB ? "BLOB"
                                                               : number);
        free(*text);
        *text = longer;
    }
    return GK_OK;
}

/* All rows as text, columns by '|', rows by newlines; malloc'ed, NULL without rows. */
static inline char *lab_rows(gk_store *s, const char *sql)
{
    char *text = NULL;
    OK(gk_store_query(s, sql, NULL, lab_take_text, &text));
    return text;
}

/* A statement without rows. */
static inline void lab_do(gk_store *s, const char *sql)
{
    free(lab_rows(s, sql));
}

static inline void lab_expect(gk_store *s, const char *sql, const char *wanted)
{
    char *text = lab_rows(s, sql);
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

/* ---- files ---- */

static inline unsigned char *lab_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s cannot be read", path);
    static const size_t room = 1 << 24;
    unsigned char *data = malloc(room);
    *size = fread(data, 1, room, f);
    fclose(f);
    return data;
}

static inline void lab_write(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#endif
