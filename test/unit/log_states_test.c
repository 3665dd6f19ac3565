// Lines to states: every format, every kind of odd line, bounds, and the same states however the
// bytes are cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/rng.h"
#include "base/str.h"
#include "logs/logs.h"
#include "logs/text_bits.h"

static struct lp_log_states *read_as(const char *text, size_t bytes, size_t chunk,
                                     const struct lp_log_states_config *config,
                                     struct lp_log_lines *lines)
{
    struct lp_log_states *states = lp_log_states_open(config);
    for (size_t at = 0; at < bytes; at += chunk) {
        size_t part = bytes - at < chunk ? bytes - at : chunk;
        char *exact = lp_heap_take(part); // so that a read beyond it is seen
        memcpy(exact, text + at, part);
        lp_log_states_feed(states, exact, part, lines);
        lp_heap_free(exact);
    }
    lp_log_states_end(states, lines);
    return states;
}

static void one_line(const char *line, enum lp_log_format format, const char *tag, const char *text)
{
    struct lp_log_states_config config = {.format = format};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(line, strlen(line), 4096, &config, &lines);
    assert_int_equal(lines.count, 1);
    struct lp_log_template template = lp_log_states_get(states, lines.states[0]);
    assert_string_equal(template.tag, tag);
    assert_string_equal(template.text, text);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

static void formats(void **state)
{
    (void)state;
    one_line("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown\n",
             LP_LOG_SYSLOG_3164, "sshd(pam_unix)", "check pass; user unknown");
    one_line("<13>Jun  9 06:06:20 combo syslogd 1.4.1: restart.", LP_LOG_SYSLOG_3164, "syslogd",
             "* restart.");
    one_line("- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2915]: closed",
             LP_LOG_SYSLOG_3164, "crond", "closed");
    one_line("<34>1 2003-10-11T22:14:15.003Z host su 77 ID47 [x@1 a=\"b]\\]c\"] failed for lonvick",
             LP_LOG_SYSLOG_5424, "su", "failed for lonvick");
    one_line("2024-10-11T22:14:15.003456+02:00 host su[77]: failed for 3", LP_LOG_SYSLOG_3164, "su",
             "failed for *");
    one_line("2017-05-16 00:00:00.008 25746 INFO nova.api [req-1 a b] [instance: x] done in 5 s",
             LP_LOG_LEVEL, "nova.api", "done in *");
    one_line("2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:2181:FastLeaderElection@774] "
             "- Notification time out: 3200",
             LP_LOG_LEVEL, "FastLeaderElection", "Notification time out: *");
    one_line("17/06/09 20:10:40 INFO spark.SecurityManager: Changing view acls", LP_LOG_LEVEL,
             "spark.SecurityManager", "Changing view acls");
    one_line("03-17 16:13:38.819  1702  8671 D PowerManagerService: acquire lock=23, flags=0x1",
             LP_LOG_LEVEL, "PowerManagerService", "acquire lock=* flags=*");
    one_line("[10.30 16:49:06] chrome.exe - proxy:5070 close, 0 bytes", LP_LOG_LEVEL, "chrome.exe",
             "* close, *");
    one_line("2015-10-18 18:01:47,978 INFO [IPC Server handler 2] org.example.v2.Master: Created 7",
             LP_LOG_LEVEL, "org.example.v2.Master", "Created *");
    one_line("2021-01-01T12:00:00.123Z [worker 5] WARN  org.example.Foo - slow query took 120 ms",
             LP_LOG_LEVEL, "org.example.Foo", "slow query took *");
    one_line("2021-01-01 12:00:00.123  INFO 7 --- [ main] org.example.Foo     : Started in 2 s",
             LP_LOG_LEVEL, "org.example.Foo", "Started in *");
    one_line("20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", LP_LOG_LEVEL,
             "Step_LSC", "onStandStepChanged *");
    one_line("2017-12-23 22:15:29.606|WARN|db|a|b 5", LP_LOG_LEVEL, "db", "a|b *");
    one_line("10.0.0.1 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 12", LP_LOG_ACCESS,
             "200", "/a");
    one_line("[Sun Dec 04 04:47:44 2005] [error] mod_jk child in error state 6", LP_LOG_ACCESS,
             "error", "mod_jk child in error state *");
    one_line("{\"time\":1,\"logger\":\"db\",\"msg\":\"took 5 ms\",\"x\":{\"msg\":\"no\"}}",
             LP_LOG_JSON, "db", "took *");
    one_line("no form at all 7\r\n", LP_LOG_FREE, "", "no form at all *");
}

static void journal_entries(void **state)
{
    (void)state;
    static const char text[] = "__CURSOR=a\nMESSAGE=Started x 1\nSYSLOG_IDENTIFIER=systemd\n\n"
                               "__CURSOR=b\nSYSLOG_IDENTIFIER=cron\nMESSAGE=ran\n";
    struct lp_log_states_config config = {0};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text, strlen(text), 7, &config, &lines);
    assert_int_equal(lp_log_states_format(states), LP_LOG_JOURNAL);
    assert_int_equal(lines.count, 8);
    assert_int_equal(lines.states[0], LP_LOG_NOTHING);
    assert_string_equal(lp_log_states_get(states, lines.states[3]).tag, "systemd");
    assert_string_equal(lp_log_states_get(states, lines.states[3]).text, "Started x *");
    assert_string_equal(lp_log_states_get(states, lines.states[7]).text, "ran");
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// A value of several lines hides no blank line and no field; its first line is the text.
static void journal_values(void **state)
{
    (void)state;
    static const char text[] =
        "__CURSOR=a\n__REALTIME_TIMESTAMP=1494892800008123\n_PID=77\nMESSAGE\n"
        "\x16\0\0\0\0\0\0\0panic at 7\n\nMESSAGE=no\n"
        "SYSLOG_IDENTIFIER=x\r\n\n"
        "SYSLOG_IDENTIFIER=y\n\nMESSAGE=z\n\n"
        "MESSAGE\n\x0a\0\0\0\0\0\0\0ten bytes.\n\n";
    static const char *const texts[] = {"panic at *", "z", "ten bytes."}, *const tags[] = {"x", "",
                                                                                           ""};
    struct lp_log_states_config config = {.format = LP_LOG_JOURNAL, .with_keys = true};
    for (size_t chunk = 1; chunk < sizeof(text); chunk += 3) {
        struct lp_log_lines lines = {0};
        struct lp_log_states *states = read_as(text, sizeof(text) - 1, chunk, &config, &lines);
        assert_int_equal(lp_log_states_count(states), 3);
        assert_int_equal(lines.count, 17);
        for (uint16_t i = 0; i < 3; i++) {
            assert_string_equal(lp_log_states_get(states, i).text, texts[i]);
            assert_string_equal(lp_log_states_get(states, i).tag, tags[i]);
            assert_int_equal(lp_log_states_get(states, i).count, 1);
        }
        size_t first = (size_t)lp_log_states_get(states, 0).example - 1;
        assert_int_equal(lines.at_ms[first], INT64_C(1494892800008));
        assert_true(lines.keys[first] != 0);
        lp_log_lines_release(&lines);
        lp_log_states_close(states);
    }
}

// Bits found 16 bytes at a time are those found one by one; numbers of bytes know their length.
static void bits_and_hashes(void **state)
{
    (void)state;
    struct lp_rng rng;
    lp_rng_init(&rng, 9);
    static const char likely[] = " \t=09/:az\x7f\x80\xff\r\n\x1f!";
    for (int round = 0; round < 2000; round++) {
        char bytes[64 + LP_LOG_PADDING];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] =
                round % 2 ? (char)lp_rng_next(&rng) : likely[lp_rng_below(&rng, sizeof(likely))];
        struct lp_log_bits fast = lp_log_bits_of(bytes), plain = lp_log_bits_plain(bytes);
        assert_true(fast.blank == plain.blank && fast.digit == plain.digit &&
                    fast.equal == plain.equal);
        struct lp_log_halves masked = lp_log_halves_masked(bytes),
                             masked_plain = lp_log_halves_masked_plain(bytes);
        assert_true(masked.left == masked_plain.left && masked.right == masked_plain.right);
        size_t count = lp_rng_below(&rng, 65);
        char *exact = lp_heap_take(count);
        memcpy(exact, bytes, count);
        assert_true(lp_log_hash_bytes(exact, count) ==
                    lp_log_hash_padded(0, bytes, count, LP_LOG_SALT_KEPT));
        memset(bytes + count, 0, 1);
        assert_true(lp_log_hash_padded(0, bytes, count, 1) !=
                    lp_log_hash_padded(0, bytes, count + 1, 1));
        lp_heap_free(exact);
    }
}

