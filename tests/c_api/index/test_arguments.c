/* test_arguments.c: wrong arguments of rescored searches and of exports are refused by name, and leave the
 * answers as they were. */
#include "cases.h"
#include "lbh_pipeline.h"

#include <stdlib.h>
#include <string.h>

enum { N = 200, D = 16, NBITS = 16, K = 3 };

static float *x;
static lbh_encoder *enc;
static FaissIndexBinary *flat;

static void set_up(void)
{
    x = test_mixture(N, D, 5, NULL);
    cr_ok(lbh_encoder_new(&enc, "itq", D, NBITS));
    cr_ok(lbh_encoder_train(enc, N, x));
    cr_ok(lbh_index_build(&flat, enc, "BFlat", N, x));
}

static void tear_down(void)
{
    lbh_index_free(flat);
    lbh_encoder_free(enc);
    free(x);
}

TestSuite(arguments, .init = set_up, .fini = tear_down);

Test(arguments, of_a_rescored_search)
{
    const lbh_shortlist good = {10, 4};
    lbh_rescorer *r = NULL;
    FaissIndexBinary *untrained = NULL;
    float distances[K] = {7, 7, 7};
    int64_t labels[K] = {-7, -7, -7};
    cr_ok(lbh_rescorer_new(&r, enc, LBH_RESCORE_MARGIN, LBH_METRIC_L2, NULL));
    cr_ok(lbh_index_new(&untrained, NBITS / 8, "BIVF4"));
#define SEARCH(index, r, s, k, d, l) lbh_index_search_rescored(index, r, s, 1, x, k, d, l)
#define SHORT(...) ((lbh_shortlist){__VA_ARGS__})
    cr_fails(SEARCH(flat, NULL, good, K, distances, labels), LBH_EINVAL, "rescorer");
    cr_fails(SEARCH(NULL, r, good, K, distances, labels), LBH_EINVAL, "index");
    cr_fails(SEARCH(flat, r, good, 0, distances, labels), LBH_EINVAL, "k (0)");
    cr_fails(SEARCH(flat, r, good, 1LL << 31, distances, labels), LBH_EINVAL, "k (2147483648)");
    cr_fails(SEARCH(flat, r, good, K, NULL, labels), LBH_EINVAL, "answers");
    cr_fails(SEARCH(flat, r, good, K, distances, NULL), LBH_EINVAL, "answers");
    cr_fails(SEARCH(flat, r, SHORT(0.5, 4), K, distances, labels), LBH_EINVAL, "k_factor (0.5)");
    cr_fails(SEARCH(flat, r, SHORT(10, 0), K, distances, labels), LBH_EINVAL, "margin_factor (0)");
    cr_fails(SEARCH(flat, r, SHORT(10, 1e9), K, distances, labels), LBH_EINVAL, "margin_factor");
    cr_fails(SEARCH(untrained, r, good, K, distances, labels), LBH_ESTATE, "not trained");
    for (int i = 0; i < K; i++)
        cr_assert(distances[i] == 7 && labels[i] == -7);
    cr_ok(SEARCH(flat, r, good, K, distances, labels));
    cr_assert(labels[0] >= 0 && labels[0] < N && distances[0] <= distances[1]);
    lbh_index_free(untrained);
    lbh_rescorer_free(r);
}

Test(arguments, of_an_export)
{
    static const struct {
        const char *format, *options, *part;
    } wrong[] = {{"faiss-ivf", "nlist=-1", "nlist (-1) must be"},
                 {"faiss-ivf", "nlist=0", "nlist (0) must be within"},
                 {"faiss-ivf", "nprobes=3", "nprobes"},
                 {"faiss-aq", "metric=ip,norms=byte", "inner products need none"},
                 {"faiss-png", "", "faiss-png"}};
    const char *path = test_tmp("wrong.faiss");
    size_t size;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lbh_rows rows = lbh_rows_from_matrix(N, D, x);
        cr_fails(lbh_export_faiss(enc, wrong[i].format, wrong[i].options, &rows, path), LBH_EINVAL,
                 wrong[i].part);
        cr_assert_null(test_slurp(path, &size), "%s left a file", wrong[i].options);
    }
}
