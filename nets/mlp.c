/* mlp.c: the two-layer network as a method. */
#include "mlp_fast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gk_key keys[] = {
    {"p", GK_KEY_INT, "61", 2, 1009, NULL, "modulus"},
    {"train_fraction", GK_KEY_REAL, "0.5", 0, 1, NULL, "share of the pairs that is trained on"},
    {"steps", GK_KEY_INT, "50", 0, 1e12, NULL, "epochs"},
    {"eval_every", GK_KEY_INT, "1", 0, 1e12, NULL, "epochs between evaluations; 0: only at the end"},
    {"measure_every", GK_KEY_INT, "10", 0, 1e12, NULL,
     "epochs between measures and feature matrices; 0: only at the end"},
    {"checkpoint_every", GK_KEY_INT, "10", 0, 1e12, NULL, "epochs between checkpoints; 0: only at the end"},
    {"threads", GK_KEY_INT, "1", 0, 1024, NULL, "threads; 0: one a core (pays for large batches only)"},
    {"width", GK_KEY_INT, "256", 1, 65536, NULL, "hidden neurons (the paper's 1024 take four times as long)"},
    {"activation", GK_KEY_CHOICE, "quadratic", 0, 0, "quadratic|relu|gelu|swish|softplus", "of the hidden layer"},
    {"loss", GK_KEY_CHOICE, "mse", 0, 0, "mse|cross_entropy", "training loss"},
    {"form", GK_KEY_CHOICE, "auto", 0, 0, "auto|fast|plain",
     "fast: one pass over blocks of neurons; plain: layer by layer; auto: fast unless features, agop_weight or second_op need "
     "plain"},
    {"features", GK_KEY_CHOICE, "identity", 0, 0, "identity|circulant|circulant_control",
     "what one-hot inputs are multiplied by: nothing, or a random circulant matrix (control: in the wrong "
     "orientation)"},
    {"feature_seed", GK_KEY_INT, "0", 0, 9007199254740992.0, NULL, "seed of the random features"},
    {"agop_weight", GK_KEY_REAL, "0", 0, 1e6, NULL,
     "adds this times the trace of the batch's AGOP, not centred, to the loss"},
    {"batch_size", GK_KEY_INT, "32", 0, 1e9, NULL, "examples per update; 0: all"},
    {"warmup", GK_KEY_INT, "0", 0, 1e12, NULL, "updates over which the learning rate rises from 0"},
    NET_KEYS,
    {0},
};

static void layout(net_layout *l, mlp_weights *w, int in, int p, int width)
{
    w->w1 = net_take(l, "fc1.weight", 2, (const int64_t[]){width, in});
    w->w2 = net_take(l, "out.weight", 2, (const int64_t[]){p, width});
}

static mlp_weights weights_at(real *flat, int in, int p, int width)
{
    net_layout l = {.base = flat};
    mlp_weights w;
    layout(&l, &w, in, p, width);
    return w;
}

/* Everything the model needs, taken in one order in the counting and in the real pass. */
static void memory(gk_model *m)
{
    const int p = m->n.p, width = m->width;
    const size_t block = MLP_BLOCK * (size_t)width;
    net_layout l = {0};
    layout(&l, &m->w, m->in, p, width);
    net_memory(&m->n, l.used);
    m->n.layout = (net_layout){.base = m->n.w};
    layout(&m->n.layout, &m->w, m->in, p, width);
    gk_pool *pool = &m->n.pool;
    mlp_work *work = gk_pool_take(pool, (size_t)m->n.threads, sizeof *work);
    for (int t = 0; t < m->n.threads; t++) {
        mlp_work k = {0};
        k.z = gk_pool_take(pool, block, sizeof(real));
        k.a = gk_pool_take(pool, block, sizeof(real));
        k.da = gk_pool_take(pool, block, sizeof(real));
        k.out = gk_pool_take(pool, MLP_BLOCK * (size_t)p, sizeof(real));
        k.flat = t == 0 ? m->n.g : gk_pool_take(pool, l.used, sizeof(real));
        k.g = weights_at(k.flat, m->in, p, width);
        if (work) work[t] = k;
    }
    m->work = work;
    mlp_inputs_take(m);
    mlp_penalty_take(m);
    m->fast = m->plain ? NULL : mlp_fast_take(pool, m);
}

static void uniform(real *w, size_t count, double bound, gk_random *r)
{
    for (size_t i = 0; i < count; i++) w[i] = (real)(bound * (2 * gk_random_uniform(r) - 1));
}

static void free_model(gk_model *m)
{
    if (!m) return;
    gk_pool_free(&m->n.pool);
    free(m);
}

