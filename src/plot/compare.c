/* compare.c: the kind `compare`: what each method of one split did, and whether they ended with the same features. */
#include "plot.h"

#include "gk_similarity.h"
#include "gk_structure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *when(gk_plot_figure *f, const gk_plot_run *run)
{
    double memorised = gk_plot_run_event(run, "memorised"), grokked = gk_plot_run_event(run, "grokked");
    const char *unit = run->unit ? run->unit : "step";
    if (isnan(memorised)) return plot_say(f, "never memorised (%s %.0f)", unit, run->last);
    if (isnan(grokked)) return plot_say(f, "memorised %.0f, never grokked", memorised);
    return plot_say(f, "memorised %.0f, grokked %.0f", memorised, grokked);
}

static void curve_panel(gk_plot_figure *f, const gk_plot_run *run, const gk_plot_options *options, int row, int col)
{
    static const char *const metric[] = {"train_accuracy", "test_accuracy"};
    plot_panel *p = plot_panel_add(f, PLOT_CURVES, row, col);
    if (!p) return;
    p->title = plot_say(f, "%s", run->label);
    p->subtitle = when(f, run);
    p->x.label = plot_say(f, "%s",
                          options->x == GK_PLOT_FRACTION ? "fraction of training"
                          : run->unit                    ? run->unit
                                                         : "step");
    gk_plot_axis axis = options->x == GK_PLOT_PHASE ? GK_PLOT_LOG : options->x;
    for (int m = 0; m < 2; m++) {
        const gk_plot_curve *c = gk_plot_run_curve(run, metric[m]);
        if (!c) continue;
        double *x = plot_keep(f, (size_t)c->n + 1, sizeof *x);
        if (!x) return;
        for (int i = 0; i < c->n; i++) x[i] = gk_plot_align(run, axis, c->step[i]);
        plot_line_add(f, p, x, c->value, c->n, m == 0 ? 1 : 0, m == 0 ? PLOT_DASHED : PLOT_SOLID);
    }
    plot_mark_add(f, p,
                  (plot_mark){gk_plot_align(run, axis, gk_plot_run_event(run, "memorised")), -1, false, true, true});
    plot_mark_add(f, p, (plot_mark){gk_plot_align(run, axis, gk_plot_run_event(run, "grokked")), -1, true, true, true});
    plot_fit(p, axis == GK_PLOT_LOG ? PLOT_LOG : PLOT_LINEAR, PLOT_LINEAR, 0, 1);
}

static void matrix_panel(gk_plot_figure *f, const gk_plot_frame *frame, const gk_plot_run *run, int p,
                         gk_plot_view view, int row, int col)
{
    if (!frame->data) { /* a run that stored none */
        plot_panel *w = plot_panel_add(f, PLOT_WORDS, row, col);
        if (w) w->words = plot_say(f, "%s has no feature matrix stored", run->label);
        return;
    }
    plot_panel *h = plot_panel_add(f, PLOT_HEAT, row, col);
    if (!h) return;
    char number[32];
    h->square = true;
    plot_heat_data(f, h, frame->data, frame->rows, frame->cols);
    plot_number(number, sizeof number, h->limit_hi);
    h->title = plot_say(f, "%s", frame->kind);
    h->subtitle = plot_say(f, h->empty ? "%s %.0f, all 0" : h->clipped ? "%s %.0f, ±%s (cut)" : "%s %.0f, ±%s",
                           run->unit ? run->unit : "step", frame->step, number);
    if (!view.block && frame->rows > p) {
        h->line_at = frame->rows / 2.0;
        plot_side *sides[2] = {&h->x, &h->y};
        for (int s = 0; s < 2; s++) {
            sides[s]->n_labels = 2;
            for (int i = 0; i < 2; i++) {
                sides[s]->at[i] = frame->rows * (0.25 + 0.5 * i);
                sides[s]->text[i] = i == 0 ? (view.reorder ? "log x" : "x") : (view.reorder ? "log y" : "y");
            }
        }
    } else {
        h->x.label = view.reorder ? "log x" : "x";
        h->y.label = view.reorder ? "log y" : "y";
    }
}

