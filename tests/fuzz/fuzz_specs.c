/* fuzz_specs.c: the small languages of the command's arguments: FILE@FROM:TO, synthetic:..., --split,
 * and numbers. */
#define _GNU_SOURCE
#include "fuzz.h"

#include "command_options.h"
#include "split.h"
#include "synthetic.h"

#include <string.h>

static void rows(char *text)
{
    int64_t from, to;
    char *range = split_range(text);
    if (range && parse_range(range, text, 1000, &from, &to) == LBH_OK)
        FUZZ_CHECK(from >= 0 && from < to && to <= 1000);
}

/* What it makes is as large as it is told to be: no number of more than two digits here, and
 * another default. */
static void make(const char *text)
{
    const char *p = text;
    while ((p = strpbrk(p, "0123456789")) != NULL) {
        size_t digits = strspn(p, "0123456789");
        if (digits > 2)
            return;
        p += digits;
    }
    char small[512];
    snprintf(small, sizeof small, "d=4,clusters=3%s%s", *text ? "," : "", text);
    synthetic *s = NULL;
    if (synthetic_open(&s, small) == LBH_OK) {
        float *x = calloc((size_t)synthetic_d(s), sizeof *x);
        if (x && synthetic_rows(s) > 0) {
            synthetic_row(s, synthetic_rows(s) - 1, x);
            FUZZ_CHECK(synthetic_label(s, 0) >= 0);
        }
        free(x);
        synthetic_close(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned kind = fuzz_choice(&data, &size, 5);
    char *text = fuzz_text(data, size);
    split_plan plan;
    int64_t whole;
    double number;
    if (kind == 0)
        rows(text);
    else if (kind == 1)
        make(text);
    else if (kind == 2 && split_parse(&plan, text) == LBH_OK)
        FUZZ_CHECK(plan.queries > 0 || plan.train > 0);
    else if (kind == 3 && parse_int(text, -5, 1000, "n", &whole) == LBH_OK)
        FUZZ_CHECK(whole >= -5 && whole <= 1000);
    else if (kind == 4 && parse_double(text, 0, 4, "x", &number) == LBH_OK)
        FUZZ_CHECK(number >= 0 && number <= 4);
    free(text);
    return 0;
}
