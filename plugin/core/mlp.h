/* mlp.h: a multi-layer perceptron: to train (a batch at a time, by BLAS) and to apply (packed layers,
 * one thread's share, each row independent of its neighbours).
 *
 *   Y_0 = X,  Y_{l+1} = relu(Y_l W_l^T + b_l), no relu after the last layer
 *
 * Column sums run over blocks of 16 columns, so that gradients do not depend on the threads. */
#ifndef LBH_CORE_MLP_H
#define LBH_CORE_MLP_H

#include <stddef.h>
#include <stdint.h>

struct lbh_panels;

enum { LBH_MLP_MAX = 4 }; /* layers */

typedef struct lbh_mlp {
    int nlayers;
    int size[LBH_MLP_MAX + 1]; /* inputs, hidden units ..., outputs */
    float *W[LBH_MLP_MAX];     /* size[l+1] x size[l] */
    float *b[LBH_MLP_MAX];     /* size[l+1] */
} lbh_mlp;

/* The outputs of the layers for a batch of at most B rows, and the gradients by them. */
typedef struct lbh_mlp_batch {
    float *Y[LBH_MLP_MAX]; /* Y[l]: B x size[l+1], output of layer l */
    float *D[LBH_MLP_MAX]; /* the same shapes: d(loss)/d(output of layer l before the relu) */
    /* Dropout of hidden layer l: uniform numbers B x size[l+1] (NULL: none). A unit whose number is
     * below `drop` is 0, the others are divided by 1 - drop. */
    float *uniform[LBH_MLP_MAX];
    float drop;
} lbh_mlp_batch;

/* Layers from d inputs through those of hidden[nhidden] that are not 0 to nout outputs. Pointers
 * are NULL. */
lbh_mlp lbh_mlp_shape(int d, int nhidden, const int *hidden, int nout);

/* Number of parameters; and the tensors laid out one after the other from `theta` on. */
int64_t lbh_mlp_size(const lbh_mlp *m);
void lbh_mlp_bind(lbh_mlp *m, float *theta);

/* Copies the tensors of one network into those of another of the same shape. */
void lbh_mlp_copy(const lbh_mlp *from, const lbh_mlp *to);

/* Glorot & Bengio, AISTATS 2010: W uniform in +-sqrt(6 / (inputs + outputs)), b = 0. Layer l draws
 * from stream + l. */
int lbh_mlp_start(const lbh_mlp *m, uint64_t seed, uint64_t stream);

/* Fills w->Y from X[B * size[0]]. */
void lbh_mlp_forward(const lbh_mlp *m, int B, const float *X, const lbh_mlp_batch *w);

/* From w->D[last], set by the caller, the gradients of all tensors into those of `grad`, and, if not
 * NULL, of the input into dX[B * size[0]]. */
void lbh_mlp_backward(const lbh_mlp *m, int B, const float *X, const lbh_mlp_batch *w,
                      const lbh_mlp *grad, float *dX);

/* Rewrites the first layer so that it takes x where it took (x - mean) * scale. */
void lbh_mlp_fold_input(const lbh_mlp *m, const float *mean, float scale);

/* ---- Applying ------------------------------------------------------------------------------ */

typedef struct lbh_mlp_packed {
    int nlayers, widest; /* widest: most units of a hidden layer */
    int size[LBH_MLP_MAX + 1];
    struct lbh_panels *layer[LBH_MLP_MAX];
} lbh_mlp_packed;

/* Packs the layers; frees what was packed before. LBH_ENOMEM. */
int lbh_mlp_pack(lbh_mlp_packed *p, const lbh_mlp *m);
void lbh_mlp_unpack(lbh_mlp_packed *p);

/* z[n * outputs]; may run in several threads at once. LBH_ENOMEM. */
int lbh_mlp_apply(const lbh_mlp_packed *p, int64_t n, const float *x, float *z);

#endif
