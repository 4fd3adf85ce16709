/* sweep_claim.c: which runs are stored already, and who trains one. A run is known by what decides its numbers; while
 * it is trained, its process holds a lock on one byte, picked by that identity, of a file beside the database. The
 * system drops the lock when the process ends in whatever way, so that a stored 'running' whose lock is free belongs to
 * the dead, and two sweeps over one database never train the same run. */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- identity ---- */

/* json: settings as gk_config_json writes them. A quote inside a value is escaped there, so that ,"name":" can only be
 * the key; it is cut out, because what a run is called does not change what it computes. */
static int identity_of(const char *method, const char *json, const char *split_sha256, char out[GK_SHA256_HEX])
{
    static const char key[] = ",\"name\":\"";
    const char *at = strstr(json, key), *end = at ? at + sizeof key - 1 : NULL;
    while (end && *end && *end != '"') end += end[0] == '\\' && end[1] ? 2 : 1;
    if (end && *end == '"') end++;
    const bool from_file = strstr(json, "\"split_file\":\"\"") == NULL;
    char *text = gk_text("%s\n%s\n%.*s%s", method, from_file ? split_sha256 : "",
                         at ? (int)(at - json) : (int)strlen(json), json, at ? end : "");
    if (!text) return GK_FAILED;
    gk_sha256(text, strlen(text), out);
    free(text);
    return GK_OK;
}

int gk_sweep_identity(const char *method, const gk_config *config, char out[GK_SHA256_HEX])
{
    gk_split split = {.sha256 = ""};
    const bool from_file = gk_config_text(config, "split_file")[0] != '\0';
    int code = from_file ? gk_registry_split(&split, config) : GK_OK;
    if (code != GK_OK) return code;
    char *json = gk_config_json(config);
    code = json ? identity_of(method, json, split.sha256, out) : GK_FAILED;
    free(json);
    if (from_file) gk_split_free(&split);
    return code;
}

/* ---- stored runs: a hash table with linear probing ---- */

typedef struct entry {
    char identity[GK_SHA256_HEX]; /* "": free */
    int64_t run;
    bool finished;
} entry;

struct gk_sweep_index {
    entry *entries; /* [room], room a power of two */
    size_t n, room;
    int64_t last; /* newest run that was taken in */
};

static uint64_t number_of(const char *identity)
{
    char digits[17];
    memcpy(digits, identity, 16);
    digits[16] = '\0';
    return strtoull(digits, NULL, 16);
}

static entry *slot_of(const gk_sweep_index *x, const char *identity)
{
    size_t at = (size_t)number_of(identity) & (x->room - 1);
    while (x->entries[at].identity[0] && strcmp(x->entries[at].identity, identity) != 0) at = (at + 1) & (x->room - 1);
    return &x->entries[at];
}

static int grow(gk_sweep_index *x)
{
    gk_sweep_index larger = {.room = x->room ? 2 * x->room : 256};
    larger.entries = gk_calloc(larger.room, sizeof *larger.entries);
    if (!larger.entries) return GK_FAILED;
    for (size_t i = 0; i < x->room; i++)
        if (x->entries[i].identity[0]) *slot_of(&larger, x->entries[i].identity) = x->entries[i];
    free(x->entries);
    x->entries = larger.entries;
    x->room = larger.room;
    return GK_OK;
}

int gk_sweep_index_new(gk_sweep_index **out)
{
    *out = gk_calloc(1, sizeof **out);
    return *out ? grow(*out) : GK_FAILED;
}

void gk_sweep_index_free(gk_sweep_index *index)
{
    if (index) free(index->entries);
    free(index);
}

static int take_run(void *context, int columns, const char *const *names, const gk_cell *cells)
{
    gk_sweep_index *x = context;
    char identity[GK_SHA256_HEX];
    (void)columns;
    (void)names;
    if (!cells) return GK_OK;
    x->last = cells[0].integer;
    if (cells[1].type != GK_CELL_TEXT || cells[2].type != GK_CELL_TEXT || cells[3].type != GK_CELL_TEXT) return GK_OK;
    if (2 * (x->n + 1) > x->room && grow(x) != GK_OK) return GK_FAILED;
    const int code = identity_of(cells[1].text, cells[2].text, cells[3].text, identity);
    if (code != GK_OK) return code;
    entry *e = slot_of(x, identity);
    if (!e->identity[0])
        x->n++;
    else if (e->finished)
        return GK_OK;
    memcpy(e->identity, identity, sizeof e->identity);
    e->run = cells[0].integer;
    e->finished = cells[4].integer != 0;
    return GK_OK;
}

int gk_sweep_index_read(gk_sweep_index *index, gk_store *s)
{
    char last[24];
    snprintf(last, sizeof last, "%lld", (long long)index->last);
    const char *const params[] = {last, NULL};
    return gk_store_query(s,
                          "SELECT r.id, r.method, r.config, s.sha256, r.status IN ('finished', 'diverged') FROM run r"
                          " JOIN split s ON s.id = r.split_id WHERE r.id > CAST(?1 AS INTEGER) ORDER BY r.id",
                          params, take_run, index);
}

int64_t gk_sweep_index_find(const gk_sweep_index *index, const char *identity)
{
    const entry *e = slot_of(index, identity);
    return e->identity[0] ? e->run : -1;
}

/* ---- locks ---- */

static int lock(int fd, short type, off_t at, off_t length)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = length};
    return fcntl(fd, F_SETLK, &l);
}

/* Bytes far beyond any size: a lock needs no byte to be there. */
static off_t byte_of(const char *identity)
{
    return (off_t)(number_of(identity) >> 2);
}

static int open_locks(gk_sweep_claims *c)
{
    c->fd = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->fd >= 0) return GK_OK;
    return gk_error(GK_FAILED, "%s: cannot be made: %s; it keeps two sweeps from training the same run", c->path,
                    strerror(errno));
}

int gk_sweep_claim(gk_sweep_claims *c, const char *identity)
{
    for (;;) {
        int code = c->fd >= 0 ? GK_OK : open_locks(c);
        if (code != GK_OK) return code;
        if (lock(c->fd, F_WRLCK, byte_of(identity), 1) != 0) {
            if (errno == EACCES || errno == EAGAIN) return gk_error(GK_BUSY, "another process trains this run");
            if (errno == ENOLCK || errno == ENOTSUP || errno == EINVAL) return GK_OK; /* a file system without locks */
            return gk_error(GK_FAILED, "%s: cannot be locked: %s", c->path, strerror(errno));
        }
        struct stat mine, there;
        if (fstat(c->fd, &mine) == 0 && stat(c->path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev)
            return GK_OK;
        /* A sweep that ended has removed the file in the meantime: a lock on it guards nothing. */
        close(c->fd);
        c->fd = -1;
    }
}

void gk_sweep_release(gk_sweep_claims *c, const char *identity)
{
    if (c->fd >= 0) lock(c->fd, F_UNLCK, byte_of(identity), 1);
}

void gk_sweep_claims_end(gk_sweep_claims *c)
{
    if (c->fd < 0 && access(c->path, F_OK) == 0) c->fd = open(c->path, O_RDWR | O_CLOEXEC);
    if (c->fd < 0) return;
    if (lock(c->fd, F_WRLCK, 0, 0) == 0) unlink(c->path);
    close(c->fd);
    c->fd = -1;
}
