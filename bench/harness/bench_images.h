/* bench_images.h: what decoders make of a few images, as lines of results. */
#ifndef LBH_BENCH_IMAGES_H
#define LBH_BENCH_IMAGES_H

#include "bench_data.h"

#include <cJSON.h>

enum { BENCH_IMAGES = 10 };

/* For lines of pictures: size bytes in base64, NULL with no memory; a line of results with all but its
 * pictures, NULL with the error raised; the line with `count` pictures: grey values, a byte a number
 * (numbers up to 1 are brought to 0 .. 255, if none of the originals is above that). */
char *images_base64(const uint8_t *data, size_t size);
cJSON *images_line(const bench_data *d, const char *type, const char *method, const char *label,
                   int64_t nbits, int64_t seed);
cJSON *images_put(cJSON *line, const bench_data *d, int64_t count, const float *x, const float *originals);

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
