/* transformer.c: the one-layer transformer as a method. */
#include "transformer_fast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gk_key keys[] = {
    {"p", GK_KEY_INT, "113", 2, 1009, NULL, "modulus"},
    {"train_fraction", GK_KEY_REAL, "0.3", 0, 1, NULL, "share of the pairs that is trained on"},
    {"steps", GK_KEY_INT, "40000", 0, 1e12, NULL, "epochs"},
    {"eval_every", GK_KEY_INT, "10", 0, 1e12, NULL, "epochs between evaluations; 0: only at the end"},
    {"measure_every", GK_KEY_INT, "200", 0, 1e12, NULL,
     "epochs between measures and feature matrices; 0: only at the end"},
    {"checkpoint_every", GK_KEY_INT, "1000", 0, 1e12, NULL, "epochs between checkpoints; 0: only at the end"},
    {"threads", GK_KEY_INT, "0", 0, 1024, NULL, "threads; 0: one a core"},
    {"d_model", GK_KEY_INT, "128", 1, 4096, NULL, "width of the residual stream"},
    {"n_heads", GK_KEY_INT, "4", 1, 64, NULL, "attention heads of d_model / n_heads each"},
    {"d_mlp", GK_KEY_INT, "512", 1, 65536, NULL, "neurons"},
    {"activation", GK_KEY_CHOICE, "relu", 0, 0, "relu|gelu", "of the neurons"},
    {"loss", GK_KEY_CHOICE, "cross_entropy", 0, 0, "mse|cross_entropy", "training loss, over p + 1 logits"},
    {"form", GK_KEY_CHOICE, "auto", 0, 0, "auto|fast|plain",
     "fast: by tables, for many pairs at once; plain: layer by layer; auto: fast from 400 examples an update on"},
    {"batch_size", GK_KEY_INT, "0", 0, 1e9, NULL, "examples per update; 0: all"},
    {"warmup", GK_KEY_INT, "10", 0, 1e12, NULL, "updates over which the learning rate rises from 0"},
    {"agop_samples", GK_KEY_INT, "1024", 0, 1e9, NULL,
     "training pairs that the AGOP averages over, spread evenly; 0: all, at some 15 epochs' cost a time"},
    NET_KEYS,
    {0},
};

enum { TF_MANY = 400 }; /* from so many pairs on the tables pay */

static void layout(net_layout *l, tf_weights *w, const tf_sizes *s)
{
    const int64_t per_head[] = {s->heads, s->d, s->dh}, back[] = {s->heads, s->dh, s->d};
    w->w_e = net_take(l, "embed.W_E", 2, (const int64_t[]){s->vocab, s->d});
    w->w_pos = net_take(l, "pos_embed.W_pos", 2, (const int64_t[]){3, s->d});
    w->w_q = net_take(l, "blocks.0.attn.W_Q", 3, per_head);
    w->w_k = net_take(l, "blocks.0.attn.W_K", 3, per_head);
    w->w_v = net_take(l, "blocks.0.attn.W_V", 3, per_head);
    w->w_o = net_take(l, "blocks.0.attn.W_O", 3, back);
    w->w_in = net_take(l, "blocks.0.mlp.W_in", 2, (const int64_t[]){s->d, s->dm});
    w->b_in = net_take(l, "blocks.0.mlp.b_in", 1, (const int64_t[]){s->dm});
    w->w_out = net_take(l, "blocks.0.mlp.W_out", 2, (const int64_t[]){s->dm, s->d});
    w->b_out = net_take(l, "blocks.0.mlp.b_out", 1, (const int64_t[]){s->d});
    w->w_u = net_take(l, "unembed.W_U", 2, (const int64_t[]){s->d, s->vocab});
}

static tf_weights weights_at(real *flat, const tf_sizes *s)
{
    net_layout l = {.base = flat};
    tf_weights w;
    layout(&l, &w, s);
    return w;
}

