/* list.c: rows of cells as an aligned table, CSV, JSON, a box or Markdown. CSV and JSON go out row by row with numbers in
 * full; the others keep their cells until the widths are known and show five digits. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gk_cell gk_cell_int(int64_t value) { return (gk_cell){.type = GK_CELL_INTEGER, .integer = value}; }

gk_cell gk_cell_real(double value)
{
    if (isnan(value)) return (gk_cell){.type = GK_CELL_NULL};
    return (gk_cell){.type = GK_CELL_REAL, .real = value};
}

gk_cell gk_cell_text(const char *text)
{
    if (!text) return (gk_cell){.type = GK_CELL_NULL};
    return (gk_cell){.type = GK_CELL_TEXT, .text = text, .size = strlen(text)};
}

bool gk_cli_colour(FILE *out)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

gk_list_format gk_list_format_of(const gk_cli_args *args)
{
    if (gk_cli_given(args, "json")) return GK_LIST_JSON;
    if (gk_cli_given(args, "csv")) return GK_LIST_CSV;
    if (gk_cli_given(args, "box")) return GK_LIST_BOX;
    return gk_cli_given(args, "md") ? GK_LIST_MARKDOWN : GK_LIST_TABLE;
}

/* ---- JSON (RFC 8259) and CSV (RFC 4180) ---- */

/* Length of the well-formed UTF-8 sequence at s (n bytes left), or 0. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80) return 1;
    const size_t want = s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
    if (want == 0 || s[0] >= 0xF5 || n < want) return 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0; /* overlong, surrogates */
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0; /* overlong, past U+10FFFF */
    return want;
}

void gk_json_text(FILE *out, const char *text)
{
    size_t left = strlen(text);
    fputc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; left > 0;) {
        const size_t n = utf8_length(s, left);
        if (n == 0) fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\') fprintf(out, "\\%c", *s);
        else if (*s == '\n') fputs("\\n", out);
        else if (*s < 0x20 || *s == 0x7F) fprintf(out, "\\u%04x", *s);
        else fwrite(s, 1, n, out);
        const size_t step = n ? n : 1;
        s += step;
        left -= step;
    }
    fputc('"', out);
}

void gk_json_real(FILE *out, double value)
{
    char text[32];
    gk_text_from_real(value, text);
    fputs(isfinite(value) ? text : "null", out);
}

static void blob_text(char *out, size_t room, const gk_cell *cell) { snprintf(out, room, "<blob %zu bytes>", cell->size); }

void gk_json_cell(FILE *out, const gk_cell *cell)
{
    char blob[48];
    switch (cell->type) {
    case GK_CELL_NULL: fputs("null", out); break;
    case GK_CELL_INTEGER: fprintf(out, "%lld", (long long)cell->integer); break;
    case GK_CELL_REAL: gk_json_real(out, cell->real); break;
    case GK_CELL_TEXT: gk_json_text(out, cell->text); break;
    case GK_CELL_BLOB:
        blob_text(blob, sizeof blob, cell);
        gk_json_text(out, blob);
        break;
    }
}

static void csv_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && text[0] != ' ' && text[0] != '\0') {
        fputs(text, out);
        return;
    }
    fputc('"', out); /* an empty text is "", so that it is not a NULL */
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv_cell(FILE *out, const gk_cell *cell)
{
    char text[48];
    switch (cell->type) {
    case GK_CELL_NULL: break;
    case GK_CELL_INTEGER: fprintf(out, "%lld", (long long)cell->integer); break;
    case GK_CELL_REAL:
        gk_text_from_real(cell->real, text);
        fputs(text, out);
        break;
    case GK_CELL_TEXT: csv_text(out, cell->text); break;
    case GK_CELL_BLOB:
        blob_text(text, sizeof text, cell);
        csv_text(out, text);
        break;
    }
}

/* ---- the list ---- */

static bool streams(gk_list_format f) { return f == GK_LIST_CSV || f == GK_LIST_JSON; }

/* A bar would end its cell of a Markdown table. Takes `text` and gives back what replaces it. */
static char *markdown(char *text)
{
    size_t bars = 0;
    for (const char *c = text; c && *c; c++) bars += *c == '|';
    char *out = bars > 0 ? gk_alloc(strlen(text) + bars + 1, 1) : NULL, *to = out;
    if (!out) return text;
    for (const char *c = text; *c; c++) {
        if (*c == '|') *to++ = '\\';
        *to++ = *c;
    }
    *to = '\0';
    free(text);
    return out;
}

