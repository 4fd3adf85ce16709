/* curves.c: the kinds `curves` and `progress`: metrics of runs over steps, one panel a family of metrics. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a metric's name reads: what it measures, and of what. train_loss and restricted_loss_test are both a loss. */
typedef struct metric_form {
    char family[64];
    char role[64]; /* "" when the name is the family's own */
} metric_form;

static bool strip_prefix(char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || name[n] == '\0') return false;
    memmove(name, name + n, strlen(name + n) + 1);
    return true;
}

static bool strip_suffix(char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    if (n <= m || strcmp(name + n - m, suffix) != 0) return false;
    name[n - m] = '\0';
    return true;
}

static metric_form form_of(const char *metric)
{
    static const char *const before[] = {"train_", "test_", "restricted_", "excluded_", "full_", NULL};
    static const char *const after[] = {"_train", "_test", "_nodiag", "_block", "_control", NULL};
    metric_form f;
    snprintf(f.family, sizeof f.family, "%s", metric);
    f.role[0] = '\0';
    char *k = strstr(f.family, "_k");
    if (k && k[2] >= '0' && k[2] <= '9') { /* one of a family of frequencies */
        snprintf(f.role, sizeof f.role, "%s", metric);
        *k = '\0';
    }
    if (strncmp(f.family, "gini_", 5) == 0) {
        snprintf(f.role, sizeof f.role, "%s", metric + 5);
        f.family[4] = '\0';
        return f;
    }
    for (int i = 0; before[i]; i++) {
        if (!strip_prefix(f.family, before[i])) continue;
        if (!f.role[0]) snprintf(f.role, sizeof f.role, "%.*s", (int)strlen(before[i]) - 1, before[i]);
        break;
    }
    for (int i = 0; after[i]; i++) {
        if (!strip_suffix(f.family, after[i])) continue;
        size_t n = strlen(f.role);
        snprintf(f.role + n, sizeof f.role - n, "%s%s", n ? " " : "", after[i] + 1);
        break;
    }
    return f;
}

/* Usual roles look the same in every figure. */
static const char *const usual[] = {"test", "train", "restricted", "excluded", NULL};

static int usual_role(const char *role)
{
    for (int i = 0; usual[i]; i++)
        if (strcmp(role, usual[i]) == 0) return i;
    return -1;
}

static bool spans_decades(const char *family)
{
    static const char *const word[] = {"loss", "mse", "deviation", "residual", "norm", "error", NULL};
    for (int i = 0; word[i]; i++)
        if (strstr(family, word[i])) return true;
    return false;
}

/* ---- one panel ---- */

typedef struct picture {
    gk_plot_figure *f;
    const gk_plot_run *runs;
    int n;
    int group[PLOT_LINES]; /* of each run: the index of the first run that differs from it in seeds only */
    int colour[PLOT_LINES];
    int groups;
    gk_plot_axis axis;
    gk_plot_scale y;
    bool rules; /* events cut through the panel */
} picture;

static int find_groups(picture *pic)
{
    if (pic->n < 1) return gk_error(GK_USAGE, "there is no run to draw");
    if (pic->n > PLOT_LINES)
        return gk_error(GK_USAGE, "%d runs are too many for one figure; %d are possible", pic->n, PLOT_LINES);
    pic->groups = 0;
    for (int i = 0; i < pic->n; i++) {
        pic->group[i] = i;
        for (int j = 0; j < i && pic->runs[i].group; j++) {
            if (!pic->runs[j].group || strcmp(pic->runs[i].group, pic->runs[j].group) != 0) continue;
            pic->group[i] = j;
            break;
        }
        pic->colour[i] = pic->group[i] == i ? pic->groups++ : pic->colour[pic->group[i]];
    }
    return GK_OK;
}

static int members_of(const picture *pic, int group, int *member)
{
    int m = 0;
    for (int i = 0; i < pic->n; i++)
        if (pic->group[i] == group) member[m++] = i;
    return m;
}

