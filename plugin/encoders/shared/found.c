/* found.c: see found.h. */
#include "found.h"

#include "cpu.h"
#include "method.h"

#include <string.h>

enum { FIRST = 100 };

/* Eight bytes at a time; a bit count is one instruction where the CPU has AVX2. */
LBH_CLONES
static void distances(int64_t n, int size, const uint8_t *items, const uint8_t *query,
                      uint16_t *distance)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *item = items + i * size;
        int h = 0;
        for (int b = 0; b < size; b += 8) {
            size_t width = (size_t)(size - b < 8 ? size - b : 8);
            uint64_t x = 0, y = 0;
            if (width == 8) {
                memcpy(&x, item + b, 8);
                memcpy(&y, query + b, 8);
            } else {
                memcpy(&x, item + b, width);
                memcpy(&y, query + b, width);
            }
            h += __builtin_popcountll(x ^ y);
        }
        distance[i] = (uint16_t)h;
    }
}

int lbh_found_within_100(int64_t n, int L, const uint8_t *items, const uint8_t *query, int64_t own,
                         int k, const int64_t *top, uint16_t *distance)
{
    int size = (L + 7) / 8, found = 0;
    int64_t count[LBH_MAX_NBITS + 2] = {0};
    distances(n, size, items, query, distance);
    for (int64_t i = 0; i < n; i++)
        if (i != own)
            count[distance[i] + 1]++;
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
