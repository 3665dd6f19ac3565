// Counts of what follows what, the model file, and synthetic logs.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/str.h"
#include "log_fixture.h"
#include "logs/log2.h"

// (m / 2048)^512 by repeated squaring, as mantissa and exponent of 2; rounded down each time.
static void power_512(uint64_t m, uint64_t *ret_mantissa, int *ret_exponent)
{
    int exponent = -11;
    while (!(m >> 63)) {
        m <<= 1;
        exponent--;
    }
    for (int i = 0; i < 9; i++) {
        unsigned __int128 square = (unsigned __int128)m * m;
        exponent = 2 * exponent + 64;
        m = (uint64_t)(square >> 64);
        if (!(m >> 63)) {
            m = (uint64_t)(square >> 63);
            exponent--;
        }
    }
    *ret_mantissa = m;
    *ret_exponent = exponent + 63; // the highest bit counts 2^this
}

static void test_log2_table(void **state)
{
    (void)state;
    // table[i] = k means 2^(2k-1) <= (1 + i/2048)^512 < 2^(2k+1).
    for (uint64_t i = 0; i < 2048; i++) {
        uint64_t mantissa;
        int exponent;
        power_512(2048 + i, &mantissa, &exponent);
        int64_t k = lp_log2(2048 + i) - 11 * 256;
        assert_true(2 * k - 1 <= exponent && exponent < 2 * k + 1);
    }
    assert_int_equal(lp_log2(1), 0);
    assert_int_equal(lp_log2(3), 406); // 1.58496 * 256 = 405.75
    assert_int_equal(lp_log2((unsigned __int128)1 << 127), 127 * 256);
    for (uint64_t i = 1; i < 100000; i++)
        assert_true(lp_log2(i) <= lp_log2(i + 1));
}

static void test_counts(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    train(model, "ABACAB");
    uint16_t a = state_of(model, 'A'), b = state_of(model, 'B'), c = state_of(model, 'C');
    assert_int_equal(lp_log_model_count(model, a), 3);
    assert_int_equal(lp_log_model_count(model, b), 1); // the last B has no next line
    assert_int_equal(lp_log_model_pairs(model, a, b), 2);
    assert_int_equal(lp_log_model_pairs(model, a, c), 1);
    assert_int_equal(lp_log_model_pairs(model, c, a), 1);
    assert_int_equal(lp_log_model_pairs(model, b, c), 0);
    // Windows of A B A C, B A C A, A C A B: ahead of A stand B and C, then C and B.
    struct lp_log_pair pair = lp_log_pairs_find(&model->counts.pairs, lp_log_pair_key(a, b));
    assert_int_equal(pair.ahead, 2);
    assert_int_equal(pair.behind, 1);
    struct lp_log_row row = lp_log_counts_row(&model->counts, a);
    assert_int_equal(row.count, 3);
    assert_int_equal(row.distinct, 2);
    assert_int_equal(row.ahead, 2);
    assert_int_equal(row.behind, 1);
    assert_int_equal(row.first, 1);
    lp_log_model_close(model);
}

static void assert_same(const struct lp_log_model *a, const struct lp_log_model *b)
{
    struct lp_str x = {0}, y = {0};
    lp_log_model_print(a, &x);
    lp_log_model_print(b, &y);
    assert_int_equal(x.bytes, y.bytes);
    assert_memory_equal(x.text, y.text, x.bytes);
    lp_str_release(&x);
    lp_str_release(&y);
}

// Counted at once with the cache of windows, and line by line.
static void test_counts_stepwise(void **state)
{
    (void)state;
    struct lp_log_model *whole = model_open(), *steps = model_open();
    struct lp_log_lines lines = lines_random(whole, 7, 20000);
    struct lp_log_lines again = lines_random(steps, 7, 20000);
    assert_int_equal(lines.count, again.count);
    lp_log_model_train(whole, &lines, 0, lines.count);
    for (size_t i = 0; i < again.count; i++) {
        size_t known = i + 1 < 4 ? i + 1 : 4;
        lp_log_counts_step(&steps->counts, again.states + i + 1 - known, known);
    }
    assert_same(whole, steps);
    lp_log_lines_release(&lines);
    lp_log_lines_release(&again);
    lp_log_model_close(whole);
    lp_log_model_close(steps);
}

