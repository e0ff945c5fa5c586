/* code_norms.c: see code_norms.h. Squares are summed over COLUMNS columns at a time, in lanes first, then lane
 * by lane: one order of additions everywhere. */
#include "code_norms.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = LBH_NORM_LANES, COLUMNS = 64, LANE_SETS = COLUMNS / LANES };
enum { GROUP = 8 }; /* codes whose sums wait for each other's lanes side by side */

/* Lanes side by side in registers, whatever their width. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), may_alias));

/* ---- Tables -------------------------------------------------------------------------------- */

static int new_table(lbh_code_norms *s, int columns)
{
    s->columns = (columns + LANES - 1) / LANES * LANES;
    s->table = lbh_alloc(((int64_t)s->symbols << s->bits) * s->columns, sizeof *s->table);
    return s->table ? LBH_OK : LBH_ENOMEM;
}

/* Adds shift[columns] to all entries of the first symbol. */
static void add_shift(lbh_code_norms *s, int columns, const float *shift)
{
    for (int v = 0; v < 1 << s->bits && shift; v++)
        for (int i = 0; i < columns; i++)
            s->table[(int64_t)v * s->columns + i] += shift[i];
}

int lbh_code_norms_of_bytes(lbh_code_norms *s, int nbytes, int columns, const float *T,
                            const float *shift)
{
    *s = (lbh_code_norms){.nbytes = nbytes, .symbols = nbytes, .bits = 8};
    LBH_TRY(new_table(s, columns));
    for (int64_t i = 0; i < (int64_t)nbytes * 256; i++)
        memcpy(s->table + i * s->columns, T + i * columns, (size_t)columns * sizeof *T);
    add_shift(s, columns, shift);
    return LBH_OK;
}

int lbh_code_norms_of_bits(lbh_code_norms *s, int nbits, int d, const float *U, const float *shift)
{
    *s = (lbh_code_norms){.nbytes = (nbits + 7) / 8, .symbols = (nbits + 3) / 4, .bits = 4};
    LBH_TRY(new_table(s, d));
    for (int k = 0; k < nbits; k++)
        for (int v = 0; v < 16; v++) {
            float *row = s->table + (16 * (int64_t)(k / 4) + v) * s->columns;
            float sign = v >> k % 4 & 1 ? 0.5f : -0.5f;
            for (int i = 0; i < d; i++)
                row[i] += sign * U[(int64_t)k * d + i];
        }
    add_shift(s, d, shift);
    return LBH_OK;
}

void lbh_code_norms_clear(lbh_code_norms *s)
{
    free(s->table);
    s->table = NULL;
}

/* ---- Norms --------------------------------------------------------------------------------- */

/* Lanes of the squares of columns first .. of the vector of one code. */
__attribute__((always_inline)) static inline void square(const lbh_code_norms *s, int bits, int sets,
                                                         int first, const uint8_t *code, float *sum)
{
    lanes x[LANE_SETS] = {{0}}, total = {0};
    for (int j = 0; j < s->symbols; j++) {
        int v = bits == 8 ? code[j] : code[j / 2] >> (4 * (j % 2)) & 15;
        const float *row = s->table + (((int64_t)j << bits) + v) * s->columns + first;
#pragma GCC unroll 4
        for (int c = 0; c < sets; c++)
            x[c] += *(const lanes *)(const void *)(row + c * LANES);
    }
#pragma GCC unroll 4
    for (int c = 0; c < sets; c++)
        total += x[c] * x[c];
    memcpy(sum, &total, sizeof total);
}

/* Adds the squares of columns first .. to the norms of `count` codes. */
__attribute__((always_inline)) static inline void
add_squares(const lbh_code_norms *s, int bits, int sets, int first, int count, const uint8_t *code,
            float *norm)
{
    float sum[GROUP][LANES], total[GROUP] = {0};
    for (int g = 0; g < count; g++)
        square(s, bits, sets, first, code + (int64_t)g * s->nbytes, sum[g]);
    for (int l = 0; l < LANES; l++)
#pragma GCC unroll 8
        for (int g = 0; g < GROUP; g++)
            total[g] += g < count ? sum[g][l] : 0;
    for (int g = 0; g < count; g++)
        norm[g] += total[g];
}

__attribute__((always_inline)) static inline void fill_group(const lbh_code_norms *s, int bits, int count,
                                                             const uint8_t *code, float *norm)
{
    int first = 0, rest = s->columns % COLUMNS / LANES;
    memset(norm, 0, (size_t)count * sizeof *norm);
    for (; first + COLUMNS <= s->columns; first += COLUMNS)
        add_squares(s, bits, LANE_SETS, first, count, code, norm);
    if (rest > 0)
        add_squares(s, bits, rest, first, count, code, norm);
}

LBH_CLONES
static void fill_bytes(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    int64_t i = 0;
    for (; i + GROUP <= n; i += GROUP)
        fill_group(s, 8, GROUP, codes + i * s->nbytes, norm + i);
    if (i < n)
        fill_group(s, 8, (int)(n - i), codes + i * s->nbytes, norm + i);
}

LBH_CLONES
static void fill_nibbles(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    int64_t i = 0;
    for (; i + GROUP <= n; i += GROUP)
        fill_group(s, 4, GROUP, codes + i * s->nbytes, norm + i);
    if (i < n)
        fill_group(s, 4, (int)(n - i), codes + i * s->nbytes, norm + i);
}

void lbh_code_norms_fill(const lbh_code_norms *s, int64_t n, const uint8_t *codes, float *norm)
{
    (s->bits == 8 ? fill_bytes : fill_nibbles)(s, n, codes, norm);
}
