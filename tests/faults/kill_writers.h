/* kill_writers.h: what processes write while they are killed. */
#ifndef LBH_TEST_KILL_WRITERS_H
#define LBH_TEST_KILL_WRITERS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct writer {
    const char *name, *file;
    int files; /* that one content consists of */
    int (*prepare)(const char *directory);
    int (*save)(const char *path, int which); /* content 0 or 1 */
    int (*which)(const char *path);           /* which content lies there, whole; -1: neither */
} writer;

extern const writer writers[]; /* ends with a NULL name */

/* Trains an encoder, from the checkpoint if it is there, with a checkpoint after each step, and
 * saves the model. checkpoint may be NULL. */
int train_once(const char *model, const char *checkpoint);
uint64_t digest_of(const char *model); /* 0 if it cannot be loaded */

#endif
