// Faults on purpose as people write them: what is taken, what is refused and with which words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/fault.h"
#include "model/want.h"

static int parse(const char *word, struct lp_pair *options, size_t count,
                 struct lp_fault_spec *ret_spec, struct lp_err *err)
{
    const struct lp_pairs pairs = {options, count};
    return lp_fault_parse(word, NULL, &pairs, ret_spec, err);
}

static void says(const struct lp_fault_spec *spec, const char *wanted)
{
    struct lp_str text = {0};
    lp_fault_print(spec, NULL, &text);
    assert_string_equal(lp_str_text(&text), wanted);
    lp_str_release(&text);
}

static void exec_needs_both_commands(void **state)
{
    (void)state;
    char longer[4098];
    struct lp_pair both[] = {{"command", "true"}, {"undo", "true"}};
    struct lp_fault_spec spec;
    struct lp_err err;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(parse("exec", both, 2, &spec, &err), 0);
    assert_int_equal(spec.kind, LP_FAULT_EXEC);
    assert_int_equal(spec.flags, 0); // it lasts, and it follows the node
    assert_int_equal(parse("exec", both, 1, &spec, &err), LP_EINPUT);
    assert_string_equal(err.text, "the fault exec needs the option undo");
    assert_int_equal(parse("exec", both + 1, 1, &spec, &err), LP_EINPUT);
    assert_string_equal(err.text, "the fault exec needs the option command");
    both[1].value = "";
    assert_int_equal(parse("exec", both, 2, &spec, &err), LP_EINPUT);
    both[1].value = longer;
    assert_int_equal(parse("exec", both, 2, &spec, &err), LP_EINPUT);
    longer[4096] = '\0';
    assert_int_equal(parse("exec", both, 2, &spec, &err), 0);
}

static void clock_jumps_and_drifts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int64_t jump_ms;
        int32_t drift_ppm;
        const char *says; // NULL: it is refused
    } cases[] = {
        {"jump", "+1h", 3600 * 1000, 0, "clock +3600000 ms, for 300 s"},
        {"jump", "90s", 90 * 1000, 0, "clock +90000 ms, for 300 s"},
        {"jump", "-5m", -300 * 1000, 0, "clock -300000 ms, for 300 s"},
        {"jump", "0s", 0, 0, NULL},
        {"jump", "+-1s", 0, 0, NULL},
        {"drift", "100ppm", 0, 100, "clock +100 ppm, for 300 s"},
        {"drift", "-5000", 0, -5000, "clock -5000 ppm, for 300 s"},
        {"drift", "2x", 0, 1000000, "clock +1000000 ppm, for 300 s"},
        {"drift", "0.5x", 0, -500000, "clock -500000 ppm, for 300 s"},
        {"drift", "10x", 0, 9000000, "clock +9000000 ppm, for 300 s"},
        {"drift", "1x", 0, 0, NULL},
        {"drift", "0x", 0, 0, NULL},
        {"drift", "11x", 0, 0, NULL},
        {"drift", "nan", 0, 0, NULL},
        {"drift", "2y", 0, 0, NULL},
        {"drift", "", 0, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_pair option = {cases[i].name, cases[i].value};
        struct lp_fault_spec spec;
        struct lp_err err;
        int result = parse("clock", &option, 1, &spec, &err);
        assert_int_equal(result, cases[i].says ? 0 : LP_EINPUT);
        if (result < 0)
            continue;
        assert_int_equal(spec.clock_ms, cases[i].jump_ms);
        assert_int_equal(spec.drift_ppm, cases[i].drift_ppm);
        says(&spec, cases[i].says);
    }
}

static void shares_are_kept_exactly_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *share;
        int permille; // -1: refused
    } cases[] = {{"5%", 50},    {"0.5%", 5},  {"0.1%", 1}, {"100%", 1000}, {"0.05", 50}, {"0%", 0},
                 {"0.05%", -1}, {"101%", -1}, {"50", -1},  {"-1%", -1},    {"%", -1},    {"", -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lp_pair option = {"share", cases[i].share};
        struct lp_fault_spec spec;
        struct lp_err err;
        int result = parse("loss", &option, 1, &spec, &err);
        assert_int_equal(result, cases[i].permille < 0 ? LP_EINPUT : 0);
        if (result == 0)
            assert_int_equal(spec.permille, cases[i].permille);
    }
}

static void listings_name_peers_and_places(void **state)
{
    (void)state;
    struct lp_pair options[] = {{"direction", "in"}, {"peer", "db"}};
    struct lp_fault_spec spec;
    struct lp_err err;
    struct lp_str text = {0};
    assert_int_equal(parse("cut", options, 2, &spec, &err), 0);
    lp_fault_print(&spec, "{\"options\":{\"peer\":\"db\",\"network\":\"back\",\"seed\":\"1\"}}",
                   &text);
    assert_string_equal(lp_str_text(&text), "cut, in, peer db, network back, for 300 s");
    lp_str_clear(&text);
    struct lp_pair leave = {"leave", "32m"};
    assert_int_equal(parse("memory", &leave, 1, &spec, &err), 0);
    lp_fault_print(&spec, "{\"options\":{\"leave\":\"32m\"}}", &text);
    assert_string_equal(lp_str_text(&text), "memory, leave 32m, for 300 s");
    lp_str_release(&text);
}

static void spelling_is_helped(void **state)
{
    (void)state;
    struct lp_pair option = {"jmup", "1s"};
    struct lp_fault_spec spec;
    struct lp_err err;
    assert_int_equal(parse("clokc", &option, 0, &spec, &err), LP_EINPUT);
    assert_string_equal(err.text, "there is no fault 'clokc': did you mean 'clock'?");
    assert_int_equal(parse("clock", &option, 1, &spec, &err), LP_EINPUT);
    assert_string_equal(err.text, "the fault clock has no option 'jmup': did you mean 'jump'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exec_needs_both_commands),
        cmocka_unit_test(clock_jumps_and_drifts),
        cmocka_unit_test(shares_are_kept_exactly_or_refused),
        cmocka_unit_test(listings_name_peers_and_places),
        cmocka_unit_test(spelling_is_helped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
