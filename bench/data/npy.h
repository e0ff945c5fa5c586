/* npy.h: NumPy's .npy files. */
#ifndef LBH_NPY_H
#define LBH_NPY_H

#include "vectors.h"

/* What a header says. */
typedef struct npy_array {
    char kind;   /* f, i, u, or b: boolean */
    size_t size; /* bytes a number in the file */
    vec_type type; /* that its numbers have in memory */
    bool big_endian, by_columns;
    bool ready;  /* the numbers lie in the file as they are wanted */
    int axes;    /* 1 or 2 */
    int64_t n, d;
    size_t offset; /* of the first number */
} npy_array;

int npy_parse(const unsigned char *data, size_t size, const char *name, npy_array *a);

/* Turns what lies at v->data, n x d numbers that are not `ready`, into v->owned memory of the type
 * wanted, by rows. Refuses an uint64 that no int64 holds. */
int npy_convert(vectors *v, const npy_array *a);

/* Writes such a header (a multiple of 64 bytes) to `header`; returns its length. */
size_t npy_header(char header[128], vec_type type, int64_t n, int64_t d);

#endif
