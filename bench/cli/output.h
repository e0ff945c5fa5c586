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

/* A table in Markdown, first column left-aligned. Cells are added row by row, behind the heads; no
 * memory shows in the end. */
typedef struct sheet sheet;
sheet *sheet_new(int columns, const char *const *heads);
void sheet_cell(sheet *s, const char *format, ...) CLI_PRINTF(2, 3);
/* A number, "-" for NaN; `format` has one conversion of a double. */
void sheet_number(sheet *s, const char *format, double value);
/* Prints and frees it. */
int sheet_print(sheet *s);

/* Flushes stdout; LBH_EFORMAT if it could not be written. */
int report_flush(void);

#endif
