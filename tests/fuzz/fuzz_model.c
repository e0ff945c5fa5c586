/* fuzz_model.c: model files (fuzz_document). An encoder that was read encodes, rebuilds and classifies. */
#include "fuzz.h"

#include "lbh.h"

enum { SMALL = 1 << 14 };

static void use(const lbh_encoder *enc)
{
    int d = lbh_encoder_d(enc), nbits = lbh_encoder_nbits(enc);
    size_t code_size = lbh_encoder_code_size(enc);
    if ((int64_t)d * nbits > SMALL || d > SMALL || nbits > SMALL)
        return;
    float *x = calloc(3 * (size_t)d, sizeof *x), *z = calloc(3 * (size_t)nbits, sizeof *z);
    float *A = calloc((size_t)d * (size_t)nbits, sizeof *A);
    uint8_t *codes = calloc(3, code_size), *bytes = calloc(3, (size_t)d);
    for (int j = 0; j < d; j++) {
        x[d + j] = (float)(j % 7) - 3;
        bytes[j] = (uint8_t)j;
    }
    lbh_encoder_encode(enc, 3, x, codes);
    lbh_encoder_encode_queries(enc, 3, x, codes);
    lbh_encoder_encode_u8(enc, 3, bytes, d, codes);
    lbh_encoder_encode_refined(enc, 1, x, 3, codes);
    lbh_encoder_project(enc, 3, x, z);
    lbh_encoder_project_queries(enc, 3, x, z);
    lbh_encoder_linear(enc, A, z);
    lbh_encoder_decoder(enc, A, x);
    lbh_encoder_decode(enc, 3, codes, x);
    int classes = lbh_encoder_nclasses(enc, NULL);
    if (classes > 0 && classes < SMALL) {
        float *scores = calloc(3 * (size_t)classes, sizeof *scores);
        int64_t label[3];
        lbh_encoder_class_scores(enc, 3, codes, scores);
        if (lbh_encoder_classify(enc, 3, codes, label) == LBH_OK)
            FUZZ_CHECK(label[2] >= 0 && label[2] < classes);
        free(scores);
    }
    free(x);
    free(z);
    free(A);
    free(codes);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = fuzz_document(data, size);
    lbh_encoder *enc = NULL;
    if (lbh_encoder_load_memory(&enc, file, size) == LBH_OK) {
        FUZZ_CHECK(lbh_encoder_is_trained(enc) && lbh_encoder_method(enc));
        (void)lbh_encoder_digest(enc);
        (void)lbh_encoder_note(enc, "classes");
        use(enc);
    } else
        FUZZ_CHECK(*lbh_last_error());
    lbh_encoder_free(enc);
    free(file);
    return 0;
}
