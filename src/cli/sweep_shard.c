/* sweep_shard.c: one rank's share of a plan. Slurm, Open MPI and every launcher that speaks PMI (MPICH, Intel MPI) tell
 * a process its number in the environment; that is all that is needed, and no MPI library is linked. */
#include "sweep.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A whole number in the environment; -1 where there is none. Slurm writes tasks per node as 4(x2),3: the first counts.
 */
static int64_t number_in(const char *name)
{
    const char *text = getenv(name);
    char digits[24];
    int64_t value;
    if (!text) return -1;
    snprintf(digits, sizeof digits, "%.*s", (int)strcspn(text, "(,"), text);
    return gk_text_int(digits, &value) == GK_OK && value >= 0 ? value : -1;
}

typedef struct launcher {
    const char *name, *rank, *size, *local;
} launcher;

/* The nearest one wins: mpirun under Slurm starts its helpers with srun, whose numbers its ranks still see. */
static const launcher launchers[] = {
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"},
    {"srun", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_TASKS_PER_NODE"},
};

/* A batch script is one process that sees the numbers of a job of many tasks: they are its steps' to use. */
static bool is_batch_script(void)
{
    const char *kind = getenv("ENVIRONMENT");
    return kind && strcmp(kind, "BATCH") == 0 && !getenv("SLURM_STEP_NUM_TASKS");
}

static int take_rank(gk_sweep_shard *shard)
{
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const launcher *l = &launchers[i];
        const int64_t rank = number_in(l->rank), size = number_in(l->size);
        if (rank < 0 || size < 1) continue;
        if (strcmp(l->rank, "SLURM_PROCID") == 0 && is_batch_script()) continue;
        if (rank >= size)
            return gk_error(GK_USAGE, "%s=%lld is not below %s=%lld; give the share with --shard I/N", l->rank,
                            (long long)rank, l->size, (long long)size);
        *shard = (gk_sweep_shard){rank, size, number_in(l->local), l->name};
        return GK_OK;
    }
    return GK_OK;
}

/* The elements of an array job divide the plan, and the ranks within each divide its part. */
static int take_array(gk_sweep_shard *shard)
{
    const int64_t id = number_in("SLURM_ARRAY_TASK_ID"), count = number_in("SLURM_ARRAY_TASK_COUNT");
    if (id < 0 || count < 1) return GK_OK;
    const int64_t low = number_in("SLURM_ARRAY_TASK_MIN"), step = number_in("SLURM_ARRAY_TASK_STEP");
    const int64_t from = id - (low < 0 ? 0 : low), width = step < 1 ? 1 : step;
    if (from < 0 || from % width != 0 || from / width >= count)
        return gk_error(GK_USAGE,
                        "element %lld of a Slurm array with gaps has no plain number of %lld; use an array without "
                        "gaps, or give the share with --shard I/N",
                        (long long)id, (long long)count);
    shard->index += from / width * shard->count;
    shard->count *= count;
    shard->source = shard->source ? shard->source : "Slurm array";
    return GK_OK;
}

int gk_sweep_shard_of(gk_sweep_shard *out, const char *text)
{
    *out = (gk_sweep_shard){0, 1, 0, NULL};
    if (text) {
        const char *slash = strchr(text, '/');
        char *first = slash ? gk_text("%.*s", (int)(slash - text), text) : NULL;
        const bool good = first && gk_text_int(first, &out->index) == GK_OK &&
                          gk_text_int(slash + 1, &out->count) == GK_OK && out->index >= 1 && out->index <= out->count;
        free(first);
        if (!good) return gk_error(GK_USAGE, "--shard: '%s' is not I/N with I from 1 to N, as in --shard 2/8", text);
        out->index--;
        out->source = "--shard";
        return GK_OK;
    }
    int code = take_rank(out);
    return code == GK_OK ? take_array(out) : code;
}

char *gk_sweep_shard_db(const char *db, const gk_sweep_shard *shard)
{
    if (shard->count == 1) return gk_text("%s", db);
    const char *slash = strrchr(db, '/'), *dot = strrchr(db, '.');
    if (!dot || (slash && dot < slash) || dot == db || dot == slash + 1) dot = db + strlen(db);
    return gk_text("%.*s.shard-%lld-of-%lld%s", (int)(dot - db), db, (long long)shard->index + 1,
                   (long long)shard->count, dot);
}

int gk_sweep_jobs(const gk_sweep_shard *shard)
{
    int64_t cores = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
    if (cores < 1) cores = sysconf(_SC_NPROCESSORS_ONLN);
    /* Ranks that are not bound to their cores must not each start a worker on all of them. */
    const int64_t online = sysconf(_SC_NPROCESSORS_ONLN), of_job = number_in("SLURM_CPUS_ON_NODE");
    const int64_t granted = number_in("SLURM_CPUS_PER_TASK"), ranks = shard->local > 1 ? shard->local : 1;
    const int64_t fair = granted >= 1 ? granted : (of_job >= 1 && of_job < online ? of_job : online) / ranks;
    if (fair < cores) cores = fair;
    return cores < 1 ? 1 : cores > 4096 ? 4096 : (int)cores;
}
