/* fuzz_encoder_options.c: options of all methods. What is set lies within its bounds, and after an error
 * all is as it was. */
#include "fuzz.h"

#include "lbh.h"

#include <string.h>

enum { MOST = 128 };

static int values(const lbh_encoder *enc, double value[MOST], int check)
{
    lbh_param p;
    int i = 0;
    for (; i < MOST && lbh_method_param(&p, lbh_encoder_method(enc), i) == LBH_OK; i++) {
        FUZZ_CHECK(lbh_encoder_get_value(enc, p.name, &value[i]) == LBH_OK);
        FUZZ_CHECK(!check || (value[i] >= p.min && value[i] <= p.max));
    }
    return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned method = fuzz_choice(&data, &size, (unsigned)lbh_method_count());
    char *text = fuzz_text(data, size);
    double before[MOST], after[MOST];
    lbh_encoder *enc = NULL;
    if (lbh_encoder_new(&enc, lbh_method_name((int)method), 16, 8) != LBH_OK)
        abort();
    int count = values(enc, before, 1), rc = lbh_encoder_set(enc, text);
    values(enc, after, 1);
    FUZZ_CHECK(rc == LBH_OK || memcmp(before, after, (size_t)count * sizeof *after) == 0);
    lbh_encoder_free(enc);
    free(text);
    return 0;
}
