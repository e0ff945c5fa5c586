/* training_view.c: see training_view.h. */
#include "training_view.h"

#include "cpu.h"
#include "finite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLE_ROWS = 2048, FEWEST_ROWS = 64, BLOCK = 1024 };

/* Floats that the middle is taken from; that are looked at for damped rows: all rows of that many
 * floats, or a part of more. */
static const int64_t SAMPLE_FLOATS = 1 << 22, ALL_FLOATS = 1 << 26, PART_FLOATS = 1 << 23;

/* ---- Reading ------------------------------------------------------------------------------- */

LBH_CLONES
static double distance(int d, const float *restrict x, const float *restrict y)
{
    double part[8] = {0}, sum = 0; /* eight sums: one order on every CPU */
    int j = 0;
    for (; j + 8 <= d; j += 8)
        for (int k = 0; k < 8; k++) {
            double gap = (double)x[j + k] - (double)y[j + k];
            part[k] += gap * gap;
        }
    for (; j < d; j++)
        part[j % 8] += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    for (int k = 0; k < 8; k++)
        sum += part[k];
    return sqrt(sum);
}

static void damp(const lbh_view *v, int64_t count, int d, float *x)
{
#pragma omp parallel for schedule(static) if (count * d > 65536)
    for (int64_t i = 0; i < count; i++) {
        float *row = x + i * d;
        double far = distance(d, row, v->middle);
        if (far <= v->bound)
            continue;
        double share = v->bound / far;
        for (int j = 0; j < d; j++)
            row[j] = (float)((double)v->middle[j] + share * ((double)row[j] - (double)v->middle[j]));
    }
}

static int read_view(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    const lbh_view *v = self->ctx;
    LBH_TRY(v->source->read(v->source, count, ids, x));
    int64_t bad = lbh_find_nonfinite(count, self->d, x);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "training row %lld holds a NaN or an infinity",
                         (long long)ids[bad]);
    if (v->bound > 0)
        damp(v, count, self->d, x);
    return LBH_OK;
}

lbh_rows lbh_view_rows(const lbh_view *view)
{
    return (lbh_rows){view->source->n, view->source->d, read_view, view};
}

/* ---- Middle and bound ---------------------------------------------------------------------- */

/* The element of x[n] that has k smaller ones before it (Hoare's selection). */
static float select_nth(int64_t n, int64_t k, float *x)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = x[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                float swap = x[i];
                x[i++] = x[j];
                x[j--] = swap;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return x[k];
}

/* columns[m * d]: scratch */
static void find_middle(int64_t m, int d, const float *X, float *columns, float *middle)
{
#pragma omp parallel for schedule(static)
    for (int j = 0; j < d; j++) {
        float *column = columns + j * m;
        for (int64_t i = 0; i < m; i++)
            column[i] = X[i * d + j];
        middle[j] = select_nth(m, m / 2, column);
    }
}

static int find_bound(lbh_view *v, lbh_training *t, double *q)
{
    int d = t->rows.d;
    int64_t room = SAMPLE_FLOATS / d, wanted = room < SAMPLE_ROWS ? room : SAMPLE_ROWS, m;
    float *X;
    LBH_TRY(lbh_sample_rows(t, wanted < FEWEST_ROWS ? FEWEST_ROWS : wanted, &m, &X));
    float *columns = lbh_scratch_f(t, d, m), *far = lbh_scratch_f(t, 1, m);
    v->middle = lbh_scratch_f(t, 1, d);
    if (!columns || !far || !v->middle)
        return LBH_ENOMEM;
    find_middle(m, d, X, columns, v->middle);
    for (int64_t i = 0; i < m; i++)
        far[i] = (float)fmin(distance(d, X + i * d, v->middle), 3e38);
    *q = (double)select_nth(m, 3 * m / 4, far);
    return LBH_OK;
}

static int look(const lbh_view *v, lbh_training *t, double q, lbh_damped *found)
{
    int d = t->rows.d;
    int64_t n = t->n <= ALL_FLOATS / d ? t->n : PART_FLOATS / d;
    if (n < FEWEST_ROWS)
        n = t->n < FEWEST_ROWS ? t->n : FEWEST_ROWS;
    int64_t *ids = lbh_scratch(t, n, sizeof *ids);
    float *x = lbh_scratch_f(t, n < BLOCK ? n : BLOCK, d);
    if (!ids || !x)
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_ids(t, n, ids));
    found->looked = n;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t count = n - i < BLOCK ? n - i : BLOCK;
        LBH_TRY(lbh_pull(t, count, ids + i, x));
        for (int64_t j = 0; j < count; j++) {
            double far = distance(d, x + j * d, v->middle) / q;
            if (far <= found->robust)
                continue;
            found->least = found->count++ ? fmin(found->least, far) : far;
            found->most = fmax(found->most, far);
        }
    }
    return LBH_OK;
}

int lbh_view_damp(lbh_view *view, lbh_training *t, double robust, lbh_damped *found)
{
    double q = 0;
    *found = (lbh_damped){.robust = robust};
    if (robust <= 0)
        return LBH_OK;
    LBH_TRY(find_bound(view, t, &q));
    if (!(q > 0)) /* three quarters of the rows are one and the same: nothing to measure with */
        return LBH_OK;
    LBH_TRY(look(view, t, q, found));
    view->bound = robust * q;
    return LBH_OK;
}

int lbh_note_damped(lbh_encoder *enc, const lbh_damped *f)
{
    char text[256], range[64];
    if (!f->count)
        return LBH_OK;
    snprintf(range, sizeof range, f->count > 1 ? "%.3g to %.3g" : "%.3g", f->least, f->most);
    snprintf(text, sizeof text,
             "%lld of %lld rows %s %s times as far from the middle as three quarters of the rows "
             "reach: in training they count as %.3g times as far",
             (long long)f->count, (long long)f->looked, f->count > 1 ? "are" : "is", range,
             f->robust);
    return lbh_encoder_set_note(enc, "damped", text);
}
