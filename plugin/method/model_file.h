/* model_file.h: the container of models and checkpoints: text key-values, then float tensors.
 *
 *   offset 0   "LBHM", u32 version (1; 2 with byte tables), u64 size of the file, u64 size of the text, zeros up to 64
 *   64         text: lines "key value", and for each tensor "tensor NAME f32 ROWS COLS OFFSET"
 *   OFFSET     the tensor's ROWS * COLS little-endian floats, row-major, 64-byte aligned
 *   size - 8   u64 XXH3 of everything before it
 *
 * All numbers are little-endian. `head -c 2000 FILE` shows the text. */
#ifndef LBH_MODEL_FILE_H
#define LBH_MODEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { LBH_FILE_VERSION = 2, LBH_MAX_TENSORS = 64, LBH_NAME_SIZE = 32 };

typedef struct lbh_tensor {
    char name[LBH_NAME_SIZE];
    int64_t rows, cols;
    const float *data; /* not owned; when read: inside the document's bytes */
} lbh_tensor;

typedef struct lbh_document {
    char *text; /* lines "key value\n", without the tensors' lines */
    size_t text_size, text_room;
    int ntensors;
    lbh_tensor tensor[LBH_MAX_TENSORS];
    uint32_t version; /* of the format, as written; 0 stands for 1 */
    void *bytes; /* what was read; owned */
} lbh_document;

/* Building: zero the struct, put keys and tensors, write, clear. */
int lbh_document_put(lbh_document *doc, const char *key, const char *value);
int lbh_document_put_number(lbh_document *doc, const char *key, double value);
int lbh_document_put_tensor(lbh_document *doc, const char *name, int64_t rows, int64_t cols,
                            const float *data);
int lbh_document_write(const lbh_document *doc, const char *path);
int lbh_document_emit(const lbh_document *doc, FILE *stream); /* whose errors the caller asks for */

/* Reading: checks magic, version, sizes, checksum and the bounds of every tensor before anything is
 * believed. `what` names the source in messages. */
int lbh_document_read(lbh_document *doc, const char *path);
int lbh_document_parse(lbh_document *doc, const void *data, size_t size, const char *what);

/* Value of a key, copied to value[size]; false if absent or too long. */
bool lbh_document_get(const lbh_document *doc, const char *key, char *value, size_t size);
bool lbh_document_get_number(const lbh_document *doc, const char *key, double *value);
const lbh_tensor *lbh_document_tensor(const lbh_document *doc, const char *name);

void lbh_document_clear(lbh_document *doc);

#endif