/* At most `letters` characters of UTF-8, the last of a longer name an ellipsis. */
static const char *shortened(gk_plot_figure *f, const char *name, int letters)
{
    int n = 0, whole = 0; /* bytes in all, and of letters - 1 characters */
    for (int characters = 0; name[n]; n++) {
        if (((unsigned char)name[n] & 0xC0) == 0x80) continue; /* a character goes on */
        if (characters == letters - 1) whole = n;
        if (characters++ == letters) return plot_say(f, "%.*s…", whole, name);
    }
    return name;
}

/* One run agrees with itself: no panel. */
static void similarity_panel(gk_plot_figure *f, const gk_plot_run *runs, int n, const double *similarity,
                             const char *title, int row, int col, int letters)
{
    if (n == 1) return;
    plot_panel *h = plot_panel_add(f, PLOT_HEAT, row, col);
    if (!h) return;
    h->rows = h->cols = n;
    h->data = plot_copy(f, similarity, (size_t)n * (size_t)n);
    h->diverging = h->square = h->numbers = true;
    h->limit_lo = -1;
    h->limit_hi = 1;
    h->title = "the same features?";
    h->subtitle = plot_say(f, "%s", title);
    for (int i = 0; i < n && i < PLOT_LABELS; i++) {
        h->y.at[i] = h->x.at[i] = i + 0.5;
        /* a cell is too narrow for a name: rows bear name and letter, columns the letter; a number would look like a run's */
        h->y.text[i] = plot_say(f, "%s %c", shortened(f, runs[i].label, letters), 'A' + i);
        h->x.text[i] = plot_say(f, "%c", 'A' + i);
        h->y.n_labels = h->x.n_labels = i + 1;
    }
}

/* A matrix of zeros has an angle with none: NaN in its row and column of similarity [n, n]. */
static void forget_zeros(double *similarity, const gk_plot_frame *frames, int n)
{
    for (int i = 0; i < n; i++) {
        bool zero = frames[i].data != NULL;
        for (size_t k = 0, m = (size_t)frames[i].rows * (size_t)frames[i].cols; zero && k < m; k++)
            zero = frames[i].data[k] == 0;
        for (int j = 0; j < n && zero; j++) similarity[i * n + j] = similarity[j * n + i] = NAN;
    }
}

/* What a similarity means: the most alike of unrelated matrices are unrelated, too. */
static const char *in_words(double similarity)
{
    return gk_similarity_word(gk_similarity_level(similarity));
}

/* The two sentences a reader looks for. */
static const char *verdict(gk_plot_figure *f, const gk_plot_run *runs, int n, const double *similarity)
{
    int grokked = 0, low_i = -1, low_j = -1, high_i = -1, high_j = -1;
    for (int i = 0; i < n; i++) grokked += !isnan(gk_plot_run_event(&runs[i], "grokked"));
    for (int i = 0; i < n; i++) {
        for (int j = i + 1; j < n; j++) {
            double v = similarity[i * n + j];
            if (isnan(v)) continue;
            if (low_i < 0 || v < similarity[low_i * n + low_j]) low_i = i, low_j = j;
            if (high_i < 0 || v > similarity[high_i * n + high_j]) high_i = i, high_j = j;
        }
    }
    const char *first = plot_say(f, "%d of %d generalised.", grokked, n);
    if (low_i < 0) return first;
    const double low = similarity[low_i * n + low_j], high = similarity[high_i * n + high_j];
    char least[16], most[16];
    plot_hundredths(least, sizeof least, low);
    plot_hundredths(most, sizeof most, high);
    const char *low_a = runs[low_i].label, *low_b = runs[low_j].label;
    if (low_i == high_i && low_j == high_j)
        return plot_say(f, "%s Features of %s and %s: %s (%s).", first, low_a, low_b, in_words(low), least);
    if (gk_similarity_level(low) == gk_similarity_level(high))
        return plot_say(f, "%s Features of every pair: %s (%s to %s).", first, in_words(low), least, most);
    return plot_say(f, "%s Most alike: %s and %s (%s, %s); least: %s and %s (%s, %s).", first, runs[high_i].label,
                    runs[high_j].label, most, in_words(high), low_a, low_b, least, in_words(low));
}

