/* sweep.h: what the files of `groklab sweep` share. A plan says which runs a recipe asks for; a shard is one rank's
 * part of it; a claim keeps two processes from training the same run; a pool of worker processes trains what is left.
 */
#ifndef GK_CLI_SWEEP_H
#define GK_CLI_SWEEP_H

#include "cli.h"

#include <stdatomic.h>
#include <sys/types.h>

/* ---- sweep_values.c: lists and ranges ---- */

typedef struct gk_sweep_axis {
    char *key;
    char **values; /* [n] canonical texts */
    int n;
} gk_sweep_axis;

/* Expands what stands behind '=': values between commas; of a number also a:b (whole numbers), a:b:step, and a:b:logN
 * (N values with equal ratios), ends included. Each value is checked against the key's row in `config`. GK_USAGE names
 * `where`. */
int gk_sweep_values(gk_sweep_axis *out, const gk_config *config, const char *key, const char *text, const char *where);
void gk_sweep_axis_free(gk_sweep_axis *axis);

/* ---- sweep_plan.c: a recipe as a numbered list of runs ---- */

typedef struct gk_sweep_part {
    char *name;         /* its section */
    const char *method; /* an entry of gk_method_names */
    gk_config base;     /* everything that does not vary */
    gk_sweep_axis axes[GK_CONFIG_MAX];
    int n_axes;
    int64_t seeds; /* 0: not asked for */
    bool paired;   /* all axes but the last `crossed` advance together */
    int crossed;   /* 1 when the last axis is `seeds` */
    int64_t first; /* number of its first run in the plan */
    int64_t n_runs;
} gk_sweep_part;

typedef struct gk_sweep_plan {
    gk_sweep_part *parts;
    int n_parts;
    int64_t n_runs;
} gk_sweep_plan;

/* sets: "key=list" or "SECTION.key=list", over what the recipe says. */
int gk_sweep_plan_read(gk_sweep_plan *plan, const char *path, const char *const *sets, int n_sets);
void gk_sweep_plan_free(gk_sweep_plan *plan);
/* The part that run `index` belongs to. */
const gk_sweep_part *gk_sweep_part_of(const gk_sweep_plan *plan, int64_t index);
/* The settings of run `index`, with its name; to be freed with gk_config_free. */
int gk_sweep_config(const gk_sweep_plan *plan, int64_t index, gk_config *out);

/* ---- sweep_shard.c: one rank's share ---- */

typedef struct gk_sweep_shard {
    int64_t index, count; /* index 0 .. count-1 */
    int64_t local;        /* ranks on this machine, 0 if nobody says */
    const char *source;   /* "--shard", "Slurm" ...; NULL without an engine */
} gk_sweep_shard;

/* From --shard I/N (I = 1 .. N) or, if `text` is NULL, from the environment: a Slurm array, srun, Open MPI, PMI. */
int gk_sweep_shard_of(gk_sweep_shard *out, const char *text);
/* x.db becomes x.shard-2-of-8.db; malloc'ed. A single shard keeps the name. */
char *gk_sweep_shard_db(const char *db, const gk_sweep_shard *shard);
/* Workers that suit the cores which this process may use. */
int gk_sweep_jobs(const gk_sweep_shard *shard);

/* ---- sweep_claim.c: which runs are stored already, and who trains one ---- */

/* SHA-256 of method, settings without the name, and the bytes of a split file: what decides a run's numbers. */
int gk_sweep_identity(const char *method, const gk_config *config, char out[GK_SHA256_HEX]);

typedef struct gk_sweep_index gk_sweep_index; /* stored runs by identity */
int gk_sweep_index_new(gk_sweep_index **out);
void gk_sweep_index_free(gk_sweep_index *index); /* accepts NULL */
/* Takes in the runs stored since the last call. */
int gk_sweep_index_read(gk_sweep_index *index, gk_store *s);
/* The run with that identity, a finished one before others; -1 if there is none. */
int64_t gk_sweep_index_find(const gk_sweep_index *index, const char *identity);

