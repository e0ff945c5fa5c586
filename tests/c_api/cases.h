/* cases.h: every kind of index, and codes that have neighbours. */
#ifndef LBH_TEST_CASES_H
#define LBH_TEST_CASES_H

#include "lbh_faiss.h"
#include "support.h"

typedef struct test_case {
    const char *factory;
    const char *kind;   /* what lbh_index_kind() must say */
    const char *thorough; /* parameters with which it searches everything; NULL: it cannot */
    int takes_ids, has_range;
} test_case;

extern const test_case test_cases[]; /* ends with a NULL factory; all need codes of 3 bytes or more */

/* n codes around `centres` random ones: each bit flipped with probability 0.15. */
uint8_t *test_near_codes(int64_t n, size_t code_size, int centres, uint64_t seed);

/* `what` and the library's error text, for assertions. */
#define cr_ok(call) cr_assert_eq((call), LBH_OK, "%s: %s", #call, lbh_last_error())

/* The call fails with `code` and a text of one line in which `part` occurs. */
#define cr_fails(call, code, part)                                                                 \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        cr_assert_eq(rc_, code, "%s gave %d, not %d: %s", #call, rc_, code, lbh_last_error());     \
        cr_assert(strstr(lbh_last_error(), part) && !strchr(lbh_last_error(), '\n'), "%s: \"%s\"", \
                  #call, lbh_last_error());                                                        \
    } while (0)

#endif
