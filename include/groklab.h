/* groklab.h: the public face of libgroklab: open a run database, train into it, read back numbers and matrices.
 * Link with the flags of `pkg-config --static --libs groklab`. Includes no third-party header. */
#ifndef GROKLAB_H
#define GROKLAB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return: 0, or one of the negative codes. */
enum {
    GK_OK = 0,
    GK_FAILED = -1,      /* anything without a code of its own: I/O, a corrupt file, no memory */
    GK_USAGE = -2,       /* the caller's input is wrong: a value, a key, a name */
    GK_NOTFOUND = -3,    /* no such run, split, checkpoint, matrix */
    GK_DIFFERS = -4,     /* two things that must be equal are not: runs without a common split */
    GK_BUSY = -5,        /* the database is locked, or newer than this program */
    GK_DIVERGED = -6,    /* a non-finite loss or a factorisation that failed */
    GK_INTERRUPTED = -7, /* stopped on request, after a clean checkpoint */
};

/* One line that says what failed, where, and what would be accepted. Kept per thread, borrowed until the next failure. */
const char *gk_error_text(void);

/* "0.1.0" */
const char *gk_version(void);

typedef struct gk_session gk_session;

/* Opens a run database, made if it is missing. Free with gk_session_close, which accepts NULL. */
int gk_session_open(gk_session **out, const char *path);
void gk_session_close(gk_session *s);

/* Told after each step; a nonzero return checkpoints and stops (gk_session_train then gives GK_INTERRUPTED).
 * test_accuracy is that of the last evaluation, NaN before it. */
typedef int gk_session_progress(void *context, int64_t step, int64_t steps, double test_accuracy);

/* Trains one run. method: mlp | transformer | rfm. settings: key, value, key, value ... NULL as on the command line
 * (`groklab help train` lists them), or NULL for the defaults. *run gets its id. */
int gk_session_train(gk_session *s, const char *method, const char *const *settings, gk_session_progress *progress,
                     void *context, int64_t *run);
/* Goes on with an interrupted run from its last checkpoint, bit for bit. */
int gk_session_resume(gk_session *s, int64_t run, gk_session_progress *progress, void *context);

/* The id of a run by id, unique prefix of its uid, name, or "@last". */
int gk_session_find(gk_session *s, const char *text, int64_t *run);

/* A metric's value at the newest step at or before `step` (-1: the last), e.g. "test_accuracy". *at (may be NULL) gets that
 * step. A stored NULL reads as NaN. */
int gk_session_metric(gk_session *s, int64_t run, const char *name, int64_t step, double *value, int64_t *at);

/* A feature matrix, e.g. "sqrt_agop", at the newest step at or before `step` (-1: the last): [rows, cols] row-major, to be
 * freed with free(). */
int gk_session_matrix(gk_session *s, int64_t run, const char *kind, int64_t step, double **data, int *rows, int *cols);

/* <a, b> / (|a| |b|), 0 if either is zero. */
double gk_cosine(const double *a, const double *b, size_t n);

#ifdef __cplusplus
}
#endif

#endif
