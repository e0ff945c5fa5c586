/* table_codes.h: codes of byte tables, found by search: for a row x the bytes b that minimise
 *
 *     ||x - sum_m T_m[b_m]||^2 + along (u . (x - sum_m T_m[b_m]))^2 + sum_m cost_m[b_m]
 *
 * u is a direction of the row's own in which errors count more, cost what a byte costs besides. It is
 * the encoding of additive quantizers: each byte in turn takes the best of its 256 values given the
 * others (iterated conditional modes), and what that ends in is shaken and tried again (Martinez et
 * al., Revisiting additive quantization, ECCV 2016). */
#ifndef LBH_CORE_TABLE_CODES_H
#define LBH_CORE_TABLE_CODES_H

#include "byte_tables.h"

enum { LBH_MAX_TABLES = 32 }; /* bytes of a code that is searched: the memory grows with its square */

typedef struct lbh_table_search lbh_table_search;

/* Prepares the search for codes of nbits <= 8 LBH_MAX_TABLES by a table T[256 * columns] for each of
 * their nbytes bytes; they are copied. Pad bits stay 0. It takes (256 nbytes)^2 numbers of 16 bits. LBH_ENOMEM. */
int lbh_table_search_new(lbh_table_search **s, int nbits, int columns, const float *T);
void lbh_table_search_free(lbh_table_search *s);

/* What is asked for. */
typedef struct lbh_table_job {
    const float *x, *u; /* n x columns each; u NULL: along = 0 */
    float along;
    const float *bit_cost; /* n x 8 nbytes, or NULL: what it costs that a bit is set instead of clear */
    int patience;          /* shakes without gain until a row is done; 0: none is tried */
    uint8_t *codes;        /* n x nbytes: where the search starts, and what it finds */
} lbh_table_job;

/* Searches for n rows, with all threads. The code of a row depends on its own data alone. LBH_ENOMEM. */
int lbh_table_search_run(const lbh_table_search *s, int64_t n, const lbh_table_job *job);

/* The same for a few rows by the calling thread. */
int lbh_table_search_some(const lbh_table_search *s, int64_t n, const lbh_table_job *job);

#endif
