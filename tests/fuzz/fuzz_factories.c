/* fuzz_factories.c: strings of index kinds and of pipelines. */
#include "fuzz.h"

#include "pipeline.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lbh_pipeline_spec spec;
    unsigned code_size = fuzz_choice(&data, &size, 129);
    char *text = fuzz_text(data, size);
    lbh_factory f;
    if (lbh_factory_parse(&f, text, code_size) == LBH_OK) {
        FUZZ_CHECK(strlen(f.base) < sizeof f.base && f.nlist >= 0 && f.m >= 0);
        FUZZ_CHECK((int64_t)f.nhash * f.b <= 8 * (int64_t)code_size);
    }
    if (lbh_pipeline_parse(&spec, text) == LBH_OK) {
        FUZZ_CHECK(strcmp(spec.text, text) == 0 && spec.method);
        FUZZ_CHECK(spec.nbits >= 1 && spec.nbits <= 4096);
        FUZZ_CHECK(lbh_factory_parse(&f, spec.index, ((size_t)spec.nbits + 7) / 8) == LBH_OK);
    }
    free(text);
    return 0;
}
