/* transformer_layers.c: the layers of the transformer as the last position sees them, forward and backward. */
#include "transformer.h"

#include <math.h>
#include <string.h>

static void add(real *to, const real *a, int n)
{
    for (int i = 0; i < n; i++) to[i] += a[i];
}

static void add_scaled(real *to, real c, const real *a, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) to[i] += c * a[i];
}

static real dot(const real *a, const real *b, int n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void sum_of(real *to, const real *a, const real *b, int n)
{
    for (int i = 0; i < n; i++) to[i] = a[i] + b[i];
}

void tf_embed_forward(real *x, real *x_l, const int32_t *cells, const tf_weights *w, int n, const tf_sizes *s)
{
    const ptrdiff_t d = s->d;
    for (int i = 0; i < n; i++) {
        sum_of(x + 2 * i * d, w->w_e + cells[i] / s->p * d, w->w_pos, s->d);
        sum_of(x + (2 * i + 1) * d, w->w_e + cells[i] % s->p * d, w->w_pos + d, s->d);
    }
    sum_of(x_l, w->w_e + s->p * d, w->w_pos + 2 * d, s->d);
}

void tf_embed_backward(tf_weights *dw, const real *dx, const real *dx_l, const int32_t *cells, int n, const tf_sizes *s)
{
    const ptrdiff_t d = s->d;
    for (int i = 0; i < n; i++) {
        /* x_i = (W_E[x_i] + W_pos[0], W_E[y_i] + W_pos[1]) */
        add(dw->w_e + cells[i] / s->p * d, dx + 2 * i * d, s->d);
        add(dw->w_pos, dx + 2 * i * d, s->d);
        add(dw->w_e + cells[i] % s->p * d, dx + (2 * i + 1) * d, s->d);
        add(dw->w_pos + d, dx + (2 * i + 1) * d, s->d);
    }
    add(dw->w_e + s->p * d, dx_l, s->d); /* x_l = W_E[p] + W_pos[2] */
    add(dw->w_pos + 2 * d, dx_l, s->d);
}

void tf_project_forward(real *out, const real *in, const real *w, int n, const tf_sizes *s)
{
    for (int h = 0; h < s->heads; h++)
        net_gemm(false, false, n, s->dh, s->d, 1, in, s->d, w + (ptrdiff_t)h * s->d * s->dh, s->dh, 0, out + h * s->dh,
                 s->d);
}

void tf_project_backward(real *din, real *dw, const real *dout, const real *in, const real *w, int n, const tf_sizes *s)
{
    for (int h = 0; h < s->heads; h++) {
        /* out_h = in w_h */
        const ptrdiff_t at = (ptrdiff_t)h * s->d * s->dh;
        net_gemm(false, true, n, s->d, s->dh, 1, dout + h * s->dh, s->d, w + at, s->dh, 1, din, s->d);
        net_gemm(true, false, s->d, s->dh, n, 1, in, s->d, dout + h * s->dh, s->d, 1, dw + at, s->dh);
    }
}

/* a [3] = softmax(score) */
static void softmax3(real *a, const real score[3])
{
    const real top = score[0] > score[1] ? score[0] : score[1], most = top > score[2] ? top : score[2];
    for (int j = 0; j < 3; j++) a[j] = real_exp(score[j] - most);
    const real sum = a[0] + a[1] + a[2];
    for (int j = 0; j < 3; j++) a[j] /= sum;
}

void tf_attend_forward(tf_block *f, int n, const tf_sizes *s)
{
    const real scale = 1 / real_sqrt((real)s->dh);
    for (int i = 0; i < n; i++) {
        for (int h = 0; h < s->heads; h++) {
            const int c = h * s->dh;
            const real *k0 = f->k + (ptrdiff_t)2 * i * s->d + c, *v0 = f->v + (ptrdiff_t)2 * i * s->d + c;
            real *a = f->a + ((ptrdiff_t)i * s->heads + h) * 3, *o = f->o + (ptrdiff_t)i * s->d + c;
            const real score[3] = {scale * dot(f->q_l + c, k0, s->dh), scale * dot(f->q_l + c, k0 + s->d, s->dh),
                                   scale * dot(f->q_l + c, f->k_l + c, s->dh)};
            softmax3(a, score);
            for (int j = 0; j < s->dh; j++) o[j] = a[0] * v0[j] + a[1] * v0[s->d + j] + a[2] * f->v_l[c + j];
        }
    }
}

void tf_attend_backward(tf_block *g, const tf_block *f, int n, const tf_sizes *s)
{
    const real scale = 1 / real_sqrt((real)s->dh);
    memset(g->q_l, 0, (size_t)s->d * sizeof(real));
    memset(g->k_l, 0, (size_t)s->d * sizeof(real));
    memset(g->v_l, 0, (size_t)s->d * sizeof(real));
    for (int i = 0; i < n; i++) {
        for (int h = 0; h < s->heads; h++) {
            const int c = h * s->dh;
            const ptrdiff_t row = (ptrdiff_t)2 * i * s->d + c;
            const real *a = f->a + ((ptrdiff_t)i * s->heads + h) * 3, *d_o = g->o + (ptrdiff_t)i * s->d + c;
            const real *k[3] = {f->k + row, f->k + row + s->d, f->k_l + c};
            const real *v[3] = {f->v + row, f->v + row + s->d, f->v_l + c};
            real *dk[3] = {g->k + row, g->k + row + s->d, g->k_l + c};
            real *dv[3] = {g->v + row, g->v + row + s->d, g->v_l + c};
            memset(dk[0], 0, (size_t)s->dh * sizeof(real));
            memset(dk[1], 0, (size_t)s->dh * sizeof(real));
            memset(dv[0], 0, (size_t)s->dh * sizeof(real));
            memset(dv[1], 0, (size_t)s->dh * sizeof(real));
            real da[3], mean = 0;
            for (int j = 0; j < 3; j++) { /* o = sum_j a_j v_j */
                da[j] = dot(d_o, v[j], s->dh);
                mean += a[j] * da[j];
                add_scaled(dv[j], a[j], d_o, s->dh);
            }
            for (int j = 0; j < 3; j++) { /* a = softmax(scale q . k_j) */
                const real ds = scale * a[j] * (da[j] - mean);
                add_scaled(dk[j], ds, f->q_l + c, s->dh);
                add_scaled(g->q_l + c, ds, k[j], s->dh);
            }
        }
    }
}

void tf_linear_forward(real *out, const real *in, const real *w, const real *b, int n, int i, int o)
{
    for (int r = 0; b && r < n; r++) memcpy(out + (ptrdiff_t)r * o, b, (size_t)o * sizeof(real));
    net_gemm(false, false, n, o, i, 1, in, i, w, o, b ? 1 : 0, out, o);
}

void tf_linear_backward(real *din, real *dw, real *db, const real *dout, const real *in, const real *w, int n, int i,
                        int o)
{
    /* out = in w + b */
    net_gemm(false, true, n, i, o, 1, dout, o, w, o, 0, din, i);
    net_gemm(true, false, i, o, n, 1, in, i, dout, o, 1, dw, o);
    for (int r = 0; db && r < n; r++) add(db, dout + (ptrdiff_t)r * o, o);
}
