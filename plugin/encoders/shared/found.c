/* found.c: see found.h. */
#include "found.h"

#include "method.h"

enum { FIRST = 100 };

int lbh_found_within_100(int64_t n, int L, const uint8_t *items, const uint8_t *query, int64_t own,
                         int k, const int64_t *top, uint16_t *distance)
{
    int size = (L + 7) / 8, found = 0;
    int64_t count[LBH_MAX_NBITS + 2] = {0};
    for (int64_t i = 0; i < n; i++) {
        int h = 0;
        for (int b = 0; b < size; b++)
            h += __builtin_popcount((unsigned)(items[i * size + b] ^ query[b]));
        distance[i] = (uint16_t)h;
        if (i != own)
            count[h + 1]++;
    }
    for (int h = 0; h <= L; h++)
        count[h + 1] += count[h]; /* count[h]: rows nearer than h */
    for (int j = 0; j < k && top[j] >= 0; j++) {
        int64_t rank = count[distance[top[j]]];
        for (int64_t i = 0; i < top[j] && rank < FIRST; i++)
            rank += i != own && distance[i] == distance[top[j]];
        found += rank < FIRST;
    }
    return found;
}
