// Commands run inside a node by limpet-init for exec connections. Real processes.
#define _GNU_SOURCE
#include "init_fixture.h"

struct exec_result {
    struct lp_str out, err;
    enum lp_exec_news_kind end;
    int status, code;
    bool has_ended;
    char text[256];
};

static void exec_news(void *context, const struct lp_exec_news *news)
{
    struct exec_result *result = context;
    if (news->kind == LP_EXEC_STDOUT || news->kind == LP_EXEC_STDERR) {
        lp_str_add_n(news->kind == LP_EXEC_STDOUT ? &result->out : &result->err, news->bytes,
                     news->count);
        return;
    }
    assert_false(result->has_ended);
    result->has_ended = true;
    result->end = news->kind;
    result->status = news->status;
    result->code = news->code;
    snprintf(result->text, sizeof(result->text), "%s", news->text);
}

static struct lp_init_exec *exec_open(struct fixture *fixture, struct lp_exec_request request,
                                      const char *script)
{
    const char *argv[] = {"sh", "-c", script};
    struct lp_init_exec *exec = NULL;
    struct lp_err err;
    request.argv = (struct lp_texts){argv, 3};
    if (lp_init_exec_open(fixture->socket, &request, &exec, &err) < 0)
        fail_msg("%s", err.text);
    return exec;
}

static void exec_wait(struct lp_init_exec *exec, struct exec_result *result)
{
    int64_t end_ms = now_ms() + WAIT_MS;
    while (!result->has_ended) {
        struct pollfd wait = {.fd = lp_init_exec_fd(exec), .events = POLLIN};
        struct lp_err err = {0};
        if (lp_init_exec_has_unsent(exec))
            wait.events |= POLLOUT;
        assert_true(now_ms() < end_ms);
        poll(&wait, 1, 100);
        assert_int_equal(lp_init_exec_flush(exec, &err), 0);
        int code = lp_init_exec_read(exec, exec_news, result, &err);
        if (code < 0 && !result->has_ended)
            fail_msg("%s", err.text);
    }
    lp_init_exec_close(exec);
}

// Until that text has come out of the command.
static void output_wait(struct lp_init_exec *exec, struct exec_result *result, const char *wanted)
{
    int64_t end_ms = now_ms() + WAIT_MS;
    struct lp_err err;
    while (!strstr(lp_str_text(&result->out), wanted)) {
        struct pollfd wait = {.fd = lp_init_exec_fd(exec), .events = POLLIN};
        assert_true(now_ms() < end_ms);
        poll(&wait, 1, 100);
        assert_int_equal(lp_init_exec_read(exec, exec_news, result, &err), 0);
    }
}

static void result_release(struct exec_result *result)
{
    lp_str_release(&result->out);
    lp_str_release(&result->err);
}

static void test_exec(void **state)
{
    struct fixture *fixture = *state;
    struct exec_result result = {0};
    struct lp_err err;
    struct lp_pair pair = {"WHO", "me"};
    struct lp_exec_request request = {
        .environment = {&pair, 1}, .user = "daemon", .working_dir = "/usr"};
    struct lp_init_exec *exec =
        exec_open(fixture, request, "cat; pwd; id -un; echo $WHO >&2; exit 17");
    assert_int_equal(lp_init_exec_input(exec, "from outside\n", 13, &err), 0);
    assert_int_equal(lp_init_exec_input_end(exec, &err), 0);
    exec_wait(exec, &result);
    assert_int_equal(result.end, LP_EXEC_EXIT);
    assert_int_equal(result.status, 17);
    assert_string_equal(lp_str_text(&result.out), "from outside\n/usr\ndaemon\n");
    assert_string_equal(lp_str_text(&result.err), "me\n");
    result_release(&result);
}

static void test_exec_of_much(void **state)
{
    struct fixture *fixture = *state;
    struct exec_result result = {0};
    struct lp_err err;
    static char block[16 * 1024];
    memset(block, 'x', sizeof(block));
    struct lp_init_exec *exec = exec_open(fixture, (struct lp_exec_request){0},
                                          "head -c 3000000 /dev/zero; cat | wc -c >&2");
    for (int i = 0; i < 60; i++) // more than every buffer on the way holds
        assert_int_equal(lp_init_exec_input(exec, block, sizeof(block), &err), 0);
    assert_int_equal(lp_init_exec_input_end(exec, &err), 0);
    exec_wait(exec, &result);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.out.bytes, 3000000);
    assert_int_equal(atoi(lp_str_text(&result.err)), 60 * (int)sizeof(block));
    result_release(&result);
}

static void test_exec_terminal(void **state)
{
    struct fixture *fixture = *state;
    struct exec_result result = {0};
    struct lp_err err;
    struct lp_exec_request request = {.has_tty = true, .rows = 33, .columns = 99};
    struct lp_init_exec *exec = exec_open(fixture, request, "stty size; tty; read x; stty size");
    output_wait(exec, &result, "/dev/pts/");
    assert_int_equal(lp_init_exec_resize(exec, 44, 88, &err), 0);
    assert_int_equal(lp_init_exec_input(exec, "\n", 1, &err), 0);
    exec_wait(exec, &result);
    assert_int_equal(result.status, 0);
    assert_non_null(strstr(lp_str_text(&result.out), "33 99\r\n/dev/pts/"));
    assert_non_null(strstr(lp_str_text(&result.out), "44 88\r\n"));
    result_release(&result);
}

static void test_exec_fails(void **state)
{
    struct fixture *fixture = *state;
    struct exec_result result = {0};
    struct lp_err err;
    const char *argv[] = {"no-such-command"};
    struct lp_exec_request request = {.argv = {argv, 1}};
    struct lp_init_exec *exec = NULL;
    assert_int_equal(lp_init_exec_open(fixture->socket, &request, &exec, &err), 0);
    exec_wait(exec, &result);
    assert_int_equal(result.end, LP_EXEC_FAILED);
    assert_int_equal(result.code, LP_ENOTFOUND);
    assert_string_equal(result.text, "command not found: no-such-command");
    result_release(&result);

    result = (struct exec_result){0};
    exec_wait(exec_open(fixture, (struct lp_exec_request){.timeout_ms = 80}, "sleep 60 & sleep 61"),
              &result);
    assert_int_equal(result.end, LP_EXEC_FAILED);
    assert_int_equal(result.code, LP_ETIMEOUT);
    result_release(&result);
}

static void test_exec_dies_with_its_client(void **state)
{
    struct fixture *fixture = *state;
    struct exec_result result = {0};
    struct lp_init_exec *exec =
        exec_open(fixture, (struct lp_exec_request){0}, "echo $$; exec sleep 60");
    output_wait(exec, &result, "\n");
    pid_t pid = atoi(lp_str_text(&result.out));
    assert_true(pid > 0);
    assert_int_equal(kill(pid, 0), 0);
    lp_init_exec_close(exec);
    assert_true(is_gone(pid));
    result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_init(test_exec),
        with_init(test_exec_of_much),
        with_init(test_exec_terminal),
        with_init(test_exec_fails),
        with_init(test_exec_dies_with_its_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
