/* anchor_graph.c: see anchor_graph.h. The nearest anchors are those with the least
 * ||a||^2 - 2 u . a, ||u||^2 being the same for all; it cancels in the weights too. */
#include "anchor_graph.h"

#include "linalg.h"
#include "linear.h"
#include "rng.h"
#include "vmath.h"
#include "watch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 64, LANES = 16 };

static const uint64_t STREAM_ANCHORS = 0x616772617068;

int lbh_anchor_graph_visit(lbh_anchor_graph *g, const lbh_encoder *enc, int m, int columns,
                           lbh_visitor *v)
{
    LBH_TRY(v->tensor(v, "mean", &g->mean, 1, enc->d));
    LBH_TRY(v->tensor(v, "scale", &g->scale, 1, 1));
    LBH_TRY(v->tensor(v, "anchors", &g->anchors, m, enc->d));
    LBH_TRY(v->tensor(v, "gamma", &g->gamma, 1, 1));
    return v->tensor(v, "W", &g->W, m, columns);
}

static double squared_norm(int d, const float *u)
{
    double sum = 0;
    for (int j = 0; j < d; j++)
        sum += (double)u[j] * (double)u[j];
    return sum;
}

static int pack(lbh_anchor_graph *g, int m, int d)
{
    float *A = lbh_alloc((int64_t)m * d, sizeof *A), *b = lbh_alloc(m, sizeof *b);
    int rc = A && b ? LBH_OK : LBH_ENOMEM;
    lbh_anchor_graph_release(g);
    for (int64_t i = 0; i < (int64_t)m * d && !rc; i++)
        A[i] = -2 * g->anchors[i];
    for (int k = 0; k < m && !rc; k++)
        b[k] = (float)squared_norm(d, g->anchors + (int64_t)k * d);
    if (!rc)
        rc = lbh_panels_new(&g->to_anchors, m, d, A, b);
    free(A);
    free(b);
    return rc;
}

/* The s least of distance[m], nearest first, the first of equal ones first. */
static void least(int m, int s, const float *distance, int *who, float *value)
{
    for (int k = 0; k < s; k++) {
        value[k] = FLT_MAX;
        who[k] = 0;
    }
    for (int j = 0; j < m; j++) {
        if (!(distance[j] < value[s - 1]))
            continue;
        int at = s - 1;
        for (; at > 0 && distance[j] < value[at - 1]; at--) {
            value[at] = value[at - 1];
            who[at] = who[at - 1];
        }
        value[at] = distance[j];
        who[at] = j;
    }
}

/* The s nearest anchors of rows u[n * d], and ||u - a||^2 - ||u||^2. distance[n * m]: scratch. */
static void nearest(const lbh_anchor_graph *g, int m, int s, int n, const float *u,
                    float *distance, int *who, float *value)
{
    lbh_panels_apply(g->to_anchors, n, u, distance);
    for (int i = 0; i < n; i++)
        least(m, s, distance + (int64_t)i * m, who + (int64_t)i * s, value + (int64_t)i * s);
}

/* value[s], distances nearest first, becomes the weights. */
static void weigh(float gamma, int s, float *value)
{
    float first = value[0], sum = 0;
    for (int k = 0; k < s; k++) {
        value[k] = lbh_expf(-gamma * (value[k] - first));
        sum += value[k];
    }
    for (int k = 0; k < s; k++)
        value[k] /= sum;
}

/* nearest() of all training rows, in threads. */
static int nearest_of_all(const lbh_anchor_graph *g, lbh_training *t, const lbh_anchor_weights *w,
                          int s, const float *X, int *who, float *value)
{
    int d = t->rows.d, failed = 0;
    bool stop = false;
#pragma omp parallel
    {
        float *distance = lbh_alloc((int64_t)BLOCK_ROWS * w->m, sizeof *distance);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < w->n; i += BLOCK_ROWS) {
            int rows = w->n - i < BLOCK_ROWS ? (int)(w->n - i) : BLOCK_ROWS;
            if (distance && !lbh_watch_stopped(&stop))
                nearest(g, w->m, s, rows, X + i * d, distance, who + i * s, value + i * s);
        }
        if (!distance)
#pragma omp atomic write
            failed = 1;
        free(distance);
    }
    return failed ? LBH_ENOMEM : lbh_watch_check();
}

