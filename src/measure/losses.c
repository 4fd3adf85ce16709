/* losses.c: progress measures on the outputs: what the key frequencies alone achieve (restricted) and what is left
 * without them (excluded). Nanda et al. 2023, section 5.1 and appendix; here for every method and every cyclic task.
 *
 * P_k projects the cell axis of L on the two directions cos, sin of 2 pi k s / m, s the exponent of the cell's answer.
 * So (P_k L)[cell,c] = R_k[s,c] = (d/m^2) sum_s' cos(2 pi k (s - s') / m) S[s',c], d = 2 directions (1 at k = m/2),
 * with S the sums of L over the cells of equal s: an [m,p] table instead of a p^2 x p^2 matrix. */
#include "measure.h"
#include "gk_loss.h"
#include "gk_matrix.h"

#include <assert.h>
#include <math.h>
#include <string.h>

double gk_probe_temperature(gk_probe *probe)
{
    return probe->squared ? gk_probe_scale(probe) : 1;
}

enum { CLASSES_MAX = 1024, KEYS_MAX = sizeof ((gk_reference *)NULL)->key / sizeof(int) };

static double cross_entropy_of(const double *row, int classes, double scale, int32_t label)
{
    return gk_cross_entropy(row, classes, 1, classes, scale, &label);
}

/* ---- the outputs as they are ---- */

#define CROSS                                                                                                          \
    "cross entropy over the p classes; outputs of a method trained on squared error are divided by output_scale; "

static const gk_metric_name full_names[] = {
    {"output_scale", "1", "root mean square of the outputs over all cells, each cell's mean over the classes removed"},
    {"full_loss", "nats", CROSS "all cells"},
    {"full_loss_train", "nats", CROSS "train cells"},
    {"full_loss_test", "nats", CROSS "test cells"},
    {"full_mse", "1",
     "mean squared error of the outputs against one-hot labels, all cells; squared-error methods only"},
    {0}};

static int compute_full(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    (void)reference;
    const gk_split *split = probe->split;
    int code = gk_probe_outputs(probe);
    if (code != GK_OK) return code;
    const double scale = gk_probe_scale(probe), temperature = gk_probe_temperature(probe);
    double sum[2] = {0, 0}, mse = 0, losses[PROBE_ROWS]; /* train, test */
    for (int r = 0, count; r < probe->n_cells; r += count) {
        const double *rows = gk_probe_rows_from(probe, r, &count);
        gk_cross_entropies(losses, rows, probe->p, count, probe->p, temperature, probe->labels + r);
        for (int i = 0; i < count; i++) sum[probe->train_row[r + i] < 0] += losses[i];
        if (probe->squared) mse += count * gk_squared_error(rows, probe->p, count, probe->p, probe->labels + r);
    }
    code = gk_emit(sink, "output_scale", scale);
    if (code == GK_OK) code = gk_emit(sink, "full_loss", (sum[0] + sum[1]) / probe->n_cells);
    if (code == GK_OK) code = gk_emit(sink, "full_loss_train", sum[0] / split->n_train);
    if (code == GK_OK && split->n_test > 0) code = gk_emit(sink, "full_loss_test", sum[1] / split->n_test);
    return code == GK_OK && probe->squared ? gk_emit(sink, "full_mse", mse / probe->n_cells) : code;
}

const gk_measure gk_measure_losses = {
    .family = "losses", .names = full_names, .by_default = true, .compute = compute_full};

/* ---- with and without the key frequencies ---- */

#define KEPT "; over the right group (x + y, x - y, discrete logarithms with 0 left out)"

static const gk_metric_name progress_names[] = {
    {"restricted_loss", "nats", CROSS "P_K L + mean over cells of L, all cells" KEPT},
    {"restricted_loss_test", "nats", CROSS "P_K L + mean over cells of L, test cells" KEPT},
    {"excluded_loss", "nats", CROSS "L - P_K L with all key frequencies at once, train cells" KEPT},
    {"excluded_loss_k<freq>", "nats", CROSS "L - P_k L with one key frequency, train cells" KEPT},
    {"restricted_mse", "1",
     "mean squared error of P_K L + mean over cells of L, all cells; squared-error methods only" KEPT},
    {"restricted_mse_test", "1", "restricted_mse on the test cells" KEPT},
    {"excluded_mse", "1", "mean squared error of L - P_K L, train cells; squared-error methods only" KEPT},
    {"excluded_mse_k<freq>", "1", "mean squared error of L - P_k L with one key frequency, train cells" KEPT},
    {0}};

