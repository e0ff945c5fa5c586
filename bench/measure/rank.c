/* rank.c: ranks in the full Hamming ranking by counting. See rank.h. */
#include "rank.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 8192, MAX_LEVELS = 8192 + 1 };

/* The same C for each instruction set, chosen by the loader: the generic build has no popcount. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("arch=icelake-server", "arch=haswell", "default")))
#else
#define CLONES
#endif

int code_set_make(code_set *set, int64_t n, size_t code_size, const uint8_t *codes)
{
    set->n = n;
    set->words = (int)((code_size + 7) / 8);
    set->word = cli_alloc(n * set->words, sizeof *set->word);
    if (!set->word)
        return LBH_ENOMEM;
    size_t row = (size_t)set->words * 8;
    memset(set->word, 0, (size_t)n * row);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)set->word + (size_t)i * row, codes + (size_t)i * code_size, code_size);
    return LBH_OK;
}

void code_set_free(code_set *set)
{
    free(set->word);
    set->word = NULL;
}

CLONES
static void distances1(const uint64_t *base, int64_t n, const uint64_t *q, uint16_t *out)
{
    uint64_t a = q[0];
    for (int64_t i = 0; i < n; i++)
        out[i] = (uint16_t)__builtin_popcountll(base[i] ^ a);
}

CLONES
static void distances2(const uint64_t *base, int64_t n, const uint64_t *q, uint16_t *out)
{
    uint64_t a = q[0], b = q[1];
    for (int64_t i = 0; i < n; i++)
        out[i] = (uint16_t)(__builtin_popcountll(base[2 * i] ^ a) +
                            __builtin_popcountll(base[2 * i + 1] ^ b));
}

CLONES
static void distances_any(const uint64_t *base, int64_t n, int words, const uint64_t *q,
                          uint16_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        int sum = 0;
        for (int w = 0; w < words; w++)
            sum += __builtin_popcountll(base[i * words + w] ^ q[w]);
        out[i] = (uint16_t)sum;
    }
}

int ranking_new(ranking *r, const code_set *base, int64_t room)
{
    *r = (ranking){.room = room, .levels = 64 * base->words + 1};
    if (r->levels > MAX_LEVELS)
        return fail("codes of more than %d bits cannot be ranked", MAX_LEVELS - 1);
    r->rank = cli_alloc(room, sizeof *r->rank);
    r->hit = cli_alloc(room, sizeof *r->hit);
    r->item_distance = cli_alloc(room, sizeof *r->item_distance);
    r->counted = cli_alloc(2 * (int64_t)r->levels, sizeof *r->counted);
    r->hits = cli_alloc(r->levels, sizeof *r->hits);
    r->below = cli_alloc((int64_t)r->levels + 1, sizeof *r->below);
    r->distance = cli_alloc(BLOCK, sizeof *r->distance);
    return r->rank && r->hit && r->item_distance && r->counted && r->hits && r->below && r->distance
               ? LBH_OK
               : LBH_ENOMEM;
}

void ranking_free(ranking *r)
{
    free(r->rank);
    free(r->hit);
    free(r->item_distance);
    free(r->counted);
    free(r->hits);
    free(r->below);
    free(r->distance);
    *r = (ranking){0};
}

/* Counts h[0 .. n-1] per distance. Two tables by turns: equal neighbours would otherwise wait for
 * each other's store. */
static void count_plain(ranking *r, const uint16_t *h, int64_t n)
{
    uint32_t *even = r->counted, *odd = r->counted + r->levels;
    int64_t i = 0;
    for (; i + 1 < n; i += 2) {
        even[h[i]]++;
        odd[h[i + 1]]++;
    }
    if (i < n)
        even[h[i]]++;
}

/* From "so many before me at my distance" to ranks. */
static void finish(ranking *r)
{
    int64_t hits_below[MAX_LEVELS];
    int64_t sum = 0, hits = 0;
    for (int h = 0; h < r->levels; h++) {
        r->below[h] = sum;
        hits_below[h] = hits;
        sum += r->counted[h] + r->counted[r->levels + h];
        hits += r->hits[h];
    }
    r->below[r->levels] = sum;
    for (int64_t i = 0; i < r->count; i++) {
        r->rank[i] += r->below[r->item_distance[i]] + 1;
        r->hit[i] += hits_below[r->item_distance[i]] + 1;
    }
}

void rank_items(ranking *r, const code_set *base, const uint64_t *query, int64_t own, int64_t count,
                const int64_t *items)
{
    memset(r->counted, 0, 2 * (size_t)r->levels * sizeof *r->counted);
    memset(r->hits, 0, (size_t)r->levels * sizeof *r->hits);
    r->count = count;
    int64_t next = 0;
    for (int64_t first = 0; first < base->n; first += BLOCK) {
        int64_t n = base->n - first < BLOCK ? base->n - first : BLOCK;
        const uint64_t *word = base->word + first * base->words;
        if (base->words == 1)
            distances1(word, n, query, r->distance);
        else if (base->words == 2)
            distances2(word, n, query, r->distance);
        else
            distances_any(word, n, base->words, query, r->distance);
        for (int64_t i = 0; i < n;) {
            int64_t stop = n;
            if (next < count && items[next] - first < stop)
                stop = items[next] - first;
            if (own >= first + i && own - first < stop)
                stop = own - first;
            count_plain(r, r->distance + i, stop - i);
            i = stop;
            if (i == n)
                break;
            uint16_t h = r->distance[i];
            if (next < count && items[next] == first + i) {
                r->item_distance[next] = h;
                r->rank[next] = (int64_t)r->counted[h] + r->counted[r->levels + h];
                r->hit[next++] = r->hits[h]++;
                r->counted[h]++;
            }
            i++; /* the query's own row is counted nowhere */
        }
    }
    finish(r);
}