/* The smallest and largest value of some metrics over all runs, and how many are not positive. */
static void range_of(const picture *pic, const char *const *metrics, const int *in, int n_in, double *lo, double *hi,
                     int *flat)
{
    *lo = INFINITY;
    *hi = -INFINITY;
    *flat = 0;
    for (int r = 0; r < pic->n; r++) {
        for (int m = 0; m < n_in; m++) {
            const gk_plot_curve *c = gk_plot_run_curve(&pic->runs[r], metrics[in[m]]);
            for (int i = 0; c && i < c->n; i++) {
                if (!isfinite(c->value[i])) continue;
                *flat += c->value[i] <= 0;
                if (c->value[i] > 0) *lo = fmin(*lo, c->value[i]);
                *hi = fmax(*hi, c->value[i]);
            }
        }
    }
}

/* One metric of one group: its line, or the mean of its members with a band. */
static int add_group(picture *pic, plot_panel *p, const char *metric, int group, int colour, plot_dash dash,
                     bool geometric)
{
    int member[PLOT_LINES], m = members_of(pic, group, member), found = 0;
    const gk_plot_curve *curves[PLOT_LINES];
    gk_plot_curve aligned[PLOT_LINES];
    for (int i = 0; i < m; i++) {
        const gk_plot_run *run = &pic->runs[member[i]];
        const gk_plot_curve *c = gk_plot_run_curve(run, metric);
        if (!c) continue;
        double *x = plot_keep(pic->f, (size_t)c->n + 1, sizeof *x);
        if (!x) return GK_FAILED;
        for (int k = 0; k < c->n; k++) x[k] = gk_plot_align(run, pic->axis, c->step[k]);
        aligned[found] = (gk_plot_curve){c->name, c->n, x, c->value};
        curves[found] = &aligned[found];
        found++;
    }
    if (found == 1) plot_line_add(pic->f, p, curves[0]->step, curves[0]->value, curves[0]->n, colour, dash);
    if (found < 2) return pic->f->failed ? GK_FAILED : GK_OK;
    plot_mean mean;
    if (plot_mean_of(&mean, curves, found, geometric)) return GK_FAILED;
    plot_line *line = plot_line_add(pic->f, p, mean.x, mean.mean, mean.n, colour, dash);
    if (line) {
        line->low = plot_copy(pic->f, mean.low, (size_t)mean.n);
        line->high = plot_copy(pic->f, mean.high, (size_t)mean.n);
    }
    free(mean.x);
    /* of several groups the legend says how many */
    const char *runs = pic->groups == 1 ? plot_say(pic->f, "%d runs", m) : "runs";
    plot_note_add(
        pic->f, plot_say(pic->f, "Bands: mean ± 1 standard deviation over %s; of the logarithms on a logarithmic axis.",
                         runs));
    return pic->f->failed ? GK_FAILED : GK_OK;
}

/* The uppermost panel has the flags, all have the rules. */
static void add_events(picture *pic, plot_panel *p, bool flag)
{
    static const char *const kind[] = {"memorised", "grokked"};
    for (int r = 0; r < pic->n; r++) {
        for (int k = 0; k < 2; k++) {
            double step = gk_plot_run_event(&pic->runs[r], kind[k]);
            if (isnan(step)) continue;
            int colour = pic->groups > 1 && pic->axis != GK_PLOT_PHASE ? pic->colour[r] : -1;
            plot_mark_add(pic->f, p,
                          (plot_mark){gk_plot_align(&pic->runs[r], pic->axis, step), colour, k == 1, pic->rules, flag});
            plot_key_add(pic->f, (plot_key){PLOT_KEY_MARK, -1, PLOT_SOLID, k == 1, kind[k]});
        }
    }
}

