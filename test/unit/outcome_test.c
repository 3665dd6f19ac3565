// Tests of the figures of a load, on samples that a person can count.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "core/outcome.h"
#include "core/outcome_set.h"

enum { MS = 1000, SECOND = 1000 * 1000, MOST = 4000 };

static int64_t scratch[LP_OUTCOME_SCRATCH * MOST];

static struct lp_sample sample_of(int64_t scheduled_us, enum lp_ending ending, int64_t latency_us)
{
    bool is_answered = ending == LP_END_GOOD || ending == LP_END_STATUS;
    return (struct lp_sample){.scheduled_us = scheduled_us,
                              .sent_us = ending == LP_END_NOT_SENT ? -1 : scheduled_us,
                              .answered_us = is_answered ? scheduled_us + latency_us : -1,
                              .status = is_answered ? 200 : 0,
                              .ending = (uint8_t)ending};
}

static struct lp_outcome_input input_of(const struct lp_sample *samples, size_t count,
                                        int64_t end_us)
{
    return (struct lp_outcome_input){.samples = samples,
                                     .count = count,
                                     .end_us = end_us,
                                     .delayed_after_us = 100 * MS,
                                     .marks = LP_OUTCOME_NO_MARKS,
                                     .scratch = scratch};
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct lp_outcome outcome;
    struct lp_outcome_input input = input_of(NULL, 0, 10 * SECOND);
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.requests, 0);
    assert_int_equal(outcome.availability_ppm, 0);
    assert_int_equal(outcome.latency.p50_us, -1);
    assert_int_equal(outcome.longest_gap_us, 0);
    assert_int_equal(outcome.to_full_us, -1);
}

// Ten requests, one each 100 ms from 0 on; each answered after 10 ms but the fourth (not sent),
// the fifth (404) and the tenth (150 ms: delayed, and its answer is the last).
static void requests_are_counted(void **state)
{
    (void)state;
    struct lp_sample samples[12];
    struct lp_outcome outcome;
    for (int i = 0; i < 10; i++)
        samples[i] = sample_of(i * 100 * MS, LP_END_GOOD, 10 * MS);
    samples[3] = sample_of(300 * MS, LP_END_NOT_SENT, 0);
    samples[4] = sample_of(400 * MS, LP_END_STATUS, 10 * MS);
    samples[9] = sample_of(900 * MS, LP_END_GOOD, 150 * MS);
    samples[10] = sample_of(950 * MS, LP_END_ABORTED, 0);
    samples[11] = sample_of(2000 * MS, LP_END_KEPT, 0);
    struct lp_outcome_input input = input_of(samples, 12, 1 * SECOND);
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.requests, 10);
    assert_int_equal(outcome.good, 8);
    assert_int_equal(outcome.failed, 2);
    assert_int_equal(outcome.delayed, 1);
    assert_int_equal(outcome.endings[LP_END_NOT_SENT], 1);
    assert_int_equal(outcome.endings[LP_END_ABORTED], 1);
    assert_int_equal(outcome.availability_ppm, 800000);
    assert_int_equal(outcome.seconds, 1);
    assert_int_equal(outcome.good_seconds, 0);
    // Good replies at 10, 110, 210, then 510: 300 ms without one.
    assert_int_equal(outcome.longest_gap_us, 300 * MS);
    assert_int_equal(outcome.longest_gap_from_us, 210 * MS);
    assert_int_equal(outcome.latency.count, 8);
    assert_int_equal(outcome.latency.p50_us, 10 * MS);
    assert_int_equal(outcome.latency.max_us, 150 * MS);
    assert_int_equal(outcome.before.count, 8); // there was no fault
    assert_int_equal(outcome.during.count, 0);
}

