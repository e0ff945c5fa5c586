/* tune_show.h: what `lbh tune` found: a table, a document, a figure. */
#ifndef LBH_TUNE_SHOW_H
#define LBH_TUNE_SHOW_H

#include "output.h"
#include "tune_run.h"

/* Adds "front" (rows by falling recall), "recommended" and "reason". best: of tune_best(), not -1. */
int tune_report(cJSON *doc, const tune_run *t, int best);

/* The front as a table, and the sentence. */
int tune_print(const tune_run *t, int best);

/* Recall against queries a second, a line a method, as SVG. */
int tune_draw(const tune_run *t, const char *path);

#endif