/* in [n_in]: the metrics of the panel. */
static int add_panel(picture *pic, int row, const char *const *metrics, const int *in, int n_in, bool last)
{
    gk_plot_figure *f = pic->f;
    plot_panel *p = plot_panel_add(f, PLOT_CURVES, row, 0);
    if (!p) return GK_FAILED;
    metric_form first = form_of(metrics[in[0]]);
    double lo, hi;
    int flat;
    range_of(pic, metrics, in, n_in, &lo, &hi, &flat);
    bool log_y = pic->y == GK_PLOT_Y_LOG || (pic->y == GK_PLOT_AUTO && spans_decades(first.family) && hi / lo > 20);
    if (log_y && flat)
        plot_note_add(
            f, plot_say(f, "%d values of %s at or below 0 have no place on its logarithmic axis.", flat, first.family));
    for (int m = 0; m < n_in; m++) {
        metric_form form = form_of(metrics[in[m]]);
        int role = usual_role(form.role);
        /* by the dash too, where a colour would do: a reader may have no colours */
        plot_dash dash = role >= 0 ? (plot_dash)role : n_in == 1 ? PLOT_SOLID : (plot_dash)(m % 4);
        const char *name = role >= 0 || !form.role[0] || n_in == 1
                               ? plot_say(f, "%s", role >= 0 ? form.role : metrics[in[m]])
                               : plot_say(f, "%s (%s)", form.role, form.family);
        if (n_in > 1 || role >= 0) {
            int colour = pic->groups == 1 ? (role >= 0 ? role : 4 + m) : -1;
            plot_key_add(f, (plot_key){PLOT_KEY_LINE, colour, dash, false, name});
        }
        for (int g = 0; g < pic->n; g++) {
            if (pic->group[g] != g) continue;
            /* a line alone in its panel is named by the axis: a colour would say what the legend says of another */
            int colour = pic->groups > 1 ? pic->colour[g] : role >= 0 ? role : n_in > 1 ? 4 + m : -1;
            if (add_group(pic, p, metrics[in[m]], g, colour, dash, log_y)) return GK_FAILED;
        }
    }
    add_events(pic, p, row == 0);
    p->y.label = plot_say(f, "%s", n_in == 1 && usual_role(first.role) < 0 ? metrics[in[0]] : first.family);
    for (char *c = (char *)p->y.label; *c; c++)
        if (*c == '_') *c = ' ';
    p->x.bare = !last;
    bool unit = strstr(first.family, "accuracy") != NULL;
    plot_scale_kind kind = pic->axis == GK_PLOT_LOG ? PLOT_LOG : pic->axis == GK_PLOT_PHASE ? PLOT_PHASE : PLOT_LINEAR;
    plot_fit(p, kind, log_y ? PLOT_LOG : PLOT_LINEAR, unit && !log_y ? 0 : NAN, unit ? 1 : NAN);
    if (p->cut) {
        char lowest[32];
        plot_number(lowest, sizeof lowest, p->y.scale.lo);
        plot_note_add(f, plot_say(f, "Values of %s under %s lie below its axis.", first.family, lowest));
    }
    if (!last) return GK_OK;
    const char *step = pic->runs[0].unit ? pic->runs[0].unit : "step";
    for (int r = 1; r < pic->n; r++)
        if (!pic->runs[r].unit || strcmp(pic->runs[r].unit, step) != 0) step = "step (epoch or iteration)";
    p->x.label = plot_say(f, "%s",
                          pic->axis == GK_PLOT_FRACTION ? "fraction of training"
                          : pic->axis == GK_PLOT_PHASE  ? "phase of training"
                                                        : step);
    return GK_OK;
}

/* All panels share one horizontal scale, the widest. */
static void share_x(gk_plot_figure *f)
{
    plot_scale wide = f->panels[0].x.scale;
    bool any = false;
    for (int i = 0; i < f->n; i++) {
        bool data = false;
        for (int l = 0; l < f->panels[i].n_lines; l++) data = data || f->panels[i].lines[l].n > 0;
        const plot_scale *s = &f->panels[i].x.scale;
        if (!data && !f->panels[i].n_marks) continue;
        if (!any) wide = *s;
        wide.lo = fmin(wide.lo, s->lo);
        wide.hi = fmax(wide.hi, s->hi);
        wide.zero = wide.zero || s->zero;
        any = true;
    }
    for (int i = 0; i < f->n; i++) f->panels[i].x.scale = wide;
}

