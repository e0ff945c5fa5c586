/* layers.c: encoders that were learned elsewhere: a linear map, or a network of up to four layers,
 *
 *   y_0 = x,  y_l = relu(W_l y_{l-1} + b_l),  bit_k = [ (W y + b)_k >= 0 ] of the last layer,
 *
 * with or without a linear decoder x^ = sum over the set bits k of U_k, + c. There is nothing to train:
 * from_layers.c makes them, and the registry does not list the method. */
#include "jmlh_net.h"

#include <string.h>

enum { OPT_DECODER = JMLH_OPTIONS };

static const lbh_param params[] = {
    JMLH_HIDDEN_PARAMS(0),
    [OPT_DECODER] = {"decoder", 0, 0, 1, 1, NULL, "1: there is a decoder"},
    {0},
};

typedef struct layers {
    jmlh_net net; /* first: the functions of jmlh_net.h see only this */
    float *U, *c;
} layers;

static int visit(lbh_encoder *self, lbh_visitor *v)
{
    layers *s = self->state;
    LBH_TRY(jmlh_visit(self, v));
    if (self->value[OPT_DECODER] == 0)
        return LBH_OK;
    LBH_TRY(v->tensor(v, "U", &s->U, self->nbits, self->d));
    return v->tensor(v, "c", &s->c, 1, self->d);
}

static int train(lbh_encoder *self, lbh_training *t)
{
    (void)t;
    return lbh_error(LBH_ESTATE, "%s: is made from layers that are learned elsewhere "
                     "(lbh_encoder_from_layers); there is nothing to train", self->method->name);
}

static int decoder(const lbh_encoder *self, float *U, float *c)
{
    const layers *s = self->state;
    if (self->value[OPT_DECODER] == 0)
        return lbh_error(LBH_EINVAL, "%s: was made without a decoder", self->method->name);
    memcpy(U, s->U, (size_t)self->nbits * (size_t)self->d * sizeof *U);
    memcpy(c, s->c, (size_t)self->d * sizeof *c);
    return LBH_OK;
}

const lbh_method lbh_method_layers = {
    .name = LBH_METHOD_LAYERS,
    .summary = "a linear map or a network learned elsewhere",
    .cite = "none",
    .state_size = sizeof(layers),
    .params = params,
    .train = train,
    .visit = visit,
    .linear = jmlh_linear,
    .is_linear = jmlh_is_linear,
    .project = jmlh_project,
    .decoder = decoder,
    .prepare = jmlh_prepare,
    .release = jmlh_release,
};
