/* revive.c: a stored run brought back to life: its settings, its split, and a model that stands at a checkpoint. */
#include "revive.h"

#include "weights_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gk_dtype gk_revive_dtype(const gk_config *config)
{
    return gk_config_is(config, "dtype", "float64") ? GK_F64 : GK_F32;
}

/* Overwrites the model's tensors of `set` with a safetensors stream. */
static int load_tensors(const gk_method *method, gk_model *model, gk_tensor_set set, const unsigned char *raw, size_t size,
                        int64_t step)
{
    gk_tensor tensors[GK_TENSORS_MAX];
    const int n = method->tensors(model, set, tensors);
    int code = gk_safetensors_read(raw, size, tensors, n);
    return code == GK_OK ? method->loaded(model, set, step) : code;
}

static int check_split(const unsigned char *raw, size_t size, const gk_split *split)
{
    char *sha = gk_safetensors_meta(raw, size, "split_sha256");
    int code = GK_OK;
    if (sha && strcmp(sha, split->sha256) != 0)
        code = gk_error(GK_DIFFERS,
                        "these weights were trained on the split %.12s, and the settings make the split %.12s; give op, p, "
                        "train_fraction, split_seed and split_generator of that run, or its split_file",
                        sha, split->sha256);
    free(sha);
    return code;
}

int gk_revive_init_file(const gk_method *method, gk_model *model, const char *path, const gk_split *split)
{
    unsigned char *raw = NULL;
    size_t size = 0;
    int code = gk_weights_read(path, &raw, &size);
    if (code != GK_OK) return code;
    code = load_tensors(method, model, GK_WEIGHTS, raw, size, 0);
    if (code == GK_OK && split) code = check_split(raw, size, split);
    free(raw);
    if (code == GK_OK) return GK_OK;
    char *why = gk_text("%s", gk_error_text());
    code = gk_error(code, "init_file '%s': %s", path, why ? why : "");
    free(why);
    return code;
}

static int restore_split(gk_store *store, int64_t id, gk_split *split)
{
    gk_stored_split stored;
    int code = gk_store_get_split(store, id, &stored);
    if (code != GK_OK) return code;
    code = gk_split_restore(split, stored.op, stored.p, stored.train_fraction, stored.seed, stored.generator, stored.train,
                            stored.n_train);
    if (code == GK_OK && strcmp(split->sha256, stored.sha256) != 0) {
        gk_split_free(split);
        code = gk_error(GK_FAILED, "split %" PRId64 " of '%s' does not have the hash it was stored under; `groklab doctor` tells more",
                        id, gk_store_path(store));
    }
    gk_stored_split_free(&stored);
    return code;
}

int gk_revive_fresh(gk_store *store, const gk_run_row *row, gk_revived *out)
{
    int code = gk_registry_config(&out->config, row->method);
    if (code != GK_OK) return code;
    if ((code = gk_store_get_config(store, row->id, &out->config)) != GK_OK) goto free_config;
    if ((code = restore_split(store, row->split_id, &out->split)) != GK_OK) goto free_config;
    if ((code = gk_registry_second(&out->split, &out->config)) != GK_OK) goto free_config;
    code = GK_FAILED;
    if ((out->method = gk_registry_method(row->method, gk_revive_dtype(&out->config))) &&
        (code = out->method->init(&out->model, &out->config, &out->split)) == GK_OK)
        return GK_OK;
    gk_split_free(&out->split);
free_config:
    gk_config_free(&out->config);
    return code;
}

void gk_revived_free(gk_revived *r)
{
    if (!r || !r->method) return;
    r->method->free(r->model);
    gk_split_free(&r->split);
    gk_config_free(&r->config);
    r->method = NULL;
}

int gk_revive_load(gk_store *store, int64_t run, gk_tensor_set set, int64_t *step, const gk_method *method, gk_model *model,
                   gk_train_state *state)
{
    unsigned char *raw;
    size_t size;
    int code = gk_store_get_checkpoint(store, run, *step, set == GK_STATE ? "state" : "weights", &raw, &size, step);
    if (code != GK_OK) return code;
    code = load_tensors(method, model, set, raw, size, *step);
    if (state) {
        int64_t *const slots[] = {&state->memorised, &state->grokked, &state->held_since};
        static const char *const keys[] = {"memorised", "grokked", "held_since"};
        for (int i = 0; i < 3; i++) {
            char *text = gk_safetensors_meta(raw, size, keys[i]);
            if (text) gk_text_int(text, slots[i]);
            free(text);
        }
        state->step = *step;
        state->fresh = false;
    }
    free(raw);
    return code;
}

int gk_lab_revive(gk_store *store, int64_t run, int64_t step, gk_revived *out)
{
    *out = (gk_revived){0};
    gk_run_row row;
    int code = gk_store_get_run(store, run, &row);
    if (code != GK_OK) return code;
    if ((code = gk_revive_fresh(store, &row, out)) == GK_OK) {
        out->step = step;
        code = gk_revive_load(store, run, GK_WEIGHTS, &out->step, out->method, out->model, NULL);
        if (code != GK_OK) gk_revived_free(out);
    }
    gk_run_row_free(&row);
    return code;
}

