/* gk_task.h: the task (an operation on Z_p x Z_p) and its split into train and test cells. The structs carry
 * everything as data, so that other rooms read them without calling into src/task. */
#ifndef GK_TASK_H
#define GK_TASK_H

#include "gk_base.h"

/* How the labels factor, found from the labels themselves: z = u(x) + v(y) or z = u(x) v(y) (mod p). */
typedef enum gk_form { GK_FORM_NONE, GK_FORM_SUM, GK_FORM_PRODUCT } gk_form;

typedef struct gk_task {
    char op[128]; /* as written: add sub mul div or a polynomial such as x^2+x*y+y^2 */
    int p;
    int n_pairs;     /* cells where the operation is defined */
    int32_t *labels; /* [p*p], cell = x*p + y; -1 where undefined (a division by a non-unit) */
    bool prime;
    int root;        /* the smallest primitive root of p; 0 if p is not prime */
    int32_t *power;  /* [p-1] root^i mod p, or NULL */
    int32_t *dlog;   /* [p] with root^dlog[a] = a, dlog[0] = -1, or NULL */
    gk_form form;    /* for PRODUCT over a prime, dlog z = dlog u(x) + dlog v(y) away from 0 */
    int32_t *u, *v;  /* [p] each, or NULL for NONE. add: u=x v=y; sub: v=-y; div: v=1/y with v[0]=0 */
} gk_task;

typedef struct gk_split {
    gk_task task;
    double train_fraction;
    uint64_t seed;
    char generator[16]; /* philox | python | file */
    int n_train, n_test;
    int32_t *train; /* [n_train] cells, ascending */
    int32_t *test;  /* [n_test] cells, ascending */
    char sha256[GK_SHA256_HEX]; /* of the bytes of gk_split_csv */
    /* What a method trains on: the train cells and, where there is a second task (gk_split_second), its own after them.
     * Its cell of (x, y) is p*p + x*p + y, and task.labels is [2 p*p] then. No part of the split's identity. */
    bool two;
    int n_learn, n_second_test;
    int32_t *learn;       /* [n_learn] ascending; `train` itself where there is one task */
    int32_t *second_test; /* [n_second_test] ascending, or NULL */
} gk_split;

/* op: add sub mul div (mul and div need a prime p) or a polynomial in x and y with + - * / ^ and brackets,
 * integers mod p, '/' the modular inverse. 2 <= p <= 1009. GK_USAGE with the column of a syntax error. */
int gk_task_init(gk_task *t, const char *op, int p);
void gk_task_free(gk_task *t);

/* n_train = floor(train_fraction * n_pairs); both parts must be non-empty (train_fraction 1 leaves no test
 * cells and is allowed: full data). generator: philox or python (see the design). */
int gk_split_make(gk_split *s, const char *op, int p, double train_fraction, uint64_t seed, const char *generator);
/* Reads CSV `x,y,z,part`; checks range, labels, duplicates, missing pairs. The error line names file:line. */
int gk_split_read(gk_split *s, const char *path, const char *op, int p);
/* From stored train cells (any order). `s` takes copies. */
int gk_split_restore(gk_split *s, const char *op, int p, double train_fraction, uint64_t seed,
                     const char *generator, const int32_t *train, int n_train);
/* The canonical CSV: header, then all defined pairs in cell order. malloc'ed, NUL-terminated. Its SHA-256 is
 * the split's identity. */
char *gk_split_csv(const gk_split *s);
/* Gives the split a second operation to be learned beside the first, on the same train pairs; a pair where it is
 * undefined is left out of it. GK_USAGE as gk_task_init. */
int gk_split_second(gk_split *s, const char *op);
void gk_split_free(gk_split *s);

#endif
