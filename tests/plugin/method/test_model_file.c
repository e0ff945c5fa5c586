/* test_model_file.c: the container: round trip, and a reader that believes nothing. */
#include "support.h"

#include "error.h"
#include "model_file.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static unsigned char *sample_file(size_t *size)
{
    lbh_document doc = {0};
    static float a[6] = {1, 2, 3, 4, 5, 6}, b[20] = {7};
    const char *path = test_tmp("model");
    lbh_document_put(&doc, "format", "test");
    lbh_document_put_number(&doc, "pi", 3.14159);
    lbh_document_put_tensor(&doc, "a", 2, 3, a);
    lbh_document_put_tensor(&doc, "b", 1, 20, b);
    cr_assert_eq(lbh_document_write(&doc, path), LBH_OK, "%s", lbh_last_error());
    lbh_document_clear(&doc);
    return test_slurp(path, size);
}

/* Puts a fresh checksum on damaged bytes, so that the checks behind it are reached. */
static void seal(unsigned char *bytes, size_t size)
{
    uint64_t sum = XXH3_64bits(bytes, size - 8);
    memcpy(bytes + size - 8, &sum, 8);
}

Test(model_file, round_trip)
{
    size_t size;
    unsigned char *bytes = sample_file(&size);
    lbh_document doc;
    double pi;
    char text[16];
    cr_assert_eq(lbh_document_parse(&doc, bytes, size, "x"), LBH_OK, "%s", lbh_last_error());
    cr_assert(lbh_document_get(&doc, "format", text, sizeof text) && strcmp(text, "test") == 0);
    cr_assert(lbh_document_get_number(&doc, "pi", &pi) && pi == 3.14159);
    cr_assert(!lbh_document_get(&doc, "forma", text, sizeof text));
    const lbh_tensor *a = lbh_document_tensor(&doc, "a"), *b = lbh_document_tensor(&doc, "b");
    cr_assert(a && a->rows == 2 && a->cols == 3 && a->data[5] == 6);
    cr_assert(b && b->rows == 1 && b->cols == 20 && b->data[0] == 7);
    cr_assert_eq((uintptr_t)a->data % 64, 0);
    cr_assert_null(lbh_document_tensor(&doc, "c"));
    lbh_document_clear(&doc);
    free(bytes);
}

Test(model_file, cut_at_any_byte_is_refused)
{
    size_t size;
    unsigned char *bytes = sample_file(&size);
    lbh_document doc;
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *copy = malloc(cut ? cut : 1); /* exact size: a sanitizer sees any overrun */
        memcpy(copy, bytes, cut);
        cr_assert_eq(lbh_document_parse(&doc, copy, cut, "cut"), LBH_EFORMAT, "cut at %zu", cut);
        free(copy);
    }
    free(bytes);
}

Test(model_file, any_flipped_bit_is_refused)
{
    size_t size;
    unsigned char *bytes = sample_file(&size);
    lbh_document doc;
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        cr_assert_eq(lbh_document_parse(&doc, bytes, size, "flip"), LBH_EFORMAT, "bit %zu", i);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(bytes);
}

Test(model_file, damage_under_a_good_checksum_never_reads_outside)
{
    size_t size;
    unsigned char *bytes = sample_file(&size);
    lbh_document doc;
    for (size_t i = 0; i < size - 8; i++)
        for (int v = 0; v < 4; v++) {
            static const unsigned char value[] = {0, '9', 255, ' '};
            unsigned char old = bytes[i];
            bytes[i] = value[v];
            seal(bytes, size);
            if (lbh_document_parse(&doc, bytes, size, "sealed") == LBH_OK) {
                for (int t = 0; t < doc.ntensors; t++) {
                    const lbh_tensor *x = &doc.tensor[t];
                    const char *end = (const char *)(x->data + x->rows * x->cols);
                    cr_assert(end <= (const char *)doc.bytes + size - 8);
                }
                lbh_document_clear(&doc);
            }
            bytes[i] = old;
        }
    free(bytes);
}

Test(model_file, missing_and_unwritable_files)
{
    lbh_document doc = {0};
    cr_assert_eq(lbh_document_read(&doc, "/no/such/file"), LBH_EIO);
    cr_assert_eq(lbh_document_read(&doc, "/dev/zero"), LBH_EIO);
    cr_assert_eq(lbh_document_read(&doc, "/tmp"), LBH_EIO);
    lbh_document_put(&doc, "format", "test");
    cr_assert_eq(lbh_document_write(&doc, "/dev/full"), LBH_EIO);
    cr_assert_eq(lbh_document_write(&doc, "/no/such/directory/file"), LBH_EIO);
    lbh_document_clear(&doc);
}
