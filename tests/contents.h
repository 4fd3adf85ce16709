/* contents.h: what runs left in a database, as texts to compare. */
#ifndef CONTENTS_H
#define CONTENTS_H

#include "gk_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void contents_open(gk_store **out, const char *path)
{
    unlink(path);
    assert_int_equal(gk_store_open(out, path, GK_STORE_CREATE), GK_OK);
}

static const char *const contents[] = {
    "SELECT group_concat(line, char(10)) FROM (SELECT n.name || ' ' || m.step || ' ' || format('%!.17g', m.value) AS "
    "line"
    " FROM metric m JOIN metric_name n ON n.id = m.metric_id WHERE m.run_id = CAST(?1 AS INTEGER) ORDER BY n.name, "
    "m.step)",
    "SELECT group_concat(line, char(10)) FROM (SELECT kind || ' ' || step || ' ' || coalesce(detail, '') AS line FROM "
    "event"
    " WHERE run_id = CAST(?1 AS INTEGER) AND kind NOT IN ('resumed', 'interrupted', 'killed', 'peak_memory')"
    " ORDER BY kind, step)",
    "SELECT group_concat(line, char(10)) FROM (SELECT kind || ' ' || step || ' ' || sha256 AS line FROM matrix"
    " WHERE run_id = CAST(?1 AS INTEGER) ORDER BY id)",
    "SELECT group_concat(line, char(10)) FROM (SELECT kind || ' ' || step || ' ' || sha256 AS line FROM checkpoint"
    " WHERE run_id = CAST(?1 AS INTEGER) ORDER BY id)",
    "SELECT status || ' ' || step FROM run WHERE id = CAST(?1 AS INTEGER)",
};
enum { CONTENTS = sizeof contents / sizeof *contents };

static int take_text(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    if (cells) *(char **)context = gk_text("%s", cells[0].text ? cells[0].text : "");
    return GK_OK;
}

/* The one value that a query about the run ?1 gives, to be freed; NULL where there is no row. */
static char *contents_text(gk_store *s, int64_t run, const char *sql)
{
    char id[24], *text = NULL;
    snprintf(id, sizeof id, "%lld", (long long)run);
    assert_int_equal(gk_store_query(s, sql, (const char *const[]){id, NULL}, take_text, &text), GK_OK);
    return text;
}

static void contents_assert_same(gk_store *a, int64_t run_a, gk_store *b, int64_t run_b)
{
    for (int i = 0; i < CONTENTS; i++) {
        char *x = contents_text(a, run_a, contents[i]), *y = contents_text(b, run_b, contents[i]);
        assert_true(x && y);
        assert_true(strcmp(x, y) == 0); /* too long to be printed */
        free(x);
        free(y);
    }
}

#endif