// Numbers of lines are the same if only digits differ, and only then.
static void masked_hashes(void **state)
{
    (void)state;
    static const char line[40 + LP_LOG_PADDING] = "pid 4711 of 10.0.0.1 took 42 ms: a/b:c;d";
    uint64_t hash = lp_log_hash_masked(0, line, 40, 1);
    for (size_t i = 0; i < 40; i++)
        for (int c = 0; c < 256; c++) {
            char other[sizeof(line)];
            memcpy(other, line, sizeof(line));
            other[i] = (char)c;
            bool is_digit = c >= '0' && c <= '9', was_digit = line[i] >= '0' && line[i] <= '9';
            bool is_like = (is_digit && was_digit) || other[i] == line[i];
            assert_true(is_like == (lp_log_hash_masked(0, other, 40, 1) == hash));
        }
    assert_true(lp_log_hash_masked(0, line, 39, 1) != hash);
}

enum { LIKE_LINES = 50000 };

// What a line gets that looks like others is what its text gets alone, also when more kinds of
// lines come than are remembered.
static void look_alikes(void **state)
{
    (void)state;
    static const char *const words[] = {"a",  "b7c", "bxc", "key=", "=",      "ms",   "KB)", "(5",
                                        "()", "/x",  "Jun", "é",    "[1.2.3", "x=y=", "*",   "12"};
    static const enum lp_log_cleaning both[] = {LP_LOG_TOKENS, LP_LOG_NUMERALS};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_rng rng;
    lp_rng_init(&rng, 3);
    for (int i = 0; i < LIKE_LINES; i++) {
        for (uint64_t left = 1 + lp_rng_below(&rng, 5); left; left--) {
            lp_str_add(&text, words[lp_rng_below(&rng, 16)]);
            if (lp_rng_below(&rng, 2))
                lp_str_printf(&text, "%u", (unsigned)lp_rng_below(&rng, 200));
            else
                lp_str_add_char(&text, (char)('a' + lp_rng_below(&rng, 26)));
            lp_str_add(&text, lp_rng_below(&rng, 3) ? " " : "");
        }
        lp_str_add(&text, i % 2 ? " done\n" : " done 7 ms\n");
    }
    for (size_t i = 0; i < 2; i++) {
        struct lp_log_states_config config = {.format = LP_LOG_FREE, .cleaning = both[i]};
        struct lp_log_lines lines = {0};
        struct lp_log_states *states = read_as(text.text, text.bytes, 1 << 16, &config, &lines);
        assert_int_equal(lines.count, LIKE_LINES);
        assert_in_range(lp_log_states_count(states), 10000, LP_LOG_STATES_MAX);
        const char *at = text.text;
        for (size_t k = 0; k < lines.count; k++) {
            char line[256];
            size_t bytes = strcspn(at, "\n");
            snprintf(line, sizeof(line), "%.*s", (int)bytes, at);
            assert_int_equal(lp_log_states_take(states, "", line), lines.states[k]);
            at += bytes + 1;
        }
        lp_log_lines_release(&lines);
        lp_log_states_close(states);
    }
}

