/* cli.h: what every part of the command shares: errors, interruption, memory, time, orders. */
#ifndef LBH_CLI_H
#define LBH_CLI_H

#include "error.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What functions return is what the library's return: LBH_OK, or a code below 0 with its reason in
 * lbh_last_error(), forwarded by LBH_TRY. Two codes are the command's own. */
enum {
    CLI_EUSAGE = -100, /* the command line or a specification asks for what is not to be had */
    CLI_HELPED = -101, /* no error: --help was printed, and nothing is left to do */
};

#if defined(__GNUC__)
#define CLI_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CLI_PRINTF(a, b)
#endif

/* Raise an error; `fail` is for data and runs. */
#define fail(...) lbh_error(LBH_EFORMAT, __VA_ARGS__)
#define fail_usage(...) lbh_error(CLI_EUSAGE, __VA_ARGS__)
#define fail_errno(what, path) lbh_error(LBH_EIO, "cannot %s '%s': %s", what, path, strerror(errno))
#define fail_memory() lbh_error(LBH_ENOMEM, "out of memory")
#define fail_cancelled() lbh_error(LBH_ECANCELLED, "interrupted")

/* The code of a call of the library whose arguments the user has written: LBH_EINVAL is a wrong use. */
int cli_usage(int code);

/* Whether something ended because the user wanted it to, whatever the error that came of it. */
bool cli_stopped(int code);

/* Says what is kept after a stop, in place of "nothing was written"; returns LBH_ECANCELLED. */
int cli_kept(const char *format, ...) CLI_PRINTF(1, 2);

/* Prints the error; returns the exit code of the command: 0, 1 (data or run-time error), 2 (usage), 130
 * (interrupted: what a shell says of a process that Ctrl-C ended). */
int cli_exit(int code);

/* Ctrl-C, SIGTERM and SIGHUP set a flag that every loop over blocks looks at. A second signal ends
 * the process at once, and removes the temporary files. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* Temporary files that a signal handler must remove: cli_guard(path) until cli_unguard(path). */
void cli_guard(const char *path);
void cli_unguard(const char *path);

/* Memory for count * size bytes, or NULL with the error raised; overflow counts as no memory. */
void *cli_alloc(int64_t count, size_t size);

/* A file in memory that holds the text, to be read from its beginning by a child: its descriptor, or -1 with
 * the error raised. */
int cli_memory_file(const char *text);

double cli_now(void); /* seconds, monotonic */

/* For qsort and bsearch over int64_t, and over const char *. */
int compare_ids(const void *a, const void *b);
int compare_texts(const void *a, const void *b);

#endif
