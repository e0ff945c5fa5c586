/* hamming_nibbles.c: the Hamming kernel with AVX2 for four queries or more; see hamming.h.
 *
 * The distance of a code from a query is the sum over its nibbles of popcount(code ^ query). For
 * one nibble of a query that is a table of 16 entries, and a shuffle looks up 32 of them at once:
 * for 32 codes whose nibbles lie side by side (as F. André, A.-M. Kermarrec, N. Le Scouarnec do for
 * product quantizers: "Cache locality is not enough: high-performance nearest neighbor search with
 * product quantization fast scan", VLDB 2015). Counting the bits of as many nibbles takes four
 * instructions. An entry is at most 4, so a byte holds those of two queries, and three columns can
 * be added before their halves are parted: 36 instructions for 24 vectors of distances. Codes are
 * transposed once for all queries of a round. */
#include "hamming.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))
#define AVX2_NOINLINE __attribute__((target("avx2,popcnt"), noinline))
#define AVX2_INLINE __attribute__((target("avx2,popcnt"), always_inline)) inline

enum {
    LANES = 32,             /* codes in a vector */
    GROUP = LBH_SCAN_GROUP, /* codes that are compared with a pair of queries at a time */
    VECTORS = GROUP / LANES,
    TABLE = 16,   /* bytes */
    TOGETHER = 3, /* nibbles: distances of up to 4 each, whose sum is again a nibble */
    BLOCK = 16,   /* queries */
    PIECE = 64,   /* nibbles, whose distances add up to a byte, modulo 256 */
};

/* GROUP codes, or the last of a run. */
typedef struct group {
    lbh_scan *scan;
    const uint8_t *codes;
    int64_t at;    /* place of the first within the run */
    int64_t valid; /* how many there are, or more than GROUP */
} group;

/* ---- Tables and columns -------------------------------------------------------------------- */

/* Of each nibble of two queries, their distances from 0 to 15: the second's in the high half of a
 * byte. */
AVX2 static void fill_tables(const uint8_t *first, const uint8_t *second, size_t size,
                             uint8_t *table)
{
    const __m128i all = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i counts = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    for (size_t i = 0; i < 2 * size; i++, table += TABLE) {
        int shift = i % 2 ? 4 : 0;
        __m128i a = _mm_set1_epi8((char)(first[i / 2] >> shift & 15));
        __m128i b = _mm_set1_epi8((char)(second[i / 2] >> shift & 15));
        a = _mm_shuffle_epi8(counts, _mm_xor_si128(all, a));
        b = _mm_shuffle_epi8(counts, _mm_xor_si128(all, b));
        _mm_store_si128((void *)table, _mm_or_si128(a, _mm_slli_epi16(b, 4)));
    }
}

/* Of 16 codes in each half of 8 vectors, vector i having 8 bytes of codes 2 i and 2 i + 1: one byte
 * of all codes in a vector. Interleaving what lies 8, 4, 2, 1 codes apart ends in their
 * order. */
static AVX2_INLINE void transpose(__m256i v[8])
{
#pragma GCC unroll 4
    for (int step = 0; step < 4; step++) {
        __m256i w[8];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            w[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + 4]);
            w[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + 4]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            v[i] = w[i];
    }
}

/* Eight bytes of two codes. */
static AVX2_INLINE __m128i load_pair(const uint8_t *code, size_t size)
{
    __m128i first = _mm_loadl_epi64((const void *)code),
            second = _mm_loadl_epi64((const void *)(code + size));
    return _mm_unpacklo_epi64(first, second);
}

/* Eight bytes of LANES codes: the columns of the first `bytes` of them, low nibble and high, GROUP
 * bytes apart. */
static AVX2_INLINE void fill_columns(const uint8_t *code, size_t size, size_t bytes,
                                     uint8_t *column)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i v[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        v[i] = _mm256_set_m128i(load_pair(code + (2 * i + 16) * size, size),
                                load_pair(code + 2 * i * size, size));
    transpose(v);
    for (size_t b = 0; b < bytes; b++, column += 2 * GROUP) {
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(v[b], 4), nibble);
        _mm256_store_si256((void *)column, _mm256_and_si256(v[b], nibble));
        _mm256_store_si256((void *)(column + GROUP), high);
    }
}

/* The nibbles of GROUP codes, behind which there are 7 more bytes, to s->columns. */
AVX2 static void fill_group(lbh_scan *s, const uint8_t *codes)
{
    const size_t size = s->code_size;
    for (size_t i = 0; i < GROUP; i += LANES)
        for (size_t b = 0; b < size; b += 8)
            fill_columns(codes + i * size + b, size, size - b < 8 ? size - b : 8,
                         s->columns + 2 * GROUP * b + i);
}

/* ---- Distances ----------------------------------------------------------------------------- */