static void seconds_are_good_or_not(void **state)
{
    (void)state;
    // Seconds 0, 2 and 5 have requests; one of second 2's fails. Seconds 1, 3 and 4 have none.
    const struct lp_sample samples[] = {
        sample_of(2500 * MS, LP_END_TIMEOUT, 0), sample_of(100 * MS, LP_END_GOOD, 1),
        sample_of(2000 * MS, LP_END_GOOD, 1), sample_of(5999 * MS, LP_END_GOOD, 1),
        sample_of(999 * MS, LP_END_GOOD, 1)};
    struct lp_outcome outcome;
    struct lp_outcome_input input = input_of(samples, 5, 6 * SECOND);
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.seconds, 3);
    assert_int_equal(outcome.good_seconds, 2);
    assert_int_equal(outcome.availability_seconds_ppm, 666666);
    assert_int_equal(outcome.longest_gap_from_us, 2000 * MS + 1);
    assert_int_equal(outcome.longest_gap_us, 3999 * MS);
}

static void percentiles_are_nearest_rank(void **state)
{
    (void)state;
    struct lp_sample samples[1000];
    struct lp_outcome outcome;
    for (int i = 0; i < 1000; i++) { // latencies 1000, 999, ... 1 us; each 7 us late
        samples[i] = sample_of(i * MS, LP_END_GOOD, 1000 - i);
        samples[i].sent_us += i % 2 ? 7 : 700000;
        samples[i].flags = i % 2 ? LP_SAMPLE_HAD_CONNECTION : 0;
    }
    struct lp_outcome_input input = input_of(samples, 1000, SECOND);
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.latency.p50_us, 500);
    assert_int_equal(outcome.latency.p99_us, 990);
    assert_int_equal(outcome.latency.p999_us, 999);
    assert_int_equal(outcome.latency.max_us, 1000);
    assert_int_equal(outcome.lateness.count, 500); // who waited for a connection is not counted
    assert_int_equal(outcome.lateness.p50_us, 7);
    assert_int_equal(outcome.lateness.max_us, 7);
}

// 100 requests a second for 10 s. From 3 s to 4.5 s all fail; from 4.5 s to 6 s every second one.
static size_t outage_make(struct lp_sample *samples)
{
    for (int i = 0; i < 1000; i++) {
        int64_t at_us = (int64_t)i * 10 * MS;
        bool is_out = at_us >= 3000 * MS && at_us < 4500 * MS;
        bool is_half = at_us >= 4500 * MS && at_us < 6000 * MS && i % 2 == 1;
        int64_t latency_us = at_us < 3000 * MS ? MS : at_us < 6000 * MS ? 3 * MS : 2 * MS;
        samples[i] = sample_of(at_us, is_out || is_half ? LP_END_CONNECT : LP_END_GOOD, latency_us);
    }
    return 1000;
}

static void a_fault_is_measured(void **state)
{
    (void)state;
    static struct lp_sample samples[1000];
    struct lp_outcome outcome;
    struct lp_outcome_input input = input_of(samples, outage_make(samples), 10 * SECOND);
    input.marks = (struct lp_outcome_marks){.fault_us = 2990 * MS,
                                            .effect_us = 2995 * MS,
                                            .detected_us = 3200 * MS,
                                            .repaired_us = 4490 * MS};
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.failed, 150 + 75);
    assert_int_equal(outcome.to_effect_us, 5 * MS);
    assert_int_equal(outcome.to_detect_us, 210 * MS);
    assert_int_equal(outcome.to_repair_us, 1500 * MS);
    assert_int_equal(outcome.to_first_failure_us, 10 * MS);         // 3.00 s
    assert_int_equal(outcome.to_last_failure_us, 3000 * MS);        // 5.99 s
    assert_int_equal(outcome.to_first_good_us, 1510 * MS + 3 * MS); // 4.50 s, answered 3 ms later
    // The first second with 95 good replies to 100 arrivals begins at 5.883 s: six of 5.88, 5.90,
    // ... 5.98 s (3 ms later), and 89 of 6.00, 6.01, ... 6.88 s (2 ms later). The one from 5.863 s
    // on has seven and 87.
    assert_int_equal(outcome.to_full_us, 5883 * MS - 2990 * MS);
    // 0 to 2.98 s; 2.99 to 4.48 s, of which the one at 2.99 s was good; from 4.49 s on.
    assert_int_equal(outcome.before.count, 299);
    assert_int_equal(outcome.before.p99_us, MS);
    assert_int_equal(outcome.during.count, 1);
    assert_int_equal(outcome.after.count, 75 + 400);
    assert_int_equal(outcome.after.p50_us, 2 * MS);
    assert_int_equal(outcome.after.max_us, 3 * MS);
    assert_int_equal(outcome.longest_gap_from_us, 2991 * MS);
    assert_int_equal(outcome.longest_gap_us, 4503 * MS - 2991 * MS);
    // When nobody has seen the effect, the first failure shows it: the good one at 2.99 s is no
    // sign of repair.
    input.marks.effect_us = -1;
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.to_first_good_us, 1510 * MS + 3 * MS);
    // Without the repair's mark, "during" lasts to full throughput.
    input.marks.repaired_us = -1;
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.to_repair_us, -1);
    assert_int_equal(outcome.during.count, 1 + 70); // 4.50 s to 5.88 s, every second one
}

