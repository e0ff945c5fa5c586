/* code_stats.h: how well codes use their bits. */
#ifndef LBH_CODE_STATS_H
#define LBH_CODE_STATS_H

#include "output.h"

/* Of n codes, with m_j the share of ones of bit j:
 *   balance      mean, least and greatest m_j; 1/2 is best
 *   constant     bits that are the same in all codes
 *   correlation  mean over pairs i < j of bits that are not constant of |r_ij|,
 *                r_ij = (m_ij - m_i m_j) / sqrt(m_i (1 - m_i) m_j (1 - m_j)),  m_ij the share of
 *                codes with both bits; 0 is best, NaN without such a pair
 *   distinct     different codes
 *   entropy      - sum_c p_c log2 p_c over the different codes c, p_c the share of c; the most that
 *                n codes can have is entropy_limit = min(nbits, log2 n)
 * The correlation is that of CORRELATION_ROWS codes at even distances, where there are more. */
typedef struct code_stats {
    int nbits;
    double *ones; /* nbits: m_j */
    double mean, least, greatest;
    int constant;
    double correlation;
    int64_t distinct;
    double entropy, entropy_limit;
} code_stats;

enum { CORRELATION_ROWS = 1 << 18 };

/* codes[n * code_size], bit j of a code in byte j / 8, least significant first. */
int code_stats_compute(code_stats *s, int64_t n, int nbits, size_t code_size, const uint8_t *codes);
void code_stats_free(code_stats *s);

/* Adds them: "code_stats" with all of it in JSON, three lines in text. */
int code_stats_report(cJSON *doc, int json, int64_t n, int nbits, size_t code_size,
                      const uint8_t *codes);

#endif