int gk_list_begin(gk_list *l, FILE *out, gk_list_format format, int columns, const char *const *names)
{
    *l = (gk_list){.out = out, .format = format, .bold = gk_cli_colour(out), .columns = columns};
    l->names = gk_calloc((size_t)columns + 1, sizeof *l->names);
    if (!l->names) return GK_FAILED;
    for (int c = 0; c < columns; c++) {
        if (!(l->names[c] = gk_text("%s", names[c]))) return GK_FAILED;
        if (format == GK_LIST_MARKDOWN) l->names[c] = markdown(l->names[c]);
    }
    if (format == GK_LIST_JSON) fputs("[", out);
    for (int c = 0; format == GK_LIST_CSV && c < columns; c++) {
        if (c) fputc(',', out);
        csv_text(out, names[c]);
    }
    if (format == GK_LIST_CSV) fputc('\n', out);
    return GK_OK;
}

static void stream_row(gk_list *l, const gk_cell *cells)
{
    const bool json = l->format == GK_LIST_JSON;
    if (json) fputs(l->rows ? ",\n {" : "\n {", l->out);
    for (int c = 0; c < l->columns; c++) {
        if (c) fputc(',', l->out);
        if (json) {
            gk_json_text(l->out, l->names[c]);
            fputc(':', l->out);
            gk_json_cell(l->out, &cells[c]);
        } else {
            csv_cell(l->out, &cells[c]);
        }
    }
    fputs(json ? "}" : "\n", l->out);
}

/* A cell for the eye. Control characters would move the cursor; they become spaces. */
static char *shown(const gk_cell *cell)
{
    char text[48];
    char *out = NULL;
    switch (cell->type) {
    case GK_CELL_NULL: return gk_text("%s", "");
    case GK_CELL_INTEGER: return gk_text("%lld", (long long)cell->integer);
    case GK_CELL_REAL: return gk_text("%.5g", cell->real);
    case GK_CELL_BLOB: blob_text(text, sizeof text, cell); return gk_text("%s", text);
    case GK_CELL_TEXT: out = gk_text("%s", cell->text); break;
    }
    for (char *c = out; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
    return out;
}

static int keep_row(gk_list *l, const gk_cell *cells)
{
    if (l->rows == l->room) {
        const size_t room = l->room ? 2 * l->room : 64, width = (size_t)l->columns;
        char **texts = realloc(l->texts, room * width * sizeof *texts);
        if (texts) l->texts = texts;
        bool *numbers = realloc(l->numbers, room * width * sizeof *numbers);
        if (numbers) l->numbers = numbers;
        if (!texts || !numbers) return gk_error(GK_FAILED, "no memory for a list of %zu rows", room);
        l->room = room;
    }
    const size_t at = l->rows * (size_t)l->columns;
    for (int c = 0; c < l->columns; c++) {
        char *text = shown(&cells[c]);
        l->texts[at + (size_t)c] = l->format == GK_LIST_MARKDOWN ? markdown(text) : text;
        l->numbers[at + (size_t)c] = cells[c].type == GK_CELL_INTEGER || cells[c].type == GK_CELL_REAL;
    }
    return GK_OK;
}

int gk_list_row(gk_list *l, const gk_cell *cells)
{
    int code = GK_OK;
    if (streams(l->format)) stream_row(l, cells);
    else code = keep_row(l, cells);
    if (code == GK_OK) l->rows++;
    return code;
}

/* Columns that a text takes: code points, near enough for what we print. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void pad(FILE *out, int n)
{
    for (; n > 0; n--) fputc(' ', out);
}

typedef struct frame {
    const char *left, *between, *right; /* around and between the cells of a row */
} frame;

