/* encoder_file.c: saving and loading encoders through the method's visitor. */
#define _POSIX_C_SOURCE 200809L
#include "encoder_document.h"
#include "encoder_parts.h"
#include "durable_file.h"
#include "notes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* ---- Writing ------------------------------------------------------------------------------- */

static int build_model(lbh_document *doc, lbh_encoder *enc)
{
    LBH_TRY(lbh_document_put(doc, "format", "faiss-lbh model"));
    LBH_TRY(lbh_document_put(doc, "library", enc->library));
    LBH_TRY(lbh_put_encoder(doc, enc));
    LBH_TRY(lbh_document_put_number(doc, "n_train", (double)enc->n_train));
    LBH_TRY(lbh_document_put(doc, "bit_order", "lsb"));
    LBH_TRY(lbh_document_put(doc, "bit_rule", "z>=0"));
    LBH_TRY(lbh_document_put_number(doc, "pad_bits", (8 - enc->nbits % 8) % 8));
    LBH_TRY(lbh_put_notes(doc, enc));
    doc->version = lbh_encoder_has_tables(enc) ? 2 : 1;
    return lbh_put_tensors(doc, enc);
}

/* The visitor only reads here, but the type of visit() is that of all visits. */
static lbh_encoder *unconst(const lbh_encoder *enc)
{
    union {
        const lbh_encoder *in;
        lbh_encoder *out;
    } u = {enc};
    return u.out;
}

static int check_save(const lbh_encoder *enc, const void *to)
{
    if (!enc || !to)
        return lbh_error(LBH_EINVAL, "lbh_encoder_save: a NULL argument");
    if (!enc->trained)
        return lbh_error(LBH_ESTATE, "%s: the encoder is not trained", enc->method->name);
    return LBH_OK;
}

int lbh_encoder_save_memory(const lbh_encoder *enc, void **data, size_t *size)
{
    LBH_TRY(check_save(enc, data && size ? data : NULL));
    lbh_memory memory;
    LBH_TRY(lbh_memory_create(&memory));
    lbh_document doc = {0};
    int rc = build_model(&doc, unconst(enc));
    if (!rc)
        rc = lbh_document_emit(&doc, memory.stream);
    lbh_document_clear(&doc);
    return lbh_memory_commit(&memory, rc, data, size);
}

int lbh_encoder_save(const lbh_encoder *enc, const char *path)
{
    LBH_TRY(check_save(enc, path));
    lbh_document doc = {0};
    int rc = build_model(&doc, unconst(enc));
    if (!rc)
        rc = lbh_document_write(&doc, path);
    lbh_document_clear(&doc);
    if (!rc && enc->checkpoint && strcmp(enc->checkpoint, path) != 0)
        unlink(enc->checkpoint); /* what the finished training no longer needs */
    return rc;
}

typedef struct hash_visitor {
    lbh_visitor visitor;
    uint64_t hash;
} hash_visitor;

static int hash_tensor(lbh_visitor *v, const char *name, float **data, int64_t rows, int64_t cols)
{
    hash_visitor *h = (hash_visitor *)(void *)v;
    h->hash = XXH3_64bits_withSeed(name, strlen(name), h->hash);
    h->hash = XXH3_64bits_withSeed(*data, (size_t)(rows * cols) * sizeof(float), h->hash);
    return LBH_OK;
}

