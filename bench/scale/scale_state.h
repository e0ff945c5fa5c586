/* scale_state.h: the directory of a run, and how far it is. See scale.h. */
#ifndef LBH_SCALE_STATE_H
#define LBH_SCALE_STATE_H

#include "scale.h"

/* Makes the directory or enters it, alone (flock), and compares its settings with `text`. */
int scale_enter(const scale *s, const char *text, int *lock);

/* DIR/NAME. */
typedef struct scale_file {
    char path[4096];
} scale_file;
scale_file scale_file_of(const scale *s, const char *name);
/* Opens it; `file` is for messages, too. */
int scale_open(const scale *s, const char *name, int flags, scale_file *file, int *fd);
bool scale_has(const scale *s, const char *name);
/* Renames DIR/NAME.part to DIR/NAME; fine if that was done before. */
int scale_whole(const scale *s, const char *name);
int scale_remove(const scale *s, const char *name);

/* A log of records of `words` numbers each, of which the first counts rows. A record whose bytes are not
 * all there, or not as they were written, ends the log: it was being written when the program ended. */
typedef struct scale_log {
    int fd;
    int64_t words, records, rows; /* rows of all records */
    double seconds, cpu;          /* of all records: of the clock, and of all processors together */
    int64_t *sum, *last;          /* words: of all records; the last one, zeros if there is none */
    scale_file file;
} scale_log;

int scale_log_open(scale_log *log, const scale *s, const char *name, int64_t words);
/* Appends record[words], with the time since `since`, and syncs. */
typedef struct scale_time {
    double seconds, cpu;
} scale_time;
scale_time scale_now(void);
int scale_log_add(scale_log *log, const int64_t *record, scale_time since);
void scale_log_close(scale_log *log);

/* All of `size` bytes at `at` of an open file; `path` for the message. */
int scale_write(int fd, const char *path, const void *data, size_t size, int64_t at);
int scale_read(int fd, const char *path, void *data, size_t size, int64_t at);

#endif
