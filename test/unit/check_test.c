// Tests of the check driver's pure parts: URLs, answers, pings, and when to look and to tell.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/check/check_parts.h"
#include "drivers/check/check_watch.h"
#include "drivers/check/http_probe.h"
#include "drivers/check/ping.h"

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *host, *path;
        int port;
    } cases[] = {{"http://localhost", 0, "localhost", "", 80},
                 {"http://localhost:8080/a?b", 0, "localhost", "/a?b", 8080},
                 {"http://x?q", 0, "x", "?q", 80},
                 {"https://x/", LP_EUNSUPPORTED, NULL, NULL, 0},
                 {"http://[::1]/", LP_EUNSUPPORTED, NULL, NULL, 0},
                 {"http://:80/", LP_EINPUT, NULL, NULL, 0},
                 {"http://x:/", LP_EINPUT, NULL, NULL, 0},
                 {"http://x:0/", LP_EINPUT, NULL, NULL, 0},
                 {"http://x:65536/", LP_EINPUT, NULL, NULL, 0},
                 {"http://x/a b", LP_EINPUT, NULL, NULL, 0},
                 {"http://x/\r\nEvil: 1", LP_EINPUT, NULL, NULL, 0},
                 {"localhost/", LP_EINPUT, NULL, NULL, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_http_url url;
        struct lp_err err;
        assert_int_equal(lp_http_url_parse(cases[i].text, &url, &err), cases[i].code);
        if (cases[i].code)
            continue;
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.path, cases[i].path);
        assert_int_equal(url.port, cases[i].port);
    }
}

static void a_request_is_one_get(void **state)
{
    (void)state;
    struct lp_http_url url;
    LP_OWNS_STR struct lp_str text = {0};
    assert_int_equal(lp_http_url_parse("http://localhost:81?q#part", &url, NULL), 0);
    lp_http_request_print(&url, &text);
    assert_string_equal(lp_str_text(&text),
                        "GET /?q HTTP/1.1\r\nHost: localhost:81\r\nUser-Agent: limpet\r\n"
                        "Accept: */*\r\nConnection: close\r\n\r\n");
}

