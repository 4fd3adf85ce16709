/* cmd_bench.c: groklab bench: how fast this machine trains, against what its cores could do. */
#include "bench.h"
#include "commands.h"
#include "gk_machine.h"
#include "gk_matrix.h"

#include <ctype.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double PEAK_SECONDS = 0.15;

enum { LOOPS_MOST = 32 };

static const gk_cli_option options[] = {
    {"only", 0, "NAME,...", "only these loops, or all loops of these methods"},
    {"seconds", 0, "S", "time for each loop and number of cores (default 1)"},
    {"cores", 0, "N", "only on N cores (default: on one, then on all)"},
    {"list", 0, NULL, "lists the loops and how their flops are counted, and measures nothing"},
    {NULL, 0, NULL, NULL},
};

/* The machine, as far as the figures depend on it. */
typedef struct machine {
    char cpu[128];
    int cores[2], n; /* core counts to measure on */
    gk_isa widest, used;
    double peak[2][2];   /* [core count][float64] flops a second with the widest vectors */
    double peak_used[2]; /* [core count] float32, with the vectors that the networks use */
    const char *blas_by; /* who chose the BLAS kernels: openblas | groklab | user */
} machine;

/* ---- what is to be measured ---- */

static bool is_loop(const gk_bench_loop *loop, const char *word)
{
    return strcmp(word, loop->name) == 0 || strcmp(word, loop->method) == 0;
}

/* Marks the loops that a comma-separated list names, or all for NULL. */
static int choose(const char *list, bool *wanted)
{
    const char *names[LOOPS_MOST + 8];
    int n = 0, count = 0;
    for (; gk_bench_loops[count].name; count++) names[n++] = gk_bench_loops[count].name;
    for (const char *const *m = gk_method_names; *m; m++) names[n++] = *m;
    names[n] = NULL;
    for (int i = 0; i < count; i++) wanted[i] = !list;
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        char *word = gk_text("%.*s", (int)length, at);
        if (!word) return GK_FAILED;
        bool known = false;
        for (int i = 0; i < count; i++)
            if (is_loop(&gk_bench_loops[i], word)) known = wanted[i] = true;
        const char *near = known ? NULL : gk_text_nearest(word, names);
        int code = GK_OK;
        if (!known && near)
            code = gk_error(GK_USAGE, "--only: no loop '%s'; did you mean '%s'?", word, near);
        else if (!known)
            code = gk_error(GK_USAGE, "--only: no loop '%s'; 'groklab bench --list' names them", word);
        free(word);
        if (code != GK_OK) return code;
        at = at[length] ? at + length + 1 : NULL;
    }
    return GK_OK;
}

/* ---- the machine ---- */

static const char *isa_name(gk_isa isa)
{
#if defined(__x86_64__)
    static const char *const names[] = {"base", "v3", "v4", "amx"};
    return names[isa];
#else
    (void)isa;
    return "base";
#endif
}

/* "model name : X" of Linux; empty elsewhere. */
static void read_cpu(char *out, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    out[0] = '\0';
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        const char *at = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (at) snprintf(out, room, "%s", at + 1 + strspn(at + 1, " \t"));
    }
    if (f) fclose(f);
    size_t n = strlen(out);
    while (n > 0 && isspace((unsigned char)out[n - 1])) out[--n] = '\0';
}

static void read_machine(machine *m, int cores)
{
    const int all = omp_get_num_procs();
    *m = (machine){.n = 1, .widest = gk_machine_isa(), .used = gk_machine_isa_used()};
    m->cores[0] = cores > 0 ? cores : 1;
    if (cores == 0 && all > 1) m->cores[m->n++] = all;
    read_cpu(m->cpu, sizeof m->cpu);
    for (int i = 0; i < m->n; i++) {
        for (int f64 = 0; f64 < 2; f64++) m->peak[i][f64] = gk_machine_peak(m->widest, f64, m->cores[i], PEAK_SECONDS);
        m->peak_used[i] =
            m->used == m->widest ? m->peak[i][0] : gk_machine_peak(m->used, false, m->cores[i], PEAK_SECONDS);
    }
    m->blas_by = "openblas";
    if (getenv("OPENBLAS_CORETYPE")) m->blas_by = getenv("GROKLAB_BLAS_CHOSEN") ? "groklab" : "user";
}

