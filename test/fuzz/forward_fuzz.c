// Fuzz the forwarder's file and its answer: what is accepted prints and parses back to the same.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "drivers/network/forward_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void conf_print(const struct lp_forward_conf *conf, struct lp_arena *arena,
                       struct lp_str *ret_text)
{
    struct lp_port_entry *ports =
        lp_arena_new_array(arena, struct lp_port_entry, conf->port_count + 1);
    for (size_t i = 0; i < conf->port_count; i++) {
        const struct lp_forward_port *port = &conf->ports[i];
        ports[i] = (struct lp_port_entry){.host_ip = port->host,
                                          .host_port = port->host_port,
                                          .node_port = port->node_port,
                                          .is_udp = port->is_udp,
                                          .backends = port->backends,
                                          .backend_count = port->backend_count};
    }
    lp_forward_conf_print(conf->netns, conf->revision, ports, conf->port_count, ret_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str one = {0};
    LP_OWNS_STR struct lp_str two = {0};
    struct lp_forward_conf conf;
    struct lp_forward_status status;
    if (lp_forward_conf_parse((const char *)data, size, &arena, &conf, NULL) == 0) {
        conf_print(&conf, &arena, &one);
        lp_assert(lp_forward_conf_parse(lp_str_text(&one), one.bytes, &arena, &conf, NULL) == 0);
        conf_print(&conf, &arena, &two);
        lp_assert(lp_text_equal(lp_str_text(&one), lp_str_text(&two)));
    }
    lp_str_clear(&one);
    lp_str_clear(&two);
    if (lp_forward_status_parse((const char *)data, size, &arena, &status, NULL) == 0) {
        lp_forward_status_print(&status, &one);
        lp_assert(lp_forward_status_parse(lp_str_text(&one), one.bytes, &arena, &status, NULL) ==
                  0);
        lp_forward_status_print(&status, &two);
        lp_assert(lp_text_equal(lp_str_text(&one), lp_str_text(&two)));
    }
    return 0;
}
