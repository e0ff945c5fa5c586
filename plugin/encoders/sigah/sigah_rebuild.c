/* sigah_rebuild.c: rows rebuilt from codes by the generator that made the codes what they are,
 *
 *   x^ = f(h Wg + bg) A V / scale + mean,   h = 2 bits - 1
 *
 * Without noise the generator learned from t = tanh(z), whose sign the bit is: there h stands for the mean of |t|,
 * which goes into Wg. For figures 4 and 6 of the paper. Scores are never by it: the linear decoder stands beside it. */
#include "blas.h"
#include "sigah.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 };

bool sigah_keeps_generator(const lbh_encoder *self)
{
    return self->common[LBH_OPT_REBUILD] == LBH_REBUILD_GENERATOR;
}

/* Row k of Wg times the mean of |tanh(z_k)| over the rows of the watch. */
static void scale_bits(const sigah_run *r, float *Wg)
{
    const sigah_watch *w = &r->watch;
    int L = r->cfg.nbits, m = r->cfg.m;
    lbh_gemm_nt(w->n, L, r->cfg.d, 1, w->X, r->p[SIGAH_W], 0, w->Z);
    for (int k = 0; k < L; k++) {
        double sum = 0;
        for (int i = 0; i < w->n; i++)
            sum += fabs(tanh((double)(w->Z[(ptrdiff_t)i * L + k] + r->p[SIGAH_B][k])));
        for (int j = 0; j < m; j++)
            Wg[(ptrdiff_t)k * m + j] *= (float)(sum / w->n);
    }
}

void sigah_keep_generator(const sigah_run *r, sigah_model *model)
{
    int d = r->d, s = r->cfg.d, m = r->cfg.m;
    memcpy(model->Wg, r->p[SIGAH_WG], (size_t)r->cfg.nbits * (size_t)m * sizeof *model->Wg);
    if (!r->noise)
        scale_bits(r, model->Wg);
    memcpy(model->bg, r->p[SIGAH_BG], (size_t)m * sizeof *model->bg);
    memcpy(model->mean, r->mean, (size_t)d * sizeof *model->mean);
    if (r->cfg.measurement != SIGAH_IDENTITY) {
        lbh_gemm_nn(m, d, s, 1 / r->scale, r->p[SIGAH_A], r->V, 0, model->A);
        return;
    }
    for (int64_t i = 0; i < (int64_t)m * d; i++) /* A is the identity: m = s */
        model->A[i] = r->V[i] / r->scale;
}

/* h of n codes. */
static void unpack(int64_t n, int nbits, const uint8_t *codes, float *h)
{
    int size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < nbits; k++)
            h[i * nbits + k] = codes[i * size + k / 8] >> (k % 8) & 1 ? 1.0f : -1.0f;
}

int sigah_rebuild(const lbh_encoder *self, int64_t n, const uint8_t *codes, float *x)
{
    const sigah_model *s = self->state;
    sigah_config cfg = sigah_configure(self);
    int L = self->nbits, d = self->d, size = (L + 7) / 8;
    float *h = lbh_alloc((int64_t)BLOCK * L, sizeof *h);
    float *S = lbh_alloc((int64_t)BLOCK * cfg.m, sizeof *S);
    float *slope = lbh_alloc((int64_t)BLOCK * cfg.m, sizeof *slope);
    int rc = h && S && slope ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += BLOCK) {
        int count = (int)(n - i < BLOCK ? n - i : BLOCK);
        float *rows = x + i * d;
        unpack(count, L, codes + i * size, h);
        sigah_features(&cfg, count, h, s->Wg, s->bg, S, slope);
        for (int row = 0; row < count; row++)
            memcpy(rows + (int64_t)row * d, s->mean, (size_t)d * sizeof *rows);
        lbh_gemm_nn(count, d, cfg.m, 1, S, s->A, 1, rows);
    }
    free(h);
    free(S);
    free(slope);
    return rc;
}
