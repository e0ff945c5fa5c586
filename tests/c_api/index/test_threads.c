/* test_threads.c: many threads at once, in every way that a program may have them. */
#define _XOPEN_SOURCE 700
#include "cases.h"
#include "lbh_mih.h"
#include "lbh_pipeline.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LBH_THREAD_SANITIZER
#endif
#endif

enum { N = 500, D = 16, BITS = 32, CODE = BITS / 8, NQ = 20, K = 5, THREADS = 8, ROUNDS = 5 };

/* ---- What all threads share, and what each of them finds ----------------------------------- */

typedef struct shared {
    float *x;
    int64_t *label;
    lbh_encoder *linear, *searched, *net, *generative;
    uint8_t *codes;
    lbh_mih *mih;
    FaissIndexBinary *flat, *ivf;
    lbh_pipeline *pipe;
    lbh_rescorer *rescorer;
} shared;

typedef struct answers {
    uint8_t codes[4][N * CODE], refined[N * CODE];
    float z[4][N * BITS], decoded[N * D], scores[3][NQ * K];
    int64_t classes[N], labels[8][NQ * K];
    int32_t distances[4][NQ * K];
    int rc;
} answers;

static int train_small(lbh_encoder *enc, const shared *s)
{
    lbh_param p;
    int64_t start[N + 1];
    for (int i = 0; i <= N; i++)
        start[i] = i;
    for (int i = 0; lbh_method_param(&p, lbh_encoder_method(enc), i) == LBH_OK; i++) {
        if (strcmp(p.name, "steps") == 0)
            cr_ok(lbh_encoder_set_value(enc, p.name, 40));
        if (strcmp(p.name, "batch") == 0)
            cr_ok(lbh_encoder_set_value(enc, p.name, 64));
    }
    lbh_rows rows = lbh_rows_from_matrix(N, D, s->x);
    lbh_lists lists = {N, 10, start, s->label};
    return lbh_encoder_train_rows(enc, &rows, &lists, NULL);
}

static lbh_encoder *trained(const char *method, const char *options, const shared *s)
{
    lbh_encoder *enc = NULL;
    cr_ok(lbh_encoder_new(&enc, method, D, BITS));
    cr_ok(lbh_encoder_set(enc, options));
    cr_ok(train_small(enc, s));
    return enc;
}

static shared make(void)
{
    shared s = {.label = malloc(sizeof(int64_t) * N)};
    s.x = test_mixture(N, D, 3, s.label);
    s.linear = trained("itq", "", &s);
    s.searched = trained("qolsh", "", &s);
    s.net = trained("jmlh", "", &s);
    s.generative = trained("sgh", "score=decoder,alternations=2", &s);
    s.codes = malloc((size_t)N * CODE);
    cr_ok(lbh_encoder_encode(s.linear, N, s.x, s.codes));
    cr_ok(lbh_mih_build(&s.mih, CODE, N, s.codes, NULL, 0));
    cr_ok(lbh_index_build_codes(&s.flat, CODE, "BFlat", N, s.codes));
    cr_ok(lbh_index_accelerate(&s.flat));
    cr_ok(lbh_index_build_codes(&s.ivf, CODE, "IDMap,BIVF4", N, s.codes));
    cr_ok(lbh_index_set(s.ivf, "nprobe=2"));
    cr_ok(lbh_pipeline_new(&s.pipe, D, "lsh32,BIVF4,RFlat", LBH_METRIC_L2));
    cr_ok(lbh_pipeline_train(s.pipe, N, s.x));
    cr_ok(lbh_pipeline_add(s.pipe, N, s.x));
    cr_ok(lbh_rescorer_new(&s.rescorer, s.generative, LBH_RESCORE_DECODER, LBH_METRIC_L2, NULL));
    return s;
}

static void drop(shared *s)
{
    lbh_rescorer_free(s->rescorer);
    lbh_encoder_free(s->linear), lbh_encoder_free(s->searched);
    lbh_encoder_free(s->net), lbh_encoder_free(s->generative);
    lbh_mih_free(s->mih);
    lbh_index_free(s->flat), lbh_index_free(s->ivf);
    lbh_pipeline_free(s->pipe);
    free(s->x), free(s->label), free(s->codes);
}

