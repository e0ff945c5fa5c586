/* rank.h: where given items stand in the full Hamming ranking, without sorting it.
 *
 * The ranking of a query is the base by rising (distance, id), without the query's own row. The
 * rank of item i is 1 + (items at smaller distance) + (items at its distance with a smaller id), so
 * one pass that counts items per distance gives all ranks that are asked for.
 */
#ifndef LBH_RANK_H
#define LBH_RANK_H

#include "cli.h"

/* Codes padded to whole 64-bit words. */
typedef struct code_set {
    int64_t n;
    int words;
    uint64_t *word; /* n x words */
} code_set;

int code_set_make(code_set *set, int64_t n, size_t code_size, const uint8_t *codes);
void code_set_free(code_set *set);

/* Scratch and results of one thread. */
typedef struct ranking {
    int64_t count;     /* items asked for */
    int64_t *rank;     /* 1-based place in the ranking */
    int64_t *hit;      /* 1-based place among the items asked for */
    uint16_t *item_distance;
    int64_t room;      /* for so many items */
    int levels;        /* distances 0 .. levels-1 */
    uint32_t *counted; /* levels x 2 */
    uint32_t *hits;    /* levels */
    int64_t *below;    /* items at distance < h, after rank_items; levels + 1 */
    uint16_t *distance;
} ranking;

int ranking_new(ranking *r, const code_set *base, int64_t room);
void ranking_free(ranking *r);

/* Ranks items[count] (rising ids, own not among them) for one query of base->words words; own: the
 * query's own row, or -1. */
void rank_items(ranking *r, const code_set *base, const uint64_t *query, int64_t own, int64_t count,
                const int64_t *items);

#endif
