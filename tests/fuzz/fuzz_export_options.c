/* fuzz_export_options.c: options of lbh_export_faiss, by format. The file goes to /dev/null. */
#include "fuzz.h"

#include "lbh_faiss.h"

enum { D = 8, NBITS = 8, ROWS = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const format[] = {"faiss-lsh", "faiss-ivf", "faiss-aq"};
    static lbh_encoder *enc;
    static float x[D * ROWS];
    if (!enc) {
        for (int i = 0; i < D * ROWS; i++)
            x[i] = (float)(i * i % 13);
        if (lbh_encoder_new(&enc, "itq", D, NBITS) || lbh_encoder_train(enc, ROWS, x))
            abort();
    }
    unsigned kind = fuzz_choice(&data, &size, 6);
    char *text = fuzz_text(data, size);
    lbh_rows rows = lbh_rows_from_matrix(ROWS, D, x);
    if (lbh_export_faiss(enc, format[kind % 3], text, kind < 3 ? &rows : NULL, "/dev/null"))
        FUZZ_CHECK(*lbh_last_error());
    free(text);
    return 0;
}
