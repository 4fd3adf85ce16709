/* neurons.c: is a neuron a trigonometric polynomial of one frequency? Nanda et al. 2023, section 4.2.
 *
 * Of a neuron's activations G[i,j] over the kept cells (i, j: exponents of x and y) only four marginals matter: the
 * sums over equal i, j, i + j and i - j. cos(k i) cos(k j) and its companions span the plane waves of k (i + j) and k
 * (i - j), so the energy in {1, cos k, sin k} x {1, cos k, sin k} less the constant is, with F the Fourier basis of
 * Z_m, (1/m) sum over the marginals of the squares of their rows (2k-1, 2k) of F, where for k = m/2 the last two are
 * the same direction and count once. */
#include "measure.h"
#include "gk_matrix.h"

#include <stdlib.h>
#include <string.h>

/* Adds one cell's activations to the four marginals and to the sum of squares. */
GK_HOT static void add_cell(double *restrict i, double *restrict j, double *restrict sum, double *restrict difference,
                            double *restrict squares, const double *restrict activation, int width)
{
#pragma omp simd
    for (int w = 0; w < width; w++) {
        const double a = activation[w];
        i[w] += a;
        j[w] += a;
        sum[w] += a;
        difference[w] += a;
        squares[w] += a * a;
    }
}

/* Runs over all kept cells in blocks; the marginals [m,width] and squares [width] come cleared. */
static int take_marginals(gk_probe *probe, double *const marginal[4], double *squares, int width)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m, columns = (size_t)width;
    const int lines = NEURON_BLOCK / g->m < 1 ? 1 : NEURON_BLOCK / g->m; /* lines of equal i at once */
    double *block = gk_probe_work(probe, 2, (size_t)lines * m * (columns + 1));
    if (!block) return GK_FAILED;
    int32_t *cells = (int32_t *)(void *)(block + (size_t)lines * m * columns);
    for (int first = 0; first < g->m; first += lines) {
        const int n = first + lines > g->m ? g->m - first : lines;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < g->m; j++) cells[i * g->m + j] = g->x_of[first + i] * probe->p + g->y_of[j];
        }
        int code = probe->method->neurons(probe->model, cells, n * g->m, block);
        if (code != GK_OK) return code;
        for (size_t c = 0; c < (size_t)n * m; c++) {
            const size_t i = (size_t)first + c / m, j = c % m;
            add_cell(marginal[0] + i * columns, marginal[1] + j * columns, marginal[2] + (i + j) % m * columns,
                     marginal[3] + (i + m - j) % m * columns, squares, block + c * columns, width);
        }
    }
    return GK_OK;
}

GK_HOT static void add_squares(double *restrict into, const double *restrict row, int width, double weight)
{
#pragma omp simd
    for (int w = 0; w < width; w++) into[w] += weight * row[w] * row[w];
}

static void find_best(gk_neuron_spectrum *s, const gk_group *g, double *held)
{
    const size_t columns = (size_t)s->width;
    for (int k = 1; k <= g->m / 2; k++) {
        const int directions = gk_group_directions(g, k), marginals = directions == 2 ? 4 : 3;
        memset(held, 0, columns * sizeof *held);
        for (int t = 0; t < marginals; t++) {
            for (int d = 0; d < directions; d++) {
                const double *row = s->marginal[t] + (gk_group_row(k) + (size_t)d) * columns;
                add_squares(held, row, s->width, 1.0 / g->m);
            }
        }
        for (size_t w = 0; w < columns; w++) {
            if (!(s->energy[w] > 0) || held[w] / s->energy[w] <= s->fraction[w]) continue;
            s->fraction[w] = held[w] / s->energy[w];
            s->best[w] = k;
        }
    }
}

int gk_neuron_spectrum_init(gk_neuron_spectrum *s, gk_probe *probe)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m;
    s->width = probe->method->width(probe->model);
    const size_t columns = (size_t)s->width, table = m * columns;
    double *memory = gk_calloc(8 * table + 4 * columns, sizeof *memory), *sums[4];
    if (!memory) return GK_FAILED;
    for (size_t t = 0; t < 4; t++) {
        s->marginal[t] = memory + t * table;
        sums[t] = memory + (4 + t) * table;
    }
    s->energy = memory + 8 * table;
    s->fraction = s->energy + columns;
    s->best = (int *)(void *)(s->fraction + columns);
    int code = take_marginals(probe, sums, s->energy, s->width);
    if (code != GK_OK) {
        gk_neuron_spectrum_free(s);
        return code;
    }
    for (int t = 0; t < 4; t++)
        gk_gemm(false, false, g->m, s->width, g->m, 1, g->basis, g->m, sums[t], s->width, 0, s->marginal[t], s->width);
    /* F's constant row of any marginal is the sum of all cells over sqrt(m); cleaner than rounding is a silent neuron
     */
    for (size_t w = 0; w < columns; w++) {
        const double raw = s->energy[w];
        s->energy[w] -= s->marginal[0][w] * s->marginal[0][w] / g->m;
        if (s->energy[w] <= 1e-14 * raw) s->energy[w] = 0;
    }
    find_best(s, g, s->energy + 3 * columns);
    return GK_OK;
}

void gk_neuron_spectrum_free(gk_neuron_spectrum *s)
{
    free(s->marginal[0]);
    s->marginal[0] = NULL;
}

static const gk_metric_name names[] = {
    {"neurons_explained", "1",
     "share of neurons with over .85 of their centred activation energy in {1, cos k, sin k} x {1, cos k, sin k} at "
     "one k"},
    {"neurons_k<freq>", "1",
     "number of neurons that frequency k explains so; key frequencies, and others that explain any"},
    {0}};

static int compute(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    gk_neuron_spectrum s;
    if (probe->group.m == 0 || !probe->method->neurons || !probe->method->width) return GK_OK;
    int code = gk_neuron_spectrum_init(&s, probe);
    if (code != GK_OK) return code;
    int explained = 0;
    for (int w = 0; w < s.width; w++) explained += s.fraction[w] > NEURON_EXPLAINED;
    code = gk_emit(sink, "neurons_explained", (double)explained / s.width);
    for (int k = 1; code == GK_OK && k <= probe->group.m / 2; k++) {
        int count = 0;
        bool key = false;
        for (int w = 0; w < s.width; w++) count += s.fraction[w] > NEURON_EXPLAINED && s.best[w] == k;
        for (int i = 0; reference && i < reference->n_key; i++) key = key || reference->key[i] == k;
        if (count > 0 || key) code = gk_emit_indexed(sink, "neurons_k", k, count);
    }
    gk_neuron_spectrum_free(&s);
    return code;
}

const gk_measure gk_measure_neurons = {.family = "neurons", .names = names, .by_default = false, .compute = compute};
