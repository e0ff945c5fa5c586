/* test_table_codes.c: the search for codes of byte tables against enumeration of all of them. */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include "table_codes.h"
#include "cpu.h"
#include "lbh.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) cr_assert_eq((call), LBH_OK, "%s", lbh_last_error())

enum { R = 5, MOST = 8 };

/* Tables of M bytes, and rows with a direction and costs each. */
typedef struct problem {
    int M;
    int64_t n;
    float *T, *x, *u, *cost;
} problem;

static problem make_problem(int M, int64_t n)
{
    problem p = {.M = M, .n = n};
    int64_t entries = (int64_t)M * 256;
    p.T = malloc((size_t)(entries * R) * sizeof(float));
    p.x = malloc((size_t)(n * R) * sizeof(float));
    p.u = malloc((size_t)(n * R) * sizeof(float));
    p.cost = malloc((size_t)(n * 8 * M) * sizeof(float));
    for (int64_t i = 0; i < entries * R; i++)
        p.T[i] = (float)test_normal(1, (uint64_t)i);
    for (int64_t i = 0; i < n * R; i++) {
        p.x[i] = (float)(2 * test_normal(2, (uint64_t)i));
        p.u[i] = (float)test_normal(3, (uint64_t)i) / sqrtf(R);
    }
    for (int64_t i = 0; i < n * 8 * M; i++)
        p.cost[i] = (float)test_normal(4, (uint64_t)i);
    return p;
}

static void free_problem(problem *p)
{
    free(p->T), free(p->x), free(p->u), free(p->cost);
}

/* What is minimised, by its definition. */
static double error_of(const problem *p, const lbh_table_job *job, int64_t i, const uint8_t *b)
{
    double sum = 0, along = 0;
    for (int j = 0; j < R; j++) {
        double e = (double)p->x[i * R + j];
        for (int m = 0; m < p->M; m++)
            e -= (double)p->T[((int64_t)m * 256 + b[m]) * R + j];
        sum += e * e;
        along += job->u ? e * (double)p->u[i * R + j] : 0;
    }
    for (int k = 0; job->bit_cost && k < 8 * p->M; k++)
        sum += b[k / 8] >> (k % 8) & 1 ? (double)p->cost[i * 8 * p->M + k] : 0;
    return sum + (double)job->along * along * along;
}

/* The best of all codes of two bytes is found for most rows, and nearly for all. */
static void against_enumeration(bool direction, bool costs)
{
    enum { N = 12 };
    problem p = make_problem(2, N);
    uint8_t codes[N * 2] = {0};
    lbh_table_search *s = NULL;
    const lbh_table_job job = {.x = p.x, .u = direction ? p.u : NULL, .along = direction ? 3 : 0,
                               .bit_cost = costs ? p.cost : NULL, .patience = 40, .codes = codes};
    OK(lbh_table_search_new(&s, 16, R, p.T));
    OK(lbh_table_search_run(s, N, &job));
    int exact = 0;
    for (int64_t i = 0; i < N; i++) {
        double best = INFINITY, found = error_of(&p, &job, i, codes + 2 * i);
        for (int code = 0; code < 65536; code++) {
            uint8_t b[2] = {(uint8_t)code, (uint8_t)(code >> 8)};
            best = fmin(best, error_of(&p, &job, i, b));
        }
        exact += found < best + 1e-4;
        cr_assert(found < best + 1, "row %lld: %g, not %g", (long long)i, found, best);
    }
    cr_assert(exact >= N - 3, "%d of %d", exact, N);
    lbh_table_search_free(s);
    free_problem(&p);
}

Test(table_codes, the_best_code_is_found)
{
    against_enumeration(false, false);
    against_enumeration(true, false);
    against_enumeration(false, true);
    against_enumeration(true, true);
}

/* No single byte can be changed for the better, and longer searches end no worse. */
Test(table_codes, no_byte_can_gain)
{
    enum { N = 20 };
    problem p = make_problem(MOST, N);
    double before[N];
    lbh_table_search *s = NULL;
    OK(lbh_table_search_new(&s, 8 * MOST, R, p.T));
    for (int patience = 0; patience <= 8; patience += 4) {
        uint8_t codes[N * MOST] = {0};
        const lbh_table_job job = {.x = p.x, .u = p.u, .along = 2, .patience = patience,
                                   .codes = codes};
        OK(lbh_table_search_run(s, N, &job));
        for (int64_t i = 0; i < N; i++) {
            uint8_t *b = codes + i * MOST;
            double found = error_of(&p, &job, i, b);
            cr_assert(patience == 0 || found < before[i] + 1e-4);
            before[i] = found;
            for (int m = 0; m < MOST && patience; m++)
                for (int v = 0, own = b[m]; v < 256; v++) {
                    b[m] = (uint8_t)v;
                    cr_assert(error_of(&p, &job, i, b) > found - 1e-4);
                    b[m] = (uint8_t)own;
                }
        }
    }
    lbh_table_search_free(s);
    free_problem(&p);
}

/* The same codes from any instruction set, any number of threads, and rows alone. */
Test(table_codes, do_not_depend_on_the_machine)
{
    enum { N = 70 };
    static const char *const isa[] = {"scalar", "avx2", "avx512"};
    problem p = make_problem(3, N);
    uint8_t first[N * 3] = {0}, codes[N * 3];
    lbh_table_job job = {.x = p.x, .u = p.u, .along = 2, .patience = 3, .codes = first};
    for (int run = 0; run < 4; run++) {
        lbh_table_search *s = NULL;
        if (run)
            setenv("LBH_ISA", isa[run - 1], 1);
        lbh_cpu_choose_again();
        omp_set_num_threads(1 + run % 2);
        OK(lbh_table_search_new(&s, 22, R, p.T));
        memset(codes, 0, sizeof codes);
        job.codes = run ? codes : first;
        OK(lbh_table_search_run(s, N, &job));
        for (int i = 0; i < N; i++)
            cr_assert(job.codes[3 * i + 2] < 64, "pad bits of row %d", i);
        cr_assert(!run || memcmp(first, codes, sizeof codes) == 0, "%s", isa[run - 1]);
        for (int64_t i = 0; i < N; i += 7) {
            uint8_t one[3] = {0};
            const lbh_table_job alone = {.x = p.x + i * R, .u = p.u + i * R, .along = 2,
                                         .patience = 3, .codes = one};
            OK(lbh_table_search_some(s, 1, &alone));
            cr_assert(memcmp(first + 3 * i, one, 3) == 0);
        }
        lbh_table_search_free(s);
    }
    unsetenv("LBH_ISA");
    free_problem(&p);
}
