/* fuzz_bench_spec.c: the configuration of `lbh bench`; what is accepted is also cut down to a quick look. */
#include "fuzz.h"

#include "bench_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bench_spec *spec = NULL;
    if (bench_spec_parse(&spec, "bench.ini", (const char *)data, size) == LBH_OK) {
        FUZZ_CHECK(spec->ndata <= SPEC_DATA && spec->nmethods <= SPEC_METHODS);
        for (int i = 0; i < spec->nmethods; i++) {
            spec_sweep sweep = bench_sweep(spec, &spec->method[i]);
            FUZZ_CHECK(sweep.nbits.count <= SPEC_LIST && sweep.index.count <= SPEC_LIST);
        }
        if (bench_spec_quick(spec) != LBH_OK)
            FUZZ_CHECK(*lbh_last_error());
    } else
        FUZZ_CHECK(*lbh_last_error());
    bench_spec_free(spec);
    return 0;
}
