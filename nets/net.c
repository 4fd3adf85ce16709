/* net.c: what the two networks share: settings, flat vectors, the order of an epoch, tensors and their return. */
#include "adamw.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

real *net_take(net_layout *l, const char *name, int rank, const int64_t *shape)
{
    assert(l->n < NET_TENSORS && rank <= 4);
    gk_tensor *t = &l->tensors[l->n++];
    *t = (gk_tensor){.dtype = NET_DTYPE, .rank = rank};
    snprintf(t->name, sizeof t->name, "%s", name);
    for (int i = 0; i < rank; i++) t->shape[i] = shape[i];
    const size_t line = 64 / sizeof(real), count = (gk_tensor_count(t) + line - 1) / line * line;
    real *data = l->base ? l->base + l->used : NULL;
    t->data = data;
    l->used += count;
    return data;
}

static net_activation activation_of(const gk_config *config)
{
    static const char *const names[] = {"quadratic", "relu", "gelu", "swish", "softplus"};
    int i = 0;
    while (i < NET_SOFTPLUS && !gk_config_is(config, "activation", names[i])) i++;
    return (net_activation)i;
}

void net_read(net *n, const gk_config *config, const gk_split *split, int outputs)
{
    n->split = split;
    n->p = split->task.p;
    n->outputs = outputs;
    n->activation = activation_of(config);
    n->loss = gk_config_is(config, "loss", "mse") ? NET_MSE : NET_CROSS_ENTROPY;
    n->centring = gk_config_is(config, "centering", "on");
    n->lr = gk_config_real(config, "lr");
    n->decay = gk_config_real(config, "weight_decay");
    n->beta1 = gk_config_real(config, "beta1");
    n->beta2 = gk_config_real(config, "beta2");
    n->eps = gk_config_real(config, "eps");
    n->init_scale = gk_config_real(config, "init_scale");
    n->warmup = gk_config_int(config, "warmup");
    n->batch = gk_config_int(config, "batch_size");
    if (n->batch == 0 || n->batch > split->n_learn) n->batch = split->n_learn;
    n->seed = (uint64_t)gk_config_int(config, "seed");
    n->threads = (int)gk_config_int(config, "threads");
    if (n->threads == 0) n->threads = omp_get_num_procs();
}

void net_memory(net *n, size_t size)
{
    n->size = size;
    n->w = gk_pool_take(&n->pool, size, sizeof(real));
    n->g = gk_pool_take(&n->pool, size, sizeof(real));
    n->m = gk_pool_take(&n->pool, size, sizeof(real));
    n->v = gk_pool_take(&n->pool, size, sizeof(real));
    n->updates = gk_pool_take(&n->pool, 1, sizeof *n->updates);
    n->order = gk_pool_take(&n->pool, (size_t)n->split->n_learn, sizeof *n->order);
}

void net_shuffle(net *n)
{
    const int count = n->split->n_learn;
    memcpy(n->order, n->split->learn, (size_t)count * sizeof *n->order);
    if (n->batch == count) return;
    gk_random r;
    gk_random_seed(&r, n->seed, GK_STREAM_SHUFFLE + (uint64_t)n->epoch);
    gk_random_shuffle(&r, n->order, count);
}

/* The tensors of one flat vector, in the layout of the weights, their names behind `prefix`. */
static int append(const net *n, gk_tensor *out, int at, const char *prefix, real *flat)
{
    for (int i = 0; i < n->layout.n; i++) {
        const gk_tensor *t = &n->layout.tensors[i];
        gk_tensor *o = &out[at++];
        *o = *t;
        snprintf(o->name, sizeof o->name, "%s%.48s", prefix, t->name);
        o->data = flat + ((const real *)t->data - n->w);
    }
    return at;
}

int net_tensors(net *n, gk_tensor_set set, gk_tensor *out)
{
    assert(3 * NET_TENSORS + 1 <= GK_TENSORS_MAX);
    int count = append(n, out, 0, "", set == GK_GRADIENTS ? n->g : n->w);
    if (set != GK_STATE) return count;
    count = append(n, out, count, "adamw.m.", n->m);
    count = append(n, out, count, "adamw.v.", n->v);
    out[count++] = (gk_tensor){.name = "adamw.updates", .dtype = GK_I64, .rank = 1, .shape = {1}, .data = n->updates};
    return count;
}

int net_loaded(net *n, gk_tensor_set set, int64_t step)
{
    if (set == GK_GRADIENTS) return GK_OK;
    const int64_t per_epoch = (n->split->n_learn + n->batch - 1) / n->batch;
    n->epoch = step;
    if (set == GK_WEIGHTS) *n->updates = step * per_epoch;
    if (*n->updates == step * per_epoch) return GK_OK;
    return gk_error(GK_FAILED, "state: %lld AdamW updates do not make %lld epochs of %lld batches each",
                    (long long)*n->updates, (long long)step, (long long)per_epoch);
}

int net_diverged(const net *n, double loss)
{
    return gk_error(GK_DIVERGED,
                    "epoch %lld: the training loss is %g; a smaller lr than %g or another init_scale may help",
                    (long long)n->epoch + 1, loss, n->lr);
}

void net_share(int items, int t, int threads, int *from, int *to)
{
    *from = (int)((int64_t)items * t / threads);
    *to = (int)((int64_t)items * (t + 1) / threads);
}

void net_widen(double *out, const real *in, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (double)in[i];
}

void net_narrow(real *out, const double *in, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = (real)in[i];
}

enum { SHARED = 1 << 16 }; /* parameters from which on an update is worth waking the other threads for */

/* AdamW on all threads; no parameter knows of another, so that their number changes no bit. */
static void update(net *n)
{
    const net_rates rates = net_rates_at(n, (*n->updates)++);
    const int threads = n->size < SHARED ? 1 : n->threads, line = 64 / (int)sizeof(real);
#pragma omp parallel num_threads(threads)
    {
        const uint64_t mode = net_flush_begin();
        int from, to;
        net_share((int)(n->size / (size_t)line), omp_get_thread_num(), threads, &from, &to);
        const size_t at = (size_t)from * (size_t)line;
        net_adamw(n->w + at, n->m + at, n->v + at, n->g + at, (size_t)(to - from) * (size_t)line, &rates);
        net_flush_end(mode);
    }
}

void net_leave(const gk_output_rows *rows, const int32_t *cells, int from, int count, const real *out, int ld, int p)
{
    for (ptrdiff_t i = 0; i < count; i++) net_widen(net_place(rows, cells, from + i, p), out + i * ld, (size_t)p);
}

int net_epoch(net *n, gk_model *m, net_gradient *gradient, double *train_loss)
{
    net_shuffle(n);
    const int count = n->split->n_learn;
    double sum = 0;
    for (int64_t from = 0; from < count; from += n->batch) {
        const int rows = (int)(count - from < n->batch ? count - from : n->batch);
        double loss;
        const int code = gradient(m, n->order + from, rows, false, &loss);
        if (code != GK_OK) return code;
        if (!isfinite(loss)) return net_diverged(n, loss);
        sum += loss * rows;
        update(n);
    }
    n->epoch++;
    if (train_loss) *train_loss = sum / count;
    return GK_OK;
}
