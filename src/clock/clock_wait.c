// The functions that wait until a clock says something: their deadlines are on the node's clock,
// and the kernel's on the machine's. One that waits already is not disturbed by a change.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "clock/clock_library.h"
#include "clock/system_call.h"

// The C library's own function, which has the type of ours. Each of these begins with it, so that
// it is found, and kept, in one way.
#define NEXT(name)      \
    static void *cache; \
    __typeof__(name) *next = lp_clock_next(#name, &cache)

LP_CLOCK_EXPORT int clock_nanosleep(clockid_t id, int flags, const struct timespec *request,
                                    struct timespec *ret_left)
{
    NEXT(clock_nanosleep);
    struct timespec until = *request;
    if (flags & TIMER_ABSTIME)
        until = lp_clock_deadline(lp_clock_kind_of(id), request);
    return next ? next(id, flags, &until, ret_left) : ENOSYS;
}

// The clock of a condition is known to the C library only.
LP_CLOCK_EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                                           pthread_mutex_t *restrict mutex,
                                           const struct timespec *restrict deadline)
{
    NEXT(pthread_cond_timedwait);
    struct timespec until = lp_clock_deadline(lp_clock_deadline_kind(deadline), deadline);
    return next ? next(condition, mutex, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict condition,
                                           pthread_mutex_t *restrict mutex, clockid_t id,
                                           const struct timespec *restrict deadline)
{
    NEXT(pthread_cond_clockwait);
    struct timespec until = lp_clock_deadline(lp_clock_kind_of(id), deadline);
    return next ? next(condition, mutex, id, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex,
                                            const struct timespec *restrict deadline)
{
    NEXT(pthread_mutex_timedlock);
    struct timespec until = lp_clock_deadline(LP_CLOCK_REAL, deadline);
    return next ? next(mutex, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t id,
                                            const struct timespec *restrict deadline)
{
    NEXT(pthread_mutex_clocklock);
    struct timespec until = lp_clock_deadline(lp_clock_kind_of(id), deadline);
    return next ? next(mutex, id, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock,
                                               const struct timespec *restrict deadline)
{
    NEXT(pthread_rwlock_timedrdlock);
    struct timespec until = lp_clock_deadline(LP_CLOCK_REAL, deadline);
    return next ? next(lock, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock,
                                               const struct timespec *restrict deadline)
{
    NEXT(pthread_rwlock_timedwrlock);
    struct timespec until = lp_clock_deadline(LP_CLOCK_REAL, deadline);
    return next ? next(lock, &until) : ENOSYS;
}

LP_CLOCK_EXPORT int sem_timedwait(sem_t *restrict semaphore,
                                  const struct timespec *restrict deadline)
{
    NEXT(sem_timedwait);
    struct timespec until = lp_clock_deadline(LP_CLOCK_REAL, deadline);
    return next ? next(semaphore, &until) : lp_clock_fail(-ENOSYS);
}

LP_CLOCK_EXPORT int sem_clockwait(sem_t *restrict semaphore, clockid_t id,
                                  const struct timespec *restrict deadline)
{
    NEXT(sem_clockwait);
    struct timespec until = lp_clock_deadline(lp_clock_kind_of(id), deadline);
    return next ? next(semaphore, id, &until) : lp_clock_fail(-ENOSYS);
}

LP_CLOCK_EXPORT int timer_settime(timer_t timer, int flags,
                                  const struct itimerspec *restrict setting,
                                  struct itimerspec *restrict ret_before)
{
    NEXT(timer_settime);
    struct itimerspec translated = *setting;
    bool is_off = !setting->it_value.tv_sec && !setting->it_value.tv_nsec;
    if (flags & TIMER_ABSTIME && !is_off)
        translated.it_value =
            lp_clock_deadline(lp_clock_deadline_kind(&setting->it_value), &setting->it_value);
    return next ? next(timer, flags, &translated, ret_before) : lp_clock_fail(-ENOSYS);
}

LP_CLOCK_EXPORT int timerfd_settime(int fd, int flags, const struct itimerspec *setting,
                                    struct itimerspec *ret_before)
{
    struct itimerspec translated = *setting;
    bool is_off = !setting->it_value.tv_sec && !setting->it_value.tv_nsec;
    if (flags & TFD_TIMER_ABSTIME && !is_off)
        translated.it_value =
            lp_clock_deadline(lp_clock_deadline_kind(&setting->it_value), &setting->it_value);
    long code = LP_SYSTEM_CALL(SYS_timerfd_settime, fd, flags, (long)&translated, (long)ret_before);
    return code < 0 ? lp_clock_fail(code) : 0;
}
