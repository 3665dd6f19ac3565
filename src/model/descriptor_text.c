// lp_descriptor_print: the whole file.
#include <arpa/inet.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor_parts.h"

static void name_print(struct lp_str *out, const char *name, size_t index)
{
    if (index)
        lp_str_add_char(out, ',');
    lp_print_text(out, name);
    lp_str_add_char(out, ':');
}

static void networks_print(struct lp_str *out, const struct lp_descriptor *descriptor)
{
    for (size_t i = 0; i < descriptor->network_count; i++) {
        const struct lp_network *network = &descriptor->networks[i];
        name_print(out, network->name, i);
        lp_str_add(out, network->has_nat ? "{\"nat\":true" : "{\"nat\":false");
        if (network->prefix) {
            char text[INET_ADDRSTRLEN];
            struct in_addr in = {htonl(network->subnet)};
            inet_ntop(AF_INET, &in, text, sizeof(text));
            lp_str_printf(out, ",\"ipam\":{\"config\":[{\"subnet\":\"%s/%u\"}]}", text,
                          network->prefix);
        }
        lp_str_add_char(out, '}');
    }
}

static void files_print(struct lp_str *out, const struct lp_descriptor *descriptor)
{
    lp_str_add(out, "},\"configs\":{");
    for (size_t i = 0; i < descriptor->config_count; i++) {
        const struct lp_config *config = &descriptor->configs[i];
        name_print(out, config->name, i);
        lp_str_add(out, "{\"content\":");
        lp_print_text(out, config->content);
        lp_str_add(out, config->is_template ? "}" : ",\"verbatim\":true}");
    }
    lp_str_add(out, "},\"secrets\":{");
    for (size_t i = 0; i < descriptor->secret_count; i++) {
        const struct lp_secret *secret = &descriptor->secrets[i];
        name_print(out, secret->name, i);
        if (secret->file) {
            lp_str_add(out, "{\"file\":");
            lp_print_text(out, secret->file);
            lp_str_add_char(out, '}');
        } else {
            lp_str_add(out, "{\"has_content\":true}");
        }
    }
}

void lp_descriptor_print(const struct lp_descriptor *descriptor, struct lp_str *ret_text)
{
    LP_OWNS_STR struct lp_str service = {0};
    lp_str_add(ret_text, "{\"name\":");
    lp_print_text(ret_text, descriptor->name);
    lp_str_add(ret_text, ",\"services\":{");
    for (size_t i = 0; i < descriptor->service_count; i++) {
        name_print(ret_text, descriptor->services[i].name, i);
        lp_str_clear(&service);
        lp_print_service(&service, &descriptor->services[i], false);
        lp_str_add_n(ret_text, lp_str_text(&service), service.bytes);
    }
    lp_str_add(ret_text, "},\"networks\":{");
    networks_print(ret_text, descriptor);
    lp_str_add(ret_text, "},\"volumes\":{");
    for (size_t i = 0; i < descriptor->volume_count; i++) {
        name_print(ret_text, descriptor->volumes[i], i);
        lp_str_add(ret_text, "{}");
    }
    files_print(ret_text, descriptor);
    lp_str_add(ret_text, "}}");
}
