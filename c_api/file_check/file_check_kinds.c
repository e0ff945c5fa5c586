/* file_check_kinds.c: the graph of an HNSW index and the tables of the hash kinds, see
 * file_check.c. */
#include "file_cursor.h"

#include <string.h>

/* ---- HNSW ---------------------------------------------------------------------------------- */

/* Node i's links are neighbors[offsets[i] .. offsets[i+1]); those of its level l are the places
 * first[l] .. first[l+1] of them; it stands on the levels 0 .. levels[i]-1. */
typedef struct graph {
    span probabilities, first, levels, offsets, neighbors;
    int32_t entry, max_level, ef_construction, ef_search, upper_beam;
} graph;

static int take_graph(cursor *c, graph *g)
{
    LBH_TRY(fc_take_span(c, &g->probabilities, sizeof(double)));
    LBH_TRY(fc_take_span(c, &g->first, sizeof(int32_t)));
    LBH_TRY(fc_take_span(c, &g->levels, sizeof(int32_t)));
    LBH_TRY(fc_take_span(c, &g->offsets, sizeof(int64_t)));
    LBH_TRY(fc_take_span(c, &g->neighbors, sizeof(int32_t)));
    LBH_TRY(fc_take(c, &g->entry, sizeof g->entry));
    LBH_TRY(fc_take(c, &g->max_level, sizeof g->max_level));
    LBH_TRY(fc_take(c, &g->ef_construction, sizeof g->ef_construction));
    LBH_TRY(fc_take(c, &g->ef_search, sizeof g->ef_search));
    return fc_take(c, &g->upper_beam, sizeof g->upper_beam);
}

static int check_sizes(const cursor *c, const graph *g, int64_t n)
{
    const int32_t limit = 1 << 20;
    if (n > INT32_MAX || g->levels.count != (uint64_t)n || g->offsets.count != (uint64_t)n + 1)
        return fc_bad(c, "the graph does not fit the number of codes");
    if (g->first.count < 2 || g->first.count != g->probabilities.count + 1 ||
        g->first.count > 1000 || fc_i32(g->first.data, 0) != 0)
        return fc_bad(c, "the levels of the graph are damaged");
    for (uint64_t l = 1; l < g->first.count; l++)
        if (fc_i32(g->first.data, l) < fc_i32(g->first.data, l - 1))
            return fc_bad(c, "the levels of the graph are damaged");
    if (g->ef_construction < 1 || g->ef_construction > limit || g->ef_search < 1 ||
        g->ef_search > limit || g->upper_beam < 1 || g->upper_beam > limit)
        return fc_bad(c, "a search parameter of the graph is out of range");
    if (n == 0)
        return g->entry == -1 && fc_i64(g->offsets.data, 0) == 0
                   ? LBH_OK
                   : fc_bad(c, "the entry point of the graph is out of range");
    if (g->entry < 0 || g->entry >= n || g->max_level < 0 ||
        g->max_level >= fc_i32(g->levels.data, (uint64_t)g->entry))
        return fc_bad(c, "the entry point of the graph is out of range");
    return LBH_OK;
}

/* A link on level l must lead to a node that stands on level l. */
static int check_links(const cursor *c, const graph *g, int64_t n, uint64_t node)
{
    int64_t offset = fc_i64(g->offsets.data, node);
    int32_t levels = fc_i32(g->levels.data, node);
    for (int32_t l = 0; l < levels; l++) {
        int64_t begin = offset + fc_i32(g->first.data, (uint64_t)l);
        int64_t end = offset + fc_i32(g->first.data, (uint64_t)l + 1);
        for (int64_t j = begin; j < end; j++) {
            int32_t to = fc_i32(g->neighbors.data, (uint64_t)j);
            if (to == -1)
                continue;
            if (to < 0 || to >= n || fc_i32(g->levels.data, (uint64_t)to) <= l)
                return fc_bad(c, "a link of the graph is out of range");
        }
    }
    return LBH_OK;
}

static int check_nodes(const cursor *c, const graph *g, int64_t n)
{
    int64_t at = 0;
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        int32_t levels = fc_i32(g->levels.data, i);
        if (levels < 1 || (uint64_t)levels >= g->first.count || fc_i64(g->offsets.data, i) != at)
            return fc_bad(c, "a node of the graph is damaged");
        at += fc_i32(g->first.data, (uint64_t)levels);
    }
    if (fc_i64(g->offsets.data, (uint64_t)n) != at || g->neighbors.count != (uint64_t)at)
        return fc_bad(c, "the links of the graph do not fit its nodes");
    for (uint64_t i = 0; i < (uint64_t)n; i++)
        LBH_TRY(check_links(c, g, n, i));
    return LBH_OK;
}

