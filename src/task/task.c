/* task.c: an operation on Z_p x Z_p as a table of labels, with the number theory that its analysis needs. */
#include "task.h"

#include "gk_number.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { P_MIN = 2, P_MAX = 1009 };

/* The operations that have a name. A new one is a row here. */
static const struct {
    const char *name, *expression;
    bool needs_prime;
} named_operations[] = {
    {"add", "x+y", false},
    {"sub", "x-y", false},
    {"mul", "x*y", true},
    {"div", "x/y", true},
};
enum { N_NAMED = sizeof named_operations / sizeof *named_operations };

static int nearest_prime(int p, int direction)
{
    do p += direction;
    while (!gk_is_prime(p));
    return p;
}

/* A word that is neither a named operation nor made of x and y: most likely a name that was mistyped. */
static int refuse_name(const char *op)
{
    const char *names[N_NAMED + 1] = {NULL};
    for (int i = 0; i < N_NAMED; i++) names[i] = named_operations[i].name;
    const char *nearest = gk_text_nearest(op, names);
    return gk_error(GK_USAGE,
                    "unknown operation \"%s\"%s%s%s; accepted: add, sub, mul, div or a polynomial in x and y such as "
                    "x^2+x*y+y^2",
                    op, nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

/* The expression that `op` stands for, checked against p. */
static int read_operation(gk_expression *e, const char *op, int p)
{
    for (int i = 0; i < N_NAMED; i++) {
        if (strcmp(op, named_operations[i].name) != 0) continue;
        if (named_operations[i].needs_prime && !gk_is_prime(p))
            return gk_error(GK_USAGE, "operation %s needs a prime p, and %d is not one; the nearest are %d and %d", op,
                            p, nearest_prime(p, -1), nearest_prime(p, 1));
        return gk_expression_parse(e, named_operations[i].expression, p);
    }
    size_t letters = 0;
    while (isalpha((unsigned char)op[letters]) || op[letters] == '_') letters++;
    if (op[letters] == '\0' && strspn(op, "xy") < letters) return refuse_name(op);
    return gk_expression_parse(e, op, p);
}

static int fill_labels(gk_task *t, const gk_expression *e)
{
    int p = t->p;
    int32_t *inverse = gk_calloc((size_t)p, sizeof *inverse);
    t->labels = gk_alloc((size_t)p * (size_t)p, sizeof *t->labels);
    if (!inverse || !t->labels) {
        free(inverse);
        return GK_FAILED;
    }
    for (int a = 1; a < p; a++) inverse[a] = (int32_t)gk_mod_inverse(a, p);
    for (int x = 0; x < p; x++) {
        for (int y = 0; y < p; y++) {
            int32_t z = gk_expression_value(e, x, y, p, inverse);
            t->labels[x * p + y] = z;
            t->n_pairs += z >= 0;
        }
    }
    free(inverse);
    if (t->n_pairs == 0)
        return gk_error(GK_USAGE, "operation \"%s\" is undefined for every pair mod %d: its divisor is never a unit",
                        t->op, p);
    return GK_OK;
}

static int fill_number_theory(gk_task *t)
{
    t->prime = gk_is_prime(t->p);
    if (!t->prime) return GK_OK;
    t->root = gk_primitive_root(t->p);
    t->power = gk_alloc((size_t)t->p - 1, sizeof *t->power);
    t->dlog = gk_alloc((size_t)t->p, sizeof *t->dlog);
    if (!t->power || !t->dlog) return GK_FAILED;
    gk_discrete_log(t->p, t->power, t->dlog);
    return GK_OK;
}

static int fill_form(gk_task *t)
{
    t->u = gk_alloc((size_t)t->p, sizeof *t->u);
    t->v = gk_alloc((size_t)t->p, sizeof *t->v);
    if (!t->u || !t->v) return GK_FAILED;
    int code = gk_form_find(&t->form, t->u, t->v, t->labels, t->p, t->power, t->dlog);
    if (t->form == GK_FORM_NONE) {
        free(t->u);
        free(t->v);
        t->u = t->v = NULL;
    }
    return code;
}

int gk_task_init(gk_task *t, const char *op, int p)
{
    *t = (gk_task){.p = p};
    if (p < P_MIN || p > P_MAX)
        return gk_error(GK_USAGE, "p = %d is out of range; accepted: an integer from %d to %d", p, P_MIN, P_MAX);
    gk_expression e;
    int code = read_operation(&e, op, p);
    if (code != GK_OK) return code;
    assert(strlen(op) < sizeof t->op); /* the parser has refused longer ones */
    strcpy(t->op, op);
    code = fill_labels(t, &e);
    if (code == GK_OK) code = fill_number_theory(t);
    if (code == GK_OK) code = fill_form(t);
    if (code != GK_OK) gk_task_free(t);
    return code;
}

void gk_task_free(gk_task *t)
{
    if (!t) return;
    free(t->labels);
    free(t->power);
    free(t->dlog);
    free(t->u);
    free(t->v);
    *t = (gk_task){0};
}