uint64_t lbh_encoder_digest(const lbh_encoder *enc)
{
    if (!enc || !enc->trained)
        return 0;
    hash_visitor v = {{hash_tensor}, 0};
    lbh_visit_all(unconst(enc), &v.visitor);
    return v.hash;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* Refuses what a file of an earlier version may say and no longer holds. */
static int check_retired(const lbh_encoder *enc, const char *what, const char *option, double value)
{
    for (const lbh_retired *r = enc->method->retired; r && r->option; r++)
        if (strcmp(r->option, option) == 0 && r->value == value)
            return lbh_error(LBH_EFORMAT,
                             "%s: trained by an earlier version with %s: it is no longer in this "
                             "library; train again, or read it with the version that wrote it",
                             what, r->why);
    return LBH_OK;
}

/* Options of the file that this library does not know are ignored; bad values are not. */
static int read_options(lbh_encoder *enc, const lbh_document *doc, const char *what)
{
    const lbh_param *p;
    enc->common[LBH_OPT_ROBUST] = 0; /* of files older than these options */
    enc->common[LBH_OPT_HELD_OUT] = 0;
    for (int i = 0; (p = lbh_param_at(enc->method, i)) != NULL; i++) {
        char key[64], text[64];
        double value;
        snprintf(key, sizeof key, "option.%s", p->name);
        if (!lbh_document_get(doc, key, text, sizeof text))
            continue;
        if (!lbh_document_get_number(doc, key, &value))
            return lbh_error(LBH_EFORMAT, "%s: %s is no number: %s", what, key, text);
        LBH_TRY(check_retired(enc, what, p->name, value));
        if (lbh_encoder_set_value(enc, p->name, value))
            return lbh_error(LBH_EFORMAT, "%s: %s", what, lbh_last_error());
    }
    return LBH_OK;
}

/* What training settled otherwise than the options say. Files of 0.1.0 have it in the options. */
static int read_settled(lbh_encoder *enc, const lbh_document *doc, const char *what)
{
    const lbh_param *p = enc->method->params;
    memcpy(enc->settled, enc->value, sizeof enc->settled);
    for (int i = 0; p && p[i].name; i++) {
        char key[64], text[64];
        double value;
        snprintf(key, sizeof key, "settled.%s", p[i].name);
        if (!lbh_document_get(doc, key, text, sizeof text))
            continue;
        if (!lbh_document_get_number(doc, key, &value) || !(value >= p[i].min && value <= p[i].max) ||
            (p[i].integer && value != floor(value)))
            return lbh_error(LBH_EFORMAT, "%s: %s is out of bounds: %s", what, key, text);
        enc->settled[i] = value;
    }
    return LBH_OK;
}

static int new_from(lbh_encoder **enc, const lbh_document *doc, const char *what)
{
    char method[64], order[16];
    double d, nbits;
    if (!lbh_document_get(doc, "method", method, sizeof method) ||
        !lbh_document_get_number(doc, "d", &d) || !lbh_document_get_number(doc, "nbits", &nbits))
        return lbh_error(LBH_EFORMAT, "%s: method, d or nbits is missing", what);
    if (!(d >= 1 && d <= LBH_MAX_D && nbits >= 1 && nbits <= LBH_MAX_NBITS))
        return lbh_error(LBH_EFORMAT, "%s: d %g or nbits %g is out of bounds", what, d, nbits);
    if (lbh_document_get(doc, "bit_order", order, sizeof order) && strcmp(order, "lsb") != 0)
        return lbh_error(LBH_EFORMAT, "%s: unknown bit order %s", what, order);
    int rc = lbh_encoder_new(enc, method, (int)d, (int)nbits);
    return rc == LBH_EINVAL ? lbh_error(LBH_EFORMAT, "%s: %s", what, lbh_last_error()) : rc;
}

static int fill_encoder(lbh_encoder *enc, const lbh_document *doc, const char *what)
{
    double n_train = 0;
    int count = 0;
    LBH_TRY(read_options(enc, doc, what));
    LBH_TRY(read_settled(enc, doc, what));
    if (enc->method->check && enc->method->check(enc))
        return lbh_error(LBH_EFORMAT, "%s: %s", what, lbh_last_error());
    LBH_TRY(lbh_read_table_columns(enc, doc, what));
    LBH_TRY(lbh_fill_tensors(enc, doc, what, &count));
    if (count != doc->ntensors)
        return lbh_error(LBH_EFORMAT, "%s: it holds %d tensors that %s does not know", what,
                         doc->ntensors - count, enc->method->name);
    if (lbh_document_get_number(doc, "n_train", &n_train) && n_train >= 0 && n_train < 0x1p53)
        enc->n_train = (int64_t)n_train;
    if (!lbh_document_get(doc, "library", enc->library, sizeof enc->library))
        snprintf(enc->library, sizeof enc->library, "?");
    LBH_TRY(lbh_read_notes(enc, doc));
    return lbh_encoder_finish(enc);
}

static int load(lbh_encoder **out, const lbh_document *doc, const char *what)
{
    char format[64];
    if (!lbh_document_get(doc, "format", format, sizeof format) ||
        strcmp(format, "faiss-lbh model") != 0)
        return lbh_error(LBH_EFORMAT, "%s: not a model (perhaps a checkpoint of training)", what);
    lbh_encoder *enc = NULL;
    LBH_TRY(new_from(&enc, doc, what));
    int rc = fill_encoder(enc, doc, what);
    if (rc)
        lbh_encoder_free(enc);
    else
        *out = enc;
    return rc;
}

int lbh_encoder_load(lbh_encoder **enc, const char *path)
{
    if (!enc || !path)
        return lbh_error(LBH_EINVAL, "lbh_encoder_load: a NULL argument");
    lbh_document doc;
    LBH_TRY(lbh_document_read(&doc, path));
    int rc = load(enc, &doc, path);
    lbh_document_clear(&doc);
    return rc;
}

int lbh_encoder_load_memory(lbh_encoder **enc, const void *data, size_t size)
{
    if (!enc || !data)
        return lbh_error(LBH_EINVAL, "lbh_encoder_load_memory: a NULL argument");
    lbh_document doc;
    LBH_TRY(lbh_document_parse(&doc, data, size, "model in memory"));
    int rc = load(enc, &doc, "model in memory");
    lbh_document_clear(&doc);
    return rc;
}