static void cleanings(void **state)
{
    (void)state;
    static const char line[] = "at 10 20 key=val a1=7 =x b=9=8 * 7 end5 é \xff\x01 .\n";
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(line, strlen(line), 100, &config, &lines);
    assert_string_equal(lp_log_states_get(states, lines.states[0]).text,
                        "at * key=* * =x b=* * é ?? .");
    // The template's own text is the same template.
    char again[256];
    snprintf(again, sizeof(again), "%s", lp_log_states_get(states, lines.states[0]).text);
    assert_int_equal(lp_log_states_take(states, "", again), lines.states[0]);
    assert_int_equal(lp_log_states_count(states), 1);
    lp_log_states_close(states);
    lines.count = 0;
    config.cleaning = LP_LOG_NUMERALS;
    states = read_as(line, strlen(line), 100, &config, &lines);
    assert_string_equal(lp_log_states_get(states, lines.states[0]).text,
                        "at key=val a= =x b== * end é ?? .");
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// Variables without a digit: dates, units, paths, empty values. Each template is its own.
static void variables(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"from 10.0.0.1 () at Sun Jul 10 03:55:15 2005", "from * at *"},
        {"from 1.2.3.4 (host8.example.org) at Mon May 9", "from * at *"},
        {"May I? Sunday Monthly Decoder", "* I? Sunday Monthly Decoder"},
        {"sent 64 bytes (1.2 KB) in 5 s, left 3 MB; ok", "sent * in * left * ok"},
        {"size=5 KB, time=3 ms.", "size=* * time=* *"},
        {"bytes sent by ms KB", "bytes sent by ms KB"}, // of no number
        {"session opened for user news by (uid=0)", "session opened for user news by (uid=*"},
        {"read /etc/xinetd.d/echo [file=/etc/x] \"/index\" (/tmp/a) // / and/or",
         "read * [file=* * // / and/or"},
        {"/sbin/init started /bin/sh", "/sbin/init started *"},
        {"() is [] or {} or <> or \"\" or '' ; [x] ()()", "* is * or * or * or * or * ; [x] ()()"},
    };
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        one_line(cases[i][0], LP_LOG_FREE, "", cases[i][1]);
        one_line(cases[i][1], LP_LOG_FREE, "", cases[i][1]);
        struct lp_log_lines lines = {0};
        struct lp_log_states *states =
            read_as(cases[i][0], strlen(cases[i][0]), 100, &config, &lines);
        assert_int_equal(lp_log_states_take(states, "", cases[i][1]), lines.states[0]);
        lp_log_lines_release(&lines);
        lp_log_states_close(states);
    }
}

