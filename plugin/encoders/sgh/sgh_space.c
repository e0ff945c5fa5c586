/* sgh_space.c: the space that SGH trains in, and where it starts.
 *
 *   t = (x - mean) V^T scale
 *
 * V are the leading r principal components: directions that hold next to no variance cost time and
 * teach nothing. scale is one number for the whole set, so that the components that the bits can
 * explain have variance 1 on average: the order of distances and of inner products is kept, and any
 * data scale ends where the neurons learn. Nothing is ever scaled by row.
 *
 * Start (not in the paper, which starts at random): the rotation of ITQ as encoder, with logits of
 * standard deviation `slope`, and the matching decoder. */
#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "fit_decoder.h"
#include "sgh.h"
#include "space.h"

#include <math.h>
#include <string.h>

enum { STATISTICS_ROWS = 100000 };
enum { STREAM_W = 32, STREAM_B, STREAM_U, STREAM_ITQ };

static const double TARGET_RMS = 0.33; /* without PCA: that of MNIST's pixels in [0,1] */

int sgh_space_dimension(const lbh_encoder *self)
{
    int pca = (int)self->value[SGH_OPT_PCA]; /* 0: the vectors as they are */
    return pca ? lbh_space_dimension(pca, self->nbits, self->d) : self->d;
}

/* ---- Into the space ------------------------------------------------------------------------ */

static void variances(int64_t n, int d, const float *X, float *variance)
{
#pragma omp parallel for schedule(static)
    for (int j = 0; j < d; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)X[i * d + j] * (double)X[i * d + j];
        variance[j] = (float)(sum / (double)n);
    }
}

/* Without PCA: the mean may stay in the data, as in the published program. */
static void find_scale(const lbh_encoder *self, int64_t m, const float *S, sgh_run *r)
{
    bool centre = self->value[SGH_OPT_CENTRE] != 0;
    double sum = 0;
    variances(m, r->d, S, r->variance);
    for (int j = 0; j < r->d; j++)
        sum += (double)r->variance[j] + (centre ? 0 : (double)r->mean[j] * (double)r->mean[j]);
    double rms = sqrt(sum / r->d);
    r->scale = rms > 0 ? (float)(TARGET_RMS / rms) : 1;
}

int sgh_enter_space(const lbh_encoder *self, lbh_training *t, sgh_run *r)
{
    int64_t m;
    float *S;
    r->mean = lbh_scratch_f(t, 1, r->d);
    r->variance = lbh_scratch_f(t, 1, r->cfg.d);
    bool pca = self->value[SGH_OPT_PCA] != 0;
    r->V = pca ? lbh_scratch_f(t, r->cfg.d, r->d) : NULL;
    if (!r->mean || !r->variance || (pca && !r->V))
        return LBH_ENOMEM;
    LBH_TRY(lbh_sample_rows(t, STATISTICS_ROWS, &m, &S));
    lbh_centre(m, r->d, S, r->mean);
    if (pca)
        LBH_TRY(lbh_space_components(m, r->d, S, r->cfg.d, self->nbits, r->seed, r->V, r->variance,
                                     &r->scale));
    else
        find_scale(self, m, S, r);
    if (self->value[SGH_OPT_SCALE] > 0)
        r->scale = (float)self->value[SGH_OPT_SCALE];
    for (int j = 0; j < r->cfg.d; j++)
        r->variance[j] *= r->scale * r->scale;
    if (!pca && self->value[SGH_OPT_CENTRE] == 0)
        for (int j = 0; j < r->d; j++) { /* the decoder's shift takes the mean up */
            r->p.c[j] = r->mean[j] * r->scale;
            r->mean[j] = 0;
        }
    return lbh_space_rows(t, r->d, r->cfg.d, r->mean, r->V, r->scale, &r->n, &r->rows, &r->norm);
}

/* ---- The start ----------------------------------------------------------------------------- */

/* The published program's: W ~ N(0, 1/d), b ~ N(0, 1), U ~ N(0, 1/L), s = the variances. */
static void start_random(sgh_run *r)
{
    int64_t d = r->cfg.d, L = r->cfg.nbits;
    lbh_rng_normal(r->seed, STREAM_W, L * d, r->p.W);
    lbh_rng_normal(r->seed, STREAM_B, L, r->p.b);
    lbh_rng_normal(r->seed, STREAM_U, L * d, r->p.U);
    for (int64_t i = 0; i < L * d; i++) {
        r->p.W[i] /= sqrtf((float)d);
        r->p.U[i] /= sqrtf((float)L);
    }
}

/* Bits k0 .. k0+count-1 start as the rotation A[count * d] of ITQ: logits slope * (a_k . t) / std,
 * templates mean|a_k . t| a_k; with more bits than dimensions each explains its share l / L. */
