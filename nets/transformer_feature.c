/* transformer_feature.c: feature matrices of the transformer over the one-hot tokens of positions 0 and 1: the AGOP,
 * and Gram matrices of the embedding. */
#include "transformer.h"

#include <stdlib.h>
#include <string.h>

const char *const tf_feature_kinds[] = {"agop", "nfm", "nfm_q", "nfm_k", "nfm_v", NULL};

/* out = blockdiag(N, N) with N = X X^T over the p class tokens, X = W_E (w NULL) or W_E times every head's w. */
static int gram_of_tokens(gk_model *m, const real *w, double *out)
{
    const tf_sizes *s = &m->s;
    const int p = s->p, d = s->d;
    double *x = gk_alloc((size_t)p * (size_t)d, sizeof *x);
    double *e = gk_alloc((size_t)p * (size_t)d, sizeof *e), *wd = gk_alloc((size_t)d * (size_t)d, sizeof *wd);
    if (x && e && wd) {
        net_widen(e, m->w.w_e, (size_t)p * (size_t)d);
        if (w) net_widen(wd, w, (size_t)d * (size_t)d);
        for (ptrdiff_t h = 0; w && h < s->heads; h++)
            gk_gemm(false, false, p, s->dh, d, 1, e, d, wd + h * d * s->dh, s->dh, 0, x + h * s->dh, d);
        memset(out, 0, 4 * (size_t)p * (size_t)p * sizeof *out);
        gk_gram(false, p, d, 1, w ? x : e, d, 0, out, 2 * p);
        gk_gram(false, p, d, 1, w ? x : e, d, 0, out + (ptrdiff_t)p * 2 * p + p, 2 * p);
    }
    const int code = x && e && wd ? GK_OK : GK_FAILED;
    free(x);
    free(e);
    free(wd);
    return code;
}

int tf_feature(gk_model *m, const char *kind, double *out)
{
    if (strcmp(kind, "agop") == 0) return tf_agop(m, out);
    if (strcmp(kind, "nfm") == 0) return gram_of_tokens(m, NULL, out);
    if (strcmp(kind, "nfm_q") == 0) return gram_of_tokens(m, m->w.w_q, out);
    if (strcmp(kind, "nfm_k") == 0) return gram_of_tokens(m, m->w.w_k, out);
    if (strcmp(kind, "nfm_v") == 0) return gram_of_tokens(m, m->w.w_v, out);
    return gk_error(GK_NOTFOUND, "transformer: no feature matrix '%s'; there are agop, nfm, nfm_q, nfm_k, nfm_v", kind);
}
