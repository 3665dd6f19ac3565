// Fuzzer of the plan of a load: no bytes may crash its reader, and what it accepts survives
// printing and reading back, byte for byte, and has as many arrivals as it says.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/load.h"
#include "model/parse_mistake.h"

enum { ARRIVALS_TRIED = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lp_mistakes mistakes;

static void arrivals_check(const struct lp_load *load)
{
    struct lp_load_arrivals arrivals = {.load = load};
    uint64_t total = lp_load_total(load), count = 0;
    int64_t at_us, before_us = 0;
    for (; count < ARRIVALS_TRIED && lp_load_next(&arrivals, &at_us); count++, before_us = at_us)
        lp_assert(at_us >= before_us && at_us <= lp_load_span_us(load));
    lp_assert(count == (total < ARRIVALS_TRIED ? total : ARRIVALS_TRIED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str first = {0};
    LP_OWNS_STR struct lp_str again = {0};
    struct lp_load load, copy;
    struct lp_err err;
    uint8_t order[LP_LOAD_SHARES_MAX];
    lp_str_add_n(&text, (const char *)data, size);
    if (lp_load_read("fuzz", &text, &arena, &mistakes, &load, &err) < 0) {
        lp_assert(mistakes.count > 0);
        return 0;
    }
    lp_assert(mistakes.count == 0 && load.request_count > 0 && load.stage_count > 0);
    lp_assert(lp_load_round(&load, order) >= load.request_count);
    arrivals_check(&load);
    lp_load_print(&load, &first);
    if (lp_load_read("printed", &first, &arena, &mistakes, &copy, &err) < 0) {
        fprintf(stderr, "refused: %s\n%s\n", err.text, lp_str_text(&first));
        abort();
    }
    lp_load_print(&copy, &again);
    if (strcmp(lp_str_text(&first), lp_str_text(&again)) != 0) {
        fprintf(stderr, "first:\n%s\nthen:\n%s\n", lp_str_text(&first), lp_str_text(&again));
        abort();
    }
    return 0;
}
