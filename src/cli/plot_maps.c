/* plot_maps.c: feature matrices of stored runs as pictures: plot matrix and plot compare. */
#include "plotting.h"

#include "comparing.h"
#include "gk_matrix.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static gk_plot_view view_of(const gk_cli_args *args)
{
    return (gk_plot_view){.nodiag = gk_cli_given(args, "nodiag") != NULL,
                          .block = gk_cli_given(args, "block") != NULL,
                          .reorder = gk_cli_given(args, "reorder") != NULL};
}

/* The steps that --steps or --multiples ask for; otherwise RUN@STEP or the last. *steps is malloc'ed. */
static int wanted_steps(gk_plot_job *job, int i, const char *kind, int64_t **steps, int *n)
{
    const gk_picture *p = &job->pictures[i];
    int64_t most = 0;
    gk_plot_list list;
    int code = gk_plot_split_list(&list, gk_cli_given(job->args, "steps"));
    if (code == GK_OK) code = gk_cli_given_int(job->args, "multiples", 1, 64, &most);
    if (code == GK_OK && job->steps[i] >= 0 && (list.n || most))
        code = gk_error(GK_USAGE, "%s@%" PRId64 " and --%s both say which step", p->row.name, job->steps[i],
                        list.n ? "steps" : "multiples");
    double *stored = NULL;
    int count = 0, *index = NULL;
    if (code == GK_OK) code = gk_picture_matrix_steps(p, job->store, kind, &stored, &count);
    if (count < most) most = count; /* of none that is 0: the one asked for, which the store then misses by name */
    *n = list.n ? list.n : most ? (int)most : 1;
    *steps = gk_alloc((size_t)*n + 1, sizeof **steps);
    index = gk_alloc((size_t)count + 1, sizeof *index);
    if (!*steps || !index) code = GK_FAILED;
    if (code == GK_OK && list.n == 0 && most == 0) (*steps)[0] = job->steps[i];
    for (int k = 0; k < list.n && code == GK_OK; k++)
        if (gk_text_int(list.at[k], &(*steps)[k]) != GK_OK || (*steps)[k] < 0)
            code = gk_error(GK_USAGE, "--steps %s: steps of 0 or more, as in --steps 0,5,10", list.at[k]);
        else
            code = gk_picture_check_step(p, (*steps)[k]);
    if (code == GK_OK && list.n == 0 && most > 0) {
        *n = gk_plot_pick(&p->run, stored, count, *n, index);
        for (int k = 0; k < *n; k++) (*steps)[k] = (int64_t)stored[index[k]];
    }
    free(stored);
    free(index);
    gk_plot_list_free(&list);
    return code;
}

/* The frames of all runs as the view shows them; their data is the job's to free. */
typedef struct views {
    gk_plot_frame frames[64];
    char *titles[64];
    double *data[64];
    int n;
} views;

static void views_free(views *v)
{
    for (int i = 0; i < v->n; i++) {
        free(v->titles[i]);
        free(v->data[i]);
    }
}

static int add_view(views *v, const gk_picture *p, const gk_plot_frame *frame, gk_plot_view view, bool name_run)
{
    if (v->n == 64) return gk_error(GK_USAGE, "more than 64 matrices do not fit into one figure");
    int rows, cols;
    int code = gk_plot_view_apply(frame, p->split.p, view, &v->data[v->n], &rows, &cols);
    if (code != GK_OK) return code;
    v->titles[v->n] = name_run ? gk_text("%s, %s %.0f", p->label, p->run.unit, frame->step)
                               : gk_text("%s %.0f", p->run.unit, frame->step);
    v->frames[v->n] = (gk_plot_frame){frame->kind, frame->step, rows, cols, v->data[v->n]};
    v->n++;
    return v->titles[v->n - 1] ? GK_OK : GK_FAILED;
}

