/* test_notes.c: notes of models, and what a model file says about padded codes. */
#include "support.h"

#include "lbh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lbh_encoder *trained(int nbits)
{
    lbh_encoder *enc;
    float *x = test_mixture(200, 12, 1, NULL);
    cr_assert_eq(lbh_encoder_new(&enc, "lsh", 12, nbits), LBH_OK);
    cr_assert_eq(lbh_encoder_train(enc, 200, x), LBH_OK);
    free(x);
    return enc;
}

static lbh_encoder *reloaded(const lbh_encoder *enc)
{
    lbh_encoder *copy;
    const char *path = test_tmp("m.lbh");
    cr_assert_eq(lbh_encoder_save(enc, path), LBH_OK, "%s", lbh_last_error());
    cr_assert_eq(lbh_encoder_load(&copy, path), LBH_OK, "%s", lbh_last_error());
    return copy;
}

Test(notes, are_kept_in_the_file)
{
    lbh_encoder *enc = trained(8), *copy;
    uint64_t digest = lbh_encoder_digest(enc);
    cr_assert_null(lbh_encoder_note(enc, "classes"));
    cr_assert_eq(lbh_encoder_set_note(enc, "classes", "[\"a b\",\"\xC3\xA9\"]"), LBH_OK);
    cr_assert_eq(lbh_encoder_set_note(enc, "empty", ""), LBH_OK);
    cr_assert_eq(lbh_encoder_set_note(enc, "x_2", "first"), LBH_OK);
    cr_assert_eq(lbh_encoder_set_note(enc, "x", "of x"), LBH_OK);
    cr_assert_eq(lbh_encoder_set_note(enc, "x_2", "second, longer"), LBH_OK);
    copy = reloaded(enc);
    cr_assert_str_eq(lbh_encoder_note(copy, "classes"), "[\"a b\",\"\xC3\xA9\"]");
    cr_assert_str_eq(lbh_encoder_note(copy, "empty"), "");
    cr_assert_str_eq(lbh_encoder_note(copy, "x_2"), "second, longer");
    cr_assert_str_eq(lbh_encoder_note(copy, "x"), "of x");
    cr_assert_null(lbh_encoder_note(copy, "x_"));
    cr_assert_eq(lbh_encoder_digest(copy), digest, "notes are no part of what was learned");
    cr_assert_eq(lbh_encoder_set_note(copy, "x_2", NULL), LBH_OK);
    cr_assert_eq(lbh_encoder_set_note(copy, "x_2", NULL), LBH_OK);
    cr_assert_null(lbh_encoder_note(copy, "x_2"));
    cr_assert_str_eq(lbh_encoder_note(copy, "x"), "of x");
    lbh_encoder_free(enc);
    enc = reloaded(copy);
    cr_assert_null(lbh_encoder_note(enc, "x_2"));
    cr_assert_str_eq(lbh_encoder_note(enc, "classes"), "[\"a b\",\"\xC3\xA9\"]");
    lbh_encoder_free(enc);
    lbh_encoder_free(copy);
}

Test(notes, long_ones_are_whole)
{
    enum { LONG = 300000 };
    char *text = malloc(LONG + 1);
    for (int i = 0; i < LONG; i++)
        text[i] = (char)('a' + i % 26);
    text[LONG] = '\0';
    lbh_encoder *enc = trained(8);
    cr_assert_eq(lbh_encoder_set_note(enc, "long", text), LBH_OK);
    lbh_encoder *copy = reloaded(enc);
    cr_assert_str_eq(lbh_encoder_note(copy, "long"), text);
    lbh_encoder_free(enc);
    lbh_encoder_free(copy);
    free(text);
}

Test(notes, what_is_no_name_or_no_line_is_refused)
{
    lbh_encoder *enc = trained(8);
    static const char *const names[] = {"", "A", "a b", "a.b", "a\n",
                                        "abcdefghijklmnopqrstuvwxyz012345"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(lbh_encoder_set_note(enc, names[i], "x"), LBH_EINVAL, "'%s'", names[i]);
    cr_assert_eq(lbh_encoder_set_note(enc, "a", "x\nnote.b y"), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_set_note(enc, NULL, "x"), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_set_note(NULL, "a", "x"), LBH_EINVAL);
    cr_assert_null(lbh_encoder_note(enc, NULL));
    cr_assert_null(lbh_encoder_note(NULL, "a"));
    lbh_encoder_free(enc);
}

/* The file says how many bits of the last byte are padding, and they are zero. */
Test(notes, are_at_most_so_many)
{
    lbh_encoder *enc = trained(8), *copy = NULL;
    char name[16];
    for (int i = 0; i < LBH_MAX_NOTES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        cr_assert_eq(lbh_encoder_set_note(enc, name, "x"), LBH_OK);
    }
    cr_assert_eq(lbh_encoder_set_note(enc, "one_more", "x"), LBH_EINVAL);
    cr_assert_eq(lbh_encoder_set_note(enc, "n7", "anew"), LBH_OK);
    copy = reloaded(enc);
    cr_assert_str_eq(lbh_encoder_note(copy, "n7"), "anew");
    cr_assert_str_eq(lbh_encoder_note(copy, "n999"), "x");
    lbh_encoder_free(enc);
    lbh_encoder_free(copy);
}

Test(notes, padding_is_stated_and_zero)
{
    float *x = test_mixture(100, 12, 2, NULL);
    uint8_t codes[200];
    for (int nbits = 1; nbits <= 16; nbits++) {
        char line[32];
        size_t size, bytes = (size_t)(nbits + 7) / 8;
        lbh_encoder *enc = trained(nbits);
        const char *path = test_tmp("p.lbh");
        cr_assert_eq(lbh_encoder_save(enc, path), LBH_OK);
        unsigned char *file = test_slurp(path, &size);
        for (size_t i = 0; i < size; i++) /* text up to the tensors */
            file[i] = file[i] ? file[i] : '\n';
        file[size - 1] = '\0';
        snprintf(line, sizeof line, "\npad_bits %d\n", (int)(8 * bytes) - nbits);
        cr_assert(strstr((char *)file, line), "nbits %d", nbits);
        cr_assert_eq(lbh_encoder_code_size(enc), bytes);
        cr_assert_eq(lbh_encoder_encode(enc, 100, x, codes), LBH_OK);
        for (size_t i = 0; i < 100 && nbits % 8; i++)
            cr_assert_eq(codes[i * bytes + bytes - 1] >> nbits % 8, 0);
        free(file);
        lbh_encoder_free(enc);
    }
    free(x);
}
