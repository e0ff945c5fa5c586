/* test_supervised.c: methods that learn from labels, on data whose structure is known: they must
 * find what the labels say where the variance says otherwise. */
#include "support.h"

#include "lbh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1500, D = 20, BITS = 16, TOPICS = 5, CLASSES = 4 };

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

/* Rows with labels. */
typedef struct data {
    int64_t n;
    float *x;
    int64_t *start, *item;
    int nitems;
} data;

static data empty(int64_t n, int nitems)
{
    return (data){n, malloc((size_t)n * D * sizeof(float)), calloc((size_t)n + 1, 8),
                  malloc((size_t)n * TOPICS * 8), nitems};
}

static void clear(data *s)
{
    free(s->x), free(s->start), free(s->item);
}

/* The first rows of x: noise of deviation 6 that says nothing; the last few: noise of deviation 1. */
static float noise_at(uint64_t seed, int64_t i, int j)
{
    return (float)((j < D / 2 ? 6 : 1) * test_normal(seed, (uint64_t)(i * D + j)));
}

/* One of CLASSES classes a row, at the corners of a simplex in the quiet half of the space. */
static data make_classes(int64_t n, uint64_t seed)
{
    data s = empty(n, CLASSES);
    for (int64_t i = 0; i < n; i++) {
        int64_t label = (int64_t)(test_uniform(seed + 1, (uint64_t)i) * CLASSES);
        for (int j = 0; j < D; j++)
            s.x[i * D + j] = noise_at(seed, i, j) + (j == D / 2 + label ? 6.0f : 0);
        s.item[i] = label;
        s.start[i + 1] = i + 1;
    }
    return s;
}

/* Any of TOPICS topics a row, each with chance 0.3, at least one; topic c shifts coordinate D/2 + c. */
static data make_topics(int64_t n, uint64_t seed)
{
    data s = empty(n, TOPICS);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = s.start[i];
        for (int j = 0; j < D; j++)
            s.x[i * D + j] = noise_at(seed, i, j);
        for (int c = 0; c < TOPICS; c++)
            if (test_uniform(seed + 1, (uint64_t)(i * TOPICS + c)) < 0.3 ||
                (c == TOPICS - 1 && at == s.start[i])) {
                s.x[i * D + D / 2 + c] += 7;
                s.item[at++] = c;
            }
        s.start[i + 1] = at;
    }
    return s;
}

static bool has(const data *s, int64_t i, int64_t label)
{
    for (int64_t k = s->start[i]; k < s->start[i + 1]; k++)
        if (s->item[k] == label)
            return true;
    return false;
}

static bool share(const data *a, int64_t i, const data *b, int64_t j)
{
    for (int64_t k = a->start[i]; k < a->start[i + 1]; k++)
        if (has(b, j, a->item[k]))
            return true;
    return false;
}

static int train(lbh_encoder *enc, const data *s)
{
    lbh_lists labels = {s->n, s->nitems, s->start, s->item};
    lbh_rows rows = lbh_rows_from_matrix(s->n, D, s->x);
    return lbh_encoder_train_rows(enc, &rows, &labels, NULL);
}

static lbh_encoder *fresh(const char *method, const char *options)
{
    lbh_encoder *enc;
    OK(lbh_encoder_new(&enc, method, D, BITS));
    OK(lbh_encoder_set(enc, options));
    return enc;
}

/* Share of the 20 nearest of `base` that share a label with the query. */
static double precision(const lbh_encoder *enc, const data *base, const data *query)
{
    enum { NEAR = 20 };
    size_t size = lbh_encoder_code_size(enc);
    uint8_t *cb = malloc((size_t)base->n * size), *cq = malloc((size_t)query->n * size);
    int32_t distance[NEAR];
    int64_t id[NEAR], hits = 0;
    OK(lbh_encoder_encode(enc, base->n, base->x, cb));
    OK(lbh_encoder_encode(enc, query->n, query->x, cq));
    for (int64_t i = 0; i < query->n; i++) {
        test_naive_search(base->n, cb, 1, cq + (size_t)i * size, size, NEAR, distance, id);
        for (int k = 0; k < NEAR; k++)
            hits += share(query, i, base, id[k]);
    }
    free(cb), free(cq);
    return (double)hits / (double)query->n / NEAR;
}

static const struct {
    const char *method, *options;
} methods[] = {{"jmlh", "hidden1=32,steps=800,batch=64"}, {"jmlh", "hidden1=0,steps=800,batch=64"},
               {"jmlh", "hidden1=32,hidden2=16,steps=800,batch=64"}, {"itq-cca", "iterations=20"},
               {"sdh", "anchors=300"}, {"ksh", "paired=600,anchors=200"}};

