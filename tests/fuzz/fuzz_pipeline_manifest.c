/* fuzz_pipeline_manifest.c: the text that binds the files of a pipeline. Its digest is set right, unless
 * the first byte is 0. What is accepted and written again is read as the same. */
#define _GNU_SOURCE
#include "fuzz.h"

#include "pipeline.h"
#include "digest.h"

#include <inttypes.h>
#include <string.h>

static void same_again(const lbh_manifest *m)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    lbh_manifest_write(m, stream);
    fclose(stream);
    lbh_manifest again;
    FUZZ_CHECK(lbh_manifest_read(&again, fuzz_file(".again", (uint8_t *)text, size)) == LBH_OK);
    FUZZ_CHECK(memcmp(m, &again, sizeof again) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned repair = fuzz_choice(&data, &size, 2);
    uint8_t *file = malloc(size + 32);
    if (size)
        memcpy(file, data, size);
    if (repair)
        size += (size_t)snprintf((char *)file + size, 32, "end %016" PRIx64 "\n",
                                 lbh_digest(data, size));
    lbh_manifest m;
    if (lbh_manifest_read(&m, fuzz_file(".lbhp", file, size)) == LBH_OK)
        same_again(&m);
    free(file);
    return 0;
}