/* Everything the model needs, taken in one order in the counting and in the real pass. */
static void memory(gk_model *m)
{
    net_layout l = {0};
    layout(&l, &m->w, &m->s);
    net_memory(&m->n, l.used);
    m->n.layout = (net_layout){.base = m->n.w};
    layout(&m->n.layout, &m->w, &m->s);
    gk_pool *pool = &m->n.pool;
    tf_work *work = gk_pool_take(pool, (size_t)m->n.threads, sizeof *work);
    for (int t = 0; t < m->n.threads; t++) {
        tf_work k = {0};
        tf_block_take(&k.f, pool, &m->s);
        tf_block_take(&k.g, pool, &m->s);
        k.flat = t == 0 ? m->n.g : gk_pool_take(pool, l.used, sizeof(real));
        k.dw = weights_at(k.flat, &m->s);
        if (work) work[t] = k;
    }
    m->work = work;
    m->fast = m->plain ? NULL : tf_fast_take(pool, m);
}

static void free_model(gk_model *m)
{
    if (!m) return;
    gk_pool_free(&m->n.pool);
    free(m);
}

/* Normal weights of standard deviation 1/sqrt(d), for W_U 1/sqrt(vocab); biases 0. */
static void draw(gk_model *m)
{
    gk_random r;
    gk_random_seed(&r, m->n.seed, GK_STREAM_INIT);
    const double inner = m->n.init_scale / sqrt(m->s.d), outer = m->n.init_scale / sqrt(m->s.vocab);
    for (int i = 0; i < m->n.layout.n; i++) {
        const gk_tensor *t = &m->n.layout.tensors[i];
        real *w = t->data;
        if (w == m->w.b_in || w == m->w.b_out) continue;
        const double deviation = w == m->w.w_u ? outer : inner;
        for (size_t j = 0; j < gk_tensor_count(t); j++) w[j] = (real)(deviation * gk_random_normal(&r));
    }
}

static int init(gk_model **out, const gk_config *config, const gk_split *split)
{
    const int d = (int)gk_config_int(config, "d_model"), heads = (int)gk_config_int(config, "n_heads");
    if (d % heads != 0)
        return gk_error(GK_USAGE,
                        "d_model = %d does not divide into n_heads = %d; d_model must be a multiple of n_heads", d,
                        heads);
    if (split->two)
        return gk_error(GK_USAGE, "the transformer does not know second_op; mlp and rfm learn two tasks at once");
    gk_model *m = gk_calloc(1, sizeof *m);
    if (!m) return GK_FAILED;
    const int p = split->task.p;
    m->s = (tf_sizes){.p = p, .vocab = p + 1, .d = d, .heads = heads, .dh = d / heads};
    m->s.dm = (int)gk_config_int(config, "d_mlp");
    net_read(&m->n, config, split, p + 1);
    m->plain = gk_config_is(config, "form", "plain") || (gk_config_is(config, "form", "auto") && m->n.batch < TF_MANY);
    const int64_t samples = gk_config_int(config, "agop_samples");
    m->agop_samples = samples == 0 || samples > split->n_train ? split->n_train : (int)samples;
    memory(m);
    if (gk_pool_alloc(&m->n.pool) != GK_OK) {
        free_model(m);
        return GK_FAILED;
    }
    memory(m);
    draw(m);
    *out = m;
    return GK_OK;
}

/* f->logits of a block. */
static void forward(const gk_model *m, tf_block *f, const int32_t *cells, int rows)
{
    tf_plain_attention(m, f, cells, rows);
    tf_plain_neurons(m, f, rows);
    tf_plain_readout(m, f, rows);
}

/* Thread t's part of the loss and gradient over n cells. */
static void gradient_part(const gk_model *m, int t, const int32_t *cells, int n)
{
    tf_work *k = &m->work[t];
    int block, end;
    net_share((n + TF_BLOCK - 1) / TF_BLOCK, t, m->n.threads, &block, &end);
    k->loss = 0;
    const uint64_t mode = net_flush_begin();
    memset(k->flat, 0, m->n.size * sizeof(real));
    for (; block < end; block++) {
        const int32_t *here = cells + block * TF_BLOCK;
        const int rows = net_rows(n, block * TF_BLOCK, TF_BLOCK);
        forward(m, &k->f, here, rows);
        k->loss += net_loss_rows(&m->n, k->g.logits, k->f.logits, m->s.vocab, here, rows, 1.0 / n);
        tf_plain_backward(m, k, here, rows);
    }
    net_flush_end(mode);
}

