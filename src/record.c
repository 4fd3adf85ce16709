/* record.c: the queue between training and the store, and the thread that empties it. */
#include "record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef enum record_kind { METRIC, EVENT, MATRIX, CHECKPOINT, HEARTBEAT, ASIDE, COMMIT } record_kind;

typedef struct record {
    struct record *next;
    record_kind kind;
    int64_t step;
    double value;          /* metric value, or seconds of a heartbeat */
    char name[64];         /* of a metric, or kind of an event, matrix or checkpoint */
    unsigned char *bytes;  /* event detail, a matrix's npy stream, or a checkpoint's safetensors stream */
    size_t size;
    int n;                 /* rows and columns of a matrix */
    gk_recorder *aside;    /* what is said in this place */
} record;

struct gk_recorder {
    gk_store *store;
    int64_t run;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    record *open_head, *open_tail; /* said, not yet committed: the thread's own that says it */
    record *head, *tail;           /* committed, under the lock */
    size_t waiting;                /* bytes in the committed queue, places included once they are closed; under the lock */
    bool finished;
    bool ended;                    /* a last place was written: the writer's own while there is anything to write */
    int code; /* first failure of the writer, with its text */
    char text[512];

    gk_recorder *parent; /* of a place in another's records: of the above it has the open ones alone */
    bool committed, closed, last; /* under the parent's lock */
};

/* Training waits when the writer is this far behind: memory stays bounded on a slow disk. */
static const size_t WAITING_MAX = (size_t)32 << 20;

/* A larger checkpoint is not copied into the queue: training waits until it is stored, and all that stands before it. */
static const size_t CHECKPOINT_MAX = (size_t)16 << 20;

/* Frees a list of records. Returns the bytes that they and what was said in their places took. */
static size_t records_free(record *c)
{
    size_t bytes = 0;
    for (record *next; c; c = next) {
        next = c->next;
        bytes += sizeof *c + c->size;
        if (c->aside) bytes += records_free(c->aside->open_head);
        free(c->aside);
        free(c->bytes);
        free(c);
    }
    return bytes;
}

/* Bytes of a list of records without what is said in their places. */
static size_t records_size(const record *c)
{
    size_t bytes = 0;
    for (; c; c = c->next) bytes += sizeof *c + c->size;
    return bytes;
}

static int write_aside(gk_recorder *r, const gk_recorder *aside);

static int write_one(gk_recorder *r, const record *c)
{
    gk_store *s = r->store;
    switch (c->kind) {
    case METRIC: return gk_store_put_metric(s, r->run, c->name, c->step, c->value);
    case EVENT: return gk_store_put_event(s, r->run, c->name, c->step, (const char *)c->bytes);
    case MATRIX:
        return gk_store_put_matrix_raw(s, r->run, c->step, c->name, c->n, c->n, GK_F64, c->bytes, c->size);
    case CHECKPOINT: return gk_store_put_checkpoint_raw(s, r->run, c->step, c->name, c->bytes, c->size);
    case HEARTBEAT: return gk_store_heartbeat(s, r->run, c->step, c->value);
    case ASIDE: return write_aside(r, c->aside);
    case COMMIT: break;
    }
    return GK_OK;
}

static int write_aside(gk_recorder *r, const gk_recorder *aside)
{
    int code = GK_OK;
    for (const record *c = aside->open_head; code == GK_OK && c; c = c->next) code = write_one(r, c);
    r->ended = aside->last;
    return code;
}

/* Writes one committed transaction: the records of `c` up to and with its COMMIT. */
static int write_transaction(gk_recorder *r, const record *c)
{
    int code = gk_store_begin(r->store);
    if (code != GK_OK) return code;
    for (; code == GK_OK && c->kind != COMMIT; c = c->next)
        if (!r->ended || c->kind == HEARTBEAT) code = write_one(r, c); /* the time was spent all the same */
    if (code == GK_OK) code = gk_store_commit(r->store);
    if (code != GK_OK) gk_store_rollback(r->store);
    return code;
}

