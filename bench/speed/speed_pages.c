/* speed_pages.c: memory in pages of one size or the other. A search that reads more than the caches
 * hold depends on it, and a user's memory is in ordinary pages mostly. */
#define _DEFAULT_SOURCE
#include "speed.h"

#include <stdlib.h>
#include <sys/mman.h>

uint8_t *speed_codes(int64_t n, size_t size, bool huge_pages)
{
    const size_t huge = (size_t)2 << 20;
    size_t bytes = ((size_t)n * size / huge + 1) * huge;
    uint8_t *codes = aligned_alloc(huge, bytes);
    if (!codes) {
        fail_memory();
        return NULL;
    }
#if defined(MADV_HUGEPAGE)
    madvise(codes, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); /* else: as they come */
#endif
    return codes;
}