Test(supervised, labels_are_found_where_the_variance_is_elsewhere)
{
    data base = make_classes(N, 1), query = make_classes(200, 5);
    lbh_encoder *itq = fresh("itq", "iterations=20");
    OK(train(itq, &base));
    double unsupervised = precision(itq, &base, &query);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        lbh_encoder *enc = fresh(methods[i].method, methods[i].options);
        OK(train(enc, &base));
        double p = precision(enc, &base, &query);
        cr_assert(p > 0.8 && p > unsupervised + 0.2, "%s (%s): %g, itq %g", methods[i].method,
                  methods[i].options, p, unsupervised);
        lbh_encoder_free(enc);
    }
    lbh_encoder_free(itq), clear(&base), clear(&query);
}

Test(supervised, several_labels_a_row)
{
    data base = make_topics(N, 11), query = make_topics(200, 15);
    lbh_encoder *itq = fresh("itq", "iterations=20");
    OK(train(itq, &base));
    double unsupervised = precision(itq, &base, &query);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        lbh_encoder *enc = fresh(methods[i].method, methods[i].options);
        OK(train(enc, &base));
        double p = precision(enc, &base, &query);
        cr_assert(p > unsupervised + 0.1, "%s (%s): %g, itq %g", methods[i].method,
                  methods[i].options, p, unsupervised);
        int multi;
        int n = lbh_encoder_nclasses(enc, &multi);
        cr_assert(n == 0 || (n == TOPICS && multi == 1));
        lbh_encoder_free(enc);
    }
    lbh_encoder_free(itq), clear(&base), clear(&query);
}

/* Topics that one of two rows has and the other has not. */
static int difference(const data *s, int64_t i, int64_t j)
{
    int count = 0;
    for (int c = 0; c < TOPICS; c++)
        count += has(s, i, c) != has(s, j, c);
    return count;
}

/* Topics are independent and each has a direction of its own, so that codes must lie the farther
 * apart, the more topics two rows differ in; rows of the same topics have nearly the same code. */
Test(supervised, codes_are_as_far_apart_as_sets_of_labels)
{
    enum { ROWS = 400 };
    data base = make_topics(N, 81), query = make_topics(ROWS, 85);
    lbh_encoder *enc = fresh("jmlh", "hidden1=32,steps=800,batch=64");
    uint8_t code[ROWS * BITS / 8];
    double sum[TOPICS + 1] = {0};
    int64_t pairs[TOPICS + 1] = {0};
    OK(train(enc, &base));
    OK(lbh_encoder_encode(enc, ROWS, query.x, code));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < i; j++) {
            int differ = difference(&query, i, j);
            sum[differ] += test_hamming(code + i * BITS / 8, code + j * BITS / 8, BITS / 8);
            pairs[differ]++;
        }
    cr_assert(sum[0] / (double)pairs[0] < 2, "%g", sum[0] / (double)pairs[0]);
    for (int k = 1; k < TOPICS; k++) {
        double here = sum[k] / (double)pairs[k], before = sum[k - 1] / (double)pairs[k - 1];
        cr_assert(here > before + 1, "%d topics apart: %g bits, %d: %g", k, here, k - 1, before);
    }
    lbh_encoder_free(enc), clear(&base), clear(&query);
}

/* Share of right answers: the class, or, with several labels, each yes or no. */
static double accuracy(const lbh_encoder *enc, const data *s)
{
    int multi, K = lbh_encoder_nclasses(enc, &multi);
    uint8_t *codes = malloc((size_t)s->n * lbh_encoder_code_size(enc));
    float *scores = malloc((size_t)s->n * (size_t)K * sizeof *scores);
    int64_t *label = malloc((size_t)s->n * sizeof *label), right = 0;
    OK(lbh_encoder_encode(enc, s->n, s->x, codes));
    OK(lbh_encoder_class_scores(enc, s->n, codes, scores));
    OK(lbh_encoder_classify(enc, s->n, codes, label));
    for (int64_t i = 0; i < s->n; i++) {
        for (int c = 0; c < K; c++) {
            cr_assert(scores[i * K + c] <= scores[i * K + label[i]]);
            right += multi && (scores[i * K + c] >= 0) == has(s, i, c);
        }
        right += !multi && has(s, i, label[i]);
    }
    free(codes), free(scores), free(label);
    return (double)right / (double)(multi ? s->n * K : s->n);
}

