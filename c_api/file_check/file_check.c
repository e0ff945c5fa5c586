/* file_check.c: a reader of FAISS's binary index files that distrusts them. FAISS's own believes
 * every size it reads (it allocates and zeroes up to a terabyte for eight wrong bytes) and follows
 * graph links and list numbers without a look; an assertion that fails ends the process. So the
 * structure is walked here first, on the mapped file, in the order in which FAISS reads it
 * (faiss/impl/index_read.cpp), which has been the same since 1.6.3. Kinds that are not known here
 * are left to FAISS. Bytes after the index are ignored, as FAISS ignores them. */
#include "file_check.h"

#include "file_cursor.h"

#include <string.h>

enum { MAX_DEPTH = 8 };

/* One whole index, nested ones included. */
static int take_index(cursor *c, header *h, int64_t id_limit, int depth);


/* The lists of an IVF index: sizes first, then codes and ids of each list. */
typedef struct lists {
    uint64_t nlist;
    bool sparse;
    span sizes; /* full: a size for each list; sparse: pairs (list, size), lists rising or not */
} lists;

static int take_list_sizes(cursor *c, lists *l)
{
    char type[4];
    LBH_TRY(fc_take(c, type, sizeof type));
    l->sparse = memcmp(type, "sprs", 4) == 0;
    if (!l->sparse && memcmp(type, "full", 4) != 0)
        return fc_bad(c, "unknown form of inverted lists");
    LBH_TRY(fc_take_span(c, &l->sizes, sizeof(int64_t)));
    if (!l->sparse)
        return l->sizes.count == l->nlist ? LBH_OK
                                          : fc_bad(c, "wrong number of inverted lists");
    if (l->sizes.count % 2 != 0)
        return fc_bad(c, "the sizes of the inverted lists are damaged");
    /* FAISS writes rising lists; a list named twice would make sizes and data disagree. */
    for (uint64_t i = 0; i < l->sizes.count; i += 2) {
        uint64_t list = (uint64_t)fc_i64(l->sizes.data, i);
        if (list >= l->nlist ||
            (i > 0 && list <= (uint64_t)fc_i64(l->sizes.data, i - 2)))
            return fc_bad(c, "an inverted list is out of range");
    }
    return LBH_OK;
}

static int take_lists(cursor *c, const header *h, int64_t nlist, int64_t id_limit)
{
    char type[4];
    uint64_t code_size = 0;
    lists l = {0};
    LBH_TRY(fc_take(c, type, sizeof type));
    if (memcmp(type, "il00", 4) == 0)
        return fc_bad(c, "it was saved without its inverted lists");
    if (memcmp(type, "ilar", 4) != 0) { /* lists on disk, or of a later FAISS */
        c->opaque = true;
        return LBH_OK;
    }
    LBH_TRY(fc_take(c, &l.nlist, sizeof l.nlist));
    LBH_TRY(fc_take(c, &code_size, sizeof code_size));
    if (l.nlist != (uint64_t)nlist || code_size != (uint64_t)h->code_size)
        return fc_bad(c, "the inverted lists do not fit the header");
    LBH_TRY(take_list_sizes(c, &l));
    uint64_t step = l.sparse ? 2 : 1;
    for (uint64_t i = 0; i < l.sizes.count; i += step) {
        uint64_t size = (uint64_t)fc_i64(l.sizes.data, i + step - 1);
        span codes, ids = {0};
        if (size > c->size) /* keeps size * code_size in range */
            return fc_bad(c, "the size of an inverted list is wrong");
        LBH_TRY(fc_take_items(c, &codes, size * code_size, 1));
        LBH_TRY(fc_take_items(c, &ids, size, sizeof(int64_t)));
        LBH_TRY(fc_check_ids(c, ids, id_limit));
    }
    return LBH_OK;
}

