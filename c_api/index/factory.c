/* factory.c: a strict parser of FAISS's binary factory strings. FAISS's own is sscanf, which takes
 * "BHash16x" for "BHash16" and "BIVF1024,PQ8" for "BIVF1024", and knows no IDMap before 1.13. */
#include "index_parts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_M = 1024, MAX_HASH_BITS = 63, MAX_MULTI_BITS = 57 };

static bool eat(const char **p, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*p, word, length) != 0)
        return false;
    *p += length;
    return true;
}

/* A whole number of at most 9 digits. */
static bool eat_number(const char **p, int *value)
{
    int v = 0, digits = 0;
    for (; **p >= '0' && **p <= '9' && digits < 10; ++*p, digits++)
        v = digits < 9 ? 10 * v + (**p - '0') : v;
    *value = v;
    return digits >= 1 && digits <= 9;
}

/* Longest word first: "IDMap2" before "IDMap". */
static int eat_idmap(const char **p, const char *idmap2, const char *idmap)
{
    return eat(p, idmap2) ? 2 : eat(p, idmap) ? 1 : 0;
}

static bool parse_kind(lbh_factory *f, const char **p)
{
    if (eat(p, "BFlat")) {
        f->kind = LBH_KIND_FLAT;
        return true;
    }
    if (eat(p, "BIVF")) {
        f->kind = LBH_KIND_IVF;
        if (!eat_number(p, &f->nlist))
            return false;
        return !eat(p, "_HNSW") || (eat_number(p, &f->quantizer_m) && f->quantizer_m > 0);
    }
    if (eat(p, "BHNSW")) {
        f->kind = LBH_KIND_HNSW;
        return eat_number(p, &f->m);
    }
    if (eat(p, "BHash")) {
        f->kind = LBH_KIND_HASH;
        f->nhash = 1;
        if (!eat_number(p, &f->b))
            return false;
        if (!eat(p, "x"))
            return true;
        f->kind = LBH_KIND_MULTIHASH;
        f->nhash = f->b;
        return eat_number(p, &f->b);
    }
    return false;
}

static bool parse(lbh_factory *f, const char *factory)
{
    const char *p = factory;
    f->idmap = eat_idmap(&p, "IDMap2,", "IDMap,");
    const char *base = p;
    if (!parse_kind(f, &p))
        return false;
    size_t length = (size_t)(p - base);
    if (length >= sizeof f->base)
        return false;
    memcpy(f->base, base, length);
    if (!f->idmap)
        f->idmap = eat_idmap(&p, ",IDMap2", ",IDMap");
    return *p == '\0';
}

/* How the numbers fit together and the codes. */
static int check(const lbh_factory *f, const char *factory, int nbits)
{
    int max_b = f->kind == LBH_KIND_HASH ? MAX_HASH_BITS : MAX_MULTI_BITS;
    switch (f->kind) {
    case LBH_KIND_IVF:
        if (f->nlist < 1)
            return lbh_error(LBH_EINVAL, "%s: the number of lists must be at least 1", factory);
        if (f->quantizer_m && (f->quantizer_m < 2 || f->quantizer_m > MAX_M))
            return lbh_error(LBH_EINVAL, "%s: HNSW links (%d) must be within 2..%d", factory,
                             f->quantizer_m, MAX_M);
        return LBH_OK;
    case LBH_KIND_HNSW:
        if (f->m < 2 || f->m > MAX_M)
            return lbh_error(LBH_EINVAL, "%s: HNSW links (%d) must be within 2..%d", factory, f->m,
                             MAX_M);
        return LBH_OK;
    case LBH_KIND_HASH:
    case LBH_KIND_MULTIHASH:
        if (f->b < 1 || f->b > max_b)
            return lbh_error(LBH_EINVAL, "%s: the bits of a hash (%d) must be within 1..%d",
                             factory, f->b, max_b);
        if (f->nhash < 1 || (int64_t)f->nhash * f->b > nbits)
            return lbh_error(LBH_EINVAL, "%s: %d hash(es) of %d bits do not fit codes of %d bits",
                             factory, f->nhash, f->b, nbits);
        return LBH_OK;
    default:
        return LBH_OK;
    }
}

int lbh_factory_parse(lbh_factory *f, const char *factory, size_t code_size)
{
    if (!factory)
        return lbh_error(LBH_EINVAL, "index: no factory string given");
    if (code_size < 1 || code_size > LBH_MAX_CODE_SIZE)
        return lbh_error(LBH_EINVAL, "index: the code size (%zu bytes) must be within 1..%d",
                         code_size, LBH_MAX_CODE_SIZE);
    *f = (lbh_factory){.kind = LBH_KIND_OTHER};
    if (!parse(f, factory))
        return lbh_error(LBH_EINVAL,
                         "\"%.80s\" is no binary index: expected BFlat, BIVF<lists>, "
                         "BIVF<lists>_HNSW<links>, BHNSW<links>, BHash<bits> or "
                         "BHash<hashes>x<bits>, alone or after \"IDMap,\" or \"IDMap2,\"",
                         factory);
    return check(f, factory, (int)(8 * code_size));
}