Test(supervised, codes_can_be_classified)
{
    const char *method[] = {"jmlh", "sdh"}, *options[] = {"hidden1=32,steps=800,batch=64", ""};
    for (int i = 0; i < 2; i++)
        for (int several = 0; several < 2; several++) {
            data base = several ? make_topics(N, 21) : make_classes(N, 21);
            data query = several ? make_topics(300, 25) : make_classes(300, 25);
            lbh_encoder *enc = fresh(method[i], options[i]), *back = NULL;
            cr_assert_eq(lbh_encoder_nclasses(enc, NULL), 0);
            OK(train(enc, &base));
            cr_assert_eq(lbh_encoder_nclasses(enc, NULL), several ? TOPICS : CLASSES);
            double right = accuracy(enc, &query);
            cr_assert(right > 0.9, "%s, several %d: %g", method[i], several, right);
            OK(lbh_encoder_save(enc, test_tmp("c.lbh")));
            OK(lbh_encoder_load(&back, test_tmp("c.lbh")));
            cr_assert_eq(accuracy(back, &query), right);
            lbh_encoder_free(enc), lbh_encoder_free(back), clear(&base), clear(&query);
        }
}

Test(supervised, rows_without_labels_are_left_out)
{
    data some = make_classes(N, 31), all = empty(2 * N, CLASSES);
    for (int64_t i = 0; i < 2 * N; i++) { /* every second row is junk without a label */
        for (int j = 0; j < D; j++)
            all.x[i * D + j] = i % 2 ? 1e3f : some.x[i / 2 * D + j];
        all.start[i + 1] = all.start[i] + (i % 2 == 0);
        if (i % 2 == 0)
            all.item[all.start[i]] = some.item[i / 2];
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        lbh_encoder *a = fresh(methods[i].method, methods[i].options);
        lbh_encoder *b = fresh(methods[i].method, methods[i].options);
        OK(train(a, &some));
        OK(train(b, &all));
        cr_assert_eq(lbh_encoder_digest(a), lbh_encoder_digest(b), "%s", methods[i].method);
        lbh_encoder_free(a), lbh_encoder_free(b);
    }
    clear(&some), clear(&all);
}

/* What the labels and the number of rows decide is no option's value, and comes back from a file. */
Test(supervised, options_stay_what_was_asked_for)
{
    data s = make_classes(200, 11);
    const struct {
        const char *method, *option;
        double value;
    } asked[] = {{"jmlh", "classes", 0}, {"jmlh", "head", 0}, {"sdh", "classes", 0},
                 {"sdh", "anchors", 1000}, {"ksh", "anchors", 300}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        lbh_encoder *enc = fresh(asked[i].method, strcmp(asked[i].method, "jmlh") ? "" : "steps=20"),
                    *again = NULL;
        double value;
        uint8_t codes[2][BITS / 8 * 200];
        OK(train(enc, &s));
        OK(lbh_encoder_save(enc, test_tmp("settled.lbh")));
        OK(lbh_encoder_load(&again, test_tmp("settled.lbh")));
        for (int j = 0; j < 2; j++) {
            lbh_encoder *e = j ? again : enc;
            OK(lbh_encoder_get_value(e, asked[i].option, &value));
            cr_assert_eq(value, asked[i].value, "%s: %s", asked[i].method, asked[i].option);
            cr_assert_eq(lbh_encoder_nclasses(e, NULL), strcmp(asked[i].method, "ksh") ? CLASSES : 0);
            OK(lbh_encoder_encode(e, s.n, s.x, codes[j]));
        }
        cr_assert_arr_eq(codes[0], codes[1], sizeof codes[0]);
        lbh_encoder_free(enc), lbh_encoder_free(again);
    }
    clear(&s);
}

Test(supervised, wrong_labels_and_calls_are_refused)
{
    data s = make_classes(N, 41);
    int64_t *none = calloc(N + 1, 8), label;
    uint8_t code[BITS / 8] = {0};
    float score;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        lbh_encoder *enc = fresh(methods[i].method, methods[i].options);
        data unlabelled = s;
        unlabelled.start = none;
        cr_assert_eq(train(enc, &unlabelled), LBH_EINVAL);
        cr_assert(strstr(lbh_last_error(), "has a label"), "%s", lbh_last_error());
        cr_assert_eq(lbh_encoder_train(enc, N, s.x), LBH_EINVAL);
        cr_assert_eq(lbh_encoder_classify(enc, 1, code, &label), LBH_ESTATE);
        if (lbh_encoder_set(enc, "classes=3") == LBH_OK) {
            double classes;
            cr_assert_eq(train(enc, &s), LBH_EINVAL);
            cr_assert(strstr(lbh_last_error(), "4 classes"), "%s", lbh_last_error());
            OK(lbh_encoder_get_value(enc, "classes", &classes));
            cr_assert_eq(classes, 3);
        }
        lbh_encoder_free(enc);
    }
    lbh_encoder *enc = fresh("itq", "iterations=1");
    OK(train(enc, &s));
    cr_assert_eq(lbh_encoder_classify(enc, 1, code, &label), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_class_scores(enc, 1, code, &score), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_nclasses(enc, NULL), 0);
    lbh_encoder_free(enc);
    free(none), clear(&s);
}

