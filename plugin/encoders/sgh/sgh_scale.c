/* sgh_scale.c: see sgh_scale.h. Sums over the batch go by blocks of columns, as in sgh_step.c. */
#include "sgh_scale.h"

#include "blas.h"
#include "cpu.h"

#include <math.h>
#include <stddef.h>

enum { COLUMNS = 16 };

/* One row: Z = mu + b + tau o eps, M = H o Z. */
LBH_CLONES
static void scale_row(int L, const float *restrict b, const float *restrict tau,
                      const float *restrict eps, const float *restrict H, float *restrict Z,
                      float *restrict M)
{
    for (int j = 0; j < L; j++) {
        float z = Z[j] + b[j] + tau[j] * eps[j];
        Z[j] = z;
        M[j] = H[j] * z;
    }
}

void sgh_scale_codes(const sgh_config *cfg, const sgh_scale *s, int B, const float *X,
                     const float *H)
{
    int L = cfg->nbits;
    float *tau = s->gt; /* free until the gradients */
    for (int j = 0; j < L; j++)
        tau[j] = expf(s->t[j]);
    lbh_gemm_nt(B, L, cfg->d, 1, X, s->W, 0, s->Z);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        ptrdiff_t at = (ptrdiff_t)i * L;
        scale_row(L, s->b, tau, s->eps + at, H + at, s->Z + at, s->M + at);
    }
}

typedef struct column_terms {
    float inv_rho2, penalty, middle, entropy;
    const float *nu; /* NULL: biased */
} column_terms;

LBH_CLONES
static void columns(int B, int L, int j0, int j1, const column_terms *c, const sgh_scale *s,
                    const float *restrict H, float *restrict G)
{
    const float *restrict Z = s->Z, *restrict eps = s->eps;
    float *restrict D = s->D;
    float sum_d[COLUMNS] = {0}, sum_e[COLUMNS] = {0};
    for (int i = 0; i < B; i++)
        for (int j = j0; j < j1; j++) {
            ptrdiff_t k = (ptrdiff_t)i * L + j;
            float g = G[k], h = H[k], z = Z[k], nu = c->nu ? c->nu[j] : 0;
            float dz = g * h * c->inv_rho2 + c->penalty * (z - 1);
            D[k] = dz;
            sum_d[j - j0] += dz;
            sum_e[j - j0] += dz * eps[k];
            G[k] = z * (g + nu * (c->middle - h) * z);
        }
    for (int j = j0; j < j1; j++) {
        s->gb[j] = sum_d[j - j0];
        s->gt[j] = expf(s->t[j]) * sum_e[j - j0] - c->entropy;
    }
}

void sgh_scale_gradients(const sgh_config *cfg, const sgh_scale *s, int B, const float *X,
                         const float *H, float inv_rho2, const float *nu, float *G)
{
    int L = cfg->nbits;
    column_terms terms = {.inv_rho2 = inv_rho2,
                          .penalty = s->penalty,
                          .middle = cfg->coding == SGH_CODING_PM1 ? 0 : 0.5f,
                          .entropy = cfg->kl * (float)B,
                          .nu = nu};
#pragma omp parallel for schedule(static)
    for (int j0 = 0; j0 < L; j0 += COLUMNS)
        columns(B, L, j0, j0 + COLUMNS < L ? j0 + COLUMNS : L, &terms, s, H, G);
    lbh_gemm_tn(L, cfg->d, B, 1, s->D, X, 0, s->gW);
}

double sgh_scale_loss(const sgh_config *cfg, const sgh_scale *s, int B)
{
    int L = cfg->nbits;
    double sum = 0;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)B * L; i++) {
        double z = (double)s->Z[i] - 1;
        sum += 0.5 * (double)s->penalty * z * z;
    }
    for (int j = 0; j < L; j++)
        sum -= (double)cfg->kl * B * (double)s->t[j];
    return sum;
}
