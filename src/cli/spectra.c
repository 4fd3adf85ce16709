/* spectra.c: Fourier spectra of stored checkpoints, over training. */
#include "picture.h"

#include "gk_fourier.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The group in which the task is an addition: exponent of each input value, -1 where it has none. */
static int exponents(const gk_task *t, int32_t *x_of, int32_t *y_of)
{
    const bool product = t->form == GK_FORM_PRODUCT && t->dlog, sum = t->form == GK_FORM_SUM;
    for (int a = 0; a < t->p; a++) {
        const int32_t u = sum || product ? t->u[a] : a, v = sum || product ? t->v[a] : a;
        x_of[a] = product ? t->dlog[u] : u;
        y_of[a] = product ? t->dlog[v] : v;
    }
    return product ? t->p - 1 : t->p;
}

/* energy[k-1] = sum over rows of the squares along cos and sin of k times the exponent; rows [n, p]. */
static void row_energies(double *energy, const double *rows, int n, int p, const int32_t *exponent, int m,
                         const double *f)
{
    for (int k = 1; k <= m / 2; k++) {
        double sum = 0;
        for (int r = 0; r < n; r++) {
            for (int part = 2 * k - 1; part <= 2 * k && part < m; part++) {
                double along = 0;
                for (int a = 0; a < p; a++)
                    if (exponent[a] >= 0)
                        along +=
                            rows[(size_t)r * (size_t)p + (size_t)a] * f[(size_t)part * (size_t)m + (size_t)exponent[a]];
                sum += along * along;
            }
        }
        energy[k - 1] = sum;
    }
}

/* The columns of the outputs L [cells, p] summed over cells with equal u(x) + v(y): their means hold all that lies
 * along functions of that sum. out [p, m] rows are classes, scaled so that energies are those of L on the kept cells.
 */
static void by_sum(double *out, const double *outputs, const gk_task *t, const int32_t *x_of, const int32_t *y_of,
                   int m)
{
    const size_t p = (size_t)t->p;
    memset(out, 0, p * (size_t)m * sizeof *out);
    for (size_t x = 0; x < p; x++) {
        for (size_t y = 0; y < p; y++) {
            if (x_of[x] < 0 || y_of[y] < 0) continue;
            const size_t s = (size_t)((x_of[x] + y_of[y]) % m);
            for (size_t c = 0; c < p; c++) out[c * (size_t)m + s] += outputs[(x * p + y) * p + c] / sqrt(m);
        }
    }
}

static int spectrum_of(gk_revived *r, const char *source, double **energy, int *n)
{
    const gk_task *t = &r->split.task;
    const size_t p = (size_t)t->p;
    const bool embed = strcmp(source, "embed") == 0;
    if (embed && !r->method->embed)
        return gk_error(GK_USAGE, "a %s has no embedding; --source features or outputs", r->method->name);
    const int rows = embed ? r->method->embed_rows(r->model) : t->p;
    int32_t *x_of = gk_alloc(p * p + 3 * p, sizeof *x_of), *y_of = x_of ? x_of + p : NULL,
            *plain = x_of ? x_of + 2 * p : NULL;
    double *f = gk_alloc(p * p, sizeof *f), *table = gk_alloc((size_t)rows * p, sizeof *table);
    double *outputs = embed ? NULL : gk_alloc(p * p * p, sizeof *outputs);
    *energy = gk_alloc(p / 2 + 1, sizeof **energy);
    int code = x_of && f && table && (embed || outputs) && *energy ? GK_OK : GK_FAILED;
    if (code == GK_OK) {
        const int m = exponents(t, x_of, y_of);
        *n = m / 2;
        gk_fourier_basis(f, m);
        if (embed) {
            code = r->method->embed(r->model, table);
            row_energies(*energy, table, rows, t->p, x_of, m, f);
        } else {
            int32_t *cells = plain + p;
            for (int i = 0; i < t->p * t->p; i++) cells[i] = i;
            for (int i = 0; i < m; i++) plain[i] = i;
            code = r->method->predict(r->model, cells, t->p * t->p, outputs);
            by_sum(table, outputs, t, x_of, y_of, m);
            row_energies(*energy, table, rows, m, plain, m, f);
        }
    }
    free(x_of);
    free(f);
    free(table);
    free(outputs);
    return code;
}

static int take_step(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    (void)columns;
    (void)names;
    gk_plot_curve *steps = context; /* its `step` grows */
    if (!cells) return GK_OK;
    double *more = realloc((double *)steps->step, (size_t)(steps->n + 1) * sizeof *more);
    if (!more) return gk_error(GK_FAILED, "no memory for the steps of a run");
    more[steps->n++] = (double)cells[0].integer;
    steps->step = more;
    return GK_OK;
}

static int add_at(gk_picture *p, gk_store *s, const char *source, int64_t step)
{
    gk_revived revived;
    double *energy = NULL;
    int n = 0, code = gk_lab_revive(s, p->row.id, step, &revived);
    if (code != GK_OK) return code;
    code = spectrum_of(&revived, source, &energy, &n);
    gk_revived_free(&revived);
    if (code == GK_OK) return gk_picture_put_spectrum(p, source, (double)step, energy, n);
    free(energy);
    return code;
}

int gk_picture_add_spectra(gk_picture *p, gk_store *s, const char *source, int most)
{
    char id[24];
    gk_plot_curve steps = {0};
    const char *const params[] = {id, NULL};
    snprintf(id, sizeof id, "%" PRId64, p->row.id);
    int code = gk_store_query(
        s, "SELECT step FROM checkpoint WHERE run_id = CAST(?1 AS INTEGER) AND kind = 'weights' ORDER BY step", params,
        take_step, &steps);
    int *index = gk_alloc((size_t)steps.n + 1, sizeof *index);
    if (code == GK_OK && !index) code = GK_FAILED;
    const int kept = code == GK_OK ? gk_plot_pick(&p->run, steps.step, steps.n, most, index) : 0;
    for (int i = 0; i < kept && code == GK_OK; i++) code = add_at(p, s, source, (int64_t)steps.step[index[i]]);
    free(index);
    free((double *)steps.step);
    return code;
}
