/* file_cursor.h: PRIVATE. A cursor over the bytes of a file, and the checks of each kind of index. */
#ifndef LBH_FILE_CURSOR_H
#define LBH_FILE_CURSOR_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cursor {
    const char *path;
    const uint8_t *data;
    size_t size, at;
    bool opaque; /* something was met that only FAISS can read: the rest is not looked at */
} cursor;

/* What the header of every binary index says. */
typedef struct header {
    char fourcc[5];
    int32_t d, code_size;
    int64_t ntotal;
} header;

/* Items of a vector as FAISS writes it: a 64-bit count, then the items. */
typedef struct span {
    const uint8_t *data; /* may be unaligned: read it with the functions below */
    uint64_t count;
} span;

int fc_bad(const cursor *c, const char *what); /* raises LBH_EFORMAT "path: what" */
int fc_take(cursor *c, void *to, size_t size);
int fc_take_span(cursor *c, span *s, size_t item_size);
int fc_take_items(cursor *c, span *s, uint64_t count, size_t item_size); /* no count in the file */
int64_t fc_i64(const uint8_t *data, uint64_t i);
int32_t fc_i32(const uint8_t *data, uint64_t i);

/* Ids must be within 0 .. limit-1 unless limit is negative. */
int fc_check_ids(const cursor *c, span ids, int64_t limit);

/* The header behind the four letters; the codes of a flat index behind its header. */
int fc_take_header(cursor *c, header *h);
int fc_flat(cursor *c, const header *h, int64_t id_limit);
bool fc_is_idmap(const header *h);
/* A nested flat index of the same dimension and count. */
int fc_storage(cursor *c, const header *outer);

/* file_check_kinds.c: what follows the header, by kind; an HNSW's or multi-hash's storage comes after. */
int fc_hnsw(cursor *c, const header *h);
int fc_hash(cursor *c, const header *h, int64_t id_limit);
int fc_multihash(cursor *c, const header *h);

#endif
