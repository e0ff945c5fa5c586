/* bench_rival.c: names of rivals to FAISS's factory strings. See bench_rival.h.
 *
 *   faiss-lsh  random rotation to nbits dimensions, signs, Hamming distance
 *   faiss-itq  FAISS's ITQ, Hamming distance
 *   pq         product quantizer, 8 bits a sub-vector, asymmetric distance
 *   opq        the same behind an optimised rotation, to max(256, 4 sub-vectors) dimensions where
 *              there are more: learning a rotation takes time as the cube of the dimensions (option
 *              dims: to that many)
 *   pqfs       4 bits a sub-vector, FAISS's fast scan
 *   ivfpq, ivfopq  pq and opq of the residuals in inverted lists (option lists: how many)
 *   lsq, rq    additive quantizers, by local search and by residuals, 8 bits a codebook; vectors are
 *              decoded to be ranked, so that no norm has to be stored
 *   rabitq     one bit a dimension and 8 bytes of factors, behind a PCA to the dimensions left;
 *              where that are fewer than 8, to nbits dimensions, and then it takes 8 bytes more
 *   sq         8 bits a dimension, behind a PCA to nbits / 8 dimensions
 *   hnsw       the vectors themselves in a graph of 32 links
 *   flat       the vectors themselves: exact search, the ceiling
 * Where sub-vectors do not divide the dimension, zeros are put behind the vectors. */
#include "bench_rival.h"

#include "lbh.h"

#include <stdio.h>
#include <string.h>

bool bench_is_rival(const char *name)
{
    static const char all[] = " " BENCH_RIVALS " ";
    char wanted[64];
    if (strlen(name) > 40 || strchr(name, ' ') || !*name)
        return false;
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(all, wanted) != NULL;
}

bool bench_method_known(const char *name)
{
    for (int i = 0; i < lbh_method_count(); i++)
        if (strcmp(lbh_method_name(i), name) == 0)
            return true;
    return bench_is_rival(name);
}

/* One number of one option, if the text begins with it. */
static bool take(const char **text, const char *name, int64_t *to)
{
    long long n;
    int end = 0;
    char form[40];
    snprintf(form, sizeof form, "%s=%%lld%%n", name);
    if (sscanf(*text, form, &n, &end) != 1 || !end || n < 0)
        return false;
    *to = n;
    *text += end;
    return true;
}

int bench_rival_options(rival_options *out, const char *name, const char *options)
{
    const char *rest = options;
    *out = (rival_options){0};
    while (*rest) {
        bool known = take(&rest, "max_train", &out->max_train) ||
                     (strstr(name, "opq") && take(&rest, "dims", &out->dims)) ||
                     (strncmp(name, "ivf", 3) == 0 && take(&rest, "lists", &out->lists));
        if (!known || (*rest == ',' ? !*++rest : *rest))
            return fail_usage("%s: options '%.100s': a method of FAISS has max_train=ROWS, opq "
                              "dims=NUMBER too, with ivf in front lists=NUMBER, and no others", name,
                              options);
    }
    return LBH_OK;
}

/* "Pad784," in front of what wants a multiple of m, or nothing. */
static void pad(char *text, size_t room, int d, int64_t m)
{
    *text = '\0';
    if (d % m)
        snprintf(text, room, "Pad%lld,", (long long)((d + m - 1) / m * m));
}

