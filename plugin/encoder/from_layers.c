/* from_layers.c: encoders of the method "layers" (encoders/jmlh/layers.c) from numbers that were learned
 * elsewhere. */
#include "encoder_parts.h"
#include "finite.h"

#include <string.h>

static int check_finite(const char *what, int layer, int64_t rows, int64_t cols, const float *data)
{
    if (!data)
        return lbh_error(LBH_EINVAL, "layers: %s of layer %d is NULL", what, layer);
    for (int64_t i = 0; i < rows; i++)
        if (lbh_find_nonfinite(1, (int)cols, data + i * cols) >= 0)
            return lbh_error(LBH_EINVAL, "layers: row %lld of %s of layer %d holds a NaN or an infinity",
                             (long long)i, what, layer);
    return LBH_OK;
}

/* Fills the tensors in the order in which the method names them: W and b of each layer, then U and c. */
typedef struct copying {
    lbh_visitor visitor;
    const float *from[2 * LBH_MAX_LAYERS + 2];
    int next;
} copying;

static int copy_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    copying *c = (copying *)(void *)v;
    (void)name;
    memcpy(*data, c->from[c->next++], (size_t)(rows * cols) * sizeof **data);
    return LBH_OK;
}

static int fill(lbh_encoder *enc, const lbh_layers *from)
{
    static const char *const hidden[] = {"hidden1", "hidden2", "hidden3"};
    copying c = {.visitor = {copy_tensor}};
    int count = 0;
    for (int l = 1; l < from->nlayers; l++)
        LBH_TRY(lbh_encoder_set_value(enc, hidden[l - 1], from->width[l]));
    LBH_TRY(lbh_encoder_set_value(enc, "decoder", from->U != NULL));
    LBH_TRY(lbh_encoder_set_value(enc, "metric", from->metric));
    for (int l = 0; l < from->nlayers; l++) {
        c.from[count++] = from->W[l];
        c.from[count++] = from->b[l];
    }
    c.from[count++] = from->U;
    c.from[count++] = from->c;
    LBH_TRY(lbh_visit_allocate(enc));
    LBH_TRY(enc->method->visit(enc, &c.visitor));
    return lbh_encoder_finish(enc);
}

int lbh_encoder_from_layers(lbh_encoder **out, const lbh_layers *from)
{
    if (!out || !from)
        return lbh_error(LBH_EINVAL, "lbh_encoder_from_layers: a NULL argument");
    int n = from->nlayers;
    if (n < 1 || n > LBH_MAX_LAYERS)
        return lbh_error(LBH_EINVAL, "layers: %d layers; 1 to %d are possible", n, LBH_MAX_LAYERS);
    for (int l = 1; l < n; l++) /* the option's bounds are those of the method; 0 would be no layer */
        if (from->width[l] < 1)
            return lbh_error(LBH_EINVAL, "layers: the width of layer %d (%d) is below 1", l - 1,
                             from->width[l]);
    lbh_encoder *enc = NULL;
    LBH_TRY(lbh_encoder_new(&enc, LBH_METHOD_LAYERS, from->width[0], from->width[n]));
    int rc = LBH_OK;
    for (int l = 0; l < n && !rc; l++) {
        rc = check_finite("W", l, from->width[l + 1], from->width[l], from->W[l]);
        if (!rc)
            rc = check_finite("b", l, 1, from->width[l + 1], from->b[l]);
    }
    if (!rc && from->U)
        rc = check_finite("U", n, enc->nbits, enc->d, from->U);
    if (!rc && from->U)
        rc = check_finite("c", n, 1, enc->d, from->c);
    if (!rc)
        rc = fill(enc, from);
    if (rc)
        lbh_encoder_free(enc);
    else
        *out = enc;
    return rc;
}
