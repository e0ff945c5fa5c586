/* _condition.c: std::condition_variable::wait(), which FAISS's WorkerThread calls, for the wheel alone. That of gcc 12
 * has a version of its own (GLIBCXX_3.4.30), which systems before glibc 2.35 lack; it is this one line. Delete when
 * the oldest glibc of the wheel is 2.35. */
#include <pthread.h>

/* std::unique_lock: the mutex, and whether it is locked. */
typedef struct unique_lock {
    pthread_mutex_t *mutex;
    unsigned char owns;
} unique_lock;

void lbh_condition_wait(pthread_cond_t *condition, unique_lock *lock)
    __asm__("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");

void lbh_condition_wait(pthread_cond_t *condition, unique_lock *lock)
{
    pthread_cond_wait(condition, lock->mutex);
}
