// Tests of the load: its plan, when its requests are due, replies in pieces, and the generator
// against a small server.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/load/load.h"
#include "drivers/load/load_reply.h"
#include "model/parse_mistake.h"

static struct lp_mistakes mistakes;

static int plan_read(const char *text, struct lp_arena *arena, struct lp_load *load)
{
    struct lp_err err;
    struct lp_str str = {.text = lp_arena_text(arena, text), .bytes = strlen(text)};
    return lp_load_read("plan", &str, arena, &mistakes, load, &err);
}

static void a_plan_is_read_and_printed(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str first = {0};
    LP_OWNS_STR struct lp_str again = {0};
    struct lp_load load, copy;
    assert_int_equal(plan_read("load:\n"
                               "  requests:\n"
                               "  - {url: 'http://localhost:80/a', share: 3}\n"
                               "  - service: web\n"
                               "    path: /items/{{id}}\n"
                               "    body: \"{{id}} \\\"x\\\"\"\n"
                               "    headers: {X-Id: '{{id}}'}\n"
                               "    expect: {status: [201, 3xx, 400-404], regex: '^o|k$'}\n"
                               "    read: {path: '/items/{{id}}', expect: {contains: x}}\n"
                               "  peak: 12.5\n"
                               "  up: 1s\n"
                               "  hold: 500ms\n"
                               "  down: 2s\n"
                               "  keep_alive: false\n",
                               &arena, &load),
                     0);
    assert_int_equal(load.profile, LP_LOAD_PYRAMID);
    assert_int_equal(load.stages[1].from_permille, 12500);
    assert_int_equal(load.request_count, 2);
    assert_string_equal(load.requests[0].method, "GET");
    assert_string_equal(load.requests[1].method, "POST");
    assert_int_equal(load.requests[1].expect.statuses[1].most, 399);
    assert_string_equal(load.requests[1].read.service, "web");
    assert_false(load.is_keep_alive);
    lp_load_print(&load, &first);
    assert_int_equal(plan_read(lp_str_text(&first), &arena, &copy), 0);
    lp_load_print(&copy, &again);
    assert_string_equal(lp_str_text(&first), lp_str_text(&again));
    lp_load_resolve(&load.requests[1].target, "127.0.0.1", 8080, &arena);
    assert_string_equal(load.requests[1].target.url, "http://127.0.0.1:8080/items/{{id}}");
}

static void what_is_read_back_stands_where_the_write_went(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_load load;
    assert_int_equal(plan_read("{url: 'http://x:81?{{id}}', rate: 1, for: 1s,"
                               " read: {path: '/items/{{id}}'}}",
                               &arena, &load),
                     0);
    assert_string_equal(load.requests[0].read.url, "http://x:81/items/{{id}}");
    assert_null(load.requests[0].read.path);
    assert_int_equal(plan_read("{service: web, port: 81, path: '/{{id}}', rate: 1, for: 1s,"
                               " read: {path: '/items/{{id}}'}}",
                               &arena, &load),
                     0);
    assert_string_equal(load.requests[0].read.service, "web");
    assert_int_equal(load.requests[0].read.port, 81);
}

