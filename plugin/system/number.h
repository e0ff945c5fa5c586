/* number.h: numbers as text, in the C locale whatever the program's locale is. */
#ifndef LBH_CORE_NUMBER_H
#define LBH_CORE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a whole string as one finite number. */
bool lbh_parse_number(const char *text, double *value);

/* Writes a number so that lbh_parse_number gives the same bits back. size >= 32. */
void lbh_format_number(char *text, size_t size, double value);

#endif
