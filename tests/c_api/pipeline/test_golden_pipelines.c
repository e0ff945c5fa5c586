/* test_golden_pipelines.c: pipelines that released versions saved (tests/data) are loaded, and give the answers that
 * they gave. */
#define _POSIX_C_SOURCE 200809L
#include "golden_pipeline.h"

#include "cases.h"
#include "lbh_pipeline.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void same_answers(const char *path, const golden_answers *expected)
{
    lbh_pipeline *p = NULL;
    float *q = golden_rows(GOLDEN_D, 1), distances[GOLDEN_NQ * GOLDEN_K];
    int64_t labels[GOLDEN_NQ * GOLDEN_K];
    cr_ok(lbh_pipeline_verify(path));
    cr_ok(lbh_pipeline_load(&p, path));
    cr_assert_eq(lbh_pipeline_ntotal(p), GOLDEN_ROWS);
    for (int mode = 0; mode < 2; mode++) {
        if (mode == 1)
            cr_ok(lbh_pipeline_set(p, "rescore=none"));
        cr_ok(lbh_pipeline_search(p, GOLDEN_NQ, q, GOLDEN_K, distances, labels));
        for (int i = 0; i < GOLDEN_NQ * GOLDEN_K; i++) {
            float want = expected->distances[mode][i];
            cr_assert(fabsf(distances[i] - want) <= 1e-4f * fabsf(want), "%s, place %d: %g, not %g",
                      path, i, (double)distances[i], (double)want);
            cr_assert_eq(labels[i], expected->labels[mode][i], "%s: place %d", path, i);
        }
    }
    lbh_pipeline_free(p);
    free(q);
}

Test(golden, pipelines_of_released_versions_give_the_answers_they_gave)
{
    int versions = 0;
    DIR *dir = opendir(GOLDEN_DIR);
    cr_assert(dir, "no directory " GOLDEN_DIR);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        for (size_t i = 0; i < sizeof golden_pipelines / sizeof *golden_pipelines; i++) {
            char path[1024], answers[1100];
            size_t size;
            snprintf(path, sizeof path, GOLDEN_DIR "/%s/%s", e->d_name, golden_pipelines[i].name);
            snprintf(answers, sizeof answers, "%s.answers", path);
            unsigned char *expected = test_slurp(answers, &size);
            cr_assert(expected && size == sizeof(golden_answers), "%s", answers);
            same_answers(path, (const golden_answers *)(void *)expected);
            free(expected);
        }
        versions++;
    }
    closedir(dir);
    cr_assert(versions > 0);
}
