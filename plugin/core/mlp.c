/* mlp.c: see mlp.h. Per layer one matrix product forward, two backward; the passes between them are
 * element-wise over rows, or over blocks of 16 columns where they sum. */
#include "mlp.h"

#include "arena.h"
#include "blas.h"
#include "cpu.h"
#include "error.h"
#include "linear.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16, ROWS = 16, APPLY_ROWS = 96 };

lbh_mlp lbh_mlp_shape(int d, int nhidden, const int *hidden, int nout)
{
    lbh_mlp m = {.size = {d}};
    for (int i = 0; i < nhidden && m.nlayers < LBH_MLP_MAX - 1; i++)
        if (hidden[i] > 0)
            m.size[++m.nlayers] = hidden[i];
    m.size[++m.nlayers] = nout;
    return m;
}

static size_t weights(const lbh_mlp *m, int l)
{
    return (size_t)m->size[l + 1] * (size_t)m->size[l];
}

int64_t lbh_mlp_size(const lbh_mlp *m)
{
    int64_t size = 0;
    for (int l = 0; l < m->nlayers; l++)
        size += (int64_t)weights(m, l) + m->size[l + 1];
    return size;
}

void lbh_mlp_bind(lbh_mlp *m, float *theta)
{
    for (int l = 0; l < m->nlayers; l++) {
        m->W[l] = theta;
        m->b[l] = theta + weights(m, l);
        theta = m->b[l] + m->size[l + 1];
    }
}

void lbh_mlp_copy(const lbh_mlp *from, const lbh_mlp *to)
{
    for (int l = 0; l < from->nlayers; l++) {
        memcpy(to->W[l], from->W[l], weights(from, l) * sizeof *to->W[l]);
        memcpy(to->b[l], from->b[l], (size_t)from->size[l + 1] * sizeof *to->b[l]);
    }
}

int lbh_mlp_start(const lbh_mlp *m, uint64_t seed, uint64_t stream)
{
    for (int l = 0; l < m->nlayers; l++) {
        int64_t n = (int64_t)weights(m, l);
        float bound = sqrtf(6.0f / ((float)m->size[l] + (float)m->size[l + 1]));
        lbh_rng_uniform(seed, stream + (uint64_t)l, 0, n, m->W[l]);
        for (int64_t i = 0; i < n; i++)
            m->W[l][i] = bound * (2 * m->W[l][i] - 1);
        memset(m->b[l], 0, (size_t)m->size[l + 1] * sizeof *m->b[l]);
    }
    return LBH_OK;
}

LBH_CLONES
static void add_bias(int rows, int n, const float *restrict b, float *restrict Y)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++)
            Y[(ptrdiff_t)i * n + j] += b[j];
}

LBH_CLONES
static void add_bias_relu(int rows, int n, const float *restrict b, float *restrict Y)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++) {
            float y = Y[(ptrdiff_t)i * n + j] + b[j];
            Y[(ptrdiff_t)i * n + j] = y > 0 ? y : 0;
        }
}

LBH_CLONES
static void drop_units(ptrdiff_t n, float drop, float scale, const float *restrict u,
                       float *restrict Y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        Y[i] = u[i] < drop ? 0.0f : Y[i] * scale;
}

static float dropped(const lbh_mlp_batch *w, int l)
{
    return w->uniform[l] && w->drop > 0 ? w->drop : 0;
}

void lbh_mlp_forward(const lbh_mlp *m, int B, const float *X, const lbh_mlp_batch *w)
{
    for (int l = 0; l < m->nlayers; l++) {
        int n = m->size[l + 1];
        float *Y = w->Y[l], drop = dropped(w, l);
        lbh_gemm_nt(B, n, m->size[l], 1, l ? w->Y[l - 1] : X, m->W[l], 0, Y);
#pragma omp parallel for schedule(static)
        for (int i = 0; i < B; i += ROWS) {
            int rows = B - i < ROWS ? B - i : ROWS;
            ptrdiff_t at = (ptrdiff_t)i * n;
            if (l == m->nlayers - 1)
                add_bias(rows, n, m->b[l], Y + at);
            else
                add_bias_relu(rows, n, m->b[l], Y + at);
            if (l < m->nlayers - 1 && drop > 0)
                drop_units((ptrdiff_t)rows * n, drop, 1 / (1 - drop), w->uniform[l] + at, Y + at);
        }
    }
}

