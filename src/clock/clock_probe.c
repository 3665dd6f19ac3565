// The clock probe: run in a node by the loader that the node's programs use, it says what a process
// there sees: nanoseconds of CLOCK_REALTIME and CLOCK_MONOTONIC, and the number of the fault, on
// one line. Its names are resolved as those of any program: without the clock library the loader
// refuses it.
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "clock/system_call.h"

extern uint64_t limpet_clock_fault(void);
_Noreturn void limpet_clock_probe_run(void);

// glibc's loader makes ready to run only what names a loader; which one does not matter to it.
static const char loader[] __attribute__((section(".interp"), used)) = "none";

enum { LINE_BYTES = 80, STANDARD_OUTPUT = 1 };

static char *number_add(char *end, uint64_t number) // backwards
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

static uint64_t now_ns(clockid_t id)
{
    struct timespec at = {0};
    clock_gettime(id, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

__attribute__((visibility("default"))) void limpet_clock_probe_run(void)
{
    char line[LINE_BYTES], *end = line + LINE_BYTES, *at = end;
    uint64_t real_ns = now_ns(CLOCK_REALTIME), monotonic_ns = now_ns(CLOCK_MONOTONIC);
    *--at = '\n';
    at = number_add(at, limpet_clock_fault());
    *--at = ' ';
    at = number_add(at, monotonic_ns);
    *--at = ' ';
    at = number_add(at, real_ns);
    LP_SYSTEM_CALL(SYS_write, STANDARD_OUTPUT, (long)at, end - at);
    for (;;)
        LP_SYSTEM_CALL(SYS_exit_group, 0);
}

__asm__(".text\n.globl limpet_clock_probe_start\n.type limpet_clock_probe_start, %function\n"
        "limpet_clock_probe_start:\n"
#if defined(__aarch64__)
        "    b limpet_clock_probe_run\n"
#else
        "    xor %ebp, %ebp\n    and $-16, %rsp\n    call limpet_clock_probe_run@PLT\n"
#endif
);
