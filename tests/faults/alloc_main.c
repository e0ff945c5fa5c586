/* test_alloc: every allocation of every call fails once, and once together with all that follow.
 *
 *     test_alloc                 each call; of the methods' trainings every 11th allocation, and
 *                                fewer of those beyond the 40th of any call
 *     test_alloc --full          every allocation of all
 *     test_alloc --only TEXT     calls in whose name TEXT occurs
 *
 * After a failure the call must have returned LBH_ENOMEM with a text, objects and files must answer
 * as before, the same call must then succeed with the answers that it gives without failures, and
 * when all is freed no block may be left. A call that copes with the failure (a stream without
 * buffer, say) may succeed, with the right answers. */
#include "alloc_world.h"
#include "fail_alloc.h"

#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const scenario method_scenarios[];

static const char *now_testing = "";
static int64_t now_nth;
static bool verbose, full;

typedef struct totals {
    int64_t calls, failures, coped, leaks, bad;
} totals;

static void on_crash(int number)
{
    char text[200];
    int size = snprintf(text, sizeof text, "signal %d in %s, allocation %lld\n", number,
                        now_testing, (long long)now_nth);
    fail_alloc_disarm();
    ssize_t ignored = write(2, text, (size_t)size);
    (void)ignored;
    fail_alloc_where();
    _exit(1);
}

static world *open_world(const scenario *s)
{
    world *w = calloc(1, sizeof *w);
    world_need(w ? 0 : 1, "memory");
    s->prepare(w, s->with);
    return w;
}

static void bad(totals *t, const char *what, int rc)
{
    if (t->bad++ >= 20)
        return;
    fprintf(stderr, "%s, allocation %lld: %s (%d: %s)\n", now_testing, (long long)now_nth, what, rc,
            lbh_last_error());
    if (verbose)
        fail_alloc_where();
}

/* Looks at what a call that failed left, and calls again. */
static void check_failed(const scenario *s, world *w, int rc, uint64_t before, uint64_t want,
                         totals *t)
{
    if (rc != LBH_ENOMEM)
        bad(t, "another error than LBH_ENOMEM", rc);
    if (!*lbh_last_error())
        bad(t, "no text", rc);
    if (s->breaks)
        return;
    if (world_answer(w, false) != before)
        bad(t, "the call failed, and has changed something", rc);
    rc = s->call(w, s->call_with);
    if (rc != LBH_OK)
        bad(t, "it fails again", rc);
    else if (world_answer(w, true) != want)
        bad(t, "other answers afterwards", rc);
}

/* The call with its nth allocation failing; false if it has no so many. */
static bool one(const scenario *s, int64_t nth, bool lasting, uint64_t want, totals *t)
{
    int64_t live = fail_alloc_live();
    world *w = open_world(s);
    uint64_t before = world_answer(w, false);
    now_nth = nth;
    fail_alloc_arm(nth, lasting);
    int rc = s->call(w, s->call_with);
    int64_t failed = fail_alloc_disarm();
    t->failures += failed > 0;
    if (failed && rc) {
        check_failed(s, w, rc, before, want, t);
    } else {
        t->coped += failed > 0;
        if (rc)
            bad(t, "it fails without a reason", rc);
        else if (world_answer(w, true) != want)
            bad(t, "other answers", rc);
    }
    world_free(w);
    if (fail_alloc_live() != live) {
        t->leaks++;
        if (!s->faiss_leaks)
            bad(t, "blocks are left", (int)(fail_alloc_live() - live));
    }
    return failed > 0;
}

/* What the call answers when nothing fails; whatever is allocated once for all is so afterwards. */
static uint64_t reference(const scenario *s, totals *t)
{
    uint64_t answer[2];
    for (int i = 0; i < 2; i++) {
        world *w = open_world(s);
        int rc = s->call(w, s->call_with);
        if (rc)
            bad(t, "it fails as it is", rc);
        answer[i] = world_answer(w, true);
        world_free(w);
    }
    if (answer[0] != answer[1])
        bad(t, "two calls answer differently", 0);
    return answer[0];
}

static void run(const scenario *s, const char *name, int64_t stride, totals *sum)
{
    totals t = {.calls = 1};
    now_testing = name;
    now_nth = 0;
    uint64_t want = reference(s, &t);
    for (int lasting = 0; lasting < 2; lasting++)
        for (int64_t nth = 1; one(s, nth, lasting, want, &t);)
            nth += full ? 1 : stride + nth / 40;
    printf("%-45s %6lld failed", name, (long long)t.failures);
    if (t.coped)
        printf(", %lld coped with", (long long)t.coped);
    if (t.leaks)
        printf(", %lld leaks of FAISS", (long long)t.leaks);
    puts("");
    fflush(stdout);
    sum->calls += t.calls;
    sum->failures += t.failures;
    sum->coped += t.coped;
    sum->bad += t.bad;
}

static void run_table(const scenario *s, const char *only, totals *sum)
{
    for (; s->name; s++)
        if (!only || strstr(s->name, only))
            run(s, s->name, 1, sum);
}

static void run_methods(const char *only, totals *sum)
{
    for (int i = 0; i < lbh_method_count(); i++)
        for (const scenario *s = method_scenarios; s->name; s++) {
            char name[100];
            scenario of_method = *s;
            of_method.with = lbh_method_name(i);
            snprintf(name, sizeof name, "method %s, %s", of_method.with, s->name);
            if (!only || strstr(name, only))
                run(&of_method, name, strcmp(s->name, "train") == 0 ? 11 : 1, sum);
        }
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--full") == 0)
            full = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else {
            fprintf(stderr, "usage: test_alloc [--full] [--verbose] [--only TEXT]\n");
            return 2;
        }
    signal(SIGSEGV, on_crash);
    signal(SIGABRT, on_crash);
    signal(SIGFPE, on_crash);
    signal(SIGBUS, on_crash);
    static char buffer[BUFSIZ]; /* LAPACKE prints that memory is short, and would ask for one */
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    fail_alloc_start();
    omp_set_num_threads(1); /* so that the nth allocation is the same one each time */
    world_data();
    totals sum = {0};
    run_table(plugin_scenarios, only, &sum);
    run_table(scan_scenarios, only, &sum);
    run_table(faiss_scenarios, only, &sum);
    run_table(pipeline_scenarios, only, &sum);
    run_methods(only, &sum);
    world_forget_models();
    world_remove_files();
    printf("%lld calls, %lld allocations failed (%lld coped with; %lld of OpenMP, BLAS and FAISS's "
           "threads spared), %lld defects\n",
           (long long)sum.calls, (long long)sum.failures, (long long)sum.coped,
           (long long)fail_alloc_spared(), (long long)sum.bad);
    return sum.bad || !sum.calls;
}