static void gradient_plain(gk_model *m, const int32_t *cells, int n, double *loss)
{
    const int threads = m->n.threads;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) gradient_part(m, t, cells, n);
    *loss = 0;
    for (int t = 0; t < threads; t++) *loss += m->work[t].loss / n;
    for (int t = 1; t < threads; t++) {
        const real *part = m->work[t].flat;
        for (size_t i = 0; i < m->n.size; i++) m->n.g[i] += part[i];
    }
}

static int gradient(gk_model *m, const int32_t *cells, int n, bool plain, double *loss)
{
    m->ahead = false;
    if (plain || !m->fast || n > m->s.p * m->s.p)
        gradient_plain(m, cells, n, loss);
    else
        tf_fast_gradient(m, cells, n, loss, NULL, NULL);
    return GK_OK;
}

static int gradient_ahead(gk_model *m, const int32_t *cells, int n, bool plain, double *loss)
{
    if (!m->ahead) return gradient(m, cells, n, plain, loss);
    m->ahead = false;
    *loss = m->ahead_loss;
    return GK_OK;
}

static int step(gk_model *m, double *train_loss)
{
    return net_epoch(&m->n, m, gradient_ahead, train_loss);
}

/* An evaluation between two full-batch steps begins with what the second of them does: forward over all training pairs. */
static bool is_next_batch(const gk_model *m, const int32_t *cells, int n)
{
    const gk_split *split = m->n.split;
    return cells == split->train && n == split->n_learn && n == m->n.batch;
}

static int score(gk_model *m, const int32_t *cells, int n, gk_score *out, gk_output_rows *rows)
{
    if (m->fast && n >= TF_MANY) {
        const bool next = is_next_batch(m, cells, n);
        if (next)
            tf_fast_gradient(m, cells, n, &m->ahead_loss, out, rows);
        else
            tf_fast_score(m, cells, n, m->ahead, out, rows);
        if (rows) rows->left += n;
        m->ahead = m->ahead || next;
        return GK_OK;
    }
    const int threads = m->n.threads;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        tf_work *k = &m->work[t];
        int block, end;
        net_share((n + TF_BLOCK - 1) / TF_BLOCK, t, threads, &block, &end);
        k->score = (gk_score){0, 0, 0};
        for (; block < end; block++) {
            const int32_t *here = cells + block * TF_BLOCK;
            const int count = net_rows(n, block * TF_BLOCK, TF_BLOCK);
            forward(m, &k->f, here, count);
            net_score_rows(&m->n, &k->score, k->f.logits, m->s.vocab, here, count);
        }
    }
    *out = (gk_score){0, 0, 0};
    for (int t = 0; t < threads; t++) net_score_add(out, &m->work[t].score, n);
    return GK_OK;
}

/* The p class logits of a block, in double; the last logit is that of '='. */
static void classes(const gk_model *m, const real *logits, int rows, double *out)
{
    for (int i = 0; i < rows; i++)
        net_widen(out + (ptrdiff_t)i * m->s.p, logits + (ptrdiff_t)i * m->s.vocab, (size_t)m->s.p);
}

static int predict(gk_model *m, const int32_t *cells, int n, double *out)
{
    if (m->fast && n >= TF_MANY) {
        tf_fast_predict(m, cells, n, out);
        return GK_OK;
    }
    tf_block *f = &m->work[0].f;
    for (int from = 0; from < n; from += TF_BLOCK) {
        const int rows = net_rows(n, from, TF_BLOCK);
        forward(m, f, cells + from, rows);
        classes(m, f->logits, rows, out + (ptrdiff_t)from * m->s.p);
    }
    return GK_OK;
}

static int neurons(gk_model *m, const int32_t *cells, int n, double *out)
{
    tf_block *f = &m->work[0].f;
    for (int from = 0; from < n; from += TF_BLOCK) {
        const int rows = net_rows(n, from, TF_BLOCK);
        tf_plain_attention(m, f, cells + from, rows);
        tf_plain_neurons(m, f, rows);
        net_widen(out + (ptrdiff_t)from * m->s.dm, f->post, (size_t)rows * (size_t)m->s.dm);
    }
    return GK_OK;
}

