// What the network driver remembers of one infrastructure's network, as text beside it.
#define _GNU_SOURCE
#include "drivers/network/network_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

struct lp_place lp_network_folder(const struct lp_driver_env *env, const char *infra)
{
    if (!infra)
        return lp_place_printf("/run/limpet-%s", env->root_id);
    return lp_place_printf("/run/limpet-%s/%s", env->root_id, infra);
}

struct lp_place lp_network_file(const struct lp_driver_env *env, const char *infra,
                                const char *file)
{
    return lp_place_printf("/run/limpet-%s/%s/%s", env->root_id, infra, file);
}

struct lp_place lp_network_uplink(const struct lp_driver_env *env, uint32_t infra)
{
    // 15 bytes are too few for the mark and an id: both are folded into 40 bits.
    uint64_t hash = lp_fnv(LP_FNV_START, env->root_id, strlen(env->root_id));
    hash = lp_fnv(hash, &infra, sizeof(infra));
    return lp_place_printf(LP_NETWORK_UPLINK_PREFIX "%010" PRIx64, hash & 0xffffffffffu);
}

bool lp_network_mark_has_nat(const struct lp_network_mark *mark)
{
    for (size_t i = 0; i < mark->row_count; i++) {
        if (mark->rows[i].has_nat)
            return true;
    }
    return false;
}

void lp_network_mark_print(const struct lp_network_mark *mark, struct lp_str *ret_text)
{
    lp_str_printf(ret_text, "limpet-network 1\ninfra %u %s\nuplink %u\n", mark->infra, mark->name,
                  mark->uplink);
    for (size_t i = 0; i < mark->row_count; i++) {
        const struct lp_network_row *row = &mark->rows[i];
        lp_str_printf(ret_text, "row %u %u %u %d\n", row->index, row->gateway, row->prefix,
                      row->has_nat);
    }
    lp_str_add(ret_text, mark->is_complete ? "complete\n" : "begun\n");
}

LP_MUST_CHECK static int line_parse(const char *line, struct lp_network_mark *mark,
                                    struct lp_err *err)
{
    struct lp_network_row row;
    int has_nat = 0, end = 0;
    if (sscanf(line, "infra %" SCNu32 " %63[a-z0-9_.-]%n", &mark->infra, mark->name, &end) == 2 &&
        !line[end])
        return 0;
    if (sscanf(line, "uplink %" SCNu32, &mark->uplink) == 1)
        return 0;
    if (sscanf(line, "row %" SCNu32 " %" SCNu32 " %" SCNu32 " %d", &row.index, &row.gateway,
               &row.prefix, &has_nat) == 4) {
        if (mark->row_count == LP_NETWORKS_MAX)
            return lp_err_set(err, LP_ECORRUPT, "more than %d networks", LP_NETWORKS_MAX);
        if (row.prefix < 1 || row.prefix > 31)
            return lp_err_set(err, LP_ECORRUPT, "prefix %u", row.prefix);
        row.has_nat = has_nat != 0;
        mark->rows[mark->row_count++] = row;
        return 0;
    }
    mark->is_complete = lp_text_equal(line, "complete");
    if (mark->is_complete || lp_text_equal(line, "begun"))
        return 0;
    return lp_err_set(err, LP_ECORRUPT, "unknown line '%.80s'", line);
}

int lp_network_mark_parse(const char *text, struct lp_network_mark *ret_mark, struct lp_err *err)
{
    struct lp_network_mark mark = {0};
    if (!lp_text_starts(text, "limpet-network 1\n"))
        return lp_err_set(err, LP_ECORRUPT, "not a mark of a network");
    char line[256];
    for (const char *at = strchr(text, '\n') + 1; *at;) {
        size_t bytes = strcspn(at, "\n");
        if (!at[bytes] || bytes >= sizeof(line))
            return lp_err_set(err, LP_ECORRUPT, "cut or overlong line");
        memcpy(line, at, bytes);
        line[bytes] = '\0';
        int code = line_parse(line, &mark, err);
        if (code < 0)
            return code;
        at += bytes + 1;
    }
    if (!mark.name[0])
        return lp_err_set(err, LP_ECORRUPT, "no name");
    *ret_mark = mark;
    return 0;
}
