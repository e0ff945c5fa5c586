/* test_unit.c: lengths, distances and rows of length 1 against sums in the order of the columns. */
#include "support.h"

#include "unit.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST = 41, N = 3 };

/* Rows of numbers of every size there is, by `scale`. */
static void fill(int n, float scale, uint64_t seed, float *x)
{
    for (int i = 0; i < n; i++)
        x[i] = scale * (float)test_normal(seed, (uint64_t)i);
}

static double length_of(int d, const float *x, const float *y)
{
    double sum = 0;
    for (int j = 0; j < d; j++) {
        double gap = (double)x[j] - (y ? (double)y[j] : 0);
        sum += gap * gap;
    }
    return sqrt(sum);
}

Test(unit, lengths_and_distances)
{
    static const float scales[] = {1, 1e-30f, 1e30f};
    float x[MOST], y[MOST];
    for (int s = 0; s < 3; s++)
        for (int d = 1; d <= MOST; d++) {
            fill(d, scales[s], 1, x);
            fill(d, scales[s], 2, y);
            double length = length_of(d, x, NULL), gap = length_of(d, x, y);
            cr_assert_float_eq(lbh_length(d, x), length, 1e-14 * length, "%d columns", d);
            cr_assert_float_eq(lbh_distance(d, x, y), gap, 1e-14 * gap, "%d columns", d);
            cr_assert_eq(lbh_distance(d, x, x), 0);
        }
}

Test(unit, rows_of_length_one)
{
    for (int d = 1; d <= MOST; d++) {
        float x[N * MOST], out[N * MOST], in_place[N * MOST];
        fill(N * d, 100, 3, x);
        memset(x + d, 0, (size_t)d * sizeof *x); /* the second row */
        memcpy(in_place, x, sizeof x);
        lbh_unit_rows(N, d, x, out);
        lbh_unit_rows(N, d, in_place, in_place);
        cr_assert_arr_eq(out, in_place, (size_t)(N * d) * sizeof *out);
        for (int i = 0; i < N * d; i++) {
            double length = length_of(d, x + i / d * d, NULL);
            cr_assert_float_eq(out[i], length > 0 ? (double)x[i] / length : 0, FLT_EPSILON);
        }
    }
}