/* ---- rows ---- */

typedef struct row {
    const char *loop, *method;
    int cores, runs, samples;
    double seconds, best, flops, rate, peak;
    bool float64;
    gk_isa isa;
} row;

static row row_of(const machine *m, int i, const gk_bench_time *t)
{
    /* A network computes with its own loops at the level it was built for, the RFM mostly in BLAS, which has a mind of
     * its own: its yardstick is what the CPU can do. */
    const bool network = strcmp(t->loop->method, "rfm") != 0;
    return (row){.loop = t->loop->name,
                 .method = t->loop->method,
                 .cores = m->cores[i],
                 .runs = t->runs,
                 .samples = t->samples,
                 .seconds = t->median,
                 .best = t->best,
                 .flops = t->flops,
                 .rate = t->flops * t->runs / t->median,
                 .peak = network ? m->peak_used[i] : m->peak[i][t->float64],
                 .float64 = t->float64,
                 .isa = network ? m->used : m->widest};
}

static row peak_row(const machine *m, int i, bool float64)
{
    return (row){.loop = "fma-peak",
                 .cores = m->cores[i],
                 .runs = 1,
                 .seconds = NAN,
                 .best = NAN,
                 .flops = NAN,
                 .rate = m->peak[i][float64],
                 .peak = m->peak[i][float64],
                 .float64 = float64,
                 .isa = m->widest};
}

static gk_cell rounded(double value, double unit)
{
    return gk_cell_real(round(value / unit) * unit);
}

/* Rows for the eye. */
static int print_short(gk_list *l, const row *r)
{
    const gk_cell cells[] = {gk_cell_text(r->loop),
                             gk_cell_int(r->cores),
                             gk_cell_real(1e3 * r->seconds),
                             gk_cell_real(1e3 * r->best),
                             gk_cell_real(1e-6 * r->flops),
                             rounded(1e-9 * r->rate, 0.1),
                             gk_cell_text(r->float64 ? "float64" : "float32"),
                             rounded(r->rate / r->peak, 1e-3)};
    return gk_list_row(l, cells);
}

/* Rows for programs: each says all that its figures depend on. */
static int print_long(gk_list *l, const machine *m, const row *r)
{
    const gk_cell cells[] = {gk_cell_text(r->loop),
                             gk_cell_text(r->method),
                             gk_cell_int(r->cores),
                             gk_cell_int(r->runs),
                             gk_cell_int(r->samples),
                             gk_cell_real(1e3 * r->seconds),
                             gk_cell_real(1e3 * r->best),
                             gk_cell_real(1e-6 * r->flops),
                             gk_cell_real(1e-9 * r->rate),
                             gk_cell_real(1e-9 * r->peak),
                             gk_cell_real(r->method ? r->rate / r->peak : NAN),
                             gk_cell_text(r->float64 ? "float64" : "float32"),
                             gk_cell_text(isa_name(r->isa)),
                             gk_cell_text(gk_blas_core()),
                             gk_cell_text(m->blas_by),
                             gk_cell_text(m->cpu[0] ? m->cpu : NULL)};
    return gk_list_row(l, cells);
}

static int begin(gk_list *l, gk_list_format format)
{
    static const char *const short_names[] = {"loop", "cores", "ms", "best ms", "MFlop", "GFlop/s", "type", "of peak"};
    static const char *const long_names[] = {"loop",    "method",    "cores",        "runs",        "samples", "ms",
                                             "best_ms", "mflop",     "gflops",       "peak_gflops", "share",   "dtype",
                                             "isa",     "blas_core", "blas_core_by", "cpu"};
    if (format == GK_LIST_TABLE) return gk_list_begin(l, stdout, format, 8, short_names);
    return gk_list_begin(l, stdout, format, 16, long_names);
}

static int print(gk_list *l, const machine *m, const row *r)
{
    return l->format == GK_LIST_TABLE ? print_short(l, r) : print_long(l, m, r);
}

