/* sweep_pool.c: starts the workers, replaces those that die, and tells how far it all is. The parent trains nothing,
 * has no thread and no open database while it forks, so that a fork is safe at any time. */
#include "sweep.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* ---- the board ---- */

static size_t rounded(size_t n)
{
    return (n + 63) / 64 * 64;
}

static size_t board_size(int64_t n, int jobs)
{
    return rounded(sizeof(gk_sweep_board)) + rounded((size_t)jobs * sizeof(gk_sweep_slot)) +
           (size_t)n * sizeof(gk_sweep_task);
}

int gk_sweep_board_new(gk_sweep_board **out, const int64_t *indices, int64_t n, int jobs)
{
    unsigned char *memory = mmap(NULL, board_size(n, jobs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *out = NULL;
    if (memory == MAP_FAILED) return gk_error(GK_FAILED, "no memory to share with the workers: %s", strerror(errno));
    gk_sweep_board *b = (gk_sweep_board *)(void *)memory;
    b->slots = (gk_sweep_slot *)(void *)(memory + rounded(sizeof *b));
    b->tasks = (gk_sweep_task *)(void *)(memory + rounded(sizeof *b) + rounded((size_t)jobs * sizeof *b->slots));
    b->n_slots = jobs;
    b->n_tasks = n;
    for (int i = 0; i < jobs; i++) atomic_store(&b->slots[i].task, -1);
    for (int64_t i = 0; i < n; i++) {
        b->tasks[i].index = indices[i];
        b->tasks[i].run = -1;
    }
    *out = b;
    return GK_OK;
}

void gk_sweep_board_free(gk_sweep_board *board)
{
    if (board) munmap(board, board_size(board->n_tasks, board->n_slots));
}

/* ---- workers ---- */

typedef struct pool {
    const gk_sweep_job *job;
    gk_sweep_board *board;
    bool quiet, terminal, drawn, told_stall, told_waiting;
    double start, next_line, moved_at;
    int64_t moved, seen; /* seen: tasks below it are told */
    bool *reported;      /* [n_tasks] */
} pool;

static void be_worker(const pool *p, int slot, pid_t parent)
{
#ifdef __linux__
    /* A scheduler that is killed takes its workers along, after a clean checkpoint. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    if (getppid() != parent) _exit(1);
    /* When memory runs out, a worker should go, not its scheduler or someone else's program. */
    FILE *f = fopen("/proc/self/oom_score_adj", "w");
    if (f) {
        fputs("500", f);
        fclose(f);
    }
    const int code = gk_sweep_work(p->job, slot);
    fflush(NULL);
    _exit(code == GK_OK ? 0 : 1);
}

static int start_worker(pool *p, int slot)
{
    const pid_t parent = getpid();
    fflush(stdout);
    fflush(stderr);
    const pid_t pid = fork();
    if (pid == 0) be_worker(p, slot, parent);
    if (pid < 0) return gk_error(GK_FAILED, "cannot start worker %d: %s", slot + 1, strerror(errno));
    p->board->slots[slot].pid = pid;
    return GK_OK;
}

/* The row of a run whose worker died. If that cannot be written now, the next sweep sees that nobody holds the run. */
static void bury(const pool *p, const gk_sweep_task *task)
{
    gk_store *s;
    gk_run_row row;
    if (task->run < 0 || gk_store_open(&s, p->job->db, GK_STORE_WRITE) != GK_OK) return;
    if (gk_store_get_run(s, task->run, &row) == GK_OK) {
        if (strcmp(row.status, "running") == 0 &&
            gk_store_end_run(s, row.id, "killed", row.step, 0, task->text) == GK_OK)
            gk_store_put_event(s, row.id, "killed", row.step, task->text);
        gk_run_row_free(&row);
    }
    gk_store_close(s);
}

static void note_death(pool *p, int slot, int status, long peak_kb)
{
    gk_sweep_slot *s = &p->board->slots[slot];
    const int64_t at = atomic_exchange(&s->task, -1);
    if (at < 0) return;
    gk_sweep_task *task = &p->board->tasks[at];
    if (WIFSIGNALED(status))
        snprintf(task->text, sizeof task->text, "its worker was killed by signal %d (%s)%s; it had used %ld MB",
                 WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGKILL ? ", perhaps because memory ran out" : "", peak_kb / 1024);
    else
        snprintf(task->text, sizeof task->text, "its worker ended with status %d", WEXITSTATUS(status));
    atomic_store(&task->outcome, GK_SWEEP_KILLED);
    bury(p, task);
}

/* Takes leave of workers that ended; a dead one is replaced while there is work. */
static int reap(pool *p, int *alive)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        for (int i = 0; i < p->board->n_slots; i++) {
            if (p->board->slots[i].pid != pid) continue;
            p->board->slots[i].pid = 0;
            (*alive)--;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
            note_death(p, i, status, usage.ru_maxrss);
            if (atomic_load(&p->board->stop) || atomic_load(&p->board->next) >= p->board->n_tasks) continue;
            const int code = start_worker(p, i);
            if (code != GK_OK) return code;
            (*alive)++;
        }
    }
    return GK_OK;
}

