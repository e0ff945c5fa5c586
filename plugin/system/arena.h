/* arena.h: memory that is freed all at once. The owner of a training run makes one; a method takes
 * what it needs and may return from anywhere. */
#ifndef LBH_CORE_ARENA_H
#define LBH_CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct lbh_arena {
    struct lbh_arena_block *last;
} lbh_arena;

/* count * size zeroed bytes, 64-byte aligned; NULL (with the error text set) if there is no memory
 * or the product overflows. An empty request gives a valid pointer. */
void *lbh_arena_take(lbh_arena *arena, int64_t count, size_t size);

/* Frees everything taken. */
void lbh_arena_clear(lbh_arena *arena);

/* The same kind of memory, alone; freed by free(). */
void *lbh_alloc(int64_t count, size_t size);

#endif
