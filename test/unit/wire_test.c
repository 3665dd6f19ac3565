// Frames of limpet-init: round trips, bounds, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "model/descriptor.h"
#include "model/wire.h"
#include "base/str.h"

static void test_fields_round_trip(void **state)
{
    const char *argv[] = {"sh", "-c", "echo a=b\nc", ""};
    struct lp_pair pairs[] = {{"KEY", "va=lue"}, {"EMPTY", NULL}};
    const struct {
        const char *key, *value;
    } wanted[] = {{"arg", "sh"},         {"arg", "-c"},     {"arg", "echo a=b\nc"}, {"arg", ""},
                  {"env", "KEY=va=lue"}, {"env", "EMPTY="}, {"number", "-7"}};
    struct lp_str out = {0};
    struct lp_wire_frame frame;
    struct lp_wire_field field;
    (void)state;
    lp_str_add(&out, "before");
    size_t at = lp_wire_head(&out, LP_WIRE_START_APP, 31);
    lp_wire_add_command(&out, &(struct lp_texts){argv, 4}, &(struct lp_pairs){pairs, 2});
    lp_wire_add(&out, "absent", NULL);
    lp_wire_add_number(&out, "number", -7);
    assert_int_equal(lp_wire_seal(&out, at, NULL), 0);
    for (size_t cut = 0; cut < out.bytes - at; cut++) // never complete before its last byte
        assert_int_equal(lp_wire_parse(out.text + at, cut, &frame), 0);
    assert_int_equal(lp_wire_parse(out.text + at, out.bytes - at, &frame), out.bytes - at);
    assert_int_equal(frame.type, LP_WIRE_START_APP);
    assert_int_equal(frame.app, 31);
    size_t cursor = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_int_equal(lp_wire_next(&frame, &cursor, &field), 1);
        assert_true(lp_wire_is(&field, wanted[i].key));
        assert_string_equal(field.value, wanted[i].value);
    }
    assert_int_equal(lp_wire_next(&frame, &cursor, &field), 0);
    lp_str_release(&out);
}

static void test_bytes_on_the_wire(void **state)
{
    static const char wanted[] = "\x03\x00\x00\x00\x40\x00\x00\x00\x00x\xff"; // never changes
    struct lp_str out = {0};
    (void)state;
    lp_wire_add_raw(&out, LP_WIRE_STDOUT, "\0x\xff", 3);
    assert_int_equal(out.bytes, sizeof(wanted) - 1);
    assert_memory_equal(out.text, wanted, out.bytes);
    lp_str_release(&out);
}

static void test_too_long(void **state)
{
    struct lp_str out = {0}, value = {0};
    struct lp_wire_frame frame;
    struct lp_err err;
    (void)state;
    for (int i = 0; i < LP_WIRE_PAYLOAD_MAX; i++)
        lp_str_add_char(&value, 'x');
    size_t at = lp_wire_head(&out, LP_WIRE_EXEC, 0);
    lp_wire_add(&out, "arg", value.text);
    assert_int_equal(lp_wire_seal(&out, at, &err), LP_EFULL);
    assert_int_equal(out.bytes, 0); // nothing of it is left behind
    at = lp_wire_head(&out, LP_WIRE_EXEC, 0);
    value.text[LP_WIRE_PAYLOAD_MAX - 5] = '\0'; // with "arg=" and its NUL just the bound
    lp_wire_add(&out, "arg", value.text);
    assert_int_equal(lp_wire_seal(&out, at, &err), 0);
    assert_int_equal(lp_wire_parse(out.text, out.bytes, &frame), out.bytes);
    // Longer is refused as soon as the length is known.
    assert_int_equal(lp_wire_parse("\x01\x00\x10\x00", 4, &frame), LP_ECORRUPT);
    assert_int_equal(lp_wire_parse("\x00\x00\x10\x00", 4, &frame), 0);
    lp_str_release(&out);
    lp_str_release(&value);
}

static void test_malformed_fields(void **state)
{
    static const struct {
        const char *payload;
        size_t bytes;
    } bad[] = {{"a=b", 3}, {"=b", 3}, {"ab", 3}, {"", 1}, {"a=b\0c", 5}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lp_wire_frame frame = {.payload = bad[i].payload, .bytes = bad[i].bytes};
        struct lp_wire_field field;
        size_t cursor = 0;
        int more = 1;
        while (more > 0)
            more = lp_wire_next(&frame, &cursor, &field);
        assert_int_equal(more, LP_ECORRUPT);
    }
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",    "-",   " 1", "+1",  "1 ",
                                      "0x1", "101", "-1", "1e1", "99999999999999999999"};
    int64_t number = 55;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lp_wire_field field = {"n", 1, bad[i]};
        assert_int_equal(lp_wire_number(&field, 0, 100, &number), LP_ECORRUPT);
        assert_int_equal(number, 55);
    }
    assert_int_equal(lp_wire_number(&(struct lp_wire_field){"n", 1, "-3"}, -5, 0, &number), 0);
    assert_int_equal(number, -3);
    assert_int_equal(lp_wire_number(&(struct lp_wire_field){"n", 1, "100"}, 0, 100, &number), 0);
    assert_int_equal(number, 100);
}

static void test_phase_words(void **state)
{
    enum lp_init_phase phase;
    (void)state;
    for (int i = LP_INIT_IDLE; i <= LP_INIT_UNSTARTED; i++) {
        assert_int_equal(lp_init_phase_parse(lp_init_phase_word((enum lp_init_phase)i), &phase), 0);
        assert_int_equal((int)phase, i);
    }
    assert_int_equal(lp_init_phase_parse("dozing", &phase), LP_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_round_trip), cmocka_unit_test(test_bytes_on_the_wire),
        cmocka_unit_test(test_too_long),          cmocka_unit_test(test_malformed_fields),
        cmocka_unit_test(test_numbers),           cmocka_unit_test(test_phase_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