/* Losses of different kinds stand on one axis: which is which. Progress measures are cross entropies for every method. */
static void tell_losses(picture *pic, const char *const *metrics)
{
    bool own = false, progress = false, squared = false, cross = false;
    for (int m = 0; metrics[m]; m++) {
        const metric_form form = form_of(metrics[m]);
        if (strcmp(form.family, "loss") != 0) continue;
        const bool is_own = strcmp(form.role, "train") == 0 || strcmp(form.role, "test") == 0;
        own = own || is_own;
        progress = progress || !is_own;
    }
    for (int r = 0; r < pic->n && pic->runs[r].loss; r++) {
        squared = squared || strcmp(pic->runs[r].loss, "mse") == 0;
        cross = cross || strcmp(pic->runs[r].loss, "cross_entropy") == 0;
    }
    if (!own || !squared || !(cross || progress)) return;
    plot_note_add(pic->f, plot_say(pic->f, "Train and test loss: squared error%s%s.",
                                   cross ? " or cross entropy, as each run has it" : "",
                                   progress ? "; the other losses: cross entropy" : ""));
}

/* Dots in place of curves, and why. */
static void tell_dots(gk_plot_figure *f)
{
    int lines = 0, dots = 0;
    for (int i = 0; i < f->n; i++)
        for (int k = 0; k < f->panels[i].n_lines; k++) {
            lines++;
            dots += f->panels[i].lines[k].n == 1;
        }
    if (lines > 0 && dots == lines)
        plot_note_add(f, "Dots: one value of each is stored; setting store = all keeps curves.");
}

static int draw_families(picture *pic, const char *const *metrics, double one_height, double row_height)
{
    int count = 0, family[64], error = GK_OK;
    while (metrics[count]) count++;
    if (count < 1 || count > 64) return gk_error(GK_USAGE, "%d metrics: 1 to 64 can be drawn in one figure", count);
    if (pic->groups > 1)
        for (int r = 0; r < pic->n; r++) {
            int member[PLOT_LINES], m = members_of(pic, pic->group[r], member);
            if (pic->group[r] == r)
                plot_key_add(pic->f,
                             (plot_key){m > 1 ? PLOT_KEY_BAND : PLOT_KEY_LINE, pic->colour[r], PLOT_SOLID, false,
                                        plot_say(pic->f, m > 1 ? "%s (%d runs)" : "%s", pic->runs[r].label, m)});
        }
    int families = 0;
    for (int m = 0; m < count; m++) { /* family[m]: the first metric of its family */
        metric_form form = form_of(metrics[m]);
        family[m] = m;
        for (int k = m; k-- > 0;)
            if (strcmp(form_of(metrics[k]).family, form.family) == 0) family[m] = k;
        families += family[m] == m;
    }
    int row = 0;
    for (int m = 0; m < count && !error; m++) {
        if (family[m] != m) continue;
        int in[64], n_in = 0;
        for (int k = m; k < count; k++)
            if (family[k] == m) in[n_in++] = k;
        error = add_panel(pic, row, metrics, in, n_in, row == families - 1);
        if (!error) pic->f->row_height[row++] = families == 1 ? one_height : row_height;
    }
    if (!error) share_x(pic->f);
    if (!error) tell_losses(pic, metrics);
    if (!error) tell_dots(pic->f);
    return error;
}

int gk_plot_curves(gk_plot_figure **out, const gk_plot_run *runs, int n, const char *const *metrics,
                   const gk_plot_options *options)
{
    picture pic = {.runs = runs, .n = n, .axis = options->x, .y = options->y};
    *out = NULL;
    int error = find_groups(&pic);
    double width = options->width_mm > 0 ? options->width_mm : GK_PLOT_COLUMN_MM;
    if (!error) error = plot_figure_new(&pic.f, width, options->title);
    if (error) return error;
    pic.rules = pic.groups == 1 && n == 1;
    if (draw_families(&pic, metrics, 0.55 * fmin(pic.f->width, 330), 82)) pic.f->failed = true;
    return plot_figure_done(pic.f, out);
}

