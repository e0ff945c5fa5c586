/* output.h: results on stdout, as text or as one JSON document, from the same values. */
#ifndef LBH_REPORT_H
#define LBH_REPORT_H

#include "cli.h"

#include <cJSON.h>

/* A new document that starts with the names of command, library and FAISS version. NULL: no
 * memory. */
cJSON *report_new(const char *command);

/* Adds values; the names are those of the JSON members. NaN becomes null ("-" in text). */
void report_text(cJSON *doc, const char *name, const char *value);
void report_number(cJSON *doc, const char *name, double value);
void report_seconds(cJSON *doc, const char *name, double value); /* rounded to the microsecond */

/* Prints to stdout, as JSON or as "name  value" lines, frees, and checks that stdout took it. */
int report_print(cJSON *doc, int json);

/* A table: header and rows of `columns` strings each; first column left-aligned. Prints Markdown. */
void table_print(int columns, int rows, const char *const *cells);

/* Flushes stdout; EXIT_RUNTIME if it could not be written. */
int report_flush(void);

#endif
