/* unit.c: see unit.h. Sums are eight side by side, in one order on every CPU. */
#include "unit.h"

#include "cpu.h"

#include <math.h>
#include <stddef.h>

enum { SUMS = 8 };

static double total(const double *part)
{
    double sum = 0;
    for (int k = 0; k < SUMS; k++)
        sum += part[k];
    return sum;
}

LBH_CLONES
static double square(int d, const float *x)
{
    double part[SUMS] = {0};
    int j = 0;
    for (; j + SUMS <= d; j += SUMS)
        for (int k = 0; k < SUMS; k++)
            part[k] += (double)x[j + k] * (double)x[j + k];
    for (; j < d; j++)
        part[j % SUMS] += (double)x[j] * (double)x[j];
    return total(part);
}

LBH_CLONES
static double square_of_gap(int d, const float *restrict x, const float *restrict y)
{
    double part[SUMS] = {0};
    int j = 0;
    for (; j + SUMS <= d; j += SUMS)
        for (int k = 0; k < SUMS; k++) {
            double gap = (double)x[j + k] - (double)y[j + k];
            part[k] += gap * gap;
        }
    for (; j < d; j++)
        part[j % SUMS] += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    return total(part);
}

double lbh_length(int d, const float *x)
{
    return sqrt(square(d, x));
}

double lbh_distance(int d, const float *x, const float *y)
{
    return sqrt(square_of_gap(d, x, y));
}

LBH_CLONES
static void divide(int d, double length, const float *x, float *out)
{
    for (int j = 0; j < d; j++)
        out[j] = (float)((double)x[j] / length);
}

void lbh_unit_rows(int64_t n, int d, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        double length = lbh_length(d, x + i * d);
        divide(d, length > 0 ? length : 1, x + i * d, out + i * d);
    }
}