typedef struct gk_sweep_claims {
    char *path; /* the lock file beside the database */
    int fd;     /* -1: not open */
} gk_sweep_claims;
/* Nobody else may train what is claimed until this process releases it or dies, however it dies. GK_BUSY: someone does.
 */
int gk_sweep_claim(gk_sweep_claims *claims, const char *identity);
void gk_sweep_release(gk_sweep_claims *claims, const char *identity);
/* Removes the lock file unless another process uses it. */
void gk_sweep_claims_end(gk_sweep_claims *claims);

/* ---- sweep_worker.c: a process that trains one run after the other ---- */

typedef enum gk_sweep_outcome {
    GK_SWEEP_WAITING,
    GK_SWEEP_TAKEN,
    GK_SWEEP_ELSEWHERE, /* claimed by another process; tried again at the end */
    GK_SWEEP_FINISHED,
    GK_SWEEP_SKIPPED, /* stored already */
    GK_SWEEP_DIVERGED,
    GK_SWEEP_INTERRUPTED,
    GK_SWEEP_FAILED,
    GK_SWEEP_KILLED, /* its worker died */
    GK_SWEEP_LEFT,   /* trained by a process that is no sweep */
    GK_SWEEP_OUTCOMES
} gk_sweep_outcome;

typedef struct gk_sweep_task {
    int64_t index; /* in the plan */
    int64_t run;   /* id in the database, -1 before it has one */
    _Atomic int outcome;
    bool resumed;
    double seconds;
    char text[200]; /* why it did not finish */
} gk_sweep_task;

typedef struct gk_sweep_slot {
    pid_t pid;
    _Atomic int64_t task; /* what it trains, -1: nothing */
    _Atomic int64_t steps_done;
} gk_sweep_slot;

/* In memory that all processes share. */
typedef struct gk_sweep_board {
    _Atomic int64_t next; /* first task that no worker has taken */
    _Atomic bool stop;
    _Atomic int failures; /* in a row: the database, the disk or the memory is in trouble, not a run */
    _Atomic int fatal;    /* the code that ended the sweep */
    char fatal_text[400];
    int64_t n_tasks;
    int n_slots;
    gk_sweep_slot *slots; /* [n_slots] */
    gk_sweep_task *tasks; /* [n_tasks] */
} gk_sweep_board;

typedef struct gk_sweep_job {
    const gk_sweep_plan *plan;
    const char *db;
    bool again;
    gk_sweep_board *board;
} gk_sweep_job;

/* Takes tasks until none is left or the board says stop. Runs in the worker's process. */
int gk_sweep_work(const gk_sweep_job *job, int slot);

/* ---- sweep_pool.c: starts workers, replaces those that die, tells how far it is ---- */

/* Shares a board for these plan numbers; to be freed with gk_sweep_board_free. */
int gk_sweep_board_new(gk_sweep_board **out, const int64_t *indices, int64_t n, int jobs);
void gk_sweep_board_free(gk_sweep_board *board); /* accepts NULL */

typedef struct gk_sweep_cost {
    double wall, busy, cpu; /* seconds: of the sweep; in runs, summed over workers; of processor time */
} gk_sweep_cost;
/* Trains all tasks. GK_OK also when runs failed; otherwise what ended the sweep (GK_INTERRUPTED, a full disk ...). */
int gk_sweep_pool(const gk_sweep_job *job, bool quiet, gk_sweep_cost *cost);

/* ---- sweep_estimate.c: a short calibration ---- */

typedef struct gk_sweep_estimate {
    double seconds; /* of one core, for all tasks */
    double bytes;
} gk_sweep_estimate;
/* Trains a few shortened runs into a database that is thrown away. */
int gk_sweep_estimate_of(const gk_sweep_plan *plan, const int64_t *indices, int64_t n, gk_sweep_estimate *out);

#endif
