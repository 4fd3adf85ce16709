/* metadata.c: what each table and column is, for Datasette (metadata.json). */
#include "gk_store.h"

#include <jansson.h>

typedef struct described {
    const char *table, *column, *text; /* column NULL: the table itself */
} described;

static const described WORDS[] = {
    {"split", NULL,
     "Which pairs a run is trained on and which it is tested on; stored once, under the hash of its content."},
    {"split", "sha256", "SHA-256 of the canonical CSV x,y,z,part"},
    {"split", "train_cells", "npy of int32: cells x*p + y, ascending"},
    {"run", NULL, "One training of one method on one split."},
    {"run", "uid", "32 random hexadecimal digits, the same in every file the run is merged into"},
    {"run", "parent_id", "the run whose weights this one started from"},
    {"run", "config", "every setting, as JSON with sorted keys"},
    {"run", "status", "running, finished, interrupted, diverged, failed or killed"},
    {"run", "step", "steps done; step_unit says of what: epochs, or iterations of the RFM"},
    {"run", "heartbeat_at", "when the training process last wrote"},
    {"param", NULL, "The settings of each run, one row each."},
    {"tag", NULL, "What people say of a run; the key note holds a note."},
    {"metric_name", NULL, "What each metric is."},
    {"metric", NULL, "Every measured value, clustered by run and metric; the view metrics has the names."},
    {"metric", "value", "NULL where the value is not a number"},
    {"event", NULL, "What happened to a run at a step: memorised, circuit, grokked, cleaned, resumed, killed ..."},
    {"matrix", NULL, "Feature matrices over training."},
    {"matrix", "kind", "agop, sqrt_agop, nfm, metric (the RFM's M) ..."},
    {"matrix", "data", "npy, zlib-compressed, or as it is where that saves little: sqlar_uncompress(data, raw_size)"},
    {"matrix", "raw_size", "bytes of the npy stream"},
    {"checkpoint", NULL, "Weights, and the state that a resume needs."},
    {"checkpoint", "data",
     "safetensors, zlib-compressed, or as it is where that saves little: sqlar_uncompress(data, raw_size)"},
    {"checkpoint", "raw_size", "bytes of the safetensors stream"},
    {"comparison", NULL, "Similarity of two feature matrices, of two runs at two steps."},
    {"meta", NULL, "About this file."},
    {"metrics", NULL, "Every measured value with the names of its run and metric."},
    {"latest_metrics", NULL, "The last value of each metric of each run."},
    {"curves", NULL, "Losses and accuracies side by side, a row a step."},
    {"run_summary", NULL,
     "A row a run: settings of its split, final values, when it memorised and grokked, and the delay between."},
    {"split_mates", NULL, "Pairs of runs that share a split and may be compared."},
};

char *gk_store_metadata(const char *database)
{
    json_t *tables = json_object();
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        json_t *table = json_object_get(tables, WORDS[i].table);
        if (!table) {
            table = json_object();
            json_object_set_new(tables, WORDS[i].table, table);
        }
        if (!WORDS[i].column) {
            json_object_set_new(table, "description", json_string(WORDS[i].text));
            continue;
        }
        json_t *columns = json_object_get(table, "columns");
        if (!columns) {
            columns = json_object();
            json_object_set_new(table, "columns", columns);
        }
        json_object_set_new(columns, WORDS[i].column, json_string(WORDS[i].text));
    }
    json_t *all = json_pack("{s:s, s:s, s:{s:{s:O}}}", "title", "groklab", "description",
                            "How models come to generalise: runs, their measures and their feature matrices.",
                            "databases", database, "tables", tables);
    json_decref(tables);
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    if (!text) gk_error(GK_FAILED, "no metadata can be made for a database named '%s'", database);
    return text;
}
