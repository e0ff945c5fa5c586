/* map_codes.c: see map_codes.h. Tabu search as in Glover, Lü & Hao, "Diversification-driven tabu
 * search for unconstrained binary quadratic problems", 4OR 2010, without its restarts. */
#include "map_codes.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A flipped bit is barred for L / 5 flips, 8 at most, and 0 to 4 more at random. */
enum { LANES = 16, TENURE_SHARE = 5, TENURE_MAX = 8, TENURE_SPREAD = 5 };

int lbh_quadratic_new(lbh_quadratic *q, int L, int d, const float *V)
{
    q->L = L;
    q->stride = (L + LANES - 1) / LANES * LANES;
    q->G4 = lbh_alloc((int64_t)L * q->stride, sizeof *q->G4);
    if (!q->G4)
        return LBH_ENOMEM;
#pragma omp parallel for schedule(dynamic)
    for (int a = 0; a < L; a++)
        for (int b = 0; b < L; b++) {
            double sum = 0;
            for (int j = 0; j < d; j++)
                sum += (double)V[(int64_t)a * d + j] * (double)V[(int64_t)b * d + j];
            q->G4[(int64_t)a * q->stride + b] = (float)(4 * sum);
        }
    return LBH_OK;
}

void lbh_quadratic_free(lbh_quadratic *q)
{
    free(q->G4);
    q->G4 = NULL;
}

void lbh_signed_decoder(int L, int d, const float *U, const float *c, float *V, float *m, float *Vm)
{
    memmove(m, c, (size_t)d * sizeof *m);
    for (int64_t i = 0; i < (int64_t)L * d; i++) {
        V[i] = 0.5f * U[i];
        m[i % d] += V[i];
    }
    for (int k = 0; k < L; k++) {
        double sum = 0;
        for (int j = 0; j < d; j++)
            sum += (double)V[(int64_t)k * d + j] * (double)m[j];
        Vm[k] = (float)sum;
    }
}

/* The search's arrays, each of `stride` entries. */
typedef struct search {
    int stride;
    float *g, *b, *diagonal, *y; /* diagonal: 4 G_kk and the extra term's share; huge in the padding */
    int32_t *barred;             /* iteration until which a bit may not flip */
    float *best;
} search;

size_t lbh_map_scratch(int L)
{
    size_t stride = (size_t)(L + LANES - 1) / LANES * LANES;
    return stride * (5 * sizeof(float) + sizeof(int32_t));
}

static search lay_out(int stride, void *scratch)
{
    float *f = scratch;
    search s = {.stride = stride,
                .g = f,
                .b = f + stride,
                .diagonal = f + 2 * stride,
                .y = f + 3 * stride,
                .best = f + 4 * stride,
                .barred = (int32_t *)(void *)(f + 5 * stride)};
    memset(scratch, 0, (size_t)stride * (5 * sizeof(float) + sizeof(int32_t)));
    return s;
}

/* Index and cost of the cheapest flip, barred ones left out, and of the cheapest of all. Equal costs:
 * the first lane's smallest index wins, the same everywhere. */
LBH_CLONES
static void cheapest(int stride, int32_t it, const float *restrict g, const float *restrict b,
                     const float *restrict diagonal, const int32_t *restrict barred, int *free_k,
                     float *free_cost, int *any_k, float *any_cost)
{
    float fc[LANES], ac[LANES];
    int32_t fk[LANES], ak[LANES];
    for (int j = 0; j < LANES; j++) {
        fc[j] = ac[j] = FLT_MAX;
        fk[j] = ak[j] = -1;
    }
    for (int k = 0; k < stride; k += LANES)
        for (int j = 0; j < LANES; j++) {
            float cost = diagonal[k + j] - b[k + j] * g[k + j];
            float free_only = barred[k + j] > it ? FLT_MAX : cost;
            fk[j] = free_only < fc[j] ? k + j : fk[j];
            fc[j] = free_only < fc[j] ? free_only : fc[j];
            ak[j] = cost < ac[j] ? k + j : ak[j];
            ac[j] = cost < ac[j] ? cost : ac[j];
        }
    *free_k = *any_k = -1;
    *free_cost = *any_cost = FLT_MAX;
    for (int j = 0; j < LANES; j++) {
        if (fc[j] < *free_cost) {
            *free_cost = fc[j];
            *free_k = fk[j];
        }
        if (ac[j] < *any_cost) {
            *any_cost = ac[j];
            *any_k = ak[j];
        }
    }
}

