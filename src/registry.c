/* registry.c: the lists that join the rooms: methods, measures, shared settings. A new method or measure is one word here. */
#include "gk_lab.h"

#include <stdio.h>
#include <string.h>

static const gk_method *rfm_method(gk_dtype dtype)
{
    (void)dtype; /* double throughout */
    return gk_rfm_method();
}

const char *const gk_method_names[] = {"mlp", "transformer", "rfm", NULL};
static const gk_method *(*const method_tables[])(gk_dtype) = {gk_mlp_method, gk_transformer_method, rfm_method};

const gk_method *gk_registry_method(const char *name, gk_dtype dtype)
{
    for (int i = 0; gk_method_names[i]; i++)
        if (strcmp(name, gk_method_names[i]) == 0) return method_tables[i](dtype);
    const char *near = gk_text_nearest(name, gk_method_names);
    if (near) gk_error(GK_USAGE, "unknown method '%s', did you mean '%s'?", name, near);
    else gk_error(GK_USAGE, "unknown method '%s'; methods are mlp, transformer and rfm", name);
    return NULL;
}

const gk_measure *const gk_measures[] = {
    &gk_measure_weights,   &gk_measure_structure, &gk_measure_nfa,     &gk_measure_losses,         &gk_measure_gini,
    &gk_measure_alignment, &gk_measure_progress,  &gk_measure_key,     &gk_measure_neurons,        &gk_measure_weight_tensors,
    &gk_measure_ablation,  &gk_measure_enforced,  &gk_measure_agop_class, NULL,
};

const gk_key gk_shared_keys[] = {
    {"op", GK_KEY_TEXT, "add", 0, 0, NULL, "operation: add, sub, mul, div or a polynomial in x and y such as x^2+x*y+y^2"},
    {"second_op", GK_KEY_TEXT, "", 0, 0, NULL,
     "another operation to learn at once, told by one more input coordinate; its pairs and their parts are op's (mlp; rfm with another kernel than the quadratic)"},
    {"p", GK_KEY_INT, "61", 2, 1009, NULL, "modulus; mul, div and discrete logarithms need a prime"},
    {"train_fraction", GK_KEY_REAL, "0.5", 0, 1, NULL, "share of the defined pairs that is trained on"},
    {"split_seed", GK_KEY_INT, "0", 0, 9007199254740992.0, NULL, "seed of the split"},
    {"split_generator", GK_KEY_CHOICE, "philox", 0, 0, "philox|python", "how the split is drawn"},
    {"split_file", GK_KEY_TEXT, "", 0, 0, NULL, "CSV x,y,z,part to read the split from instead"},
    {"seed", GK_KEY_INT, "0", 0, 9007199254740992.0, NULL, "seed of initialisation and shuffles"},
    {"steps", GK_KEY_INT, "50", 0, 1e12, NULL, "epochs or iterations"},
    {"eval_every", GK_KEY_INT, "1", 0, 1e12, NULL, "steps between evaluations of loss and accuracy; 0: only at the end"},
    {"measure_every", GK_KEY_INT, "5", 0, 1e12, NULL, "steps between measures and feature matrices; 0: only at the end"},
    {"checkpoint_every", GK_KEY_INT, "10", 0, 1e12, NULL, "steps between checkpoints; 0: only at the end"},
    {"stop_at", GK_KEY_REAL, "0", 0, 1, NULL, "stop once test accuracy is at least this for stop_hold steps; 0: never"},
    {"stop_hold", GK_KEY_INT, "0", 0, 1e12, NULL, "steps for which stop_at must hold"},
    {"store", GK_KEY_CHOICE, "all", 0, 0, "final|events|all",
     "what stays: last values and events; also matrices and weights at memorised, grokked and the end; all"},
    {"measures", GK_KEY_TEXT, "", 0, 0, NULL, "families measured besides the default ones, such as enforced,neurons; none: no measures and no feature matrices at all"},
    {"threads", GK_KEY_INT, "0", 0, 1024, NULL, "threads; 0: one a core"},
    {"dtype", GK_KEY_CHOICE, "float32", 0, 0, "float32|float64", "number type of the weights"},
    {"init_file", GK_KEY_TEXT, "", 0, 0, NULL, "weights to start from: safetensors, npz, or NAME=FILE.npy,..."},
    {"name", GK_KEY_TEXT, "", 0, 0, NULL, "name of the run; default METHOD-OP-P"},
    {0},
};

/* The methods that have a setting, as words. */
static const char *owner_of(const char *key)
{
    static _Thread_local char words[64];
    size_t at = 0;
    for (int i = 0; gk_method_names[i]; i++)
        for (const gk_key *k = method_tables[i](GK_F32)->keys; k->name; k++)
            if (strcmp(k->name, key) == 0)
                at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", at ? " and " : "", gk_method_names[i]);
    return at ? words : NULL;
}

int gk_registry_config(gk_config *config, const char *method)
{
    const gk_method *m = gk_registry_method(method, GK_F32);
    if (!m) return GK_USAGE;
    gk_config_init(config);
    config->owner = owner_of;
    int code = gk_config_add(config, gk_shared_keys);
    return code == GK_OK ? gk_config_add(config, m->keys) : code;
}

/* Is `family` one of the comma-separated names of `list`? */
static bool is_listed(const char *list, const char *family)
{
    const size_t length = strlen(family);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && strncmp(at, family, length) == 0) return true;
    return false;
}

bool gk_registry_measures_nothing(const gk_config *config)
{
    return gk_config_is(config, "measures", "none");
}

bool gk_registry_measures(const gk_config *config, const gk_measure *m)
{
    if (gk_registry_measures_nothing(config)) return false;
    return m->by_default || is_listed(gk_config_text(config, "measures"), m->family);
}

int gk_registry_check_measures(const gk_config *config)
{
    const char *families[sizeof gk_measures / sizeof *gk_measures] = {NULL};
    if (gk_registry_measures_nothing(config)) return GK_OK;
    for (int i = 0; gk_measures[i]; i++) families[i] = gk_measures[i]->family;
    for (const char *at = gk_config_text(config, "measures"); *at; at += strcspn(at, ","), at += *at == ',') {
        char name[64];
        bool known = false;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        for (int i = 0; families[i]; i++) known = known || strcmp(families[i], name) == 0;
        if (known) continue;
        const char *near = gk_text_nearest(name, families);
        return gk_error(GK_USAGE, "measures: unknown family '%s'%s%s%s; `groklab measure --list` names them", name,
                        near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return GK_OK;
}

int gk_registry_second(gk_split *split, const gk_config *config)
{
    const char *op = gk_config_text(config, "second_op");
    const int code = op[0] ? gk_split_second(split, op) : GK_OK;
    if (code != GK_OK) gk_split_free(split);
    return code;
}

int gk_registry_split(gk_split *split, const gk_config *config)
{
    const char *op = gk_config_text(config, "op"), *file = gk_config_text(config, "split_file");
    const int p = (int)gk_config_int(config, "p");
    int code = file[0] ? gk_split_read(split, file, op, p) : gk_split_make(split, op, p, gk_config_real(config, "train_fraction"),
                         (uint64_t)gk_config_int(config, "split_seed"), gk_config_text(config, "split_generator"));
    return code == GK_OK ? gk_registry_second(split, config) : code;
}