static int take_direct_map(cursor *c, const header *h, int64_t nlist)
{
    uint8_t type;
    span array = {0}, pairs;
    LBH_TRY(fc_take(c, &type, 1));
    if (type > 2)
        return fc_bad(c, "the direct map is damaged");
    LBH_TRY(fc_take_span(c, &array, sizeof(int64_t)));
    if (type == 1 && array.count != (uint64_t)h->ntotal)
        return fc_bad(c, "the direct map does not fit the number of codes");
    for (uint64_t i = 0; i < array.count; i++)
        if (fc_i64(array.data, i) < -1 || fc_i64(array.data, i) >> 32 >= nlist)
            return fc_bad(c, "the direct map is damaged");
    return type == 2 ? fc_take_span(c, &pairs, 2 * sizeof(int64_t)) : LBH_OK;
}

static int ivf(cursor *c, const header *h, int64_t id_limit, int depth)
{
    int64_t nlist = 0, nprobe = 0;
    header quantizer;
    LBH_TRY(fc_take(c, &nlist, sizeof nlist));
    LBH_TRY(fc_take(c, &nprobe, sizeof nprobe));
    if (nlist < 1 || nlist > (int64_t)c->size || nprobe < 1 || nprobe > INT32_MAX)
        return fc_bad(c, "the number of lists or nprobe is out of range");
    LBH_TRY(take_index(c, &quantizer, nlist, depth));
    if (c->opaque)
        return LBH_OK;
    if (quantizer.d != h->d)
        return fc_bad(c, "the quantizer has another dimension");
    LBH_TRY(take_direct_map(c, h, nlist));
    return take_lists(c, h, nlist, id_limit);
}

static int idmap(cursor *c, const header *h, int64_t id_limit, int depth)
{
    header inner;
    span ids = {0};
    LBH_TRY(take_index(c, &inner, h->ntotal, depth));
    if (c->opaque)
        return LBH_OK;
    if (inner.d != h->d || inner.ntotal != h->ntotal)
        return fc_bad(c, "the index under the IDMap does not fit it");
    LBH_TRY(fc_take_span(c, &ids, sizeof(int64_t)));
    if (ids.count != (uint64_t)h->ntotal)
        return fc_bad(c, "the number of ids does not fit the number of codes");
    return fc_check_ids(c, ids, id_limit);
}

static int take_index(cursor *c, header *h, int64_t id_limit, int depth)
{
    if (depth >= MAX_DEPTH)
        return fc_bad(c, "indexes are nested too deeply");
    memset(h, 0, sizeof *h);
    LBH_TRY(fc_take(c, h->fourcc, 4));
    if (memcmp(h->fourcc, "IB", 2) != 0)
        return fc_bad(c, "it starts like no index of binary codes");
    LBH_TRY(fc_take_header(c, h));
    const char *kind = h->fourcc + 2;
    if (strcmp(kind, "xF") == 0)
        return fc_flat(c, h, id_limit);
    if (strcmp(kind, "wF") == 0)
        return ivf(c, h, id_limit, depth + 1);
    if (fc_is_idmap(h))
        return idmap(c, h, id_limit, depth + 1);
    if (strcmp(kind, "Hh") == 0)
        return fc_hash(c, h, id_limit);
    /* The ids of the kinds below are places in their storage. */
    if ((strcmp(kind, "Hf") == 0 || strcmp(kind, "Hm") == 0) && id_limit >= 0 &&
        h->ntotal > id_limit)
        return fc_bad(c, "an inner index holds too many codes");
    if (strcmp(kind, "Hf") == 0)
        return fc_hnsw(c, h);
    if (strcmp(kind, "Hm") == 0)
        return fc_multihash(c, h);
    c->opaque = true; /* float storage (IBFf), or a kind of a later FAISS */
    return LBH_OK;
}

int lbh_file_check(const char *path, const uint8_t *data, size_t size, bool *whole)
{
    cursor c = {.path = path, .data = data, .size = size};
    header h;
    int rc = take_index(&c, &h, -1, 0);
    *whole = !c.opaque;
    return rc;
}