/* table [m,p] += P_k L as a function of the exponent s, from the sums S [m,p]. wave [2,p] is scratch. */
GK_HOT static void add_projection(double *restrict table, const double *restrict sums, double *restrict wave,
                                  const gk_group *g, int k, int p)
{
    const size_t m = (size_t)g->m, classes = (size_t)p;
    double *restrict sine_part = wave + classes;
    memset(wave, 0, 2 * classes * sizeof *wave);
    for (size_t s = 0; s < m; s++) {
        const size_t angle = (size_t)k * s % m;
        const double cosine = g->cosine[angle], sine = g->sine[angle];
        const double *restrict row = sums + s * classes;
#pragma omp simd
        for (size_t c = 0; c < classes; c++) {
            wave[c] += cosine * row[c];
            sine_part[c] += sine * row[c];
        }
    }
    const double weight = gk_group_directions(g, k) / ((double)m * (double)m);
    for (size_t s = 0; s < m; s++) {
        const size_t angle = (size_t)k * s % m;
        const double cosine = weight * g->cosine[angle], sine = weight * g->sine[angle];
        double *restrict row = table + s * classes;
#pragma omp simd
        for (size_t c = 0; c < classes; c++) row[c] += cosine * wave[c] + sine * sine_part[c];
    }
}

/* P_K L + mean depends on s alone, and so does the label: m rows stand for all cells. */
static int emit_restricted(gk_probe *probe, const double *table, const double *sums, double *row, double temperature,
                           const gk_sink *sink)
{
    const gk_group *g = &probe->group;
    const size_t m = (size_t)g->m, p = (size_t)probe->p;
    double loss = 0, loss_test = 0, mse = 0, mse_test = 0;
    double mean[CLASSES_MAX] = {0}, n_test = 0;
    for (size_t s = 0; s < m; s++) {
        for (size_t c = 0; c < p; c++) mean[c] += sums[s * p + c];
    }
    int32_t test_cells[CLASSES_MAX] = {0};
    for (int i = 0; i < probe->split->n_test; i++) {
        const int32_t s = g->sum_of[probe->split->test[i]];
        if (s >= 0) test_cells[s]++;
    }
    for (size_t s = 0; s < m; s++) {
        for (size_t c = 0; c < p; c++) row[c] = table[s * p + c] + mean[c] / ((double)m * (double)m);
        const double of_row = cross_entropy_of(row, probe->p, temperature, g->class_of[s]);
        const double squares = gk_squared_error(row, probe->p, 1, probe->p, &g->class_of[s]);
        loss += of_row / (double)m;
        mse += squares / (double)m;
        loss_test += test_cells[s] * of_row;
        mse_test += test_cells[s] * squares;
        n_test += test_cells[s];
    }
    int code = gk_emit(sink, "restricted_loss", loss);
    if (code == GK_OK && n_test > 0) code = gk_emit(sink, "restricted_loss_test", loss_test / n_test);
    if (!probe->squared) return code;
    if (code == GK_OK) code = gk_emit(sink, "restricted_mse", mse);
    return code == GK_OK && n_test > 0 ? gk_emit(sink, "restricted_mse_test", mse_test / n_test) : code;
}

enum {
    ROWS_BYTES = 2 << 20, /* of exponentials of L that are held at once, about */
    SETS = 16             /* sets of frequencies that are left out at a time */
};

/* Some kept train cells, in the order of s, with what the exclusion of any set of frequencies needs of them. */
typedef struct train_rows {
    int n, p, m;
    double temperature;
    int32_t *cell;       /* [n] their rows of the probe */
    int32_t *first;      /* [m + 1] where the cells of each s begin */
    double *exponential; /* [n,p] exp((L - largest) / temperature) */
    double *largest;     /* [n] largest entry of the row / temperature */
    double *total;       /* [n,SETS] sums over the classes of exp of what is left */
    double *errors;      /* [m,p] L - one-hot label, summed over the cells of equal s */
    double margins;      /* sum of largest - L[label] / temperature */
    double squares;      /* sum of (L - one-hot label)^2 */
} train_rows;

