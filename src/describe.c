/* describe.c: names, units and descriptions of metrics, from the loop's list and the measures' tables into the store. */
#include "describe.h"

#include <stdlib.h>
#include <string.h>

static const gk_metric_name of_loop[] = {
    {"train_loss", "loss", "mean training loss on the train cells"},
    {"train_accuracy", "1", "share of train cells whose largest class output is the label"},
    {"train_correct_loss", "loss", "loss of the correct class alone on the train cells"},
    {"test_loss", "loss", "mean training loss on the test cells"},
    {"test_accuracy", "1", "share of test cells whose largest class output is the label"},
    {"test_correct_loss", "loss", "loss of the correct class alone on the test cells"},
    {"second_train_loss", "loss", "train_loss of the second of two tasks (second_op)"},
    {"second_train_accuracy", "1", "train_accuracy of the second of two tasks"},
    {"second_train_correct_loss", "loss", "train_correct_loss of the second of two tasks"},
    {"second_test_loss", "loss", "test_loss of the second of two tasks"},
    {"second_test_accuracy", "1", "test_accuracy of the second of two tasks"},
    {"second_test_correct_loss", "loss", "test_correct_loss of the second of two tasks"},
    {"solve_residual", "1", "measured relative residual |K alpha - Y| / |Y| of the kernel solve, in double"},
    {"solver_iterations", "1", "iterations of the iterative kernel solver"},
    {0}};

/* Names that are stored without a description. */
typedef struct name_list {
    char **names;
    int n, room;
} name_list;

static int take_name(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    name_list *l = context;
    (void)columns;
    (void)names;
    if (!cells) return GK_OK;
    if (l->n == l->room) {
        const int room = l->room ? 2 * l->room : 64;
        char **more = realloc(l->names, (size_t)room * sizeof *more);
        if (!more) return gk_error(GK_FAILED, "out of memory");
        l->names = more;
        l->room = room;
    }
    l->names[l->n] = gk_text("%s", cells[0].text);
    return l->names[l->n] ? (l->n++, GK_OK) : GK_FAILED;
}

bool gk_describe_matches(const char *pattern, const char *name)
{
    const char *open = strchr(pattern, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close) return false;
    const size_t head = (size_t)(open - pattern), tail = strlen(close + 1), length = strlen(name);
    return length > head + tail && strncmp(pattern, name, head) == 0 && strcmp(name + length - tail, close + 1) == 0;
}

static int describe_table(gk_store *store, const gk_metric_name *table, const name_list *bare)
{
    int code = GK_OK;
    for (; code == GK_OK && table->name; table++) {
        if (!strchr(table->name, '<')) code = gk_store_describe_metric(store, table->name, table->unit, table->description);
        for (int i = 0; code == GK_OK && i < bare->n; i++)
            if (gk_describe_matches(table->name, bare->names[i]))
                code = gk_store_describe_metric(store, bare->names[i], table->unit, table->description);
    }
    return code;
}

int gk_describe_metrics(gk_store *store)
{
    name_list bare = {0};
    int code = gk_store_query(store, "SELECT name FROM metric_name WHERE description IS NULL", NULL, take_name, &bare);
    if (code == GK_OK && (code = gk_store_begin(store)) == GK_OK) {
        code = describe_table(store, of_loop, &bare);
        for (const gk_measure *const *m = gk_measures; code == GK_OK && *m; m++) code = describe_table(store, (*m)->names, &bare);
        if (code == GK_OK) code = gk_store_commit(store);
        else gk_store_rollback(store);
    }
    for (int i = 0; i < bare.n; i++) free(bare.names[i]);
    free(bare.names);
    return code;
}