/* g += change * row + extra * y: what a flip does to the gradient. */
LBH_CLONES
static void add_row(int stride, float change, const float *restrict row, float extra,
                    const float *restrict y, float *restrict g)
{
    for (int j = 0; j < stride; j++)
        g[j] += change * row[j] + extra * y[j];
}

/* g = 4 (G b - p) of the whole form, and the diagonal. Returns E(b) up to its constant. */
static float start(const lbh_quadratic *q, const float *p, const lbh_extra_term *x, const float *b,
                   search *s)
{
    float weight = x ? 4 * x->lambda * x->alpha * x->alpha : 0, dot = 0, energy = 0;
    for (int k = 0; k < q->L; k++) {
        s->b[k] = b[k];
        s->y[k] = x ? x->y[k] : 0;
        dot += s->y[k] * b[k];
    }
    for (int k = 0; k < q->L; k++)
        add_row(q->stride, b[k], q->G4 + (int64_t)k * q->stride, 0, s->y, s->g);
    float shift = x ? 4 * x->lambda * x->alpha * x->t : 0;
    for (int k = 0; k < q->L; k++) {
        float pull = 4 * p[k] + shift * s->y[k];
        s->g[k] += weight * dot * s->y[k] - pull;
        s->diagonal[k] = q->G4[(int64_t)k * q->stride + k] + weight * s->y[k] * s->y[k];
        energy += 0.25f * s->b[k] * (s->g[k] - pull); /* b^T G b - 2 b^T p = b . (g - 4p) / 4 */
    }
    for (int k = q->L; k < q->stride; k++)
        s->diagonal[k] = FLT_MAX;
    return energy;
}

void lbh_map_search(const lbh_quadratic *q, const float *p, const lbh_extra_term *extra,
                    int iterations, float *b, float *margin, void *scratch)
{
    search s = lay_out(q->stride, scratch);
    const lbh_extra_term *x = extra && extra->lambda > 0 ? extra : NULL;
    float weight = x ? 4 * x->lambda * x->alpha * x->alpha : 0;
    float energy = start(q, p, x, b, &s), best = energy;
    int tenure = q->L / TENURE_SHARE < TENURE_MAX ? q->L / TENURE_SHARE : TENURE_MAX;
    uint32_t random = 12345; /* the same numbers for every row */
    size_t bytes = (size_t)q->L * sizeof *b;
    memcpy(s.best, s.b, bytes);
    int limit = 64 * q->L + 32 * iterations; /* rounding must not keep it going for ever */
    for (int it = 0, since = 0; since <= iterations && it < limit; it++) {
        int k, any;
        float cost, any_cost;
        cheapest(q->stride, it, s.g, s.b, s.diagonal, s.barred, &k, &cost, &any, &any_cost);
        float enough = 1e-4f * fabsf(best);
        if (k < 0 || (any != k && energy + any_cost < best - enough)) {
            k = any; /* barred, but better than all before */
            cost = any_cost;
        }
        if (k < 0 || (iterations == 0 && !(cost < -1e-6f * (s.diagonal[k] + fabsf(s.g[k])))))
            break;
        float change = -2 * s.b[k];
        add_row(q->stride, change, q->G4 + (int64_t)k * q->stride, weight * change * s.y[k], s.y,
                s.g);
        s.b[k] = -s.b[k];
        energy += cost;
        random = random * 1664525u + 1013904223u;
        s.barred[k] = it + 1 + tenure + (int32_t)((random >> 16) % TENURE_SPREAD);
        bool better = energy < best - 1e-6f * fabsf(best);
        if (better) {
            best = energy;
            memcpy(s.best, s.b, bytes);
        }
        since = better ? 0 : since + 1;
    }
    memcpy(b, s.best, bytes);
    if (!margin)
        return;
    memset(s.g, 0, (size_t)s.stride * sizeof *s.g);
    start(q, p, x, b, &s);
    for (int k = 0; k < q->L; k++) /* the sign must be the bit's even where a flip is free */
        margin[k] = b[k] * fmaxf(s.diagonal[k] - b[k] * s.g[k], FLT_MIN);
}