/* Memory for up to `room` of them. */
static int start_train_rows(train_rows *t, gk_probe *probe, size_t room, double temperature)
{
    const size_t p = (size_t)probe->p, m = (size_t)probe->group.m;
    double *memory = gk_probe_work(probe, 1, room * (p + 1 + SETS) + m * p + room + m + 1 /* int32 */);
    if (!memory) return GK_FAILED;
    *t = (train_rows){.p = probe->p, .m = probe->group.m, .temperature = temperature, .exponential = memory};
    t->largest = t->exponential + room * p;
    t->total = t->largest + room;
    t->errors = t->total + room * SETS;
    t->cell = (int32_t *)(void *)(t->errors + m * p);
    t->first = t->cell + room;
    return GK_OK;
}

/* t->first of the kept ones among train cells from..to-1 */
static void count_train_rows(train_rows *t, const gk_probe *probe, int from, int to)
{
    const int32_t *train = probe->split->train, *sum_of = probe->group.sum_of;
    memset(t->first, 0, ((size_t)t->m + 1) * sizeof *t->first);
    for (int i = from; i < to; i++)
        if (sum_of[train[i]] >= 0) t->first[sum_of[train[i]] + 1]++;
    for (int s = 0; s < t->m; s++) t->first[s + 1] += t->first[s];
    t->n = t->first[t->m];
}

static void take_train_rows(train_rows *t, gk_probe *probe, int from, int to)
{
    const size_t p = (size_t)probe->p;
    count_train_rows(t, probe, from, to);
    t->margins = t->squares = 0;
    memset(t->errors, 0, (size_t)t->m * p * sizeof *t->errors);
    double *rows[PROBE_ROWS], largest[PROBE_ROWS];
    int32_t place[PROBE_ROWS];
    int waiting = 0; /* rows that are not exponentials yet */
    for (int i = from; i < to; i++) { /* in the order of the outputs, which may lie class by class */
        const int32_t cell = probe->split->train[i], r = probe->row[cell], s = probe->group.sum_of[cell];
        if (s >= 0) {
            const double *row = gk_probe_row(probe, r);
            const int32_t at = t->first[s]++, label = probe->labels[r];
            double *errors = t->errors + (size_t)s * p;
            t->cell[at] = r;
            t->margins -= row[label] / t->temperature;
            t->squares += (double)p * gk_squared_error(row, t->p, 1, t->p, &label);
            gk_add_to(errors, row, p);
            errors[label] -= 1;
            place[waiting] = at;
            rows[waiting++] = memcpy(t->exponential + (size_t)at * p, row, p * sizeof *row);
        }
        if (waiting < PROBE_ROWS && i + 1 < to) continue;
        gk_exp_shifted(rows, largest, waiting, t->p, t->temperature);
        for (int k = 0; k < waiting; k++) t->margins += t->largest[place[k]] = largest[k];
        waiting = 0;
    }
    for (int s = t->m; s > 0; s--) t->first[s] = t->first[s - 1]; /* each went on to where the next one begins */
    t->first[0] = 0;
}

