// Fuzzer of the templates: what check accepts, render renders (or says what is missing); what check
// refuses, render refuses; messages carry a place.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "model/limits.h"
#include "model/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static size_t find_nodes(const void *world, const char *service,
                         const struct lp_template_node **ret_nodes)
{
    static const struct lp_template_node nodes[] = {{"a-1", 1}, {"a-2", 2}, {"a-3", UINT32_MAX}};
    (void)world;
    *ret_nodes = nodes;
    return strlen(service) % 4;
}

static const char *find_variable(const void *world, const char *name)
{
    (void)world;
    return name[0] == 'X' ? NULL : "value";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct lp_template_world world = {.find_nodes = find_nodes,
                                                   .find_variable = find_variable,
                                                   .node = "a-1",
                                                   .service = "a",
                                                   .infra = "demo"};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str out = {0};
    struct lp_texts services = {0};
    struct lp_err err = {0};
    const char *text = lp_arena_text_n(&arena, (const char *)data, bytes);
    int checked = lp_template_check(text, &arena, &services, &err);
    assert(checked == 0 || (err.text[0] >= '1' && err.text[0] <= '9'));
    lp_str_add(&out, "before");
    int rendered = lp_template_render(text, &world, &out, &err);
    assert(checked == 0 || rendered < 0);
    assert(rendered == 0 || strcmp(lp_str_text(&out), "before") == 0);
    assert(out.bytes <= LP_TEMPLATE_BYTES_MAX + 6);
    return 0;
}
