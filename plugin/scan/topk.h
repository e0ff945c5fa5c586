/* topk.h: the k best of a stream of (score, id), by rising score, equal scores by rising id.
 *
 * A candidate is one 64-bit key: the score as an unsigned number of the same order, above the id.
 * Keys are collected in a buffer; when it is full, the k smallest are kept and their largest score
 * becomes the bar for all that follow. What comes out depends on the set of candidates alone. */
#ifndef LBH_SCAN_TOPK_H
#define LBH_SCAN_TOPK_H

#include <stdint.h>
#include <string.h>

typedef struct lbh_topk {
    int64_t k, room, count; /* room > k, or room >= all candidates that there can be */
    float bar;              /* a later candidate must be below it; +inf at the start */
    uint64_t *key;          /* room keys */
} lbh_topk;

/* Keys of all finite scores and the infinities; -0 and 0 are the same score. */
static inline uint64_t lbh_topk_key(float score, uint32_t id)
{
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    bits ^= (bits >> 31) ? UINT32_MAX : UINT32_C(1) << 31;
    return (uint64_t)bits << 32 | id;
}

static inline float lbh_topk_score(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float score;
    bits ^= (bits >> 31) ? UINT32_C(1) << 31 : UINT32_MAX;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* Adds scores[n] of the ids first, first + 1, ...; ids rise from call to call. */
void lbh_topk_add(lbh_topk *t, int64_t n, const float *scores, uint32_t first);

/* Keeps the k smallest keys, in no order. */
void lbh_topk_prune(lbh_topk *t);

/* Sorts key[n]; scratch[n]. */
void lbh_sort_keys(int64_t n, uint64_t *key, uint64_t *scratch);

#endif
