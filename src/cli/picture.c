/* picture.c: runs as the plot room wants them, read from the store. */
#include "picture.h"

#include "gk_fourier.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double number_of(const gk_cell *c)
{
    if (c->type == GK_CELL_INTEGER) return (double)c->integer;
    return c->type == GK_CELL_REAL ? c->real : NAN;
}

/* One more item at the end of an array of n. */
static int grow(void **array, int n, size_t item)
{
    if (n & (n - 1)) return GK_OK; /* room doubles at each power of two */
    void *more = realloc(*array, (size_t)(n ? 2 * n : 1) * item);
    if (!more) return gk_error(GK_FAILED, "no memory for %d rows of a picture", 2 * n);
    *array = more;
    return GK_OK;
}

static void sync(gk_picture *p)
{
    p->run.curves = p->curves;
    p->run.events = p->events;
    p->run.frames = p->frames;
    p->run.spectra = p->spectra;
}

/* ---- settings and events ---- */

static int take_setting(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    gk_picture *p = context;
    if (!cells) return GK_OK;
    if (grow((void **)&p->settings, p->n_settings, sizeof *p->settings)) return GK_FAILED;
    gk_plot_pair *pair = &p->settings[p->n_settings++];
    pair->key = gk_text("%s", cells[0].text);
    pair->value = gk_text("%s", cells[1].text ? cells[1].text : "");
    return pair->key && pair->value ? GK_OK : GK_FAILED;
}

static int take_event(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    gk_picture *p = context;
    if (!cells) return GK_OK;
    if (grow((void **)&p->events, p->run.n_events, sizeof *p->events)) return GK_FAILED;
    char *kind = gk_text("%s", cells[0].text);
    p->events[p->run.n_events++] = (gk_plot_event){kind, number_of(&cells[1])};
    return kind ? GK_OK : GK_FAILED;
}

int gk_picture_load(gk_picture *p, gk_store *s, int64_t run)
{
    char id[24];
    const char *const params[] = {id, NULL};
    snprintf(id, sizeof id, "%" PRId64, run);
    *p = (gk_picture){0};
    int code = gk_store_get_run(s, run, &p->row);
    if (code != GK_OK) return code;
    p->loaded = true;
    code = gk_store_get_split(s, p->row.split_id, &p->split);
    if (code == GK_OK)
        code = gk_store_query(
            s, "SELECT key, CAST(value AS TEXT) FROM param WHERE run_id = CAST(?1 AS INTEGER) ORDER BY key", params,
            take_setting, p);
    if (code == GK_OK)
        code = gk_store_query(s, "SELECT kind, step FROM event WHERE run_id = CAST(?1 AS INTEGER) ORDER BY step, kind",
                              params, take_event, p);
    p->label = gk_text("%s", p->row.name);
    p->run.label = p->label;
    p->run.method = p->row.method;
    p->run.unit = p->row.step_unit;
    p->run.last = (double)p->row.step;
    p->run.loss = "mse"; /* of a kernel machine, which has no such setting */
    for (int i = 0; i < p->n_settings; i++)
        if (strcmp(p->settings[i].key, "loss") == 0) p->run.loss = p->settings[i].value;
    sync(p);
    return code == GK_OK && !p->label ? GK_FAILED : code;
}

void gk_picture_free(gk_picture *p)
{
    for (int i = 0; i < p->n_settings; i++) {
        free((char *)p->settings[i].key);
        free((char *)p->settings[i].value);
    }
    for (int i = 0; i < p->run.n_events; i++) free((char *)p->events[i].kind);
    for (int i = 0; i < p->run.n_curves; i++) {
        free((char *)p->curves[i].name);
        free((double *)p->curves[i].step);
        free((double *)p->curves[i].value);
    }
    for (int i = 0; i < p->run.n_frames; i++) {
        free((char *)p->frames[i].kind);
        free((double *)p->frames[i].data);
    }
    for (int i = 0; i < p->run.n_spectra; i++) {
        free((char *)p->spectra[i].source);
        free((double *)p->spectra[i].energy);
    }
    free(p->settings);
    free(p->events);
    free(p->curves);
    free(p->frames);
    free(p->spectra);
    free(p->label);
    free(p->group);
    if (p->loaded) {
        gk_run_row_free(&p->row);
        gk_stored_split_free(&p->split);
    }
    *p = (gk_picture){0};
}