/* What has been added up for GROUP codes and a pair of queries, modulo 256: first + 16 second, and
 * second. */
typedef struct sums {
    __m256i both[VECTORS], second[VECTORS];
} sums;

static AVX2_INLINE void add_few(const uint8_t *column, const uint8_t *table, int count, sums *sum)
{
    __m256i t[TOGETHER];
    for (int i = 0; i < count; i++)
        t[i] = _mm256_broadcastsi128_si256(_mm_load_si128((const void *)(table + TABLE * i)));
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        const __m256i *c = (const void *)(column + LANES * v);
        __m256i d = _mm256_shuffle_epi8(t[0], c[0]);
        for (int i = 1; i < count; i++)
            d = _mm256_add_epi8(d, _mm256_shuffle_epi8(t[i], c[VECTORS * i]));
        sum->both[v] = _mm256_add_epi8(sum->both[v], d);
        d = _mm256_and_si256(_mm256_srli_epi16(d, 4), _mm256_set1_epi8(15));
        sum->second[v] = _mm256_add_epi8(sum->second[v], d);
    }
}

/* The distances of a pair of queries over `nibbles` columns, modulo 256. */
static AVX2_INLINE void add_up(const uint8_t *column, const uint8_t *table, int64_t nibbles,
                               __m256i first[VECTORS], __m256i second[VECTORS])
{
    sums sum;
    memset(&sum, 0, sizeof sum);
    int64_t i = 0;
#pragma GCC unroll 1
    for (; i + TOGETHER <= nibbles; i += TOGETHER)
        add_few(column + GROUP * i, table + TABLE * i, TOGETHER, &sum);
    if (nibbles - i == 2)
        add_few(column + GROUP * i, table + TABLE * i, 2, &sum);
    if (nibbles - i == 1)
        add_few(column + GROUP * i, table + TABLE * i, 1, &sum);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        __m256i high = _mm256_slli_epi16(_mm256_and_si256(sum.second[v], _mm256_set1_epi8(15)), 4);
        first[v] = _mm256_sub_epi8(sum.both[v], high);
        second[v] = sum.second[v];
    }
}

/* ---- Reporting ----------------------------------------------------------------------------- */

static AVX2_INLINE int32_t distance(const uint8_t *a, const uint8_t *b, size_t size)
{
    int32_t bits = 0;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t x = 0, y = 0;
        memcpy(&x, a + i, size - i < 8 ? size - i : 8);
        memcpy(&y, b + i, size - i < 8 ? size - i : 8);
        bits += __builtin_popcountll(x ^ y);
    }
    return bits;
}

/* Looks again at codes of the group that seem to be below the bar of query q. */
AVX2_NOINLINE static void report(const group *g, int64_t q, const __m256i below[VECTORS])
{
    lbh_scan *s = g->scan;
    const uint8_t *query = (const uint8_t *)(s->query + q * s->words);
    for (int v = 0; v < VECTORS; v++) {
        uint64_t mask = (uint32_t)_mm256_movemask_epi8(below[v]);
        for (mask &= lbh_scan_lowest(g->valid - LANES * v > 0 ? g->valid - LANES * v : 0); mask;
             mask &= mask - 1) {
            int64_t i = LANES * v + __builtin_ctzll(mask);
            lbh_scan_take(s, q, g->at + i,
                          distance(g->codes + (size_t)i * s->code_size, query, s->code_size));
        }
    }
}

static AVX2_INLINE void report_any(const group *g, int64_t q, const __m256i below[VECTORS])
{
    __m256i any =
        _mm256_or_si256(_mm256_or_si256(below[0], below[1]), _mm256_or_si256(below[2], below[3]));
    if (__builtin_expect(!_mm256_testz_si256(any, any), 0))
        report(g, q, below);
}

/* Reports distances (modulo 256) that are below the bar; which are none, lbh_scan_take sees. */
static AVX2_INLINE void report_bytes(const group *g, int64_t q, const __m256i distance[VECTORS])
{
    const int64_t bar = g->scan->bar[q];
    const __m256i most = _mm256_set1_epi8((char)(bar > UINT8_MAX ? UINT8_MAX : bar - 1));
    __m256i below[VECTORS];
    if (bar <= 0)
        return;
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
        below[v] = _mm256_cmpeq_epi8(_mm256_min_epu8(distance[v], most), distance[v]);
    report_any(g, q, below);
}

/* The same for distances of 16 bits, as add_wide leaves them. */
static AVX2_INLINE void report_wide(const group *g, int64_t q, const __m256i distance[2 * VECTORS])
{
    const int64_t bar = g->scan->bar[q];
    const __m256i end = _mm256_set1_epi16((short)(bar > INT16_MAX ? INT16_MAX : bar));
    __m256i below[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) /* packs puts in order what unpack has parted */
        below[v] = _mm256_packs_epi16(_mm256_cmpgt_epi16(end, distance[2 * v]),
                                      _mm256_cmpgt_epi16(end, distance[2 * v + 1]));
    report_any(g, q, below);
}