/* ---- progress ---- */

/* Nanda's three phases, with the events' definitions for their boundaries. */
static void add_phases(gk_plot_figure *f, const gk_plot_run *run, gk_plot_axis axis)
{
    double memorised = gk_plot_run_event(run, "memorised"), grokked = gk_plot_run_event(run, "grokked");
    double cleaned = gk_plot_run_event(run, "cleaned");
    if (isnan(memorised)) return;
    double end = isnan(cleaned) || !(cleaned > grokked) ? run->last : cleaned;
    for (int i = 0; i < f->n; i++) {
        plot_panel *p = &f->panels[i];
        plot_shade_add(p, 0, gk_plot_align(run, axis, memorised), i == 0 ? "memorisation" : NULL);
        plot_shade_add(p, gk_plot_align(run, axis, memorised),
                       gk_plot_align(run, axis, isnan(grokked) ? run->last : grokked),
                       i == 0 ? "circuit formation" : NULL);
        if (!isnan(grokked))
            plot_shade_add(p, gk_plot_align(run, axis, grokked), gk_plot_align(run, axis, end),
                           i == 0 ? (isnan(cleaned) ? "grokked" : "cleanup") : NULL);
    }
    plot_note_add(f, isnan(cleaned)
                         ? "Phases: until train accuracy .99 (memorised), until test accuracy .95 that stays (grokked)."
                         : "Phases: until train accuracy .99 (memorised), until test accuracy .95 that stays "
                           "(grokked), until the weight norm stops falling (cleaned).");
}

static bool all_grokked(const gk_plot_run *runs, int n)
{
    for (int r = 0; r < n; r++)
        if (isnan(gk_plot_run_event(&runs[r], "grokked"))) return false;
    return true;
}

int gk_plot_progress(gk_plot_figure **out, const gk_plot_run *runs, int n, const char *const *metrics,
                     const gk_plot_options *options)
{
    static const char *const standard[] = {"train_accuracy",
                                           "test_accuracy",
                                           "train_loss",
                                           "test_loss",
                                           "restricted_loss",
                                           "excluded_loss",
                                           "circulant_deviation",
                                           "agop_alignment_nodiag",
                                           "nfa_correlation_nodiag",
                                           "gini_embed",
                                           "gini_neuron_logit",
                                           "weight_norm_sq",
                                           NULL};
    const char *have[16];
    int m = 0;
    *out = NULL;
    for (int i = 0; !metrics && standard[i]; i++) {
        bool found = false;
        for (int r = 0; r < n; r++) {
            const gk_plot_curve *c = gk_plot_run_curve(&runs[r], standard[i]);
            found = found || (c && c->n > 0);
        }
        if (found) have[m++] = standard[i];
    }
    have[m] = NULL;
    if (!metrics && m == 0) return gk_error(GK_NOTFOUND, "none of these runs has a measure to draw");
    picture pic = {.runs = runs, .n = n, .y = options->y, .axis = options->x};
    int error = find_groups(&pic);
    if (n > 1 && options->x != GK_PLOT_FRACTION) pic.axis = GK_PLOT_PHASE;
    double width = options->width_mm > 0 ? options->width_mm : GK_PLOT_COLUMN_MM;
    if (!error) error = plot_figure_new(&pic.f, width, options->title);
    if (error) return error;
    pic.rules = n == 1 || pic.axis == GK_PLOT_PHASE;
    if (draw_families(&pic, metrics ? metrics : have, 110, m > 6 ? 50 : 58)) pic.f->failed = true;
    if (!pic.f->failed && (n == 1 || pic.axis == GK_PLOT_PHASE)) {
        if (n == 1)
            add_phases(pic.f, &runs[0], pic.axis);
        else
            plot_note_add(pic.f, all_grokked(runs, n)
                                     ? "Each run's steps are stretched so that its own events meet; straight "
                                       "in between."
                                     : "Each run's steps are stretched so that its own events meet; straight "
                                       "in between. A run that lacks an event ends where the others have it.");
    }
    return plot_figure_done(pic.f, out);
}