static int quantizer(rival_recipe *out, const char *name, int d, int64_t nbits,
                     const rival_options *own)
{
    char front[32], lists[32] = "";
    bool fast = strcmp(name, "pqfs") == 0, listed = strncmp(name, "ivf", 3) == 0;
    int64_t m = nbits / (fast ? 4 : 8);
    if (nbits % 8 || (fast && nbits < 8))
        return fail("%s: %lld bits are no whole number of bytes", name, (long long)nbits);
    pad(front, sizeof front, d, m);
    if (listed) {
        snprintf(lists, sizeof lists, "IVF%lld,", (long long)(own->lists ? own->lists : 256));
        out->links = sizeof(int64_t);
        name += 3;
    }
    if (fast)
        snprintf(out->factory, sizeof out->factory, "%sPQ%lldx4fs", front, (long long)m);
    else if (strcmp(name, "lsq") == 0 || strcmp(name, "rq") == 0)
        snprintf(out->factory, sizeof out->factory, "%s%lldx8", name[0] == 'l' ? "LSQ" : "RQ",
                 (long long)m);
    else if (strcmp(name, "pq") == 0)
        snprintf(out->factory, sizeof out->factory, "%s%sPQ%lld", front, lists, (long long)m);
    else if (d >= m) { /* the rotation may cut off the few dimensions that are left over */
        int64_t wanted = own->dims;
        int64_t most = wanted ? (wanted > m ? wanted : m) : 4 * m > 256 ? 4 * m : 256;
        int64_t dims = d < most ? d : most;
        snprintf(out->factory, sizeof out->factory, "OPQ%lld_%lld,%sPQ%lld", (long long)m,
                 (long long)(dims / m * m), lists, (long long)m);
    } else
        return fail("opq: %lld sub-vectors of %d dimensions", (long long)m, d);
    return LBH_OK;
}

bool bench_rival_is_whole(const char *name)
{
    return strcmp(name, "flat") == 0 || strcmp(name, "hnsw") == 0;
}

const char *bench_rival_kind(const char *name)
{
    return strncmp(name, "ivf", 3) == 0 ? "BIVF" : strcmp(name, "hnsw") == 0 ? "BHNSW" : "";
}

int bench_rival_recipe(rival_recipe *out, const char *name, int d, int64_t nbits,
                       const rival_options *own)
{
    static const rival_options none = {0};
    enum { LINKS = 32 };
    *out = (rival_recipe){.nbits = nbits};
    char front[32] = "";
    if (nbits > d)
        snprintf(front, sizeof front, "Pad%lld,", (long long)nbits);
    if (strcmp(name, "faiss-lsh") == 0) {
        out->hamming = true;
        snprintf(out->factory, sizeof out->factory, "RR%lld,LSH", (long long)nbits);
    } else if (strcmp(name, "faiss-itq") == 0) {
        out->hamming = true;
        snprintf(out->factory, sizeof out->factory, "%sITQ%lld,LSH", front, (long long)nbits);
    } else if (strcmp(name, "flat") == 0) {
        out->nbits = 32 * (int64_t)d;
        snprintf(out->factory, sizeof out->factory, "Flat");
    } else if (strcmp(name, "hnsw") == 0) { /* the lowest level has twice the links, and all others few */
        out->nbits = 32 * (int64_t)d;
        out->links = 2 * LINKS * (int)sizeof(int32_t) + (int)sizeof(int64_t);
        snprintf(out->factory, sizeof out->factory, "HNSW%d", LINKS);
    } else if (strcmp(name, "sq") == 0) {
        int64_t dims = nbits / 8 < d ? nbits / 8 : d;
        if (dims < 1)
            return fail("sq: %lld bits are less than a byte", (long long)nbits);
        out->nbits = 8 * dims;
        snprintf(out->factory, sizeof out->factory, "PCA%lld,SQ8", (long long)dims);
    } else if (strcmp(name, "rabitq") == 0) {
        int64_t dims = nbits - 64 >= 8 ? nbits - 64 : nbits; /* else the bits alone have them */
        dims = dims < d ? dims : d;
        out->nbits = dims + 64;
        if (dims == d)
            snprintf(out->factory, sizeof out->factory, "RR%d,RaBitQ", d);
        else
            snprintf(out->factory, sizeof out->factory, "PCAR%lld,RaBitQ", (long long)dims);
    } else
        return quantizer(out, name, d, nbits, own ? own : &none);
    return LBH_OK;
}
