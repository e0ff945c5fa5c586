/* inputs.h: the files that a command line names beside the base: queries and labels. */
#ifndef LBH_INPUTS_H
#define LBH_INPUTS_H

#include "labels.h"

/* Opens --query, or the query part of a synthetic --base when `query` is NULL; query_check() has
 * seen to it that there is one. */
int query_check(const char *query, const char *base, const char *command_name);
int query_open(vectors *v, const char *query, const char *base);

/* Opens --labels, or the labels of a synthetic set when `spec` is NULL; *have says whether there
 * are any. Checks their number against the rows. */
int row_labels_open(labels *l, const char *spec, const vectors *rows, bool *have);

#endif
