/* bench_images.h: what decoders make of a few images, as lines of results. */
#ifndef LBH_BENCH_IMAGES_H
#define LBH_BENCH_IMAGES_H

#include "bench_data.h"

#include <cJSON.h>

enum { BENCH_IMAGES = 10 };

/* A line with the first queries as the encoder rebuilds them from their codes. NULL with the error
 * raised. */
cJSON *images_rebuilt(const bench_data *d, const spec_method *m, const lbh_encoder *enc,
                      int64_t seed);

/* The first queries as they are. */
cJSON *images_original(const bench_data *d);

/* The same, rebuilt from as many principal components as nbits bits hold 32-bit floats (at least
 * 32 bits). */
cJSON *images_principal(const bench_data *d, int64_t nbits);

#endif
