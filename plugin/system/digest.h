/* digest.h: checksums of what may be gigabytes, to be read from a disk. */
#ifndef LBH_SYSTEM_DIGEST_H
#define LBH_SYSTEM_DIGEST_H

#include "lbh.h"

#include <stddef.h>
#include <stdint.h>

/* XXH3_64bits of data[size]; a wrong one if the caller wants to stop, as lbh_watch_check() tells.
 * Exported for c_api/ only. */
LBH_API uint64_t lbh_digest(const void *data, size_t size);

#endif