static void print_machine(const machine *m)
{
    printf("%s%s%d cores, vectors %s%s%s; FMA peak, GFlop/s:", m->cpu, m->cpu[0] ? ", " : "", omp_get_num_procs(),
           isa_name(m->widest), m->used == m->widest ? "" : ", networks at ",
           m->used == m->widest ? "" : isa_name(m->used));
    for (int i = 0; i < m->n; i++)
        printf("%s %.0f float32 and %.0f float64 on %d", i ? "," : "", 1e-9 * m->peak[i][0], 1e-9 * m->peak[i][1],
               m->cores[i]);
    printf("\nBLAS kernels %s, chosen by %s", gk_blas_core(),
           strcmp(m->blas_by, "user") == 0      ? "OPENBLAS_CORETYPE in the environment"
           : strcmp(m->blas_by, "groklab") == 0 ? "groklab"
                                                : "OpenBLAS");
    const char *better = gk_blas_core_wanted();
    if (better) printf("; this CPU deserves %s: unset OPENBLAS_CORETYPE", better);
    puts("\n");
}

/* ---- the command ---- */

static int list_loops(gk_list_format format)
{
    static const char *const names[] = {"loop", "method", "what", "flops"};
    gk_list l;
    int code = gk_list_begin(&l, stdout, format, 4, names);
    for (const gk_bench_loop *b = gk_bench_loops; b->name && code == GK_OK; b++) {
        const gk_cell cells[] = {gk_cell_text(b->name), gk_cell_text(b->method), gk_cell_text(b->summary),
                                 gk_cell_text(b->formula)};
        code = gk_list_row(&l, cells);
    }
    gk_list_end(&l);
    return code;
}

static int measure_loops(const machine *m, const bool *wanted, double seconds, gk_list *l)
{
    const bool talk = isatty(STDERR_FILENO);
    int code = GK_OK;
    for (int b = 0; gk_bench_loops[b].name && code == GK_OK; b++) {
        gk_bench_time times[2];
        if (!wanted[b]) continue;
        if (talk) fprintf(stderr, "\r%-20s", gk_bench_loops[b].name);
        code = gk_bench_measure(&gk_bench_loops[b], m->cores, m->n, seconds, times);
        if (talk) fprintf(stderr, "\r%20s\r", "");
        for (int i = 0; i < m->n && code == GK_OK; i++) {
            const row r = row_of(m, i, &times[i]);
            code = print(l, m, &r);
        }
    }
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    (void)cli;
    bool wanted[LOOPS_MOST];
    int64_t cores = 0;
    double seconds = 1;
    const char *text = gk_cli_given(args, "seconds");
    const gk_list_format format = gk_list_format_of(args);
    if (text && (gk_text_real(text, &seconds) != GK_OK || !(seconds > 0 && seconds <= 3600)))
        return gk_error(GK_USAGE, "--seconds: '%s' is not a number over 0, up to 3600", text);
    int code = gk_cli_given_int(args, "cores", 1, omp_get_num_procs(), &cores);
    if (code == GK_OK) code = choose(gk_cli_given(args, "only"), wanted);
    if (code != GK_OK) return code;
    if (gk_cli_given(args, "list")) return list_loops(format);
    machine m;
    gk_list l;
    read_machine(&m, (int)cores);
    if (format == GK_LIST_TABLE) print_machine(&m);
    if ((code = begin(&l, format)) != GK_OK) return code;
    for (int i = 0; i < m.n && code == GK_OK && format != GK_LIST_TABLE; i++) {
        for (int f64 = 0; f64 < 2 && code == GK_OK; f64++) {
            const row r = peak_row(&m, i, f64);
            code = print(&l, &m, &r);
        }
    }
    if (code == GK_OK) code = measure_loops(&m, wanted, seconds, &l);
    if (code == GK_OK)
        gk_list_end(&l);
    else
        gk_list_free(&l);
    return code;
}

const gk_command gk_cmd_bench = {
    .name = "bench",
    .summary = "times this machine on the training loops",
    .usage = "",
    .detail =
        "Median and best time of a step, the flops of its matrix products, and their share of the fused multiply-add\n"
        "peak that is measured in the same run. A minibatch loop uses several cores by one run on each: the time is "
        "one\n"
        "run's, the rate that of all. Iterations of the RFM are late ones, over and over from the same state. No\n"
        "database is touched.",
    .options = options,
    .listing = true,
    .run = run,
};
