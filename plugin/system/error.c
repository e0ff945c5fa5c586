/* error.c: the last error of each thread. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[2048];

#undef lbh_error
int lbh_error(int code, const char *format, ...)
{
    /* Formatted aside first: an argument may be the old text itself. */
    char text[sizeof last_error];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(last_error, sizeof last_error, "%s", text);
    return code;
}

const char *lbh_last_error(void)
{
    return last_error;
}
