/* near_rows.h: which training rows are near each other: lists of the nearest of each, batches of rows
 * with their neighbours, and rows that are held out to see whether codes find theirs. */
#ifndef LBH_ENCODERS_NEAR_ROWS_H
#define LBH_ENCODERS_NEAR_ROWS_H

#include "graph_term.h"
#include "method.h"

enum {
    LBH_NEAR = 10,       /* neighbours that count: what recall 10@100 asks for */
    LBH_NEAR_LIST = 100, /* length of a list */
};

typedef struct lbh_near_rows {
    int d;
    uint64_t seed;
    int64_t m;       /* rows that lists are made of; 0: too few */
    int64_t learned; /* the first of them are learned from, the others judge */
    float *X;        /* m x d */
    int k;
    int64_t *list;   /* m x k: the nearest that are learned from, itself left out, nearest first */
    float *square;   /* m: of the distance of the tenth nearest */
} lbh_near_rows;

/* A batch, and the scratch memory of its loss. */
typedef struct lbh_near_batch {
    int64_t *ids;      /* rows of X, rising, each once */
    float *x, *T, *dT; /* B x d, B x L, B x L */
    float *narrow;     /* B */
    lbh_graph graph;
} lbh_near_batch;

/* Chooses the rows out of rows[n * d] and finds who is near whom. */
int lbh_near_find(lbh_training *t, lbh_near_rows *r, int64_t n, const float *rows);

int lbh_near_take_batch(lbh_training *t, const lbh_near_rows *r, int L, lbh_near_batch *b);

/* The rows of a batch; returns how many. */
int lbh_near_draw(const lbh_near_rows *r, int64_t step, int64_t *ids);

/* Recall 10@100 of the held-out rows among the others, by the signs of W x + b. */
int lbh_near_recall(lbh_training *t, const lbh_near_rows *r, int L, const float *W, const float *b,
                    double *recall);

#endif
