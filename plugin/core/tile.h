/* tile.h: the register tile that all products of ours are made of: a few rows x times 64 columns of
 * w at most. Every sum is the chain of fused multiply-adds over i = 0 .. k-1, whatever the tile, its
 * place and the instruction set: the same bits everywhere. */
#ifndef LBH_CORE_TILE_H
#define LBH_CORE_TILE_H

#include <stdint.h>

/* 16 columns are a panel. */
enum { LBH_LANES = 16, LBH_TILE_PANELS = 4, LBH_TILE_ROWS = 6 };

typedef struct lbh_tile {
    const float *x; /* x_i of row r: x[r * row + i * step] */
    int64_t row, step;
    /* Rows that are wanted next, as many: memory is asked for them meanwhile. next[0] NULL: none. */
    const float *next[LBH_TILE_ROWS];
    const float *w; /* w_i of column j: w[i * column + j] */
    int64_t column;
    int resume; /* 0: sums start at 0; 1: at what acc holds */
} lbh_tile;

/* acc[rows][npanels * LBH_LANES] = sums over i < k of x_i w_i. */
typedef void (*lbh_tile_fn)(int rows, int npanels, int k, const lbh_tile *t, float *acc);

/* The tile of the instruction set that lbh_cpu_isa() names. */
lbh_tile_fn lbh_tile_choose(void);

/* to[k][16 npanels] = the `n` rows of from[n][k], `stride` floats from row to row, as columns; zeros
 * beyond n. */
void lbh_tile_pack(int n, int npanels, int k, const float *from, int64_t stride, float *to);

#endif
