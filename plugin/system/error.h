/* error.h: raising errors. One line to raise: return lbh_error(LBH_EINVAL, "...", ...); one line to
 * forward: LBH_TRY(call). The text is per thread and read by lbh_last_error(). */
#ifndef LBH_CORE_ERROR_H
#define LBH_CORE_ERROR_H

#include "lbh.h"

/* Sets this thread's error text and returns `code`. Exported for c_api/ and bench/ only. */
LBH_API int lbh_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* It sees one file at a time, and must know that this returns its code. */
void lbh_error_text(const char *format, ...);
static inline int lbh_error_code(int code)
{
    return code;
}
#define lbh_error(code, ...) (lbh_error_text(__VA_ARGS__), lbh_error_code(code))
#endif

#define LBH_TRY(call)                                                                              \
    do {                                                                                           \
        int lbh_try_rc = (call);                                                                   \
        if (lbh_try_rc != LBH_OK)                                                                  \
            return lbh_try_rc;                                                                     \
    } while (0)

#endif