static int from_neurons(gk_model *m, const int32_t *cells, int n, const double *given, double *out)
{
    tf_block *f = &m->work[0].f;
    for (int from = 0; from < n; from += TF_BLOCK) {
        const int rows = net_rows(n, from, TF_BLOCK);
        tf_plain_attention(m, f, cells + from, rows);
        tf_plain_neurons(m, f, rows);
        net_narrow(f->post, given + (ptrdiff_t)from * m->s.dm, (size_t)rows * (size_t)m->s.dm);
        tf_plain_readout(m, f, rows);
        classes(m, f->logits, rows, out + (ptrdiff_t)from * m->s.p);
    }
    return GK_OK;
}

static int without_head(gk_model *m, const int32_t *cells, int n, int head, double *out)
{
    const tf_sizes *s = &m->s;
    if (head < 0 || head >= s->heads)
        return gk_error(GK_USAGE, "transformer: there is no attention head %d; heads are 0 to %d", head, s->heads - 1);
    tf_block *f = &m->work[0].f;
    for (int from = 0; from < n; from += TF_BLOCK) {
        const int rows = net_rows(n, from, TF_BLOCK);
        tf_plain_attention(m, f, cells + from, rows);
        for (ptrdiff_t i = 0; i < rows; i++) memset(f->o + i * s->d + head * s->dh, 0, (size_t)s->dh * sizeof(real));
        tf_plain_neurons(m, f, rows);
        tf_plain_readout(m, f, rows);
        classes(m, f->logits, rows, out + (ptrdiff_t)from * s->p);
    }
    return GK_OK;
}

/* out [p, dm] = (W_out W_U)^T for the p classes */
static int neuron_logit(gk_model *m, double *out)
{
    const tf_sizes *s = &m->s;
    const size_t nu = (size_t)s->d * (size_t)s->vocab, no = (size_t)s->dm * (size_t)s->d;
    double *w_u = gk_alloc(nu + no, sizeof *w_u);
    if (!w_u) return GK_FAILED;
    double *w_out = w_u + nu;
    net_widen(w_u, m->w.w_u, nu);
    net_widen(w_out, m->w.w_out, no);
    gk_gemm(true, true, s->p, s->dm, s->d, 1, w_u, s->vocab, w_out, s->d, 0, out, s->dm);
    free(w_u);
    return GK_OK;
}

static int width(gk_model *m)
{
    return m->s.dm;
}

static int embed_rows(gk_model *m)
{
    return m->s.d;
}

static int embed(gk_model *m, double *out)
{
    for (ptrdiff_t a = 0; a < m->s.p; a++)
        for (ptrdiff_t j = 0; j < m->s.d; j++) out[j * m->s.p + a] = (double)m->w.w_e[a * m->s.d + j];
    return GK_OK;
}

static int heads(gk_model *m)
{
    return m->s.heads;
}

static int tensors(gk_model *m, gk_tensor_set set, gk_tensor *out)
{
    return net_tensors(&m->n, set, out);
}

static int loaded(gk_model *m, gk_tensor_set set, int64_t at)
{
    m->ahead = false;
    return net_loaded(&m->n, set, at);
}

static int feature_size(gk_model *m, const char *kind)
{
    (void)kind;
    return 2 * m->s.p;
}

const gk_method net_transformer_table = {
    .name = "transformer",
    .unit = "epoch",
    .summary = "one-layer transformer on the tokens a b =, manual backpropagation, AdamW",
    .keys = keys,
    .init = init,
    .step = step,
    .score = score,
    .predict = predict,
    .tensors = tensors,
    .loaded = loaded,
    .feature_kinds = tf_feature_kinds,
    .feature = tf_feature,
    .feature_size = feature_size,
    .class_agop = tf_class_agop,
    .free = free_model,
    .gradient = gradient,
    .width = width,
    .neurons = neurons,
    .from_neurons = from_neurons,
    .neuron_logit = neuron_logit,
    .embed_rows = embed_rows,
    .embed = embed,
    .heads = heads,
    .without_head = without_head,
};
