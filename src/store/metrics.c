/* metrics.c: metric names and their numbers, so that a stored value carries one byte in place of a name. */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

/* Where `name` stands, or should stand, in the ascending list. */
static int position(const gk_store *s, const char *name, bool *there)
{
    int low = 0, high = s->n_metrics;
    while (low < high) {
        const int middle = (low + high) / 2, order = strcmp(s->metrics[middle].name, name);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = false;
    return low;
}

static int remember(gk_store *s, int at, const char *name, int64_t id)
{
    if (s->n_metrics == s->room_metrics) {
        const int room = s->room_metrics ? 2 * s->room_metrics : 64;
        gk_db_metric *more = realloc(s->metrics, (size_t)room * sizeof *more);
        if (!more) return gk_error(GK_FAILED, "out of memory for %d metric names", room);
        s->metrics = more;
        s->room_metrics = room;
    }
    char *copy = gk_text("%s", name);
    if (!copy) return GK_FAILED;
    memmove(s->metrics + at + 1, s->metrics + at, (size_t)(s->n_metrics - at) * sizeof *s->metrics);
    s->metrics[at] = (gk_db_metric){copy, id};
    s->n_metrics++;
    return GK_OK;
}

static int look_up(gk_store *s, const char *name, int64_t *id)
{
    bool there;
    const int at = position(s, name, &there);
    if (there) {
        *id = s->metrics[at].id;
        return GK_OK;
    }
    int code = gk_db_exec(s, "storing a metric name", "INSERT INTO metric_name(name) VALUES(?1) ON CONFLICT DO NOTHING",
                          "t", name);
    if (code != GK_OK) return code;
    sqlite3_stmt *row;
    code = gk_db_select(s, "looking up a metric", "SELECT id FROM metric_name WHERE name = ?1", &row, "t", name);
    if (code != GK_OK) return code;
    *id = sqlite3_column_int64(row, 0);
    gk_db_done(row);
    return remember(s, at, name, *id);
}

int gk_metrics_id(gk_store *s, const char *name, int64_t *id)
{
    gk_db_enter(s);
    const int code = look_up(s, name, id);
    gk_db_leave(s);
    return code;
}

void gk_metrics_forget(gk_store *s)
{
    for (int i = 0; i < s->n_metrics; i++) free(s->metrics[i].name);
    free(s->metrics);
    s->metrics = NULL;
    s->n_metrics = s->room_metrics = 0;
}

int gk_store_describe_metric(gk_store *s, const char *name, const char *unit, const char *description)
{
    return gk_db_exec(s, "describing a metric",
                      "INSERT INTO metric_name(name, unit, description) VALUES(?1, ?2, ?3) "
                      "ON CONFLICT(name) DO UPDATE SET unit = excluded.unit, description = excluded.description "
                      "WHERE unit IS NOT excluded.unit OR description IS NOT excluded.description",
                      "ttt", name, unit, description);
}
