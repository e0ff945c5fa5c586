/* code_norms.c: see code_norms.h. Squares are summed over COLUMNS columns at a time, in lanes first, then lane
 * by lane: one order of additions everywhere. */
#include "code_norms.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 16, HALF = LANES / 2, BLOCK = LBH_NORM_BLOCK, HALVES = BLOCK / HALF };
enum { GROUP = 8 }; /* codes whose sums wait for each other's lanes side by side */

/* Half of the lanes side by side, a register of AVX2. */
typedef float half __attribute__((vector_size(HALF * sizeof(float)), may_alias));

/* ---- Tables -------------------------------------------------------------------------------- */

static float *entry(const lbh_code_norms *s, int block, int symbol, int value)
{
    int64_t row = (((int64_t)block * s->symbols + symbol) << s->bits) + value;
    return s->table + row * BLOCK;
}

static int new_table(lbh_code_norms *s, int columns)
{
    s->blocks = (columns + BLOCK - 1) / BLOCK;
    /* Sums of a block, of its lanes and of the blocks: each addition is off by 2^-24, here and there. */
    s->shrink = 1 - (float)(64 + s->blocks) * 0x1p-23f;
    s->table = lbh_alloc(((int64_t)s->symbols << s->bits) * s->blocks, BLOCK * sizeof *s->table);
    return s->table ? LBH_OK : LBH_ENOMEM;
}

/* Adds scale * x[columns] to an entry. */
static void add_to(lbh_code_norms *s, int symbol, int value, int columns, const float *x, float scale)
{
    for (int block = 0; block < s->blocks; block++, x += BLOCK, columns -= BLOCK) {
        float *row = entry(s, block, symbol, value);
        for (int i = 0; i < (columns < BLOCK ? columns : BLOCK); i++)
            row[i] += scale * x[i];
    }
}

static void add_shift(lbh_code_norms *s, int columns, const float *shift)
{
    for (int v = 0; v < 1 << s->bits && shift; v++)
        add_to(s, 0, v, columns, shift, 1);
}

int lbh_code_norms_of_bytes(lbh_code_norms *s, int nbytes, int columns, const float *T,
                            const float *shift)
{
    *s = (lbh_code_norms){.nbytes = nbytes, .symbols = nbytes, .bits = 8};
    LBH_TRY(new_table(s, columns));
    for (int m = 0; m < nbytes; m++)
        for (int v = 0; v < 256; v++)
            add_to(s, m, v, columns, T + ((int64_t)m * 256 + v) * columns, 1);
    add_shift(s, columns, shift);
    return LBH_OK;
}

int lbh_code_norms_of_bits(lbh_code_norms *s, int nbits, int d, const float *U, const float *shift)
{
    *s = (lbh_code_norms){.nbytes = (nbits + 7) / 8, .symbols = (nbits + 3) / 4, .bits = 4};
    LBH_TRY(new_table(s, d));
    for (int k = 0; k < nbits; k++)
        for (int v = 0; v < 16; v++)
            add_to(s, k / 4, v, d, U + (int64_t)k * d, v >> k % 4 & 1 ? 0.5f : -0.5f);
    add_shift(s, d, shift);
    return LBH_OK;
}

void lbh_code_norms_clear(lbh_code_norms *s)
{
    free(s->table);
    s->table = NULL;
}

/* ---- Norms --------------------------------------------------------------------------------- */

#define INLINE __attribute__((always_inline)) static inline

/* x[HALVES] = columns of a block of the vector of one code. */
INLINE void add_up(const lbh_code_norms *s, int bits, int block, const uint8_t *code, half *x)
{
    const float *table = entry(s, block, 0, 0);
#pragma GCC unroll 4
    for (int c = 0; c < HALVES; c++)
        x[c] = (half){0};
    for (int j = 0; j < s->symbols; j++, table += BLOCK << bits) {
        int v = bits == 8 ? code[j] : code[j / 2] >> (4 * (j % 2)) & 15;
        const half *row = (const half *)(const void *)(table + v * BLOCK);
#pragma GCC unroll 4
        for (int c = 0; c < HALVES; c++)
            x[c] += row[c];
    }
}