int fc_hnsw(cursor *c, const header *h)
{
    graph g;
    LBH_TRY(take_graph(c, &g));
    LBH_TRY(check_sizes(c, &g, h->ntotal));
    LBH_TRY(check_nodes(c, &g, h->ntotal));
    return fc_storage(c, h);
}

/* ---- Hash ---------------------------------------------------------------------------------- */

/* Bits `at` .. `at + count - 1` of a string of bits, lowest first. */
static uint64_t read_bits(span s, uint64_t *at, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++, ++*at)
        value |= (uint64_t)(s.data[*at >> 3] >> (*at & 7) & 1) << i;
    return value;
}

static int take_hash_bits(cursor *c, const header *h, int32_t *b)
{
    LBH_TRY(fc_take(c, b, sizeof *b));
    if (*b < 1 || *b > 63 || *b > h->d)
        return fc_bad(c, "the number of bits of a hash is out of range");
    return LBH_OK;
}

int fc_hash(cursor *c, const header *h, int64_t id_limit)
{
    int32_t b, nflip, length_bits;
    uint64_t buckets, at = 0;
    span table;
    LBH_TRY(take_hash_bits(c, h, &b));
    LBH_TRY(fc_take(c, &nflip, sizeof nflip));
    LBH_TRY(fc_take(c, &buckets, sizeof buckets));
    LBH_TRY(fc_take(c, &length_bits, sizeof length_bits));
    LBH_TRY(fc_take_span(c, &table, 1));
    if (nflip < 0 || nflip > b)
        return fc_bad(c, "nflip is out of range");
    if (length_bits < 0 || length_bits > 63 || buckets > c->size ||
        (uint64_t)(b + length_bits) * buckets > 8 * table.count)
        return fc_bad(c, "the table of buckets is damaged");
    for (uint64_t i = 0; i < buckets; i++) {
        span ids, codes;
        (void)read_bits(table, &at, b);
        uint64_t length = read_bits(table, &at, length_bits);
        LBH_TRY(fc_take_span(c, &ids, sizeof(int64_t)));
        LBH_TRY(fc_take_span(c, &codes, 1));
        if (ids.count != length || codes.count != length * (uint64_t)h->code_size)
            return fc_bad(c, "the size of a bucket is wrong");
        LBH_TRY(fc_check_ids(c, ids, id_limit));
    }
    return LBH_OK;
}

/* One table of a multi-hash index: all its buckets in one string of bits. */
static int check_map(cursor *c, const header *h, int32_t b)
{
    int32_t id_bits;
    uint64_t buckets, at = 0, total = 0, n = (uint64_t)h->ntotal;
    span table;
    LBH_TRY(fc_take(c, &id_bits, sizeof id_bits));
    LBH_TRY(fc_take(c, &buckets, sizeof buckets));
    LBH_TRY(fc_take_span(c, &table, 1));
    if (id_bits < 0 || id_bits > 62 || buckets > n)
        return fc_bad(c, "a table of buckets is damaged");
    uint64_t bits = (uint64_t)(b + id_bits) * buckets + n * (uint64_t)id_bits;
    if (table.count != (bits + 7) / 8)
        return fc_bad(c, "a table of buckets is damaged");
    for (uint64_t i = 0; i < buckets; i++) {
        (void)read_bits(table, &at, b);
        uint64_t length = read_bits(table, &at, id_bits);
        total += length;
        if (total > n)
            return fc_bad(c, "the size of a bucket is wrong");
        for (uint64_t j = 0; j < length; j++)
            if (read_bits(table, &at, id_bits) >= n)
                return fc_bad(c, "an id is out of range");
    }
    return total == n ? LBH_OK : fc_bad(c, "a table of buckets is not complete");
}

int fc_multihash(cursor *c, const header *h)
{
    int32_t b, nhash, nflip;
    LBH_TRY(fc_storage(c, h));
    LBH_TRY(take_hash_bits(c, h, &b));
    LBH_TRY(fc_take(c, &nhash, sizeof nhash));
    LBH_TRY(fc_take(c, &nflip, sizeof nflip));
    if (nhash < 1 || (int64_t)nhash * b > h->d)
        return fc_bad(c, "the number of hashes is out of range");
    if (nflip < 0 || nflip > b)
        return fc_bad(c, "nflip is out of range");
    for (int32_t i = 0; i < nhash; i++)
        LBH_TRY(check_map(c, h, b));
    return LBH_OK;
}