// What is read of a text ends with a whole word: where the cut falls changes no template.
static void long_texts(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < i; k++)
            lp_str_add_char(&text, '7');
        for (int k = 0; k < 200; k++)
            lp_str_add(&text, k ? "word " : " words ");
        lp_str_add_char(&text, '\n');
    }
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, 999, &config, &lines);
    for (size_t i = 0; i < lp_log_states_count(states); i++) {
        const char *template = lp_log_states_get(states, (uint16_t)i).text;
        assert_string_equal(template + strlen(template) - 5, " word");
    }
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// One state each, whatever came before: a carriage return within a line is no blank.
static void returns_within(void **state)
{
    (void)state;
    static const char text[] = "a1\rfoo\nx7\na1\rfoo\nfoo\rbar\nfoo bar\n";
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text, strlen(text), 100, &config, &lines);
    static const uint16_t expected[] = {0, 0, 0, 1, 2};
    assert_int_equal(lines.count, 5);
    assert_memory_equal(lines.states, expected, sizeof(expected));
    assert_string_equal(lp_log_states_get(states, 1).text, "foo?bar");
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

static void odd_lines(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_add(&text, "one\n\n  \t \none\r\n");
    for (int i = 0; i < 70000; i++)
        lp_str_add_char(&text, 'x');
    lp_str_add(&text, " tail\n");
    lp_str_add_n(&text, "a\0b\n", 4);
    lp_str_add(&text, "last");
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, 1000, &config, &lines);
    assert_int_equal(lines.count, 7);
    assert_int_equal(lines.states[1], LP_LOG_NOTHING);
    assert_int_equal(lines.states[2], LP_LOG_NOTHING);
    assert_int_equal(lines.states[3], lines.states[0]); // CRLF changes nothing
    assert_string_equal(lp_log_states_get(states, lines.states[5]).text, "a?b");
    assert_string_equal(lp_log_states_get(states, lines.states[6]).text, "last");
    assert_int_equal(lp_log_states_get(states, lines.states[0]).count, 2);
    assert_int_equal(lp_log_states_get(states, lines.states[6]).example, 7);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