/* Lanes of the squares of two blocks of columns, sum[LANES]. */
INLINE void square(const lbh_code_norms *s, int bits, int block, const uint8_t *code, float *sum)
{
    half x[2 * HALVES] = {{0}}, low = {0}, high = {0};
    add_up(s, bits, block, code, x);
    if (block + 1 < s->blocks)
        add_up(s, bits, block + 1, code, x + HALVES);
#pragma GCC unroll 4
    for (int c = 0; c < 2 * HALVES; c += 2) {
        low += x[c] * x[c];
        high += x[c + 1] * x[c + 1];
    }
    memcpy(sum, &low, sizeof low);
    memcpy(sum + HALF, &high, sizeof high);
}

INLINE void fill_group(const lbh_code_norms *s, int bits, int count, const uint8_t *code, float *norm)
{
    memset(norm, 0, (size_t)count * sizeof *norm);
    for (int block = 0; block < s->blocks; block += 2) {
        float sum[GROUP][LANES] = {{0}}, total[GROUP] = {0};
        for (int g = 0; g < count; g++)
            square(s, bits, block, code + (int64_t)g * s->nbytes, sum[g]);
        for (int l = 0; l < LANES; l++)
#pragma GCC unroll 8
            for (int g = 0; g < GROUP; g++)
                total[g] += sum[g][l];
        for (int g = 0; g < count; g++)
            norm[g] += total[g];
    }
}

INLINE void fill(const lbh_code_norms *s, int bits, int64_t n, const uint8_t *codes, float *norm)
{
    for (int64_t i = 0; i < n; i += GROUP)
        fill_group(s, bits, n - i < GROUP ? (int)(n - i) : GROUP, codes + i * s->nbytes, norm + i);
}

LBH_CLONES
static void fill_bytes(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    fill(s, 8, n, codes, norm);
}

LBH_CLONES
static void fill_nibbles(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    fill(s, 4, n, codes, norm);
}

void lbh_code_norms_fill(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    (s->bits == 8 ? fill_bytes : fill_nibbles)(s, n, codes, norm);
}

/* ---- Bounds -------------------------------------------------------------------------------- */

INLINE void bound_all(const lbh_code_norms *s, int bits, int64_t n, const uint8_t *codes, float *bound)
{
    typedef float quarter __attribute__((vector_size(LANES / 4 * sizeof(float)), may_alias));
    for (int64_t i = 0; i < n; i++) {
        half x[HALVES];
        quarter q[2];
        add_up(s, bits, 0, codes + i * s->nbytes, x);
        x[0] = (x[0] * x[0] + x[1] * x[1]) + (x[2] * x[2] + x[3] * x[3]);
        memcpy(q, x, sizeof q);
        q[0] += q[1];
        bound[i] = ((q[0][0] + q[0][1]) + (q[0][2] + q[0][3])) * s->shrink;
    }
}

LBH_CLONES
static void bound_bytes(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *bound)
{
    bound_all(s, 8, n, codes, bound);
}

LBH_CLONES
static void bound_nibbles(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *bound)
{
    bound_all(s, 4, n, codes, bound);
}

void lbh_code_norms_bound(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *bound)
{
    (s->bits == 8 ? bound_bytes : bound_nibbles)(s, n, codes, bound);
}

/* Sums of squares only grow. */
INLINE float below(const lbh_code_norms *s, int bits, const uint8_t *code, float sum, float offset, float bar)
{
    float norm = 0;
    for (int block = 0; block < s->blocks && !((sum + norm) + offset > bar); block += 2) {
        float squares[LANES], total = 0;
        square(s, bits, block, code, squares);
        for (int l = 0; l < LANES; l++)
            total += squares[l];
        norm += total;
    }
    return norm;
}

LBH_CLONES
static float below_bytes(const lbh_code_norms *s, const uint8_t *code, float sum, float offset, float bar)
{
    return below(s, 8, code, sum, offset, bar);
}

LBH_CLONES
static float below_nibbles(const lbh_code_norms *s, const uint8_t *code, float sum, float offset, float bar)
{
    return below(s, 4, code, sum, offset, bar);
}

float lbh_code_norm_below(const lbh_code_norms *s, const uint8_t *code, float sum, float offset, float bar)
{
    return (s->bits == 8 ? below_bytes : below_nibbles)(s, code, sum, offset, bar);
}
