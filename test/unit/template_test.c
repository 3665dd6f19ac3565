// Tests of the template language: what it prints, and where it says that a mistake is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "model/limits.h"
#include "model/template.h"

static const struct lp_template_node webs[] = {{"web-1", 0x0a000002}, {"web-2", 0x0a000003}};
static const struct lp_template_node dbs[] = {{"db-1", 0x0a0100fe}};

static size_t find_nodes(const void *world, const char *service,
                         const struct lp_template_node **ret_nodes)
{
    assert_ptr_equal(world, webs);
    if (strcmp(service, "web") == 0) {
        *ret_nodes = webs;
        return 2;
    }
    *ret_nodes = dbs;
    return strcmp(service, "db") == 0;
}

static const char *find_variable(const void *world, const char *name)
{
    (void)world;
    return strcmp(name, "LEVEL") == 0 ? "debug" : NULL;
}

static const struct lp_template_world world = {.world = webs,
                                               .find_nodes = find_nodes,
                                               .find_variable = find_variable,
                                               .node = "web-2",
                                               .service = "web",
                                               .infra = "demo"};

static void prints(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain } }} { text\n", "plain } }} { text\n"},
        {"{{ address db }}", "10.1.0.254"},
        {"{{address web}}", "10.0.0.2"},
        {"a={{ addresses web }};", "a=10.0.0.2,10.0.0.3;"},
        {"a={{ addresses none }};", "a=;"},
        {"{{ node }} {{ service }} {{ infra }} {{ env LEVEL }}", "web-2 web demo debug"},
        {"{{ each web }}{{ .name }}={{ .address }} {{ end }}!", "web-1=10.0.0.2 web-2=10.0.0.3 !"},
        {"{{ each none }}{{ .name }}{{ each web }}x{{ end }}{{ end }}!", "!"},
        {"{{ each web }}{{ each db }}{{ .name }}{{ end }}<{{ .name }}>{{ end }}",
         "db-1<web-1>db-1<web-2>"},
        // A loop's tag alone on its line leaves no line behind, also at the end of the text.
        {"begin\n  {{ each web }}\n  s {{ .name }}\n  {{ end }}\nlast",
         "begin\n  s web-1\n  s web-2\nlast"},
        {"{{ each web }}\nx\n{{ end }}", "x\nx\n"},
        {"{{ each none }}\nx\n{{ end }}\ny", "y"},
        {"{{ each web }} \n{{ .name }}\n{{ end }}", "web-1\nweb-2\n"},
        {"{{ \"{{ .Values.x }}\" }}", "{{ .Values.x }}"},
        {"gr\xc3\xbc\xc3\x9f {{ node }}", "gr\xc3\xbc\xc3\x9f web-2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_STR struct lp_str out = {0};
        struct lp_err err = {0};
        assert_int_equal(lp_template_check(cases[i].in, NULL, NULL, &err), 0);
        assert_int_equal(lp_template_render(cases[i].in, &world, &out, &err), 0);
        assert_string_equal(lp_str_text(&out), cases[i].out);
    }
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *in, *text;
    } cases[] = {
        {"a\nb {{ adress db }}", "2:6: unknown word 'adress', did you mean 'address'?"},
        {"\xc3\xbc {{ evn X }}", "1:6: unknown word 'evn', did you mean 'env'?"},
        {"{{ address db", "1:1: '{{' is not closed by '}}' on its line"},
        {"{{ address\n db }}", "1:11: 'address' needs the name of a service"},
        {"{{", "1:1: '{{' is not closed by '}}' on its line"},
        {"{{ }}", "1:4: a word is missing after '{{'"},
        {"{{ each }}x{{ end }}", "1:9: 'each' needs the name of a service"},
        {"{{ node db }}", "1:9: '}}' is expected here"},
        {"{{ end }}", "1:1: 'end' without 'each' before it"},
        {"\n\n{{ each web }}", "3:1: 'each web' has no 'end'"},
        {"{{ .name }}", "1:1: '.name' means something only between 'each' and 'end'"},
        {"{{ \"x }}", "1:4: the quoted text does not end on its line"},
        {"{{each a}}{{each a}}{{each a}}{{each a}}{{each a}}",
         "1:41: 'each' is nested deeper than 4"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        LP_OWNS_STR struct lp_str out = {0};
        struct lp_err err = {0};
        assert_int_equal(lp_template_check(cases[i].in, NULL, NULL, &err), LP_EINPUT);
        assert_string_equal(err.text, cases[i].text);
        assert_true(lp_template_render(cases[i].in, &world, &out, &err) < 0);
        assert_int_equal(out.bytes, 0);
    }
}

static void unknown_words_without_a_neighbour_list_the_right_ones(void **state)
{
    (void)state;
    struct lp_err err = {0};
    assert_int_equal(lp_template_check("{{ if x }}", NULL, NULL, &err), LP_EINPUT);
    assert_non_null(strstr(err.text, "there are address, addresses, each"));
}

static void what_is_missing_is_said_when_rendering(void **state)
{
    (void)state;
    LP_OWNS_STR struct lp_str out = {0};
    struct lp_err err = {0};
    lp_str_add(&out, "kept");
    assert_int_equal(lp_template_render("x {{ address none }}", &world, &out, &err), LP_EINPUT);
    assert_string_equal(err.text, "1:3: service 'none' has no node yet");
    assert_int_equal(lp_template_render("{{ env NOPE }}", &world, &out, &err), LP_EINPUT);
    assert_string_equal(err.text, "1:1: the variable 'NOPE' is not set");
    assert_string_equal(lp_str_text(&out), "kept");
}

static void services_are_told_once_each(void **state)
{
    (void)state;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_texts services = {0};
    struct lp_err err = {0};
    const char *text = "{{ address db }}{{ each web }}{{ end }}{{ addresses db }}{{ env db2 }}";
    assert_int_equal(lp_template_check(text, &arena, &services, &err), 0);
    assert_int_equal(services.count, 2);
    assert_string_equal(services.items[0], "db");
    assert_string_equal(services.items[1], "web");
}

static size_t many_nodes(const void *nothing, const char *service,
                         const struct lp_template_node **ret_nodes)
{
    static struct lp_template_node nodes[10000];
    (void)nothing, (void)service;
    for (size_t i = 0; i < 10000; i++)
        nodes[i] = (struct lp_template_node){"a-node-with-a-name", 1};
    *ret_nodes = nodes;
    return 10000;
}

static void output_and_work_are_bounded(void **state)
{
    (void)state;
    struct lp_template_world big = world;
    big.find_nodes = many_nodes;
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str out = {0};
    const char *prints_much = "{{ each a }}{{ each a }}{{ .name }}{{ end }}{{ end }}";
    assert_int_equal(lp_template_render(prints_much, &big, &out, &err), LP_EFULL);
    const char *prints_nothing = "{{ each a }}{{ each a }}{{ end }}{{ end }}";
    assert_int_equal(lp_template_render(prints_nothing, &big, &out, &err), LP_EFULL);
    assert_int_equal(out.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(unknown_words_without_a_neighbour_list_the_right_ones),
        cmocka_unit_test(what_is_missing_is_said_when_rendering),
        cmocka_unit_test(services_are_told_once_each),
        cmocka_unit_test(output_and_work_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
