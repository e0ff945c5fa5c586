/* fuzz_mih.c: files of multi-index hashes. The checksum of the header and the size of the file are set
 * right unless the last byte is odd, and in files of version 1 the checksum of the rest; what lies behind the header is checked when it is used. */
#include "fuzz.h"

#include "mih.h"

#include <string.h>

enum { QUERIES = 4, K = 3 };

static void search(const lbh_mih *mih)
{
    size_t code_size = lbh_mih_code_size(mih);
    uint8_t *queries = calloc(QUERIES, code_size);
    int32_t distances[QUERIES * K];
    int64_t labels[QUERIES * K];
    lbh_mih_stats stats = {0};
    lbh_range_result *found = NULL;
    memset(queries + code_size, 0xff, code_size);
    for (size_t i = 0; i < 2 * code_size; i++)
        queries[2 * code_size + i] = (uint8_t)(37 * i);
    if (lbh_mih_search(mih, QUERIES, queries, K, distances, labels, &stats) == LBH_OK)
        for (int i = 0; i < QUERIES * K; i++)
            FUZZ_CHECK(labels[i] == -1 || (distances[i] >= 0 &&
                                           distances[i] <= 8 * (int32_t)code_size));
    if (lbh_mih_range(&found, mih, QUERIES, queries, 9, &stats) == LBH_OK)
        lbh_range_result_free(found);
    free(queries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(size ? size : 1);
    lbh_mih_header h;
    if (size)
        memcpy(file, data, size);
    if (size >= sizeof h && data[size - 1] % 2 == 0) {
        memcpy(&h, file, sizeof h);
        memcpy(h.magic, "LBHT", 4);
        h.version = data[size - 1] % 4 ? LBH_MIH_VERSION : 1; /* whose contents are checked first */
        h.file_size = size;
        if (h.version == 1)
            (void)lbh_mih_body_sum(file, size, &h.body_sum);
        h.header_sum = lbh_mih_header_sum(&h);
        memcpy(file, &h, sizeof h);
    }
    lbh_mih *mih = NULL;
    if (lbh_mih_load(&mih, fuzz_file(".mih", file, size)) == LBH_OK) {
        (void)lbh_mih_verify(mih);
        search(mih);
    }
    lbh_mih_free(mih);
    free(file);
    return 0;
}
