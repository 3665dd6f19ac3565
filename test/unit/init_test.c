// limpet-init driven over its socket by the client that the daemon uses: starts, exits, stops,
// families, setup steps, logs. Real processes.
#define _GNU_SOURCE
#include "init_fixture.h"

static void log_is(struct fixture *fixture, const char *name, const char *wanted)
{
    char path[128];
    struct lp_err err;
    struct lp_str text = {0};
    snprintf(path, sizeof(path), "%s/log/%s", fixture->folder, name);
    if (lp_file_read(path, 1 << 20, &text, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(lp_str_text(&text), wanted);
    lp_str_release(&text);
}

// Until that text is in the log: the script has come that far.
static void log_wait(struct fixture *fixture, const char *name, const char *wanted)
{
    char path[128];
    struct lp_str text = {0};
    int64_t end_ms = now_ms() + WAIT_MS;
    snprintf(path, sizeof(path), "%s/log/%s", fixture->folder, name);
    while (now_ms() < end_ms && !strstr(lp_str_text(&text), wanted)) {
        usleep(2000);
        lp_str_clear(&text);
        if (lp_file_read(path, 1 << 20, &text, NULL) < 0)
            continue; // not there yet
    }
    assert_non_null(strstr(lp_str_text(&text), wanted));
    lp_str_release(&text);
}

static void test_exit_code(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 3, 5, "echo out; echo err >&2; exit 42");
    const struct lp_init_news *news = expect(fixture, LP_INIT_STARTED);
    assert_int_equal(news->app, 3);
    assert_int_equal(news->run, 5);
    assert_true(news->pid > 0);
    news = expect(fixture, LP_INIT_EXITED);
    assert_int_equal(news->run, 5);
    assert_int_equal(news->status, 42);
    assert_true(news->at_ms > 0);
    log_is(fixture, "app.log", "out\nerr\n");
}

static void test_killed(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, 1, "kill -9 $$");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 256 + SIGKILL);
}

static void test_start_is_repeatable(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, 1, "echo once; exec sleep 60");
    int pid = expect(fixture, LP_INIT_STARTED)->pid;
    start(fixture, 0, 1, "echo twice; exec sleep 60");
    assert_int_equal(expect(fixture, LP_INIT_STARTED)->pid, pid);
    start(fixture, 0, 2, "echo early; exec sleep 60"); // the run before it has not ended
    const struct lp_init_news *news = expect(fixture, LP_INIT_FAILED);
    assert_int_equal(news->run, 2);
    assert_int_equal(news->code, LP_ECONFLICT);
    log_wait(fixture, "app.log", "once"); // started is told at the fork, before the echo
    struct lp_err err;
    assert_int_equal(lp_init_link_kill_app(fixture->link, 0, 1, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 256 + SIGKILL);
    start(fixture, 0, 1, "echo thrice"); // told once more, not run
    expect(fixture, LP_INIT_STARTED);
    expect(fixture, LP_INIT_EXITED);
    log_is(fixture, "app.log", "once\n");
}

