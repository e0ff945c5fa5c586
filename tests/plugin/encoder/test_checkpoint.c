/* test_checkpoint.c: training that was cut off goes on and ends with the bit-identical model. Runs
 * over all methods that checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "lbh.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 500, D = 12 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

static float *x;
static int64_t label[N], start[N + 1];

static void make_data(void)
{
    x = test_mixture(N, D, 3, label);
    for (int i = 0; i <= N; i++)
        start[i] = i;
}

static lbh_encoder *fresh(const char *method, const char *checkpoint)
{
    lbh_encoder *enc;
    OK(lbh_encoder_new(&enc, method, D, 16));
    lbh_encoder_set(enc, "steps=300"); /* methods without steps keep their own */
    lbh_encoder_set(enc, "batch=32");
    OK(lbh_encoder_checkpoint(enc, checkpoint, 0)); /* after every step */
    return enc;
}

static int train(lbh_encoder *enc)
{
    lbh_lists labels = {N, 10, start, label};
    lbh_rows rows = lbh_rows_from_matrix(N, D, x);
    return lbh_encoder_train_rows(enc, &rows, &labels, NULL);
}

/* Cancels when it is called for the second time. */
static int cancel_later(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)method, (void)loss, (void)step, (void)steps;
    return ++*(int *)ctx == 2;
}

Test(checkpoint, a_cut_training_ends_with_the_same_model, .init = make_data)
{
    int tried = 0;
    for (int i = 0; i < lbh_method_count(); i++) {
        const char *m = lbh_method_name(i), *path = test_tmp("run.ckpt");
        lbh_encoder *whole = fresh(m, NULL);
        OK(train(whole));

        lbh_encoder *cut = fresh(m, path);
        int calls = 0;
        lbh_encoder_on_progress(cut, cancel_later, &calls);
        int rc = train(cut);
        if (rc == LBH_OK || access(path, F_OK)) { /* too quick to be cut, or keeps no checkpoints */
            lbh_encoder_free(whole), lbh_encoder_free(cut);
            continue;
        }
        cr_assert_eq(rc, LBH_ECANCELLED);

        lbh_encoder *resumed = fresh(m, path);
        OK(train(resumed));
        cr_assert_eq(lbh_encoder_digest(whole), lbh_encoder_digest(resumed), "%s", m);
        cr_assert(access(path, F_OK) == 0, "%s: gone before the model was saved", m);
        OK(lbh_encoder_save(resumed, test_tmp("saved.lbh")));
        cr_assert(access(path, F_OK) != 0, "%s: the checkpoint is left", m);
        tried++;
        lbh_encoder_free(whole), lbh_encoder_free(cut), lbh_encoder_free(resumed);
    }
    cr_assert(tried > 0, "no method was cut off");
}

/* Cancels when it is called for the second time; the first and the last step that it saw. */
typedef struct seen {
    int calls;
    int64_t first, last;
} seen;

static int cancel_and_see(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    seen *s = ctx;
    (void)method, (void)loss, (void)steps;
    s->first = s->calls ? s->first : step;
    s->last = step;
    return ++s->calls == 2;
}

/* The methods that may take hours keep checkpoints and go on from them. */
Test(checkpoint, long_trainings_keep_them_and_go_on, .init = make_data)
{
    static const char *const name[] = {"sgh", "sigah", "jmlh", "jmlh-vae"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const char *m = name[i], *path = test_tmp("steps.ckpt");
        lbh_encoder *cut = fresh(m, path), *resumed = fresh(m, path);
        seen before = {0}, after = {0};
        OK(lbh_encoder_set(cut, "steps=100000"));
        OK(lbh_encoder_set(resumed, "steps=100000"));
        lbh_encoder_on_progress(cut, cancel_and_see, &before);
        cr_assert_eq(train(cut), LBH_ECANCELLED, "%s", m);
        cr_assert(access(path, F_OK) == 0, "%s keeps no checkpoint", m);
        lbh_encoder_on_progress(resumed, cancel_and_see, &after);
        cr_assert_eq(train(resumed), LBH_ECANCELLED, "%s", m);
        cr_assert(after.first > before.last, "%s: cut at step %lld, went on at %lld", m,
                  (long long)before.last, (long long)after.first);
        unlink(path);
        lbh_encoder_free(cut), lbh_encoder_free(resumed);
    }
}

Test(checkpoint, that_of_another_run_is_refused, .init = make_data)
{
    for (int i = 0; i < lbh_method_count(); i++) {
        const char *m = lbh_method_name(i), *path = test_tmp("other.ckpt");
        lbh_encoder *cut = fresh(m, path), *back = NULL;
        int calls = 0;
        lbh_encoder_on_progress(cut, cancel_later, &calls);
        train(cut);
        if (access(path, F_OK) == 0) {
            lbh_encoder *other = fresh(m, path);
            OK(lbh_encoder_set(other, "seed=99"));
            cr_assert_eq(train(other), LBH_ESTATE);
            cr_assert(strstr(lbh_last_error(), "seed"), "%s", lbh_last_error());
            lbh_encoder_free(other);
            other = fresh(m, path);
            x[0] += 1; /* other data */
            cr_assert_eq(train(other), LBH_ESTATE);
            x[0] -= 1;
            for (int64_t j = 256 * D; j < N * D; j++)
                x[j] += 1; /* behind the first 256 rows */
            cr_assert_eq(train(other), LBH_ESTATE);
            for (int64_t j = 256 * D; j < (N - 1) * D; j++)
                x[j] -= 1; /* the last row alone is another */
            cr_assert_eq(train(other), LBH_ESTATE);
            for (int64_t j = (N - 1) * D; j < N * D; j++)
                x[j] -= 1;
            cr_assert_eq(lbh_encoder_load(&back, path), LBH_EFORMAT);
            lbh_encoder_free(other);
            unlink(path);
        }
        lbh_encoder_free(cut);
    }
}