static void full_throughput_must_hold(void **state)
{
    (void)state;
    static struct lp_sample samples[1000];
    struct lp_outcome outcome;
    struct lp_outcome_input input = input_of(samples, outage_make(samples), 10 * SECOND);
    input.marks.fault_us = 3000 * MS;
    input.end_us = 6500 * MS; // the plan ended before it had held for a second
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.to_full_us, -1);
    input.end_us = 10 * SECOND;
    input.marks.fault_us = 7000 * MS; // a fault that nobody noticed
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.to_first_failure_us, -1);
    assert_int_equal(outcome.to_last_failure_us, -1);
    assert_int_equal(outcome.to_first_good_us, 2 * MS);
    assert_int_equal(outcome.to_full_us, 2 * MS);
}

// A kill whose effect nobody saw: one reply is on its way when it is ordered, 40 ms fail. That is
// less than the share that a full second may lack, and yet nothing was served in it.
static void a_short_outage_is_not_over_before_it_begins(void **state)
{
    (void)state;
    static struct lp_sample samples[1000];
    struct lp_outcome outcome;
    for (int i = 0; i < 1000; i++)
        samples[i] = sample_of((int64_t)i * 10 * MS,
                               i >= 300 && i < 304 ? LP_END_CONNECT : LP_END_GOOD, 5 * MS);
    struct lp_outcome_input input = input_of(samples, 1000, 10 * SECOND);
    input.marks.fault_us = 2994 * MS;
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.failed, 4);
    assert_int_equal(outcome.to_first_good_us, 3045 * MS - 2994 * MS); // that of 3.04 s
    assert_int_equal(outcome.to_full_us, outcome.to_first_good_us);
    // Nothing good until the end: not full either.
    for (int i = 304; i < 1000; i++)
        samples[i].ending = LP_END_CONNECT;
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.to_first_good_us, -1);
    assert_int_equal(outcome.to_full_us, -1);
}

static void writes_are_kept_lost_or_unread(void **state)
{
    (void)state;
    struct lp_sample samples[9];
    struct lp_outcome outcome;
    for (uint32_t i = 0; i < 5; i++) { // four of five are acknowledged
        samples[i] = sample_of(i * MS, i == 4 ? LP_END_TIMEOUT : LP_END_GOOD, 1);
        samples[i].write = i + 1;
    }
    samples[5] = sample_of(SECOND, LP_END_KEPT, 1);
    samples[6] = sample_of(SECOND, LP_END_LOST, 1);
    samples[7] = sample_of(SECOND, LP_END_KEPT, 1);
    samples[8] = sample_of(SECOND, LP_END_UNREAD, 1);
    for (uint32_t i = 5; i < 9; i++)
        samples[i].write = i - 4;
    struct lp_outcome_input input = input_of(samples, 9, 5 * MS);
    lp_outcome_count(&input, &outcome);
    assert_int_equal(outcome.requests, 5);
    assert_int_equal(outcome.acknowledged, 4);
    assert_int_equal(outcome.kept, 2);
    assert_int_equal(outcome.lost, 1);
    assert_int_equal(outcome.unread, 1);
}

