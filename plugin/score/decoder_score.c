/* decoder_score.c: see decoder_score.h. */
#include "decoder_score.h"
#include "finite.h"
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(int d, const float *x, const float *y)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

static void find_centre(lbh_decoder_score *s, const float *U, const float *c)
{
    for (int i = 0; i < s->d; i++) {
        double sum = c[i];
        for (int k = 0; k < s->nbits; k++)
            sum += 0.5 * U[(int64_t)k * s->d + i];
        s->centre[i] = (float)sum;
    }
}

/* The map to weights; scales U. */
static int prepare_weights(lbh_decoder_score *s, float *U)
{
    float scale = s->metric == LBH_METRIC_L2 ? -2.0f : -1.0f;
    for (int k = 0; k < s->nbits; k++) {
        float *u = U + (int64_t)k * s->d;
        s->reach += sqrt(dot(s->d, u, u));
        for (int i = 0; i < s->d; i++)
            u[i] *= scale;
    }
    return lbh_panels_new(&s->weights, s->nbits, s->d, U, NULL);
}

/* G = R R^T in place, R lower triangular, for a G that may lack full rank: a column without a pivot
 * is 0. In plain loops: the same bits on every CPU. */
static void cholesky(int n, double *G)
{
    double most = 0;
    for (int k = 0; k < n; k++)
        most = fmax(most, G[(int64_t)k * n + k]);
    for (int k = 0; k < n; k++) {
        const double *row = G + (int64_t)k * n;
        for (int i = k; i < n; i++) {
            double *other = G + (int64_t)i * n;
            for (int j = 0; j < k; j++)
                other[k] -= row[j] * other[j];
        }
        double pivot = row[k], scale = pivot > 1e-12 * most ? 1 / sqrt(pivot) : 0;
        for (int i = k; i < n; i++)
            G[(int64_t)i * n + k] *= scale;
    }
}

/* Inner product of two of the rows of U; the one behind the last of them is the centre. */
static double product(const lbh_decoder_score *s, const float *U, int k, int l)
{
    return dot(s->d, k < s->nbits ? U + (int64_t)k * s->d : s->centre,
               l < s->nbits ? U + (int64_t)l * s->d : s->centre);
}

/* Vectors with the inner products of the U_k (and of the centre, under the cosine): the rows of the Cholesky
 * factor of these. */
static int reduce_vectors(lbh_decoder_score *s, const float *U)
{
    bool cosine = s->metric == LBH_METRIC_COSINE;
    int n = s->nbits + cosine;
    double *G = lbh_alloc((int64_t)n * n, sizeof *G);
    float *vectors = lbh_alloc((int64_t)n * n, sizeof *vectors);
    int rc = G && vectors ? LBH_OK : LBH_ENOMEM;
    for (int k = 0; k < n && !rc; k++)
        for (int l = 0; l <= k; l++)
            G[(int64_t)k * n + l] = product(s, U, k, l);
    if (!rc)
        cholesky(n, G);
    for (int k = 0; k < n && !rc; k++)
        for (int l = 0; l <= k; l++)
            vectors[(int64_t)k * n + l] = (float)G[(int64_t)k * n + l];
    if (!rc)
        rc = lbh_code_norms_of_bits(&s->norms, s->nbits, n, vectors,
                                    cosine ? vectors + (int64_t)s->nbits * n : NULL);
    free(G);
    free(vectors);
    return rc;
}

static int prepare_norms(lbh_decoder_score *s, const float *U, bool reduce)
{
    if (s->metric == LBH_METRIC_IP)
        return LBH_OK;
    if (reduce && s->nbits < s->d)
        return reduce_vectors(s, U);
    return lbh_code_norms_of_bits(&s->norms, s->nbits, s->d, U,
                                  s->metric == LBH_METRIC_COSINE ? s->centre : NULL);
}

/* The axes are orthonormal: ||m + y axes||^2 = ||axes m + y||^2 + ||m||^2 - ||axes m||^2. */
static int prepare_table_norms(lbh_decoder_score *s, const lbh_tables *t)
{
    if (s->metric != LBH_METRIC_COSINE)
        return s->metric == LBH_METRIC_IP
                   ? LBH_OK
                   : lbh_code_norms_of_bytes(&s->norms, t->nbytes, t->columns, t->T, NULL);
    float *shift = lbh_alloc(t->columns, sizeof *shift);
    if (!shift)
        return LBH_ENOMEM;
    s->rest = dot(t->d, t->centre, t->centre);
    for (int k = 0; k < t->columns; k++) {
        double along = dot(t->d, t->axes + (int64_t)k * t->d, t->centre);
        shift[k] = (float)along;
        s->rest -= along * along;
    }
    s->rest = fmax(s->rest, 0);
    int rc = lbh_code_norms_of_bytes(&s->norms, t->nbytes, t->columns, t->T, shift);
    free(shift);
    return rc;
}

static int prepare_tables(lbh_decoder_score *s, const lbh_tables *t)
{
    int64_t entries = (int64_t)t->nbytes * LBH_TABLE;
    float scale = s->metric == LBH_METRIC_L2 ? -2.0f : -1.0f;
    float *T = lbh_alloc(entries * t->columns, sizeof *T);
    if (!T)
        return LBH_ENOMEM;
    memcpy(s->centre, t->centre, (size_t)t->d * sizeof *s->centre);
    for (int m = 0; m < t->nbytes; m++) {
        double most = 0;
        for (int b = 0; b < LBH_TABLE; b++) {
            int64_t at = ((int64_t)m * LBH_TABLE + b) * t->columns;
            most = fmax(most, dot(t->columns, t->T + at, t->T + at));
            for (int k = 0; k < t->columns; k++)
                T[at + k] = scale * t->T[at + k];
        }
        s->reach += sqrt(most);
    }
    s->tables = t;
    int rc = lbh_panels_new(&s->weights, t->columns, t->d, t->axes, NULL);
    if (!rc)
        rc = lbh_panels_new(&s->entries, (int)entries, t->columns, T, NULL);
    free(T);
    return rc ? rc : prepare_table_norms(s, t);
}