/* The fast form knows one-hot inputs and losses of the outputs alone. */
static int choose_form(gk_model *m, const gk_config *config)
{
    const bool two = m->n.split->two, special = m->inputs.random || m->penalty.weight > 0 || two;
    if (two && m->inputs.random)
        return gk_error(GK_USAGE, "features = %s does not know a second_op; take features = identity",
                        gk_config_text(config, "features"));
    m->plain = gk_config_is(config, "form", "plain") || special;
    if (!special || !gk_config_is(config, "form", "fast")) return GK_OK;
    return gk_error(GK_USAGE, "form = fast does not know %s; take form = plain or auto",
                    m->inputs.random ? "random features" : two ? "second_op" : "agop_weight");
}

static int init(gk_model **out, const gk_config *config, const gk_split *split)
{
    gk_model *m = gk_calloc(1, sizeof *m);
    if (!m) return GK_FAILED;
    net_read(&m->n, config, split, split->task.p);
    m->width = (int)gk_config_int(config, "width");
    m->in = 2 * m->n.p + (split->two ? 1 : 0);
    m->inputs.random = !gk_config_is(config, "features", "identity");
    m->penalty.weight = gk_config_real(config, "agop_weight");
    int code = choose_form(m, config);
    if (code == GK_OK) {
        memory(m);
        code = gk_pool_alloc(&m->n.pool);
    }
    if (code == GK_OK) {
        memory(m);
        code = m->inputs.random ? mlp_inputs_fill(m, config) : GK_OK;
    }
    if (code != GK_OK) {
        free_model(m);
        return code;
    }
    gk_random r;
    gk_random_seed(&r, m->n.seed, GK_STREAM_INIT);
    const size_t p = (size_t)m->n.p, width = (size_t)m->width;
    uniform(m->w.w1, width * (size_t)m->in, m->n.init_scale / sqrt((double)m->in), &r);
    uniform(m->w.w2, p * width, m->n.init_scale / sqrt((double)width), &r);
    if (m->fast) mlp_fast_pack(m);
    *out = m;
    return GK_OK;
}

/* Outputs k->out [rows, p] of a block. */
static void forward(const gk_model *m, mlp_work *k, const int32_t *cells, int rows)
{
    mlp_gather_forward(k->z, cells, m->inputs.columns, m->in, rows, m->n.p, m->width);
    net_activate(k->a, k->z, (size_t)rows * (size_t)m->width, m->n.activation);
    mlp_readout_forward(k->out, k->a, m->w.w2, rows, m->n.p, m->width);
}

static void backward(const gk_model *m, mlp_work *k, const int32_t *cells, int rows)
{
    mlp_readout_backward(k->da, k->g.w2, k->out, k->a, m->w.w2, rows, m->n.p, m->width);
    net_activate_backward(k->da, k->da, k->z, (size_t)rows * (size_t)m->width, m->n.activation);
    mlp_gather_backward(k->g.w1, m->in, k->da, cells, rows, m->n.p, m->width);
}

/* Thread t's part of the loss and gradient over n cells. */
static void gradient_part(const gk_model *m, int t, const int32_t *cells, int n)
{
    mlp_work *k = &m->work[t];
    int block, end;
    net_share((n + MLP_BLOCK - 1) / MLP_BLOCK, t, m->n.threads, &block, &end);
    k->loss = 0;
    const uint64_t mode = net_flush_begin();
    memset(k->flat, 0, m->n.size * sizeof(real));
    for (; block < end; block++) {
        const int32_t *here = cells + block * MLP_BLOCK;
        const int rows = net_rows(n, block * MLP_BLOCK, MLP_BLOCK);
        forward(m, k, here, rows);
        k->loss += net_loss_rows(&m->n, k->out, k->out, m->n.p, here, rows, 1.0 / n);
        backward(m, k, here, rows);
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
    const mlp_weights *g = &m->work[0].g; /* into m->n.g; g->w1 as yet by W1 T */
    if (m->penalty.weight > 0) *loss += mlp_penalty_gradient(m, cells, n, g->w1, g->w2);
    if (m->inputs.random) mlp_inputs_backward(m, g->w1);
}

/* The flat weights and W1 T, brought up to date. */
static const mlp_weights *weights(gk_model *m)
{
    if (m->fast) mlp_fast_settle(m);
    if (m->inputs.random) mlp_inputs_forward(m);
    return &m->w;
}

static int gradient(gk_model *m, const int32_t *cells, int n, bool plain, double *loss)
{
    if (plain || !m->fast) {
        weights(m);
        gradient_plain(m, cells, n, loss);
    } else {
        mlp_fast_gradient(m, cells, n, loss);
    }
    return GK_OK;
}

static int step(gk_model *m, double *train_loss)
{
    return m->fast ? mlp_fast_epoch(m, train_loss) : net_epoch(&m->n, m, gradient, train_loss);
}

static int score(gk_model *m, const int32_t *cells, int n, gk_score *out, gk_output_rows *rows)
{
    if (m->fast) {
        mlp_fast_score(m, cells, n, out, rows);
        if (rows) rows->left += n;
        return GK_OK;
    }
    const int threads = m->n.threads;
    weights(m);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        mlp_work *k = &m->work[t];
        int block, end;
        net_share((n + MLP_BLOCK - 1) / MLP_BLOCK, t, threads, &block, &end);
        k->score = (gk_score){0, 0, 0};
        for (; block < end; block++) {
            const int32_t *here = cells + block * MLP_BLOCK;
            const int count = net_rows(n, block * MLP_BLOCK, MLP_BLOCK);
            forward(m, k, here, count);
            net_score_rows(&m->n, &k->score, k->out, m->n.p, here, count);
        }
    }
    *out = (gk_score){0, 0, 0};
    for (int t = 0; t < threads; t++) net_score_add(out, &m->work[t].score, n);
    return GK_OK;
}