enum { SIDE_BY_SIDE = 3 }; /* runs that have a column each on a page */

/* What the off-diagonal blocks of whole matrices are functions of, by the ordering that explains them best; "" for
 * views that do not show the blocks as they are. */
static const char *structure(gk_plot_figure *f, const gk_plot_run *runs, int n, const gk_plot_frame *frames, int p,
                             gk_plot_view view)
{
    static const char *const of[GK_ORDERINGS] = {"x − y", "x + y", "x / y", "x y"};
    const char *text = "";
    for (int i = 0; i < n && !view.reorder; i++) {
        const bool whole = frames[i].rows == 2 * p;
        if (!frames[i].data || (!whole && frames[i].rows != p)) continue;
        gk_circularity best;
        gk_ordering o = gk_best_ordering(whole ? frames[i].data + (size_t)p * 2 * (size_t)p : frames[i].data,
                                         whole ? 2 * p : p, p, &best);
        if (isnan(best.circulance)) continue;
        text = plot_say(f, "%s%s%.0f %% of %s's is a function of %s", text,
                        *text ? ", " : "Off-diagonal blocks: ", 100 * best.circulance, runs[i].label, of[o]);
    }
    return *text ? plot_say(f, "%s.", text) : text;
}

int gk_plot_compare(gk_plot_figure **out, const gk_plot_run *runs, int n, const gk_plot_frame *frames, int p,
                    gk_plot_view view, const double *cosines, const char *similarity_title,
                    const gk_plot_options *options)
{
    gk_plot_figure *f;
    double similarity[7 * 7];
    *out = NULL;
    if (n < 1 || n > 7) return gk_error(GK_USAGE, "%d runs: compare draws 1 to 7 side by side", n);
    memcpy(similarity, cosines, (size_t)n * (size_t)n * sizeof *cosines);
    forget_zeros(similarity, frames, n);
    const double usual = n == 1 ? GK_PLOT_COLUMN_MM : GK_PLOT_PAGE_MM;
    int error = plot_figure_new(&f, options->width_mm > 0 ? options->width_mm : usual, options->title);
    if (error) return error;
    /* one column, or many runs: a row a run; else a column a run, the similarities beside the matrices */
    const bool rows = f->width < 340 || n > SIDE_BY_SIDE;
    plot_key_add(f, (plot_key){PLOT_KEY_LINE, 1, PLOT_DASHED, false, "train accuracy"});
    plot_key_add(f, (plot_key){PLOT_KEY_LINE, 0, PLOT_SOLID, false, "test accuracy"});
    plot_key_add(f, (plot_key){PLOT_KEY_MARK, -1, PLOT_SOLID, false, "memorised"});
    plot_key_add(f, (plot_key){PLOT_KEY_MARK, -1, PLOT_SOLID, true, "grokked"});
    for (int i = 0; i < n; i++) {
        curve_panel(f, &runs[i], options, rows ? i : 0, rows ? 0 : i);
        matrix_panel(f, &frames[i], &runs[i], p, view, rows ? i : 1, rows ? 1 : i);
        if (rows) f->row_height[i] = 62;
    }
    if (rows) {
        similarity_panel(f, runs, n, similarity, similarity_title, n, 1, f->width < 340 ? 5 : 12);
        f->row_height[n] = n == 1 ? 30 : fmax(62, 19 * n); /* words alone; cells that hold a number */
        f->col_weight[0] = f->width < 340 ? 1.5 : 2.5;
    } else {
        f->row_height[0] = 80;
        similarity_panel(f, runs, n, similarity, similarity_title, 1, n, 12);
    }
    plot_panel *words = plot_panel_add(f, PLOT_WORDS, rows ? n : 0, rows ? 0 : n);
    if (words)
        words->words = plot_say(f, "%s\n%s", verdict(f, runs, n, similarity), structure(f, runs, n, frames, p, view));
    plot_note_add(f, "Matrices: blue negative, white 0, red positive, each on its own scale.");
    return plot_figure_done(f, out);
}