static void the_course_is_told_by_seconds(void **state)
{
    (void)state;
    const struct lp_sample samples[] = {
        sample_of(0, LP_END_GOOD, 5 * MS),           sample_of(990 * MS, LP_END_GOOD, 20 * MS),
        sample_of(1500 * MS, LP_END_CLOSED, 0),      sample_of(500 * MS, LP_END_GOOD, 3 * MS),
        sample_of(2500 * MS, LP_END_GOOD, 700 * MS), // answered behind the last row
    };
    struct lp_outcome_step rows[3];
    struct lp_outcome_input input = input_of(samples, 5, 3 * SECOND);
    lp_outcome_series(&input, SECOND, rows, 3);
    assert_int_equal(rows[0].offered, 3);
    assert_int_equal(rows[0].good, 2);
    assert_int_equal(rows[0].p50_us, 3 * MS);
    assert_int_equal(rows[0].max_us, 5 * MS);
    assert_int_equal(rows[1].offered, 1);
    assert_int_equal(rows[1].failed, 1);
    assert_int_equal(rows[1].good, 1);
    assert_int_equal(rows[1].p99_us, 20 * MS);
    assert_int_equal(rows[2].offered, 1);
    assert_int_equal(rows[2].failed, 0);
    assert_int_equal(rows[2].good, 0);
    assert_int_equal(rows[2].max_us, -1);
    lp_outcome_series(&input, 500 * MS, rows, 3);
    assert_int_equal(rows[0].offered, 1);
    assert_int_equal(rows[1].offered, 2);
    assert_int_equal(rows[1].max_us, 3 * MS);
    assert_int_equal(rows[2].max_us, 20 * MS);
}

static void the_order_of_samples_does_not_matter(void **state)
{
    (void)state;
    static struct lp_sample samples[1000];
    struct lp_outcome first, again;
    struct lp_rng rng;
    struct lp_outcome_input input = input_of(samples, outage_make(samples), 10 * SECOND);
    input.marks.fault_us = 2990 * MS;
    memset(&first, 0, sizeof(first));
    memset(&again, 0, sizeof(again));
    lp_outcome_count(&input, &first);
    lp_rng_init(&rng, 7);
    for (size_t i = 1000; i > 1; i--) {
        size_t other = lp_rng_below(&rng, i);
        struct lp_sample moved = samples[i - 1];
        samples[i - 1] = samples[other];
        samples[other] = moved;
    }
    lp_outcome_count(&input, &again);
    assert_memory_equal(&first, &again, sizeof(first));
}

static void values_are_sorted(void **state)
{
    (void)state;
    int64_t values[] = {5, -1, INT64_MAX, 0, INT64_MIN, 256, 5, -300}, spare[8];
    const int64_t wanted[] = {INT64_MIN, -300, -1, 0, 5, 5, 256, INT64_MAX};
    lp_outcome_sort(values, 8, spare);
    assert_memory_equal(values, wanted, sizeof(wanted));
    lp_outcome_sort(values, 0, spare);
}

static void sets_have_a_middle_and_how_sure_it_is(void **state)
{
    (void)state;
    // From tables of the binomial distribution with p = 1/2: n = 20 cuts off 5 values at each side
    // (95.86 %), n = 10 one (97.85 %), n = 6 none (96.87 %), n = 5 cannot reach 95 % (93.75 %).
    static const struct {
        int count, low, high, sure;
    } cases[] = {{20, 6, 15, 958}, {10, 2, 9, 978},   {6, 1, 6, 968},    {5, 1, 5, 937},
                 {1, 1, 1, 0},     {62, 23, 40, 969}, {100, 40, 61, 950}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        int64_t values[100], spare[100];
        struct lp_outcome_set set;
        for (int i = 0; i < cases[c].count; i++) // 1..count, backwards
            values[i] = cases[c].count - i;
        lp_outcome_set_count(values, (size_t)cases[c].count, spare, &set);
        assert_int_equal(set.median, (cases[c].count + 1) / 2);
        assert_int_equal(set.low, cases[c].low);
        assert_int_equal(set.high, cases[c].high);
        assert_int_equal(set.sure_permille, cases[c].sure);
        assert_int_equal(set.least, 1);
        assert_int_equal(set.p95, (cases[c].count * 95 + 99) / 100);
    }
}

