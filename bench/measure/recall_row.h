/* recall_row.h: the four recalls that every table of a search has. */
#ifndef LBH_RECALL_ROW_H
#define LBH_RECALL_ROW_H

#include "output.h"

/* Adds {"1@1": .., "10@10": .., ...}. */
enum { RECALLS = 4, ANSWERS = 1000 };
extern const int recall_k[RECALLS], recall_n[RECALLS];
void report_recall(cJSON *doc, const double recall[RECALLS]);

#endif
