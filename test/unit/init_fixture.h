// A real limpet-init (the checked build) with a control connection, for tests that drive it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drivers/crun/init_exec.h"
#include "drivers/crun/init_link.h"
#include "drivers/crun/init_socket.h"
#include "model/wire.h"
#include "base/file.h"
#include "base/str.h"

// Waiting costs nothing when what is waited for comes: the limit is for a machine that crawls.
enum { WAIT_MS = 60000, NEWS_MAX = 64 };

struct fixture {
    char folder[64], socket[96];
    pid_t pid;
    struct lp_init_link *link;
    struct lp_init_news news[NEWS_MAX];
    char texts[NEWS_MAX][128];
    size_t count, taken;
};

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void news_keep(void *context, const struct lp_init_news *news)
{
    struct fixture *fixture = context;
    assert_true(fixture->count < NEWS_MAX);
    char *text = fixture->texts[fixture->count];
    snprintf(text, sizeof(fixture->texts[0]), "%s", news->text[0] ? news->text : news->node);
    fixture->news[fixture->count] = *news;
    fixture->news[fixture->count++].text = text;
}

// The next news, in order; fails the test when none comes.
static inline const struct lp_init_news *next(struct fixture *fixture)
{
    int64_t end_ms = now_ms() + WAIT_MS;
    while (fixture->taken == fixture->count) {
        struct pollfd wait = {.fd = lp_init_link_fd(fixture->link), .events = POLLIN};
        struct lp_err err = {0};
        assert_true(now_ms() < end_ms);
        poll(&wait, 1, 100);
        if (lp_init_link_read(fixture->link, news_keep, fixture, &err) < 0)
            fail_msg("%s", err.text);
    }
    return &fixture->news[fixture->taken++];
}

static inline const struct lp_init_news *expect(struct fixture *fixture,
                                                enum lp_init_news_kind kind)
{
    const struct lp_init_news *news = next(fixture);
    if (news->kind != kind)
        fail_msg("news of kind %d, wanted %d: run %u status %d %s", news->kind, kind, news->run,
                 news->status, news->text);
    return news;
}

static inline void link_open(struct fixture *fixture)
{
    struct lp_err err;
    if (lp_init_link_open(fixture->socket, &fixture->link, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(expect(fixture, LP_INIT_HELLO)->text, "db-1");
}

static inline int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct lp_err err;
    int fd = -1;
    strcpy(fixture->folder, "/tmp/limpet-init-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/init.sock", fixture->folder);
    assert_int_equal(lp_init_socket_listen(fixture->socket, &fd, &err), 0);
    fixture->pid = fork();
    if (fixture->pid == 0) {
        char log[96], done[96];
        snprintf(log, sizeof(log), "%s/log", fixture->folder);
        snprintf(done, sizeof(done), "%s/done", fixture->folder);
        dup2(fd, 3);
        fcntl(3, F_SETFD, 0);
        execl(LIMPET_INIT, "limpet-init", "--node", "db-1", "--incarnation", "7", "--log", log,
              "--done", done, NULL);
        _exit(127);
    }
    close(fd);
    link_open(fixture);
    *state = fixture;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    int status = -1;
    if (fixture->pid > 0) {
        if (fixture->link)
            assert_int_equal(lp_init_link_stop_all(fixture->link, 0, &err), 0);
        else
            kill(fixture->pid, SIGTERM);
        waitpid(fixture->pid, &status, 0);
        assert_int_equal(status, 0);
    }
    lp_init_link_close(fixture->link);
    assert_int_equal(lp_dir_remove(fixture->folder, &err), 0);
    free(fixture);
    return 0;
}

static inline void start_with(struct fixture *fixture, struct lp_init_start start,
                              const char *script)
{
    const char *argv[] = {"/bin/sh", "-c", script};
    struct lp_err err;
    start.argv = (struct lp_texts){argv, 3};
    if (!start.name)
        start.name = "app";
    if (lp_init_link_start_app(fixture->link, &start, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void start(struct fixture *fixture, uint32_t app, uint32_t run, const char *script)
{
    start_with(fixture, (struct lp_init_start){.app = app, .run = run}, script);
}

// It was killed; it is reaped when the machine comes to it.
static inline bool is_gone(pid_t pid)
{
    int64_t end_ms = now_ms() + WAIT_MS;
    while (kill(pid, 0) == 0 && now_ms() < end_ms)
        usleep(2000);
    return kill(pid, 0) < 0 && errno == ESRCH;
}

#define with_init(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
