/* few_rows.c: see few_rows.h. */
#include "few_rows.h"

#include <stdio.h>

int lbh_too_few_rows(lbh_encoder *enc, int64_t n, double each, bool *too_few)
{
    char text[160];
    double wanted = each * (enc->nbits < enc->d ? enc->nbits : enc->d);
    *too_few = (double)n < wanted;
    if (!*too_few)
        return LBH_OK;
    snprintf(text, sizeof text,
             "%lld training rows are too few to learn %d bits from (%g are asked for): the codes are those "
             "of ITQ",
             (long long)n, enc->nbits, wanted);
    return lbh_encoder_set_note(enc, "few_rows", text);
}
