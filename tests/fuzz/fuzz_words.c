/* fuzz_words.c: word vectors as text: of word2vec and fastText (a first line with counts), of GloVe. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_vectors(".vec", "", data, size);
    return 0;
}