static void mistakes_of_a_plan_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"{rate: 1, for: 1s}", "where to?"},
        {"{url: 'https://x/', rate: 1, for: 1s}", "speaks http, not https"},
        {"{url: 'http:///x', rate: 1, for: 1s}", "is written http://"},
        {"{url: 'http://x/', service: web, rate: 1, for: 1s}", "says it all"},
        {"{url: 'http://x/', rate: 1}", "'for' is missing"},
        {"{url: 'http://x/', rate: 1, for: 1s, peak: 3}", "has no 'rate'"},
        {"{url: 'http://x/', rate: fast, for: 1s}", "not a rate"},
        {"{url: 'http://x/', rate: 0, for: 1s}", "no request at all"},
        {"{url: 'http://x/', rate: 1000000, for: 1h}", "at most 20000000"},
        {"{url: 'http://x/', steps: [], timeout: 0}", "0 steps"},
        {"{url: 'http://x/', steps: [{rate: 3}]}", "a step has"},
        {"{url: 'http://x/', rate: 1, for: 1s, timeout: 0}", "no time"},
        {"{url: 'http://x/', rate: 1, for: 1s, expect: {status: 2000}}", "not a status"},
        {"{url: 'http://x/', rate: 1, for: 1s, expect: {regex: '('}}", "'('"},
        {"{url: 'http://x/', rate: 1, for: 1s, expect: {regex: 'a{9}'}}", "no {bounds}"},
        {"{url: 'http://x/', rate: 1, for: 1s, headers: {Content-Length: 3}}", "writes content"},
        {"{url: 'http://x/', rate: 1, for: 1s, headers: {X: \"a\\nb: c\"}}", "control character"},
        {"{url: 'http://x/', rate: 1, for: 1s, read: {url: 'http://x/{{id}}'}}", "must carry"},
        {"{url: 'http://x/{{id}}', rate: 1, for: 1s, read: {url: 'http://x/'}}", "must name"},
        {"{url: 'http://x/', rate: 1, for: 1s, requests: [{url: 'http://x/'}]}", "belongs to each"},
        {"{requests: [{url: 'http://x/', share: 999}, {url: 'http://x/', share: 2}], rate: 1,"
         " for: 1s}",
         "add up"},
        {"{url: 'http://x/', rate: 1, for: 1s, tiemout: 3s}", "did you mean 'timeout'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        struct lp_load load;
        assert_int_equal(plan_read(cases[i].text, &arena, &load), LP_EINPUT);
        bool is_told = false;
        for (size_t m = 0; m < mistakes.count; m++)
            is_told = is_told || strstr(mistakes.items[m].text, cases[i].told);
        if (!is_told)
            print_error("%s: %s\n", cases[i].text, mistakes.items[0].text);
        assert_true(is_told);
    }
}

static void requests_are_due_at_fixed_times(void **state)
{
    (void)state;
    static const struct {
        struct lp_load_stage stages[3];
        size_t count;
        uint64_t total;
        int64_t first[4]; // times of requests 0 to 3
    } cases[] = {
        {{{200000, 200000, 30000}}, 1, 6000, {0, 5000, 10000, 15000}},
        {{{3000, 3000, 1000}}, 1, 3, {0, 333334, 666667, -1}},
        {{{500, 500, 4000}}, 1, 2, {0, 2000000, -1, -1}},
        // From 0 to 2 a second in 1 s: t^2 requests up to t; then 2 a second; then down again.
        {{{0, 2000, 1000}, {2000, 2000, 1000}, {2000, 0, 1000}},
         3,
         4,
         {0, 1000000, 1500000, 2000000}},
        // Half a request is carried over a pause into the next step.
        {{{500, 500, 1000}, {0, 0, 5000}, {1000, 1000, 2000}}, 3, 3, {0, 6500000, 7500000, -1}},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        struct lp_load_stage stages[3];
        memcpy(stages, cases[c].stages, sizeof(stages));
        const struct lp_load load = {.stages = stages, .stage_count = cases[c].count};
        struct lp_load_arrivals arrivals = {.load = &load};
        int64_t at_us = -1, before_us = 0;
        uint64_t count = 0;
        assert_int_equal(lp_load_total(&load), cases[c].total);
        for (; lp_load_next(&arrivals, &at_us); count++, before_us = at_us) {
            if (count < 4)
                assert_int_equal(at_us, cases[c].first[count]);
            assert_true(at_us >= before_us && at_us < lp_load_span_us(&load));
        }
        assert_int_equal(count, cases[c].total);
    }
    struct lp_load_stage stages[] = {{0, 2000, 1000}, {2000, 0, 500}};
    const struct lp_load load = {.stages = stages, .stage_count = 2};
    assert_int_equal(lp_load_rate_permille(&load, 250000), 500);
    assert_int_equal(lp_load_rate_permille(&load, 1000000), 2000);
    assert_int_equal(lp_load_rate_permille(&load, 1250000), 1000);
    assert_int_equal(lp_load_rate_permille(&load, 1500000), 0);
}