static void test_stop(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    start(fixture, 0, 1, "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done");
    expect(fixture, LP_INIT_STARTED);
    log_wait(fixture, "app.log", "up");
    assert_int_equal(lp_init_link_stop_app(fixture->link, 0, 1, WAIT_MS, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 3);
    log_is(fixture, "app.log", "up\nbye\n");
    assert_int_equal(lp_init_link_stop_app(fixture->link, 0, 1, WAIT_MS, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 3); // told again
    assert_int_equal(lp_init_link_stop_app(fixture->link, 9, 4, 5000, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->run, 4); // never heard of: not there
}

static void test_stop_of_the_deaf(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    start(fixture, 0, 1, "trap '' TERM; echo up; while :; do sleep 0.05; done");
    expect(fixture, LP_INIT_STARTED);
    log_wait(fixture, "app.log", "up");
    int64_t begin_ms = now_ms();
    assert_int_equal(lp_init_link_stop_app(fixture->link, 0, 1, 150, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 256 + SIGKILL);
    assert_in_range(now_ms() - begin_ms, 140, WAIT_MS);
}

static void test_stop_of_the_frozen(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    start(fixture, 0, 1, "exec sleep 60");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(lp_init_link_signal_app(fixture->link, 0, 0, SIGSTOP, &err), 0);
    assert_int_equal(lp_init_link_stop_app(fixture->link, 0, 1, WAIT_MS, &err), 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 256 + SIGTERM);
}

// Children that left the session stay of the family: nothing of it may outlive EXITED.
static void test_family_dies(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    char path[96];
    struct lp_str text = {0};
    snprintf(path, sizeof(path), "%s/pids", fixture->folder);
    char script[512];
    snprintf(script, sizeof(script),
             "sleep 61 & echo $! >>%s; setsid sleep 62 & (setsid sh -c 'echo $$ >>%s; exec sleep "
             "63' &); until [ $(wc -l <%s) = 2 ]; do sleep 0.01; done; kill -9 $$",
             path, path, path);
    start(fixture, 0, 1, script);
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 256 + SIGKILL);
    assert_int_equal(lp_file_read(path, 4096, &text, &err), 0);
    int first = 0, second = 0;
    assert_int_equal(sscanf(lp_str_text(&text), "%d %d", &first, &second), 2);
    assert_true(is_gone(first));
    assert_true(is_gone(second));
    lp_str_release(&text);
}

// What bears the same mark and is not below this limpet-init is somebody else's.
static void test_family_of_others_lives(void **state)
{
    struct fixture *fixture = *state;
    int status = 0, pipe_fds[2];
    char byte;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        setenv("LIMPET_APP", "app", 1);
        execl("/bin/sleep", "sleep", "60", NULL);
        _exit(127);
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 0); // closed when it executes sleep
    close(pipe_fds[0]);
    start(fixture, 0, 1, "sleep 61 & exit 0");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 0);
    assert_int_equal(waitpid(other, &status, WNOHANG), 0);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, &status, 0), other);
}

static void test_cannot_start(void **state)
{
    static const struct {
        const char *command, *user, *cwd;
        int code;
        const char *text;
    } cases[] = {
        {"no-such-command", NULL, NULL, LP_ENOTFOUND, "command not found: no-such-command"},
        {"/etc/passwd", NULL, NULL, LP_EDENIED, "permission denied: /etc/passwd"},
        {"true", "nobody-here", NULL, LP_EINPUT,
         "no user \"nobody-here\" in the node's /etc/passwd"},
        {"true", "root:no-group", NULL, LP_EINPUT,
         "no group \"no-group\" in the node's /etc/group"},
        {"true", NULL, "/no/such", LP_ENOTFOUND, "no such working directory: /no/such"},
    };
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *argv[] = {cases[i].command};
        struct lp_init_start start = {.app = i,
                                      .run = 1,
                                      .name = "app",
                                      .argv = {argv, 1},
                                      .user = cases[i].user,
                                      .working_dir = cases[i].cwd};
        struct lp_err err;
        assert_int_equal(lp_init_link_start_app(fixture->link, &start, &err), 0);
        const struct lp_init_news *news = expect(fixture, LP_INIT_FAILED);
        assert_int_equal(news->app, i);
        assert_int_equal(news->code, cases[i].code);
        assert_string_equal(news->text, cases[i].text);
    }
}

static void test_user_and_environment(void **state)
{
    struct fixture *fixture = *state;
    struct lp_pair pairs[] = {{"GREETING", "hello world"}, {"EMPTY", ""}};
    struct lp_init_start order = {
        .run = 1, .user = "daemon", .working_dir = "/usr", .environment = {pairs, 2}};
    start_with(fixture, order,
               "id -un; pwd; echo \"$GREETING$EMPTY $LIMPET_APP $HOME\"; echo x >/dev/stdout;"
               "ls /proc/self/fd | tr '\\n' ' '; ps -o sid= -p $$ | grep -c $$");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 0);
    // Nothing but 0, 1, 2 (and 3: ls's own folder) is open in it; its session is its own.
    log_is(fixture, "app.log", "daemon\n/usr\nhello world app /usr/sbin\nx\n0 1 2 3 1\n");
}

