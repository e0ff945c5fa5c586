/* ann_file.h: writes HDF5 files as h5py writes them, so that ann-benchmarks' programs read them:
 * text attributes are UTF-8 of variable length (h5py gives others as bytes), truth values an
 * enumeration of FALSE and TRUE over int8, and no feature is newer than HDF5 1.8. A file appears
 * whole under its name or not at all. */
#ifndef LBH_ANN_FILE_H
#define LBH_ANN_FILE_H

#include "cli.h"

typedef struct ann_file ann_file;

typedef enum {
    ANN_F32, /* from float */
    ANN_F64, /* from double */
    ANN_I32, /* from int32_t */
    ANN_I64, /* from int64_t */
    ANN_BOOL /* from bytes of 0 and 1 */
} ann_kind;

/* CLI_EUSAGE if there is no HDF5 in this build. */
int ann_available(void);

/* Creates `path` and the directories that lead to it. */
int ann_create(ann_file **f, const char *path);

/* Attributes of the root. Errors are kept for ann_close(). */
void ann_text(ann_file *f, const char *name, const char *value);
void ann_number(ann_file *f, const char *name, double value);
void ann_int(ann_file *f, const char *name, int64_t value);
void ann_bool(ann_file *f, const char *name, bool value);

/* Begins a set of n x d numbers (d = 0: one axis of n), then appends rows to it; the set ends with
 * the next one or with the file. Errors are kept for ann_close(). */
void ann_set(ann_file *f, const char *name, ann_kind kind, int64_t n, int64_t d);
void ann_append(ann_file *f, int64_t count, const void *rows);

/* Ends the file: under its name if rc is LBH_OK and there was no error, else it is removed. */
int ann_close(ann_file *f, int rc);

/* Refuses a file whose set `name` is not n x d. */
int ann_check_shape(const char *path, const char *name, int64_t n, int64_t d);

#endif
