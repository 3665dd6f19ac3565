// A load as nouns: when each of its requests is due, and what it looks like as text.
#include "model/load.h"

#include <string.h>

#include "base/str.h"

typedef unsigned __int128 wide; // products of a time squared and a rate

static const char *const profile_words[LP_LOAD_PROFILES] = {"constant", "pyramid", "steps"};

int64_t lp_load_span_us(const struct lp_load *load)
{
    int64_t span_us = 0;
    for (size_t i = 0; i < load->stage_count; i++)
        span_us += (int64_t)load->stages[i].for_ms * 1000;
    return span_us;
}

// Twice the requests of a stage, in billionths: permille requests a second times microseconds.
static wide stage_area(const struct lp_load_stage *stage)
{
    return ((wide)stage->from_permille + stage->to_permille) * stage->for_ms * 1000;
}

uint64_t lp_load_total(const struct lp_load *load)
{
    static const wide one = 2 * (wide)1000000000;
    wide area = 0;
    for (size_t i = 0; i < load->stage_count; i++)
        area += stage_area(&load->stages[i]);
    return (uint64_t)((area + one - 1) / one); // the one at the start is due at once
}

uint32_t lp_load_rate_permille(const struct lp_load *load, int64_t at_us)
{
    for (size_t i = 0; i < load->stage_count && at_us >= 0; i++) {
        const struct lp_load_stage *stage = &load->stages[i];
        int64_t span_us = (int64_t)stage->for_ms * 1000;
        if (at_us < span_us) {
            int64_t rise = (int64_t)stage->to_permille - stage->from_permille;
            __int128 risen = (__int128)rise * at_us / span_us;
            return (uint32_t)((int64_t)stage->from_permille + (int64_t)risen);
        }
        at_us -= span_us;
    }
    return 0;
}

// Is the integral of the rate, from the start of the stage to at_us, at least area / 2?
// With the rate r(t) = a + (b - a) t / T the doubled integral is 2 a t + (b - a) t^2 / T.
static bool is_reached(const struct lp_load_stage *stage, int64_t at_us, wide area)
{
    __int128 span_us = (__int128)stage->for_ms * 1000;
    __int128 even = 2 * (__int128)stage->from_permille * at_us * span_us;
    __int128 rise = ((__int128)stage->to_permille - stage->from_permille) * at_us * at_us;
    return even + rise >= (__int128)area * span_us;
}

