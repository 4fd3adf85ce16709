/* memory.c: aligned blocks that report their own failure, and tensor pools cut from one such block. */
#include "gk_base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GK_ALIGN = 64,           /* a cache line, and the widest vector register */
    GK_HUGE_PAGE = 1 << 21,
};

/* Bytes for count items rounded up to whole cache lines; SIZE_MAX when that does not fit a size_t. */
static size_t padded_size(size_t count, size_t item)
{
    if (item != 0 && count > (SIZE_MAX - 2 * GK_ALIGN) / item) return SIZE_MAX;
    size_t bytes = count * item;
    if (bytes == 0) bytes = 1; /* so that a result of NULL always means failure */
    return (bytes + GK_ALIGN - 1) / GK_ALIGN * GK_ALIGN;
}

void *gk_alloc(size_t count, size_t item)
{
    size_t bytes = padded_size(count, item);
    void *block = bytes == SIZE_MAX ? NULL : aligned_alloc(GK_ALIGN, bytes);
    if (!block) gk_error(GK_FAILED, "out of memory: %zu items of %zu bytes cannot be had", count, item);
    return block;
}

void *gk_calloc(size_t count, size_t item)
{
    void *block = gk_alloc(count, item);
    if (block) memset(block, 0, padded_size(count, item));
    return block;
}

void *gk_pool_take(gk_pool *pool, size_t count, size_t item)
{
    size_t bytes = count == 0 ? 0 : padded_size(count, item);
    size_t start = pool->used;
    if (bytes > SIZE_MAX - start) { /* only while counting: gk_pool_alloc refuses the sum */
        assert(!pool->base);
        pool->used = SIZE_MAX;
        return NULL;
    }
    pool->used = start + bytes;
    if (!pool->base) return NULL;
    assert(pool->used <= pool->size && "the second layout pass takes what the first one counted");
    return pool->base + start;
}

/* A pool's zeros. A large pool asks for huge pages: then walking through it in strides needs few address translations,
 * and its parts do not compete for the same sets of the second-level cache by the chance of where small pages lie. */
static void *pool_block(size_t bytes)
{
    if (bytes < GK_HUGE_PAGE) return gk_calloc(bytes, 1);
    const size_t padded = padded_size(bytes, 1);
    void *block = NULL;
    if (padded == SIZE_MAX || posix_memalign(&block, GK_HUGE_PAGE, padded) != 0) {
        gk_error(GK_FAILED, "out of memory: %zu bytes cannot be had", bytes);
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(block, padded, MADV_HUGEPAGE); /* a wish: without it all is the same, but slower */
#endif
    return memset(block, 0, padded);
}

int gk_pool_alloc(gk_pool *pool)
{
    assert(!pool->base);
    pool->base = pool_block(pool->used);
    if (!pool->base) return GK_FAILED;
    pool->size = pool->used;
    pool->used = 0;
    return GK_OK;
}

void gk_pool_free(gk_pool *pool)
{
    if (!pool) return;
    free(pool->base);
    *pool = (gk_pool){0};
}
