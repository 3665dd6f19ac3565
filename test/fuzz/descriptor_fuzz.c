// Fuzzer of the descriptor: no bytes may crash the parser, and what it accepts must survive
// printing and reading back, byte for byte.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct lp_mistakes mistakes;

static int parse(const char *text, size_t bytes, bool is_canonical, struct lp_arena *arena,
                 const struct lp_descriptor **ret_descriptor)
{
    static struct lp_pair pairs[] = {{"NAME", "world"}, {"EMPTY", ""}, {"PASSWORD", "$NAME ${"}};
    const struct lp_pairs environment = {pairs, sizeof(pairs) / sizeof(*pairs)};
    const struct lp_parse_input input = {.path = "/nowhere/fuzz.yaml",
                                         .text = text,
                                         .bytes = bytes,
                                         .environment = is_canonical ? NULL : &environment,
                                         .is_canonical = is_canonical};
    struct lp_err err;
    int code = lp_descriptor_parse(&input, arena, &mistakes, ret_descriptor, &err);
    lp_assert((code == 0) == (mistakes.count == 0));
    for (size_t i = 0; i < mistakes.count; i++)
        lp_assert(*mistakes.items[i].text && mistakes.items[i].line >= 0);
    return code;
}

static void check_round_trip(const struct lp_descriptor *descriptor)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0}, again = {0};
    const struct lp_descriptor *copy = NULL;
    lp_descriptor_print(descriptor, &text);
    if (parse(lp_str_text(&text), text.bytes, true, &arena, &copy) < 0) {
        fprintf(stderr, "refused: %s\n%s\n", mistakes.items[0].text, lp_str_text(&text));
        abort();
    }
    lp_descriptor_print(copy, &again);
    if (strcmp(lp_str_text(&text), lp_str_text(&again)) != 0) {
        fprintf(stderr, "first:\n%s\nthen:\n%s\n", lp_str_text(&text), lp_str_text(&again));
        abort();
    }
    for (size_t i = 0; i < copy->service_count; i++) {
        lp_assert(copy->services[i].node_hash == descriptor->services[i].node_hash);
        lp_assert(copy->services[i].files_hash == descriptor->services[i].files_hash);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int is_canonical = 0; is_canonical < 2; is_canonical++) {
        LP_OWNS_ARENA struct lp_arena arena = {0};
        const struct lp_descriptor *descriptor = NULL;
        if (parse((const char *)data, bytes, is_canonical, &arena, &descriptor) == 0)
            check_round_trip(descriptor);
    }
    return 0;
}
