/* structure.c: is the off-diagonal block of a feature matrix circulant, and which frequencies carry it?
 * Mallinar et al. 2024, section 5. The matrix is the RFM's `metric` M_t, and sqrt_agop for a network. */
#include "measure.h"
#include "gk_fourier.h"
#include "gk_matrix.h"
#include "gk_structure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_MATRIX "; of the off-diagonal block (rows: second input) of sqrt_agop for a network, of metric for an RFM"

static const gk_metric_name names[] = {
    {"circulant_deviation", "1",
     "mean squared deviation within groups of entries with equal v(y) - u(x), the task being u(x) + v(y) or, over "
     "discrete "
     "logarithms with 0 dropped, u(x) v(y); over |A|_F^2; 0 circulant, about 1/p random" OF_MATRIX},
    {"circulance", "1",
     "share of |A - mean A|_F^2 that the circulant projection by v(y) - u(x) keeps; 1 circulant" OF_MATRIX},
    {"circulant_deviation_control", "1",
     "circulant_deviation with the wrong orientation, v(y) + u(x): a control" OF_MATRIX},
    {"circulance_control", "1", "circulance with the wrong orientation, v(y) + u(x): a control" OF_MATRIX},
    {"best_ordering", "1",
     "ordering with the largest circulance: 0 toeplitz, 1 hankel, 2 toeplitz_dlog, 3 hankel_dlog" OF_MATRIX},
    {"best_circulance", "1", "circulance in the best of the four orderings" OF_MATRIX},
    {"line_energy", "1",
     "share of |A|_F^2 on the line of the 2-D DFT that the task's circulant blocks occupy, constant "
     "included" OF_MATRIX},
    {"spectrum_entropy", "nats", "entropy of the energies of frequencies 1.. on that line" OF_MATRIX},
    {"effective_rank", "1", "exp of the entropy of the normalised eigenvalues of sqrt_agop (network) or metric (RFM)"},
    {"trace", "1", "trace of sqrt_agop (network) or metric (RFM)"},
    {0}};

static int emit_circularity(const double *block, const gk_task *t, bool control, const gk_sink *sink)
{
    const size_t p = (size_t)t->p;
    if (t->form == GK_FORM_NONE || (t->form == GK_FORM_PRODUCT && !t->dlog)) return GK_OK;
    int32_t *keys = gk_alloc(2 * p, sizeof *keys);
    if (!keys) return GK_FAILED;
    gk_grouping g;
    gk_form_grouping(&g, keys, t->p, t->u, t->v, t->form == GK_FORM_PRODUCT ? t->dlog : NULL, control);
    const gk_circularity c = gk_circularity_of(block, 2 * t->p, &g);
    free(keys);
    int code = gk_emit(sink, control ? "circulant_deviation_control" : "circulant_deviation", c.deviation);
    return code == GK_OK ? gk_emit(sink, control ? "circulance_control" : "circulance", c.circulance) : code;
}

static int emit_dominant(const double *energy, int m, const gk_sink *sink)
{
    double largest = 0;
    for (int k = 1; k <= m / 2; k++) largest = fmax(largest, energy[k]);
    if (!sink->event || largest == 0) return GK_OK;
    char *text = gk_alloc(64 + 8 * (size_t)m, 1);
    if (!text) return GK_FAILED;
    int at = sprintf(text, "{\"frequencies\":[");
    const char *comma = "";
    for (int k = 1; k <= m / 2; k++) {
        if (16 * energy[k] <= largest) continue; /* amplitude above a quarter of the largest */
        at += sprintf(text + at, "%s%d", comma, k);
        comma = ",";
    }
    sprintf(text + at, "],\"modulus\":%d}", m);
    int code = sink->event(sink->context, "dominant_frequencies", text);
    free(text);
    return code;
}

/* In the order of the exponents the right structure is Toeplitz, whatever the task: B[i,j] depends on i - j. */
static int emit_spectrum(gk_probe *probe, const double *block, const gk_sink *sink)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m, ld = 2 * (size_t)probe->p;
    if (m == 0) return GK_OK;
    double *b = gk_probe_work(probe, 0, m * m + m);
    if (!b) return GK_FAILED;
    double *energy = b + m * m, total = 0;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < m; j++) b[i * m + j] = block[(size_t)g->y_of[i] * ld + (size_t)g->x_of[j]];
    }
    gk_fourier_lines(energy, b, g->m, false);
    for (size_t k = 0; k <= m / 2; k++) total += energy[k];
    int code = gk_emit(sink, "line_energy", total / gk_norm_sq(b, m * m));
    if (code == GK_OK) code = gk_emit(sink, "spectrum_entropy", gk_entropy(energy + 1, g->m / 2));
    return code == GK_OK ? emit_dominant(energy, g->m, sink) : code;
}

static int compute(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    const double *matrix;
    int n, code = gk_probe_structural(probe, &matrix, &n);
    if (code != GK_OK || !matrix || n != 2 * probe->p) return code;
    const double *block = matrix + (size_t)probe->p * (size_t)n;
    const gk_task *task = &probe->split->task;
    if ((code = emit_circularity(block, task, false, sink)) != GK_OK) return code;
    if ((code = emit_circularity(block, task, true, sink)) != GK_OK) return code;
    gk_circularity best;
    const gk_ordering ordering = gk_best_ordering(block, n, probe->p, &best);
    if (!isnan(best.circulance)) {
        if ((code = gk_emit(sink, "best_ordering", ordering)) != GK_OK) return code;
        if ((code = gk_emit(sink, "best_circulance", best.circulance)) != GK_OK) return code;
    }
    if ((code = emit_spectrum(probe, block, sink)) != GK_OK) return code;
    double rank;
    if ((code = gk_probe_structural_rank(probe, &rank)) != GK_OK) return code;
    if ((code = gk_emit(sink, "effective_rank", rank)) != GK_OK) return code;
    return gk_emit(sink, "trace", gk_trace(matrix, n));
}

const gk_measure gk_measure_structure = {.family = "structure", .names = names, .by_default = true, .compute = compute};
