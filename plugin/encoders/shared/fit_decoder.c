/* fit_decoder.c: see fit_decoder.h. The codes are made a block of rows at a time. */
#include "fit_decoder.h"

#include "blas.h"
#include "linalg.h"
#include "watch.h"

enum { BLOCK = 1024 };

int lbh_fit_decoder(lbh_training *t, int64_t n, int d, const float *T, int L, const float *W,
                    const float *b, float lo, float *U, float *c)
{
    int K = L + 1; /* the last column of H is 1 */
    float *A = lbh_scratch_f(t, BLOCK, L), *H = lbh_scratch_f(t, BLOCK, K);
    float *part = lbh_scratch_f(t, K, d > K ? d : K);
    double *G = lbh_scratch(t, (int64_t)K * K, sizeof *G);
    double *R = lbh_scratch(t, (int64_t)K * d, sizeof *R);
    if (!A || !H || !part || !G || !R)
        return LBH_ENOMEM;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int count = n - i < BLOCK ? (int)(n - i) : BLOCK;
        lbh_gemm_nt(count, L, d, 1, T + i * d, W, 0, A);
        for (int64_t j = 0; j < count; j++) {
            for (int k = 0; k < L; k++)
                H[j * K + k] = A[j * L + k] + b[k] >= 0 ? 1.0f : lo;
            H[j * K + L] = 1;
        }
        lbh_add_normal(count, K, d, H, T + i * d, part, G, R);
        LBH_TRY(lbh_watch_check());
    }
    LBH_TRY(lbh_solve_spd(K, d, G, 1e-6 * (double)n, R));
    for (int64_t i = 0; i < (int64_t)L * d; i++)
        U[i] = (float)R[i];
    for (int j = 0; j < d; j++)
        c[j] = (float)R[(int64_t)L * d + j];
    return LBH_OK;
}