static void requests_take_turns_by_their_shares(void **state)
{
    (void)state;
    struct lp_load_request requests[3] = {{.share = 1}, {.share = 4}, {.share = 2}};
    const struct lp_load load = {.requests = requests, .request_count = 3};
    uint8_t order[LP_LOAD_SHARES_MAX];
    static const uint8_t wanted[] = {1, 2, 1, 0, 1, 2, 1};
    assert_int_equal(lp_load_round(&load, order), 7);
    assert_memory_equal(order, wanted, 7);
}

static void replies_are_read_in_any_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *text, *body;
        int status;
        bool is_done, is_bad, must_close;
        size_t rest; // bytes behind the reply
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "hello", 200, true, false, false,
         4},
        {"HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", "", 204, true, false, false, 0},
        {"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 201 Yes\r\ncontent-length:0\r\n\r\n", "", 201, true,
         false, false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n1\r\n!\r\n0\r\n"
         "A: b\r\n\r\n",
         "wiki!", 200, true, false, false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwikix", "wiki", 200, false,
         false, false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwikix\r\n", "wiki", 200, false,
         true, false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", 200, false, true, false,
         0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "", 0, false, true, false, 2},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "", 0, false, true,
         false, 2},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "", 0, false, true, false, 2},
        {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na", "a", 200, true,
         false, true, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "a", 200, true, false, true, 0},
        {"HTTP/1.1 200 OK\r\n\r\nall of it", "all of it", 200, false, false, true, 0},
        {"SSH-2.0-OpenSSH\r\n", "", 0, false, true, false, 0},
        {"HTTP/1.1 99 Low\r\n", "", 0, false, true, false, 0},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        size_t bytes = strlen(cases[c].text);
        for (size_t piece = 1; piece <= bytes; piece++) {
            char kept[32];
            struct lp_reply reply = {0};
            struct lp_reply_body body = {.bytes = kept, .capacity = sizeof(kept)};
            size_t at = 0, taken = 0, given = 0;
            for (; at < bytes && taken == given; at += taken) {
                given = bytes - at < piece ? bytes - at : piece;
                taken = lp_reply_feed(&reply, cases[c].text + at, given, &body);
            }
            assert_int_equal(reply.status, cases[c].status);
            assert_int_equal(reply.is_done, cases[c].is_done);
            assert_int_equal(reply.is_bad, cases[c].is_bad);
            assert_int_equal(reply.must_close, cases[c].must_close);
            if (reply.is_done || reply.is_bad)
                assert_int_equal(bytes - at, cases[c].rest);
            assert_int_equal(body.count, strlen(cases[c].body));
            assert_memory_equal(kept, cases[c].body, body.count);
        }
    }
    struct lp_reply reply = {0};
    struct lp_reply_body body = {0};
    lp_reply_feed(&reply, "HTTP/1.1 200 OK\r\n\r\nx", 20, &body);
    lp_reply_end(&reply);
    assert_true(reply.is_done);
}

// A server of one process: /ok, /missing, /silent (no answer ever), /cut (half an answer), /old
// (closes afterwards), POST /store and /forget (both say yes), GET /items/ID (what was stored).
enum { CLIENTS = 64, STORED = 64, ID_BYTES = 17 };
static char stored[STORED][ID_BYTES];
static size_t stored_count;

static bool is_stored(const char *id)
{
    for (size_t i = 0; i < stored_count; i++)
        if (memcmp(stored[i], id, ID_BYTES) == 0)
            return true;
    return false;
}

