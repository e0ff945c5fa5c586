/* bench_images.h: what decoders make of a few images, as lines of results. */
#ifndef LBH_BENCH_IMAGES_H
#define LBH_BENCH_IMAGES_H

#include "bench_data.h"

#include <cJSON.h>

enum { BENCH_IMAGES = 10 };

/* For lines of pictures: size bytes in base64; `count` rows as grey values, a byte a number, in base64
 * (numbers up to 1 are brought to 0 .. 255, if none of the originals is above that); a line of results
 * with all but its pictures. NULL with no memory (the last one: with the error raised). */
char *images_base64(const uint8_t *data, size_t size);
char *images_grey(const bench_data *d, int64_t count, const float *x, const float *originals);
cJSON *images_line(const bench_data *d, const char *type, const char *method, const char *label,
                   int64_t nbits, int64_t seed);

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