GK_HOT static double dot(const double *restrict a, const double *restrict b, int n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* The table is the same for all cells of equal s: sum |E - T|^2 = sum |E|^2 + sum_s (count_s T_s - 2 E_s) . T_s, with
 * E = L less the label and E_s summed over them. */
static double excluded_squares(const train_rows *t, const double *table)
{
    const size_t p = (size_t)t->p;
    double sum = t->squares;
    for (size_t s = 0; s < (size_t)t->m; s++) {
        const double *row = table + s * p;
        sum += (t->first[s + 1] - t->first[s]) * dot(row, row, t->p) - 2 * dot(t->errors + s * p, row, t->p);
    }
    return sum;
}

/* Of each key frequency, and last of all of them: sums over the train cells. */
typedef struct excluded_sums {
    double loss[KEYS_MAX + 1], squares[KEYS_MAX + 1];
    int cells;
} excluded_sums;

/* The projections on the sets of frequencies that are left out: each key frequency, and last all of them. */
typedef struct projections {
    const gk_group *g;
    const gk_reference *reference;
    const double *sums; /* [m,p] */
    const double *all;  /* [m,p] on all key frequencies */
    double *single;     /* [m,p] on one, and */
    double *wave;       /* [2,p] scratch for it */
    double *inverse;    /* [m,SETS,p] exp((smallest - table) / temperature) of some sets */
    int p;
} projections;

static const double *table_of(projections *q, int set)
{
    if (set == q->reference->n_key) return q->all;
    memset(q->single, 0, (size_t)q->g->m * (size_t)q->p * sizeof *q->single);
    add_projection(q->single, q->sums, q->wave, q->g, q->reference->key[set], q->p);
    return q->single;
}

/* Smaller totals have lost too much; and one logarithm of a product is that of many cells, as long as it stays in
 * range. */
static const double LEAST_TOTAL = 1e-30, LEAST_PRODUCT = 1e-200, MOST_PRODUCT = 1e200;

/* product [sets] *= total [sets] where that is not too small. *small: somewhere it is. Is every product still in range? */
GK_HOT static bool multiply(double *restrict product, const double *restrict total, int sets, bool *small)
{
    int out = 0, none = 0;
#pragma omp simd reduction(| : out, none)
    for (int i = 0; i < sets; i++) {
        const int counts = total[i] > LEAST_TOTAL;
        product[i] *= counts ? total[i] : 1;
        none |= !counts;
        out |= product[i] < LEAST_PRODUCT || product[i] > MOST_PRODUCT;
    }
    *small = none;
    return !out;
}

/* The cells whose total underflows, the long way; what the others have beside their total is taken off. */
static double sum_of_long_logs(const train_rows *t, gk_probe *probe, projections *q, int set, int column)
{
    const size_t p = (size_t)t->p;
    const double *table = NULL;
    double sum = 0, left[CLASSES_MAX];
    for (size_t s = 0; s < (size_t)t->m; s++)
        for (int32_t i = t->first[s]; i < t->first[s + 1]; i++) {
            if (t->total[(size_t)i * SETS + (size_t)column] > LEAST_TOTAL) continue;
            if (!table) table = table_of(q, set);
            const double *row = gk_probe_row(probe, t->cell[i]);
            for (size_t c = 0; c < p; c++) left[c] = -table[s * p + c];
            double smallest;
            gk_exp_shifted(&(double *){left}, &smallest, 1, t->p, t->temperature);
            for (size_t c = 0; c < p; c++) left[c] = (row[c] - table[s * p + c]) / t->temperature;
            sum += gk_log_sum_exp(left, t->p) - t->largest[i] - smallest;
        }
    return sum;
}

/* Adds the sums of log t->total over the cells. */
static void add_logs(const train_rows *t, gk_probe *probe, projections *q, int from, int sets, excluded_sums *out)
{
    double product[SETS];
    bool small[SETS] = {false};
    for (int k = 0; k < sets; k++) product[k] = 1;
    for (int i = 0; i < t->n; i++) {
        const double *total = t->total + (size_t)i * SETS;
        bool some, fits = multiply(product, total, sets, &some);
        for (int k = 0; some && k < sets; k++) small[k] |= !(total[k] > LEAST_TOTAL);
        if (fits && i + 1 < t->n) continue;
        for (int k = 0; k < sets; k++) {
            out->loss[from + k] += log(product[k]);
            product[k] = 1;
        }
    }
    for (int k = 0; k < sets; k++)
        if (small[k]) out->loss[from + k] += sum_of_long_logs(t, probe, q, from + k, k);
}

/* Adds the sums over the train rows for some sets of frequencies. With T the table, the cross entropy of L - T is
 *     (max L - L[label]) + (max -T + T[label]) + log sum_c exp(L - max L) exp(-T - max -T)
 * of which T's part is the same for all cells of equal s, and so is the label: one product of matrices an s, [cells, p]
 * by [p, sets], gives the sums over c. */
static void add_excluded(train_rows *t, gk_probe *probe, projections *q, int from, int sets, excluded_sums *out)
{
    const size_t p = (size_t)t->p;
    for (int i = 0; i < sets; i++) {
        const double *table = table_of(q, from + i);
        double of_tables = 0, *rows[PROBE_ROWS], smallest[PROBE_ROWS];
        for (int s = 0, waiting = 0; s < t->m; s++) {
            double *row = rows[waiting++] = q->inverse + ((size_t)s * SETS + (size_t)i) * p;
            for (size_t c = 0; c < p; c++) row[c] = -table[(size_t)s * p + c];
            of_tables -= (t->first[s + 1] - t->first[s]) * (row[q->g->class_of[s]] / t->temperature);
            if (waiting < PROBE_ROWS && s + 1 < t->m) continue;
            gk_exp_shifted(rows, smallest, waiting, t->p, t->temperature);
            for (int k = 0, first = s + 1 - waiting; k < waiting; k++)
                of_tables += (t->first[first + k + 1] - t->first[first + k]) * smallest[k];
            waiting = 0;
        }
        out->loss[from + i] += t->margins + of_tables;
        if (probe->squared) out->squares[from + i] += excluded_squares(t, table);
    }
    for (size_t s = 0; s < (size_t)t->m; s++) {
        const size_t first = (size_t)t->first[s];
        gk_gemm(false, true, t->first[s + 1] - t->first[s], sets, t->p, 1, t->exponential + first * p, t->p,
                q->inverse + s * SETS * p, t->p, 0, t->total + first * SETS, SETS);
    }
    add_logs(t, probe, q, from, sets, out);
}

/* Block by block, so that no second copy of L is ever whole. */
static int sum_excluded(gk_probe *probe, projections *q, double temperature, excluded_sums *out)
{
    const int n = probe->split->n_train, all = q->reference->n_key + 1;
    const int fit = ROWS_BYTES / (probe->p * (int)sizeof(double)), room = n < fit ? n : fit;
    train_rows t;
    int code = start_train_rows(&t, probe, (size_t)room, temperature);
    *out = (excluded_sums){0};
    for (int from = 0; code == GK_OK && from < n; from += room) {
        take_train_rows(&t, probe, from, n - from < room ? n : from + room);
        out->cells += t.n;
        for (int set = 0; set < all; set += SETS)
            add_excluded(&t, probe, q, set, all - set < SETS ? all - set : SETS, out);
    }
    return code;
}

static int emit_excluded(gk_probe *probe, const gk_reference *reference, const excluded_sums *of, const gk_sink *sink)
{
    int code = GK_OK;
    if (of->cells == 0) return GK_OK;
    for (int i = 0; code == GK_OK && i <= reference->n_key; i++) {
        const bool all = i == reference->n_key;
        const double loss = of->loss[i] / of->cells, mse = of->squares[i] / ((double)of->cells * probe->p);
        code = all ? gk_emit(sink, "excluded_loss", loss)
                   : gk_emit_indexed(sink, "excluded_loss_k", reference->key[i], loss);
        if (code != GK_OK || !probe->squared) continue;
        code = all ? gk_emit(sink, "excluded_mse", mse)
                   : gk_emit_indexed(sink, "excluded_mse_k", reference->key[i], mse);
    }
    return code;
}

static int compute_progress(gk_probe *probe, const gk_reference *reference, const gk_sink *sink)
{
    const gk_group *g = &probe->group;
    const size_t size = (size_t)g->m * (size_t)probe->p;
    if (!reference || reference->n_key == 0 || g->m == 0) return GK_OK;
    const double *sums = gk_probe_sums(probe);
    double *table = gk_probe_work(probe, 0, (2 + SETS) * size + 2 * (size_t)probe->p);
    if (!sums || !table) return GK_FAILED;
    projections q = {.g = g, .reference = reference, .sums = sums, .all = table, .p = probe->p};
    q.single = table + size;
    q.inverse = q.single + size;
    q.wave = q.inverse + SETS * size;
    const double temperature = gk_probe_temperature(probe);
    memset(table, 0, size * sizeof *table);
    for (int i = 0; i < reference->n_key; i++) {
        const int k = reference->key[i];
        if (k < 1 || k > g->m / 2) return gk_error(GK_USAGE, "key frequency %d is not in 1..%d", k, g->m / 2);
        add_projection(table, sums, q.wave, g, k, probe->p);
    }
    excluded_sums left_out;
    int code = sum_excluded(probe, &q, temperature, &left_out);
    if (code == GK_OK) code = emit_excluded(probe, reference, &left_out, sink);
    return code == GK_OK ? emit_restricted(probe, table, sums, q.wave, temperature, sink) : code;
}

const gk_measure gk_measure_progress = {.family = "progress",
                                        .names = progress_names,
                                        .by_default = true,
                                        .needs_reference = true,
                                        .compute = compute_progress};