static const char *answer_of(char *request)
{
    char *id = strstr(request, "\r\n\r\n") + 4;
    if (strncmp(request, "GET /ok", 7) == 0)
        return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    if (strncmp(request, "GET /silent", 11) == 0)
        return "";
    if (strncmp(request, "GET /cut", 8) == 0)
        return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    if (strncmp(request, "GET /old", 8) == 0)
        return "HTTP/1.0 200 OK\r\n\r\nhello";
    if (strncmp(request, "POST /store", 11) == 0)
        memcpy(stored[stored_count++ % STORED], id, ID_BYTES);
    if (strncmp(request, "POST ", 5) == 0)
        return "HTTP/1.1 201 Yes\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n";
    if (strncmp(request, "GET /items/", 11) == 0 && is_stored(request + 11))
        return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nit";
    return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
}

static void client_serve(struct pollfd *client)
{
    char request[4096];
    ssize_t bytes = recv(client->fd, request, sizeof(request) - 1, 0);
    bool is_over = bytes <= 0;
    if (!is_over) {
        request[bytes] = '\0'; // a request on loopback comes in one piece
        const char *answer = answer_of(request);
        is_over = send(client->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0 ||
                  strncmp(request, "GET /cut", 8) == 0 || strncmp(request, "GET /old", 8) == 0;
    }
    if (is_over) {
        close(client->fd);
        client->fd = -1;
    }
}

_Noreturn static void server_run(int listener)
{
    struct pollfd fds[CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
    for (size_t i = 1; i <= CLIENTS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    for (;;) {
        if (poll(fds, CLIENTS + 1, 20000) <= 0)
            _exit(1); // whoever started it is gone
        for (size_t i = 1; i <= CLIENTS; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                client_serve(&fds[i]);
        for (size_t i = 1; fds[0].revents && i <= CLIENTS; i++) {
            if (fds[i].fd >= 0)
                continue;
            fds[i].fd = accept(listener, NULL, NULL);
            break;
        }
    }
}

static pid_t server_pid;
static int server_port;

static int server_start(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    LP_OWNS_FD int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 64) < 0 || getsockname(listener, (struct sockaddr *)&address, &bytes) < 0)
        return -1;
    server_port = ntohs(address.sin_port);
    server_pid = fork();
    if (server_pid == 0)
        server_run(listener);
    return server_pid < 0 ? -1 : 0;
}

static int server_stop(void **state)
{
    (void)state;
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    return 0;
}

struct outcome { // of a whole run
    uint64_t endings[LP_END_COUNT];
    size_t count;
};

static void plan_fill(const char *plan, char *out, size_t room)
{
    size_t bytes = 0;
    while (*plan && bytes < room - 8) {
        bool is_port = lp_text_starts(plan, "PORT");
        bytes += (size_t)(is_port ? snprintf(out + bytes, 8, "%d", server_port)
                                  : snprintf(out + bytes, 8, "%c", *plan));
        plan += is_port ? 4 : 1;
    }
}

// Run a plan to its end; PORT in it is the server's.
static struct outcome run(const char *plan, const char *out_path)
{
    char text[1000];
    struct lp_err err = {0};
    struct lp_load load;
    struct lp_load_run *generator;
    struct outcome outcome = {0};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    plan_fill(plan, text, sizeof(text));
    assert_int_equal(plan_read(text, &arena, &load), 0);
    assert_int_equal(lp_load_open(&load, out_path, &generator, &err), 0);
    int code;
    while ((code = lp_load_turn(generator, 1000, &err)) > 0) {
    }
    assert_int_equal(code, 0);
    const struct lp_sample *samples = lp_load_samples(generator, &outcome.count);
    for (size_t i = 0; i < outcome.count; i++) {
        outcome.endings[samples[i].ending]++;
        assert_true(samples[i].sent_us < 0 || samples[i].sent_us >= samples[i].scheduled_us);
        assert_true(samples[i].answered_us < 0 || samples[i].answered_us >= samples[i].sent_us);
    }
    assert_int_equal(lp_load_close(generator, &err), 0);
    return outcome;
}

static void every_request_ends_once(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        enum lp_ending ending;
        uint64_t count, good;
    } cases[] = {
        {"{url: 'http://127.0.0.1:PORT/ok', rate: 1000, for: 50ms}", LP_END_GOOD, 50, 50},
        {"{url: 'http://localhost:PORT/old', rate: 1000, for: 20ms}", LP_END_GOOD, 20, 20},
        {"{url: 'http://127.0.0.1:PORT/ok', rate: 1000, for: 20ms, keep_alive: false,"
         " expect: {regex: '^hel+o$'}}",
         LP_END_GOOD, 20, 20},
        {"{url: 'http://127.0.0.1:PORT/missing', rate: 1000, for: 10ms}", LP_END_STATUS, 10, 0},
        {"{url: 'http://127.0.0.1:PORT/ok', rate: 1000, for: 10ms, expect: {contains: bye}}",
         LP_END_BODY, 10, 0},
        {"{url: 'http://127.0.0.1:PORT/cut', rate: 1000, for: 10ms}", LP_END_CLOSED, 10, 0},
        {"{url: 'http://127.0.0.1:1/', rate: 1000, for: 10ms}", LP_END_CONNECT, 10, 0},
        {"{url: 'http://127.0.0.1:PORT/silent', rate: 1000, for: 10ms, timeout: 50ms}",
         LP_END_TIMEOUT, 10, 0},
        // One is under way and never answered: the others cannot be sent, and that is noted.
        {"{url: 'http://127.0.0.1:PORT/silent', rate: 1000, for: 10ms, timeout: 500ms,"
         " outstanding: 1}",
         LP_END_NOT_SENT, 9, 0},
        {"{requests: [{url: 'http://127.0.0.1:PORT/ok'}, {url: 'http://127.0.0.1:PORT/missing'}],"
         " rate: 1000, for: 10ms}",
         LP_END_STATUS, 5, 5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct outcome outcome = run(cases[i].plan, NULL);
        uint64_t all = 0;
        for (size_t e = 0; e < LP_END_COUNT; e++)
            all += outcome.endings[e];
        if (outcome.endings[cases[i].ending] != cases[i].count)
            print_error("%s\n", cases[i].plan);
        assert_int_equal(outcome.endings[cases[i].ending], cases[i].count);
        assert_int_equal(outcome.endings[LP_END_GOOD], cases[i].good);
        assert_int_equal(all, outcome.count);
    }
}

static void acknowledged_writes_are_read_back(void **state)
{
    (void)state;
    struct outcome outcome = run("{requests: ["
                                 "{url: 'http://127.0.0.1:PORT/store', body: '{{id}}', read:"
                                 " {url: 'http://127.0.0.1:PORT/items/{{id}}', within: 0}}],"
                                 " rate: 1000, for: 20ms}",
                                 NULL);
    assert_int_equal(outcome.endings[LP_END_GOOD], 20);
    assert_int_equal(outcome.endings[LP_END_KEPT], 20);
    outcome = run("{url: 'http://127.0.0.1:PORT/forget', body: '{{id}}', rate: 1000, for: 20ms,"
                  " read: {url: 'http://127.0.0.1:PORT/items/{{id}}', within: 0}}",
                  NULL);
    assert_int_equal(outcome.endings[LP_END_LOST], 20);
    outcome = run("{url: 'http://127.0.0.1:PORT/store', body: '{{id}}', rate: 1000, for: 5ms,"
                  " read: {url: 'http://127.0.0.1:1/{{id}}', within: 1ms}}",
                  NULL);
    assert_int_equal(outcome.endings[LP_END_UNREAD], 5);
    assert_int_equal(outcome.endings[LP_END_LOST], 0); // nobody has said so
}

static void a_stopped_load_ends_whole(void **state)
{
    (void)state;
    char text[200];
    struct lp_err err = {0};
    struct lp_load load;
    struct lp_load_run *generator;
    struct lp_load_counts counts;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    plan_fill("{url: 'http://127.0.0.1:PORT/silent', rate: 100, for: 1h}", text, sizeof(text));
    assert_int_equal(plan_read(text, &arena, &load), 0);
    assert_int_equal(lp_load_open(&load, NULL, &generator, &err), 0);
    do {
        assert_int_equal(lp_load_turn(generator, 10, &err), 1);
        lp_load_count(generator, &counts);
    } while (counts.outstanding < 2);
    lp_load_stop(generator);
    lp_load_stop(generator);
    assert_int_equal(lp_load_turn(generator, 1000, &err), 0);
    size_t count;
    const struct lp_sample *samples = lp_load_samples(generator, &count);
    lp_load_count(generator, &counts);
    assert_int_equal(count, counts.due);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(samples[i].ending, LP_END_ABORTED);
    assert_int_equal(lp_load_close(generator, &err), 0);
}

static void a_file_is_read_back(void **state)
{
    (void)state;
    char path[] = "/tmp/load_test-XXXXXX";
    struct lp_err err = {0};
    struct lp_load_data data;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_FD int older = mkstemp(path);
    assert_true(older >= 0);
    run("{url: 'http://127.0.0.1:PORT/ok', rate: 1000, for: 20ms, delayed_after: 7ms}", path);
    assert_int_equal(lseek(older, 0, SEEK_END), 0); // the older file was replaced, not emptied
    LP_OWNS_FD int fd = open(path, O_RDWR);
    assert_int_equal(lp_load_file_read(path, &arena, &data, &err), 0);
    assert_int_equal(data.count, 20);
    assert_true(data.is_whole);
    assert_int_equal(data.load.delayed_after_ms, 7);
    assert_true(data.header.start_wall_us > 0 && data.header.start_monotonic_us > 0);
    lp_load_data_release(&data);
    // Cut off in the middle of a row: what is whole counts.
    off_t bytes = lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, bytes - LP_SAMPLE_BYTES - 5), 0);
    assert_int_equal(lp_load_file_read(path, &arena, &data, &err), 0);
    assert_int_equal(data.count, 19);
    assert_false(data.is_whole);
    lp_load_data_release(&data);
    assert_int_equal(pwrite(fd, "\xff", 1, bytes - 3 * LP_SAMPLE_BYTES + 7), 1); // a negative time
    assert_int_equal(lp_load_file_read(path, &arena, &data, &err), LP_ECORRUPT);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(lp_load_file_read(path, &arena, &data, &err), LP_ECORRUPT);
    unlink(path);
    assert_int_equal(lp_load_file_read(path, &arena, &data, &err), LP_ENOTFOUND);
}

