/* sgh_pairs.c: see sgh_pairs.h. */
#include "sgh_pairs.h"

#include "blas.h"
#include "rng.h"

#include <math.h>
#include <stddef.h>

enum { STREAM_ROWS = 80, STREAM_KEY, STREAM_MEMBER };

/* ---- Batches ------------------------------------------------------------------------------- */

/* A row that is near row i; i has a list. */
static int64_t partner(const sgh_pairs *p, uint64_t seed, uint64_t index, int64_t i)
{
    int64_t first = p->start[i], count = p->start[i + 1] - first;
    int64_t key = p->key[first + lbh_rng_below(seed, STREAM_KEY, index, count)];
    if (!p->member)
        return key;
    first = p->member_start[key];
    count = p->member_start[key + 1] - first;
    return p->member[first + lbh_rng_below(seed, STREAM_MEMBER, index, count)];
}

void sgh_pairs_draw(sgh_pairs *p, uint64_t seed, int64_t step, int B)
{
    int quarter = B >= 4 ? B / 4 : 1, anchors = B - 2 * quarter, partners = B - quarter;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < partners; i++) {
        uint64_t index = (uint64_t)(step * B + i);
        int64_t any = lbh_rng_below(seed, STREAM_ROWS, index, i < anchors ? p->n : p->nknown);
        p->row[i] = i < anchors ? any : p->known[any];
        if (i >= anchors)
            p->row[i + quarter] = partner(p, seed, index, p->row[i]);
    }
    sgh_pairs_relate(p, B);
}

static bool has_list(const sgh_pairs *p, int64_t row)
{
    return p->start[row + 1] > p->start[row];
}

/* What is known of the pairs, as if none were near. */
static void mark_known(const sgh_pairs *p, int B)
{
    bool both = p->member != NULL;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++) {
        bool mine = has_list(p, p->row[i]);
        for (int j = 0; j < B; j++) {
            bool theirs = has_list(p, p->row[j]), known = both ? mine && theirs : mine || theirs;
            p->relation[(ptrdiff_t)i * B + j] = known && p->row[i] != p->row[j] ? 0 : -1;
        }
    }
}

/* Chains up the batch's rows by the keys that they hold, or empties the chains again. */
static void chain(sgh_pairs *p, int B, bool empty)
{
    int count = 0;
    for (int i = 0; i < B; i++) {
        int64_t row = p->row[i], first = p->member ? p->start[row] : row;
        int64_t last = p->member ? p->start[row + 1] : row + 1;
        for (int64_t j = first; j < last; j++) {
            int64_t key = p->member ? p->key[j] : row;
            p->holder[count] = i;
            p->next[count] = p->head[key];
            p->head[key] = empty ? 0 : ++count;
        }
    }
}

static void mark_near(sgh_pairs *p, int B)
{
    for (int i = 0; i < B; i++)
        for (int64_t j = p->start[p->row[i]]; j < p->start[p->row[i] + 1]; j++)
            for (int at = p->head[p->key[j]]; at; at = p->next[at - 1]) {
                int other = p->holder[at - 1];
                if (p->row[other] == p->row[i])
                    continue;
                p->relation[(ptrdiff_t)i * B + other] = 1;
                p->relation[(ptrdiff_t)other * B + i] = 1;
            }
}

void sgh_pairs_relate(sgh_pairs *p, int B)
{
    int64_t near = 0, apart = 0;
    mark_known(p, B);
    chain(p, B, false);
    mark_near(p, B);
    chain(p, B, true);
#pragma omp parallel for schedule(static) reduction(+ : near, apart)
    for (int64_t i = 0; i < (int64_t)B * B; i++) {
        near += p->relation[i] > 0;
        apart += p->relation[i] == 0;
    }
    p->near = near;
    p->apart = apart;
}

/* ---- Gradients ----------------------------------------------------------------------------- */

static double softplus(double a)
{
    return fmax(a, 0) + log1p(exp(-fabs(a)));
}

void sgh_pairs_tables(sgh_pairs *p, int nbits, sgh_estimator estimator)
{
    double root = sqrt(nbits), delta = 2 / root;
    for (int h = 0; h <= nbits; h++) {
        double s = (nbits - 2.0 * h) / root, here = softplus(s);
        double up = softplus(s + delta), down = softplus(s - delta);
        bool biased = estimator == SGH_BIASED;
        p->half[h] = biased ? 0 : (float)((up + down) / 2 - here);
        for (int y = 0; y < 2; y++) {
            double mid = biased ? delta * (1 / (1 + exp(-s)) - y) : (up - down) / 2 - y * delta;
            p->mid[y * (nbits + 1) + h] = (float)mid;
            p->loss[y * (nbits + 1) + h] = here - y * s;
        }
    }
}

/* How much (i, j) counts: index 0 for pairs apart, 1 for near ones. */
static void weights(const sgh_pairs *p, int B, double w[2])
{
    w[0] = p->apart > 0 ? (double)p->weight * B / (2 * (double)p->apart) : 0;
    w[1] = p->near > 0 ? (double)p->weight * B / (2 * (double)p->near) : 0;
}

/* Row i of S: from f_i . f_j to weight * mid; in the diagonal, which is no pair, minus the sum of
 * weight * half, so that S F holds both terms. Returns the row's loss. */
static double pair_row(const sgh_pairs *p, int B, int L, int i, const double w[2])
{
    const float *relation = p->relation + (ptrdiff_t)i * B;
    float *S = p->S + (ptrdiff_t)i * B;
    double half = 0, loss = 0;
    for (int j = 0; j < B; j++) {
        int h = (int)(0.5f * ((float)L - S[j]) + 0.5f), y = relation[j] > 0;
        double weight = relation[j] < 0 ? 0 : w[y];
        loss += weight * p->loss[y * (L + 1) + h];
        half += weight * (double)p->half[h];
        S[j] = (float)weight * p->mid[y * (L + 1) + h];
    }
    S[i] = (float)-half;
    return loss;
}

void sgh_pairs_gradients(const sgh_config *cfg, sgh_pairs *p, int B, const float *H, double rho2,
                         float *G)
{
    int L = cfg->nbits;
    double w[2], step = cfg->coding == SGH_CODING_PM1 ? 2 : 1;
    weights(p, B, w);
    for (ptrdiff_t i = 0; i < (ptrdiff_t)B * L; i++)
        p->F[i] = H[i] > 0 ? 1.0f : -1.0f;
    lbh_gemm_nt(B, B, L, 1, p->F, p->F, 0, p->S); /* whole numbers: exact */
#pragma omp parallel for schedule(static)
    for (int i = 0; i < B; i++)
        p->row_loss[i] = pair_row(p, B, L, i, w);
    /* 2: (i, j) and (j, i) are the same pair */
    lbh_gemm_nn(B, L, B, (float)(2 * rho2 / step), p->S, p->F, 1, G);
}

double sgh_pairs_loss(const sgh_pairs *p, int B)
{
    double sum = 0;
    for (int i = 0; i < B; i++)
        sum += p->row_loss[i];
    return sum;
}
