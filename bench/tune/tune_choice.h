/* tune_choice.h: what is chosen out of what was measured. Nothing here measures: the same points give
 * the same choice. */
#ifndef LBH_TUNE_CHOICE_H
#define LBH_TUNE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wanted, and of what. */
typedef struct tune_ask {
    int metric;        /* LBH_METRIC_* */
    int64_t n, k, at;  /* rows that are searched; recall k@at */
    int d;
    double recall;     /* to be reached, by the fastest; 0: as high as can be */
    double seconds;    /* a query, at most; 0: any */
    double bytes;      /* an item, at most, all that a search keeps in memory; 0: any */
} tune_ask;

/* One way to search, as it was measured. */
typedef struct tune_point {
    char method[32], options[160], index[64], search[64], rescore[24]; /* "" where there is no such thing */
    char model[17];    /* its name among the models that were kept, or "" */
    int64_t nbits;
    bool faiss;        /* one of FAISS's float indexes */
    double recall, qps, bytes, train; /* bytes an item; seconds of training */
} tune_point;

/* How good a point is for what is asked, for comparing trials: greater is better. A recall is worth
 * itself, below 1; where one is wanted, a point that comes within `slack` of it is worth 1 and more,
 * rising with its speed. -1 where a bound is broken. */
double tune_value(const tune_ask *ask, const tune_point *p, double slack);

/* The points that no other beats: of at least the recall, the speed and the smallness, and better in
 * one of them; of equal ones the first. Their numbers, by falling recall, then falling speed, go to
 * front[n]; returns how many. */
int tune_front(const tune_point *p, int n, int *front);

/* The number of the point to take, or -1 if none keeps the bounds.
 *
 * A recall is wanted: of those that reach it the fastest; what is at least 9/10 as fast counts as equal,
 * and then the fewest bytes, the higher recall, the first. None reaches it: as below.
 * Else: the highest recall; what is at most .002 lower counts as equal, and then the fewest bytes, the
 * greater speed, the first. */
int tune_best(const tune_ask *ask, const tune_point *p, int n);

/* "sgh, 64 bits, score=decoder, ranked by the decoder", "pq of FAISS, 64 bits", for people. */
void tune_name(char *text, size_t size, const tune_point *p);

/* One sentence: what to take, and why. */
void tune_reason(char *text, size_t size, const tune_ask *ask, const tune_point *p, int n, int best);

#endif
