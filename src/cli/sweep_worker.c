/* sweep_worker.c: one process that trains one run after the other, on one core, over a connection of its own. */
#include "sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct worker {
    const gk_sweep_job *job;
    gk_sweep_board *board;
    gk_sweep_slot *slot;
    gk_store *store;
    gk_sweep_index *index;
    gk_sweep_claims claims;
} worker;

static int on_progress(void *context, const gk_progress *now)
{
    (void)now;
    atomic_fetch_add_explicit(&((worker *)context)->slot->steps_done, 1, memory_order_relaxed);
    return GK_OK;
}

static bool on_stop(void *context)
{
    return atomic_load_explicit(&((worker *)context)->board->stop, memory_order_relaxed) || gk_cli_signal() != 0;
}

/* ---- runs that are stored already ---- */

/* The lock is ours, so that no sweep trains a run that claims to be running; a `groklab train` or `run` might. */
static bool is_trained(const worker *w, const gk_run_row *row)
{
    char host[256] = "", path[64], name[64] = "";
    gethostname(host, sizeof host - 1);
    if (!row->host || strcmp(row->host, host) != 0 || row->pid <= 0 || row->pid == getpid() || row->pid == getppid())
        return false;
    for (int i = 0; i < w->board->n_slots; i++)
        if (w->board->slots[i].pid == row->pid) return false;
    if (kill((pid_t)row->pid, 0) != 0 && errno == ESRCH) return false;
    /* The number may belong to another program by now, or to a dead process that nobody has asked about. */
    snprintf(path, sizeof path, "/proc/%lld/cmdline", (long long)row->pid);
    FILE *f = fopen(path, "r");
    if (!f) return true;
    const size_t n = fread(name, 1, sizeof name - 1, f);
    fclose(f);
    const char *base = strrchr(name, '/');
    return n > 0 && strcmp(base ? base + 1 : name, "groklab") == 0;
}

/* Writes down that a run's process is gone, as `doctor --repair` would. */
static int bury(gk_store *s, const gk_run_row *row)
{
    int code = gk_store_begin(s);
    if (code != GK_OK) return code;
    code = gk_store_end_run(s, row->id, "killed", row->step, 0, "its process ended without a word");
    if (code == GK_OK) code = gk_store_put_event(s, row->id, "killed", row->step, NULL);
    if (code == GK_OK) return gk_store_commit(s);
    gk_store_rollback(s);
    return code;
}

/* What to do about a run with this identity. *id -1: train it anew; otherwise resume that one, unless the outcome says
 * that nothing is to be done. */
static int look_up(worker *w, const char *identity, int64_t *id, gk_sweep_outcome *outcome)
{
    gk_run_row row;
    *outcome = GK_SWEEP_TAKEN;
    *id = -1;
    if (w->job->again) return GK_OK;
    int code = gk_sweep_index_read(w->index, w->store);
    if (code != GK_OK || (*id = gk_sweep_index_find(w->index, identity)) < 0) return code;
    code = gk_store_get_run(w->store, *id, &row);
    if (code == GK_NOTFOUND) { /* removed meanwhile */
        *id = -1;
        return GK_OK;
    }
    if (code != GK_OK) return code;
    if (strcmp(row.status, "finished") == 0 || strcmp(row.status, "diverged") == 0)
        *outcome = GK_SWEEP_SKIPPED;
    else if (strcmp(row.status, "running") == 0) {
        if (is_trained(w, &row))
            *outcome = GK_SWEEP_LEFT;
        else
            code = bury(w->store, &row);
    }
    gk_run_row_free(&row);
    return code;
}

/* ---- training ---- */

static gk_sweep_outcome outcome_of(int code)
{
    switch (code) {
    case GK_OK:
        return GK_SWEEP_FINISHED;
    case GK_DIVERGED:
        return GK_SWEEP_DIVERGED;
    case GK_INTERRUPTED:
        return GK_SWEEP_INTERRUPTED;
    default:
        return GK_SWEEP_FAILED;
    }
}

static void set_text(char *to, size_t room, const char *text)
{
    snprintf(to, room, "%s", text);
}

/* A run that fails on its own costs only itself. A disk that is full or a database that stays locked fails every run,
 * and going on would only repeat it; the store's error lines begin with the file. */
static void judge(worker *w, int code)
{
    enum { IN_A_ROW = 3 };
    gk_sweep_board *b = w->board;
    if (code == GK_OK || code == GK_DIVERGED) atomic_store(&b->failures, 0);
    if ((code != GK_FAILED && code != GK_BUSY) || strncmp(gk_error_text(), w->job->db, strlen(w->job->db)) != 0) return;
    const int failures = atomic_fetch_add(&b->failures, 1) + 1;
    int none = GK_OK;
    if ((code == GK_BUSY || failures >= IN_A_ROW + b->n_slots - 1) &&
        atomic_compare_exchange_strong(&b->fatal, &none, code)) {
        set_text(b->fatal_text, sizeof b->fatal_text, gk_error_text());
        atomic_store(&b->stop, true);
    }
}

