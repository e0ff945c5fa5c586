/* cases.c: see cases.h. */
#include "cases.h"

#include <stdlib.h>

const test_case test_cases[] = {
    {"BFlat", "BFlat", "", 0, 1},
    {"BIVF16", "BIVF", "nprobe=16", 1, 1},
    {"BIVF16_HNSW8", "BIVF", "nprobe=16,quantizer_efSearch=64", 1, 1},
    {"BHNSW16", "BHNSW", NULL, 0, 0},
    {"BHash9", "BHash", "nflip=9", 1, 1},
    {"BHash3x7", "BMultiHash", "nflip=7", 0, 1},
    {"IDMap,BFlat", "IDMap,BFlat", "", 1, 1},
    {"IDMap2,BFlat", "IDMap2,BFlat", "", 1, 1},
    {"BFlat,IDMap2", "IDMap2,BFlat", "", 1, 1},
    {"IDMap,BIVF16", "IDMap,BIVF", "nprobe=16", 1, 1},
    {"BIVF16_HNSW8,IDMap", "IDMap,BIVF", "nprobe=16", 1, 1},
    {"IDMap2,BHNSW16", "IDMap2,BHNSW", NULL, 1, 0},
    {"IDMap,BHash9", "IDMap,BHash", "nflip=9", 1, 1},
    {"BHash3x7,IDMap2", "IDMap2,BMultiHash", "nflip=7", 1, 1},
    {NULL, NULL, NULL, 0, 0},
};

uint8_t *test_near_codes(int64_t n, size_t code_size, int centres, uint64_t seed)
{
    uint8_t *centre = test_codes(centres, code_size, 4711);
    uint8_t *codes = malloc((size_t)n * code_size + 1);
    for (int64_t i = 0; i < n; i++) {
        int c = (int)(centres * test_uniform(seed, (uint64_t)i));
        for (size_t j = 0; j < code_size; j++) {
            uint8_t byte = centre[(size_t)c * code_size + j];
            for (int b = 0; b < 8; b++)
                if (test_uniform(seed + 1, ((uint64_t)i * code_size + j) * 8 + (uint64_t)b) < 0.15)
                    byte ^= (uint8_t)(1 << b);
            codes[(size_t)i * code_size + j] = byte;
        }
    }
    free(centre);
    return codes;
}