/* ---- The kernel ---------------------------------------------------------------------------- */

/* The group with queries first .. end-1, whose distances fit a byte. */
static AVX2_INLINE void scan_short(const group *g, int64_t first, int64_t end, int64_t nibbles)
{
    const uint8_t *table = g->scan->tables;
    for (int64_t q = first; q < end; q += 2, table += TABLE * nibbles) {
        __m256i a[VECTORS], b[VECTORS];
        add_up(g->scan->columns, table, nibbles, a, b);
        report_bytes(g, q, a);
        if (q + 1 < end)
            report_bytes(g, q + 1, b);
    }
}

static AVX2_INLINE void add_wide(const __m256i bytes[VECTORS], bool first, __m256i sum[2 * VECTORS])
{
    const __m256i zero = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        __m256i low = _mm256_unpacklo_epi8(bytes[v], zero);
        __m256i high = _mm256_unpackhi_epi8(bytes[v], zero);
        sum[2 * v] = first ? low : _mm256_add_epi16(sum[2 * v], low);
        sum[2 * v + 1] = first ? high : _mm256_add_epi16(sum[2 * v + 1], high);
    }
}

/* Longer ones, piece by piece for some queries: columns and sums stay in the first cache. */
AVX2 static void scan_long(const group *g, int64_t first, int64_t end)
{
    const int64_t nibbles = 2 * (int64_t)g->scan->code_size;
    const uint8_t *table = g->scan->tables;
    __m256i sum[BLOCK][2 * VECTORS];
    for (; first < end; first += BLOCK, table += TABLE * nibbles * (BLOCK / 2)) {
        int64_t nq = end - first < BLOCK ? end - first : BLOCK;
        for (int64_t i = 0; i < nibbles; i += PIECE)
            for (int64_t q = 0; q < nq; q += 2) {
                __m256i a[VECTORS], b[VECTORS];
                add_up(g->scan->columns + GROUP * i, table + TABLE * (nibbles * (q / 2) + i),
                       nibbles - i < PIECE ? nibbles - i : PIECE, a, b);
                add_wide(a, i == 0, sum[q]);
                add_wide(b, i == 0, sum[q + 1]);
            }
        for (int64_t q = 0; q < nq; q++)
            report_wide(g, first + q, sum[q]);
    }
}

AVX2 static void scan_group(const group *g, int64_t first, int64_t end)
{
    switch (g->scan->code_size) { /* frequent sizes are constants for the compiler */
    case 8:
        scan_short(g, first, end, 16);
        break;
    case 16:
        scan_short(g, first, end, 32);
        break;
    case 32:
        scan_short(g, first, end, 64);
        break;
    default:
        if (2 * g->scan->code_size <= PIECE)
            scan_short(g, first, end, 2 * (int64_t)g->scan->code_size);
        else
            scan_long(g, first, end);
    }
}

AVX2 static void scan_round(lbh_scan *s, int64_t first, int64_t end, int64_t begin, int64_t n,
                            const uint8_t *codes)
{
    const size_t size = s->code_size, bytes = GROUP * size;
    codes += (size_t)begin * size;
    for (int64_t at = begin; at < n; at += GROUP, codes += bytes) {
        group g = {s, codes, at, n - at};
        size_t left = (size_t)(n - at) * size;
        if (left < bytes + 7) /* fill_group reads more than there is */
            g.codes = memcpy(s->tile, codes, left < bytes ? left : bytes);
        fill_group(s, g.codes);
        for (size_t b = 0; b < bytes && n - at > 2 * GROUP; b += 64)
            _mm_prefetch((const char *)(codes + bytes + b), _MM_HINT_T0);
        scan_group(&g, first, end);
    }
}

void lbh_scan_by_nibbles(lbh_scan *s, int64_t begin, int64_t n, const uint8_t *codes)
{
    const size_t size = s->code_size, pair = 2 * TABLE * size;
    const int64_t fit = 2 * (int64_t)(LBH_SCAN_TABLES_BYTES / pair);
    const int64_t round = fit < LBH_SCAN_ROUND ? fit : LBH_SCAN_ROUND;
    for (int64_t first = 0; first < s->nq && begin < n; first += round) {
        int64_t end = s->nq - first < round ? s->nq : first + round;
        for (int64_t q = first; q < end; q += 2) {
            const uint64_t *a = s->query + q * s->words, *b = q + 1 < end ? a + s->words : a;
            fill_tables((const uint8_t *)a, (const uint8_t *)b, size,
                        s->tables + (size_t)(q - first) / 2 * pair);
        }
        scan_round(s, first, end, begin, n, codes);
    }
}
#endif
