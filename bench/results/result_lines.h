/* result_lines.h: a directory of results: files of JSON lines, one result a line, that `lbh bench`
 * and other programs append to and that `lbh bench` (to resume) and `lbh report` read. */
#ifndef LBH_RESULT_LINES_H
#define LBH_RESULT_LINES_H

#include "cli.h"

#include <cJSON.h>

#define RESULT_FORMAT "lbh-bench 1"

typedef struct result_lines {
    int n;
    cJSON **line; /* objects of this format, by name of file and place therein */
    int files;
    int torn;     /* last lines without an end, left out */
    int damaged;  /* other lines that are not results of this format, left out */
    int replaced; /* lines whose key came again later, left out */
    char *note;   /* the first damaged line: file, number and what is wrong with it; NULL: none */
} result_lines;

/* Reads all DIR/[!.]*.jsonl. Of lines with one "key" the last counts, but for a failure after a
 * success. A line that does not end (its writer was killed) is left out silently, one that is no
 * result is left out and counted. No file, or no line, is n = 0 and no error; a directory or file
 * that cannot be read, or a line of a newer format, is. Free it in either case. */
int result_lines_read(result_lines *r, const char *dir);
void result_lines_free(result_lines *r);

/* Appends `text`, one JSON object without line feeds, as a line: with one write, under a lock, on
 * the disk before it returns. A line that a killed writer left without an end is cut off first. */
int result_lines_append(const char *path, const char *text);

/* Members; absent ones, those of other types and numbers that are not finite give "" and NaN. */
const char *result_text(const cJSON *line, const char *name);
double result_number(const cJSON *line, const char *name);
bool result_is(const cJSON *line, const char *name, const char *value);

#endif
