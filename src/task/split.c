/* split.c: which cells are trained on. A split is known by the SHA-256 of its canonical CSV, whoever made it. */
#include "task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- generators: each puts the defined cells in an order whose first n_train are the train cells ---- */

typedef struct keyed_cell {
    uint64_t key;
    int32_t cell;
} keyed_cell;

static int by_key(const void *a, const void *b)
{
    const keyed_cell *s = a, *t = b;
    if (s->key != t->key) return s->key < t->key ? -1 : 1;
    return s->cell < t->cell ? -1 : s->cell > t->cell; /* equal keys stay in cell order, as in a stable sort */
}

/* np.argsort(np.random.Philox(key=seed).random_raw(n), kind='stable') */
static int order_philox(uint64_t seed, int32_t *cells, int n)
{
    keyed_cell *sorted = gk_alloc((size_t)n, sizeof *sorted);
    if (!sorted) return GK_FAILED;
    gk_random r;
    gk_random_seed(&r, seed, GK_STREAM_SPLIT);
    for (int i = 0; i < n; i++) sorted[i] = (keyed_cell){gk_random_raw(&r), cells[i]};
    qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    for (int i = 0; i < n; i++) cells[i] = sorted[i].cell;
    free(sorted);
    return GK_OK;
}

static int order_python(uint64_t seed, int32_t *cells, int n)
{
    gk_python_shuffle(seed, cells, n);
    return GK_OK;
}

static const struct generator {
    const char *name;
    int (*order)(uint64_t seed, int32_t *cells, int n);
} generators[] = {{"philox", order_philox}, {"python", order_python}};
enum { N_GENERATORS = sizeof generators / sizeof *generators };

