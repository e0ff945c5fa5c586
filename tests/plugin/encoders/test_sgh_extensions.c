/* test_sgh_extensions.c: SGH trained with its extensions: what they take and what they refuse; that
 * they do what they are for; checkpoints. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { N = 600, DIM = 16 };

typedef struct data {
    float *x;
    int64_t label[N], start[N + 1], none[N + 1], near[N];
} data;

static data *make_data(void)
{
    data *s = calloc(1, sizeof *s);
    s->x = test_mixture(N, DIM, 3, s->label);
    for (int i = 0; i <= N; i++)
        s->start[i] = i;
    for (int i = 0; i < N; i++)
        s->near[i] = (i + 1) % N;
    return s;
}

static void free_data(data *s)
{
    free(s->x);
    free(s);
}

static int try(const char *options, const data *s, const lbh_lists *labels, const lbh_lists *near,
               uint64_t *digest)
{
    lbh_encoder *enc;
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=30,batch=32"));
    OK(lbh_encoder_set(enc, options));
    int rc = lbh_encoder_train_rows(enc, &rows, labels, near);
    if (rc == LBH_OK && digest)
        *digest = lbh_encoder_digest(enc);
    lbh_encoder_free(enc);
    return rc;
}

Test(extensions, take_what_they_need_and_refuse_the_rest)
{
    data *s = make_data();
    lbh_lists labels = {N, 10, s->start, s->label}, empty = {N, 10, s->none, s->label};
    lbh_lists near = {N, N, s->start, s->near};
    uint64_t plain, other;
    static const char *const taken[] = {"pairs=labels", "pairs=neighbours", "pairs=knn",
                                        "pairs=knn,pairs_k=1000", "pairs=labels,batch=2",
                                        "latent_scale=1", "latent_scale=1,pairs=knn,coding=01",
                                        "pairs=labels,preset=official"};
    static const struct {
        const char *options, *words;
    } refused[] = {{"pairs=labels,batch=1", "batch (1) must be 2 to 8192"},
                   {"pairs=labels,batch=8193", "batch (8193) must be 2 to 8192"},
                   {"pairs=knn,score=decoder", "pairs needs score=hamming"},
                   {"latent_scale=1,score=decoder", "latent_scale=1 needs score=hamming"},
                   {"pairs=knn,metric=ip", "pairs needs metric=l2"},
                   {"pairs=knn,early_stop=4", "pairs needs early_stop=0"},
                   {"latent_scale=1,objective=official", "needs objective=paper"}};
    OK(try("pairs=none", s, &labels, &near, &plain));
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        OK(try(taken[i], s, &labels, &near, &other));
        cr_assert_neq(plain, other, "%s changed nothing", taken[i]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_assert_eq(try(refused[i].options, s, &labels, &near, NULL), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), refused[i].words), "%s", lbh_last_error());
    }
    cr_assert_eq(try("pairs=labels", s, NULL, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "needs labels"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=labels", s, &empty, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "has a label"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=neighbours", s, &labels, NULL, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "needs lists of neighbours"), "%s", lbh_last_error());
    cr_assert_eq(try("pairs=neighbours", s, &labels, &empty, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "has a neighbour"), "%s", lbh_last_error());
    near.nitems = N + 1;
    s->near[7] = N;
    cr_assert_eq(try("pairs=neighbours", s, &labels, &near, NULL), LBH_EINVAL);
    cr_assert(strstr(lbh_last_error(), "neighbour 600 of row 7"), "%s", lbh_last_error());
    free_data(s);
}

/* pairs=knn is pairs=neighbours with the exact neighbours: found here by a plain search. */
Test(extensions, found_neighbours_are_the_true_ones)
{
    enum { K = 3 };
    data *s = make_data();
    int64_t *start = malloc((N + 1) * sizeof *start), *near = malloc(N * K * sizeof *near);
    uint64_t given, found;
    for (int i = 0; i <= N; i++)
        start[i] = K * i;
    for (int i = 0; i < N; i++) {
        double best[K] = {1e30, 1e30, 1e30};
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < DIM; k++)
                sum += pow((double)s->x[i * DIM + k] - s->x[j * DIM + k], 2);
            int at = K;
            for (; j != i && at > 0 && sum < best[at - 1]; at--)
                if (at < K) {
                    best[at] = best[at - 1];
                    near[i * K + at] = near[i * K + at - 1];
                }
            if (at < K) {
                best[at] = sum;
                near[i * K + at] = j;
            }
        }
    }
    lbh_lists lists = {N, N, start, near};
    OK(try("pairs=neighbours", s, NULL, &lists, &given));
    OK(try("pairs=knn,pairs_k=3", s, NULL, NULL, &found));
    cr_assert_eq(given, found);
    free(start), free(near);
    free_data(s);
}

