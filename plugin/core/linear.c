/* linear.c: see linear.h. Groups of up to 64 outputs are multiplied by tiles of rows (core/tile.h).
 * A group is walked in slices of KBLOCK columns that stay in the L2 cache while a block of rows
 * passes over them; the partial sums wait in `acc` and are taken up again in the same order. While a
 * tile is at work it asks memory for the next tile's rows. Rows of bytes become floats a tile at a
 * time, in the L1 cache. */
#include "linear.h"

#include "arena.h"
#include "cpu.h"
#include "error.h"
#include "tile.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    LANES = LBH_LANES,
    GROUP = LBH_TILE_PANELS,
    ROWS = LBH_TILE_ROWS,
    ROW_BLOCK = 96,
    KBLOCK = 1024,
};

/* nbytes * 8 floats to nbytes bytes. */
typedef void (*pack_fn)(int nbytes, const float *z, uint8_t *code);

struct lbh_panels {
    int nout, d, npanels;
    float *w;    /* of each group of GROUP panels, the last may have fewer: [d][panels * LANES] */
    float *bias; /* [npanels * LANES] */
    lbh_tile_fn tile;
    pack_fn pack;
};

/* Clones are for static functions only: the resolver of any other would be exported. */
LBH_CLONES
static void pack_rows(int64_t n, int nbits, const float *z, uint8_t *codes)
{
    int code_size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int byte = 0; byte < code_size; byte++) {
            const float *v = z + i * nbits + byte * 8;
            int count = nbits - byte * 8 < 8 ? nbits - byte * 8 : 8;
            unsigned bits = 0;
            for (int j = 0; j < count; j++)
                bits |= (unsigned)(v[j] >= 0) << j;
            codes[i * code_size + byte] = (uint8_t)bits;
        }
}

void lbh_pack_bits(int64_t n, int nbits, const float *z, uint8_t *codes)
{
    pack_rows(n, nbits, z, codes);
}

static void pack_scalar(int nbytes, const float *z, uint8_t *code)
{
    pack_rows(1, 8 * nbytes, z, code);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void pack_avx512(int nbytes, const float *z,
                                                           uint8_t *code)
{
    for (int i = 0; i < nbytes; i += 2) {
        __m512 v = _mm512_loadu_ps(z + 8 * i);
        unsigned bits = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GE_OQ);
        code[i] = (uint8_t)bits;
        if (i + 1 < nbytes)
            code[i + 1] = (uint8_t)(bits >> 8);
    }
}
#endif

static pack_fn choose_pack(void)
{
#if defined(__x86_64__)
    if (lbh_cpu_isa() == LBH_ISA_AVX512)
        return pack_avx512;
#endif
    return pack_scalar;
}

static int panels_of_group(const lbh_panels *p, int first)
{
    return p->npanels - first < GROUP ? p->npanels - first : GROUP;
}

int lbh_panels_new(lbh_panels **out, int nout, int d, const float *A, const float *b)
{
    lbh_panels *p = lbh_alloc(1, sizeof *p);
    if (!p)
        return LBH_ENOMEM;
    p->nout = nout;
    p->d = d;
    p->npanels = (nout + LANES - 1) / LANES;
    p->tile = lbh_tile_choose();
    p->pack = choose_pack();
    p->w = lbh_alloc((int64_t)p->npanels * d, LANES * sizeof *p->w);
    p->bias = lbh_alloc(p->npanels, LANES * sizeof *p->bias);
    if (!p->w || !p->bias) {
        lbh_panels_free(p);
        return LBH_ENOMEM;
    }
    for (int g = 0; g < p->npanels; g += GROUP)
        lbh_tile_pack(nout - g * LANES, panels_of_group(p, g), d, A + (int64_t)g * LANES * d, d,
                      p->w + (int64_t)g * LANES * d);
    for (int j = 0; j < nout; j++)
        p->bias[j] = b ? b[j] : 0;
    *out = p;
    return LBH_OK;
}

void lbh_panels_free(lbh_panels *p)
{
    if (!p)
        return;
    free(p->w);
    free(p->bias);
    free(p);
}

/* Rows of floats, or of bytes (then x is NULL), `stride` numbers from row to row. */
typedef struct rows_in {
    const float *x;
    const uint8_t *bytes;
    int64_t stride;
} rows_in;

LBH_CLONES
static void widen(int n, const uint8_t *restrict bytes, float *restrict x)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)(int)bytes[i];
}