/* A round of k-means; a cell that has become empty keeps its anchor. */
static int move_anchors(lbh_anchor_graph *g, lbh_training *t, const lbh_anchor_weights *w,
                        const float *X, double *sum, int64_t *count)
{
    int d = t->rows.d, m = w->m;
    LBH_TRY(pack(g, m, d));
    LBH_TRY(nearest_of_all(g, t, w, 1, X, w->who, w->weight));
    memset(count, 0, (size_t)m * sizeof *count);
    memset(sum, 0, (size_t)m * (size_t)d * sizeof *sum);
    for (int64_t i = 0; i < w->n; i++)
        count[w->who[i]]++;
#pragma omp parallel for schedule(static)
    for (int j0 = 0; j0 < d; j0 += LANES) {
        int width = d - j0 < LANES ? d - j0 : LANES;
        for (int64_t i = 0; i < w->n; i++)
            for (int j = 0; j < width; j++)
                sum[(int64_t)w->who[i] * d + j0 + j] += (double)X[i * d + j0 + j];
    }
    for (int64_t k = 0; k < m; k++)
        for (int j = 0; j < d && count[k]; j++)
            g->anchors[k * d + j] = (float)(sum[k * d + j] / (double)count[k]);
    return LBH_OK;
}

static int find_anchors(lbh_anchor_graph *g, lbh_training *t, const lbh_anchor_weights *w,
                        const float *X, int rounds)
{
    int d = t->rows.d, m = w->m;
    int64_t *ids = lbh_scratch(t, m, sizeof *ids), *count = lbh_scratch(t, m, sizeof *count);
    double *sum = lbh_scratch(t, (int64_t)m * d, sizeof *sum);
    if (!ids || !count || !sum)
        return LBH_ENOMEM;
    LBH_TRY(lbh_rng_sample((uint64_t)t->enc->common[LBH_OPT_SEED], STREAM_ANCHORS, w->n, m, ids));
    for (int k = 0; k < m; k++)
        memcpy(g->anchors + (int64_t)k * d, X + ids[k] * d, (size_t)d * sizeof *X);
    for (int round = 0; round < rounds && !t->stop; round++)
        LBH_TRY(move_anchors(g, t, w, X, sum, count));
    return pack(g, m, d);
}

int lbh_anchor_graph_learn(lbh_anchor_graph *g, lbh_training *t, int64_t n, float *X, int m, int s,
                           int rounds, double width, lbh_anchor_weights *w)
{
    int d = t->rows.d;
    double total = 0, far = 0;
    *w = (lbh_anchor_weights){.n = n, .m = m, .s = s};
    w->who = lbh_scratch(t, n * s, sizeof *w->who);
    w->weight = lbh_scratch_f(t, n, s);
    w->lambda = lbh_scratch(t, m, sizeof *w->lambda);
    if (!w->who || !w->weight || !w->lambda)
        return LBH_ENOMEM;
    lbh_centre(n, d, X, g->mean);
    for (int64_t i = 0; i < n; i++)
        total += squared_norm(d, X + i * d);
    double rms = sqrt(total / (double)n / d);
    g->scale[0] = (float)(rms > 0 ? fmin(1 / rms, 1e30) : 1);
    for (int64_t i = 0; i < n * d; i++)
        X[i] *= g->scale[0];
    LBH_TRY(find_anchors(g, t, w, X, rounds));
    LBH_TRY(nearest_of_all(g, t, w, s, X, w->who, w->weight));
    for (int64_t i = 0; i < n; i++)
        far += sqrt(fmax(0, (double)w->weight[i * s + s - 1] + squared_norm(d, X + i * d)));
    far *= width / (double)n;
    g->gamma[0] = (float)(far > 1e-6 ? 1 / (far * far) : 0);
    for (int64_t i = 0; i < n; i++) {
        weigh(g->gamma[0], s, w->weight + i * s);
        for (int k = 0; k < s; k++)
            w->lambda[w->who[i * s + k]] += (double)w->weight[i * s + k];
    }
    return LBH_OK;
}

/* With M = Lambda^-1/2 Z^T Z Lambda^-1/2 = V diag(sigma) V^T: Y = sqrt(n) Z Lambda^-1/2 V sigma^-1/2.
 * sqrt(lambda / n) is the eigenvector of the constant Y, whose eigenvalue is 1: it is taken off M. */
