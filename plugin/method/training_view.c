/* training_view.c: see training_view.h. */
#include "training_view.h"

#include "finite.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLE_ROWS = 2048, FEWEST_ROWS = 64, BLOCK = 1024 };

/* Floats that the middle is taken from; that are looked at for damped rows: all rows of that many
 * floats, or a part of more. */
static const int64_t SAMPLE_FLOATS = 1 << 22, ALL_FLOATS = 1 << 26, PART_FLOATS = 1 << 23;

/* Where lengths are log-normal, the longest of 100,000 rows are 4.5 standard deviations above the
 * median, the third quartile 0.674: the longest are (q / median)^(4.5 / 0.674) medians long. */
static const double LONG_TAIL = 4.5 / 0.674 - 1;

/* ---- Reading ------------------------------------------------------------------------------- */

/* The distance that a row at a distance `far` beyond the bound counts as. */
static double drawn_in(const lbh_view *v, double far)
{
    return v->keep_long ? v->bound : fmax(v->q, v->bound * v->bound / far);
}

static void damp(const lbh_view *v, int64_t count, int d, float *x)
{
#pragma omp parallel for schedule(static) if (count * d > 65536)
    for (int64_t i = 0; i < count; i++) {
        float *row = x + i * d;
        double far = lbh_distance(d, row, v->middle);
        if (far <= v->bound)
            continue;
        double share = drawn_in(v, far) / far;
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
    if (v->unit)
        lbh_unit_rows(count, self->d, x, x);
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

/* Middle, q, and the bound in units of q. */
static int find_bound(lbh_view *v, lbh_training *t, double robust, double *bound)
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
        far[i] = (float)fmin(lbh_distance(d, X + i * d, v->middle), 3e38);
    v->q = (double)select_nth(m, 3 * m / 4, far);
    double median = (double)select_nth(m, m / 2, far);
    *bound = robust;
    if (v->keep_long && median > 0)
        *bound = fmax(robust, pow(v->q / median, LONG_TAIL));
    return LBH_OK;
}

static void look_at(const lbh_view *v, int d, const float *x, lbh_damped *found)
{
    if (v->unit)
        found->zero += lbh_length(d, x) <= 0;
    double far = v->q > 0 ? lbh_distance(d, x, v->middle) / v->q : 0;
    if (far <= found->bound)
        return;
    found->least = found->count++ ? fmin(found->least, far) : far;
    found->most = fmax(found->most, far);
}

static int look(const lbh_view *v, lbh_training *t, lbh_damped *found)
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
        for (int64_t j = 0; j < count; j++)
            look_at(v, d, x + j * d, found);
    }
    return LBH_OK;
}

int lbh_view_prepare(lbh_view *v, lbh_training *t, lbh_damped *found)
{
    double robust = t->enc->common[LBH_OPT_ROBUST];
    int metric = (int)t->enc->common[LBH_OPT_METRIC];
    *found = (lbh_damped){0};
    v->unit = metric == LBH_METRIC_COSINE;
    v->keep_long = metric == LBH_METRIC_IP;
    if (robust > 0)
        LBH_TRY(find_bound(v, t, robust, &found->bound));
    if (v->q > 0 || v->unit) /* q = 0: most rows are one and the same, and no measure of others */
        LBH_TRY(look(v, t, found));
    v->bound = found->bound * v->q;
    return LBH_OK;
}

static int note_damped(lbh_encoder *enc, const lbh_damped *f)
{
    char text[256], range[64];
    snprintf(range, sizeof range, f->count > 1 ? "%.3g to %.3g" : "%.3g", f->least, f->most);
    snprintf(text, sizeof text,
             "%lld of %lld rows %s %s times as far from the middle as three quarters of the rows "
             "reach: in training they count as at most %.3g times as far",
             (long long)f->count, (long long)f->looked, f->count > 1 ? "are" : "is", range,
             f->bound);
    return lbh_encoder_set_note(enc, "damped", text);
}

static int note_zero(lbh_encoder *enc, const lbh_damped *f)
{
    char text[256];
    snprintf(text, sizeof text,
             "%lld of %lld rows %s nothing but zeros: without a direction, their cosine with any "
             "row counts as 0",
             (long long)f->zero, (long long)f->looked, f->zero > 1 ? "hold" : "holds");
    return lbh_encoder_set_note(enc, "zero_rows", text);
}

int lbh_view_note(lbh_encoder *enc, const lbh_damped *found)
{
    if (found->count)
        LBH_TRY(note_damped(enc, found));
    return found->zero ? note_zero(enc, found) : LBH_OK;
}
