/* revive.h: the steps that training and measuring share when they bring a model to a stored point. */
#ifndef GK_REVIVE_H
#define GK_REVIVE_H

#include "gk_lab.h"

/* The number type that a config asks for. */
gk_dtype gk_revive_dtype(const gk_config *config);

/* Overwrites the model's weights with those of a file (see weights_file.h), the model standing at step 0. split: the one
 * that a file which says on which its weights were trained must mean (GK_DIFFERS); NULL: any. */
int gk_revive_init_file(const gk_method *method, gk_model *model, const char *path, const gk_split *split);

/* Settings, split and a fresh model of a stored run; to be freed with gk_revived_free. */
int gk_revive_fresh(gk_store *store, const gk_run_row *row, gk_revived *out);

/* Brings the checkpoint of a set (GK_WEIGHTS or GK_STATE) at *step (-1: the last, whose step it gets) into the model; what
 * the training loop remembered goes into `state` unless that is NULL. GK_NOTFOUND if there is none. */
int gk_revive_load(gk_store *store, int64_t run, gk_tensor_set set, int64_t *step, const gk_method *method, gk_model *model,
                   gk_train_state *state);

#endif
