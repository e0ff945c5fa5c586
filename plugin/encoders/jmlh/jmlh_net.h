/* jmlh_net.h: the encoder network of just-maximising-likelihood hashing: what jmlh.c and jmlh_vae.c,
 * which differ in their heads, share of the contract in method.h.
 *
 * Both methods have a jmlh_net as the first member of their state, and hidden1, hidden2, hidden3 as
 * their first options. */
#ifndef LBH_ENCODERS_JMLH_NET_H
#define LBH_ENCODERS_JMLH_NET_H

#include "mlp.h"
#include "method.h"

enum { JMLH_HIDDEN1, JMLH_HIDDEN2, JMLH_HIDDEN3, JMLH_OPTIONS, JMLH_MAX_HIDDEN = 8192 };

#define JMLH_HIDDEN_PARAMS(first)                                                                  \
    [JMLH_HIDDEN1] = {"hidden1", first, 0, JMLH_MAX_HIDDEN, 1, NULL,                               \
                      "units of the first hidden layer; 0: none (all three 0: a linear encoder)"}, \
    [JMLH_HIDDEN2] = {"hidden2", 0, 0, JMLH_MAX_HIDDEN, 1, NULL,                                   \
                      "units of the second hidden layer"},                                         \
    [JMLH_HIDDEN3] = {"hidden3", 0, 0, JMLH_MAX_HIDDEN, 1, NULL, "units of the third hidden layer"}

typedef struct jmlh_net {
    float *W[LBH_MLP_MAX], *b[LBH_MLP_MAX]; /* in the data's units */
    lbh_mlp_packed packed;                  /* unless the network is one linear layer */
} jmlh_net;

/* The network with its tensors as they are now: training allocates them anew. */
lbh_mlp jmlh_encoder(const lbh_encoder *self);

/* Functions of lbh_method; jmlh_visit names the network's tensors only. */
int jmlh_visit(lbh_encoder *self, lbh_visitor *v);
bool jmlh_is_linear(const lbh_encoder *self);
int jmlh_linear(const lbh_encoder *self, lbh_role role, float *A, float *b);
int jmlh_project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z);
int jmlh_prepare(lbh_encoder *self);
void jmlh_release(lbh_encoder *self);

#endif
