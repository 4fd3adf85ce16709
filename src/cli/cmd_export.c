/* cmd_export.c: groklab export: weights, matrices and curves in the formats of others. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const formats[] = {"safetensors", "npz", "npy", "csv", "jsonl", NULL};

static const gk_cli_option options[] = {
    {"format", 'f', "FORMAT", "safetensors, npz, npy, csv or jsonl (default: the ending of FILE, else safetensors)"},
    {"output", 'o', "FILE", "the file to write (default: stdout, if that is no terminal)"},
    {"step", 0, "N", "the checkpoint or matrix of this step (default: the last)"},
    {"matrix", 0, "KIND", "npy, csv: a feature matrix, e.g. sqrt_agop or metric"},
    {"tensor", 0, "NAME", "npy, csv: one tensor of the weights"},
    {"outputs", 0, NULL, "npy, csv: the p class outputs on all cells x*p + y, [p*p, p], worked out from the weights"},
    {NULL, 0, NULL, NULL},
};

typedef struct job {
    gk_store *store;
    int64_t run, step;
    const char *format, *matrix, *tensor;
    bool outputs;
    FILE *out;
} job;

static bool is(const job *j, const char *format)
{
    return strcmp(j->format, format) == 0;
}

/* ---- arrays: one feature matrix or one tensor ---- */

static int write_array_csv(FILE *out, const double *data, int64_t rows, int64_t cols)
{
    char text[32];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            gk_text_from_real(data[r * cols + c], text);
            fputs(text, out);
            fputc(c + 1 < cols ? ',' : '\n', out);
        }
    return GK_OK;
}

static int write_npy(FILE *out, const void *data, gk_dtype dtype, int rank, const int64_t *shape)
{
    unsigned char *npy;
    size_t size;
    int code = gk_npy_write(data, dtype, rank, shape, &npy, &size);
    if (code != GK_OK) return code;
    fwrite(npy, 1, size, out);
    free(npy);
    return GK_OK;
}

static int export_matrix(const job *j)
{
    double *data;
    int rows, cols;
    int64_t at;
    int code = gk_store_get_matrix(j->store, j->run, j->step, j->matrix, &data, &rows, &cols, &at);
    if (code != GK_OK) return code;
    const int64_t shape[2] = {rows, cols};
    code = is(j, "csv") ? write_array_csv(j->out, data, rows, cols) : write_npy(j->out, data, GK_F64, 2, shape);
    free(data);
    return code;
}

/* The tensors of the weights checkpoint; *raw owns what they point to. */
static int load_weights(const job *j, unsigned char **raw, gk_tensor *tensors, int *n)
{
    size_t size;
    int64_t at;
    int code = gk_store_get_checkpoint(j->store, j->run, j->step, "weights", raw, &size, &at);
    if (code != GK_OK) return code;
    if ((code = gk_safetensors_index(*raw, size, tensors, n)) != GK_OK) free(*raw);
    return code;
}

/* npy of a tensor, or its rows as CSV (all but the last dimension are rows). */
static int write_tensor(const job *j, const gk_tensor *t)
{
    if (!is(j, "csv")) return write_npy(j->out, t->data, t->dtype, t->rank, t->shape);
    unsigned char *npy;
    double *data;
    size_t size;
    int rank;
    int64_t shape[4];
    int code = gk_npy_write(t->data, t->dtype, t->rank, t->shape, &npy, &size);
    if (code != GK_OK) return code;
    code = gk_npy_read(npy, size, &data, &rank, shape);
    free(npy);
    if (code != GK_OK) return code;
    const int64_t cols = rank > 0 ? shape[rank - 1] : 1;
    code = write_array_csv(j->out, data, cols ? (int64_t)gk_tensor_count(t) / cols : 0, cols);
    free(data);
    return code;
}

static int export_tensor(const job *j)
{
    unsigned char *raw;
    gk_tensor tensors[GK_TENSORS_MAX];
    const char *names[GK_TENSORS_MAX + 1] = {NULL};
    int n, code = load_weights(j, &raw, tensors, &n), found = -1;
    if (code != GK_OK) return code;
    for (int i = 0; i < n; i++) {
        names[i] = tensors[i].name;
        if (strcmp(names[i], j->tensor) == 0) found = i;
    }
    if (found < 0) {
        const char *near = gk_text_nearest(j->tensor, names);
        code = gk_error(GK_NOTFOUND, "run %" PRId64 " has no tensor '%s'; did you mean '%s'?", j->run, j->tensor,
                        near ? near : names[0]);
    } else {
        code = write_tensor(j, &tensors[found]);
    }
    free(raw);
    return code;
}

static int export_outputs(const job *j)
{
    gk_revived alive;
    int code = gk_lab_revive(j->store, j->run, j->step, &alive);
    if (code != GK_OK) return code;
    const int p = alive.split.task.p, n = p * p;
    int32_t *cells = gk_alloc((size_t)n, sizeof *cells);
    double *outputs = gk_alloc((size_t)n * (size_t)p, sizeof *outputs);
    code = cells && outputs ? GK_OK : GK_FAILED;
    for (int i = 0; i < n && code == GK_OK; i++) cells[i] = i;
    if (code == GK_OK) code = alive.method->predict(alive.model, cells, n, outputs);
    const int64_t shape[2] = {n, p};
    if (code == GK_OK)
        code = is(j, "csv") ? write_array_csv(j->out, outputs, n, p) : write_npy(j->out, outputs, GK_F64, 2, shape);
    free(cells);
    free(outputs);
    gk_revived_free(&alive);
    return code;
}

/* ---- all weights ---- */

