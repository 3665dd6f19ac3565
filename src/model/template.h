// The small template of configs, environment and command:
//   {{ address db }}  {{ addresses web }}  {{ each web }} {{ .name }} {{ .address }} {{ end }}
//   {{ env X }}  {{ node }}  {{ service }}  {{ infra }}  {{ "any text, such as {{" }}
// {{ addresses }} are joined by commas. A line that holds nothing but an {{ each }} or {{ end }}
// leaves no line behind.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/descriptor.h"

struct lp_str;

struct lp_template_node {
    const char *name; // "web-1"
    uint32_t address; // as seen from the node that renders; host byte order
};

// The world a template is rendered in; functions get `world` back. Lists are in ordinal order.
struct lp_template_world {
    const void *world;
    // Nodes of a service; returns the count, 0 when it has none (yet).
    size_t (*find_nodes)(const void *world, const char *service,
                         const struct lp_template_node **ret_nodes);
    const char *(*find_variable)(const void *world, const char *name); // {{ env X }}; may be NULL
    const char *node, *service, *infra;
};

// Check the syntax; services mentioned are appended to ret_services (may be NULL; no duplicates).
// On failure err says line and column within the template: "2:14: unknown word 'adress', ...".
LP_MUST_CHECK int lp_template_check(const char *text, struct lp_arena *arena,
                                    struct lp_texts *ret_services, struct lp_err *err);
// Append the rendered text. Fails as check does, when a service has no node for {{ address }}, or
// past LP_TEMPLATE_BYTES_MAX.
LP_MUST_CHECK int lp_template_render(const char *text, const struct lp_template_world *world,
                                     struct lp_str *ret_text, struct lp_err *err);
