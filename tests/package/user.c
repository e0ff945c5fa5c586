/* user.c: a program as a user of the installed package writes it. */
#include <lbh_faiss.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    enum { N = 2000, D = 16, NBITS = 32, K = 5 };
    static float x[N * D];
    int32_t distances[K];
    int64_t labels[K];
    lbh_encoder *enc = NULL;
    FaissIndexBinary *index = NULL;
    for (int i = 0; i < N * D; i++)
        x[i] = (float)rand() / (float)RAND_MAX;
    if (lbh_encoder_new(&enc, "itq", D, NBITS) || lbh_encoder_train(enc, N, x) ||
        lbh_index_build(&index, enc, "BFlat", N, x) ||
        lbh_index_search(index, enc, 1, x, K, distances, labels)) {
        fprintf(stderr, "%s\n", lbh_last_error());
        return 1;
    }
    printf("lbh %s, FAISS %s: nearest at %d\n", lbh_version(), lbh_faiss_version(), distances[0]);
    lbh_index_free(index);
    lbh_encoder_free(enc);
    return distances[0] != 0;
}