static void samples_keep_their_form(void **state)
{
    (void)state;
    const struct lp_sample sample = {.scheduled_us = 0x0102030405060708,
                                     .sent_us = -1,
                                     .answered_us = 0x1112131415161718,
                                     .status = 0x2122,
                                     .ending = LP_END_LOST,
                                     .flags = 0x83,
                                     .write = 0x31323334};
    static const uint8_t wanted[LP_SAMPLE_BYTES] = {
        8,    7,    6,    5,    4,           3,    2,    1,    255,  255,  255,
        255,  255,  255,  255,  255,         0x18, 0x17, 0x16, 0x15, 0x14, 0x13,
        0x12, 0x11, 0x22, 0x21, LP_END_LOST, 0x83, 0x34, 0x33, 0x32, 0x31};
    uint8_t bytes[LP_SAMPLE_BYTES];
    struct lp_sample again;
    lp_sample_encode(&sample, bytes);
    assert_memory_equal(bytes, wanted, sizeof(wanted));
    lp_sample_decode(bytes, &again);
    assert_memory_equal(&again, &sample, sizeof(sample));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_read_and_printed),
        cmocka_unit_test(what_is_read_back_stands_where_the_write_went),
        cmocka_unit_test(mistakes_of_a_plan_are_told),
        cmocka_unit_test(requests_are_due_at_fixed_times),
        cmocka_unit_test(requests_take_turns_by_their_shares),
        cmocka_unit_test(replies_are_read_in_any_pieces),
        cmocka_unit_test(every_request_ends_once),
        cmocka_unit_test(acknowledged_writes_are_read_back),
        cmocka_unit_test(a_stopped_load_ends_whole),
        cmocka_unit_test(a_file_is_read_back),
        cmocka_unit_test(samples_keep_their_form),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
