/* product.c: see product.h. C is cut into groups of up to 64 columns. A group's columns of op(B) are
 * packed (or lie beside each other already) and stay in the L2 cache, while tiles of 6 rows of op(A)
 * pass over them. */
#include "product.h"

#include "blas.h"
#include "cpu.h"
#include "profile.h"
#include "tile.h"
#include "watch.h"

#include <omp.h>
#include <stdint.h>
#include <string.h>

enum {
    LANES = LBH_LANES,
    ROWS = LBH_TILE_ROWS,
    GROUP_WIDTH = LBH_TILE_PANELS * LANES,
    MAX_K = 1024, /* a packed group: 256 kB */
    MAX_M = 256,
    PACK_ROWS = 48,      /* from so many rows on, packing pays */
    WATCH_ROWS = 256 * ROWS, /* between two looks at whether to stop */
    ALONE = 500 * 1000, /* multiply-adds that one thread had better do */
};

typedef struct product {
    bool ta, tb;
    int m, n, k;
    float alpha, beta;
    const float *A, *B;
    float *C;
    lbh_tile_fn tile;
    const float *table; /* rows that A is to hold, by number; NULL: it holds them */
    const int64_t *ids;
    float *gathered; /* A */
    bool *stop;
} product;

/* C[rows, width] = alpha acc + beta C; `stride` floats from row to row of acc. */
LBH_CLONES
static void put_tile(int rows, int width, int stride, float alpha, const float *restrict acc,
                     float beta, float *restrict C, int64_t ldc)
{
    for (int r = 0; r < rows; r++) {
        const float *a = acc + r * stride;
        float *c = C + r * ldc;
        if (beta == 0)
            for (int j = 0; j < width; j++)
                c[j] = alpha * a[j];
        else
            for (int j = 0; j < width; j++)
                c[j] = alpha * a[j] + beta * c[j];
    }
}

static const float *row_of(const product *p, int i, bool gather)
{
    return gather ? p->table + p->ids[i] * p->k : p->A + (int64_t)i * p->k;
}

/* Brings rows i .. i + rows-1 into A and asks for those after them, below `end`. */
static void fetch_rows(const product *p, int i, int rows, int end, bool gather, lbh_tile *t)
{
    for (int r = 0; r < rows && gather; r++)
        memcpy(p->gathered + (int64_t)(i + r) * p->k, row_of(p, i + r, gather),
               (size_t)p->k * sizeof *p->gathered);
    t->next[0] = NULL;
    for (int r = 0; r < rows && i + 2 * rows <= end && !p->ta; r++)
        t->next[r] = row_of(p, i + rows + r, gather);
}

/* Rows row0 .. row1-1 of the columns from `first` on: npanels panels, of which the first `skip`
 * columns are somebody else's. */
static void multiply_group(const product *p, int row0, int row1, int first, int npanels, int skip,
                           bool gather, float *panel)
{
    float acc[ROWS * GROUP_WIDTH];
    int width = npanels * LANES, used = (p->n - first < width ? p->n - first : width) - skip;
    lbh_tile t = {.row = p->ta ? 1 : p->k, .step = p->ta ? p->m : 1, .w = panel, .column = width};
    if (p->tb)
        lbh_tile_pack(p->n - first, npanels, p->k, p->B + (int64_t)first * p->k, p->k, panel);
    else if (row1 - row0 >= PACK_ROWS)
        for (int i = 0; i < p->k; i++)
            memcpy(panel + (int64_t)i * width, p->B + (int64_t)i * p->n + first,
                   (size_t)width * sizeof *panel);
    else {
        t.w = p->B + first;
        t.column = p->n;
    }
    for (int i = row0; i < row1; i += ROWS) {
        int rows = row1 - i < ROWS ? row1 - i : ROWS;
        if (i > row0 && (i - row0) % WATCH_ROWS == 0 && lbh_watch_stopped(p->stop))
            return;
        t.x = p->A + i * t.row;
        fetch_rows(p, i, rows, row1, gather, &t);
        p->tile(rows, npanels, p->k, &t, acc);
        put_tile(rows, used, width, p->alpha, acc + skip, p->beta,
                 p->C + (int64_t)i * p->n + first + skip, p->n);
    }
}

/* Rows row0 .. row1-1 of panels panel0 .. panel1-1. */
static void multiply_part(const product *p, int row0, int row1, int panel0, int panel1)
{
    _Alignas(64) float panel[MAX_K * GROUP_WIDTH];
    int whole = p->tb ? (p->n + LANES - 1) / LANES : p->n / LANES;
    int last = panel1 < whole ? panel1 : whole;
    int groups = (last - panel0 + LBH_TILE_PANELS - 1) / LBH_TILE_PANELS;
    for (int g = 0; g < groups; g++) {
        int from = panel0 + (last - panel0) * g / groups;
        int to = panel0 + (last - panel0) * (g + 1) / groups;
        multiply_group(p, row0, row1, from * LANES, to - from, 0,
                       p->table && g == 0, panel);
    }
    if (panel1 > whole) /* the last columns of rows of B: a panel that overlaps the one before */
        multiply_group(p, row0, row1, p->n - LANES, 1, LANES - p->n % LANES, false, panel);
}

/* Columns of A are read where they lie: they must not be far apart. */
static bool suits(bool ta, bool tb, int m, int n, int k)
{
    if ((ta && tb) || (ta && m > MAX_M) || k > MAX_K || k < 1 || m < 1 || n < (tb ? 1 : LANES))
        return false;
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static void run(const product *given, bool by_rows)
{
    bool stop = false;
    product with = *given;
    with.stop = &stop;
    const product *p = &with;
    int tiles = (p->m + ROWS - 1) / ROWS, panels = (p->n + LANES - 1) / LANES;
    int parts = (int64_t)p->m * p->n * p->k < ALONE ? 1 : omp_get_max_threads();
    int units = by_rows ? tiles : panels;
    if (parts > units)
        parts = units;
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int i = 0; i < parts; i++) {
        int from = (int)((int64_t)units * i / parts), to = (int)((int64_t)units * (i + 1) / parts);
        if (by_rows)
            multiply_part(p, from * ROWS, to * ROWS < p->m ? to * ROWS : p->m, 0, panels);
        else
            multiply_part(p, 0, p->m, from, to);
    }
}

bool lbh_product(bool ta, bool tb, int m, int n, int k, float alpha, const float *A, const float *B,
                 float beta, float *C)
{
    if (!suits(ta, tb, m, n, k))
        return false;
    run(&(product){ta, tb, m, n, k, alpha, beta, A, B, C, lbh_tile_choose(), NULL, NULL, NULL, NULL},
        m / ROWS >= n / LANES);
    return true;
}

bool lbh_product_gathered(int m, int n, int k, const float *table, const int64_t *ids, float *A,
                          const float *B, float *C)
{
    if (!suits(false, true, m, n, k))
        return false;
    product p = {false, true, m, n, k, 1, 0, A, B, C, lbh_tile_choose(), table, ids, A, NULL};
    run(&p, true);
    return true;
}
