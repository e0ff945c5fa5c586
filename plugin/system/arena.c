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

static void *no_memory(int64_t count, size_t size)
{
    lbh_error(LBH_ENOMEM, "out of memory: %lld elements of %zu bytes", (long long)count, size);
    return NULL;
}

void *lbh_alloc(int64_t count, size_t size)
{
    size_t bytes = padded_size(count, size);
    void *p = bytes ? aligned_alloc(ALIGN, bytes) : NULL;
    return p ? memset(p, 0, bytes) : no_memory(count, size);
}

/* Not cleared here: that would take .2 s for 200 MB, in which nobody asks whether to stop. What is large
 * comes cleared from the system, page by page as it is used. */
void *lbh_arena_take(lbh_arena *arena, int64_t count, size_t size)
{
    size_t bytes = padded_size(count, size);
    struct lbh_arena_block *block = bytes ? calloc(1, bytes + ALIGN) : NULL;
    if (!block)
        return no_memory(count, size);
    block->previous = arena->last;
    arena->last = block;
    char *after = (char *)(block + 1);
    return after + (ALIGN - (uintptr_t)after % ALIGN) % ALIGN;
}

void lbh_arena_clear(lbh_arena *arena)
{
    while (arena->last) {
        struct lbh_arena_block *previous = arena->last->previous;
        free(arena->last);
        arena->last = previous;
    }
}
