// What the page says, and the arithmetic of it.
#include <stddef.h>
#include <sys/syscall.h>

#include "clock/clock_library.h"
#include "clock/system_call.h"

enum { READ_CLOEXEC = 02000000, PROTECTION_READ = 1, MAP_IS_SHARED = 1, HERE = -100 };

// Where there is no page the clocks are the machine's.
static const struct lp_clock_page nothing;

static const struct lp_clock_page *page_open(void)
{
    long fd = LP_SYSTEM_CALL(SYS_openat, HERE, (long)LP_CLOCK_PAGE_IN_NODE, READ_CLOEXEC);
    if (fd < 0)
        return &nothing;
    long at = LP_SYSTEM_CALL(SYS_mmap, 0, sizeof(struct lp_clock_page), PROTECTION_READ,
                             MAP_IS_SHARED, fd, 0);
    LP_SYSTEM_CALL(SYS_close, fd);
    return at < 0 && at > -4096 ? &nothing : (const struct lp_clock_page *)at;
}

static const struct lp_clock_page *page_get(void)
{
    static const struct lp_clock_page *page;
    const struct lp_clock_page *found = __atomic_load_n(&page, __ATOMIC_ACQUIRE);
    if (!found) {
        found = page_open();
        __atomic_store_n(&page, found, __ATOMIC_RELEASE);
    }
    return found;
}

// Before the program can have changed its root folder, or what it may open.
__attribute__((constructor)) static void page_open_early(void)
{
    (void)page_get();
}

bool lp_clock_setting_find(struct lp_clock_setting *ret_setting)
{
    return lp_clock_setting_get(page_get(), ret_setting) &&
           (ret_setting->real_ns || ret_setting->monotonic_ns || ret_setting->drift_ppm);
}

// For the probe: which fault does a process of the node see?
LP_CLOCK_EXPORT uint64_t limpet_clock_fault(void);
uint64_t limpet_clock_fault(void)
{
    struct lp_clock_setting setting;
    return lp_clock_setting_get(page_get(), &setting) ? setting.fault : 0;
}

enum lp_clock_kind lp_clock_kind_of(clockid_t id)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        return LP_CLOCK_REAL;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return LP_CLOCK_MONOTONIC;
    default: // of a process or a thread
        return LP_CLOCK_OTHER;
    }
}

int64_t lp_clock_ahead_ns(const struct lp_clock_setting *setting, enum lp_clock_kind kind,
                          int64_t monotonic_ns)
{
    if (kind == LP_CLOCK_OTHER)
        return 0;
    return (kind == LP_CLOCK_REAL ? setting->real_ns : setting->monotonic_ns) +
           (setting->drift_ppm ? lp_clock_gain(setting, monotonic_ns) : 0);
}

enum lp_clock_kind lp_clock_deadline_kind(const struct timespec *deadline)
{
    int64_t real = lp_clock_machine_ns(CLOCK_REALTIME) / LP_CLOCK_SECOND_NS;
    int64_t monotonic = lp_clock_machine_ns(CLOCK_MONOTONIC) / LP_CLOCK_SECOND_NS;
    return deadline->tv_sec - monotonic < real - deadline->tv_sec ? LP_CLOCK_MONOTONIC
                                                                  : LP_CLOCK_REAL;
}

struct timespec lp_clock_deadline(enum lp_clock_kind kind, const struct timespec *deadline)
{
    const int64_t most_s = INT64_MAX / LP_CLOCK_SECOND_NS / 2; // 146 years
    struct lp_clock_setting setting;
    if (kind == LP_CLOCK_OTHER || deadline->tv_sec < 0 || deadline->tv_sec > most_s ||
        deadline->tv_nsec < 0 || deadline->tv_nsec >= LP_CLOCK_SECOND_NS ||
        !lp_clock_setting_find(&setting))
        return *deadline;
    int64_t monotonic_ns = lp_clock_machine_ns(CLOCK_MONOTONIC);
    int64_t now_ns = kind == LP_CLOCK_REAL ? lp_clock_machine_ns(CLOCK_REALTIME) : monotonic_ns;
    int64_t wait_ns = (int64_t)deadline->tv_sec * LP_CLOCK_SECOND_NS + deadline->tv_nsec -
                      (now_ns + lp_clock_ahead_ns(&setting, kind, monotonic_ns));
    // A clock that goes faster gets there sooner.
    int64_t speed_ppm = 1000000 + setting.drift_ppm;
    wait_ns = wait_ns / speed_ppm * 1000000 + wait_ns % speed_ppm * 1000000 / speed_ppm;
    if (wait_ns > 0 && now_ns > INT64_MAX - wait_ns)
        return *deadline;
    int64_t at_ns = now_ns + wait_ns > 0 ? now_ns + wait_ns : 0;
    return (struct timespec){.tv_sec = at_ns / LP_CLOCK_SECOND_NS,
                             .tv_nsec = at_ns % LP_CLOCK_SECOND_NS};
}