static int predict(gk_model *m, const int32_t *cells, int n, double *out)
{
    if (m->fast) {
        mlp_fast_score(m, cells, n, NULL, &(gk_output_rows){.rows = out});
        return GK_OK;
    }
    mlp_work *k = &m->work[0];
    weights(m);
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = net_rows(n, from, MLP_BLOCK);
        forward(m, k, cells + from, rows);
        net_widen(out + (ptrdiff_t)from * m->n.p, k->out, (size_t)rows * (size_t)m->n.p);
    }
    return GK_OK;
}

static int neurons(gk_model *m, const int32_t *cells, int n, double *out)
{
    mlp_work *k = &m->work[0];
    weights(m);
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = net_rows(n, from, MLP_BLOCK);
        forward(m, k, cells + from, rows);
        net_widen(out + (ptrdiff_t)from * m->width, k->a, (size_t)rows * (size_t)m->width);
    }
    return GK_OK;
}

static int from_neurons(gk_model *m, const int32_t *cells, int n, const double *given, double *out)
{
    (void)cells; /* there is no path around the neurons */
    mlp_work *k = &m->work[0];
    const mlp_weights *w = weights(m);
    for (int from = 0; from < n; from += MLP_BLOCK) {
        const int rows = net_rows(n, from, MLP_BLOCK);
        net_narrow(k->a, given + (ptrdiff_t)from * m->width, (size_t)rows * (size_t)m->width);
        mlp_readout_forward(k->out, k->a, w->w2, rows, m->n.p, m->width);
        net_widen(out + (ptrdiff_t)from * m->n.p, k->out, (size_t)rows * (size_t)m->n.p);
    }
    return GK_OK;
}

static int neuron_logit(gk_model *m, double *out)
{
    net_widen(out, weights(m)->w2, (size_t)m->n.p * (size_t)m->width);
    return GK_OK;
}

static int width(gk_model *m)
{
    return m->width;
}

static int embed_rows(gk_model *m)
{
    return 2 * m->width;
}

static int embed(gk_model *m, double *out)
{
    const ptrdiff_t p = m->n.p, in = m->in, rows = m->width;
    weights(m);
    const real *w1 = m->inputs.columns;
    for (ptrdiff_t k = 0; k < rows; k++) {
        for (ptrdiff_t a = 0; a < p; a++) {
            out[k * p + a] = (double)w1[k * in + a];
            out[(rows + k) * p + a] = (double)w1[k * in + p + a];
        }
    }
    return GK_OK;
}

static int heads(gk_model *m)
{
    (void)m;
    return 0;
}

static int without_head(gk_model *m, const int32_t *cells, int n, int head, double *out)
{
    (void)m, (void)cells, (void)n, (void)out;
    return gk_error(GK_USAGE, "mlp: there is no attention head %d", head);
}

static int tensors(gk_model *m, gk_tensor_set set, gk_tensor *out)
{
    weights(m);
    return net_tensors(&m->n, set, out);
}

static int loaded(gk_model *m, gk_tensor_set set, int64_t at)
{
    const int code = net_loaded(&m->n, set, at);
    if (code == GK_OK && m->fast && set != GK_GRADIENTS) mlp_fast_pack(m);
    return code;
}

static int feature(gk_model *m, const char *kind, double *out)
{
    weights(m);
    return mlp_feature(m, kind, out);
}

static int class_agop(gk_model *m, int class, double *out)
{
    weights(m);
    return mlp_class_agop(m, class, out);
}

static int feature_size(gk_model *m, const char *kind)
{
    (void)kind;
    return 2 * m->n.p;
}

const gk_method net_mlp_table = {
    .name = "mlp",
    .unit = "epoch",
    .summary = "two-layer network on one-hot pairs, manual backpropagation, AdamW",
    .keys = keys,
    .init = init,
    .step = step,
    .score = score,
    .predict = predict,
    .tensors = tensors,
    .loaded = loaded,
    .feature_kinds = mlp_feature_kinds,
    .feature = feature,
    .feature_size = feature_size,
    .class_agop = class_agop,
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