/* Training with each preset works, and the estimators agree on what to learn. */
/* With the mean taken off a shift of all rows changes nothing; with centre=0 (preset=paper) it does. */
Test(supervised, the_mean_stays_where_it_is_asked_to)
{
    enum { SHIFT = 4 };
    data here = make_classes(N, 61), there = make_classes(N, 61);
    for (int i = 0; i < N * D; i++)
        there.x[i] += SHIFT;
    for (int centre = 0; centre < 2; centre++) {
        int64_t differ = 0;
        uint8_t *codes[2];
        for (int j = 0; j < 2; j++) {
            lbh_encoder *enc = fresh("jmlh", "preset=paper,steps=300,lr=0.003");
            codes[j] = malloc(N * BITS / 8);
            OK(lbh_encoder_set_value(enc, "centre", centre));
            OK(train(enc, j ? &there : &here));
            OK(lbh_encoder_encode(enc, N, j ? there.x : here.x, codes[j]));
            lbh_encoder_free(enc);
        }
        for (int i = 0; i < N * BITS / 8; i++)
            differ += codes[0][i] != codes[1][i];
        cr_assert(centre ? differ < N / 20 : differ > N / 4, "centre=%d: %lld bytes differ", centre,
                  (long long)differ);
        free(codes[0]), free(codes[1]);
    }
    clear(&here), clear(&there);
}

Test(supervised, presets_of_the_ablations)
{
    data base = make_classes(N, 51), query = make_classes(200, 55);
    const char *name, *assignments;
    int count = 0;
    for (int i = 0; lbh_method_preset(&name, &assignments, "jmlh", i) == LBH_OK; i++, count++) {
        char text[64] = "preset=";
        lbh_encoder *enc = fresh("jmlh", strcat(text, name));
        OK(lbh_encoder_set(enc, "hidden1=32,steps=400,batch=64,lr=0.003"));
        OK(train(enc, &base));
        double p = precision(enc, &base, &query);
        cr_assert(p > 0.5, "%s: %g", name, p);
        lbh_encoder_free(enc);
    }
    cr_assert_geq(count, 5);
    const char *estimators[] = {"estimator=exact", "estimator=straight_through"};
    for (int i = 0; i < 2; i++) {
        lbh_encoder *enc = fresh("jmlh", estimators[i]);
        OK(lbh_encoder_set(enc, "hidden1=32,steps=600,batch=64"));
        OK(train(enc, &base));
        double p = precision(enc, &base, &query);
        cr_assert(p > 0.7, "%s: %g", estimators[i], p);
        lbh_encoder_free(enc);
    }
    clear(&base), clear(&query);
}

Test(supervised, short_codes_and_linear_encoders)
{
    data base = make_classes(N, 61);
    for (int nbits = 4; nbits <= 12; nbits += 2) {
        lbh_encoder *enc;
        float *A = malloc((size_t)nbits * D * sizeof *A), b[12];
        uint8_t code[2];
        OK(lbh_encoder_new(&enc, "jmlh", D, nbits));
        OK(lbh_encoder_set(enc, "hidden1=0,steps=1500,batch=64"));
        OK(train(enc, &base));
        OK(lbh_encoder_encode(enc, 1, base.x, code));
        cr_assert(nbits >= 8 || code[0] >> nbits == 0);
        OK(lbh_encoder_linear(enc, A, b));
        double right = accuracy(enc, &base);
        cr_assert(right > 0.8, "%d bits: %g", nbits, right);
        lbh_encoder_free(enc);
        OK(lbh_encoder_new(&enc, "jmlh", D, nbits));
        OK(lbh_encoder_set(enc, "hidden1=8,steps=10,batch=64"));
        OK(train(enc, &base));
        cr_assert_eq(lbh_encoder_linear(enc, A, b), LBH_EINVAL);
        lbh_encoder_free(enc);
        free(A);
    }
    clear(&base);
}
