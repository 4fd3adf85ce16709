/* cmd_plot.c: groklab plot. What each kind needs of the store, and the figure that the plot room makes of it. */
#include "commands.h"
#include "comparing.h"
#include "picture.h"
#include "plotting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gk_cli_option options[] = {
    {"output", 'o', "FILE", "the picture; the ending .svg, .pdf or .png says the format"},
    {"metrics", 'm', "NAME,...", "curves, progress: these metrics"},
    {"each", 0, NULL, "curves, progress: every run by itself, no mean over seeds"},
    {"kind", 0, "KIND", "matrix, compare: feature matrices of this kind (default: metric of an RFM, else sqrt_agop)"},
    {"nodiag", 0, NULL, "matrix: the diagonal as 0 (compare does that unless --diagonal)"},
    {"diagonal", 0, NULL, "compare: with the diagonals, in the pictures and in the similarities"},
    {"block", 0, NULL, "matrix, compare: only the block of the second input's rows and the first input's columns"},
    {"reorder", 0, NULL, "matrix, compare: rows and columns in discrete-log order, 0 dropped"},
    {"steps", 0, "N,...", "matrix: small multiples at these steps"},
    {"multiples", 0, "N", "matrix: small multiples at N of the stored steps"},
    {"source", 0, "NAME,...", "spectrum: features, embed, outputs (default features)"},
    {"settings", 0, "X,Y", "grid: the two settings (default train_fraction,weight_decay)"},
    {"value", 0, "NAME", "grid: grokked_step (default), memorised_step, delay, or a metric's last value"},
    {"method", 0, "METHOD", "grid: only runs of this method"},
    {"x", 0, "AXIS", "log (default), linear, fraction or phase"},
    {"y", 0, "SCALE", "auto (default), linear or log"},
    {"across-splits", 0, NULL, "compare: runs of different splits, too"},
    {"width", 0, "MM", "width of the picture (default 85, one column; wide kinds 178)"},
    {"dpi", 0, "N", "resolution of a .png (default 300)"},
    {"title", 0, "TEXT", "a heading"},
    {NULL, 0, NULL, NULL},
};

typedef struct plot_kind {
    const char *name;
    int least, most; /* runs */
    bool one_step;   /* it shows a run at one step, which RUN@STEP can name */
    int (*make)(gk_plot_job *job);
} plot_kind;

static int given_real(const gk_cli_args *args, const char *option, double min, double max, double *out)
{
    const char *text = gk_cli_given(args, option);
    if (!text) return GK_OK;
    if (gk_text_real(text, out) != GK_OK || !(*out >= min && *out <= max))
        return gk_error(GK_USAGE, "--%s %s: a number from %g to %g would do", option, text, min, max);
    return GK_OK;
}

static int given_word(const gk_cli_args *args, const char *option, const char *const *words, int *out)
{
    const char *text = gk_cli_given(args, option);
    *out = 0;
    if (!text) return GK_OK;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) != 0) continue;
        *out = i;
        return GK_OK;
    }
    const char *near = gk_text_nearest(text, words);
    return gk_error(GK_USAGE, "--%s %s: %s, %s, %s%s%s would do%s%s%s", option, text, words[0], words[1], words[2],
                    words[3] ? ", " : "", words[3] ? words[3] : "", near ? "; did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
}

/* ---- curves and progress ---- */

static int load_curves(gk_plot_job *job, const char *const *metrics)
{
    for (int i = 0; i < job->n; i++) {
        for (int m = 0; metrics && metrics[m]; m++) {
            int code = gk_picture_add_curve(&job->pictures[i], job->store, metrics[m]);
            if (code != GK_OK) return code;
        }
        int code = metrics ? GK_OK : gk_picture_add_curves(&job->pictures[i], job->store);
        if (code != GK_OK) return code;
    }
    return gk_plot_job_runs(job);
}