static int encode_all(const shared *s, answers *a)
{
    const lbh_encoder *enc[4] = {s->linear, s->searched, s->net, s->generative};
    int rc = 0;
    for (int i = 0; i < 4; i++) {
        rc |= lbh_encoder_encode(enc[i], N, s->x, a->codes[i]);
        rc |= lbh_encoder_project_queries(enc[i], N, s->x, a->z[i]);
    }
    rc |= lbh_encoder_encode_refined(s->generative, N, s->x, 5, a->refined);
    rc |= lbh_encoder_decode(s->generative, N, s->codes, a->decoded);
    return rc | lbh_encoder_classify(s->net, N, s->codes, a->classes);
}

static int search_all(const shared *s, answers *a)
{
    int rc = lbh_encoder_search_decoded(s->generative, LBH_METRIC_L2, N, s->codes, NQ, s->x, K,
                                        a->scores[0], a->labels[0]);
    rc |= lbh_hamming_search(NQ, s->codes, N, s->codes, CODE, K, a->distances[0], a->labels[1]);
    rc |= lbh_mih_search(s->mih, NQ, s->codes, K, a->distances[1], a->labels[2], NULL);
    rc |= lbh_index_search(s->flat, s->linear, NQ, s->x, K, a->distances[2], a->labels[3]);
    rc |= lbh_index_search_codes(s->ivf, CODE, NQ, s->codes, K, a->distances[3], a->labels[4]);
    rc |= lbh_pipeline_search(s->pipe, NQ, s->x, K, a->scores[1], a->labels[5]);
    return rc | lbh_index_search_rescored(s->flat, s->rescorer, (lbh_shortlist){4, 2}, NQ, s->x, K,
                                          a->scores[2], a->labels[6]);
}

/* All of it, in memory that starts as zeros. The caller frees. */
static answers *ask(const shared *s)
{
    answers *a = calloc(1, sizeof *a);
    a->rc = encode_all(s, a) | search_all(s, a);
    return a;
}

static answers *ask_alone(const shared *s)
{
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    answers *a = ask(s);
    omp_set_num_threads(threads);
    cr_assert_eq(a->rc, LBH_OK, "%s", lbh_last_error());
    return a;
}

/* ---- One object, many threads -------------------------------------------------------------- */

typedef struct job {
    const shared *s;
    const answers *want;
    int own_threads, wrong;
} job;

static void *ask_often(void *ctx)
{
    job *j = ctx;
    omp_set_num_threads(j->own_threads); /* of this thread's regions */
    for (int i = 0; i < ROUNDS; i++) {
        answers *a = ask(j->s);
        j->wrong += memcmp(a, j->want, sizeof *a) != 0;
        free(a);
    }
    return NULL;
}

Test(threads, share_everything_that_is_const)
{
    shared s = make();
    answers *want = ask_alone(&s);
    pthread_t thread[THREADS];
    job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){&s, want, 1 + i % 3, 0};
        cr_assert_eq(pthread_create(&thread[i], NULL, ask_often, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(jobs[i].wrong, 0, "thread %d got %d other answers", i, jobs[i].wrong);
    }
    free(want);
    drop(&s);
}

Test(threads, any_number_gives_the_same)
{
    static const int counts[] = {1, 2, 3, 7, 64};
    shared s = make();
    answers *want = ask_alone(&s);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        omp_set_num_threads(counts[i]);
        answers *a = ask(&s);
        cr_assert(memcmp(a, want, sizeof *a) == 0, "%d threads: other answers", counts[i]);
        free(a);
    }
    free(want);
    drop(&s);
}

Test(threads, inside_a_parallel_region_of_the_caller)
{
    shared s = make();
    answers *want = ask_alone(&s);
    for (int levels = 1; levels <= 2; levels++) { /* 2: our regions get threads of their own */
        int wrong = 0;
        omp_set_max_active_levels(levels);
#pragma omp parallel num_threads(4) reduction(+ : wrong)
        {
            answers *a = ask(&s);
            wrong += memcmp(a, want, sizeof *a) != 0;
            free(a);
        }
        cr_assert_eq(wrong, 0, "%d levels: %d threads got other answers", levels, wrong);
    }
    free(want);
    drop(&s);
}

/* ---- Errors -------------------------------------------------------------------------------- */