enum { ODD_LINES = 1200, ODD_LONG = 70000 };

// Some lines of five daemons, each with this end but for the last, which has none.
static void plain_log(const char *end, bool with_odd, struct lp_str *text)
{
    for (int i = 0; i < ODD_LINES; i++) {
        if (with_odd && i % 400 == 200) { // bytes that are no text, and more than is read
            lp_str_add_n(text, "\0\xff\xc3 \x80\n", 6);
            for (int k = 0; k < ODD_LONG; k++)
                lp_str_add_char(text, (char)(k % 256 == '\n' ? 0 : k % 256));
            lp_str_add_char(text, '\n');
        }
        lp_str_printf(text, "Jun 14 15:16:%02d host d%d[%d]: w%c done in %d ms%s", i % 60, i % 5, i,
                      'a' + i * 7 % 23, i, i == ODD_LINES - 1 ? "" : end);
    }
}

// Line ends, empty lines and lines that are no text change no state of the others.
static void odd_bytes(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", "\n\n", "\n \t\r\n", "\n"};
    struct lp_log_states_config config = {.format = LP_LOG_SYSLOG_3164};
    struct lp_log_lines plain = {0};
    struct lp_log_states *known = NULL;
    for (size_t variant = 0; variant < sizeof(ends) / sizeof(ends[0]); variant++) {
        LP_OWNS_STR struct lp_str text = {0};
        plain_log(ends[variant], variant == 4, &text);
        struct lp_log_lines lines = {0};
        struct lp_log_states *states = read_as(text.text, text.bytes, 4096, &config, &lines);
        if (variant == 0) {
            plain = lines;
            known = states;
            assert_int_equal(lines.count, ODD_LINES);
            assert_int_equal(lp_log_states_count(states), 115);
            continue;
        }
        size_t at = 0;
        for (size_t i = 0; i < lines.count; i++) {
            if (lines.states[i] == LP_LOG_NOTHING)
                continue;
            struct lp_log_template template = lp_log_states_get(states, lines.states[i]);
            if (template.tag[0] == '\0')
                continue;
            struct lp_log_template same = lp_log_states_get(known, plain.states[at++]);
            assert_string_equal(template.text, same.text);
            assert_string_equal(template.tag, same.tag);
        }
        assert_int_equal(at, ODD_LINES);
        assert_int_equal(lp_log_states_count(states), variant == 4 ? 117 : 115);
        lp_log_states_close(states);
        lp_log_lines_release(&lines);
    }
    lp_log_states_close(known);
    lp_log_lines_release(&plain);
}