static void sets_are_compared(void **state)
{
    (void)state;
    static int64_t room[2 * 20 * 20];
    int64_t slow[20], quick[20];
    for (int i = 0; i < 20; i++) {
        slow[i] = 1000 + i;
        quick[i] = 500 + 2 * i;
    }
    struct lp_outcome_values a = {slow, 20}, b = {quick, 20};
    struct lp_outcome_difference found, none;
    lp_outcome_set_compare(&a, &b, room, &found);
    assert_int_equal(found.difference, -491); // the middle of -500 + 2 k - i, rounded down
    assert_true(found.low < found.difference && found.difference < found.high && found.high < 0);
    lp_outcome_set_compare(&a, &a, room, &none);
    assert_int_equal(none.difference, 0);
    assert_int_equal(none.low, -none.high);
    assert_true(none.low < 0);
}

// From tables of the Mann-Whitney statistic: P(U <= c) for two sets of n and m, c the largest with
// at most 2.5 %; the interval leaves out c pairs at each end.
static void intervals_of_differences_are_those_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        int first, second, cut, sure;
    } cases[] = {{1, 1, 0, 0},     {2, 2, 0, 666},     {3, 3, 0, 900},        {4, 4, 0, 971},
                 {5, 5, 2, 968},   {3, 5, 0, 964},     {8, 8, 13, 950},       {10, 10, 23, 956},
                 {7, 12, 18, 955}, {31, 31, 341, 950}, {200, 200, 17733, 950}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        static int64_t values[2][200], room[2 * 200 * 200];
        struct lp_outcome_values a = {values[0], (size_t)cases[c].first};
        struct lp_outcome_values b = {values[1], (size_t)cases[c].second};
        struct lp_outcome_difference found;
        for (int i = 0; i < 200; i++) { // all differences are different: 0, 1, 2, ...
            values[0][i] = -i;
            values[1][i] = (int64_t)i * cases[c].first;
        }
        lp_outcome_set_compare(&a, &b, room, &found);
        int last = cases[c].first * cases[c].second - 1;
        assert_int_equal(found.low, cases[c].cut);
        assert_int_equal(found.sure_permille, cases[c].sure);
        assert_int_equal(found.low + found.high, last);
        assert_int_equal(found.difference, last / 2);
    }
}

// Sets drawn from one distribution differ by nothing: the interval must have 0 in it as often as it
// claims, here with a lopsided distribution and few values.
static void intervals_of_differences_are_as_sure_as_they_say(void **state)
{
    (void)state;
    static const size_t counts[] = {3, 5, 8, 20};
    struct lp_rng rng;
    lp_rng_init(&rng, 11);
    for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
        int64_t values[2][20], room[2 * 20 * 20];
        struct lp_outcome_values a = {values[0], counts[c]}, b = {values[1], counts[c]};
        struct lp_outcome_difference found;
        unsigned hits = 0;
        for (int round = 0; round < 2000; round++) {
            for (size_t i = 0; i < 2 * counts[c]; i++) {
                uint64_t even = lp_rng_below(&rng, 1000) + 1;
                values[i % 2][i / 2] = (int64_t)(1000000000 / (even * even));
            }
            lp_outcome_set_compare(&a, &b, room, &found);
            hits += found.low <= 0 && found.high >= 0;
        }
        unsigned sure = found.sure_permille * 2; // of 2000; four standard errors are 40
        assert_in_range(hits, sure - 60, sure + 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(requests_are_counted),
        cmocka_unit_test(seconds_are_good_or_not),
        cmocka_unit_test(percentiles_are_nearest_rank),
        cmocka_unit_test(a_fault_is_measured),
        cmocka_unit_test(full_throughput_must_hold),
        cmocka_unit_test(a_short_outage_is_not_over_before_it_begins),
        cmocka_unit_test(writes_are_kept_lost_or_unread),
        cmocka_unit_test(the_course_is_told_by_seconds),
        cmocka_unit_test(the_order_of_samples_does_not_matter),
        cmocka_unit_test(values_are_sorted),
        cmocka_unit_test(sets_have_a_middle_and_how_sure_it_is),
        cmocka_unit_test(sets_are_compared),
        cmocka_unit_test(intervals_of_differences_are_those_of_the_tables),
        cmocka_unit_test(intervals_of_differences_are_as_sure_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
