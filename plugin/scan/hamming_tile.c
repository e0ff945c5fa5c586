/* hamming_tile.c: codes laid out word by word, as several kernels read them. */
#include "hamming.h"

#include <string.h>

/* Word `w` of n codes to word[0 .. n-1]; `bytes` of it belong to the code, the others become 0. */
static void fill_word(int64_t n, const uint8_t *codes, size_t size, int64_t w, size_t bytes,
                      uint64_t *word)
{
    const uint8_t *from = codes + 8 * w, *end = codes + (size_t)n * size;
    uint64_t mask = lbh_scan_lowest(8 * (int64_t)bytes);
    int64_t i = 0;
    for (; i < n && from + sizeof *word <= end; i++, from += size) { /* all but a few at the end */
        memcpy(&word[i], from, sizeof *word);
        word[i] &= mask;
    }
    for (; i < n; i++, from += size) {
        word[i] = 0;
        memcpy(&word[i], from, bytes);
    }
}

void lbh_scan_fill_tile(lbh_scan *s, int64_t n, const uint8_t *codes)
{
    int64_t filled = (n + LBH_SCAN_TILE_STEP - 1) / LBH_SCAN_TILE_STEP * LBH_SCAN_TILE_STEP;
    for (int64_t w = 0; w < s->words; w++) {
        size_t left = s->code_size - 8 * (size_t)w;
        uint64_t *word = s->tile + w * s->tile_codes;
        fill_word(n, codes, s->code_size, w, left < 8 ? left : 8, word);
        memset(word + n, 0, (size_t)(filled - n) * sizeof *word);
    }
}
