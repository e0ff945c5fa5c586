/* visit.c: memory of the learned tensors that a method names, and the byte tables that any may have. */
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
    lbh_tables_clear(&enc->tables);
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

int lbh_visit_tables(lbh_encoder *enc, lbh_visitor *v)
{
    lbh_tables *s = &enc->tables;
    if (!s->columns)
        return LBH_OK;
    LBH_TRY(v->tensor(v, "tables", &s->T, (int64_t)s->nbytes * LBH_TABLE, s->columns));
    LBH_TRY(v->tensor(v, "tables.axes", &s->axes, s->columns, s->d));
    return v->tensor(v, "tables.centre", &s->centre, 1, s->d);
}

int lbh_visit_all(lbh_encoder *enc, lbh_visitor *v)
{
    LBH_TRY(enc->method->visit(enc, v));
    return lbh_visit_tables(enc, v);
}
