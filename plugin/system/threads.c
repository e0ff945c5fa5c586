/* threads.c: see threads.h, and lbh_set_num_threads() of lbh.h.
 *
 * GNU OpenMP keeps the threads of a parallel region for the next one, in memory that a fork copies
 * without the threads: the child's first region would wait for them for ever. So whoever forks gives
 * its threads back first; they are made anew when they are needed, on both sides. Where OpenMP refuses
 * (a fork from within a parallel region) the child does with one thread. */
#define _POSIX_C_SOURCE 200809L
#include "threads.h"

#include "error.h"

#include <omp.h>
#include <pthread.h>

static _Thread_local int kept; /* the threads could not be given back */

int lbh_threads_for(double steps)
{
    const double worth = 1 << 20;
    int most = omp_get_max_threads();
    return steps < worth ? 1 : steps / worth >= most ? most : (int)(steps / worth) + 1;
}

int lbh_set_num_threads(int threads)
{
    if (threads < 1 || threads > 65536)
        return lbh_error(LBH_EINVAL, "threads (%d) must be 1 to 65536", threads);
    omp_set_num_threads(threads);
    return LBH_OK;
}

int lbh_num_threads(void)
{
    return omp_get_max_threads();
}

static void before_fork(void)
{
    kept = omp_pause_resource_all(omp_pause_soft);
}

static void in_child(void)
{
    if (kept)
        omp_set_num_threads(1);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, NULL, in_child);
}
