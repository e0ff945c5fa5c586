/* sgh_gram.c: see sgh_gram.h. Passes go over blocks of columns, as in sgh_step.c. */
#include "sgh_gram.h"

#include "blas.h"
#include "cpu.h"

#include <math.h>
#include <stddef.h>

enum { WIDE = 32 };

/* What lies in scratch->T, which is B x d: V (unless that is U), -M^T X, and an L x L matrix. */
typedef struct room {
    const float *V;
    float *scaled, *cross, *square;
    double *part; /* of each block of columns */
} room;

static room rooms(const sgh_config *cfg, const sgh_params *p, int B, const sgh_batch *w)
{
    ptrdiff_t size = (ptrdiff_t)cfg->nbits * cfg->d, all = (ptrdiff_t)B * cfg->d;
    ptrdiff_t blocks = (cfg->d + WIDE - 1) / WIDE;
    room r = {.scaled = w->T, .cross = w->T + size, .square = w->T + 2 * size};
    r.V = cfg->decoder == SGH_SCALED ? r.scaled : p->U;
    r.part = (double *)(void *)(w->T + (all / 2 - blocks) * 2);
    return r;
}

/* 2 L^2 d + 2 B L^2 against B L d multiply-adds. That it pays by a fifth at least also says that
 * rooms() fit: 2 L d + 2 L^2 <= 4/5 B d. */
bool sgh_gram_pays(const sgh_config *cfg, int B)
{
    double L = cfg->nbits, d = cfg->d;
    return B >= 16 && 2 * L * (d + B) <= 0.8 * B * d;
}

LBH_CLONES
static void add_to_rows(int B, int L, const float *restrict a, float *restrict G)
{
    for (ptrdiff_t i = 0; i < B; i++)
        for (int j = 0; j < L; j++)
            G[i * L + j] += a[j];
}

void sgh_gram_code(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                   const float *M, const sgh_batch *w)
{
    int d = cfg->d, L = cfg->nbits;
    room r = rooms(cfg, p, B, w);
    if (cfg->decoder == SGH_SCALED)
        for (int k = 0; k < L; k++)
            for (int j = 0; j < d; j++)
                r.scaled[(ptrdiff_t)k * d + j] = p->U[(ptrdiff_t)k * d + j] * fabsf(p->s[j]);
    lbh_gemm_nt(L, L, d, 1, r.V, r.V, 0, r.square);
    lbh_gemm_nn(B, L, L, 1, M, r.square, 0, w->G);
    lbh_gemm_nt(B, L, d, -1, X, r.V, 1, w->G);
    if (cfg->decoder == SGH_BASIC)
        return;
    lbh_gemm_nt(1, L, d, 1, p->c, r.V, 0, w->sums);
    add_to_rows(B, L, w->sums, w->G);
}

/* A block of columns; all but the counts start at it. s, c, dc, ds may be NULL. */
typedef struct columns {
    int B, L, d;
    const float *X, *U, *s, *c, *cross, *of_bits; /* of_bits = M^T 1 */
    float inv_rho2, decay;
    float *dU, *dc, *ds; /* dU holds (M^T M) V */
} columns;

static inline __attribute__((always_inline)) double finish_block(const int width, const columns *k)
{
    float sum_x[WIDE] = {0}, sum_xx[WIDE] = {0}, sum_v[WIDE] = {0}, sum_um[WIDE] = {0};
    float sum_vx[WIDE] = {0}, scale[WIDE], shift[WIDE];
    double rec = 0;
    for (int j = 0; j < width; j++) {
        scale[j] = k->s ? fabsf(k->s[j]) : 1.0f;
        shift[j] = k->c ? k->c[j] : 0.0f;
    }
    for (int i = 0; i < k->B; i++) {
        const float *restrict x = k->X + (ptrdiff_t)i * k->d;
        for (int j = 0; j < width; j++) {
            sum_x[j] += x[j];
            sum_xx[j] += x[j] * x[j];
        }
    }
    for (int l = 0; l < k->L; l++) {
        float m = k->of_bits[l];
        const float *restrict U = k->U + (ptrdiff_t)l * k->d;
        const float *restrict cross = k->cross + (ptrdiff_t)l * k->d;
        float *restrict dU = k->dU + (ptrdiff_t)l * k->d;
        for (int j = 0; j < width; j++) {
            float v = U[j] * scale[j], mr = dU[j] + m * shift[j] + cross[j];
            sum_v[j] += m * v;
            sum_um[j] += U[j] * mr;
            sum_vx[j] -= v * cross[j];
            dU[j] = k->inv_rho2 * (mr * scale[j]) + k->decay * U[j];
        }
    }
    for (int j = 0; j < width; j++) {
        float sum_r = sum_v[j] + (float)k->B * shift[j] - sum_x[j];
        double xr = (double)sum_vx[j] + (double)shift[j] * (double)sum_x[j] - (double)sum_xx[j];
        rec += 0.5 * ((double)(scale[j] * sum_um[j]) + (double)shift[j] * (double)sum_r - xr);
        if (k->dc)
            k->dc[j] = sum_r;
        if (k->ds)
            k->ds[j] = k->s[j] < 0 ? -sum_um[j] : sum_um[j];
    }
    return rec;
}

LBH_CLONES
static double finish(int width, const columns *k)
{
    return width == WIDE ? finish_block(WIDE, k) : finish_block(width, k);
}

/* M^T 1 */
static void sum_bits(int B, int L, const float *M, float *sum)
{
    for (int j = 0; j < L; j++)
        sum[j] = 0;
    for (int i = 0; i < B; i++)
        add_to_rows(1, L, M + (ptrdiff_t)i * L, sum);
}

double sgh_gram_decoder(const sgh_config *cfg, const sgh_params *p, int B, const float *X,
                        const float *M, float inv_rho2, const sgh_batch *w, const sgh_params *g)
{
    int d = cfg->d, L = cfg->nbits, nblocks = (d + WIDE - 1) / WIDE;
    room r = rooms(cfg, p, B, w);
    const float *s = cfg->decoder == SGH_SCALED ? p->s : NULL;
    const float *c = cfg->decoder == SGH_BASIC ? NULL : p->c;
    lbh_gemm_tn(L, d, B, -1, M, X, 0, r.cross);
    lbh_gemm_tn(L, L, B, 1, M, M, 0, r.square);
    lbh_gemm_nn(L, d, L, 1, r.square, r.V, 0, g->U);
    sum_bits(B, L, M, w->sums);
#pragma omp parallel for schedule(static)
    for (int b = 0; b < nblocks; b++) {
        int j = b * WIDE;
        columns k = {.B = B, .L = L, .d = d, .X = X + j, .U = p->U + j, .s = s ? s + j : NULL,
                     .c = c ? c + j : NULL, .cross = r.cross + j, .of_bits = w->sums,
                     .inv_rho2 = inv_rho2, .decay = cfg->decay_u, .dU = g->U + j,
                     .dc = c && g->c ? g->c + j : NULL, .ds = s && g->s ? g->s + j : NULL};
        r.part[b] = finish(d - j < WIDE ? d - j : WIDE, &k);
    }
    double rec = 0;
    for (int b = 0; b < nblocks; b++)
        rec += r.part[b];
    return rec;
}