/* Is there a transaction, and nothing still to be said in it? Under the lock. */
static bool is_complete(const record *c)
{
    if (!c) return false;
    while (c->kind != COMMIT && (c->kind != ASIDE || c->aside->closed)) c = c->next;
    return c->kind == COMMIT;
}

static void *writer(void *argument)
{
    gk_recorder *r = argument;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!is_complete(r->head) && (r->head || !r->finished)) pthread_cond_wait(&r->filled, &r->lock);
        if (!r->head) break;
        record *first = r->head, *last = first;
        while (last->kind != COMMIT) last = last->next;
        const bool failed = r->code != GK_OK;
        r->head = last->next;
        last->next = NULL;
        if (!r->head) r->tail = NULL;
        pthread_mutex_unlock(&r->lock);
        const int code = failed ? GK_OK : write_transaction(r, first);
        const size_t bytes = records_free(first);
        pthread_mutex_lock(&r->lock);
        r->waiting -= bytes;
        if (code != GK_OK) {
            r->code = code;
            strncpy(r->text, gk_error_text(), sizeof r->text - 1);
        }
        pthread_cond_signal(&r->drained);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int gk_recorder_start(gk_recorder **out, gk_store *store, int64_t run)
{
    gk_recorder *r = gk_calloc(1, sizeof *r);
    if (!r) return GK_FAILED;
    r->store = store;
    r->run = run;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->filled, NULL);
    pthread_cond_init(&r->drained, NULL);
    if (pthread_create(&r->thread, NULL, writer, r) != 0) {
        free(r);
        return gk_error(GK_FAILED, "cannot start the thread that writes the database");
    }
    *out = r;
    return GK_OK;
}

/* The writer's first failure, said again on this thread. */
static int writer_code(gk_recorder *r)
{
    pthread_mutex_lock(&r->lock);
    const int code = r->code;
    pthread_mutex_unlock(&r->lock);
    return code == GK_OK ? GK_OK : gk_error(code, "%s", r->text);
}

/* Appends a record that takes over `bytes`. */
static int say(gk_recorder *r, record_kind kind, int64_t step, const char *name, double value, unsigned char *bytes,
               size_t size, int n)
{
    record *c = gk_calloc(1, sizeof *c);
    if (!c) {
        free(bytes);
        return GK_FAILED;
    }
    *c = (record){.kind = kind, .step = step, .value = value, .bytes = bytes, .size = size, .n = n};
    if (name) strncpy(c->name, name, sizeof c->name - 1);
    if (r->open_tail) r->open_tail->next = c;
    else r->open_head = c;
    r->open_tail = c;
    return GK_OK;
}

static unsigned char *copy(const void *data, size_t size)
{
    unsigned char *bytes = gk_alloc(size, 1);
    if (bytes) memcpy(bytes, data, size);
    return bytes;
}

int gk_recorder_metric(gk_recorder *r, int64_t step, const char *name, double value)
{
    return say(r, METRIC, step, name, value, NULL, 0, 0);
}

int gk_recorder_event(gk_recorder *r, int64_t step, const char *kind, const char *detail)
{
    const size_t size = detail ? strlen(detail) + 1 : 0;
    unsigned char *bytes = detail ? copy(detail, size) : NULL;
    if (detail && !bytes) return GK_FAILED;
    return say(r, EVENT, step, kind, 0, bytes, size, 0);
}

int gk_recorder_matrix(gk_recorder *r, int64_t step, const char *kind, const double *data, int n)
{
    const int64_t shape[2] = {n, n};
    unsigned char *bytes;
    size_t size;
    const int code = gk_npy_write(data, GK_F64, 2, shape, &bytes, &size);
    return code == GK_OK ? say(r, MATRIX, step, kind, 0, bytes, size, n) : code;
}