static void test_setup_runs_once(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_start order = {.kind = LP_APP_SETUP, .name = "install", .timeout_ms = WAIT_MS};
    for (order.run = 1; order.run <= 4; order.run++) { // fails, succeeds, is done, is done
        start_with(fixture, order, order.run == 1 ? "echo try; exit 1" : "echo ok");
        const struct lp_init_news *news = expect(fixture, LP_INIT_STARTED);
        assert_int_equal(news->pid == 0, order.run > 2);
        assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, order.run == 1);
    }
    log_is(fixture, "install.log", "try\nok\n");
}

static void test_setup_creates(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_start order = {.kind = LP_APP_SETUP, .run = 1, .creates = "/etc/passwd"};
    start_with(fixture, order, "exit 1");
    assert_int_equal(expect(fixture, LP_INIT_STARTED)->pid, 0);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 0);
}

static void test_setup_time_limit(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_start order = {.kind = LP_APP_SETUP, .run = 1, .timeout_ms = 100};
    start_with(fixture, order, "sleep 60 & sleep 61");
    expect(fixture, LP_INIT_STARTED);
    const struct lp_init_news *news = expect(fixture, LP_INIT_EXITED);
    assert_int_equal(news->status, 256 + SIGKILL);
    assert_string_equal(news->text, "not done within 100 ms: killed");
    log_is(fixture, "app.log", "limpet: not done within 100 ms: killed\n");
}

static void test_reconnect(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    start(fixture, 0, 1, "exec sleep 60");
    expect(fixture, LP_INIT_STARTED);
    start(fixture, 1, 1, "exec sleep 60");
    pid_t pid = expect(fixture, LP_INIT_STARTED)->pid;
    lp_init_link_close(fixture->link);
    kill(pid, SIGKILL); // it exits while nobody listens
    assert_true(is_gone(pid));
    link_open(fixture);
    assert_int_equal(lp_init_link_list(fixture->link, &err), 0);
    const struct lp_init_news *news = expect(fixture, LP_INIT_STATE);
    assert_int_equal(news->phase, LP_INIT_RUNNING);
    news = expect(fixture, LP_INIT_STATE);
    assert_int_equal(news->app, 1);
    assert_int_equal(news->phase, LP_INIT_ENDED);
    assert_int_equal(news->status, 256 + SIGKILL);
    expect(fixture, LP_INIT_SYNCED);
}

static void link_close(void *context, const struct lp_init_news *news)
{
    struct fixture *fixture = context;
    (void)news;
    assert_non_null(fixture->link); // no further news after the close
    lp_init_link_close(fixture->link);
    fixture->link = NULL;
}

static void test_close_while_reading(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_link *link = fixture->link;
    struct pollfd wait = {.fd = lp_init_link_fd(link), .events = POLLIN};
    struct lp_err err;
    start(fixture, 0, 1, "exec sleep 60");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(lp_init_link_list(link, &err), 0);
    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    assert_int_equal(lp_init_link_read(link, link_close, fixture, &err), LP_EIO);
    assert_null(fixture->link);
}

static void test_newest_control_wins(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_link *older = fixture->link;
    struct lp_err err;
    link_open(fixture);
    struct pollfd wait = {.fd = lp_init_link_fd(older), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    assert_int_equal(lp_init_link_read(older, news_keep, fixture, &err), LP_EIO);
    lp_init_link_close(older);
    start(fixture, 0, 1, "exit 0");
    expect(fixture, LP_INIT_STARTED);
    expect(fixture, LP_INIT_EXITED);
}

static void test_malformed_ends_that_connection_only(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
    } bad[] = {
        {"\xff\xff\xff\x7f\x01\x00\x00\x00", 8},      // 2 GiB to come
        {"\x04\x00\x00\x00\x02\x00\x00\x00rubb", 12}, // EXEC without fields
        {"\x00\x00\x00\x00\x15\x00\x00\x00", 8},      // LIST without control
        {"\x00\x00\x00\x00\x02\x00\x00\x00", 8},      // EXEC of nothing
    };
    struct fixture *fixture = *state;
    struct lp_err err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = -1;
        char byte;
        assert_int_equal(lp_init_socket_open(fixture->socket, false, &fd, &err), 0);
        assert_int_equal(send(fd, bad[i].bytes, bad[i].count, MSG_NOSIGNAL), bad[i].count);
        assert_true(recv(fd, &byte, 1, 0) <= 0); // closed
        close(fd);
    }
    start(fixture, 0, 1, "exit 0");
    expect(fixture, LP_INIT_STARTED);
    expect(fixture, LP_INIT_EXITED);
}