static void test_doubled(void **state)
{
    (void)state;
    struct lp_log_model *once = model_open(), *twice = model_open();
    train(once, "ABACABDEABAC");
    train(twice, "ABACABDEABACABACABDEABAC");
    assert_int_equal(lp_log_states_count(lp_log_model_states(once)),
                     lp_log_states_count(lp_log_model_states(twice)));
    uint16_t seam[2] = {state_of(once, 'C'), state_of(once, 'A')};
    for (uint16_t a = 0; a < 5; a++)
        for (uint16_t b = 0; b < 5; b++) {
            uint64_t more = a == seam[0] && b == seam[1];
            assert_int_equal(lp_log_model_pairs(twice, a, b),
                             2 * lp_log_model_pairs(once, a, b) + more);
        }
    lp_log_model_close(once);
    lp_log_model_close(twice);
}

static void test_merge(void **state)
{
    (void)state;
    struct lp_log_model *both = model_open(), *a = model_open(), *b = model_open();
    struct lp_err err;
    train(both, "ABACABDEaAB");
    train(both, "bEDEaABACbbA");
    train(a, "ABACABDEaAB");
    train(b, "bEDEaABACbbA"); // the same templates get other ids here
    assert_int_equal(lp_log_model_merge(a, b, &err), 0);
    assert_same(a, both);
    // One stretch differs from two by the seam alone.
    struct lp_log_model *one = model_open();
    train(one, "ABACABDEaABbEDEaABACbbA");
    uint16_t seam[2] = {state_of(one, 'B'), state_of(one, 'b')};
    for (uint16_t x = 0; x < 7; x++)
        for (uint16_t y = 0; y < 7; y++) {
            uint64_t more = x == seam[0] && y == seam[1];
            assert_int_equal(lp_log_model_pairs(one, x, y), lp_log_model_pairs(both, x, y) + more);
        }
    lp_log_model_close(one);
    lp_log_model_close(both);
    lp_log_model_close(b);
    // Models of different cleaning do not add up.
    const struct lp_log_states_config config = {.format = LP_LOG_FREE, .cleaning = LP_LOG_NUMERALS};
    struct lp_log_model *other = lp_log_model_open(&config);
    assert_int_equal(lp_log_model_merge(a, other, &err), LP_EINPUT);
    lp_log_model_close(other);
    lp_log_model_close(a);
}

// Some lines of one model as those of another, which numbers their templates by itself.
static void train_copy(struct lp_log_model *to, struct lp_log_model *from,
                       const struct lp_log_lines *lines, size_t first, size_t count)
{
    struct lp_log_lines copy = {0};
    for (size_t i = first; i < first + count; i++) {
        struct lp_log_template is = lp_log_states_get(lp_log_model_states(from), lines->states[i]);
        lines_add(&copy, lp_log_states_take(lp_log_model_states(to), is.tag, is.text));
    }
    lp_log_model_train(to, &copy, 0, copy.count);
    lp_log_lines_release(&copy);
}

// Wherever a log is cut: the sum of its parts is the log but for the seam.
static void test_merge_anywhere(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct lp_log_model *all = model_open(), *parts = model_open();
        struct lp_log_model *a = model_open(), *b = model_open();
        struct lp_log_lines lines = lines_random(all, seed, 300);
        size_t cut = 1 + seed * 7919 % (lines.count - 1);
        train_copy(parts, all, &lines, 0, cut);
        train_copy(parts, all, &lines, cut, lines.count - cut);
        train_copy(a, all, &lines, 0, cut);
        train_copy(b, all, &lines, cut, lines.count - cut);
        assert_int_equal(lp_log_model_merge(a, b, NULL), 0);
        assert_same(a, parts);
        lp_log_model_train(all, &lines, 0, lines.count);
        size_t count = lp_log_states_count(lp_log_model_states(all));
        for (uint16_t x = 0; x < count; x++)
            for (uint16_t y = 0; y < count; y++) {
                struct lp_log_template from = lp_log_states_get(lp_log_model_states(all), x);
                struct lp_log_template to = lp_log_states_get(lp_log_model_states(all), y);
                uint16_t there =
                    lp_log_states_take(lp_log_model_states(parts), from.tag, from.text);
                uint16_t next = lp_log_states_take(lp_log_model_states(parts), to.tag, to.text);
                uint64_t seam = x == lines.states[cut - 1] && y == lines.states[cut];
                assert_int_equal(lp_log_model_pairs(all, x, y),
                                 lp_log_model_pairs(parts, there, next) + seam);
            }
        struct lp_log_model *models[] = {all, parts, a, b};
        for (size_t i = 0; i < 4; i++)
            lp_log_model_close(models[i]);
        lp_log_lines_release(&lines);
    }
}

