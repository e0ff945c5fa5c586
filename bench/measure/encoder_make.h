/* encoder_make.h: an encoder as a command line or a specification names it. */
#ifndef LBH_ENCODER_MAKE_H
#define LBH_ENCODER_MAKE_H

#include "lbh.h"

#include <stdbool.h>

/* Whether a method has an option of that name. */
bool method_has(const char *method, const char *option);

/* An untrained encoder with its options: the metric (LBH_METRIC_*), then the assignments (may be
 * NULL), then the seed (-1: the default). CLI_EUSAGE if the library does not like them. */
int encoder_make(lbh_encoder **enc, const char *method, int d, int nbits, int metric,
                 const char *assignments, int64_t seed);

#endif
