/* pipeline_lock.c: searches share the index; one with parameters of its own, which are the index's for as
 * long, has it to itself. */
#define _POSIX_C_SOURCE 200809L
#include "pipeline.h"

#include <pthread.h>
#include <stdlib.h>

struct lbh_lock {
    pthread_rwlock_t rw;
};

struct lbh_lock *lbh_lock_new(void)
{
    struct lbh_lock *lock = malloc(sizeof *lock);
    if (lock && pthread_rwlock_init(&lock->rw, NULL)) {
        free(lock);
        lock = NULL;
    }
    if (!lock)
        lbh_error(LBH_ENOMEM, "out of memory for the lock of a pipeline");
    return lock;
}

void lbh_lock_free(struct lbh_lock *lock)
{
    if (lock)
        pthread_rwlock_destroy(&lock->rw);
    free(lock);
}

int lbh_lock_take(struct lbh_lock *lock, bool alone)
{
    int error = alone ? pthread_rwlock_wrlock(&lock->rw) : pthread_rwlock_rdlock(&lock->rw);
    return error ? lbh_error(LBH_ESTATE, "search: the pipeline is searched by this very thread, with "
                             "parameters of that search")
                 : LBH_OK;
}

void lbh_lock_release(struct lbh_lock *lock)
{
    pthread_rwlock_unlock(&lock->rw);
}