int gk_plot_make_matrix(gk_plot_job *job)
{
    const gk_plot_view view = view_of(job->args);
    const char *asked = gk_cli_given(job->args, "kind");
    views v = {.n = 0};
    int code = gk_picture_name(job->pictures, job->n, true);
    for (int i = 0; i < job->n && code == GK_OK; i++) {
        gk_picture *p = &job->pictures[i];
        const char *kind = asked ? asked : gk_picture_kind(p);
        int64_t *steps = NULL;
        int n = 0;
        if (p->split.p != job->pictures[0].split.p)
            code = gk_error(GK_DIFFERS,
                            "run %" PRId64 " is of p = %d and run %" PRId64 " of p = %d; one figure shows one p",
                            job->pictures[0].row.id, job->pictures[0].split.p, p->row.id, p->split.p);
        if (code == GK_OK) code = wanted_steps(job, i, kind, &steps, &n);
        for (int k = 0; k < n && code == GK_OK; k++) {
            code = gk_picture_add_frame(p, job->store, kind, steps[k]);
            if (code != GK_OK) break;
            const gk_plot_frame *frame = &p->run.frames[p->run.n_frames - 1];
            if (steps[k] >= 0 && frame->step != (double)steps[k])
                fprintf(stderr, "%s: for %s %" PRId64 " its %s of %.0f, the newest stored by then\n", p->row.name,
                        p->row.step_unit, steps[k], frame->kind, frame->step);
            code = add_view(&v, p, frame, view, job->n > 1);
        }
        free(steps);
    }
    if (code == GK_OK)
        code = gk_plot_matrices(&job->figure, v.frames, v.n, (const char *const *)v.titles, job->pictures[0].split.p,
                                view, &job->options);
    views_free(&v);
    return code;
}

/* Cosines of the views, so that the numbers are of what the picture shows. */
static void similarities(double *out, const views *v, const bool *has)
{
    for (int i = 0; i < v->n; i++) {
        for (int j = 0; j < v->n; j++) {
            const gk_plot_frame *a = &v->frames[i], *b = &v->frames[j];
            const bool fits = has[i] && has[j] && a->rows == b->rows && a->cols == b->cols;
            out[i * v->n + j] = fits ? gk_cosine(a->data, b->data, (size_t)a->rows * (size_t)a->cols) : NAN;
        }
    }
}

int gk_plot_make_compare(gk_plot_job *job)
{
    gk_plot_view view = view_of(job->args);
    const char *asked = gk_cli_given(job->args, "kind");
    view.nodiag = gk_cli_given(job->args, "diagonal") == NULL;
    views v = {.n = 0};
    bool has[64] = {false};
    double similarity[64];
    int code = gk_picture_name(job->pictures, job->n, true);
    for (int i = 1; i < job->n && code == GK_OK; i++)
        if (job->pictures[i].row.split_id != job->pictures[0].row.split_id && !gk_cli_given(job->args, "across-splits"))
            code =
                gk_error(GK_DIFFERS,
                         "run %" PRId64 " and run %" PRId64 " do not share a split; --across-splits draws them still",
                         job->pictures[0].row.id, job->pictures[i].row.id);
    for (int i = 0; i < job->n && code == GK_OK; i++) {
        gk_picture *p = &job->pictures[i];
        const char *kind = asked ? asked : gk_picture_kind(p);
        code = gk_picture_add_curve(p, job->store, "train_accuracy");
        if (code == GK_OK) code = gk_picture_add_curve(p, job->store, "test_accuracy");
        if (code == GK_OK) code = gk_picture_add_frame(p, job->store, kind, job->steps[i]);
        if (code == GK_OK) {
            has[i] = true;
            code = add_view(&v, p, &p->run.frames[0], view, false);
        } else if (code == GK_NOTFOUND) { /* the picture says that there is none */
            v.frames[v.n++] = (gk_plot_frame){.kind = kind};
            code = GK_OK;
        }
    }
    if (code == GK_OK) code = gk_plot_job_runs(job);
    if (code == GK_OK) {
        similarities(similarity, &v, has);
        code = gk_plot_compare(&job->figure, job->runs, job->n, v.frames, job->pictures[0].split.p, view, similarity,
                               view.block    ? "cosine of blocks"
                               : view.nodiag ? "cosine, no diagonal"
                                             : "cosine",
                               &job->options);
    }
    views_free(&v);
    return code;
}
