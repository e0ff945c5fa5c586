/* fuzz_result_lines.c: results of `lbh bench`, JSON lines that other programs may have written. */
#define _GNU_SOURCE
#include "fuzz.h"

#include "result_lines.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char directory[512];
    snprintf(directory, sizeof directory, "%s", fuzz_file(".jsonl", data, size));
    *strrchr(directory, '/') = '\0';
    result_lines r;
    if (result_lines_read(&r, directory) == LBH_OK)
        for (int i = 0; i < r.n; i++) {
            (void)result_number(r.line[i], "recall");
            FUZZ_CHECK(result_is(r.line[i], "key", result_text(r.line[i], "key")));
        }
    result_lines_free(&r);
    return 0;
}