static const struct generator *find_generator(const char *name)
{
    const char *names[N_GENERATORS + 1] = {NULL};
    for (int i = 0; i < N_GENERATORS; i++) {
        if (strcmp(name, generators[i].name) == 0) return &generators[i];
        names[i] = generators[i].name;
    }
    const char *nearest = gk_text_nearest(name, names);
    gk_error(GK_USAGE, "unknown split generator \"%s\"%s%s%s; accepted: philox, python (or a split file)", name,
             nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    return NULL;
}

/* ---- the parts of a split ---- */

int gk_split_fill(gk_split *s, const int32_t *train, int n_train)
{
    int cells = s->task.p * s->task.p, n_pairs = s->task.n_pairs;
    if (n_train < 1 || n_train > n_pairs)
        return gk_error(GK_FAILED, "a split of %s mod %d cannot have %d train cells of its %d pairs", s->task.op,
                        s->task.p, n_train, n_pairs);
    char *is_train = gk_calloc((size_t)cells, 1);
    s->train = gk_alloc((size_t)n_train, sizeof *s->train);
    s->test = gk_alloc((size_t)(n_pairs - n_train), sizeof *s->test);
    int code = is_train && s->train && s->test ? GK_OK : GK_FAILED;
    for (int i = 0; i < n_train && code == GK_OK; i++) {
        int32_t cell = train[i];
        bool inside = cell >= 0 && cell < cells && s->task.labels[cell] >= 0;
        if (!inside || is_train[cell])
            code = gk_error(GK_FAILED, "train cell %d of a split of %s mod %d %s", cell, s->task.op, s->task.p,
                            inside ? "is there twice" : "is not a defined pair x*p + y");
        else
            is_train[cell] = 1;
    }
    s->n_train = s->n_test = 0;
    for (int32_t cell = 0; cell < cells && code == GK_OK; cell++) {
        if (is_train[cell])
            s->train[s->n_train++] = cell;
        else if (s->task.labels[cell] >= 0)
            s->test[s->n_test++] = cell;
    }
    free(is_train);
    if (code != GK_OK) return code;
    s->learn = s->train;
    s->n_learn = s->n_train;

    char *csv = gk_split_csv(s);
    if (!csv) return GK_FAILED;
    gk_sha256(csv, strlen(csv), s->sha256);
    free(csv);
    return GK_OK;
}

/* floor(train_fraction * n_pairs). A double below 1 times n rounds to less than n, so that only train_fraction 1
 * leaves no test pair, and that is full data, asked for. */
static int count_train(const gk_task *t, double train_fraction, int *n_train)
{
    char text[32];
    gk_text_from_real(train_fraction, text);
    if (!(train_fraction > 0 && train_fraction <= 1))
        return gk_error(GK_USAGE, "train_fraction = %s is out of range; accepted: a number above 0 and at most 1",
                        text);
    *n_train = (int)floor(train_fraction * t->n_pairs);
    if (*n_train > 0) return GK_OK;
    return gk_error(GK_USAGE,
                    "train_fraction = %s of the %d pairs of %s mod %d leaves no train pair; accepted: above 1/%d", text,
                    t->n_pairs, t->op, t->p, t->n_pairs);
}

int gk_split_make(gk_split *s, const char *op, int p, double train_fraction, uint64_t seed, const char *generator)
{
    *s = (gk_split){.train_fraction = train_fraction, .seed = seed};
    const struct generator *g = find_generator(generator);
    if (!g) return GK_USAGE;
    snprintf(s->generator, sizeof s->generator, "%s", g->name);
    int code = gk_task_init(&s->task, op, p), n_train = 0;
    if (code == GK_OK) code = count_train(&s->task, train_fraction, &n_train);
    if (code != GK_OK) {
        gk_split_free(s);
        return code;
    }
    int n = 0;
    int32_t *cells = gk_alloc((size_t)s->task.n_pairs, sizeof *cells);
    for (int32_t cell = 0; cell < p * p && cells; cell++) {
        if (s->task.labels[cell] >= 0) cells[n++] = cell;
    }
    code = cells ? g->order(seed, cells, n) : GK_FAILED;
    if (code == GK_OK) code = gk_split_fill(s, cells, n_train);
    free(cells);
    if (code != GK_OK) gk_split_free(s);
    return code;
}

int gk_split_restore(gk_split *s, const char *op, int p, double train_fraction, uint64_t seed, const char *generator,
                     const int32_t *train, int n_train)
{
    *s = (gk_split){.train_fraction = train_fraction, .seed = seed};
    snprintf(s->generator, sizeof s->generator, "%s", generator);
    int code = gk_task_init(&s->task, op, p);
    if (code == GK_OK) code = gk_split_fill(s, train, n_train);
    if (code != GK_OK) gk_split_free(s);
    return code;
}

/* ---- the canonical CSV ---- */

/* Writes 0 <= value <= 9999 in decimal, and a comma. */
static char *put_number(char *at, int value)
{
    for (int unit = value >= 1000 ? 1000 : value >= 100 ? 100 : value >= 10 ? 10 : 1; unit > 0; unit /= 10)
        *at++ = (char)('0' + value / unit % 10);
    *at++ = ',';
    return at;
}

char *gk_split_csv(const gk_split *s)
{
    static const char header[] = "x,y,z,part\n";
    enum { LINE = sizeof "1008,1008,1008,train\n" };
    char *csv = gk_alloc((size_t)s->task.n_pairs * LINE + sizeof header, 1);
    if (!csv) return NULL;
    char *at = csv + strlen(header);
    memcpy(csv, header, strlen(header));
    int p = s->task.p, i = 0;
    for (int cell = 0; cell < p * p; cell++) {
        if (s->task.labels[cell] < 0) continue;
        bool is_train = i < s->n_train && s->train[i] == cell;
        i += is_train;
        at = put_number(at, cell / p);
        at = put_number(at, cell % p);
        at = put_number(at, s->task.labels[cell]);
        const char *part = is_train ? "train\n" : "test\n";
        memcpy(at, part, strlen(part));
        at += strlen(part);
    }
    *at = '\0';
    return csv;
}

/* The cells of `from` whose label in the second task is known, as that task's cells. */
static int second_cells(const gk_split *s, int32_t *out, const int32_t *from, int n)
{
    const int32_t offset = s->task.p * s->task.p;
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (s->task.labels[offset + from[i]] >= 0) out[kept++] = offset + from[i];
    return kept;
}

int gk_split_second(gk_split *s, const char *op)
{
    const size_t cells = (size_t)s->task.p * (size_t)s->task.p;
    gk_task second;
    int code = gk_task_init(&second, op, s->task.p);
    if (code != GK_OK) return code;
    int32_t *labels = realloc(s->task.labels, 2 * cells * sizeof *labels);
    if (labels) s->task.labels = labels;
    int32_t *learn = gk_alloc(2 * (size_t)s->n_train, sizeof *learn);
    s->second_test = gk_alloc((size_t)s->n_test + 1, sizeof *s->second_test);
    if (labels && learn && s->second_test) {
        memcpy(labels + cells, second.labels, cells * sizeof *labels);
        memcpy(learn, s->train, (size_t)s->n_train * sizeof *learn);
        s->n_learn = s->n_train + second_cells(s, learn + s->n_train, s->train, s->n_train);
        s->n_second_test = second_cells(s, s->second_test, s->test, s->n_test);
        s->learn = learn;
        s->two = true;
    } else {
        free(learn);
        code = gk_error(GK_FAILED, "no memory for a second task");
    }
    gk_task_free(&second);
    return code;
}

void gk_split_free(gk_split *s)
{
    if (!s) return;
    gk_task_free(&s->task);
    if (s->learn != s->train) free(s->learn);
    free(s->second_test);
    free(s->train);
    free(s->test);
    *s = (gk_split){0};
}