static int make_lines(gk_plot_job *job, bool progress)
{
    static const char *const usual[] = {"train_accuracy", "test_accuracy", "train_loss", "test_loss", NULL};
    gk_plot_list list;
    int code = gk_plot_split_list(&list, gk_cli_given(job->args, "metrics"));
    for (int i = 0; i < list.n && code == GK_OK; i++) code = gk_picture_check_metric(job->store, list.at[i]);
    const char *const *metrics = list.n ? list.at : progress ? NULL : usual;
    if (code == GK_OK) code = gk_picture_name(job->pictures, job->n, gk_cli_given(job->args, "each") != NULL);
    if (code == GK_OK) code = load_curves(job, metrics);
    if (code == GK_OK)
        code = progress ? gk_plot_progress(&job->figure, job->runs, job->n, metrics, &job->options)
                        : gk_plot_curves(&job->figure, job->runs, job->n, metrics, &job->options);
    gk_plot_list_free(&list);
    return code;
}

static int make_curves(gk_plot_job *job)
{
    return make_lines(job, false);
}
static int make_progress(gk_plot_job *job)
{
    return make_lines(job, true);
}

/* ---- spectrum ---- */

static int make_spectrum(gk_plot_job *job)
{
    enum { MOST = 200 }; /* columns of a panel: more steps than that are picked from */
    gk_plot_list list;
    const char *sources = gk_cli_given(job->args, "source");
    int code = gk_plot_split_list(&list, sources ? sources : "features");
    if (code == GK_OK) code = gk_picture_name(job->pictures, job->n, true);
    for (int i = 0; i < job->n && code == GK_OK; i++) {
        gk_picture *p = &job->pictures[i];
        for (int k = 0; k < list.n && code == GK_OK; k++) {
            if (strcmp(list.at[k], "embed") == 0 || strcmp(list.at[k], "outputs") == 0) {
                code = gk_picture_add_spectra(p, job->store, list.at[k], MOST);
                continue;
            }
            if (strcmp(list.at[k], "features") != 0) {
                code = gk_error(GK_USAGE, "--source %s: features, embed or outputs would do", list.at[k]);
                break;
            }
            double *steps = NULL;
            int n = 0, index[MOST];
            code = gk_picture_matrix_steps(p, job->store, gk_picture_kind(p), &steps, &n);
            int kept = code == GK_OK ? gk_plot_pick(&p->run, steps, n, MOST < n ? MOST : n, index) : 0;
            for (int t = 0; t < kept && code == GK_OK; t++) {
                code = gk_picture_add_frame(p, job->store, gk_picture_kind(p), (int64_t)steps[index[t]]);
                if (code == GK_OK) code = gk_picture_add_block_spectrum(p, &p->run.frames[p->run.n_frames - 1]);
            }
            if (code == GK_OK && kept < n) fprintf(stderr, "%s: %d of %d stored steps\n", p->label, kept, n);
            free(steps);
        }
    }
    if (code == GK_OK) code = gk_plot_job_runs(job);
    if (code == GK_OK) code = gk_plot_spectra(&job->figure, job->runs, job->n, &job->options);
    gk_plot_list_free(&list);
    return code;
}

/* ---- the command ---- */

static const plot_kind kinds[] = {
    {"curves", 1, 128, false, make_curves},        {"matrix", 1, 64, true, gk_plot_make_matrix},
    {"compare", 1, 7, true, gk_plot_make_compare}, {"progress", 1, 128, false, make_progress},
    {"spectrum", 1, 8, false, make_spectrum},      {"grid", 0, 100000, false, gk_plot_make_grid},
};

