/* classify.c: the classifier that supervised methods learn on their codes. */
#include "method.h"

#include <stdlib.h>

static lbh_classifier classifier_of(const lbh_encoder *enc)
{
    if (!enc || !enc->trained || !enc->method->classifier)
        return (lbh_classifier){0};
    return enc->method->classifier(enc);
}

int lbh_encoder_nclasses(const lbh_encoder *enc, int *multi)
{
    lbh_classifier c = classifier_of(enc);
    if (multi)
        *multi = c.multi;
    return c.nclasses;
}

/* One sum a class, over the bits in their order. */
static void score_row(const lbh_encoder *enc, const lbh_classifier *c, const uint8_t *code,
                      float *scores)
{
    int L = enc->nbits;
    for (int i = 0; i < c->nclasses; i++) {
        const float *V = c->V + (int64_t)i * L;
        float sum = c->v[i];
        for (int k = 0; k < L; k++)
            if (code[k / 8] >> (k % 8) & 1)
                sum += V[k];
        scores[i] = sum;
    }
}

static int check_call(const lbh_encoder *enc, int64_t n, const void *codes, const void *out,
                      lbh_classifier *c)
{
    if (!enc || n < 0 || (n > 0 && (!codes || !out)))
        return lbh_error(LBH_EINVAL, "lbh_encoder: NULL argument or n (%lld) below 0",
                         (long long)n);
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    *c = classifier_of(enc);
    if (c->nclasses == 0)
        return lbh_error(LBH_EINVAL, "%s: the encoder has no classifier", enc->method->name);
    return LBH_OK;
}

int lbh_encoder_class_scores(const lbh_encoder *enc, int64_t n, const uint8_t *codes,
                             float *scores)
{
    lbh_classifier c;
    LBH_TRY(check_call(enc, n, codes, scores, &c));
    int64_t size = (int64_t)lbh_encoder_code_size(enc);
#pragma omp parallel for schedule(static) if (n > 64)
    for (int64_t i = 0; i < n; i++)
        score_row(enc, &c, codes + i * size, scores + i * c.nclasses);
    return LBH_OK;
}

int lbh_encoder_classify(const lbh_encoder *enc, int64_t n, const uint8_t *codes, int64_t *label)
{
    enum { ROWS = 64 };
    lbh_classifier c;
    LBH_TRY(check_call(enc, n, codes, label, &c));
    float *scores = lbh_alloc(ROWS, (size_t)c.nclasses * sizeof *scores);
    int rc = scores ? LBH_OK : LBH_ENOMEM;
    for (int64_t i = 0; i < n && !rc; i += ROWS) {
        int64_t rows = n - i < ROWS ? n - i : ROWS;
        rc = lbh_encoder_class_scores(enc, rows, codes + i * (int64_t)lbh_encoder_code_size(enc),
                                      scores);
        for (int64_t r = 0; r < rows && !rc; r++) {
            const float *s = scores + r * c.nclasses;
            label[i + r] = 0;
            for (int k = 1; k < c.nclasses; k++)
                if (s[k] > s[label[i + r]])
                    label[i + r] = k;
        }
    }
    free(scores);
    return rc;
}
