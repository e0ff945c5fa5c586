/* fail_alloc.h: malloc and its kin, replaced in this program by a version that counts, and that
 * fails when it is told to. The C library's own functions do the work. */
#ifndef LBH_TEST_FAIL_ALLOC_H
#define LBH_TEST_FAIL_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

/* To be called once, before the others. */
void fail_alloc_start(void);

/* From now on the `nth` allocation fails (1: the next one); with `lasting`, all after it, too. */
void fail_alloc_arm(int64_t nth, bool lasting);

/* No more failures. Returns how many allocations failed since fail_alloc_arm. */
int64_t fail_alloc_disarm(void);

/* Blocks that are allocated and not freed. */
int64_t fail_alloc_live(void);

/* Allocations that were spared since the program started: by libgomp and OpenBLAS, which end the
 * process when memory is short, and by C++ inside a parallel region of FAISS, from where no
 * exception can be brought out. */
int64_t fail_alloc_spared(void);

/* Writes, to stderr, the calls that led to the last allocation that failed. */
void fail_alloc_where(void);

#endif
