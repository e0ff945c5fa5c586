/* digest.c: see digest.h. */
#include "digest.h"

#include "watch.h"

#include <xxhash.h>

uint64_t lbh_digest(const void *data, size_t size)
{
    const size_t part = (size_t)1 << 24;
    XXH3_state_t *state = XXH3_createState();
    if (!state) /* no memory for it */
        return XXH3_64bits(data, size);
    XXH3_64bits_reset(state);
    for (size_t i = 0; i < size && !lbh_watch_poll(); i += part)
        XXH3_64bits_update(state, (const char *)data + i, size - i < part ? size - i : part);
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return digest;
}