/* With L real numbers for free the bits are not needed. */
Test(extensions, bits_that_stand_still_are_an_error)
{
    data *s = make_data();
    cr_assert_eq(try("latent_scale=1,scale_penalty=0,coding=01,steps=3000,lr=0.05", s, NULL, NULL,
                     NULL), LBH_ENUMERIC);
    cr_assert(strstr(lbh_last_error(), "a stronger scale_penalty than 0"), "%s", lbh_last_error());
    free_data(s);
}

static int cancel_later(void *ctx, const char *method, int64_t step, int64_t steps, double loss)
{
    (void)method, (void)loss;
    return step > steps / 2 && ++*(int *)ctx == 1;
}

static lbh_encoder *checkpointed(const char *path)
{
    lbh_encoder *enc;
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=3000,batch=32,latent_scale=1,pairs=labels"));
    OK(lbh_encoder_checkpoint(enc, path, 1e9));
    return enc;
}

Test(extensions, a_cut_training_ends_with_the_same_model)
{
    data *s = make_data();
    lbh_lists labels = {N, 10, s->start, s->label};
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    const char *path = test_tmp("run.ckpt");
    lbh_encoder *whole = checkpointed(NULL), *cut = checkpointed(path), *back = checkpointed(path);
    int calls = 0;
    OK(lbh_encoder_train_rows(whole, &rows, &labels, NULL));
    lbh_encoder_on_progress(cut, cancel_later, &calls);
    cr_assert_eq(lbh_encoder_train_rows(cut, &rows, &labels, NULL), LBH_ECANCELLED);
    OK(lbh_encoder_train_rows(back, &rows, &labels, NULL));
    cr_assert_eq(lbh_encoder_digest(whole), lbh_encoder_digest(back));
    lbh_encoder_free(whole), lbh_encoder_free(cut), lbh_encoder_free(back);
    free_data(s);
}

/* Mean Hamming distance of rows of different labels over that of rows of the same. */
static double separation(const char *options, const data *s, const lbh_lists *labels)
{
    lbh_encoder *enc;
    lbh_rows rows = lbh_rows_from_matrix(N, DIM, s->x);
    uint8_t codes[2 * N];
    double sum[2] = {0, 0};
    int count[2] = {0, 0};
    OK(lbh_encoder_new(&enc, "sgh", DIM, 16));
    OK(lbh_encoder_set(enc, "steps=1000,batch=64"));
    OK(lbh_encoder_set(enc, options));
    OK(lbh_encoder_train_rows(enc, &rows, labels, NULL));
    OK(lbh_encoder_encode(enc, N, s->x, codes));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) {
            int same = s->label[i] == s->label[j];
            sum[same] += test_hamming(codes + 2 * i, codes + 2 * j, 2);
            count[same]++;
        }
    lbh_encoder_free(enc);
    return sum[0] / count[0] / (sum[1] / count[1]);
}

/* Labels that go across the largest directions of the data: only the pairs know of them. */
Test(extensions, pairs_bring_rows_of_a_label_together)
{
    data *s = make_data();
    lbh_lists labels = {N, 2, s->start, s->label};
    for (int i = 0; i < N; i++) {
        s->label[i] = i % 2;
        double side = i % 2 ? 0.8 : -0.8;
        s->x[i * DIM + DIM - 1] = (float)(side + 0.1 * test_normal(51, (uint64_t)i));
    }
    double plain = separation("pairs=none", s, &labels);
    double paired = separation("pairs=labels", s, &labels);
    cr_assert(plain < 1.3, "without pairs: %g", plain);
    cr_assert(paired > 2 * plain, "without pairs: %g, with them: %g", plain, paired);
    free_data(s);
}
