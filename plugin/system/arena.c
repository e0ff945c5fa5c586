/* arena.c: see arena.h. One aligned block per request: training takes a few dozen, all large. */
#include "arena.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

struct lbh_arena_block {
    struct lbh_arena_block *previous;
};

/* count * size + ALIGN rounded up to the alignment, or 0 on overflow. */
static size_t padded_size(int64_t count, size_t size)
{
    if (count < 0 || (size && (uint64_t)count > (SIZE_MAX / 2 - 2 * ALIGN) / size))
        return 0;
    return ((size_t)count * size + 2 * ALIGN - 1) / ALIGN * ALIGN;
}

static void *allocate(int64_t count, size_t size)
{
    size_t bytes = padded_size(count, size);
    void *p = bytes ? aligned_alloc(ALIGN, bytes) : NULL;
    if (!p)
        lbh_error(LBH_ENOMEM, "out of memory: %lld elements of %zu bytes", (long long)count, size);
    else
        memset(p, 0, bytes);
    return p;
}

void *lbh_alloc(int64_t count, size_t size)
{
    return allocate(count, size);
}

void *lbh_arena_take(lbh_arena *arena, int64_t count, size_t size)
{
    size_t bytes = padded_size(count, size);
    struct lbh_arena_block *block = bytes ? allocate((int64_t)bytes, 1) : NULL;
    if (!block) {
        lbh_error(LBH_ENOMEM, "out of memory: %lld elements of %zu bytes", (long long)count, size);
        return NULL;
    }
    block->previous = arena->last;
    arena->last = block;
    return (char *)block + ALIGN;
}

void lbh_arena_clear(lbh_arena *arena)
{
    while (arena->last) {
        struct lbh_arena_block *previous = arena->last->previous;
        free(arena->last);
        arena->last = previous;
    }
}