// The same states however the bytes are cut, and no new template when the log comes twice.
static void cuts_and_doubling(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_rng rng;
    lp_rng_init(&rng, 5);
    for (int i = 0; i < 1500; i++)
        lp_str_printf(&text, "Jun 14 15:16:%02d host d%u[%d]: word%c w%u of x=%u%s\n", i % 60,
                      (unsigned)lp_rng_below(&rng, 5), i, 'a' + (int)lp_rng_below(&rng, 20),
                      (unsigned)lp_rng_below(&rng, 9), (unsigned)lp_rng_below(&rng, 99),
                      i % 7 ? "" : " \xc3\xa4\x80");
    static const size_t chunks[] = {1, 3, 64, 1000, 1 << 20};
    struct lp_log_states_config config = {.with_keys = true};
    struct lp_log_lines whole = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, text.bytes, &config, &whole);
    assert_int_equal(lp_log_states_format(states), LP_LOG_SYSLOG_3164);
    size_t templates = lp_log_states_count(states);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        struct lp_log_lines lines = {0};
        struct lp_log_states *other = read_as(text.text, text.bytes, chunks[i], &config, &lines);
        assert_int_equal(lines.count, whole.count);
        assert_memory_equal(lines.states, whole.states, whole.count * sizeof(*whole.states));
        assert_memory_equal(lines.keys, whole.keys, whole.count * sizeof(*whole.keys));
        lp_log_lines_release(&lines);
        lp_log_states_close(other);
    }
    lp_log_states_feed(states, text.text, text.bytes, &whole);
    assert_int_equal(lp_log_states_count(states), templates);
    assert_int_equal(whole.count, 3000);
    assert_true(whole.keys[0] != whole.keys[1]);
    assert_int_equal(whole.at_ms[1] - whole.at_ms[0], 1000);
    lp_log_lines_release(&whole);
    lp_log_states_close(states);
}

