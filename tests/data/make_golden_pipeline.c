/* make_golden_pipeline.c: writes the golden pipelines of a version, once, when it is released.
 *
 *     make_golden_pipeline DIRECTORY         tests/data/VERSION
 *
 * tests/c_api/pipeline/test_golden_pipelines.c reads them for ever. */
#define _POSIX_C_SOURCE 200809L
#include "golden_pipeline.h"

#include "lbh_pipeline.h"

#include <stdio.h>
#include <unistd.h>

static int make(const struct golden_pipeline *g, const float *x, const float *q)
{
    lbh_pipeline *p = NULL;
    golden_answers a;
    char path[64];
    int64_t ids[GOLDEN_ROWS];
    for (int64_t i = 0; i < GOLDEN_ROWS; i++)
        ids[i] = 7 * i + 2;
    int rc = lbh_pipeline_new(&p, GOLDEN_D, g->factory, LBH_METRIC_L2);
    if (!rc)
        rc = lbh_pipeline_train(p, GOLDEN_ROWS, x);
    if (!rc)
        rc = g->ids ? lbh_pipeline_add_with_ids(p, GOLDEN_ROWS, x, ids)
                    : lbh_pipeline_add(p, GOLDEN_ROWS, x);
    if (!rc)
        rc = lbh_pipeline_save(p, g->name);
    for (int i = 0; i < 2 && !rc; i++) {
        rc = i ? lbh_pipeline_set(p, "rescore=none") : LBH_OK;
        if (!rc)
            rc = lbh_pipeline_search(p, GOLDEN_NQ, q, GOLDEN_K, a.distances[i], a.labels[i]);
    }
    lbh_pipeline_free(p);
    if (rc) {
        fprintf(stderr, "make_golden_pipeline: %s: %s\n", g->factory, lbh_last_error());
        return 1;
    }
    snprintf(path, sizeof path, "%s.answers", g->name);
    FILE *file = fopen(path, "wx"); /* never over a file that is there */
    if (!file || fwrite(&a, sizeof a, 1, file) != 1 || fclose(file)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1])) {
        fprintf(stderr, "usage: make_golden_pipeline DIRECTORY\n");
        return 2;
    }
    float *x = golden_rows(GOLDEN_D, 0), *q = golden_rows(GOLDEN_D, 1);
    int failed = 0;
    for (size_t i = 0; i < sizeof golden_pipelines / sizeof *golden_pipelines; i++)
        failed += access(golden_pipelines[i].name, F_OK) == 0 || make(&golden_pipelines[i], x, q);
    free(x), free(q);
    return failed != 0;
}
