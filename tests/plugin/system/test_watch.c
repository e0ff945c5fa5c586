/* test_watch.c: calls that take long can be watched and ended, and leave all as it was; small work takes
 * one thread; a forked child works with threads of its own. */
#define _GNU_SOURCE
#include "support.h"

#include "blas.h"
#include "durable_file.h"
#include "threads.h"
#include "watch.h"
#include "lbh_mih.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { N = 20000, D = 32, BITS = 64, BYTES = BITS / 8 };

/* What the callback was told, and what it answers: `go_on` times 0, then 1. */
typedef struct told {
    int calls, go_on;
    int64_t step, steps;
    char what[32];
} told;

static int callback(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    told *t = ctx;
    (void)loss;
    snprintf(t->what, sizeof t->what, "%s", what);
    t->step = step;
    t->steps = steps;
    return t->calls++ >= t->go_on;
}

/* Passes the time that must lie between two questions. */
static void wait_a_while(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
}

/* Rows whose reading takes longer than that. */
static int read_slowly(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const float *base = self->ctx;
    wait_a_while();
    for (int64_t i = 0; i < count; i++)
        memcpy(x + i * self->d, base + ids[i] * self->d, sizeof *x * (size_t)self->d);
    return LBH_OK;
}

static lbh_encoder *trained(const char *method, int64_t n, const float *x)
{
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, method, D, BITS));
    OK(lbh_encoder_train(enc, n, x));
    return enc;
}

/* ---- The watch alone ----------------------------------------------------------------------- */

Test(watch, asks_after_a_while_and_at_the_end)
{
    told t = {.go_on = 100};
    lbh_on_progress(callback, &t);
    lbh_watch_begin("work", 10);
    OK(lbh_watch_step(1));
    cr_assert_eq(t.calls, 0, "too early to ask");
    wait_a_while();
    OK(lbh_watch_step(2));
    cr_assert_eq(t.calls, 1);
    cr_assert_str_eq(t.what, "work");
    cr_assert_eq(t.step, 2);
    lbh_watch_begin("part", 5); /* of the work: the outer name counts */
    wait_a_while();
    OK(lbh_watch_step(3));
    cr_assert_eq(lbh_watch_end(LBH_OK), LBH_OK);
    cr_assert_eq(t.calls, 2);
    cr_assert_str_eq(t.what, "work");
    cr_assert_eq(t.step, 2);
    cr_assert_eq(lbh_watch_end(LBH_OK), LBH_OK);
    cr_assert_eq(t.step, 10, "the end was not told");
}

/* Into memory that has to grow, in pieces of all sizes, of which the last ones are beyond all buffers. */
Test(watch, writes_whole_or_until_it_is_stopped)
{
    enum { SIZE = 40 << 20 }; /* more than two pieces of a large write */
    uint8_t *data = malloc(SIZE);
    void *written;
    size_t size, at = 0;
    lbh_memory memory;
    cr_assert_not_null(data);
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    OK(lbh_memory_create(&memory));
    for (size_t part = 1; at < SIZE; at += part, part = 3 * part + 1) {
        part = part < SIZE - at ? part : SIZE - at;
        cr_assert_eq(lbh_watch_write(memory.stream, data + at, part), part);
    }
    OK(lbh_memory_commit(&memory, LBH_OK, &written, &size));
    cr_assert_eq(size, SIZE);
    cr_assert_eq(memcmp(written, data, SIZE), 0);
    lbh_free(written);

    told t = {0};
    lbh_on_progress(callback, &t);
    OK(lbh_memory_create(&memory));
    lbh_watch_begin("work", 0);
    wait_a_while();
    cr_assert_eq(lbh_watch_write(memory.stream, data, SIZE), 0);
    int rc = lbh_watch_end(lbh_watch_check());
    cr_assert_eq(lbh_memory_commit(&memory, rc, &written, &size), LBH_ECANCELLED);
    free(data);
}

Test(watch, says_nothing_of_short_calls)
{
    told t = {.go_on = 100};
    lbh_on_progress(callback, &t);
    lbh_watch_begin("work", 10);
    OK(lbh_watch_step(1));
    cr_assert_eq(lbh_watch_end(LBH_OK), LBH_OK);
    cr_assert_eq(t.calls, 0);
}

Test(watch, stops_until_the_outermost_call_ends)
{
    told t = {0};
    lbh_on_progress(callback, &t);
    lbh_watch_begin("work", 10);
    lbh_watch_begin("part", 10);
    wait_a_while();
    cr_assert_eq(lbh_watch_step(1), LBH_ECANCELLED);
    cr_assert_eq(lbh_watch_end(LBH_ECANCELLED), LBH_ECANCELLED);
    cr_assert(lbh_watch_poll());
    cr_assert_eq(lbh_watch_end(LBH_ECANCELLED), LBH_ECANCELLED);
    cr_assert_not(lbh_watch_poll());
    cr_assert_eq(t.calls, 1, "it said no once");
}