static void print_row(const gk_list *l, char *const *texts, const bool *right, const int *widths, const frame *f)
{
    fputs(f->left, l->out);
    for (int c = 0; c < l->columns; c++) {
        const char *text = texts[c] ? texts[c] : "";
        const int room = widths[c] - width_of(text);
        const bool last = c + 1 == l->columns && f->right[0] == '\0';
        if (c) fputs(f->between, l->out);
        if (right[c]) pad(l->out, room);
        fputs(text, l->out);
        if (!right[c] && !last) pad(l->out, room);
    }
    fputs(f->right, l->out);
}

/* A line of a box or of Markdown: fill repeated over each column. */
static void print_rule(const gk_list *l, const int *widths, const char *left, const char *between, const char *right,
                       const char *fill)
{
    fputs(left, l->out);
    for (int c = 0; c < l->columns; c++) {
        if (c) fputs(between, l->out);
        for (int i = 0; i < widths[c] + 2; i++) fputs(fill, l->out);
    }
    fputs(right, l->out);
}

static void print_kept(const gk_list *l, int *widths, bool *right)
{
    static const frame frames[] = {[GK_LIST_TABLE] = {"", "  ", ""},
                                   [GK_LIST_BOX] = {"│ ", " │ ", " │"},
                                   [GK_LIST_MARKDOWN] = {"| ", " | ", " |"}};
    const frame *f = &frames[l->format];
    for (int c = 0; c < l->columns; c++) {
        widths[c] = width_of(l->names[c]);
        right[c] = l->rows > 0;
        for (size_t r = 0; r < l->rows; r++) {
            const size_t at = r * (size_t)l->columns + (size_t)c;
            const int w = l->texts[at] ? width_of(l->texts[at]) : 0;
            if (w > widths[c]) widths[c] = w;
            if (w > 0 && !l->numbers[at]) right[c] = false;
        }
    }
    if (l->format == GK_LIST_BOX) print_rule(l, widths, "┌", "┬", "┐\n", "─");
    if (l->bold) fputs("\033[1m", l->out);
    print_row(l, l->names, right, widths, f);
    fputs(l->bold ? "\033[0m\n" : "\n", l->out);
    if (l->format == GK_LIST_BOX) print_rule(l, widths, "├", "┼", "┤\n", "─");
    if (l->format == GK_LIST_MARKDOWN) print_rule(l, widths, "|", "|", "|\n", "-");
    for (size_t r = 0; r < l->rows; r++) {
        print_row(l, l->texts + r * (size_t)l->columns, right, widths, f);
        fputc('\n', l->out);
    }
    if (l->format == GK_LIST_BOX) print_rule(l, widths, "└", "┴", "┘\n", "─");
}

void gk_list_end(gk_list *l)
{
    if (l->format == GK_LIST_JSON) fputs(l->rows ? "\n]\n" : "]\n", l->out);
    if (!streams(l->format)) {
        int *widths = gk_calloc((size_t)l->columns + 1, sizeof *widths);
        bool *right = gk_calloc((size_t)l->columns + 1, sizeof *right);
        if (widths && right) print_kept(l, widths, right);
        free(widths);
        free(right);
    }
    gk_list_free(l);
}

void gk_list_free(gk_list *l)
{
    for (size_t i = 0; l->texts && i < l->rows * (size_t)l->columns; i++) free(l->texts[i]);
    for (int c = 0; l->names && c < l->columns; c++) free(l->names[c]);
    free(l->texts);
    free(l->numbers);
    free(l->names);
    *l = (gk_list){0};
}

/* ---- queries ---- */

typedef struct query_list {
    gk_list list;
    gk_list_format format;
    bool begun;
} query_list;

static int take_row(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    query_list *q = context;
    if (cells) return gk_list_row(&q->list, cells);
    if (columns == 0) return GK_OK; /* a statement that is no question */
    q->begun = true;
    return gk_list_begin(&q->list, stdout, q->format, columns, names);
}

int gk_list_query(gk_store *s, gk_list_format format, const char *sql, const char *const *params, size_t *rows)
{
    query_list q = {.format = format};
    int code = gk_store_query(s, sql, params, take_row, &q);
    if (rows) *rows = q.list.rows;
    if (code == GK_OK && q.begun) gk_list_end(&q.list);
    else gk_list_free(&q.list);
    /* JSON stays open, so that no one takes half an answer for the whole; what is said next has a line of its own. */
    if (code != GK_OK && q.begun && format == GK_LIST_JSON) putchar('\n');
    return code;
}