/* One tile: `count` rows from `row` on, k columns from `column` on. `left` rows follow them. */
static void multiply_tile(const lbh_panels *p, int first, int np, int64_t row, int count,
                          int64_t left, int column, int k, const rows_in *in, float *acc)
{
    float wide[ROWS * KBLOCK];
    int width = np * LANES;
    int64_t at = row * in->stride + column;
    lbh_tile t = {.x = wide,
                  .row = k,
                  .step = 1,
                  .w = p->w + (int64_t)first * LANES * p->d + (int64_t)column * width,
                  .column = width,
                  .resume = column > 0};
    if (in->x) {
        t.x = in->x + at;
        t.row = in->stride;
    } else
        for (int r = 0; r < count; r++)
            widen(k, in->bytes + at + r * in->stride, wide + r * k);
    if (in->x && left >= count)
        for (int r = 0; r < count; r++)
            t.next[r] = t.x + (count + r) * in->stride;
    p->tile(count, np, k, &t, acc);
}

/* acc[n][np * LANES] = A x + b for the np panels from `first` on and the n <= ROW_BLOCK rows from
 * `row` on; `left` rows follow them. */
static void multiply(const lbh_panels *p, int first, int np, int64_t row, int n, int64_t left,
                     const rows_in *in, float *acc)
{
    for (int k0 = 0; k0 < p->d; k0 += KBLOCK) {
        int k = p->d - k0 < KBLOCK ? p->d - k0 : KBLOCK;
        for (int r = 0; r < n; r += ROWS) {
            int count = n - r < ROWS ? n - r : ROWS;
            multiply_tile(p, first, np, row + r, count, left + n - r - count, k0, k, in,
                          acc + r * np * LANES);
        }
    }
    const float *bias = p->bias + first * LANES;
    for (int r = 0; r < n; r++)
        for (int j = 0; j < np * LANES; j++)
            acc[r * np * LANES + j] += bias[j]; /* NOLINT(*uninitialized.Assign): tiles fill it */
}

static inline int least(int64_t a, int b)
{
    return a < b ? (int)a : b;
}

/* Whether the first of `width` values of each row is finite. A NaN or an infinity in x makes all
 * values of its row NaN or infinite: nothing that is added later undoes it. */
static bool all_finite(int rows, int width, const float *acc)
{
    float sum = 0; /* z - z is 0 for a finite z, NaN for others */
    for (int r = 0; r < rows; r++)
        sum += acc[r * width] - acc[r * width];
    return sum == 0;
}

bool lbh_panels_apply(const lbh_panels *p, int64_t n, const float *x, float *z)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    rows_in in = {x, NULL, p->d};
    bool finite = true;
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = panels_of_group(p, g), width = np * LANES;
            multiply(p, g, np, i, rows, n - i - rows, &in, acc);
            finite = finite && all_finite(rows, width, acc);
            int used = least(p->nout - g * LANES, width);
            for (int r = 0; r < rows; r++)
                memcpy(z + (i + r) * p->nout + g * LANES, acc + r * width,
                       (size_t)used * sizeof *z);
        }
    }
    return finite;
}

static bool encode(const lbh_panels *p, int64_t n, const rows_in *in, uint8_t *codes)
{
    float acc[ROW_BLOCK * GROUP * LANES];
    int code_size = (p->nout + 7) / 8;
    bool finite = true;
    for (int64_t i = 0; i < n; i += ROW_BLOCK) {
        int rows = least(n - i, ROW_BLOCK);
        for (int g = 0; g < p->npanels; g += GROUP) {
            int np = panels_of_group(p, g), width = np * LANES;
            multiply(p, g, np, i, rows, n - i - rows, in, acc);
            finite = finite && all_finite(rows, width, acc);
            /* Outputs beyond nout would pack as ones: make them negative. */
            for (int j = least(p->nout - g * LANES, width); j < width; j++)
                for (int r = 0; r < rows; r++)
                    acc[r * width + j] = -1;
            int nbytes = least(code_size - g * LANES / 8, width / 8);
            for (int r = 0; r < rows; r++)
                p->pack(nbytes, acc + r * width, codes + (i + r) * code_size + g * LANES / 8);
        }
    }
    return finite;
}

bool lbh_panels_encode(const lbh_panels *p, int64_t n, const float *x, uint8_t *codes)
{
    return encode(p, n, &(rows_in){x, NULL, p->d}, codes);
}

void lbh_panels_encode_u8(const lbh_panels *p, int64_t n, const uint8_t *x, int64_t stride,
                          uint8_t *codes)
{
    encode(p, n, &(rows_in){NULL, x, stride}, codes);
}

void lbh_unpack_bits(int64_t n, int nbits, const uint8_t *codes, float *h)
{
    int code_size = (nbits + 7) / 8;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < nbits; j++)
            h[i * nbits + j] = (float)(codes[i * code_size + j / 8] >> (j % 8) & 1);
}
