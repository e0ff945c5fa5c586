/* threads.h: how many threads a piece of work is worth, and what a fork does to them. */
#ifndef LBH_CORE_THREADS_H
#define LBH_CORE_THREADS_H

#include "lbh.h"

/* Threads for so many elementary steps (multiplications, bytes compared): one for each 2^20 or part of
 * it (about 50 us, many times what waking a thread takes), at most OpenMP's own number. */
int lbh_threads_for(double steps);

#endif
