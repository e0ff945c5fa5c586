/* file_cursor.c: bytes of an index file, read one after the other and never past the end; and the two
 * parts that several kinds of index have: the header, and codes one after the other. */
#include "file_cursor.h"

#include <string.h>

enum { MAX_CODE_SIZE = 1 << 16 };

int fc_bad(const cursor *c, const char *what)
{
    return lbh_error(LBH_EFORMAT, "%s: not a sound FAISS binary index: %s", c->path, what);
}

int fc_take(cursor *c, void *to, size_t size)
{
    if (c->size - c->at < size)
        return fc_bad(c, "the file is cut off");
    memcpy(to, c->data + c->at, size);
    c->at += size;
    return LBH_OK;
}

int fc_take_items(cursor *c, span *s, uint64_t count, size_t item_size)
{
    if (count > (c->size - c->at) / item_size)
        return fc_bad(c, "the file is cut off, or a size in it is wrong");
    *s = (span){c->data + c->at, count};
    c->at += (size_t)count * item_size;
    return LBH_OK;
}

int fc_take_span(cursor *c, span *s, size_t item_size)
{
    uint64_t count = 0;
    LBH_TRY(fc_take(c, &count, sizeof count));
    return fc_take_items(c, s, count, item_size);
}

int64_t fc_i64(const uint8_t *data, uint64_t i)
{
    int64_t v;
    memcpy(&v, data + i * sizeof v, sizeof v);
    return v;
}

int32_t fc_i32(const uint8_t *data, uint64_t i)
{
    int32_t v;
    memcpy(&v, data + i * sizeof v, sizeof v);
    return v;
}

int fc_check_ids(const cursor *c, span ids, int64_t limit)
{
    for (uint64_t i = 0; limit >= 0 && i < ids.count; i++) {
        int64_t id = fc_i64(ids.data, i);
        if (id < 0 || id >= limit)
            return fc_bad(c, "an id is out of range");
    }
    return LBH_OK;
}

bool fc_is_idmap(const header *h)
{
    return memcmp(h->fourcc, "IBM", 3) == 0;
}

/* FAISS 1.7.3 gives an IDMap the dimension of the index under it, but no code size. */
int fc_take_header(cursor *c, header *h)
{
    uint8_t trained = 0;
    int32_t metric = 0;
    LBH_TRY(fc_take(c, &h->d, sizeof h->d));
    LBH_TRY(fc_take(c, &h->code_size, sizeof h->code_size));
    LBH_TRY(fc_take(c, &h->ntotal, sizeof h->ntotal));
    LBH_TRY(fc_take(c, &trained, sizeof trained));
    LBH_TRY(fc_take(c, &metric, sizeof metric));
    if (h->d < 8 || h->d % 8 != 0 || h->d / 8 > MAX_CODE_SIZE ||
        (h->code_size != h->d / 8 && !(h->code_size == 0 && fc_is_idmap(h))))
        return fc_bad(c, "dimension and code size do not fit");
    if (h->ntotal < 0)
        return fc_bad(c, "the number of codes is negative");
    if (trained > 1)
        return fc_bad(c, "the header is damaged");
    return LBH_OK;
}

int fc_flat(cursor *c, const header *h, int64_t id_limit)
{
    span codes = {0};
    LBH_TRY(fc_take_span(c, &codes, 1));
    if (codes.count / (uint64_t)h->code_size != (uint64_t)h->ntotal ||
        codes.count % (uint64_t)h->code_size != 0)
        return fc_bad(c, "the number of codes does not fit their size");
    if (id_limit >= 0 && h->ntotal > id_limit)
        return fc_bad(c, "an inner index holds too many codes");
    return LBH_OK;
}

int fc_storage(cursor *c, const header *outer)
{
    header inner = {0};
    LBH_TRY(fc_take(c, inner.fourcc, 4));
    if (strcmp(inner.fourcc, "IBxF") != 0)
        return fc_bad(c, "the stored codes are no flat index");
    LBH_TRY(fc_take_header(c, &inner));
    LBH_TRY(fc_flat(c, &inner, -1));
    if (inner.d != outer->d || inner.ntotal != outer->ntotal)
        return fc_bad(c, "the stored codes do not fit the index");
    return LBH_OK;
}
