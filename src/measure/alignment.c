/* alignment.c: how near a feature matrix is to the run's final one, and to the neural feature matrix.
 * Mallinar et al. 2024, section 4 and figure 2. */
#include "measure.h"
#include "gk_matrix.h"

#include <stdlib.h>
#include <string.h>

static const gk_metric_name alignment_names[] = {
    {"agop_alignment", "1",
     "cosine of the feature matrix (sqrt_agop of a network, metric of an RFM) and the run's final one"},
    {"agop_alignment_nodiag", "1", "agop_alignment with both diagonals removed"},
    {"agop_alignment_block", "1", "agop_alignment of the off-diagonal blocks (rows: second input) alone"},
    {0}};

int gk_measure_align(const double *matrix, const double *final_m, int n, const gk_sink *sink)
{
    const size_t size = (size_t)n * (size_t)n, half = (size_t)n / 2;
    double *a = gk_alloc(2 * size, sizeof *a), *b = a + size;
    if (!a) return GK_FAILED;
    int code = gk_emit(sink, "agop_alignment", gk_cosine(matrix, final_m, size));
    memcpy(a, matrix, size * sizeof *a);
    memcpy(b, final_m, size * sizeof *b);
    gk_drop_diagonal(a, n);
    gk_drop_diagonal(b, n);
    if (code == GK_OK) code = gk_emit(sink, "agop_alignment_nodiag", gk_cosine(a, b, size));
    gk_block(a, matrix, n, n / 2, n, 0, n / 2);
    gk_block(b, final_m, n, n / 2, n, 0, n / 2);
    if (code == GK_OK) code = gk_emit(sink, "agop_alignment_block", gk_cosine(a, b, half * half));
    free(a);
    return code;
}

static int compute_alignment(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    const double *matrix;
    int n;
    if (!reference || !reference->final_m) return GK_OK;
    const int code = gk_probe_structural(probe, &matrix, &n);
    if (code != GK_OK || !matrix) return code;
    return gk_measure_align(matrix, reference->final_m, n, sink);
}

const gk_measure gk_measure_alignment = {.family = "alignment",
                                         .names = alignment_names,
                                         .by_default = true,
                                         .needs_reference = true,
                                         .compute = compute_alignment};

static const gk_metric_name nfa_names[] = {
    {"nfa_correlation", "1",
     "Pearson correlation of sqrt_agop and nfm = W1' W1 (the embedding's Gram matrix), flattened"},
    {"nfa_correlation_nodiag", "1", "nfa_correlation without the diagonal entries"},
    {0}};

/* The off-diagonal entries of a [n,n], packed: n (n - 1) numbers. */
static void off_diagonal(double *out, const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (i != j) *out++ = a[i * n + j];
        }
    }
}

static int compute_nfa(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    int n, n_nfm;
    if (!gk_probe_has_feature(probe, "sqrt_agop") || !gk_probe_has_feature(probe, "nfm")) return GK_OK;
    const double *agop, *nfm;
    int code = gk_probe_feature(probe, "sqrt_agop", &agop, &n);
    if (code == GK_OK) code = gk_probe_feature(probe, "nfm", &nfm, &n_nfm);
    if (code != GK_OK || n != n_nfm) return code;
    const size_t size = (size_t)n * (size_t)n, rest = size - (size_t)n;
    double *a = gk_probe_work(probe, 0, 2 * rest);
    if (!a) return GK_FAILED;
    code = gk_emit(sink, "nfa_correlation", gk_pearson(agop, nfm, size));
    off_diagonal(a, agop, (size_t)n);
    off_diagonal(a + rest, nfm, (size_t)n);
    return code == GK_OK ? gk_emit(sink, "nfa_correlation_nodiag", gk_pearson(a, a + rest, rest)) : code;
}

const gk_measure gk_measure_nfa = {.family = "nfa", .names = nfa_names, .by_default = true, .compute = compute_nfa};
