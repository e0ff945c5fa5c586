/* encoder_document.c: an encoder as a document, through the method's visitor. */
#include "encoder_document.h"

#include "finite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing ------------------------------------------------------------------------------- */

int lbh_put_encoder(lbh_document *doc, const lbh_encoder *enc)
{
    LBH_TRY(lbh_document_put(doc, "method", enc->method->name));
    LBH_TRY(lbh_document_put_number(doc, "d", enc->d));
    LBH_TRY(lbh_document_put_number(doc, "nbits", enc->nbits));
    const lbh_param *p;
    for (int i = 0; (p = lbh_param_at(enc->method, i)) != NULL; i++) {
        char key[64];
        double value;
        snprintf(key, sizeof key, "option.%s", p->name);
        LBH_TRY(lbh_encoder_get_value(enc, p->name, &value));
        LBH_TRY(lbh_document_put_number(doc, key, value));
    }
    for (int i = 0; enc->method->params && enc->method->params[i].name; i++) {
        char key[64];
        snprintf(key, sizeof key, "settled.%s", enc->method->params[i].name);
        if (enc->settled[i] != enc->value[i])
            LBH_TRY(lbh_document_put_number(doc, key, enc->settled[i]));
    }
    return LBH_OK;
}

typedef struct put_visitor {
    lbh_visitor visitor;
    lbh_document *doc;
} put_visitor;

static int put_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    return lbh_document_put_tensor(((put_visitor *)(void *)v)->doc, name, rows, cols, *data);
}

int lbh_put_tensors(lbh_document *doc, lbh_encoder *enc)
{
    put_visitor v = {{put_tensor}, doc};
    return lbh_visit_all(enc, &v.visitor);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int find_tensor(const lbh_document *doc, const char *what, const char *name, int64_t rows,
                       int64_t cols, const lbh_tensor **out)
{
    const lbh_tensor *t = lbh_document_tensor(doc, name);
    if (!t)
        return lbh_error(LBH_EFORMAT, "%s: tensor %s is missing", what, name);
    if (t->rows != rows || t->cols != cols)
        return lbh_error(LBH_EFORMAT, "%s: tensor %s is %lld x %lld and should be %lld x %lld",
                         what, name, (long long)t->rows, (long long)t->cols, (long long)rows,
                         (long long)cols);
    for (int64_t i = 0; i < rows; i++)
        if (lbh_find_nonfinite(1, (int)cols, t->data + i * cols) >= 0)
            return lbh_error(LBH_EFORMAT, "%s: tensor %s holds a NaN or an infinity", what, name);
    *out = t;
    return LBH_OK;
}

int lbh_fill_tensor(const lbh_document *doc, const char *what, const char *name, int64_t rows,
                    int64_t cols, float *data)
{
    const lbh_tensor *t;
    LBH_TRY(find_tensor(doc, what, name, rows, cols, &t));
    memcpy(data, t->data, (size_t)(rows * cols) * sizeof *data);
    return LBH_OK;
}

typedef struct fill_visitor {
    lbh_visitor visitor;
    const lbh_document *doc;
    const char *what;
    int count;
} fill_visitor;

static int fill_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    fill_visitor *f = (fill_visitor *)(void *)v;
    const lbh_tensor *t;
    LBH_TRY(find_tensor(f->doc, f->what, name, rows, cols, &t));
    free(*data);
    *data = lbh_alloc(rows * cols, sizeof **data);
    if (!*data)
        return LBH_ENOMEM;
    memcpy(*data, t->data, (size_t)(rows * cols) * sizeof **data);
    f->count++;
    return LBH_OK;
}

int lbh_fill_tensors(lbh_encoder *enc, const lbh_document *doc, const char *what, int *count)
{
    fill_visitor v = {{fill_tensor}, doc, what, 0};
    LBH_TRY(lbh_visit_all(enc, &v.visitor));
    *count = v.count;
    return LBH_OK;
}

int lbh_read_table_columns(lbh_encoder *enc, const lbh_document *doc, const char *what)
{
    const lbh_tensor *axes = lbh_document_tensor(doc, "tables.axes");
    if (!axes)
        return LBH_OK;
    if (!enc->method->decoder || axes->rows < 1 || axes->rows > enc->d)
        return lbh_error(LBH_EFORMAT, "%s: tables of %lld columns for %s, d = %d", what,
                         (long long)axes->rows, enc->method->name, enc->d);
    enc->tables.nbytes = (int)lbh_code_bytes(enc);
    enc->tables.columns = (int)axes->rows;
    enc->tables.d = enc->d;
    return LBH_OK;
}
