/* cli.h: what every part of the command shares: exit codes, the error text, interruption, time. */
#ifndef LBH_CLI_H
#define LBH_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of the command. EXIT_CANCELLED is what a shell reports for a process ended by Ctrl-C. */
enum { EXIT_OK = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_CANCELLED = 130 };

#if defined(__GNUC__)
#define CLI_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define CLI_PRINTF(a, b)
#endif

/* Raise an error: keep one line of text for main() to print, and return the exit code. */
int fail(const char *format, ...) CLI_PRINTF(1, 2);
int fail_usage(const char *format, ...) CLI_PRINTF(1, 2);
int fail_errno(const char *what, const char *path); /* "cannot WHAT 'PATH': strerror" */
int fail_memory(void);
int fail_cancelled(void);

/* Functions of the command return EXIT_*. What the library returns is translated where it is called:
 * EXIT_OK for LBH_OK, else raises what the library said. A code that the library got back from one
 * of our own callbacks has our text already, which says more; an interruption wins over both. */
int fail_library(int library_code);

/* Forwards an error. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int try_rc_ = (call);                                                                      \
        if (try_rc_)                                                                               \
            return try_rc_;                                                                        \
    } while (0)

#ifdef __clang_analyzer__ /* It sees one file at a time, and must know that these do not return 0. */
void cli_text(const char *format, ...);
static inline int cli_code(int code)
{
    return code;
}
#define fail(...) (cli_text(__VA_ARGS__), cli_code(EXIT_RUNTIME))
#define fail_usage(...) (cli_text(__VA_ARGS__), cli_code(EXIT_USAGE))
#define fail_errno(what, path) (cli_text("%s", path), cli_code(EXIT_RUNTIME))
#define fail_memory() cli_code(EXIT_RUNTIME)
#define fail_cancelled() cli_code(EXIT_CANCELLED)
#endif

/* The text of the last error; "" if there was none. */
const char *cli_error(void);
void cli_clear_error(void);

/* Ctrl-C, SIGTERM and SIGHUP set a flag that every loop over blocks looks at. A second signal ends
 * the process at once, and removes the temporary files. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* Temporary files that a signal handler must remove: cli_guard(path) until cli_unguard(path). */
void cli_guard(const char *path);
void cli_unguard(const char *path);

/* Memory for count * size bytes, or NULL with the error raised; overflow counts as no memory. */
void *cli_alloc(int64_t count, size_t size);

double cli_now(void); /* seconds, monotonic */

#endif
