/* scale_scan.h: the exhaustive answers, by reading all codes where they lie. */
#ifndef LBH_SCALE_SCAN_H
#define LBH_SCALE_SCAN_H

#include "scale.h"

/* Answers of some queries: nq x k, nearest first, equal distances by rising id; -1 and INT32_MAX where there
 * are fewer than k codes. */
typedef struct scale_answers {
    int64_t nq, k;
    const uint8_t *query; /* their codes */
    int32_t *distances;
    int64_t *ids;
} scale_answers;

int scale_answers_new(scale_answers *r, int64_t nq, int64_t k, const uint8_t *query);
void scale_answers_free(scale_answers *r);

/* Fills r with the nearest of all codes. What was scanned is kept in DIR/scanned now and then, and gone on
 * from; *seconds and *cpu are those of all parts. */
int scale_scan(const scale *s, const vectors *codes, scale_answers *r, double *seconds, double *cpu);

#endif
