/* progress.h: what is going on, on stderr, only when it is a terminal. */
#ifndef LBH_PROGRESS_H
#define LBH_PROGRESS_H

#include "lbh.h"

/* Call once: shows progress if stderr is a terminal and not `quiet`. */
void progress_init(int quiet);

/* Shows a line like "encode base  40 %  12 s left". EXIT_OK, or EXIT_CANCELLED with the error
 * raised when the user wants to stop: every loop over blocks calls it once a block. */
int progress_tick(const char *what, int64_t done, int64_t total);

/* Wipes the line; call before anything else is printed. */
void progress_clear(void);

/* One line that stays, for commands that do several jobs. */
void progress_note(const char *format, ...);

/* For lbh_encoder_on_progress. */
int progress_training(void *ctx, const char *method, int64_t step, int64_t steps, double loss);

#endif
