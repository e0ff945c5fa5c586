/* lsh.c: random hyperplanes (Charikar, STOC 2002), the baseline that any learning has to beat.
 *
 *   bit_k = [ a_k . (x - mean) >= 0 ]
 *
 * The a_k are orthonormal in groups of d ("super-bit" LSH, Ji et al., NIPS 2012), which lowers the
 * variance of the angle estimate; the mean of the training rows is taken off because a hyperplane
 * through the origin does not split data that lie to one side of it. Both are options. */
#include "blas.h"
#include "linalg.h"
#include "rng.h"
#include "method.h"

#include <string.h>

enum { OPT_CENTRE, OPT_ORTHOGONAL, OPT_MAX_TRAIN };

static const lbh_param params[] = {
    [OPT_CENTRE] = {"centre", 1, 0, 1, 1, NULL, "1: take off the mean of the training rows"},
    [OPT_ORTHOGONAL] = {"orthogonal", 1, 0, 1, 1, NULL,
                        "1: directions orthogonal in groups of d; 0: independent Gaussians"},
    [OPT_MAX_TRAIN] = {"max_train", 100000, 1, 1e9, 1, NULL, "rows to take the mean of"},
    {0},
};

typedef struct lsh {
    float *A, *b;
} lsh;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    lsh *s = self->state;
    LBH_TRY(v->tensor(v, "A", &s->A, self->nbits, self->d));
    return v->tensor(v, "b", &s->b, 1, self->nbits);
}

static int train(lbh_encoder *self, lbh_training *t)
{
    lsh *s = self->state;
    int d = self->d, nbits = self->nbits;
    uint64_t seed = (uint64_t)self->common[LBH_OPT_SEED];
    lbh_rng_normal(seed, 0, (int64_t)nbits * d, s->A);
    for (int k = 0; self->value[OPT_ORTHOGONAL] != 0 && k < nbits; k += d)
        LBH_TRY(lbh_orthonormal_rows(nbits - k < d ? nbits - k : d, d, s->A + (int64_t)k * d));
    /* The rows are read even when nothing is learned from them, so that bad data are refused. */
    int64_t m;
    float *X;
    LBH_TRY(lbh_sample_rows(t, (int64_t)self->value[OPT_MAX_TRAIN], &m, &X));
    float *mean = lbh_scratch_f(t, 1, d);
    if (!mean)
        return LBH_ENOMEM;
    lbh_centre(m, d, X, mean);
    if (self->value[OPT_CENTRE] != 0)
        lbh_gemm_nt(1, nbits, d, -1, mean, s->A, 0, s->b);
    return lbh_report(t, 1, 1, 0);
}

static int linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const lsh *s = self->state;
    memcpy(A, s->A, (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, s->b, (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

const lbh_method lbh_method_lsh = {
    .name = "lsh",
    .summary = "random hyperplanes; learns only the mean",
    .cite = "Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002",
    .state_size = sizeof(lsh),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = linear,
};
