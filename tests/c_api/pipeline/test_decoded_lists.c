/* test_decoded_lists.c: k_factor 0, all codes that a search visits ranked by the decoder, against a
 * shortlist of all of them: the same answers, ids and filters. */
#include "lbh_pipeline.h"

#include "cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1500, NQ = 7, K = 9, D = 12, BITS = 20 };

static float *x, *q;

static void set_up(void)
{
    x = test_mixture(N, D, 21, NULL);
    q = test_mixture(NQ, D, 22, NULL);
    memcpy(x + 5 * D, x + 900 * D, D * sizeof *x); /* equal codes: equal scores, by rising id */
    memcpy(x + 1400 * D, x + 900 * D, D * sizeof *x);
    memcpy(q, x + 900 * D, D * sizeof *x);
}

static void tear_down(void)
{
    free(x);
    free(q);
}

TestSuite(decoded_lists, .init = set_up, .fini = tear_down);

static lbh_pipeline *make(const char *front, const char *rebuild, const char *kind, int metric)
{
    char factory[128];
    lbh_pipeline *p = NULL;
    snprintf(factory, sizeof factory, "%sitq%d(rebuild=%s),%s", front, BITS, rebuild, kind);
    cr_ok(lbh_pipeline_new(&p, D, factory, metric));
    cr_ok(lbh_pipeline_train(p, N, x));
    int64_t ids[N];
    for (int i = 0; i < N; i++) /* far from the order in which they are added */
        ids[i] = (INT64_C(1) << 40) + (i * 7 + 3) % N;
    if (*front)
        cr_ok(lbh_pipeline_add_with_ids(p, N, x, ids));
    else
        cr_ok(lbh_pipeline_add(p, N, x));
    return p;
}

static int thirds(const void *ctx, int64_t id)
{
    return id % 3 == *(const int *)ctx;
}

/* Both searches; `visits`: parameters of the index. */
static void compare(const lbh_pipeline *p, const char *visits, lbh_filter_fn filter, int64_t k)
{
    int rest = 1;
    char text[128];
    float *d[2];
    int64_t *l[2];
    for (int i = 0; i < 2; i++) {
        d[i] = malloc((size_t)(NQ * k) * sizeof **d);
        l[i] = malloc((size_t)(NQ * k) * sizeof **l);
        snprintf(text, sizeof text, "rescore=decoder,k_factor=%d%s", i ? 0 : 1000000, visits);
        cr_ok(lbh_pipeline_search_with(p, text, filter, &rest, NQ, q, k, d[i], l[i]));
    }
    for (int64_t i = 0; i < NQ * k; i++) {
        cr_assert_eq(l[1][i], l[0][i], "%s%s: answer %lld is %lld at %g, not %lld at %g",
                     lbh_pipeline_factory(p), visits, (long long)i, (long long)l[1][i], d[1][i],
                     (long long)l[0][i], d[0][i]);
        cr_assert_float_eq(d[1][i], d[0][i], 1e-4 * (1 + fabsf(d[0][i])), "%s%s: distance %lld: %g, not %g",
                           lbh_pipeline_factory(p), visits, (long long)i, d[1][i], d[0][i]);
    }
    for (int i = 0; i < 2; i++) {
        free(d[i]);
        free(l[i]);
    }
}

Test(decoded_lists, are_a_shortlist_of_all)
{
    static const char *const visits[] = {"", ",nprobe=3", ",nprobe=16", ",nprobe=16,max_codes=200"};
    for (int metric = LBH_METRIC_L2; metric <= LBH_METRIC_COSINE; metric++)
        for (int tables = 0; tables < 2; tables++)
            for (int mapped = 0; mapped < 2; mapped++) {
                const char *front = mapped ? "IDMap2," : "", *how = tables ? "tables" : "linear";
                lbh_pipeline *flat = make(front, how, "BFlat", metric);
                compare(flat, "", NULL, K);
                compare(flat, "", thirds, K);
                lbh_pipeline_free(flat);
                lbh_pipeline *lists = make(front, how, "BIVF16", metric);
                for (int i = 0; i < 4; i++) {
                    compare(lists, visits[i], NULL, i == 1 ? N + 5 : K);
                    compare(lists, visits[i], thirds, K);
                }
                lbh_pipeline_free(lists);
            }
}

