/* bench.h: the training loops that `groklab bench` times, and how it times them. Looks at a learner through the method
 * contract only; touches no database. */
#ifndef GK_BENCH_H
#define GK_BENCH_H

#include "cli.h"

/* What one timed call computes: the floating-point operations of its matrix products and factorisations, a multiply-add
 * counting two, and whether they are float64. Elementwise work (activations, AdamW, gathers) is time without flops. */
typedef struct gk_bench_work {
    double flops;
    bool float64;
} gk_bench_work;

typedef struct gk_bench_loop {
    const char *name, *method;
    const char *summary;         /* what one timed call is */
    const char *formula;         /* of the flops, as `work` counts them */
    const char *const *settings; /* key, value ... NULL */
    int skip;                    /* steps before the first timed one, on all cores */
    int window;                  /* timed steps after which it goes back to where `skip` ended */
    bool score;                  /* times the loss over the test cells instead of a step */
    bool many;                   /* uses several cores by one run on each */
    /* of one step of the method; iterations: what the method reports as solver_iterations, 0 if it does not */
    gk_bench_work (*work)(const gk_config *config, const gk_split *split, double iterations);
    /* timed calls that one step of the method is made of (minibatches of an epoch) */
    int (*calls)(const gk_config *config, const gk_split *split);
} gk_bench_loop;

extern const gk_bench_loop gk_bench_loops[]; /* ended by a NULL name */

typedef struct gk_bench_time {
    const gk_bench_loop *loop;
    int threads, runs; /* threads of each run, runs at once */
    int samples;
    double median, best; /* seconds a call */
    double flops;        /* a call, median */
    bool float64;
} gk_bench_time;

/* Times one loop on cores[0], cores[1] ... cores, each for about `seconds` and at least three samples; out [n].
 * GK_DIVERGED and GK_FAILED come from the method. */
int gk_bench_measure(const gk_bench_loop *loop, const int *cores, int n, double seconds, gk_bench_time *out);

#endif