int lbh_decoder_score_init(lbh_decoder_score *s, const lbh_encoder *enc, int metric, bool reduce)
{
    *s = (lbh_decoder_score){.metric = metric, .d = enc->d, .nbits = enc->nbits};
    bool tables = enc->tables.columns > 0;
    s->score = tables ? lbh_byte_score() : lbh_choose_score(&s->byte_tables);
    s->nibble_tables = !tables;
    s->byte_tables |= tables;
    float *U = lbh_alloc((int64_t)s->nbits * s->d, sizeof *U);
    float *c = lbh_alloc(s->d, sizeof *c);
    s->centre = lbh_alloc(s->d, sizeof *s->centre);
    int rc = U && c && s->centre ? lbh_encoder_decoder(enc, U, c) : LBH_ENOMEM;
    if (!rc && tables)
        rc = prepare_tables(s, &enc->tables);
    if (!rc && !tables) {
        find_centre(s, U, c);
        rc = prepare_norms(s, U, reduce);
    }
    if (!rc && !tables)
        rc = prepare_weights(s, U);
    free(U);
    free(c);
    if (rc)
        lbh_decoder_score_clear(s);
    return rc;
}

void lbh_decoder_score_clear(lbh_decoder_score *s)
{
    lbh_panels_free(s->weights);
    lbh_panels_free(s->entries);
    free(s->centre);
    lbh_code_norms_clear(&s->norms);
    *s = (lbh_decoder_score){0};
}

double lbh_decoder_score_query(const lbh_decoder_score *s, const float *q, float *x)
{
    bool l2 = s->metric == LBH_METRIC_L2;
    double sum = 0;
    if (s->metric == LBH_METRIC_COSINE) {
        lbh_unit_rows(1, s->d, q, x);
        q = x;
    }
    for (int j = 0; j < s->d; j++) {
        x[j] = l2 ? q[j] - s->centre[j] : q[j];
        sum += l2 ? (double)x[j] * x[j] : -(double)q[j] * s->centre[j];
    }
    return sum;
}

int64_t lbh_decoder_score_room(const lbh_decoder_score *s)
{
    int64_t nbytes = (s->nbits + 7) / 8;
    return s->d + (s->tables ? s->tables->columns + nbytes * LBH_TABLE : s->nbits + 8 * nbytes);
}

/* The parts of the room: x[n * d], the weights' values, and those of the entries or, for one query at
 * a time, the weights with zeros behind them. */
void lbh_decoder_score_fill(const lbh_decoder_score *s, int64_t n, const float *q, float *room,
                            lbh_score_table *table)
{
    int nbytes = (s->nbits + 7) / 8, width = s->tables ? s->tables->columns : s->nbits;
    float *x = room, *weight = x + n * s->d, *rest = weight + n * width;
    for (int64_t i = 0; i < n; i++) {
        table[i].offset = (float)lbh_decoder_score_query(s, q + i * s->d, x + i * s->d);
        table[i].least = s->metric == LBH_METRIC_L2 ? 0 : -INFINITY;
    }
    lbh_panels_apply(s->weights, n, x, weight);
    if (s->tables)
        lbh_panels_apply(s->entries, n, weight, rest);
    for (int64_t i = 0; i < n; i++) {
        size_t size = (size_t)nbytes * LBH_TABLE;
        if (s->tables) {
            memcpy(table[i].byte, rest + (size_t)i * size, size * sizeof *rest);
            continue;
        }
        memset(rest, 0, 8 * (size_t)nbytes * sizeof *rest); /* pad bits weigh nothing */
        memcpy(rest, weight + i * width, (size_t)width * sizeof *rest);
        lbh_score_table_fill(&table[i], nbytes, rest);
    }
}

void lbh_decoder_score_norms(const lbh_decoder_score *s, int64_t n, const uint8_t *codes,
                             float *norm)
{
    lbh_code_norms_fill(&s->norms, n, codes, norm);
    for (int64_t i = 0; i < n && s->metric == LBH_METRIC_COSINE; i++) {
        float square = norm[i] + (float)s->rest;
        norm[i] = square > 0 ? 1 / sqrtf(square) : 0;
    }
}

bool lbh_decoder_score_multiplies(const lbh_decoder_score *s)
{
    return s->metric == LBH_METRIC_COSINE;
}

void lbh_decoder_score_multiply(int64_t n, const float *norm, float *score)
{
    for (int64_t i = 0; i < n; i++)
        score[i] *= norm[i];
}

int lbh_decoder_score_check(const lbh_decoder_score *s, const char *method, int64_t nq,
                            const float *q)
{
    int64_t bad = lbh_find_nonfinite(nq, s->d, q);
    if (bad >= 0)
        return lbh_error(LBH_EINVAL, "%s: query %lld holds a NaN or an infinity", method,
                         (long long)bad);
    float *x = lbh_alloc(s->d, sizeof *x);
    if (!x)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < nq && bad < 0; i++) {
        double offset = fabs(lbh_decoder_score_query(s, q + i * s->d, x));
        double most = offset + 2 * sqrt(dot(s->d, x, x)) * s->reach + s->reach * s->reach;
        bad = most < FLT_MAX ? -1 : i;
    }
    free(x);
    return bad < 0 ? LBH_OK
                   : lbh_error(LBH_EINVAL, "%s: query %lld holds numbers so large that its scores "
                               "overflow", method, (long long)bad);
}