/* ---- talk ---- */

static void clear_line(pool *p)
{
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

/* One line for each run that did not end well, once. */
static void tell_troubles(pool *p)
{
    static const char *const words[GK_SWEEP_OUTCOMES] = {[GK_SWEEP_DIVERGED] = "diverged",
                                                         [GK_SWEEP_FAILED] = "failed",
                                                         [GK_SWEEP_KILLED] = "killed",
                                                         [GK_SWEEP_LEFT] = "left to the process that trains it"};
    gk_sweep_board *b = p->board;
    const int64_t taken = atomic_load(&b->next) < b->n_tasks ? atomic_load(&b->next) : b->n_tasks;
    for (int64_t i = p->seen; i < taken; i++) {
        const gk_sweep_task *task = &b->tasks[i];
        const int outcome = atomic_load(&task->outcome);
        if (i == p->seen && outcome > GK_SWEEP_ELSEWHERE) p->seen++;
        gk_config config;
        if (p->quiet || p->reported[i]) continue;
        if (outcome == GK_SWEEP_ELSEWHERE && !p->told_waiting) {
            clear_line(p);
            fputs("sweep  another sweep trains some of these runs; they are left for the end\n", stderr);
            p->told_waiting = true;
        }
        if (!words[outcome] || gk_sweep_config(p->job->plan, task->index, &config) != GK_OK) continue;
        p->reported[i] = true;
        clear_line(p);
        fprintf(stderr, "%s  %s%s%s\n", gk_config_text(&config, "name"), words[outcome], task->text[0] ? ": " : "",
                task->text);
        gk_config_free(&config);
    }
}

static int64_t count_done(const gk_sweep_board *b)
{
    int64_t n = 0;
    for (int64_t i = 0; i < b->n_tasks && i < atomic_load(&b->next); i++)
        n += atomic_load(&b->tasks[i].outcome) > GK_SWEEP_ELSEWHERE;
    return n;
}

static void clock_text(double seconds, char *out, size_t room)
{
    const long long s = isfinite(seconds) && seconds < 1e9 ? (long long)(seconds + 0.5) : -1;
    if (s < 0)
        snprintf(out, room, "?");
    else if (s < 60)
        snprintf(out, room, "%llds", s);
    else if (s < 3600)
        snprintf(out, room, "%lld:%02lld", s / 60, s % 60);
    else
        snprintf(out, room, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

static void tell_progress(pool *p, double now)
{
    const double elapsed = now - p->start;
    if (p->quiet || elapsed < p->next_line) return;
    /* Lines of a log thin out: after 2, 4, 8 ... seconds, then once a minute. */
    p->next_line = p->terminal ? elapsed + 0.2 : elapsed + (elapsed < 60 ? elapsed : 60);
    const int64_t done = count_done(p->board), n = p->board->n_tasks;
    char left[32];
    clock_text(done > 0 ? elapsed * (double)(n - done) / (double)done : NAN, left, sizeof left);
    if (p->terminal) fputs("\r", stderr);
    fprintf(stderr, "sweep  %lld of %lld runs  %.3g/s  ETA %s", (long long)done, (long long)n, (double)done / elapsed,
            left);
    fputs(p->terminal ? "\033[K" : "\n", stderr);
    p->drawn = p->terminal;
    fflush(stderr);
}

/* Workers that wait for a database which somebody else has locked do not move; the user should know what to look for.
 */
static void watch_stall(pool *p, double now)
{
    enum { STALL_SECONDS = 20 };
    int64_t moved = count_done(p->board);
    for (int i = 0; i < p->board->n_slots; i++)
        moved += atomic_load_explicit(&p->board->slots[i].steps_done, memory_order_relaxed);
    if (moved != p->moved) {
        p->moved = moved;
        p->moved_at = now;
        p->told_stall = false;
    } else if (!p->told_stall && !p->quiet && now - p->moved_at > STALL_SECONDS) {
        clear_line(p);
        fprintf(stderr, "sweep  no run has moved for %d s: steps of more than that, or another program has %s locked\n",
                STALL_SECONDS, p->job->db);
        p->told_stall = true;
    }
}

/* ---- the pool ---- */

static int watch(pool *p)
{
    gk_sweep_board *b = p->board;
    int alive = 0, code = GK_OK;
    for (int i = 0; code == GK_OK && i < b->n_slots && i < b->n_tasks; i++) {
        if ((code = start_worker(p, i)) == GK_OK) alive++;
    }
    if (code != GK_OK) atomic_store(&b->stop, true);
    for (int turn = 0; alive > 0; turn++) {
        /* Short naps at first, so that a sweep of a few small runs does not wait for its own clock. */
        nanosleep(&(struct timespec){0, turn < 50 ? 2000000 : 20000000}, NULL);
        if (gk_cli_signal()) atomic_store(&b->stop, true);
        const int reaped = reap(p, &alive);
        if (reaped != GK_OK && code == GK_OK) {
            code = reaped;
            atomic_store(&b->stop, true);
        }
        if (turn % 10 && alive > 0) continue;
        const double now = gk_seconds();
        tell_troubles(p);
        tell_progress(p, now);
        watch_stall(p, now);
    }
    return code;
}

static double cpu_seconds(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int gk_sweep_pool(const gk_sweep_job *job, bool quiet, gk_sweep_cost *cost)
{
    gk_sweep_board *b = job->board;
    pool p = {.job = job, .board = b, .quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0, .start = gk_seconds()};
    p.moved_at = p.start;
    p.next_line = p.terminal ? 0 : 2;
    p.reported = gk_calloc((size_t)b->n_tasks + 1, sizeof *p.reported);
    if (!p.reported) return GK_FAILED;
    gk_cli_signals_catch();
    const double cpu = cpu_seconds(RUSAGE_CHILDREN);
    int code = watch(&p);
    clear_line(&p);
    free(p.reported);
    *cost = (gk_sweep_cost){.wall = gk_seconds() - p.start, .cpu = cpu_seconds(RUSAGE_CHILDREN) - cpu};
    for (int64_t i = 0; i < b->n_tasks; i++) cost->busy += b->tasks[i].seconds;
    if (code == GK_OK && atomic_load(&b->fatal) != GK_OK) code = gk_error(atomic_load(&b->fatal), "%s", b->fatal_text);
    if (code == GK_OK && gk_cli_signal())
        code = gk_error(GK_INTERRUPTED, "stopped; the same command goes on from here");
    return code;
}
