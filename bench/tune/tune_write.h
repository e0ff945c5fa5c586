/* tune_write.h: what was chosen, trained on all rows and filled with them, as a file. */
#ifndef LBH_TUNE_WRITE_H
#define LBH_TUNE_WRITE_H

#include "tune_run.h"
#include "vectors.h"

#include <cJSON.h>

/* Ours becomes a pipeline (lbh_pipeline.h), FAISS's its own index. Adds "output", "kind", "factory" and
 * "parameters" to the document. whole: the models of the trials were trained on all rows of the base,
 * and the one of this point is taken as it is. */
int tune_write(const tune_run *t, const tune_point *p, const vectors *base, bool whole, const char *path,
               cJSON *doc);

#endif
