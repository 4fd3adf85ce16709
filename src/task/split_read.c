/* split_read.c: a split from a CSV file x,y,z,part that anyone may have made: every line is checked, and the
 * error says at which line what was wrong. Rows may come in any order; CRLF, a byte order mark and blank lines
 * are taken as they come. */
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    gk_split *split;
    const char *path;
    int line;
    int32_t *seen;  /* [p*p] line that gave the cell, 0 for none */
    int32_t *train; /* [n_pairs] train cells in file order */
    int n_train, n_seen;
} reader;

/* Cuts the line end off; false when the line holds a zero byte. */
static bool trim(char *line, ssize_t length)
{
    if (strlen(line) != (size_t)length) return false;
    while (length > 0 && strchr("\r\n", line[length - 1])) line[--length] = '\0';
    return true;
}

static int read_number(const reader *r, const char *name, const char *text, int *out)
{
    int64_t value;
    if (gk_text_int(text, &value) != GK_OK || value < 0 || value >= r->split->task.p)
        return gk_error(GK_USAGE, "%s:%d: %s = \"%s\"; accepted: an integer from 0 to %d", r->path, r->line, name, text,
                        r->split->task.p - 1);
    *out = (int)value;
    return GK_OK;
}

static int read_row(reader *r, char *line)
{
    const gk_task *t = &r->split->task;
    char *field[4], *rest = line;
    for (int i = 0; i < 4; i++) field[i] = strsep(&rest, ",");
    if (!field[3] || rest)
        return gk_error(GK_USAGE, "%s:%d: %s than four fields; accepted: x,y,z,part", r->path, r->line,
                        rest ? "more" : "fewer");
    int x = 0, y = 0, z = 0, code;
    if ((code = read_number(r, "x", field[0], &x)) != GK_OK) return code;
    if ((code = read_number(r, "y", field[1], &y)) != GK_OK) return code;
    if ((code = read_number(r, "z", field[2], &z)) != GK_OK) return code;

    int32_t cell = x * t->p + y;
    if (t->labels[cell] < 0)
        return gk_error(GK_USAGE, "%s:%d: pair (%d, %d) has no label, %s mod %d is undefined there; leave it out",
                        r->path, r->line, x, y, t->op, t->p);
    if (z != t->labels[cell])
        return gk_error(GK_USAGE, "%s:%d: z = %d is a wrong label; %s mod %d of (%d, %d) is %d", r->path, r->line, z,
                        t->op, t->p, x, y, t->labels[cell]);
    if (r->seen[cell])
        return gk_error(GK_USAGE, "%s:%d: pair (%d, %d) is a duplicate of line %d", r->path, r->line, x, y,
                        r->seen[cell]);
    bool is_train = strcmp(field[3], "train") == 0;
    if (!is_train && strcmp(field[3], "test") != 0)
        return gk_error(GK_USAGE, "%s:%d: part = \"%s\"; accepted: train or test", r->path, r->line, field[3]);
    r->seen[cell] = r->line;
    r->n_seen++;
    if (is_train) r->train[r->n_train++] = cell;
    return GK_OK;
}

static int read_lines(reader *r, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    int code = GK_OK;
    bool has_header = false;
    errno = 0;
    for (ssize_t length; code == GK_OK && (length = getline(&line, &size, file)) >= 0;) {
        r->line++;
        char *text = line;
        if (!trim(line, length)) {
            code = gk_error(GK_USAGE, "%s:%d: holds a zero byte; accepted: CSV text x,y,z,part", r->path, r->line);
        } else if (!has_header) {
            if (r->line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
            has_header = true;
            if (strcmp(text, "x,y,z,part") != 0)
                code = gk_error(GK_USAGE, "%s:%d: header \"%.80s\"; accepted: x,y,z,part", r->path, r->line, text);
        } else if (*text) {
            code = read_row(r, text);
        }
    }
    if (code == GK_OK && ferror(file)) code = gk_error(GK_FAILED, "%s: cannot be read: %s", r->path, strerror(errno));
    if (code == GK_OK && !has_header) code = gk_error(GK_USAGE, "%s:1: empty; accepted: CSV x,y,z,part", r->path);
    free(line);
    return code;
}

/* What can be said only at the end: pairs that are missing, parts that are empty. */
static int check_whole(const reader *r)
{
    const gk_task *t = &r->split->task;
    int missing = t->n_pairs - r->n_seen;
    for (int cell = 0; missing > 0; cell++) {
        if (t->labels[cell] < 0 || r->seen[cell]) continue;
        return gk_error(GK_USAGE,
                        "%s:%d: ends with %d missing pair%s, the first is (%d, %d); accepted: all %d of %s "
                        "mod %d",
                        r->path, r->line, missing, missing > 1 ? "s" : "", cell / t->p, cell % t->p, t->n_pairs, t->op,
                        t->p);
    }
    if (r->n_train == 0 || r->n_train == t->n_pairs)
        return gk_error(GK_USAGE, "%s:%d: ends without any %s pair; accepted: at least one of each part", r->path,
                        r->line, r->n_train ? "test" : "train");
    return GK_OK;
}

int gk_split_read(gk_split *s, const char *path, const char *op, int p)
{
    *s = (gk_split){.generator = "file"};
    FILE *file = fopen(path, "r");
    if (!file)
        return gk_error(errno == ENOENT ? GK_NOTFOUND : GK_FAILED,
                        "%s: cannot be opened: %s; accepted: a CSV file x,y,z,part", path, strerror(errno));
    reader r = {.split = s, .path = path};
    int code = gk_task_init(&s->task, op, p);
    if (code == GK_OK) {
        r.seen = gk_calloc((size_t)p * (size_t)p, sizeof *r.seen);
        r.train = gk_alloc((size_t)s->task.n_pairs, sizeof *r.train);
        code = r.seen && r.train ? read_lines(&r, file) : GK_FAILED;
    }
    fclose(file);
    if (code == GK_OK) code = check_whole(&r);
    if (code == GK_OK) code = gk_split_fill(s, r.train, r.n_train);
    if (code == GK_OK) s->train_fraction = (double)r.n_train / s->task.n_pairs;
    free(r.seen);
    free(r.train);
    if (code != GK_OK) gk_split_free(s);
    return code;
}
