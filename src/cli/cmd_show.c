/* cmd_show.c: groklab show: one run in full. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

/* The parts of a run. Each query gives rows of its own; as text and CSV a row is (part, key, value). */
typedef struct part {
    const char *name;
    bool object; /* in JSON: {key: value} instead of a list of rows */
    const char *sql;
} part;

#define OF_RUN " WHERE run_id = CAST(?1 AS INTEGER)"

static const part parts[] = {
    {"settings", true, "SELECT key, value FROM param" OF_RUN " ORDER BY key"},
    {"tags", true, "SELECT key, value FROM tag" OF_RUN " ORDER BY key"},
    {"events", false, "SELECT kind, step, detail FROM event" OF_RUN " ORDER BY step, kind"},
    {"metrics", true, "SELECT name, value FROM latest_metrics" OF_RUN " ORDER BY name"},
    {"matrices", false,
     "SELECT kind, rows, cols, count(*) AS stored, min(step) AS first_step, max(step) AS last_step,"
     " sum(length(data)) AS bytes FROM matrix" OF_RUN " GROUP BY kind, rows, cols ORDER BY kind"},
    {"checkpoints", false,
     "SELECT kind, count(*) AS stored, min(step) AS first_step, max(step) AS last_step, sum(length(data)) AS bytes"
     " FROM checkpoint" OF_RUN " GROUP BY kind ORDER BY kind"},
    {NULL, false, NULL},
};

static const char RUN[] =
    "SELECT r.id, r.uid, r.name, r.method, r.status, r.step, r.step_unit, r.seed, r.dtype, r.wall_seconds, r.started_at,"
    " r.ended_at, r.parent_id, r.host, r.pid, r.version, r.error, r.config_sha256, r.split_id, s.op, s.p,"
    " s.train_fraction, s.seed AS split_seed, s.generator AS split_generator, s.n_train, s.n_test, s.sha256 AS split_sha256"
    " FROM run r JOIN split s ON s.id = r.split_id WHERE r.id = CAST(?1 AS INTEGER)";

typedef struct printer {
    const part *part; /* NULL for the run's own fields */
    gk_list_format format;
    gk_list list;  /* CSV */
    int rows;
} printer;

/* ---- JSON: {"id":1, ..., "settings":{...}, "events":[...]} ---- */

static void json_field(const char *name, const gk_cell *cell, bool first)
{
    fputs(first ? "" : ",", stdout);
    gk_json_text(stdout, name);
    putchar(':');
    gk_json_cell(stdout, cell);
}

static int json_row(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    printer *p = context;
    if (!cells) return GK_OK;
    if (!p->part) {
        for (int c = 0; c < columns; c++) json_field(names[c], &cells[c], c == 0);
    } else if (p->part->object) {
        json_field(cells[0].text, &cells[1], p->rows == 0);
    } else {
        fputs(p->rows ? ",\n  {" : "\n  {", stdout);
        for (int c = 0; c < columns; c++) json_field(names[c], &cells[c], c == 0);
        putchar('}');
    }
    p->rows++;
    return GK_OK;
}

static int show_json(gk_store *s, const char *const *params)
{
    printer p = {.format = GK_LIST_JSON};
    putchar('{');
    int code = gk_store_query(s, RUN, params, json_row, &p);
    for (p.part = parts; p.part->name && code == GK_OK; p.part++) {
        p.rows = 0;
        printf(",\n \"%s\":%c", p.part->name, p.part->object ? '{' : '[');
        code = gk_store_query(s, p.part->sql, params, json_row, &p);
        putchar(p.part->object ? '}' : ']');
    }
    puts("}");
    return code;
}

/* ---- CSV: part,key,value ---- */

static int csv_row(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    printer *p = context;
    int code = GK_OK;
    if (!cells) return GK_OK;
    if (p->part && p->part->object) {
        const gk_cell row[3] = {gk_cell_text(p->part->name), cells[0], cells[1]};
        return gk_list_row(&p->list, row);
    }
    for (int c = 0; c < columns && code == GK_OK; c++) {
        char *part_name = p->part ? gk_text("%s.%s", p->part->name, cells[0].text) : gk_text("run");
        const gk_cell row[3] = {gk_cell_text(part_name), gk_cell_text(names[c]), cells[c]};
        if (!p->part || c > 0) code = gk_list_row(&p->list, row);
        free(part_name);
    }
    return code;
}

static int show_csv(gk_store *s, const char *const *params)
{
    static const char *const names[] = {"part", "key", "value"};
    printer p = {.format = GK_LIST_CSV};
    int code = gk_list_begin(&p.list, stdout, GK_LIST_CSV, 3, names);
    if (code == GK_OK) code = gk_store_query(s, RUN, params, csv_row, &p);
    for (p.part = parts; p.part->name && code == GK_OK; p.part++) code = gk_store_query(s, p.part->sql, params, csv_row, &p);
    gk_list_end(&p.list);
    return code;
}

/* ---- text ---- */

static void text_cell(const gk_cell *cell)
{
    char text[32];
    switch (cell->type) {
    case GK_CELL_NULL: fputs("-", stdout); break;
    case GK_CELL_INTEGER: printf("%lld", (long long)cell->integer); break;
    case GK_CELL_REAL:
        gk_text_from_real(cell->real, text);
        fputs(text, stdout);
        break;
    case GK_CELL_TEXT: fputs(cell->text, stdout); break;
    case GK_CELL_BLOB: printf("<blob %zu bytes>", cell->size); break;
    }
}

static int text_row(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    printer *p = context;
    if (!cells) return GK_OK;
    if (p->part && p->rows == 0) printf("\n%s\n", p->part->name);
    p->rows++;
    if (p->part && p->part->object) {
        printf("  %-28s ", cells[0].text);
        text_cell(&cells[1]);
        putchar('\n');
        return GK_OK;
    }
    if (p->part) printf("  %-15s", cells[0].text);
    for (int c = p->part ? 1 : 0; c < columns; c++) {
        if (cells[c].type == GK_CELL_NULL) continue;
        printf(p->part ? " %s " : "%-16s ", names[c]);
        text_cell(&cells[c]);
        if (!p->part) putchar('\n');
    }
    if (p->part) putchar('\n');
    return GK_OK;
}

static int show_text(gk_store *s, const char *const *params)
{
    printer p = {.format = GK_LIST_TABLE};
    int code = gk_store_query(s, RUN, params, text_row, &p);
    for (p.part = parts; p.part->name && code == GK_OK; p.part++) {
        p.rows = 0;
        code = gk_store_query(s, p.part->sql, params, text_row, &p);
    }
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_store *s = NULL;
    int64_t id;
    char text[24];
    int code = gk_cli_open(cli, GK_STORE_READ, &s);
    if (code == GK_OK) code = gk_store_find_run(s, args->words[0], &id);
    if (code == GK_OK) {
        snprintf(text, sizeof text, "%lld", (long long)id);
        const char *const params[] = {text, NULL};
        switch (gk_list_format_of(args)) {
        case GK_LIST_JSON: code = show_json(s, params); break;
        case GK_LIST_CSV: code = show_csv(s, params); break;
        default: code = show_text(s, params); break;
        }
    }
    return gk_cli_close(s, code);
}

const gk_command gk_cmd_show = {
    .name = "show",
    .summary = "shows one run in full",
    .usage = "RUN",
    .detail = "Its settings, split, events, last metrics, and what is stored of it.",
    .least = 1,
    .most = 1,
    .listing = true,
    .run = run,
};