/* Answers are the same by any number of threads. */
Test(decoded_lists, threads)
{
    lbh_pipeline *p = make("", "tables", "BIVF16", LBH_METRIC_L2);
    float d[2][NQ * K];
    int64_t l[2][NQ * K];
    cr_ok(lbh_pipeline_set(p, "rescore=decoder,k_factor=0,nprobe=5"));
    for (int i = 0; i < 2; i++) {
        lbh_set_num_threads(i ? 3 : 1);
        cr_ok(lbh_pipeline_search(p, NQ, q, K, d[i], l[i]));
    }
    cr_assert_eq(memcmp(d[0], d[1], sizeof d[0]), 0);
    cr_assert_eq(memcmp(l[0], l[1], sizeof l[0]), 0);
    lbh_pipeline_free(p);
}

Test(decoded_lists, refusals_and_files)
{
    char text[512];
    float d[NQ * K];
    int64_t l[NQ * K];
    lbh_pipeline *p = make("", "tables", "BIVF16,RFlat", LBH_METRIC_L2), *back = NULL;
    cr_ok(lbh_pipeline_set(p, "k_factor=0"));
    cr_fails(lbh_pipeline_search(p, NQ, q, K, d, l), LBH_EINVAL, "by the decoder");
    cr_ok(lbh_pipeline_set(p, "rescore=decoder"));
    cr_ok(lbh_pipeline_save(p, test_tmp("lists.lbhp")));
    cr_ok(lbh_pipeline_load(&back, test_tmp("lists.lbhp")));
    cr_ok(lbh_pipeline_parameters(back, text, sizeof text));
    cr_assert(strstr(text, "rescore=decoder,k_factor=0.000000"), "%s", text);
    cr_ok(lbh_pipeline_search(back, NQ, q, K, d, l));
    cr_fails(lbh_pipeline_set(p, "k_factor=0.5"), LBH_EINVAL, "or 0 for all");
    cr_fails(lbh_pipeline_set(p, "margin_factor=0"), LBH_EINVAL, "margin_factor (0)");
    lbh_pipeline_free(back);
    lbh_pipeline_free(p);
    p = make("", "tables", "BHNSW8", LBH_METRIC_L2);
    cr_ok(lbh_pipeline_set(p, "rescore=decoder,k_factor=0"));
    cr_fails(lbh_pipeline_search(p, NQ, q, K, d, l), LBH_EINVAL, "not for BHNSW");
    lbh_pipeline_free(p);
}

/* The call of the plugin alone. */
Test(decoded_lists, bad_arguments)
{
    lbh_pipeline *p = make("", "tables", "BFlat", LBH_METRIC_L2);
    lbh_encoder *enc = lbh_pipeline_encoder(p);
    lbh_rescorer *r = NULL, *margin = NULL;
    uint8_t codes[3 * N] = {0};
    const uint8_t *list[2] = {codes, codes};
    int64_t ids[N] = {0}, size[2] = {4, 0}, probe[NQ] = {0}, l[NQ * K];
    const int64_t *of[2] = {ids, ids};
    float d[NQ * K];
    const lbh_code_lists lists = {2, size, list, of}, bare = {2, size, list, NULL};
    cr_ok(lbh_rescorer_new(&r, enc, LBH_RESCORE_DECODER, LBH_METRIC_L2, NULL));
    cr_ok(lbh_rescorer_new(&margin, enc, LBH_RESCORE_MARGIN, LBH_METRIC_L2, NULL));
    cr_ok(lbh_rescorer_search_lists(r, &lists, NQ, q, 1, probe, K, d, l));
    cr_assert(l[3] == 0 && l[4] == -1);
    cr_ok(lbh_rescorer_search_lists(r, &lists, 0, NULL, 1, NULL, K, NULL, NULL));
    cr_fails(lbh_rescorer_search_lists(margin, &lists, NQ, q, 1, probe, K, d, l), LBH_EINVAL, "alone");
    cr_fails(lbh_rescorer_search_lists(r, &bare, NQ, q, 1, probe, K, d, l), LBH_EINVAL, "NULL");
    cr_fails(lbh_rescorer_search_lists(r, &lists, NQ, q, 1, probe, 0, d, l), LBH_EINVAL, "k (0)");
    probe[2] = 2;
    cr_fails(lbh_rescorer_search_lists(r, &lists, NQ, q, 1, probe, K, d, l), LBH_EINVAL, "list 2");
    lbh_rescorer_free(r);
    lbh_rescorer_free(margin);
    lbh_pipeline_free(p);
}
