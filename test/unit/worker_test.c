// drivers/fault/fault_target.c: which process is a fault's worker.
#define _GNU_SOURCE
#include "drivers/fault/fault_parts.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// A child that waits to be killed, as this program or, stopped, as another with these arguments.
static pid_t child_make(const char *const *argv)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0 && argv)
        execv("/bin/sh", (char *const *)(uintptr_t)argv);
    while (pid == 0)
        pause();
    if (argv) {
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
    }
    return pid;
}

static void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_by_its_command_line(void **state)
{
    (void)state;
    static const char *const argv[] = {"sh", "-c", "kill -STOP $$; :", "f7@1234abcd", NULL};
    pid_t other = child_make(argv);
    assert_int_equal(lp_fault_worker_pid(other, "-c", "kill -STOP $$; :"), other);
    assert_int_equal(lp_fault_worker_pid(other, "-c", "f7@1234abcd"), 0);
    assert_int_equal(lp_fault_worker_pid(other, "relay", "f7@1234abcd"), 0);
    child_end(other);
}

static void test_while_it_is_executed(void **state)
{
    (void)state;
    pid_t child = child_make(NULL);
    // It has our command line still, and is our child: what was started just now.
    assert_int_equal(lp_fault_worker_pid(child, "relay", "f7@1234abcd"), child);
    kill(child, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(lp_fault_worker_pid(child, "relay", "f7@1234abcd"), 0); // dead, not reaped
    child_end(child);
    assert_int_equal(lp_fault_worker_pid(child, "relay", "f7@1234abcd"), 0);
}

static void test_others(void **state)
{
    (void)state;
    assert_int_equal(lp_fault_worker_pid(0, "relay", "f7@1234abcd"), 0);
    assert_int_equal(lp_fault_worker_pid(1, "relay", "f7@1234abcd"), 0);
    assert_int_equal(lp_fault_worker_pid(2, "relay", "f7@1234abcd"), 0); // the kernel's
    assert_int_equal(lp_fault_worker_pid(getpid(), "relay", "f7@1234abcd"), 0);
    assert_int_equal(lp_fault_worker_pid(getppid(), "relay", "f7@1234abcd"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_its_command_line),
        cmocka_unit_test(test_while_it_is_executed),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