static const plot_kind *find_kind(const char *name)
{
    const char *names[sizeof kinds / sizeof *kinds + 1] = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
        names[i] = kinds[i].name;
    }
    const char *near = gk_text_nearest(name, names);
    gk_error(GK_USAGE, "'%s' is no kind of picture; curves, matrix, compare, progress, spectrum, grid are%s%s%s", name,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static int read_options(gk_plot_job *job)
{
    static const char *const axes[] = {"log", "linear", "fraction", "phase", NULL};
    static const char *const scales[] = {"auto", "linear", "log", NULL};
    int axis = 0, scale = 0, code = given_real(job->args, "width", 40, 1000, &job->options.width_mm);
    if (code == GK_OK) code = given_real(job->args, "dpi", 30, 1200, &job->dpi);
    if (code == GK_OK) code = given_word(job->args, "x", axes, &axis);
    if (code == GK_OK) code = given_word(job->args, "y", scales, &scale);
    job->options.x = (gk_plot_axis)axis;
    job->options.y = (gk_plot_scale)scale;
    job->options.title = gk_cli_given(job->args, "title");
    return code;
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    gk_plot_job job = {.args = args, .n = args->n_words - 1};
    gk_plot_format format;
    const plot_kind *kind = find_kind(args->words[0]);
    const char *path = gk_cli_given(args, "output");
    int code = kind ? read_options(&job) : GK_USAGE;
    if (code == GK_OK && !path)
        code = gk_error(GK_USAGE, "plot %s needs -o FILE.svg, FILE.pdf or FILE.png", kind->name);
    if (code == GK_OK) code = gk_plot_format_of(path, &format);
    if (code == GK_OK && (job.n < kind->least || job.n > kind->most))
        code = gk_error(GK_USAGE, "plot %s takes %d to %d runs, got %d", kind->name, kind->least, kind->most, job.n);
    if (code == GK_OK) code = gk_cli_open(cli, GK_STORE_READ, &job.store);
    job.pictures = gk_calloc((size_t)job.n + 1, sizeof *job.pictures);
    job.steps = gk_calloc((size_t)job.n + 1, sizeof *job.steps);
    if (code == GK_OK && (!job.pictures || !job.steps)) code = GK_FAILED;
    int loaded = 0;
    for (; loaded < job.n && code == GK_OK; loaded++) {
        int64_t id;
        code = gk_cli_run_at(job.store, args->words[loaded + 1], &id, &job.steps[loaded]);
        if (code == GK_OK && job.steps[loaded] >= 0 && !kind->one_step)
            code = gk_error(GK_USAGE, "'%s': plot %s shows all steps of a run; RUN@STEP is for matrix and compare",
                            args->words[loaded + 1], kind->name);
        if (code == GK_OK) code = gk_picture_load(&job.pictures[loaded], job.store, id);
        if (code == GK_OK) code = gk_picture_check_step(&job.pictures[loaded], job.steps[loaded]);
    }
    if (code == GK_OK) code = kind->make(&job);
    if (code == GK_OK) code = gk_plot_write(job.figure, path, job.dpi);
    if (code == GK_OK) {
        double width, height;
        gk_plot_size(job.figure, &width, &height);
        fprintf(stderr, "%s: %.0f x %.0f mm\n", path, width * 25.4 / 72, height * 25.4 / 72);
    }
    gk_plot_free(job.figure);
    for (int i = 0; i < loaded; i++) gk_picture_free(&job.pictures[i]);
    free(job.pictures);
    free(job.steps);
    free(job.runs);
    return gk_cli_close(job.store, code);
}

const gk_command gk_cmd_plot = {
    .name = "plot",
    .summary = "draws a figure as SVG, PDF or PNG",
    .usage = "KIND RUN[@STEP] ... -o FILE.(svg|pdf|png)",
    .detail = "curves    metrics over steps; runs that differ in seeds only become their mean with a band\n"
              "matrix    a feature matrix, or small multiples over steps (--steps, --multiples)\n"
              "compare   accuracies, final feature matrices and their similarities of the methods of one split\n"
              "progress  hidden measures against visible ones, phases shaded; several runs are aligned by phase\n"
              "spectrum  energy per frequency over training\n"
              "grid      a phase diagram over two settings; without RUN all runs that have both\n"
              "matrix and compare take RUN@STEP, the newest matrix stored at or before STEP; the figure says of which\n"
              "step it is.\n"
              "The same data gives the same bytes.",
    .options = options,
    .least = 1,
    .most = -1,
    .run = run,
};