static void test_decay(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    train(model, "ABABABABXABABABAB");
    uint16_t a = state_of(model, 'A'), b = state_of(model, 'B'), x = state_of(model, 'X');
    assert_int_equal(lp_log_model_pairs(model, a, b), 8);
    lp_log_model_decay(model);
    assert_int_equal(lp_log_model_pairs(model, a, b), 4);
    assert_int_equal(lp_log_model_count(model, a), 4);
    assert_int_equal(lp_log_model_count(model, x), 0); // seen once: faded
    assert_int_equal(lp_log_model_pairs(model, b, x), 0);
    for (int i = 0; i < 3; i++)
        lp_log_model_decay(model);
    assert_int_equal(model->counts.total, 0);
    assert_int_equal(model->counts.pairs.count, 0);
    lp_log_model_close(model);
}

static void test_full_table(void **state)
{
    (void)state;
    struct lp_log_pairs pairs = {0};
    uint32_t before;
    for (uint32_t i = 0; i < LP_LOG_PAIRS_MAX; i++)
        assert_true(lp_log_pairs_add(&pairs, &(struct lp_log_pair){.key = i * 3}, &before));
    assert_false(lp_log_pairs_add(&pairs, &(struct lp_log_pair){.key = 1}, &before));
    assert_true(lp_log_pairs_add(&pairs, &(struct lp_log_pair){.key = 3}, &before));
    uint32_t last = 3 * (LP_LOG_PAIRS_MAX - 1);
    assert_int_equal(lp_log_pairs_find(&pairs, last).key, last);
    assert_int_equal(lp_log_pairs_find(&pairs, 1).key, LP_LOG_PAIR_NONE);
    assert_int_equal(pairs.slot_count, 1 << 20);
    assert_int_equal(pairs.slot_count * sizeof *pairs.slots, 8 << 20);
    lp_log_pairs_release(&pairs);
}

// Counts of any size add up, of a copy too, and stop at the largest.
static void test_pair_counts(void **state)
{
    (void)state;
    static const uint32_t more[][3] = {{1, 0, 0}, {1022, 3, 0},      {0, 0, 1023},
                                       {1, 0, 0}, {0, 5, 0},         {70000, 1023, 1},
                                       {0, 1, 1}, {UINT32_MAX, 0, 7}};
    struct lp_log_pairs pairs = {0};
    uint64_t next = 0, ahead = 0, behind = 0;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        uint32_t before = 1;
        for (uint32_t key = 0; key < 5000; key++) {
            assert_true(lp_log_pairs_add(
                &pairs, &(struct lp_log_pair){key, more[i][0], more[i][1], more[i][2]}, &before));
            assert_int_equal(before, next);
        }
        next = next + more[i][0] < UINT32_MAX ? next + more[i][0] : UINT32_MAX;
        ahead += more[i][1];
        behind += more[i][2];
        struct lp_log_pairs copy;
        lp_log_pairs_copy(&pairs, &copy);
        for (uint32_t key = 0; key < 5000; key += 7) {
            struct lp_log_pair pair = lp_log_pairs_find(&copy, key);
            assert_int_equal(pair.next, next);
            assert_int_equal(pair.ahead, ahead);
            assert_int_equal(pair.behind, behind);
        }
        lp_log_pairs_release(&copy);
    }
    lp_log_pairs_release(&pairs);
}

