// Tests of the network driver's pure parts: names, marks, rules and the forwarder's file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/network/dnsmasq.h"
#include "drivers/network/forward_conf.h"
#include "drivers/network/nat.h"

static const struct lp_network_mark mark = {
    .name = "demo",
    .infra = 3,
    .uplink = 0x64400001,
    .is_complete = true,
    .row_count = 2,
    .rows = {{0, 0x0a010001, 24, true}, {5, 0x0a020001, 16, false}}};

static void dnsmasq_says_no_at_once_without_a_way_out(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_dnsmasq_conf conf = {.mark = &mark,
                                   .hosts_path = "/h/names",
                                   .pid_path = "/h/pid",
                                   .user = "dnsmasq",
                                   .group = "nogroup"};
    lp_dnsmasq_conf_print(&conf, &text);
    assert_string_equal(lp_str_text(&text),
                        "# Made by limpet; changes are lost.\nport=53\nuser=dnsmasq\n"
                        "group=nogroup\npid-file=/h/pid\nbind-interfaces\nexcept-interface=lo\n"
                        "interface=br0\ninterface=br5\nno-hosts\naddn-hosts=/h/names\n"
                        "localise-queries\nlocal-ttl=0\nlog-facility=/dev/null\nno-resolv\n"
                        "local=/#/\ncache-size=0\n");
}

static void dnsmasq_asks_others_with_a_way_out(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_dnsmasq_conf conf = {.mark = &mark,
                                   .hosts_path = "/h/names",
                                   .pid_path = "/h/pid",
                                   .upstream_path = "/etc/resolv.conf"};
    lp_dnsmasq_conf_print(&conf, &text);
    assert_non_null(strstr(lp_str_text(&text), "\nresolv-file=/etc/resolv.conf\n"));
    assert_null(strstr(lp_str_text(&text), "no-resolv"));
    assert_null(strstr(lp_str_text(&text), "local=/#/"));
    assert_null(strstr(lp_str_text(&text), "user="));
}

static void names_end_with_a_marker_of_their_own(void **state)
{
    (void)state;
    const struct lp_name_entry names[] = {{"web", 0, 0x0a010002}, {"web-1", 0, 0x0a010002}};
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str other = {0};
    char marker[LP_NAMES_MARKER_BYTES], found[LP_NAMES_MARKER_BYTES];
    char other_marker[LP_NAMES_MARKER_BYTES];
    lp_names_print(names, 2, &text, marker);
    assert_true(lp_text_starts(lp_str_text(&text), "10.1.0.2 web\n10.1.0.2 web-1\n127.0.0.1 x"));
    assert_true(lp_names_find_marker(lp_str_text(&text), found));
    assert_string_equal(found, marker);
    lp_names_print(names, 1, &other, other_marker);
    assert_string_not_equal(marker, other_marker);
    assert_false(lp_names_find_marker("10.1.0.2 web\n", found));
    assert_false(lp_names_find_marker("127.0.0.1 x.cut", found));
}

