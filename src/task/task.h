/* task.h: what the files of this room share: expressions, the form of a label table, CPython's shuffle. */
#ifndef GK_TASK_PRIVATE_H
#define GK_TASK_PRIVATE_H

#include "gk_task.h"

/* A polynomial in postfix order, ready to be evaluated on a stack. */
typedef struct gk_expression {
    int n;
    struct {
        char kind; /* x y, c: constant, + - * /, n: negate, ^: power by a constant exponent */
        int64_t value;
    } code[sizeof((gk_task *)0)->op]; /* a character of text makes at most one instruction */
} gk_expression;

/* Integer literals are reduced mod p. GK_USAGE with the column of a syntax error. */
int gk_expression_parse(gk_expression *e, const char *text, int p);
/* The value mod p, or -1 where a divisor has no inverse. inverse [p]: inverses mod p, 0 where there is none. */
int32_t gk_expression_value(const gk_expression *e, int x, int y, int p, const int32_t *inverse);

/* Finds u and v [p] with labels[x p + y] = u(x) + v(y), else (for prime p, with its tables power and dlog)
 * = u(x) v(y) mod p, on all cells whose label is not -1. dlog NULL: sums only. GK_FAILED without memory. */
int gk_form_find(gk_form *form, int32_t *u, int32_t *v, const int32_t *labels, int p, const int32_t *power,
                 const int32_t *dlog);

/* CPython's random.seed(seed); random.shuffle(items). */
void gk_python_shuffle(uint64_t seed, int32_t *items, int n);

/* Fills the parts and the hash of a split whose task is there already. train [n_train]: cells in any order.
 * GK_FAILED for a cell out of range, undefined or repeated. */
int gk_split_fill(gk_split *s, const int32_t *train, int n_train);

#endif