static void bounds_fold(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    for (int i = 0; i < 2000; i++)
        lp_str_printf(&text, "Jun 14 15:16:01 host t%c: %c%c%c unlike all others\n", 'a' + i % 3,
                      'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
    struct lp_log_states_config config = {.states_max = 100};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, 999, &config, &lines);
    assert_true(lp_log_states_count(states) <= 100);
    uint64_t counted = 0;
    size_t others = 0;
    for (size_t i = 0; i < lp_log_states_count(states); i++) {
        counted += lp_log_states_get(states, (uint16_t)i).count;
        others += lp_log_states_get(states, (uint16_t)i).is_other;
    }
    assert_int_equal(counted, 2000);
    assert_true(others >= 1);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// Found out from the lines, where several formats nearly fit.
static void formats_found(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum lp_log_format format;
    } cases[] = {
        {"[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/httpd\n", LP_LOG_ACCESS},
        {"Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user x\n", LP_LOG_SYSLOG_3164},
        {"2015-10-18 18:01:47,978 INFO [main] org.example.Master: Created 7\n", LP_LOG_LEVEL},
        {"2021-01-01T12:00:00.123Z [w 5] WARN  org.example.Foo - slow\n", LP_LOG_LEVEL},
        {"20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579\n", LP_LOG_LEVEL},
        {"2016-09-28 04:30:30, Info                  CBS    Loaded v6\n", LP_LOG_LEVEL},
        {"- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50 R02 RAS KERNEL INFO x\n", LP_LOG_FREE},
        {"[abc] free text of no format at all\n", LP_LOG_FREE},
        {"Error in line 5\n", LP_LOG_FREE},
        {"I think that 5 is odd\n", LP_LOG_FREE},
        {"x=5\n", LP_LOG_FREE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_log_states_config config = {0};
        struct lp_log_lines lines = {0};
        struct lp_log_states *states =
            read_as(cases[i].line, strlen(cases[i].line), 4096, &config, &lines);
        assert_int_equal(lp_log_states_format(states), cases[i].format);
        lp_log_lines_release(&lines);
        lp_log_states_close(states);
    }
}

// A model file must give every template its number again, whatever the log says.
static void templates_again(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_add(&text, "(other)\n7 (other)\n\xc3\xa4\x01 control\n");
    for (int i = 0; i < 300; i++) // cleaned, it is longer than it was
        lp_str_printf(&text, "%c%c= ", 'a' + i % 26, 'a' + i / 26);
    struct lp_log_states_config config = {.format = LP_LOG_FREE};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, 100, &config, &lines);
    assert_int_equal(lines.count, 4);
    assert_int_equal(lp_log_states_count(states), 4);
    assert_string_equal(lp_log_states_get(states, 2).text, "\xc3\xa4? control");
    for (uint16_t i = 0; i < 4; i++) {
        struct lp_log_template template = lp_log_states_get(states, i);
        assert_false(template.is_other);
        assert_int_equal(lp_log_states_take(states, template.tag, template.text), i);
    }
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// Tags are bounded like templates: what fits nowhere has one state, and the first ones keep theirs.
static void tags_fold(void **state)
{
    (void)state;
    enum { LINES = 70000 };
    LP_OWNS_STR struct lp_str text = {0};
    for (int i = 0; i < LINES; i++)
        lp_str_printf(&text, "Jun 14 15:16:01 host t%d: hello\n", i);
    struct lp_log_states_config config = {.format = LP_LOG_SYSLOG_3164};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text.text, text.bytes, text.bytes, &config, &lines);
    size_t templates = lp_log_states_count(states);
    assert_true(templates < LP_LOG_STATES_MAX);
    struct lp_log_template last = lp_log_states_get(states, lines.states[LINES - 1]);
    assert_true(last.is_other);
    assert_string_equal(last.tag, "(other)");
    assert_int_equal(last.count, LINES - lines.states[LINES - 1]);
    lp_log_states_feed(states, text.text, text.bytes, &lines);
    assert_int_equal(lp_log_states_count(states), templates);
    assert_memory_equal(lines.states, lines.states + LINES, LINES * sizeof(*lines.states));
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

// Even a table of one row holds every line, and none is counted to a template that it is not.
static void smallest_table(void **state)
{
    (void)state;
    static const char text[] = "Jun 14 15:16:01 host a: one\nJun 14 15:16:01 host b: two\n";
    struct lp_log_states_config config = {.format = LP_LOG_SYSLOG_3164, .states_max = 1};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text, strlen(text), 5, &config, &lines);
    assert_int_equal(lp_log_states_count(states), 1);
    assert_true(lp_log_states_get(states, 0).is_other);
    assert_int_equal(lp_log_states_get(states, 0).count, 2);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

static void times_of_levels(void **state)
{
    (void)state;
    static const char text[] = "2017-05-16 00:00:00.008 7 INFO a.b: x\n"
                               "17/05/16 00:00:00 INFO a.b: x\n"
                               "2017-05-16T00:00:01Z INFO a.b: x\n"
                               "03-17 16:13:38.811  1702  2395 D W: x\n"
                               "1-2-3-4-5- 00:00:01 INFO a.b: x\n";
    struct lp_log_states_config config = {.format = LP_LOG_LEVEL, .with_keys = true};
    struct lp_log_lines lines = {0};
    struct lp_log_states *states = read_as(text, strlen(text), 100, &config, &lines);
    assert_int_equal(lines.at_ms[0], INT64_C(1494892800008));
    assert_int_equal(lines.at_ms[1], INT64_C(1494892800000));
    assert_int_equal(lines.at_ms[2], INT64_C(1494892801000));
    assert_int_equal(lines.at_ms[3],
                     ((31 + 28 + 16) * 24 + 16) * INT64_C(3600000) + 13 * 60000 + 38811);
    assert_int_equal(lines.at_ms[4], 1000);
    lp_log_lines_release(&lines);
    lp_log_states_close(states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),           cmocka_unit_test(journal_entries),
        cmocka_unit_test(journal_values),    cmocka_unit_test(bits_and_hashes),
        cmocka_unit_test(cleanings),         cmocka_unit_test(odd_lines),
        cmocka_unit_test(cuts_and_doubling), cmocka_unit_test(bounds_fold),
        cmocka_unit_test(templates_again),   cmocka_unit_test(tags_fold),
        cmocka_unit_test(smallest_table),    cmocka_unit_test(times_of_levels),
        cmocka_unit_test(variables),         cmocka_unit_test(long_texts),
        cmocka_unit_test(returns_within),    cmocka_unit_test(odd_bytes),
        cmocka_unit_test(formats_found),     cmocka_unit_test(masked_hashes),
        cmocka_unit_test(look_alikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
