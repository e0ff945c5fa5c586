/* criterion.c: see criterion/criterion.h. */
#include "criterion/criterion.h"

#include <sys/wait.h>

struct lbh_test *lbh_tests;
static int reports;

/* Called by the sanitizer. */
void __tsan_on_report(void *report);
void __tsan_on_report(void *report)
{
    (void)report;
    reports++;
}

static void run(const struct lbh_test *test)
{
    struct lbh_test_options options = test->options;
    for (const struct lbh_test *s = lbh_tests; s; s = s->next)
        if (!s->run && strcmp(s->suite, test->suite) == 0 && !options.init)
            options = s->options;
    if (options.init)
        options.init();
    test->run();
    if (options.fini)
        options.fini();
    lbh_test_leave(reports ? 1 : 0);
}

/* A program may have a main of its own. */
__attribute__((weak)) int main(void)
{
    int ran = 0, failed = 0, skipped = 0;
    for (const struct lbh_test *test = lbh_tests; test; test = test->next) {
        int status = 0;
        if (!test->run)
            continue;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            run(test);
        ran++;
        if (child < 0 || waitpid(child, &status, 0) < 0)
            return 2;
        int skip = WIFEXITED(status) && WEXITSTATUS(status) == LBH_TEST_SKIPPED;
        skipped += skip;
        if (status == 0 || skip)
            continue;
        failed++;
        fprintf(stderr, "%s::%s: failed (status %d)\n", test->suite, test->name, status);
    }
    printf("tested: %d, failed: %d, skipped: %d\n", ran, failed, skipped);
    return failed || !ran ? 1 : 0;
}
