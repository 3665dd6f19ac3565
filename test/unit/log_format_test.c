// Logs as programs of many kinds write them: their format is found out, who wrote a line and what
// it says is told apart from when and where. Each line was written for this test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logs/logs.h"

struct sample {
    const char *line, *format, *tag, *text;
};

static void sample_read(const struct sample *sample)
{
    struct lp_log_states_config config = {0};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = lp_log_states_open(&config);
    lp_log_states_feed(states, sample->line, strlen(sample->line), &lines);
    lp_log_states_end(states, &lines);
    assert_int_equal(lines.count, 1);
    struct lp_log_template found = lp_log_states_get(states, lines.states[0]);
    const char *format = lp_log_format_word(lp_log_states_format(states));
    if (strcmp(format, sample->format) != 0 || strcmp(found.tag, sample->tag) != 0 ||
        strcmp(found.text, sample->text) != 0)
        fail_msg("%s\nis %s, (%s), %s", sample->line, format, found.tag, found.text);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

static void samples_read(const struct sample *samples)
{
    for (; samples->line; samples++)
        sample_read(samples);
}

// Names and levels in every place where a library puts them.
static void levels(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"2026-11-20 08:00:00,123 - db - INFO - query took 5 ms", "level", "db", "query took *"},
        {"[2026-11-20 08:00:00 +0000] [77] [INFO] Booting worker 77", "level", "",
         "Booting worker *"},
        {"[2026-11-20 08:00:00,123: WARNING/MainProcess] shop.pay[1f0c]: late", "level", "shop.pay",
         "late"},
        {"[2026-11-20T08:00:00.1+00:00] pay.ERROR: no answer {\"n\":1} []", "level", "pay",
         "no answer *"},
        {"[2026-11-20T08:00:00,123][WARN ][o.e.db            ] [node-1] slow 5", "level", "o.e.db",
         "slow *"},
        {"INFO:db:query took 5 ms", "level", "db", "query took *"},
        {"info: Shop.Pay[0] paid 5", "level", "Shop.Pay", "paid *"},
        {"I1120 08:00:00.123456       1 server.go:40] listening on 80", "level", "server.go",
         "listening on *"},
        {"I, [2026-11-20T08:00:00.123456 #77]  INFO -- db: query took 5 ms", "level", "db",
         "query took *"},
        {"20-Nov-2026 08:00:00.123 FINE [main] org.example.Db.start took 5", "level",
         "org.example.Db.start", "took *"},
        {"2026-11-20 08:00:00.123 UTC [77] ann@shop ERROR:  relation 5 does not exist", "level",
         "ann@shop", "relation * does not exist"},
        {"2026-11-20 08:00:00.123 CET [77] LOG:  checkpoint complete", "level", "",
         "checkpoint complete"},
        {"2026-11-20T08:00:00.1Z 7 [Warning] [MY-010055] [Server] IP 5 unknown", "level", "Server",
         "IP * unknown"},
        {"2026-11-20 08:00:00.123 +00:00 [WRN] late by 5 ms", "level", "", "late by *"},
        {"2026-11-20 08:00:00.123 | INFO     | shop.db:read:40 - took 5", "level", "shop.db:read",
         "took *"},
        {"2026-11-20T08:00:00.1Z\tINFO\thttp/server.go:40\tlistening\t{\"port\": 80}", "level",
         "http/server.go", "listening {\"port\": *"},
        {"2026-11-20T08:00:00.123456789Z stdout F INFO db: took 5 ms", "level", "db", "took *"},
        {"2026-11-20 08:00:00.123+00:00 [info] <0.620.0> started 5", "level", "", "* started *"},
        {"web-1   | listening on 80", "level", "web-1", "listening on *"},
        // No id becomes a name, or each of them would be a name of its own.
        {"2026-11-20 08:00:00 INFO req-38101a0b: done", "level", "", "* done"},
        {0},
    };
    samples_read(samples);
}