static void test_file(void **state)
{
    (void)state;
    char path[] = "/tmp/limpet-model-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct lp_log_model *model = model_open(), *back = NULL;
    struct lp_err err;
    struct lp_log_lines lines = lines_random(model, 3, 3000);
    lp_log_model_train(model, &lines, 0, lines.count);
    assert_int_equal(lp_log_model_save(model, path, &err), 0);
    assert_int_equal(lp_log_model_load(path, &back, &err), 0);
    assert_same(model, back);
    assert_int_equal(back->counts.rows[0].distinct, model->counts.rows[0].distinct);
    unlink(path);
    assert_int_equal(lp_log_model_load(path, &back, &err), LP_ENOTFOUND);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
    lp_log_model_close(back);
}

static void assert_refused(const char *bytes, size_t count, const char *why)
{
    struct lp_log_model *model = NULL;
    struct lp_err err = {0};
    assert_int_equal(lp_log_model_parse(bytes, count, &model, &err), LP_ECORRUPT);
    assert_null(model);
    if (why && !strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void test_damage(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_str text = {0};
    train(model, "ABACab");
    lp_log_model_print(model, &text);
    for (size_t i = 0; i < text.bytes; i++) {
        text.text[i] = (char)(text.text[i] ^ 0x40);
        assert_refused(text.text, text.bytes, NULL);
        text.text[i] = (char)(text.text[i] ^ 0x40);
        assert_refused(text.text, i, NULL);
    }
    lp_str_add_char(&text, '0');
    assert_refused(text.text, text.bytes, "checksum");
    assert_refused("Jun 14 15:16:01 combo", 21, "not a log model");
    text.text[8] = 9;
    assert_refused(text.text, text.bytes, "version 9");
    lp_str_release(&text);
    lp_log_model_close(model);
}

// A walk over a chain resembles the log that the chain was learned from; a foreign log does not.
static void test_walk(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    struct lp_log_lines lines = lines_random(model, 5, 20000), walk = {0};
    lp_log_model_train(model, &lines, 0, lines.count);
    assert_int_equal(lp_log_model_distance_ppm(model, &lines), 0);
    for (size_t i = 0; i < 20000; i++)
        lines_add(&walk, 0);
    lp_log_model_walk(model, 1, walk.states, walk.count);
    uint32_t near_ppm = lp_log_model_distance_ppm(model, &walk);
    assert_true(near_ppm > 0 && near_ppm < 100000);
    uint16_t first = walk.states[0], second = walk.states[1];
    lp_log_model_walk(model, 1, walk.states, walk.count); // the same seed: the same walk
    assert_true(first == walk.states[0] && second == walk.states[1]);
    for (size_t i = 0; i + 1 < walk.count; i++) // no step that the log never took
        assert_true(lp_log_model_pairs(model, walk.states[i], walk.states[i + 1]) ||
                    walk.states[i + 1] == lines.states[0]);
    struct lp_log_lines other = lines_of(model, "AZAZAZAZAZAZ");
    assert_true(lp_log_model_distance_ppm(model, &other) > 900000);
    lp_log_lines_release(&other);
    lp_log_lines_release(&walk);
    lp_log_lines_release(&lines);
    lp_log_model_close(model);
}

// The walk goes on from START at a dead end; without any line there is nothing to say.
static void test_walk_ends(void **state)
{
    (void)state;
    struct lp_log_model *model = model_open();
    uint16_t walk[5];
    lp_log_model_walk(model, 1, walk, 5);
    assert_int_equal(walk[4], LP_LOG_NOTHING);
    train(model, "AB");
    lp_log_model_walk(model, 1, walk, 5);
    const uint16_t expected[5] = {0, 1, 0, 1, 0};
    assert_memory_equal(walk, expected, sizeof walk);
    lp_log_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log2_table),      cmocka_unit_test(test_counts),
        cmocka_unit_test(test_counts_stepwise), cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_merge),           cmocka_unit_test(test_merge_anywhere),
        cmocka_unit_test(test_decay),           cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_pair_counts),     cmocka_unit_test(test_file),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_walk),
        cmocka_unit_test(test_walk_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
