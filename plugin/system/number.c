/* number.c: see number.h. */
#define _GNU_SOURCE /* strtod_l, newlocale */
#include "number.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lbh_parse_number(const char *text, double *value)
{
    if (!*text || isspace((unsigned char)*text))
        return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    char *end;
    double v = strtod_l(text, &end, c);
    freelocale(c);
    if (*end || !isfinite(v))
        return false;
    *value = v;
    return true;
}

void lbh_format_number(char *text, size_t size, double value)
{
    if (value == floor(value) && fabs(value) < 0x1p53)
        snprintf(text, size, "%.0f", value);
    else
        snprintf(text, size, "%.17g", value);
    char *point = strpbrk(text, ","); /* the only other decimal point that locales use */
    if (point)
        *point = '.';
}