static void the_question_is_dns(void **state)
{
    (void)state;
    static const uint8_t wanted[] = {0x12, 0x34, 1,   0, 0,   1,   0, 0, 0, 0, 0,
                                     0,    1,    'a', 2, 'b', 'c', 0, 0, 1, 0, 1};
    uint8_t bytes[LP_DNS_QUERY_BYTES];
    assert_int_equal(lp_dns_query_print("a.bc", 0x1234, bytes), sizeof(wanted));
    assert_memory_equal(bytes, wanted, sizeof(wanted));
    uint8_t answer[] = {0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
    assert_true(lp_dns_answer_has_address(answer, sizeof(answer), 0x1234));
    assert_false(lp_dns_answer_has_address(answer, sizeof(answer), 0x1235));
    assert_false(lp_dns_answer_has_address(answer, sizeof(answer) - 1, 0x1234));
    answer[3] = 0x83; // no such name
    assert_false(lp_dns_answer_has_address(answer, sizeof(answer), 0x1234));
    answer[3] = 0x80;
    answer[7] = 0; // no address
    assert_false(lp_dns_answer_has_address(answer, sizeof(answer), 0x1234));
}

static void a_mark_comes_back_as_it_was(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str again = {0};
    struct lp_network_mark parsed;
    struct lp_err err;
    lp_network_mark_print(&mark, &text);
    assert_int_equal(lp_network_mark_parse(lp_str_text(&text), &parsed, &err), 0);
    lp_network_mark_print(&parsed, &again);
    assert_string_equal(lp_str_text(&again), lp_str_text(&text));
    assert_true(lp_network_mark_has_nat(&parsed));
    static const char *const wrong[] = {"",
                                        "limpet-network 1\n",
                                        "limpet-network 1\ninfra 3 demo\nrow 0 1 24 0", // cut
                                        "limpet-network 1\ninfra 3 ../x\n",
                                        "limpet-network 1\ninfra 3 demo\nrow 0 1 40 0\n",
                                        "limpet-network 2\ninfra 3 demo\n",
                                        "limpet-network 1\ninfra 3 demo\nwhat\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(lp_network_mark_parse(wrong[i], &parsed, &err), LP_ECORRUPT);
}

static void names_of_links_fit_and_differ(void **state)
{
    (void)state;
    struct lp_driver_env one = {"/a", "00000001"}, other = {"/b", "00000002"};
    struct lp_place a = lp_network_uplink(&one, 1), b = lp_network_uplink(&one, 2);
    struct lp_place c = lp_network_uplink(&other, 1);
    assert_true(strlen(a.text) < 16); // IFNAMSIZ
    assert_string_not_equal(a.text, b.text);
    assert_string_not_equal(a.text, c.text);
    assert_string_equal(lp_network_file(&one, "demo", "mark").text,
                        "/run/limpet-00000001/demo/mark");
}

static void only_networks_with_nat_get_out(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str inner = {0};
    LP_OWNS_STR struct lp_str outer = {0};
    lp_nat_inner_print(&mark, &inner);
    assert_non_null(strstr(lp_str_text(&inner), "policy drop"));
    assert_non_null(strstr(lp_str_text(&inner), "iifname \"br0\" oifname \"uplink\" accept"));
    assert_null(strstr(lp_str_text(&inner), "br5"));
    lp_nat_outer_print(&mark, "limpet_x_demo", "lpup1", &outer);
    assert_non_null(strstr(lp_str_text(&outer), "table ip limpet_x_demo {"));
    assert_non_null(
        strstr(lp_str_text(&outer), "ip saddr 100.64.0.2 oifname != \"lpup1\" masquerade"));
}

static void a_forward_file_comes_back_as_it_was(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    uint32_t backends[] = {0x0a010002, 0x0a010003};
    const struct lp_port_entry ports[] = {
        {.host_port = 8080, .node_port = 80, .backends = backends, .backend_count = 2},
        {.host_ip = "::1", .host_port = 53, .node_port = 5353, .is_udp = true}};
    lp_forward_conf_print("/run/netns/n", 7, ports, 2, &text);
    assert_string_equal(lp_str_text(&text),
                        "limpet-forward 1\nnetns /run/netns/n\nrevision 7\n"
                        "tcp 0.0.0.0 8080 80 10.1.0.2 10.1.0.3\nudp ::1 53 5353\n");
    struct lp_forward_conf conf;
    assert_int_equal(lp_forward_conf_parse(lp_str_text(&text), text.bytes, &arena, &conf, NULL), 0);
    assert_int_equal(conf.port_count, 2);
    assert_int_equal(conf.revision, 7);
    assert_int_equal(conf.ports[0].backend_count, 2);
    assert_int_equal(conf.ports[0].backends[1], 0x0a010003);
    assert_true(conf.ports[1].is_udp && conf.ports[1].backend_count == 0);
}

static void wrong_forward_files_are_refused_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1"},
        {"limpet-forward 1\nrevision 1\n", "no line with the network namespace"},
        {"limpet-forward 1\nnetns x\n", "line 2: no path"},
        {"limpet-forward 1\nnetns /n\nsctp 0.0.0.0 1 1\n", "line 3: unknown word 'sctp'"},
        {"limpet-forward 1\nnetns /n\ntcp 0.0.0.0 0 1\n", "line 3: port 0"},
        {"limpet-forward 1\nnetns /n\ntcp 0.0.0.0 70000 1\n", "'70000' is not a number"},
        {"limpet-forward 1\nnetns /n\ntcp localhost 1 1\n", "'localhost' is not an address"},
        {"limpet-forward 1\nnetns /n\ntcp 0.0.0.0 1 1 db\n", "'db' is not a backend"},
        {"limpet-forward 1\nnetns /n\ntcp 0.0.0.0 1\n", "'' is not a number"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        struct lp_forward_conf conf;
        struct lp_err err;
        assert_int_equal(
            lp_forward_conf_parse(cases[i].text, strlen(cases[i].text), &arena, &conf, &err),
            LP_EINPUT);
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' is not in '%s'", cases[i].message, err.text);
    }
}

static void the_forwarders_answer_comes_back(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_forward_trouble trouble = {true, "0.0.0.0", 53, "Address already in use"};
    struct lp_forward_status status = {9, &trouble, 1}, parsed;
    lp_forward_status_print(&status, &text);
    assert_int_equal(lp_forward_status_parse(lp_str_text(&text), text.bytes, &arena, &parsed, NULL),
                     0);
    assert_int_equal(parsed.revision, 9);
    assert_int_equal(parsed.trouble_count, 1);
    assert_true(parsed.troubles[0].is_udp && parsed.troubles[0].host_port == 53);
    assert_string_equal(parsed.troubles[0].reason, "Address already in use");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dnsmasq_says_no_at_once_without_a_way_out),
        cmocka_unit_test(dnsmasq_asks_others_with_a_way_out),
        cmocka_unit_test(names_end_with_a_marker_of_their_own),
        cmocka_unit_test(the_question_is_dns),
        cmocka_unit_test(a_mark_comes_back_as_it_was),
        cmocka_unit_test(names_of_links_fit_and_differ),
        cmocka_unit_test(only_networks_with_nat_get_out),
        cmocka_unit_test(a_forward_file_comes_back_as_it_was),
        cmocka_unit_test(wrong_forward_files_are_refused_with_the_line),
        cmocka_unit_test(the_forwarders_answer_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
