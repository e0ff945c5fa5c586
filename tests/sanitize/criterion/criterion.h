/* criterion.h: as much of Criterion as these tests use, for builds with ThreadSanitizer, which needs
 * the addresses where Criterion puts memory that it shares with the processes of its tests. Each
 * test runs in a child process, one after the other; a report of the sanitizer fails it. */
#ifndef LBH_SANITIZE_CRITERION_H
#define LBH_SANITIZE_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lbh_test_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* ctest's is enough */
};

struct lbh_test {
    const char *suite, *name;
    void (*run)(void); /* NULL: the options of a whole suite */
    struct lbh_test_options options;
    struct lbh_test *next;
};

enum { LBH_TEST_SKIPPED = 77 };

#ifdef __cplusplus
extern "C" {
#endif
/* criterion.c: the list, and the program that runs it. */
extern struct lbh_test *lbh_tests;
#ifdef __cplusplus
}
#endif

#define LBH_TEST_ADD(id, suite_, name_, fn, ...)                                                   \
    __attribute__((constructor)) static void id##_add(void)                                        \
    {                                                                                              \
        static struct lbh_test self = {suite_, name_, fn, {__VA_ARGS__}, NULL};                    \
        self.next = lbh_tests;                                                                     \
        lbh_tests = &self;                                                                         \
    }
#define Test(suite, name, ...)                                                                     \
    static void suite##_##name##_test(void);                                                       \
    LBH_TEST_ADD(suite##_##name, #suite, #name, suite##_##name##_test, __VA_ARGS__)                \
    static void suite##_##name##_test(void)
#define TestSuite(suite, ...) LBH_TEST_ADD(suite##_suite, #suite, NULL, NULL, __VA_ARGS__)

/* Without what runs at exit: there libarcher 14 stumbles over threads that a child never had. */
__attribute__((unused, noreturn)) static void lbh_test_leave(int code)
{
    fflush(NULL);
    _exit(code);
}

__attribute__((unused, noreturn, format(printf, 4, 5))) static void
lbh_test_end(int code, const char *file, int line, const char *format, ...)
{
    __builtin_va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    __builtin_va_start(args, format);
    vfprintf(stderr, format, args);
    __builtin_va_end(args);
    fputc('\n', stderr);
    lbh_test_leave(code);
}

/* The message after the condition is optional. */
#define LBH_TEST_FAIL(...) lbh_test_end(1, __FILE__, __LINE__, "" __VA_ARGS__)
#define cr_assert_fail(...) LBH_TEST_FAIL(__VA_ARGS__)
#define LBH_TEST_CHECK(condition, text, ...)                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s does not hold\n", text);                                           \
            LBH_TEST_FAIL(__VA_ARGS__);                                                            \
        }                                                                                          \
    } while (0)
#define cr_assert(x, ...) LBH_TEST_CHECK(x, #x, __VA_ARGS__)
#define cr_assert_not(x, ...) LBH_TEST_CHECK(!(x), "not " #x, __VA_ARGS__)
#define cr_assert_null(x, ...) LBH_TEST_CHECK((x) == NULL, #x " == NULL", __VA_ARGS__)
#define cr_assert_not_null(x, ...) LBH_TEST_CHECK((x) != NULL, #x " != NULL", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) LBH_TEST_CHECK((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) LBH_TEST_CHECK((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) LBH_TEST_CHECK((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) LBH_TEST_CHECK((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) LBH_TEST_CHECK((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) LBH_TEST_CHECK((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)                                                           \
    LBH_TEST_CHECK(fabs((double)(a) - (double)(b)) <= (double)(e), #a " ~ " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    LBH_TEST_CHECK(strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
    LBH_TEST_CHECK(strcmp(a, b) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    LBH_TEST_CHECK(memcmp(a, b, size) == 0, #a " holds " #b, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, size, ...)                                                         \
    LBH_TEST_CHECK(memcmp(a, b, size) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_throw(expression, type, ...)                                                     \
    do {                                                                                           \
        bool lbh_thrown = false;                                                                   \
        try {                                                                                      \
            expression;                                                                            \
        } catch (const type &) {                                                                   \
            lbh_thrown = true;                                                                     \
        }                                                                                          \
        LBH_TEST_CHECK(lbh_thrown, #expression " throws " #type, __VA_ARGS__);                     \
    } while (0)
#define cr_skip(...) lbh_test_end(LBH_TEST_SKIPPED, __FILE__, __LINE__, "skipped: " __VA_ARGS__)
#define cr_skip_test(...) cr_skip(__VA_ARGS__)
#define cr_log_info(...) ((void)0)

#endif
