/* form.c: does a label table factor, z = u(x) + v(y) or z = u(x) v(y)? Found from the labels themselves, so that
 * x-y, x+(p-1)*y and a polynomial that happens to reduce to it are one. The cells that are defined make a
 * bipartite graph between the values of x and the values of y: fixing u at one x fixes all that is connected
 * with it, and then every cell is checked. A product over a prime is a sum of discrete logarithms mod p - 1. */
#include "task.h"

#include <stdlib.h>
#include <string.h>

/* Solves labels[x p + y] = u(x) + v(y) mod m for all labels that are not -1; false when there is no solution.
 * Every connected part has one free constant: u(first) = 0 where the part holds x = first, else v(first) = 0
 * where it holds y = first, else 0 at its smallest x. What meets no defined cell is -1. queue: scratch [2p]. */
static bool solve_sum(const int32_t *labels, int p, int m, int first, int32_t *u, int32_t *v, int32_t *queue)
{
    for (int i = 0; i < p; i++) u[i] = v[i] = -1;
    for (int k = -2; k < p; k++) {
        /* Nodes 0 .. p-1 are values of x, p .. 2p-1 of y. */
        int start = k == -2 ? first : k == -1 ? p + first : k;
        int32_t *seed = start < p ? &u[start] : &v[start - p];
        if (*seed >= 0) continue;
        int head = 0, tail = 0;
        queue[tail++] = start;
        *seed = 0;
        while (head < tail) {
            int node = queue[head++];
            bool is_x = node < p;
            int fixed = is_x ? node : node - p;
            int32_t known = is_x ? u[fixed] : v[fixed], *unknown = is_x ? v : u;
            for (int i = 0; i < p; i++) {
                int32_t z = labels[is_x ? fixed * p + i : i * p + fixed];
                if (z < 0 || unknown[i] >= 0) continue;
                unknown[i] = (z - known + m) % m;
                queue[tail++] = is_x ? p + i : i;
            }
        }
        if (tail == 1) *seed = -1;
    }
    for (int x = 0; x < p; x++) {
        for (int y = 0; y < p; y++) {
            int32_t z = labels[x * p + y];
            if (z >= 0 && z != (u[x] + v[y]) % m) return false;
        }
    }
    return true;
}

/* logs[x p + y] = dlog of the label, or -1 where it is undefined or where its whole row or column is 0 (there
 * u(x) or v(y) is 0). A zero anywhere else is no product: returns false. has_x, has_y: scratch [p]. */
static bool take_logs(const int32_t *labels, int p, const int32_t *dlog, int32_t *logs, int32_t *has_x, int32_t *has_y)
{
    for (int i = 0; i < p; i++) has_x[i] = has_y[i] = 0;
    for (int cell = 0; cell < p * p; cell++) {
        if (labels[cell] > 0) has_x[cell / p] = has_y[cell % p] = 1;
    }
    for (int cell = 0; cell < p * p; cell++) {
        if (labels[cell] == 0 && has_x[cell / p] && has_y[cell % p]) return false;
        logs[cell] = labels[cell] > 0 ? dlog[labels[cell]] : -1;
    }
    return true;
}

int gk_form_find(gk_form *form, int32_t *u, int32_t *v, const int32_t *labels, int p, const int32_t *power,
                 const int32_t *dlog)
{
    size_t cells = (size_t)p * (size_t)p;
    int32_t *queue = gk_alloc(cells + 2 * (size_t)p, sizeof *queue);
    if (!queue) return GK_FAILED;
    int32_t *logs = queue + 2 * p;

    *form = GK_FORM_NONE;
    if (solve_sum(labels, p, p, 0, u, v, queue)) {
        *form = GK_FORM_SUM;
        for (int i = 0; i < p; i++) {
            if (u[i] < 0) u[i] = 0;
            if (v[i] < 0) v[i] = 0;
        }
    } else if (dlog && take_logs(labels, p, dlog, logs, u, v) && solve_sum(logs, p, p - 1, 1, u, v, queue)) {
        *form = GK_FORM_PRODUCT;
        for (int i = 0; i < p; i++) {
            u[i] = u[i] < 0 ? 0 : power[u[i]];
            v[i] = v[i] < 0 ? 0 : power[v[i]];
        }
    }
    free(queue);
    return GK_OK;
}