/* ---- curves ---- */

typedef struct points {
    double *step, *value;
    int n;
} points;

static int take_point(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    points *to = context;
    if (!cells) return GK_OK;
    if (grow((void **)&to->step, to->n, sizeof(double)) || grow((void **)&to->value, to->n, sizeof(double)))
        return GK_FAILED;
    to->step[to->n] = number_of(&cells[0]);
    to->value[to->n++] = number_of(&cells[1]);
    return GK_OK;
}

int gk_picture_add_curve(gk_picture *p, gk_store *s, const char *metric)
{
    char id[24];
    points read = {0};
    const char *const params[] = {id, metric, NULL};
    snprintf(id, sizeof id, "%" PRId64, p->row.id);
    int code = gk_store_query(s,
                              "SELECT step, value FROM metric WHERE run_id = CAST(?1 AS INTEGER)"
                              " AND metric_id = (SELECT id FROM metric_name WHERE name = ?2) ORDER BY step",
                              params, take_point, &read);
    char *name = code == GK_OK && read.n > 0 ? gk_text("%s", metric) : NULL;
    if (code == GK_OK && read.n > 0 && (!name || grow((void **)&p->curves, p->run.n_curves, sizeof *p->curves)))
        code = GK_FAILED;
    if (code != GK_OK || read.n == 0) {
        free(name);
        free(read.step);
        free(read.value);
        return code;
    }
    p->curves[p->run.n_curves++] = (gk_plot_curve){name, read.n, read.step, read.value};
    sync(p);
    return GK_OK;
}

typedef struct texts {
    char **at;
    int n;
} texts;

