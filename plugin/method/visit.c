/* visit.c: memory of the learned tensors that a method names. */
#include "method.h"

#include <stdlib.h>

static int free_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    (void)v, (void)name, (void)rows, (void)cols;
    free(*data);
    *data = NULL;
    return LBH_OK;
}

void lbh_visit_free(lbh_encoder *enc)
{
    lbh_visitor v = {free_tensor};
    enc->method->visit(enc, &v);
}

static int allocate_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows,
                           int64_t cols)
{
    (void)v, (void)name;
    free(*data);
    *data = lbh_alloc(rows * cols, sizeof **data);
    return *data ? LBH_OK : LBH_ENOMEM;
}

int lbh_visit_allocate(lbh_encoder *enc)
{
    lbh_visitor v = {allocate_tensor};
    return enc->method->visit(enc, &v);
}
