/* pipeline_writer.c: the two ends of the kill test (pipeline_kill.sh).
 *
 *   pipeline_writer save PATH     saves two different pipelines under one name, in turn, for ever
 *   pipeline_writer check PATH    loads it and looks whether it is one of the two, whole */
#include "lbh_pipeline.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 16, ROWS = 1500 };

typedef struct content {
    const char *factory;
    uint64_t seed;
    int64_t n;
} content;

/* They differ in every member, and in which members they have. */
static const content contents[2] = {{"lsh64,IDMap2,BFlat,RFlat", 1, ROWS},
                                    {"lsh32(seed=5),BFlat,RSQ8", 2, ROWS - 700}};

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, lbh_last_error());
    return 1;
}

static int make(lbh_pipeline **p, const content *c, float **rows)
{
    *rows = test_mixture(c->n, D, c->seed, NULL);
    if (lbh_pipeline_new(p, D, c->factory, LBH_METRIC_L2) || lbh_pipeline_train(*p, c->n, *rows) ||
        lbh_pipeline_add(*p, c->n, *rows))
        return fail(c->factory);
    return 0;
}

static int save(const char *path)
{
    lbh_pipeline *p[2] = {NULL, NULL};
    float *rows[2];
    for (int i = 0; i < 2; i++)
        if (make(&p[i], &contents[i], &rows[i]))
            return 1;
    for (int i = 0;; i++)
        if (lbh_pipeline_save(p[i % 2], path))
            return fail("save");
        else if (i == 0) { /* from now on there must be something whole */
            puts("saved");
            fflush(stdout);
        }
}

static int check(const char *path)
{
    lbh_pipeline *p = NULL, *want = NULL;
    float *rows, x[D], y[D];
    if (lbh_pipeline_verify(path) || lbh_pipeline_load(&p, path))
        return fail("load");
    int which = strcmp(lbh_pipeline_factory(p), contents[1].factory) == 0;
    const content *c = &contents[which];
    if (make(&want, c, &rows))
        return 1;
    int good = strcmp(lbh_pipeline_factory(p), c->factory) == 0 &&
               lbh_pipeline_ntotal(p) == c->n &&
               lbh_encoder_digest(lbh_pipeline_encoder(p)) ==
                   lbh_encoder_digest(lbh_pipeline_encoder(want));
    for (int64_t i = 0; good && i < c->n; i += 17)
        good = lbh_pipeline_reconstruct(p, i, x) == LBH_OK &&
               lbh_pipeline_reconstruct(want, i, y) == LBH_OK && memcmp(x, y, sizeof x) == 0;
    for (int i = 0; good && i < 20; i++) { /* the codes: ranked by distance alone */
        float distances[2];
        int64_t labels[2];
        good = lbh_pipeline_set(p, "rescore=none") == LBH_OK &&
               lbh_pipeline_set(want, "rescore=none") == LBH_OK &&
               lbh_pipeline_search(p, 1, rows + i * D, 1, distances, labels) == LBH_OK &&
               lbh_pipeline_search(want, 1, rows + i * D, 1, distances + 1, labels + 1) == LBH_OK &&
               distances[0] == distances[1] && labels[0] == labels[1];
    }
    if (!good)
        fprintf(stderr, "%s is a mixture\n", path);
    else
        printf("%d\n", which);
    lbh_pipeline_free(p);
    lbh_pipeline_free(want);
    free(rows);
    return !good;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "save") == 0)
        return save(argv[2]);
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check(argv[2]);
    fprintf(stderr, "usage: pipeline_writer save|check PATH\n");
    return 2;
}