static void test_stop_all_in_reverse(void **state)
{
    struct fixture *fixture = *state;
    struct lp_err err;
    char script[256], name[16], log[32];
    int status = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct lp_init_start order = {.app = i, .run = 1, .stop_signal = SIGINT, .name = name};
        snprintf(name, sizeof(name), "app%u", i);
        snprintf(log, sizeof(log), "%s.log", name);
        snprintf(script, sizeof(script),
                 "trap 'echo %u >>%s/order; exit 0' INT; echo; while :; do sleep 0.02; done", i,
                 fixture->folder);
        start_with(fixture, order, script);
        expect(fixture, LP_INIT_STARTED);
        log_wait(fixture, log, "\n"); // the trap is set
    }
    assert_int_equal(lp_init_link_stop_all(fixture->link, WAIT_MS, &err), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(expect(fixture, LP_INIT_EXITED)->app, 2 - i);
    assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
    assert_int_equal(status, 0);
    fixture->pid = 0;
    log_is(fixture, "../order", "2\n1\n0\n");
}

static void test_log_rotates(void **state)
{
    struct fixture *fixture = *state;
    struct lp_init_start order = {.run = 1, .log_bytes = 4000};
    char wanted[4101] = "";
    for (int i = 0; i < 410; i++)
        memcpy(wanted + 10 * i, "123456789\n", 10);
    start_with(fixture, order, "yes 123456789 | head -n 410"); // written in blocks of 4096
    expect(fixture, LP_INIT_STARTED);
    expect(fixture, LP_INIT_EXITED);
    order.run = 2;
    start_with(fixture, order, "echo last");
    expect(fixture, LP_INIT_STARTED);
    expect(fixture, LP_INIT_EXITED);
    log_is(fixture, "app.log.1", wanted); // no line is torn between the two
    log_is(fixture, "app.log", "last\n");
}

// What runs in the node may plant anything where the log belongs.
static void test_log_follows_no_link(void **state)
{
    struct fixture *fixture = *state;
    char path[128], target[128];
    snprintf(path, sizeof(path), "%s/log", fixture->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/log/app.log", fixture->folder);
    snprintf(target, sizeof(target), "%s/precious", fixture->folder);
    assert_int_equal(symlink(target, path), 0);
    start(fixture, 0, 1, "echo gone; exit 4");
    expect(fixture, LP_INIT_STARTED);
    assert_int_equal(expect(fixture, LP_INIT_EXITED)->status, 4);
    assert_int_equal(access(target, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_init(test_exit_code),
        with_init(test_killed),
        with_init(test_start_is_repeatable),
        with_init(test_stop),
        with_init(test_stop_of_the_deaf),
        with_init(test_stop_of_the_frozen),
        with_init(test_family_dies),
        with_init(test_family_of_others_lives),
        with_init(test_cannot_start),
        with_init(test_user_and_environment),
        with_init(test_setup_runs_once),
        with_init(test_setup_creates),
        with_init(test_setup_time_limit),
        with_init(test_reconnect),
        with_init(test_close_while_reading),
        with_init(test_newest_control_wins),
        with_init(test_malformed_ends_that_connection_only),
        with_init(test_stop_all_in_reverse),
        with_init(test_log_rotates),
        with_init(test_log_follows_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
