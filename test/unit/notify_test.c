// api/notify.c: what a service manager's socket gets.
#define _GNU_SOURCE
#include "api/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int folder_init(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/limpet-notify-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_release(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/socket", folder);
    unlink(path);
    return rmdir(folder);
}

// A manager's socket at this name; '@' stands for an abstract one.
static int manager_open(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, name, strlen(name));
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (void *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
        0);
    return fd;
}

static void is_told(const char *name)
{
    struct lp_err err = {0};
    char got[64];
    int fd = manager_open(name);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(lp_notify_send("READY=1", &err), 0);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_int_equal(recv(fd, got, sizeof(got), 0), strlen("READY=1"));
    assert_memory_equal(got, "READY=1", strlen("READY=1"));
    assert_int_equal(lp_notify_send("READY=1", &err), 0); // nobody wants to know any more
    assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
    close(fd);
}

static void test_manager_is_told(void **state)
{
    (void)state;
    char name[128];
    snprintf(name, sizeof(name), "%s/socket", folder);
    is_told(name);
    snprintf(name, sizeof(name), "@limpet-notify-test-%d", (int)getpid());
    is_told(name);
}

static void test_what_is_no_socket(void **state)
{
    (void)state;
    struct lp_err err = {0};
    char name[200];
    snprintf(name, sizeof(name), "%s/absent", folder);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(lp_notify_send("READY=1", &err), LP_EIO);
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    static const char *const wrong[] = {"", "@", "/", "vsock:2:1"};
    for (size_t i = 0; i < 5; i++) {
        setenv("NOTIFY_SOCKET", i < 4 ? wrong[i] : name, 1);
        assert_int_equal(lp_notify_send("READY=1", &err), LP_EINPUT);
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manager_is_told, folder_init, folder_release),
        cmocka_unit_test_setup_teardown(test_what_is_no_socket, folder_init, folder_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
