/* reduced.c: see reduced.h. */
#include "reduced.h"

#include "blas.h"
#include "linalg.h"

#include <math.h>
#include <string.h>

int lbh_reduced_components(int nbits)
{
    return 2 * nbits > 256 ? 2 * nbits : 256;
}

static float unit_scale(int r, const float *variance, int nbits)
{
    int leading = nbits < r ? nbits : r;
    double sum = 0;
    for (int i = 0; i < leading; i++)
        sum += (double)variance[i];
    return sum > 0 ? (float)fmin(sqrt(leading / sum), 1e30) : 1;
}

int lbh_reduce(lbh_training *t, int64_t max_train, int max_components, lbh_reduced *out)
{
    lbh_reduced p = {.d = t->enc->d};
    uint64_t seed = (uint64_t)t->enc->common[LBH_OPT_SEED];
    float *X;
    LBH_TRY(lbh_sample_rows(t, max_train, &p.m, &X));
    p.r = max_components < p.d ? max_components : p.d;
    p.mean = lbh_scratch_f(t, 1, p.d);
    p.V = lbh_scratch_f(t, p.r, p.d);
    p.variance = lbh_scratch_f(t, 1, p.r);
    p.Y = lbh_scratch_f(t, p.m, p.r);
    if (!p.mean || !p.V || !p.variance || !p.Y)
        return LBH_ENOMEM;
    lbh_centre(p.m, p.d, X, p.mean);
    LBH_TRY(lbh_pca(p.m, p.d, X, p.r, seed, p.V, p.variance));
    p.scale = unit_scale(p.r, p.variance, t->enc->nbits);
    lbh_gemm_nt((int)p.m, p.r, p.d, p.scale, X, p.V, 0, p.Y);
    for (int i = 0; i < p.r; i++)
        p.variance[i] *= p.scale * p.scale;
    *out = p;
    return LBH_OK;
}

void lbh_reduced_expand(const lbh_reduced *p, int L, const float *W, const float *w, float *A,
                        float *b)
{
    if (w)
        memcpy(b, w, (size_t)L * sizeof *b);
    else
        memset(b, 0, (size_t)L * sizeof *b);
    lbh_gemm_nn(L, p->d, p->r, p->scale, W, p->V, 0, A);
    lbh_gemm_nt(1, L, p->d, -1, p->mean, A, 1, b);
}