static void start_from_rotation(sgh_run *r, int k0, int count, int64_t m, const float *T,
                                const float *A, float *Z, float slope, float share)
{
    int d = r->cfg.d;
    lbh_gemm_nt((int)m, count, d, 1, T, A, 0, Z);
    for (int k = 0; k < count; k++) {
        double square = 0, absolute = 0;
        for (int64_t i = 0; i < m; i++) {
            double z = Z[i * count + k];
            square += z * z;
            absolute += fabs(z);
        }
        double std = sqrt(square / (double)m), length = absolute / (double)m;
        float *W = r->p.W + (int64_t)(k0 + k) * d, *U = r->p.U + (int64_t)(k0 + k) * d;
        for (int j = 0; j < d; j++) {
            float a = A[(int64_t)k * d + j];
            W[j] = std > 0 ? (float)(slope * a / std) : a;
            U[j] = (float)(share * length * a);
        }
        if (r->cfg.coding == SGH_CODING_01) /* h = (1 + f) / 2 */
            for (int j = 0; j < d; j++) {
                U[j] *= 2;
                r->p.c[j] -= 0.5f * U[j];
            }
    }
}

static int start_itq(const lbh_encoder *self, lbh_training *t, sgh_run *r, bool as_itq)
{
    int d = r->cfg.d, L = r->cfg.nbits, l = L < d ? L : d;
    int64_t m;
    float *A = lbh_scratch_f(t, L, d), *T;
    if (!A)
        return LBH_ENOMEM;
    LBH_TRY(lbh_space_rotations(t, r->n, d, r->rows, L, r->seed, STREAM_ITQ, as_itq, A, &m,
                                &T));
    float *Z = lbh_scratch_f(t, m, l);
    if (!Z)
        return LBH_ENOMEM;
    for (int k = 0; k < L; k += l)
        start_from_rotation(r, k, L - k < l ? L - k : l, m, T, A + (int64_t)k * d, Z,
                            (float)self->value[SGH_OPT_SLOPE], (float)l / (float)L);
    return LBH_OK;
}

int sgh_start(const lbh_encoder *self, lbh_training *t, sgh_run *r, bool as_itq)
{
    for (int j = 0; j < r->cfg.d; j++)
        r->p.s[j] = fmaxf(r->variance[j], 1e-7f);
    r->p.log_rho[0] = (float)log(self->value[SGH_OPT_RHO]);
    if ((int)self->value[SGH_OPT_INIT] == SGH_INIT_ITQ)
        return start_itq(self, t, r, as_itq);
    start_random(r);
    return LBH_OK;
}

/* ---- Out of the space ---------------------------------------------------------------------- */

/* The least-squares decoder of the codes that the encoder gives without noise. */
int sgh_refit_decoder(lbh_training *t, sgh_run *r)
{
    float lo = r->cfg.coding == SGH_CODING_PM1 ? -1.0f : 0.0f;
    return lbh_fit_decoder(t, r->n, r->cfg.d, r->rows, r->cfg.nbits, r->p.W, r->p.b, lo, r->p.U,
                           r->p.c);
}

void sgh_expand(const sgh_run *r, int rows, const float *M, float *out)
{
    if (r->V)
        lbh_gemm_nn(rows, r->d, r->cfg.d, 1, M, r->V, 0, out);
    else
        memcpy(out, M, (size_t)rows * (size_t)r->d * sizeof *out);
}

/* a = W t + b and x^ = ((h U) o |s| + c) V / scale + mean, with h = lo + (1 - lo) bit. */
void sgh_leave_space(const sgh_run *r, sgh_model *model)
{
    int d = r->d, L = r->cfg.nbits;
    float lo = r->cfg.coding == SGH_CODING_PM1 ? -1.0f : 0.0f;
    if (r->cfg.decoder == SGH_SCALED) /* never with PCA: s goes with the data's own dimensions */
        for (int64_t i = 0; i < (int64_t)L * d; i++)
            r->p.U[i] *= fabsf(r->p.s[i % d]);
    sgh_expand(r, L, r->p.W, model->W);
    sgh_expand(r, L, r->p.U, model->U);
    sgh_expand(r, 1, r->p.c, model->c);
    for (int j = 0; j < d; j++)
        model->c[j] = model->c[j] / r->scale + r->mean[j];
    for (int k = 0; k < L; k++) {
        double shift = 0;
        for (int j = 0; j < d; j++) {
            int64_t i = (int64_t)k * d + j;
            float u = model->U[i] / r->scale;
            model->W[i] *= r->scale;
            shift += (double)model->W[i] * (double)r->mean[j];
            model->c[j] += lo * u;
            model->U[i] = (1 - lo) * u;
        }
        model->b[k] = (float)((double)r->p.b[k] - shift);
    }
}
