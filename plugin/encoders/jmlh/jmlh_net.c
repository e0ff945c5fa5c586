/* jmlh_net.c: see jmlh_net.h. */
#include "jmlh_net.h"

#include <string.h>

lbh_mlp jmlh_encoder(const lbh_encoder *self)
{
    const jmlh_net *net = self->state;
    const int hidden[] = {(int)self->value[JMLH_HIDDEN1], (int)self->value[JMLH_HIDDEN2],
                          (int)self->value[JMLH_HIDDEN3]};
    lbh_mlp m = lbh_mlp_shape(self->d, 3, hidden, self->nbits);
    memcpy(m.W, net->W, sizeof m.W);
    memcpy(m.b, net->b, sizeof m.b);
    return m;
}

int jmlh_visit(lbh_encoder *self, lbh_visitor *v)
{
    static const char *const names[LBH_MLP_MAX][2] = {
        {"W1", "b1"}, {"W2", "b2"}, {"W3", "b3"}, {"W4", "b4"}};
    jmlh_net *net = self->state;
    lbh_mlp m = jmlh_encoder(self);
    for (int l = 0; l < m.nlayers; l++) {
        LBH_TRY(v->tensor(v, names[l][0], &net->W[l], m.size[l + 1], m.size[l]));
        LBH_TRY(v->tensor(v, names[l][1], &net->b[l], 1, m.size[l + 1]));
    }
    return LBH_OK;
}

bool jmlh_is_linear(const lbh_encoder *self)
{
    return jmlh_encoder(self).nlayers == 1;
}

int jmlh_linear(const lbh_encoder *self, lbh_role role, float *A, float *b)
{
    (void)role;
    const jmlh_net *net = self->state;
    memcpy(A, net->W[0], (size_t)self->nbits * (size_t)self->d * sizeof *A);
    memcpy(b, net->b[0], (size_t)self->nbits * sizeof *b);
    return LBH_OK;
}

int jmlh_project(const lbh_encoder *self, lbh_role role, int64_t n, const float *x, float *z)
{
    (void)role;
    const jmlh_net *net = self->state;
    return lbh_mlp_apply(&net->packed, n, x, z);
}

int jmlh_prepare(lbh_encoder *self)
{
    jmlh_net *net = self->state;
    lbh_mlp m = jmlh_encoder(self);
    return m.nlayers == 1 ? LBH_OK : lbh_mlp_pack(&net->packed, &m);
}

void jmlh_release(lbh_encoder *self)
{
    jmlh_net *net = self->state;
    lbh_mlp_unpack(&net->packed);
}