/* What was left undone looks like damage, or like a lack of memory. */
Test(watch, errors_after_a_stop_are_cancellations)
{
    told t = {0};
    char from[] = "bytes", to[sizeof from] = "";
    lbh_on_progress(callback, &t);
    for (int i = 0; i < 2; i++) {
        lbh_watch_begin("work", 10);
        OK(lbh_watch_copy(to, from, sizeof from));
        cr_assert_str_eq(to, from);
        cr_assert_eq(lbh_watch_end(i ? LBH_ENOMEM : LBH_EFORMAT), i ? LBH_ENOMEM : LBH_EFORMAT);
        lbh_watch_begin("work", 10);
        wait_a_while();
        cr_assert_eq(lbh_watch_copy(to, from, sizeof from), LBH_ECANCELLED);
        cr_assert_eq(lbh_watch_end(i ? LBH_ENOMEM : LBH_EFORMAT), LBH_ECANCELLED);
    }
    lbh_watch_begin("work", 10);
    wait_a_while();
    cr_assert_eq(lbh_watch_check(), LBH_ECANCELLED);
    cr_assert_eq(lbh_watch_end(LBH_EIO), LBH_EIO, "a checkpoint that cannot be written is another matter");
}

/* A callback that calls the library, which has a callback of its own there. */
static int outer(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    told inner = {.go_on = 0};
    (void)loss, (void)what, (void)step, (void)steps;
    lbh_on_progress(callback, &inner);
    lbh_watch_begin("inner", 3);
    wait_a_while();
    cr_expect_eq(lbh_watch_step(1), LBH_ECANCELLED);
    cr_expect_eq(lbh_watch_end(LBH_ECANCELLED), LBH_ECANCELLED);
    cr_expect_eq(inner.calls, 1);
    ++*(int *)ctx;
    return 0;
}

Test(watch, callbacks_may_use_the_library)
{
    int calls = 0;
    lbh_on_progress(outer, &calls);
    lbh_watch_begin("work", 0);
    for (int i = 0; i < 2; i++) {
        wait_a_while();
        OK(lbh_watch_check());
    }
    cr_assert_eq(lbh_watch_end(LBH_OK), LBH_OK);
    cr_assert_eq(calls, 2);
}

/* ---- Calls --------------------------------------------------------------------------------- */

/* With this around it a call asks at its first look: the callback's clock has run before. */
static void begin_late(told *t)
{
    lbh_on_progress(callback, t);
    lbh_watch_begin("test", 0);
    wait_a_while();
}