// journalctl and daemons, in each of their clocks.
static void clocks(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"Fri 2026-11-20 08:00:00 CET box sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"2026-11-20 08:00:00 box sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"1795161600.123456 box sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"[    5.123456] box sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"2026-11-20T08:00:00+0100 box sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"Nov 20 08:00:00 sshd[77]: closed 5", "syslog", "sshd", "closed *"},
        {"000012: Nov 20 08:00:00.123: %LINK-3-UPDOWN: port 5 down", "syslog", "%LINK-3-UPDOWN",
         "port * down"},
        {"1 2026-11-20T08:00:00.1Z box su 77 ID5 - closed 5", "syslog5424", "su", "closed *"},
        {"[    5.123456] usb 1-1: new device 5", "free", "", "[ * usb * new device *"},
        {0},
    };
    samples_read(samples);
}

// Members with names; wrapped lines; colours.
static void members(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"time=\"2026-11-20T08:00:00Z\" level=info msg=\"took 5 ms\" component=db", "logfmt", "db",
         "took *"},
        {"ts=2026-11-20T08:00:00Z caller=db.go:40 level=warn msg=late", "logfmt", "db.go", "late"},
        {"at=info method=GET path=/a", "logfmt", "", "at=* method=* path=*"},
        {"type=USER_AUTH msg=audit(1795161600.123:5): pid=7 res=failed", "logfmt", "USER_AUTH",
         "*"},
        {"{\"severity\":\"INFO\",\"jsonPayload\":{\"message\":\"took 5\",\"component\":\"db\"}}",
         "json", "db", "took *"},
        {"{\"event\":{\"kind\":\"x\"},\"name\":\"app\",\"component\":\"db\",\"msg\":\"took 5\"}",
         "json", "db", "took *"},
        {"{\"log\":\"2026-11-20 08:00:00,1 INFO db: took 5 ms\\n\",\"stream\":\"stdout\"}", "json",
         "db", "took *"},
        {"{\"a\":1,\"b\":\"text\"}", "json", "", "*"},
        {"\033[2m2026-11-20T08:00:00Z\033[0m \033[32m INFO\033[0m \033[2mshop::db\033[0m: took 5",
         "level", "shop::db", "took *"},
        {"\033[1;31mfree\033[0m text\033", "free", "", "free text"},
        {0},
    };
    samples_read(samples);
}

// A site's lines are as many as its parts and their statuses, however many paths are asked for.
static void sites(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"10.0.0.1 - ann [20/Nov/2026:08:00:00 +0000] \"GET /shop/a?b=c HTTP/1.1\" 404 5 \"-\" "
         "\"x\"",
         "access", "404", "/shop"},
        {"shop:443 10.0.0.1 - - [20/Nov/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 5", "access",
         "200", "/"},
        {"10.0.0.1 - - [20/Nov/2026:08:00:00 +0000] \"GET http://h/shop/a HTTP/1.1\" 200 5",
         "access", "200", "/shop"},
        {"10.0.0.1 - - [20/Nov/2026:08:00:00 +0000] \"-\" 408 0", "access", "408", "-"},
        {"[Fri Nov 20 08:00:00.123456 2026] [core:error] [pid 7:tid 8] AH1: late by 5", "access",
         "core:error", "[pid * late by *"},
        {"2026/11/20 08:00:00 [error] 7#7: *1 connect() failed (111: refused)", "access", "error",
         "* connect() failed * refused)"},
        {0},
    };
    samples_read(samples);
}

// What goes on with the line before it is indented, and says nothing about the format.
static void traces(void **state)
{
    (void)state;
    static const char text[] = "2026-11-20 08:00:00,123 ERROR [main] org.example.Db - late\n"
                               "java.io.IOException: late by 5\n"
                               "\tat org.example.Db.read(Db.java:40)\n"
                               "\tat org.example.Db.main(Db.java:20)\n"
                               "\t... 14 more\n"
                               "2026-11-20 08:00:01,123 INFO [main] org.example.Db - again\n";
    struct lp_log_states_config config = {0};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = lp_log_states_open(&config);
    lp_log_states_feed(states, text, strlen(text), &lines);
    lp_log_states_end(states, &lines);
    assert_int_equal(lp_log_states_format(states), LP_LOG_LEVEL);
    assert_int_equal(lines.count, 6);
    assert_string_equal(lp_log_states_get(states, lines.states[5]).tag, "org.example.Db");
    assert_string_equal(lp_log_states_get(states, lines.states[2]).text, "at *");
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels), cmocka_unit_test(clocks), cmocka_unit_test(members),
        cmocka_unit_test(sites),  cmocka_unit_test(traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