static int train(worker *w, gk_sweep_task *task, const gk_config *config, const char *identity)
{
    const gk_lab_hooks hooks = {.context = w, .progress = on_progress, .stop = on_stop, .crowded = true};
    const gk_sweep_part *part = gk_sweep_part_of(w->job->plan, task->index);
    gk_sweep_outcome outcome;
    int64_t id;
    int code = look_up(w, identity, &id, &outcome);
    if (code == GK_OK && outcome != GK_SWEEP_TAKEN) {
        task->run = id;
        atomic_store(&task->outcome, outcome);
        return GK_OK;
    }
    const double start = gk_seconds();
    if (code == GK_OK && id >= 0) {
        task->run = id;
        task->resumed = true;
        code = gk_lab_resume(w->store, id, &hooks);
    } else if (code == GK_OK) {
        code = gk_lab_train(w->store, part->method, config, &hooks, &task->run);
    }
    task->seconds = gk_seconds() - start;
    if (code != GK_OK) set_text(task->text, sizeof task->text, gk_error_text());
    atomic_store(&task->outcome, outcome_of(code));
    return code;
}

/* Returns a code only when the worker itself cannot go on. */
static int take(worker *w, int64_t at)
{
    gk_sweep_task *task = &w->board->tasks[at];
    gk_config config;
    char identity[GK_SHA256_HEX];
    atomic_store(&w->slot->task, at);
    int code = gk_sweep_config(w->job->plan, task->index, &config);
    if (code != GK_OK) return code;
    code = gk_sweep_identity(gk_sweep_part_of(w->job->plan, task->index)->method, &config, identity);
    if (code == GK_OK) code = gk_sweep_claim(&w->claims, identity);
    if (code == GK_BUSY) {
        atomic_store(&task->outcome, GK_SWEEP_ELSEWHERE);
    } else if (code == GK_OK) {
        code = train(w, task, &config, identity);
        gk_sweep_release(&w->claims, identity);
        judge(w, code);
    } else {
        set_text(task->text, sizeof task->text, gk_error_text());
        atomic_store(&task->outcome, GK_SWEEP_FAILED);
        judge(w, code);
    }
    gk_config_free(&config);
    atomic_store(&w->slot->task, -1);
    return GK_OK;
}

/* Runs that another sweep held: by the time it is through with them they are finished, or its process is dead. */
static int take_held(worker *w)
{
    for (bool any = true; any && !on_stop(w);) {
        any = false;
        for (int64_t at = 0; at < w->board->n_tasks && !on_stop(w); at++) {
            int held = GK_SWEEP_ELSEWHERE;
            if (!atomic_compare_exchange_strong(&w->board->tasks[at].outcome, &held, GK_SWEEP_TAKEN)) continue;
            const int code = take(w, at);
            if (code != GK_OK) return code;
            any = true;
        }
        if (any) nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    return GK_OK;
}

static int open_worker(worker *w)
{
    int code = (w->claims.path = gk_text("%s-sweep", w->job->db)) ? GK_OK : GK_FAILED;
    if (code == GK_OK) code = gk_sweep_index_new(&w->index);
    return code == GK_OK ? gk_store_open(&w->store, w->job->db, GK_STORE_WRITE) : code;
}

int gk_sweep_work(const gk_sweep_job *job, int slot)
{
    worker w = {.job = job, .board = job->board, .slot = &job->board->slots[slot], .claims = {.fd = -1}};
    int code = open_worker(&w);
    while (code == GK_OK && !on_stop(&w)) {
        const int64_t at = atomic_fetch_add(&w.board->next, 1);
        if (at >= w.board->n_tasks) break;
        atomic_store(&w.board->tasks[at].outcome, GK_SWEEP_TAKEN);
        code = take(&w, at);
    }
    if (code == GK_OK) code = take_held(&w);
    int none = GK_OK;
    if (code != GK_OK && atomic_compare_exchange_strong(&w.board->fatal, &none, code)) {
        set_text(w.board->fatal_text, sizeof w.board->fatal_text, gk_error_text());
        atomic_store(&w.board->stop, true);
    }
    gk_store_close(w.store);
    gk_sweep_index_free(w.index);
    if (w.claims.fd >= 0) close(w.claims.fd);
    free(w.claims.path);
    return code;
}
