// dnsmasq as Limpet uses it: its configuration, its names, and the question whether they hold.
#define _GNU_SOURCE
#include "drivers/network/dnsmasq.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"

static void address_print(uint32_t address, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                  address & 255);
}

void lp_dnsmasq_conf_print(const struct lp_dnsmasq_conf *conf, struct lp_str *ret_text)
{
    lp_str_add(ret_text, "# Made by limpet; changes are lost.\nport=53\n");
    if (conf->user && conf->group)
        lp_str_printf(ret_text, "user=%s\ngroup=%s\n", conf->user, conf->group);
    lp_str_printf(ret_text, "pid-file=%s\n", conf->pid_path);
    // Only the bridges: nothing else of the namespace answers.
    lp_str_add(ret_text, "bind-interfaces\nexcept-interface=lo\n");
    for (size_t i = 0; i < conf->mark->row_count; i++)
        lp_str_printf(ret_text, "interface=%s\n", lp_place_bridge(conf->mark->rows[i].index).text);
    lp_str_printf(ret_text, "no-hosts\naddn-hosts=%s\nlocalise-queries\n", conf->hosts_path);
    // Names move with their nodes: nobody may remember them.
    lp_str_add(ret_text, "local-ttl=0\nlog-facility=/dev/null\n");
    if (conf->upstream_path)
        lp_str_printf(ret_text,
                      "resolv-file=%s\ndomain-needed\nbogus-priv\nlocal=//\n"
                      "local=/invalid/\ncache-size=400\n",
                      conf->upstream_path);
    else
        // Every name is ours, so what is not known does not exist: the answer comes at once.
        lp_str_add(ret_text, "no-resolv\nlocal=/#/\ncache-size=0\n");
}

const char *lp_dnsmasq_upstream_path(void)
{
    static const char resolved[] = "/run/systemd/resolve/resolv.conf";
    return lp_path_exists(resolved) ? resolved : "/etc/resolv.conf";
}

static const char marker_end[] = ".revision.limpet.invalid";

void lp_names_print(const struct lp_name_entry *names, size_t count, struct lp_str *ret_text,
                    char ret_marker[LP_NAMES_MARKER_BYTES])
{
    size_t start = ret_text->bytes;
    for (size_t i = 0; i < count; i++) {
        address_print(names[i].address, ret_text);
        lp_str_printf(ret_text, " %s\n", names[i].name);
    }
    uint64_t hash = lp_fnv(LP_FNV_START, lp_str_text(ret_text) + start, ret_text->bytes - start);
    (void)snprintf(ret_marker, LP_NAMES_MARKER_BYTES, "x%016" PRIx64 "%s", hash, marker_end);
    lp_str_printf(ret_text, "127.0.0.1 %s\n", ret_marker);
}

bool lp_names_find_marker(const char *text, char ret_marker[LP_NAMES_MARKER_BYTES])
{
    static const char start[] = "127.0.0.1 x";
    const char *last = NULL;
    for (const char *at = strstr(text, start); at; at = strstr(at + 1, start))
        last = at;
    if (!last)
        return false;
    const char *name = last + sizeof(start) - 2; // the x belongs to the name
    size_t bytes = strcspn(name, "\n");
    if (bytes >= LP_NAMES_MARKER_BYTES || bytes != 17 + sizeof(marker_end) - 1 ||
        memcmp(name + 17, marker_end, sizeof(marker_end) - 1) != 0)
        return false;
    memcpy(ret_marker, name, bytes);
    ret_marker[bytes] = '\0';
    return true;
}

size_t lp_dns_query_print(const char *name, uint16_t id, uint8_t ret_bytes[LP_DNS_QUERY_BYTES])
{
    size_t bytes = strlen(name);
    lp_assert(bytes > 0 && bytes < 100);
    static const uint8_t header[] = {0, 0, 1 /* recursion wanted */, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    memcpy(ret_bytes, header, sizeof(header));
    ret_bytes[0] = (uint8_t)(id >> 8);
    ret_bytes[1] = (uint8_t)id;
    uint8_t *at = ret_bytes + sizeof(header);
    for (const char *label = name; *label;) {
        size_t count = strcspn(label, ".");
        *at++ = (uint8_t)count;
        memcpy(at, label, count);
        at += count;
        label += count + (label[count] == '.');
    }
    static const uint8_t tail[] = {0, 0, 1 /* A */, 0, 1 /* IN */};
    memcpy(at, tail, sizeof(tail));
    return (size_t)(at - ret_bytes) + sizeof(tail);
}

bool lp_dns_answer_has_address(const uint8_t *bytes, size_t count, uint16_t id)
{
    if (count < 12 || bytes[0] != id >> 8 || bytes[1] != (id & 255))
        return false;
    bool is_answer = bytes[2] & 0x80, is_good = (bytes[3] & 0x0f) == 0;
    return is_answer && is_good && (bytes[6] << 8 | bytes[7]) > 0;
}
