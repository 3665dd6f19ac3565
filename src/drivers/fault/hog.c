// A hog: it takes processor time, memory, the disk's or the process table's room.
#define _GNU_SOURCE
#include "drivers/fault/hog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

enum { PERIOD_US = 20000, PROCESSES_MAX = 100 * 1000, BLOCK_BYTES = 1 << 20 };

static void busy_tell(void)
{
    prctl(PR_SET_NAME, LP_HOG_BUSY);
}

static void idle(void)
{
    for (;;)
        pause();
}

// Burn a share of each period; sleep the rest.
static void burn(uint32_t permille)
{
    for (;;) {
        int64_t start_us = lp_monotonic_us(), busy_us = (int64_t)PERIOD_US * permille / 1000;
        while (lp_monotonic_us() - start_us < busy_us)
            continue;
        int64_t left_us = PERIOD_US - (lp_monotonic_us() - start_us);
        struct timespec rest = {.tv_nsec = left_us * 1000};
        if (permille < 1000 && left_us > 0)
            nanosleep(&rest, NULL);
    }
}

static uint64_t processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint64_t)count : 1;
}

// A worker dies with the hog, however that dies.
static bool worker_start(pid_t hog)
{
    pid_t pid = fork();
    if (pid != 0)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != hog)
        _exit(0);
    return true;
}

static void cpu(const struct lp_hog *hog)
{
    uint64_t workers = hog->amount ? hog->amount : processors();
    pid_t self = getpid();
    for (uint64_t i = 1; i < workers; i++)
        if (worker_start(self))
            burn(hog->permille);
    busy_tell();
    burn(hog->permille);
}

// Touch so many bytes; 0: until the kernel puts an end to it.
LP_MUST_CHECK static int memory(const struct lp_hog *hog, struct lp_err *err)
{
    uint64_t taken = 0;
    while (hog->amount == 0 || taken < hog->amount) {
        void *block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (block == MAP_FAILED && hog->amount)
            return lp_err_set(err, LP_EIO, "take memory: %s", strerror(errno));
        if (block == MAP_FAILED)
            break;
        memset(block, 0x5a, BLOCK_BYTES);
        taken += BLOCK_BYTES;
    }
    busy_tell();
    idle();
    return 0;
}

// Write and sync for ever, over the same blocks of a file without a name.
LP_MUST_CHECK static int disk(const struct lp_hog *hog, struct lp_err *err)
{
    static char block[BLOCK_BYTES];
    enum { BLOCKS = 16 };
    uint64_t workers = hog->amount ? hog->amount : 1;
    pid_t self = getpid();
    for (uint64_t i = 1; i < workers && !worker_start(self); i++)
        continue;
    LP_OWNS_FD int fd = open(hog->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "write in %s: %s", hog->folder, strerror(errno));
    for (uint64_t i = 0;; i++) {
        if (pwrite(fd, block, sizeof(block), (off_t)(i % BLOCKS) * BLOCK_BYTES) < 0 ||
            fdatasync(fd) < 0)
            return lp_err_set(err, LP_EIO, "write in %s: %s", hog->folder, strerror(errno));
        if (i == 0)
            busy_tell();
    }
}

static void processes(void)
{
    pid_t self = getpid();
    for (int i = 0; i < PROCESSES_MAX; i++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid > 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == self)
            pause();
        _exit(0);
    }
    busy_tell();
    for (;;) { // whoever ends leaves no room for another
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (getppid() == self)
                pause();
            _exit(0);
        }
        struct timespec rest = {.tv_nsec = 5 * 1000 * 1000};
        nanosleep(&rest, NULL);
    }
}

int lp_hog_run(const struct lp_hog *hog, struct lp_err *err)
{
    if (strcmp(hog->kind, "cpu") == 0)
        cpu(hog);
    else if (strcmp(hog->kind, "memory") == 0 || strcmp(hog->kind, "oom") == 0)
        return memory(hog, err);
    else if (strcmp(hog->kind, "disk-load") == 0)
        return disk(hog, err);
    else if (strcmp(hog->kind, "processes") == 0)
        processes();
    return lp_err_set(err, LP_EINPUT, "there is no hog of '%s'", hog->kind);
}