static void *fail_often(void *ctx)
{
    int number = *(int *)ctx;
    char name[32];
    snprintf(name, sizeof name, "no-method-%d", number);
    intptr_t wrong = *lbh_last_error() != '\0'; /* a new thread has had no error */
    for (int i = 0; i < 1000; i++) {
        lbh_encoder *enc;
        wrong += lbh_encoder_new(&enc, name, D, BITS) != LBH_EINVAL;
        wrong += !strstr(lbh_last_error(), name);
    }
    return (void *)wrong;
}

Test(threads, have_their_own_errors)
{
    pthread_t thread[THREADS];
    int number[THREADS];
    cr_assert_eq(lbh_codes_reverse_bits(-1, 1, NULL), LBH_EINVAL);
    char *before = strdup(lbh_last_error());
    for (int i = 0; i < THREADS; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, fail_often, &number[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(thread[i], &wrong);
        cr_assert_null(wrong, "thread %d saw another thread's error", i);
    }
    cr_assert_str_eq(lbh_last_error(), before);
    free(before);
}

/* ---- Trainings at once --------------------------------------------------------------------- */

typedef struct training {
    const shared *s;
    const char *method;
    uint64_t digest;
} training;

static void *train_one(void *ctx)
{
    training *t = ctx;
    lbh_encoder *enc = NULL;
    if (lbh_encoder_new(&enc, t->method, D, BITS) == LBH_OK && train_small(enc, t->s) == LBH_OK)
        t->digest = lbh_encoder_digest(enc);
    lbh_encoder_free(enc);
    return NULL;
}

Test(threads, train_all_methods_at_once)
{
    enum { MAX = 64 };
    pthread_t thread[MAX];
    training alone[MAX], together[MAX];
    shared s = {.label = malloc(sizeof(int64_t) * N)};
    s.x = test_mixture(N, D, 3, s.label);
    int n = lbh_method_count();
    cr_assert(n > 0 && n <= MAX);
    for (int i = 0; i < n; i++) {
        alone[i] = together[i] = (training){&s, lbh_method_name(i), 0};
        train_one(&alone[i]);
        cr_assert(alone[i].digest, "%s: %s", alone[i].method, lbh_last_error());
    }
    for (int i = 0; i < n; i++)
        pthread_create(&thread[i], NULL, train_one, &together[i]);
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < n; i++)
        cr_assert_eq(together[i].digest, alone[i].digest, "%s: another model", alone[i].method);
    int wrong = 0;
#pragma omp parallel for num_threads(4) reduction(+ : wrong) schedule(dynamic)
    for (int i = 0; i < n; i++) {
        training t = {&s, lbh_method_name(i), 0};
        train_one(&t);
        wrong += t.digest != alone[i].digest;
    }
    cr_assert_eq(wrong, 0, "%d other models inside a parallel region", wrong);
    free(s.x), free(s.label);
}

/* ---- fork ---------------------------------------------------------------------------------- */

/* Exit code of a child that asks everything: 0 the same answers, 1 others, -1 it never ended. */
static int ask_in_child(const shared *s, const answers *want, int threads)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(20);
        if (threads)
            omp_set_num_threads(threads);
        answers *a = ask(s);
        _exit(memcmp(a, want, sizeof *a) != 0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* GNU OpenMP's threads do not come along into a child, which then waits for them in the next
 * parallel region: a child of a process that has used them works with one thread, or if the parent
 * lets them go first. */
Test(threads, end_before_a_fork)
{
#if defined(__SANITIZE_THREAD__) || defined(LBH_THREAD_SANITIZER)
    cr_skip_test("ThreadSanitizer ends a child that starts threads");
#endif
    shared s = make();
    omp_set_num_threads(2);
    answers *want = ask(&s);
    cr_assert_eq(ask_in_child(&s, want, 1), 0, "one thread in the child");
    cr_assert_eq(omp_pause_resource_all(omp_pause_soft), 0);
    cr_assert_eq(ask_in_child(&s, want, 0), 0, "after omp_pause_resource_all in the parent");
    answers *again = ask(&s);
    cr_assert(memcmp(again, want, sizeof *again) == 0, "the parent afterwards");
    free(want), free(again);
    drop(&s);
}