static void answers_are_read_in_any_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        bool is_bad, has_body;
    } cases[] = {{"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 200, false, true},
                 {"HTTP/1.0 503\n\n", 503, false, true},
                 {"HTTP/1.1 204 \r\n", 204, false, false},
                 {"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 302 Found\r\n\r\n", 302, false, true},
                 {"HTTP/1.1 200 ", 0, false, false},
                 {"HTTP/2 200 OK\r\n", 0, true, false},
                 {"HTTP/1.1 20 OK\r\n", 0, true, false},
                 {"HTTP/1.1 2000 OK\r\n", 0, true, false},
                 {"SSH-2.0-OpenSSH_9.2\r\n", 0, true, false},
                 {"HTTP/1.1 099 x\r\n", 0, true, false},
                 {"\r\n", 0, true, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = strlen(cases[i].text);
        for (size_t step = 1; step <= bytes; step++) {
            struct lp_http_answer answer = {0};
            for (size_t at = 0; at < bytes; at += step)
                lp_http_answer_feed(&answer, cases[i].text + at,
                                    bytes - at < step ? bytes - at : step);
            assert_int_equal(answer.status, cases[i].status);
            assert_int_equal(answer.is_bad, cases[i].is_bad);
            assert_int_equal(answer.has_body, cases[i].has_body);
        }
    }
}

static void endless_answers_are_bounded(void **state)
{
    (void)state;
    struct lp_http_answer line = {0}, header = {0}, interim = {0};
    for (int i = 0; i < LP_HTTP_HEADER_BYTES_MAX + 10; i++)
        lp_http_answer_feed(&line, "x", 1);
    assert_true(line.is_bad);
    lp_http_answer_feed(&header, "HTTP/1.1 200 OK\r\n", 17);
    for (int i = 0; i < LP_HTTP_HEADER_BYTES_MAX; i++)
        lp_http_answer_feed(&header, "x", 1);
    assert_int_equal(header.status, 200);
    assert_false(header.is_bad);
    for (int i = 0; i <= LP_HTTP_INTERIM_MAX; i++)
        lp_http_answer_feed(&interim, "HTTP/1.1 100 x\n\n", 16);
    assert_true(interim.is_bad);
}

static void a_ping_sums_to_nothing(void **state)
{
    (void)state;
    uint8_t bytes[LP_PING_BYTES];
    lp_ping_print(0x1234, 7, bytes);
    uint32_t sum = 0;
    for (int i = 0; i < LP_PING_BYTES; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
    assert_false(lp_ping_is_answer(bytes, sizeof(bytes), false, 0x1234, 7)); // the question
    bytes[0] = 0;
    assert_true(lp_ping_is_answer(bytes, sizeof(bytes), false, 0x1234, 7));
    assert_false(lp_ping_is_answer(bytes, sizeof(bytes), false, 0x1234, 8));
    uint8_t raw[20 + LP_PING_BYTES] = {0x45};
    memcpy(raw + 20, bytes, sizeof(bytes));
    assert_true(lp_ping_is_answer(raw, sizeof(raw), true, 0x1234, 7));
    assert_false(lp_ping_is_answer(raw, sizeof(raw), true, 0x1235, 7));
    assert_false(lp_ping_is_answer(raw, 22, true, 0x1234, 7));
}

static void readiness_is_looked_for_at_most_a_tenth_late(void **state)
{
    (void)state;
    struct lp_watch watch = {
        .born_ms = 1000, .interval_ms = 10000, .start_interval_ms = 2000, .start_period_ms = 60000};
    assert_int_equal(lp_check_next_ms(&watch, 1005), 1010);
    assert_int_equal(lp_check_next_ms(&watch, 2000), 2100);
    watch.kind = LP_CHECK_COMMAND; // a process each time: not as often
    assert_int_equal(lp_check_next_ms(&watch, 1005), 1025);
    assert_int_equal(lp_check_next_ms(&watch, 31000), 33000);   // at most start_interval
    assert_int_equal(lp_check_next_ms(&watch, 201000), 211000); // then interval
}

static void healthy_checks_keep_their_phase(void **state)
{
    (void)state;
    struct lp_watch watch = {.interval_ms = 1000, .has_succeeded = true};
    bool is_spread = false;
    int64_t first = 0;
    for (uint32_t node = 0; node < 20; node++) {
        watch.node = node;
        watch.begun_us = 5000 * 1000;
        int64_t next = lp_check_next_ms(&watch, 5001);
        assert_true(next > 5500 && next <= 6500);
        watch.begun_us = next * 1000;
        assert_int_equal(lp_check_next_ms(&watch, next + 1), next + 1000);
        watch.begun_us = (next + 3) * 1000; // begun late: no drift
        assert_int_equal(lp_check_next_ms(&watch, next + 900), next + 1000);
        is_spread |= node > 0 && next != first;
        first = node ? first : next;
    }
    assert_true(is_spread);
}

static void a_check_as_long_as_the_interval_is_followed_at_once(void **state)
{
    (void)state;
    struct lp_watch watch = {.node = 7, .interval_ms = 1000, .has_succeeded = true};
    watch.begun_us = 5000 * 1000;
    int64_t begun_ms = lp_check_next_ms(&watch, 5001);
    watch.begun_us = begun_ms * 1000 + 400;
    assert_int_equal(lp_check_next_ms(&watch, begun_ms + 1001), begun_ms + 1001);
    watch.begun_us = (begun_ms + 1001) * 1000; // and comes back to its phase
    assert_int_equal(lp_check_next_ms(&watch, begun_ms + 1004), begun_ms + 2000);
    assert_int_equal(lp_check_next_ms(&watch, begun_ms + 9999), begun_ms + 9999);
}

static void what_is_news_is_told(void **state)
{
    (void)state;
    struct lp_watch watch = {.born_ms = 0,
                             .interval_ms = 1000,
                             .start_interval_ms = 500,
                             .start_period_ms = 2000,
                             .tell_at_ms = 500};
    assert_false(lp_watch_tell(&watch, false, 20)); // looked early: not counted
    assert_true(lp_watch_tell(&watch, false, 600)); // at the pace of start_interval
    assert_false(lp_watch_tell(&watch, false, 900));
    assert_true(lp_watch_tell(&watch, false, 2500));
    assert_false(lp_watch_tell(&watch, false, 3400)); // now at that of interval
    assert_true(lp_watch_tell(&watch, true, 3450));
    assert_false(lp_watch_tell(&watch, true, 4450));
    assert_true(lp_watch_tell(&watch, false, 5450)); // from here on every failure
    assert_true(lp_watch_tell(&watch, false, 5460));
    assert_true(lp_watch_tell(&watch, true, 6450));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(a_request_is_one_get),
        cmocka_unit_test(answers_are_read_in_any_pieces),
        cmocka_unit_test(endless_answers_are_bounded),
        cmocka_unit_test(a_ping_sums_to_nothing),
        cmocka_unit_test(readiness_is_looked_for_at_most_a_tenth_late),
        cmocka_unit_test(healthy_checks_keep_their_phase),
        cmocka_unit_test(a_check_as_long_as_the_interval_is_followed_at_once),
        cmocka_unit_test(what_is_news_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
