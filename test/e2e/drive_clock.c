// What a program sees of a clock that is set wrong, run in a node by faults_clock.t. Four readings
// of CLOCK_REALTIME in seconds, and how many milliseconds of the machine's time (asked of the
// kernel itself) passed in each kind of wait for a deadline 200 ms ahead on the program's own
// clocks:
//   read 1700000000 1700000000 1700000000 1700000000
//   wait sleep 200 condition 200 semaphore 200 timer 200 monotonic 200
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD_MS = 200, MS_NS = 1000000, SECOND_NS = 1000000000 };

static int64_t machine_ms(void)
{
    struct timespec at;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / MS_NS;
}

static struct timespec ahead(clockid_t id)
{
    struct timespec at;
    clock_gettime(id, &at);
    at.tv_nsec += (long)AHEAD_MS * MS_NS;
    at.tv_sec += at.tv_nsec / SECOND_NS;
    at.tv_nsec %= SECOND_NS;
    return at;
}

static void sleep_wait(void)
{
    struct timespec until = ahead(CLOCK_REALTIME);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static void monotonic_wait(void)
{
    struct timespec until = ahead(CLOCK_MONOTONIC);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void condition_wait(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct timespec until = ahead(CLOCK_REALTIME);
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&condition, &mutex, &until) == 0) {
    }
    pthread_mutex_unlock(&mutex);
}

static void semaphore_wait(void)
{
    sem_t semaphore;
    struct timespec until = ahead(CLOCK_REALTIME);
    sem_init(&semaphore, 0, 0);
    sem_timedwait(&semaphore, &until);
}

static void timer_wait(void)
{
    uint64_t ticks;
    struct itimerspec at = {.it_value = ahead(CLOCK_REALTIME)};
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL);
    if (read(fd, &ticks, sizeof(ticks)) < 0)
        perror("timer");
    close(fd);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } waits[] = {{"sleep", sleep_wait},
                 {"condition", condition_wait},
                 {"semaphore", semaphore_wait},
                 {"timer", timer_wait},
                 {"monotonic", monotonic_wait}};
    struct timespec a, b;
    struct timeval c;
    clock_gettime(CLOCK_REALTIME, &a);
    timespec_get(&b, TIME_UTC);
    gettimeofday(&c, NULL);
    printf("read %lld %lld %lld %lld\nwait", (long long)a.tv_sec, (long long)b.tv_sec,
           (long long)c.tv_sec, (long long)time(NULL));
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        int64_t begun_ms = machine_ms();
        waits[i].run();
        printf(" %s %lld", waits[i].name, (long long)(machine_ms() - begun_ms));
    }
    puts("");
    return 0;
}