#define CANCELS(call)                                                                              \
    do {                                                                                           \
        told t_ = {0};                                                                             \
        begin_late(&t_);                                                                           \
        int rc_ = lbh_watch_end(call);                                                             \
        lbh_on_progress(NULL, NULL);                                                               \
        cr_expect_eq(rc_, LBH_ECANCELLED, "%s: %d after %d calls", #call, rc_, t_.calls);          \
    } while (0)

Test(watch, ends_encoding_and_searching)
{
    float *x = test_mixture(N, D, 1, NULL), *y = malloc(sizeof *y * N * BITS), scores[4 * 10];
    lbh_encoder *enc = trained("itq", N, x);
    uint8_t *codes = malloc(N * BYTES);
    int32_t distances[4 * 10];
    int64_t labels[4 * 10];
    lbh_mih *mih = NULL, *none = NULL;
    lbh_range_result *found = NULL;
    lbh_rescorer *r = NULL;
    OK(lbh_encoder_encode(enc, N, x, codes));
    OK(lbh_mih_build(&mih, BYTES, N, codes, NULL, 0));
    OK(lbh_rescorer_new(&r, enc, LBH_RESCORE_MARGIN, LBH_METRIC_L2, NULL));
    for (int i = 0; i < 4 * 10; i++)
        labels[i] = i;
    CANCELS(lbh_encoder_encode(enc, N, x, codes));
    CANCELS(lbh_encoder_encode_queries(enc, N, x, codes));
    CANCELS(lbh_encoder_encode_refined(enc, N, x, 4, codes));
    CANCELS(lbh_encoder_project(enc, N, x, y));
    CANCELS(lbh_hamming_search(4, codes, N, codes, BYTES, 10, distances, labels));
    CANCELS(lbh_hamming_range(&found, 4, codes, N, codes, BYTES, 5));
    CANCELS(lbh_mih_build(&none, BYTES, N, codes, NULL, 0));
    cr_expect_null(none);
    CANCELS(lbh_mih_add(mih, 4, codes, NULL));
    cr_expect_eq(lbh_mih_ntotal(mih), N);
    OK(lbh_mih_save(mih, test_tmp("watched.mih")));
    lbh_mih *file = NULL;
    OK(lbh_mih_load(&file, test_tmp("watched.mih")));
    CANCELS(lbh_mih_verify(file));
    OK(lbh_mih_verify(file));
    lbh_mih_free(file);
    CANCELS(lbh_mih_search(mih, 4, codes, 10, distances, labels, NULL));
    CANCELS(lbh_mih_range(&found, mih, 4, codes, 5, NULL));
    CANCELS(lbh_encoder_search_decoded(enc, LBH_METRIC_L2, N, codes, 4, x, 10, scores, labels));
    CANCELS(lbh_rescorer_rank(r, 4, x, 10, codes, labels, 10, 10, scores, labels));
    OK(lbh_hamming_search(4, codes, N, codes, BYTES, 10, distances, labels));
    lbh_rescorer_free(r);
    lbh_mih_free(mih);
    lbh_encoder_free(enc);
    free(x), free(y), free(codes);
}

Test(watch, ends_the_training_of_every_method)
{
    enum { ROWS = 400 };
    float *x = test_mixture(ROWS, D, 2, NULL);
    int64_t start[ROWS + 1], label[ROWS];
    for (int i = 0; i <= ROWS; i++)
        start[i] = i;
    for (int i = 0; i < ROWS; i++)
        label[i] = i % 3;
    lbh_lists labels = {ROWS, 3, start, label};
    lbh_rows slow = {ROWS, D, read_slowly, x};
    for (int i = 0; i < lbh_method_count(); i++) {
        lbh_encoder *enc = NULL;
        told t = {0};
        OK(lbh_encoder_new(&enc, lbh_method_name(i), D, 16));
        lbh_on_progress(callback, &t);
        cr_expect_eq(lbh_encoder_train_rows(enc, &slow, &labels, NULL), LBH_ECANCELLED, "%s",
                     lbh_method_name(i));
        lbh_on_progress(NULL, NULL);
        cr_expect_str_eq(t.what, lbh_method_name(i));
        cr_expect_not(lbh_encoder_is_trained(enc));
        lbh_encoder_free(enc);
    }
    free(x);
}

/* Answers that it is enough as soon as the encoder has learned: while its codes are looked at. */
static int when_it_has_learned(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)what, (void)step, (void)steps, (void)loss;
    return lbh_encoder_is_trained(ctx);
}

Test(watch, ends_training_while_it_looks_at_its_codes)
{
    enum { ROWS = 1000 };
    float *x = test_mixture(ROWS, D, 2, NULL);
    lbh_rows slow = {ROWS, D, read_slowly, x};
    lbh_encoder *enc = NULL;
    uint8_t code[2];
    OK(lbh_encoder_new(&enc, "lsh", D, 16));
    OK(lbh_encoder_set(enc, "held_out=-1"));
    lbh_on_progress(when_it_has_learned, enc);
    cr_expect_eq(lbh_encoder_train_rows(enc, &slow, NULL, NULL), LBH_ECANCELLED);
    lbh_on_progress(NULL, NULL);
    cr_expect_not(lbh_encoder_is_trained(enc));
    OK(lbh_encoder_train(enc, ROWS, x));
    cr_expect_not_null(lbh_encoder_note(enc, "held_out"));
    OK(lbh_encoder_encode(enc, 1, x, code));
    lbh_encoder_free(enc);
    free(x);
}

/* A stop within a step would leave products undone. What is saved is of whole steps all the same: who goes
 * on ends with the model of who was not stopped. */
Test(watch, what_is_saved_is_of_whole_steps)
{
    enum { ROWS = 3000, WIDE = 600 };
    float *x = test_mixture(ROWS, WIDE, 2, NULL);
    const char *path = test_tmp("stopped.ckpt");
    uint64_t whole = 0;
    int saved = 0, stopped = LBH_ECANCELLED;
    lbh_set_num_threads(1);
    for (int go_on = -1; stopped == LBH_ECANCELLED && (go_on < 6 || !saved); go_on++) { /* -1: nobody */
        lbh_encoder *enc = NULL;
        told t = {.go_on = go_on};
        OK(lbh_encoder_new(&enc, "sgh", WIDE, BITS));
        OK(lbh_encoder_set(enc, "steps=40,batch=2500,near_steps=0,held_out=0"));
        OK(lbh_encoder_checkpoint(enc, path, 1e9));
        if (go_on >= 0) {
            lbh_on_progress(callback, &t);
            stopped = lbh_encoder_train(enc, ROWS, x); /* LBH_OK: it was done before */
            lbh_on_progress(NULL, NULL);
            saved += access(path, R_OK) == 0;
        }
        OK(lbh_encoder_train(enc, ROWS, x));
        whole = go_on < 0 ? lbh_encoder_digest(enc) : whole;
        cr_expect_eq(lbh_encoder_digest(enc), whole, "stopped at question %d, step %lld", go_on,
                     (long long)t.step);
        lbh_encoder_free(enc);
        remove(path);
    }
    cr_expect_gt(saved, 0);
    free(x);
}

