/* fuzz_checkpoint.c: training that is taken up from a checkpoint (fuzz_document). */
#include "fuzz.h"

#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static training t;
    unsigned kind = fuzz_choice(&data, &size, TRAININGS);
    uint8_t *file = fuzz_document(data, size), code = 0;
    if (training_new(&t, kind) != LBH_OK ||
        lbh_encoder_checkpoint(t.enc, fuzz_file(".checkpoint", file, size), 1e9) != LBH_OK)
        abort();
    int rc = lbh_encoder_train_rows(t.enc, &t.rows, &t.labels, NULL);
    FUZZ_CHECK((rc == LBH_OK) == lbh_encoder_is_trained(t.enc));
    if (rc == LBH_OK)
        FUZZ_CHECK(lbh_encoder_encode(t.enc, 1, t.x, &code) == LBH_OK);
    lbh_encoder_free(t.enc);
    free(file);
    return 0;
}