static int export_npz(const job *j)
{
    unsigned char *raw, *npz = NULL;
    gk_tensor tensors[GK_TENSORS_MAX];
    size_t size;
    int n, code = load_weights(j, &raw, tensors, &n);
    if (code != GK_OK) return code;
    code = gk_npz_write(tensors, n, &npz, &size);
    if (code == GK_OK) fwrite(npz, 1, size, j->out);
    free(npz);
    free(raw);
    return code;
}

static int export_safetensors(const job *j)
{
    unsigned char *raw;
    size_t size;
    int64_t at;
    int code = gk_store_get_checkpoint(j->store, j->run, j->step, "weights", &raw, &size, &at);
    if (code != GK_OK) return code;
    fwrite(raw, 1, size, j->out);
    free(raw);
    return GK_OK;
}

/* ---- metrics, one value a line ---- */

typedef struct lines {
    gk_list list;
    FILE *out;
    bool json;
} lines;

static int take_value(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    lines *l = context;
    if (!l->json)
        return cells ? gk_list_row(&l->list, cells) : gk_list_begin(&l->list, l->out, GK_LIST_CSV, columns, names);
    for (int c = 0; cells && c < columns; c++) {
        fputs(c ? "," : "{", l->out);
        gk_json_text(l->out, names[c]);
        fputc(':', l->out);
        gk_json_cell(l->out, &cells[c]);
    }
    if (cells) fputs("}\n", l->out);
    return GK_OK;
}

static int export_metrics(const job *j)
{
    char run[24], step[24];
    snprintf(run, sizeof run, "%" PRId64, j->run);
    snprintf(step, sizeof step, "%" PRId64, j->step);
    const char *const params[] = {run, step, NULL};
    lines l = {.out = j->out, .json = is(j, "jsonl")};
    int code = gk_store_query(j->store,
                              "SELECT name, step, value FROM metrics WHERE run_id = CAST(?1 AS INTEGER)"
                              " AND (CAST(?2 AS INTEGER) < 0 OR step = CAST(?2 AS INTEGER)) ORDER BY name, step",
                              params, take_value, &l);
    gk_list_free(&l.list);
    return code;
}

/* ---- the command ---- */

/* The format asked for, or the one that the file's ending says. */
static int choose_format(job *j, const gk_cli_args *args)
{
    const char *given = gk_cli_given(args, "format"), *file = gk_cli_given(args, "output");
    const char *slash = file ? strrchr(file, '/') : NULL, *base = slash ? slash + 1 : file;
    const char *dot = base ? strrchr(base, '.') : NULL;
    j->format = "safetensors";
    if (!given && dot && dot > base && !gk_cli_is_one_of(dot + 1, formats))
        return gk_error(GK_USAGE, "--output %s: the ending %s says no format; accepted: .safetensors, .npz, .npy, .csv, "
                                  ".jsonl, or any with --format", file, dot);
    if (!given && dot && dot > base) given = dot + 1;
    if (given && !gk_cli_is_one_of(given, formats)) {
        const char *near = gk_text_nearest(given, formats);
        return gk_error(GK_USAGE, "unknown format '%s'%s%s%s; accepted: safetensors, npz, npy, csv, jsonl", given,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (given) j->format = given;
    const int arrays = (j->matrix != NULL) + (j->tensor != NULL) + j->outputs;
    if (arrays > 1) return gk_error(GK_USAGE, "--matrix, --tensor and --outputs exclude each other");
    if (arrays == 1 && !is(j, "npy") && !is(j, "csv"))
        return gk_error(GK_USAGE, "--format %s: a single array goes to npy or csv", j->format);
    if (is(j, "npy") && arrays == 0)
        return gk_error(GK_USAGE, "--format npy needs --matrix KIND, --tensor NAME or --outputs");
    if (!file && isatty(STDOUT_FILENO) && !is(j, "csv") && !is(j, "jsonl"))
        return gk_error(GK_USAGE, "bytes are not for a terminal; use --output FILE");
    return GK_OK;
}

static int write_all(const job *j)
{
    if (j->matrix) return export_matrix(j);
    if (j->tensor) return export_tensor(j);
    if (j->outputs) return export_outputs(j);
    if (is(j, "safetensors")) return export_safetensors(j);
    return is(j, "npz") ? export_npz(j) : export_metrics(j);
}

static int run(gk_cli *cli, const gk_cli_args *args)
{
    const char *name = gk_cli_given(args, "output");
    gk_file file = {0};
    job j = {.step = -1,
             .matrix = gk_cli_given(args, "matrix"),
             .tensor = gk_cli_given(args, "tensor"),
             .outputs = gk_cli_given(args, "outputs") != NULL,
             .out = stdout};
    int code = choose_format(&j, args);
    if (code == GK_OK) code = gk_cli_given_int(args, "step", 0, INT64_MAX, &j.step);
    if (code == GK_OK) code = gk_cli_open(cli, GK_STORE_READ, &j.store);
    if (code == GK_OK) code = gk_store_find_run(j.store, args->words[0], &j.run);
    if (code == GK_OK && name && (code = gk_file_open(&file, name)) == GK_OK) j.out = file.to;
    if (code == GK_OK) code = write_all(&j);
    code = gk_file_close(&file, code);
    return gk_cli_close(j.store, code);
}

const gk_command gk_cmd_export = {
    .name = "export",
    .summary = "writes weights, a matrix, outputs or the metrics of a run",
    .usage = "RUN",
    .detail = "safetensors and npz have all weights under their TransformerLens or PyTorch names, npy one matrix,\n"
              "tensor or the outputs, csv one of these or, like jsonl, every metric as name, step, value.\n"
              "example: groklab export @last -o weights.safetensors",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
