/* progress.h: what is going on, on stderr, only when it is a terminal. */
#ifndef LBH_PROGRESS_H
#define LBH_PROGRESS_H

#include "cli.h"

/* Call once: shows progress if stderr is a terminal and not `quiet`. */
void progress_init(int quiet);

/* Shows a line like "encode base  40 %  12 s left". LBH_OK, or LBH_ECANCELLED with the error
 * raised when the user wants to stop: every loop over blocks calls it once a block. */
int progress_tick(const char *what, int64_t done, int64_t total);

/* Wipes the line; call before anything else is printed. */
void progress_clear(void);

/* The line itself, redrawn. */
void progress_line(const char *format, ...) CLI_PRINTF(1, 2);

/* "12 s left", "3 min left"; "" below 0. */
void progress_left(char text[32], double seconds);

/* One line that stays, for commands that do several jobs. */
void progress_note(const char *format, ...) CLI_PRINTF(1, 2);

/* "lbh: ..." on stderr, wherever that goes: what is left out, what failed while others go on. */
void progress_say(const char *format, ...) CLI_PRINTF(1, 2);

/* For lbh_encoder_on_progress. */
int progress_training(void *ctx, const char *method, int64_t step, int64_t steps, double loss);

#endif