/* db = column sums of D, columns j0 .. j1-1 */
LBH_CLONES
static void sum_columns(int B, int n, int j0, int j1, const float *restrict D, float *restrict db)
{
    float sum[COLUMNS] = {0};
    for (int i = 0; i < B; i++)
        for (int j = j0; j < j1; j++)
            sum[j - j0] += D[(ptrdiff_t)i * n + j];
    for (int j = j0; j < j1; j++)
        db[j] = sum[j - j0];
}

static void bias_gradient(int B, int n, const float *D, float *db)
{
#pragma omp parallel for schedule(static)
    for (int j0 = 0; j0 < n; j0 += COLUMNS)
        sum_columns(B, n, j0, j0 + COLUMNS < n ? j0 + COLUMNS : n, D, db);
}

/* D passes a unit that gave something, times the scale that dropout gave it. */
LBH_CLONES
static void relu_gradient(ptrdiff_t n, float scale, const float *restrict Y, float *restrict D)
{
    for (ptrdiff_t i = 0; i < n; i++)
        D[i] = Y[i] > 0 ? D[i] * scale : 0.0f;
}

void lbh_mlp_backward(const lbh_mlp *m, int B, const float *X, const lbh_mlp_batch *w,
                      const lbh_mlp *grad, float *dX)
{
    for (int l = m->nlayers - 1; l >= 0; l--) {
        int in = m->size[l], out = m->size[l + 1];
        lbh_gemm_tn(out, in, B, 1, w->D[l], l ? w->Y[l - 1] : X, 0, grad->W[l]);
        bias_gradient(B, out, w->D[l], grad->b[l]);
        float *below = l ? w->D[l - 1] : dX;
        if (!below)
            break;
        lbh_gemm_nn(B, in, out, 1, w->D[l], m->W[l], 0, below);
        if (l == 0)
            break;
        float scale = 1 / (1 - dropped(w, l - 1));
#pragma omp parallel for schedule(static)
        for (int i = 0; i < B; i++)
            relu_gradient(in, scale, w->Y[l - 1] + (ptrdiff_t)i * in, below + (ptrdiff_t)i * in);
    }
}

void lbh_mlp_fold_input(const lbh_mlp *m, const float *mean, float scale)
{
    int d = m->size[0];
    for (int k = 0; k < m->size[1]; k++) {
        float *w = m->W[0] + (ptrdiff_t)k * d;
        double shift = 0;
        for (int j = 0; j < d; j++) {
            w[j] *= scale;
            shift += (double)w[j] * (double)mean[j];
        }
        m->b[0][k] = (float)((double)m->b[0][k] - shift);
    }
}

/* ---- Applying ------------------------------------------------------------------------------ */

int lbh_mlp_pack(lbh_mlp_packed *p, const lbh_mlp *m)
{
    lbh_mlp_unpack(p);
    p->nlayers = m->nlayers;
    memcpy(p->size, m->size, sizeof p->size);
    for (int l = 0; l < m->nlayers; l++) {
        int rc = lbh_panels_new(&p->layer[l], m->size[l + 1], m->size[l], m->W[l], m->b[l]);
        if (rc) {
            lbh_mlp_unpack(p);
            return rc;
        }
        if (l < m->nlayers - 1 && m->size[l + 1] > p->widest)
            p->widest = m->size[l + 1];
    }
    return LBH_OK;
}

void lbh_mlp_unpack(lbh_mlp_packed *p)
{
    for (int l = 0; l < LBH_MLP_MAX; l++)
        lbh_panels_free(p->layer[l]);
    *p = (lbh_mlp_packed){0};
}

LBH_CLONES
static void relu(ptrdiff_t n, float *y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = y[i] > 0 ? y[i] : 0;
}

int lbh_mlp_apply(const lbh_mlp_packed *p, int64_t n, const float *x, float *z)
{
    int last = p->nlayers - 1;
    if (last == 0) {
        lbh_panels_apply(p->layer[0], n, x, z);
        return LBH_OK;
    }
    ptrdiff_t size = (ptrdiff_t)APPLY_ROWS * p->widest;
    float *room = lbh_alloc(2 * size, sizeof *room);
    if (!room)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i += APPLY_ROWS) {
        int rows = n - i < APPLY_ROWS ? (int)(n - i) : APPLY_ROWS;
        const float *in = x + i * p->size[0];
        for (int l = 0; l < last; l++) {
            float *out = room + (l % 2) * size;
            lbh_panels_apply(p->layer[l], rows, in, out);
            relu((ptrdiff_t)rows * p->size[l + 1], out);
            in = out;
        }
        lbh_panels_apply(p->layer[last], rows, in, z + i * p->size[p->nlayers]);
    }
    free(room);
    return LBH_OK;
}