int lbh_anchor_graph_spectrum(lbh_training *t, const lbh_anchor_weights *w, int r, float *W,
                              float *eigenvalue)
{
    int m = w->m, s = w->s, found = r < m ? r : m;
    double *M = lbh_scratch(t, (int64_t)m * m, sizeof *M);
    double *narrow = lbh_scratch(t, m, sizeof *narrow);
    float *V = lbh_scratch_f(t, found, m);
    if (!M || !narrow || !V)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < w->n; i++)
        for (int a = 0; a < s; a++)
            for (int b = 0; b < s; b++)
                M[(int64_t)w->who[i * s + a] * m + w->who[i * s + b]] +=
                    (double)w->weight[i * s + a] * (double)w->weight[i * s + b];
    for (int a = 0; a < m; a++) /* an anchor that no row is near is left out */
        narrow[a] = w->lambda[a] > 1e-12 ? 1 / sqrt(w->lambda[a]) : 0;
    for (int a = 0; a < m; a++)
        for (int b = 0; b < m; b++)
            M[(int64_t)a * m + b] = M[(int64_t)a * m + b] * narrow[a] * narrow[b] -
                                    sqrt(w->lambda[a]) * sqrt(w->lambda[b]) / (double)w->n;
    LBH_TRY(lbh_leading_eigenvectors(m, M, found, V, eigenvalue));
    memset(W, 0, (size_t)m * (size_t)r * sizeof *W);
    for (int k = 0; k < r; k++) {
        if (k >= found || eigenvalue[k] < 1e-5F) {
            eigenvalue[k] = 0;
            continue;
        }
        const float *v = V + (int64_t)k * m;
        int largest = 0;
        for (int a = 1; a < m; a++)
            largest = fabsf(v[a]) > fabsf(v[largest]) ? a : largest;
        double size = sqrt((double)w->n / (double)eigenvalue[k]) * (v[largest] < 0 ? -1 : 1);
        for (int a = 0; a < m; a++)
            W[(int64_t)a * r + k] = (float)(size * narrow[a] * (double)v[a]);
    }
    return LBH_OK;
}

/* y[r] = sum of weight_k W[who_k] */
static void combine(int s, const int *who, const float *weight, int r, const float *W, float *y)
{
    memset(y, 0, (size_t)r * sizeof *y);
    for (int k = 0; k < s; k++) {
        const float *row = W + (int64_t)who[k] * r;
        for (int c = 0; c < r; c++)
            y[c] += weight[k] * row[c];
    }
}

void lbh_anchor_graph_forward(const lbh_anchor_weights *w, int r, const float *W, float *Y)
{
    int s = w->s;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w->n; i++)
        combine(s, w->who + i * s, w->weight + i * s, r, W, Y + i * r);
}

void lbh_anchor_graph_backward(const lbh_anchor_weights *w, int r, const float *Y, float *P)
{
    int s = w->s;
    memset(P, 0, (size_t)w->m * (size_t)r * sizeof *P);
#pragma omp parallel for schedule(static)
    for (int c0 = 0; c0 < r; c0 += LANES) {
        int width = r - c0 < LANES ? r - c0 : LANES;
        for (int64_t i = 0; i < w->n; i++)
            for (int k = 0; k < s; k++) {
                float *p = P + (int64_t)w->who[i * s + k] * r + c0, a = w->weight[i * s + k];
                for (int c = 0; c < width; c++)
                    p[c] += a * Y[i * r + c0 + c];
            }
    }
}

int lbh_anchor_graph_prepare(lbh_anchor_graph *g, const lbh_encoder *enc, int m)
{
    return pack(g, m, enc->d);
}

void lbh_anchor_graph_release(lbh_anchor_graph *g)
{
    lbh_panels_free(g->to_anchors);
    g->to_anchors = NULL;
}

int lbh_anchor_graph_project(const lbh_anchor_graph *g, const lbh_encoder *enc, int m, int s,
                             int columns, int64_t n, const float *x, float *y)
{
    int d = enc->d, who[BLOCK_ROWS * LBH_MAX_NEAR_ANCHORS] = {0};
    float value[BLOCK_ROWS * LBH_MAX_NEAR_ANCHORS] = {0};
    float *U = lbh_alloc((int64_t)BLOCK_ROWS * (d + m), sizeof *U);
    if (!U)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i += BLOCK_ROWS) {
        int rows = n - i < BLOCK_ROWS ? (int)(n - i) : BLOCK_ROWS;
        for (int k = 0; k < rows; k++)
            for (int j = 0; j < d; j++)
                U[(int64_t)k * d + j] = (x[(i + k) * d + j] - g->mean[j]) * g->scale[0];
        nearest(g, m, s, rows, U, U + (int64_t)BLOCK_ROWS * d, who, value);
        for (int k = 0; k < rows; k++) {
            weigh(g->gamma[0], s, value + k * s);
            combine(s, who + k * s, value + k * s, columns, g->W, y + (i + k) * columns);
        }
    }
    free(U);
    return LBH_OK;
}