static int64_t time_find(const struct lp_load_stage *stage, int64_t from_us, wide area)
{
    int64_t low = from_us, high = (int64_t)stage->for_ms * 1000;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (is_reached(stage, middle, area))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool lp_load_next(struct lp_load_arrivals *arrivals, int64_t *ret_at_us)
{
    const struct lp_load *load = arrivals->load;
    wide before = ((wide)arrivals->before[1] << 64) | arrivals->before[0];
    wide wanted = (wide)arrivals->next * 2000000000u;
    for (; arrivals->stage < load->stage_count; arrivals->stage++) {
        const struct lp_load_stage *stage = &load->stages[arrivals->stage];
        wide area = stage_area(stage);
        if (wanted < before + area) {
            arrivals->after_us = time_find(stage, arrivals->after_us, wanted - before);
            arrivals->next++;
            *ret_at_us = arrivals->stage_us + arrivals->after_us;
            return true;
        }
        before += area;
        arrivals->before[0] = (uint64_t)before;
        arrivals->before[1] = (uint64_t)(before >> 64);
        arrivals->stage_us += (int64_t)stage->for_ms * 1000;
        arrivals->after_us = 0;
    }
    return false;
}

size_t lp_load_round(const struct lp_load *load, uint8_t ret_order[LP_LOAD_SHARES_MAX])
{
    uint32_t turns[LP_LOAD_REQUESTS_MAX] = {0};
    size_t sum = 0;
    for (size_t i = 0; i < load->request_count; i++)
        sum += load->requests[i].share;
    lp_assert(sum <= LP_LOAD_SHARES_MAX);
    for (size_t n = 0; n < sum; n++) {
        uint64_t soonest = UINT64_MAX;
        for (size_t i = 0; i < load->request_count; i++) {
            uint32_t share = load->requests[i].share;
            uint64_t due = (2 * (uint64_t)turns[i] + 1) * 1000000 / share;
            if (turns[i] < share && due < soonest) {
                soonest = due;
                ret_order[n] = (uint8_t)i;
            }
        }
        turns[ret_order[n]]++;
    }
    return sum;
}

const char *lp_load_url_fault(const char *url)
{
    if (lp_text_starts(url, "https://"))
        return "a load speaks http, not https";
    if (!lp_text_starts(url, "http://") || strchr("/?#:[", url[7])) // no host: its NUL is found
        return "a URL is written http://HOST:PORT/PATH";
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "a URL holds no blanks";
    return NULL;
}

bool lp_load_has_id(const char *text)
{
    return text && strstr(text, "{{id}}");
}

void lp_load_resolve(struct lp_load_target *target, const char *host, uint16_t port,
                     struct lp_arena *arena)
{
    target->url = lp_arena_printf(arena, "http://%s:%u%s", host, port, target->path);
}

static void member_add(struct lp_str *out, const char *key, const char *value)
{
    if (!value)
        return;
    lp_str_printf(out, ",\"%s\":", key);
    lp_str_add_json(out, value);
}

static void target_print(const struct lp_load_target *target, struct lp_str *out)
{
    // A service that was resolved stays a service here: its address is another one next time.
    member_add(out, "service", target->service);
    if (target->service && target->port)
        lp_str_printf(out, ",\"port\":%u", target->port);
    member_add(out, target->service ? "path" : "url", target->service ? target->path : target->url);
}

static void expect_print(const struct lp_load_expect *expect, struct lp_str *out)
{
    lp_str_add(out, ",\"expect\":{\"status\":[");
    for (size_t i = 0; i < expect->status_count; i++)
        lp_str_printf(out, "%s\"%u-%u\"", i ? "," : "", expect->statuses[i].least,
                      expect->statuses[i].most);
    lp_str_add(out, "]");
    member_add(out, "contains", expect->contains);
    member_add(out, "regex", expect->regex);
    lp_str_add(out, "}");
}

static void request_print(const struct lp_load_request *request, struct lp_str *out)
{
    lp_str_printf(out, "{\"share\":%u", request->share);
    member_add(out, "method", request->method);
    target_print(&request->target, out);
    if (request->headers.count)
        lp_str_add(out, ",\"headers\":{");
    for (size_t i = 0; i < request->headers.count; i++) {
        lp_str_add(out, i ? "," : "");
        lp_str_add_json(out, request->headers.items[i].key);
        lp_str_add(out, ":");
        lp_str_add_json(out, request->headers.items[i].value);
    }
    lp_str_add(out, request->headers.count ? "}" : "");
    member_add(out, "body", request->body);
    expect_print(&request->expect, out);
    if (request->is_read_back) {
        lp_str_printf(out, ",\"read\":{\"within\":\"%ums\"", request->read_within_ms);
        target_print(&request->read, out);
        expect_print(&request->read_expect, out);
        lp_str_add(out, "}");
    }
    lp_str_add(out, "}");
}

static void rate_print(const char *key, uint32_t rate_permille, struct lp_str *out)
{
    lp_str_printf(out, "\"%s\":\"%u.%03u\"", key, rate_permille / 1000, rate_permille % 1000);
}

static void stages_print(const struct lp_load *load, struct lp_str *out)
{
    const struct lp_load_stage *stages = load->stages;
    lp_str_printf(out, "\"profile\":\"%s\",", profile_words[load->profile]);
    if (load->profile == LP_LOAD_CONSTANT) {
        rate_print("rate", stages[0].from_permille, out);
        lp_str_printf(out, ",\"for\":\"%ums\"", stages[0].for_ms);
    } else if (load->profile == LP_LOAD_PYRAMID) {
        rate_print("peak", stages[1].from_permille, out);
        lp_str_printf(out, ",\"up\":\"%ums\",\"hold\":\"%ums\",\"down\":\"%ums\"", stages[0].for_ms,
                      stages[1].for_ms, stages[2].for_ms);
    } else {
        lp_str_add(out, "\"steps\":[");
        for (size_t i = 0; i < load->stage_count; i++) {
            lp_str_add(out, i ? ",{" : "{");
            rate_print("rate", stages[i].from_permille, out);
            lp_str_add(out, ",");
            rate_print("to", stages[i].to_permille, out);
            lp_str_printf(out, ",\"for\":\"%ums\"}", stages[i].for_ms);
        }
        lp_str_add(out, "]");
    }
}

void lp_load_print(const struct lp_load *load, struct lp_str *ret_text)
{
    lp_str_add(ret_text, "{");
    stages_print(load, ret_text);
    lp_str_add(ret_text, ",\"requests\":[");
    for (size_t i = 0; i < load->request_count; i++) {
        lp_str_add(ret_text, i ? "," : "");
        request_print(&load->requests[i], ret_text);
    }
    lp_str_printf(ret_text,
                  "],\"timeout\":\"%ums\",\"delayed_after\":\"%ums\",\"connections\":%u,"
                  "\"outstanding\":%u,\"keep_alive\":%s}",
                  load->timeout_ms, load->delayed_after_ms, load->connections, load->outstanding,
                  load->is_keep_alive ? "true" : "false");
}