/* Products of many rows look on their way, those of core/product.c and those of BLAS. */
Test(watch, is_asked_within_large_products)
{
    enum { ROWS = 4000, OUT = 16, WIDEST = 1100 };
    float *A = calloc(ROWS * WIDEST, sizeof *A), *B = calloc(OUT * WIDEST, sizeof *B);
    float *C = malloc(sizeof *C * ROWS * OUT);
    lbh_set_num_threads(1);
    for (int k = 20; k <= WIDEST; k += WIDEST - 20) {
        told t = {0};
        begin_late(&t);
        lbh_gemm_nt(ROWS, OUT, k, 1, A, B, 0, C);
        cr_expect_eq(t.calls, 1, "k = %d", k);
        cr_expect_eq(lbh_watch_check(), LBH_ECANCELLED);
        lbh_watch_end(LBH_OK);
        lbh_on_progress(NULL, NULL);
    }
    free(A), free(B), free(C);
}

/* Training tells its steps and its loss here too. */
Test(watch, tells_of_training)
{
    float *x = test_mixture(500, D, 3, NULL);
    lbh_encoder *enc = NULL;
    told t = {.go_on = 1000};
    OK(lbh_encoder_new(&enc, "sgh", D, 16));
    OK(lbh_encoder_set(enc, "steps=50"));
    lbh_on_progress(callback, &t);
    OK(lbh_encoder_train(enc, 500, x));
    lbh_on_progress(NULL, NULL);
    cr_assert_gt(t.calls, 0);
    cr_assert_geq(t.step, 50);
    cr_assert_eq(t.step, t.steps);
    lbh_encoder_free(enc);
    free(x);
}

/* ---- Threads, forks ------------------------------------------------------------------------ */

static int count_threads(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    (void)what, (void)step, (void)steps, (void)loss;
    *(int *)ctx = lbh_num_threads();
    return 0;
}

Test(watch, small_work_takes_one_thread)
{
    cr_assert_eq(lbh_set_num_threads(0), LBH_EINVAL);
    OK(lbh_set_num_threads(8));
    cr_assert_eq(lbh_num_threads(), 8);
    cr_assert_eq(lbh_threads_for(1000), 1);
    cr_assert_eq(lbh_threads_for(0x3p20), 4);
    cr_assert_eq(lbh_threads_for(1e18), 8);
    float *x = test_mixture(100, D, 5, NULL);
    int threads = 0;
    lbh_encoder *enc = NULL;
    OK(lbh_encoder_new(&enc, "sgh", D, 16));
    OK(lbh_encoder_set(enc, "steps=3"));
    lbh_encoder_on_progress(enc, count_threads, &threads);
    OK(lbh_encoder_train(enc, 100, x));
    cr_assert_eq(threads, 1);
    cr_assert_eq(lbh_num_threads(), 8, "the number was not put back");
    lbh_encoder_free(enc);
    free(x);
}

Test(watch, a_forked_child_works_with_threads)
{
    lbh_set_num_threads(3);
    float *x = test_mixture(N, D, 4, NULL);
    lbh_encoder *enc = trained("itq", N, x);
    uint8_t *codes = malloc(N * BYTES), *again = malloc(N * BYTES);
    OK(lbh_encoder_encode(enc, N, x, codes));
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        int threads = 0;
        int bad = lbh_encoder_encode(enc, N, x, again) || memcmp(codes, again, N * BYTES) != 0;
        lbh_encoder_free(trained("itq", N, x));
#pragma omp parallel
#pragma omp atomic
        threads++;
        _exit(bad ? 1 : threads == 3 ? 0 : 2);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
    OK(lbh_encoder_encode(enc, N, x, again)); /* the parent goes on */
    lbh_encoder_free(enc);
    free(x), free(codes), free(again);
}

/* Where the threads cannot be given back, the child has one. */
Test(watch, a_fork_within_a_parallel_region)
{
    int status = -1;
#pragma omp parallel num_threads(3)
#pragma omp master
    {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(lbh_num_threads());
        }
        waitpid(child, &status, 0);
    }
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 1);
}