/* Commits, and waits until the writer's queue is empty. */
static int drain(gk_recorder *r)
{
    const int code = gk_recorder_commit(r);
    if (code != GK_OK) return code;
    pthread_mutex_lock(&r->lock);
    while (r->waiting > 0) pthread_cond_wait(&r->drained, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return writer_code(r);
}

/* Stores a checkpoint on this thread, behind all that was said before it. */
static int write_here(gk_recorder *r, int64_t step, const char *kind, const gk_tensor *tensors, int n,
                      const char *const *meta)
{
    const int code = drain(r);
    if (code != GK_OK || r->ended) return code;
    return gk_store_put_checkpoint(r->store, r->run, step, kind, tensors, n, meta);
}

int gk_recorder_checkpoint(gk_recorder *r, int64_t step, const char *kind, const gk_tensor *tensors, int n,
                           const char *const *meta)
{
    unsigned char *bytes;
    size_t size = 0;
    for (int i = 0; i < n; i++) size += gk_tensor_bytes(&tensors[i]);
    if (size > CHECKPOINT_MAX) return write_here(r, step, kind, tensors, n, meta);
    int code = gk_safetensors_write(tensors, n, meta, &bytes, &size);
    return code == GK_OK ? say(r, CHECKPOINT, step, kind, 0, bytes, size, 0) : code;
}

int gk_recorder_heartbeat(gk_recorder *r, int64_t step, double seconds)
{
    return say(r, HEARTBEAT, step, NULL, seconds, NULL, 0, 0);
}

/* The places of a list of records, under the lock: from now on what they say is waited for. Bytes of what they have said. */
static size_t commit_places(const record *c)
{
    size_t bytes = 0;
    for (; c; c = c->next) {
        if (c->kind != ASIDE) continue;
        c->aside->committed = true;
        if (c->aside->closed) bytes += records_size(c->aside->open_head);
    }
    return bytes;
}

int gk_recorder_aside(gk_recorder *r, gk_recorder **out)
{
    gk_recorder *aside = gk_calloc(1, sizeof *aside);
    if (!aside) return GK_FAILED;
    aside->parent = r;
    const int code = say(r, ASIDE, 0, NULL, 0, NULL, 0, 0);
    if (code == GK_OK) *out = r->open_tail->aside = aside;
    else free(aside);
    return code;
}

void gk_recorder_close(gk_recorder *aside, bool last)
{
    gk_recorder *r = aside->parent;
    const size_t bytes = records_size(aside->open_head);
    pthread_mutex_lock(&r->lock);
    aside->closed = true;
    aside->last = last;
    if (aside->committed) r->waiting += bytes; /* else the commit counts them */
    pthread_cond_signal(&r->filled);
    pthread_mutex_unlock(&r->lock);
}

int gk_recorder_commit(gk_recorder *r)
{
    if (!r->open_head) return writer_code(r);
    int code = say(r, COMMIT, 0, NULL, 0, NULL, 0, 0);
    if (code != GK_OK) return code;
    pthread_mutex_lock(&r->lock);
    while (r->waiting > WAITING_MAX && r->code == GK_OK) pthread_cond_wait(&r->drained, &r->lock);
    const size_t bytes = commit_places(r->open_head) + records_size(r->open_head);
    if (r->tail) r->tail->next = r->open_head;
    else r->head = r->open_head;
    r->tail = r->open_tail;
    r->waiting += bytes;
    r->open_head = r->open_tail = NULL;
    pthread_cond_signal(&r->filled);
    pthread_mutex_unlock(&r->lock);
    return writer_code(r);
}

int gk_recorder_drain(gk_recorder *r)
{
    const int code = drain(r);
    if (code == GK_OK) r->ended = false; /* the writer sleeps */
    return code;
}

int gk_recorder_finish(gk_recorder *r)
{
    if (!r) return GK_OK;
    pthread_mutex_lock(&r->lock);
    r->finished = true;
    pthread_cond_signal(&r->filled);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    const int code = writer_code(r);
    records_free(r->open_head);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->filled);
    pthread_cond_destroy(&r->drained);
    free(r);
    return code;
}