static int take_text(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    texts *to = context;
    if (!cells) return GK_OK;
    char **more = realloc(to->at, (size_t)(to->n + 2) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for the names of the metrics");
    to->at = more;
    to->at[to->n] = gk_text("%s", cells[0].text);
    to->at[++to->n] = NULL;
    return to->at[to->n - 1] ? GK_OK : GK_FAILED;
}

static void texts_free(texts *t)
{
    for (int i = 0; i < t->n; i++) free(t->at[i]);
    free(t->at);
}

int gk_picture_add_curves(gk_picture *p, gk_store *s)
{
    char id[24];
    texts names = {0};
    const char *const params[] = {id, NULL};
    snprintf(id, sizeof id, "%" PRId64, p->row.id);
    int code = gk_store_query(s,
                              "SELECT name FROM metric_name n WHERE EXISTS (SELECT 1 FROM metric m"
                              " WHERE m.run_id = CAST(?1 AS INTEGER) AND m.metric_id = n.id) ORDER BY name",
                              params, take_text, &names);
    for (int i = 0; i < names.n && code == GK_OK; i++) code = gk_picture_add_curve(p, s, names.at[i]);
    texts_free(&names);
    return code;
}

int gk_picture_check_metric(gk_store *s, const char *metric)
{
    texts names = {0};
    int code = gk_store_query(s, "SELECT name FROM metric_name ORDER BY name", NULL, take_text, &names);
    bool found = false;
    for (int i = 0; i < names.n; i++) found = found || strcmp(names.at[i], metric) == 0;
    if (code == GK_OK && !found) {
        const char *near = names.n ? gk_text_nearest(metric, (const char *const *)names.at) : NULL;
        code = gk_error(GK_NOTFOUND, "no run has a metric '%s'%s%s%s ('groklab log RUN --names' lists a run's)", metric,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    texts_free(&names);
    return code;
}

/* ---- matrices ---- */

const char *gk_picture_kind(const gk_picture *p)
{
    return strcmp(p->row.method, "rfm") == 0 ? "metric" : "sqrt_agop";
}

int gk_picture_matrix_steps(const gk_picture *p, gk_store *s, const char *kind, double **steps, int *n)
{
    char id[24];
    points read = {0};
    const char *const params[] = {id, kind, NULL};
    snprintf(id, sizeof id, "%" PRId64, p->row.id);
    int code =
        gk_store_query(s, "SELECT step, 0 FROM matrix WHERE run_id = CAST(?1 AS INTEGER) AND kind = ?2 ORDER BY step",
                       params, take_point, &read);
    free(read.value);
    *steps = read.step;
    *n = read.n;
    return code;
}

int gk_picture_check_step(const gk_picture *p, int64_t step)
{
    if (step <= p->row.step) return GK_OK;
    return gk_error(GK_NOTFOUND, "run %" PRId64 " '%s' stands at %s %" PRId64 "; there is no step %" PRId64, p->row.id,
                    p->row.name, p->row.step_unit, p->row.step, step);
}

int gk_picture_add_frame(gk_picture *p, gk_store *s, const char *kind, int64_t step)
{
    double *data = NULL;
    int rows, cols;
    int64_t at;
    int code = gk_store_get_matrix(s, p->row.id, step, kind, &data, &rows, &cols, &at);
    if (code != GK_OK) return code;
    char *name = gk_text("%s", kind);
    if (!name || grow((void **)&p->frames, p->run.n_frames, sizeof *p->frames)) {
        free(name);
        free(data);
        return GK_FAILED;
    }
    p->frames[p->run.n_frames++] = (gk_plot_frame){name, (double)at, rows, cols, data};
    sync(p);
    return GK_OK;
}

/* Entries of the block (rows y, columns x) as they stand in the group's own order, means where several meet; [m,m]. */
static void in_group_order(double *out, const double *block, int ld, const gk_grouping *g)
{
    const size_t m = (size_t)g->modulus;
    double *count = out + m * m;
    memset(out, 0, 2 * m * m * sizeof *out);
    for (int y = 0; y < g->n; y++) {
        for (int x = 0; x < g->n; x++) {
            if (g->row[y] < 0 || g->column[x] < 0) continue;
            const size_t at = (size_t)g->row[y] * m + (size_t)g->column[x];
            out[at] += block[(size_t)y * (size_t)ld + (size_t)x];
            count[at]++;
        }
    }
    for (size_t i = 0; i < m * m; i++)
        if (count[i] > 1) out[i] /= count[i];
}

int gk_picture_put_spectrum(gk_picture *p, const char *source, double step, double *energy, int n)
{
    char *name = gk_text("%s", source);
    if (!name || grow((void **)&p->spectra, p->run.n_spectra, sizeof *p->spectra)) {
        free(name);
        free(energy);
        return GK_FAILED;
    }
    p->spectra[p->run.n_spectra++] = (gk_plot_spectrum){name, step, n, energy};
    sync(p);
    return GK_OK;
}

int gk_picture_add_block_spectrum(gk_picture *p, const gk_plot_frame *frame)
{
    const int prime = p->split.p, n = frame->rows;
    if (n != 2 * prime || frame->cols != n) return GK_OK; /* not a feature matrix of both inputs */
    gk_task task;
    int code = gk_task_init(&task, p->split.op, prime);
    if (code != GK_OK) return code;
    gk_grouping g;
    int32_t *keys = gk_alloc(2 * (size_t)prime, sizeof *keys);
    const size_t room = 2 * (size_t)prime * (size_t)prime;
    double *work = gk_alloc(room + (size_t)prime + 1, sizeof *work), *energy = work ? work + room : NULL, *kept = NULL;
    if (!keys || !work) code = GK_FAILED;
    if (code == GK_OK) {
        if (task.form == GK_FORM_NONE || (task.form == GK_FORM_PRODUCT && !task.dlog))
            code = gk_ordering_keys(&g, keys, prime, GK_TOEPLITZ);
        else
            gk_form_grouping(&g, keys, prime, task.u, task.v, task.form == GK_FORM_PRODUCT ? task.dlog : NULL, false);
    }
    if (code == GK_OK) {
        const int frequencies = g.modulus / 2;
        in_group_order(work, frame->data + (size_t)prime * (size_t)n, n, &g);
        gk_fourier_lines(energy, work, g.modulus, false);
        kept = gk_alloc((size_t)frequencies + 1, sizeof *kept);
        if (kept) memcpy(kept, energy + 1, (size_t)frequencies * sizeof *kept);
        code = kept ? gk_picture_put_spectrum(p, frame->kind, frame->step, kept, frequencies) : GK_FAILED;
    }
    free(keys);
    free(work);
    gk_task_free(&task);
    return code;
}
