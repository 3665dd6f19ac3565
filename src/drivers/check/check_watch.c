// A watch made from an order, and when it looks.
#define _GNU_SOURCE
#include "drivers/check/check_watch.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/own.h"
#include "drivers/check/check_parts.h"
#include "drivers/place.h"

// Until the first success a check is repeated soon, for that success is when something is repaired:
// a question over the network costs next to nothing, a command is a process each time.
enum { FIRST_MS = 5, RETRY_MS = 5, RETRY_COMMAND_MS = 20 };

// All that a watch keeps stands in one piece of memory of just the right size: it is filled twice,
// first to count (memory NULL), then to copy. There may be thousands of watches.
struct keep {
    char *memory;
    size_t used;
};

static void *keep_take(struct keep *keep, size_t bytes)
{
    void *place = keep->memory ? keep->memory + keep->used : NULL;
    keep->used += (bytes + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    return place;
}

static const char *keep_text(struct keep *keep, const char *text)
{
    if (!text)
        return NULL;
    char *copy = keep_take(keep, strlen(text) + 1);
    if (copy)
        memcpy(copy, text, strlen(text) + 1);
    return copy;
}

static struct lp_texts keep_texts(struct keep *keep, const struct lp_texts *texts)
{
    const char **items = keep_take(keep, texts->count * sizeof(*items));
    for (size_t i = 0; i < texts->count; i++) {
        const char *copy = keep_text(keep, texts->items[i]);
        if (items)
            items[i] = copy;
    }
    return (struct lp_texts){items, texts->count};
}

static struct lp_pairs keep_pairs(struct keep *keep, const struct lp_pairs *pairs)
{
    struct lp_pair *items = keep_take(keep, pairs->count * sizeof(*items));
    for (size_t i = 0; i < pairs->count; i++) {
        struct lp_pair copy = {keep_text(keep, pairs->items[i].key),
                               keep_text(keep, pairs->items[i].value)};
        if (items)
            items[i] = copy;
    }
    return (struct lp_pairs){items, pairs->count};
}

// Does the URL mean the node itself? An address that stands there is taken instead.
static bool host_resolve(struct lp_watch *watch, const struct lp_http_url *url,
                         const char *node_name)
{
    struct in_addr bytes;
    if (lp_text_equal(url->host, "localhost") || lp_text_starts(url->host, "127.") ||
        lp_text_equal(url->host, "0.0.0.0") || lp_text_equal(url->host, node_name))
        return true;
    if (inet_pton(AF_INET, url->host, &bytes) != 1)
        return false;
    watch->address = ntohl(bytes.s_addr);
    return true;
}

static void url_take(struct lp_watch *watch, const struct lp_order *order, struct keep *keep)
{
    struct lp_http_url url;
    struct lp_err err;
    LP_OWNS_STR struct lp_str request = {0};
    const char *text = order->check->url ? order->check->url : "";
    watch->url = keep_text(keep, text);
    if (lp_http_url_parse(text, &url, &err) < 0) {
        watch->mistake = keep_text(keep, err.text);
        return;
    }
    watch->port = url.port;
    if (!host_resolve(watch, &url, order->node_name)) {
        (void)lp_err_set(&err, LP_EINPUT,
                         "the check's URL must name localhost, %s or an IPv4 address, not %s",
                         order->node_name, url.host);
        watch->mistake = keep_text(keep, err.text);
    }
    lp_http_request_print(&url, &request);
    watch->request = keep_text(keep, lp_str_text(&request));
}

static void texts_take(struct lp_watch *watch, const struct lp_driver_env *env,
                       const struct lp_order *order, struct keep *keep)
{
    watch->netns = keep_text(keep, lp_place_netns(env, order->infra_name).text);
    watch->init_socket =
        keep_text(keep, lp_place_init_socket(env, order->infra_name, order->node_name).text);
    watch->argv = keep_texts(keep, &order->argv);
    watch->environment = keep_pairs(keep, &order->environment);
    watch->user = keep_text(keep, order->app ? order->app->user : NULL);
    watch->working_dir = keep_text(keep, order->app ? order->app->working_dir : NULL);
    if (watch->kind == LP_CHECK_HTTP)
        url_take(watch, order, keep);
}

struct lp_watch *lp_watch_make(const struct lp_driver_env *env, const struct lp_order *order)
{
    const struct lp_check *check = order->check;
    struct lp_watch *watch = lp_heap_take(sizeof(*watch));
    *watch = (struct lp_watch){.infra = order->action.infra,
                               .service = order->action.service,
                               .node = order->action.node,
                               .app = order->action.app,
                               .order_id = order->action.id,
                               .incarnation = order->action.incarnation,
                               .run = order->action.run,
                               .kind = check->kind,
                               .address = order->address,
                               .port = check->port,
                               .fd = -1,
                               .interval_ms = check->interval_ms ? check->interval_ms : 30000,
                               .timeout_ms = check->timeout_ms ? check->timeout_ms : 30000,
                               .start_period_ms = check->start_period_ms,
                               .start_interval_ms =
                                   check->start_interval_ms ? check->start_interval_ms : 5000};
    struct keep keep = {0};
    texts_take(watch, env, order, &keep);
    watch->memory = keep.memory = lp_heap_take(keep.used);
    keep.used = 0;
    texts_take(watch, env, order, &keep);
    watch->born_ms = lp_monotonic_us() / 1000;
    watch->at_ms = watch->born_ms + FIRST_MS;
    bool has_start = watch->start_period_ms > 0;
    watch->tell_at_ms =
        watch->born_ms + (has_start ? watch->start_interval_ms : watch->interval_ms);
    return watch;
}

void lp_watch_release(struct lp_watch *watch)
{
    lp_check_end(watch);
    lp_heap_free(watch->memory);
    lp_heap_free(watch);
}

int64_t lp_check_next_ms(const struct lp_watch *watch, int64_t now_ms)
{
    int64_t interval_ms = watch->interval_ms, age_ms = now_ms - watch->born_ms;
    if (!watch->has_succeeded) {
        int64_t limit_ms = age_ms < watch->start_period_ms && watch->start_interval_ms < interval_ms
                               ? watch->start_interval_ms
                               : interval_ms;
        int64_t least_ms = watch->kind == LP_CHECK_COMMAND ? RETRY_COMMAND_MS : RETRY_MS;
        int64_t delay_ms = age_ms / 10 > least_ms ? age_ms / 10 : least_ms;
        return now_ms + (delay_ms < limit_ms ? delay_ms : limit_ms);
    }
    // The interval runs from beginning to beginning. A check that was late, or took long, is
    // followed by the first point of the phase at least half an interval later, so that it comes
    // back to it.
    const uint32_t key[2] = {watch->node, watch->app};
    int64_t phase_ms = (int64_t)(lp_fnv(LP_FNV_START, key, sizeof(key)) % (uint64_t)interval_ms);
    int64_t after_ms = watch->begun_us / 1000 + interval_ms / 2;
    int64_t next_ms = after_ms + interval_ms - (after_ms - phase_ms) % interval_ms;
    return next_ms > now_ms ? next_ms : now_ms;
}

bool lp_watch_tell(struct lp_watch *watch, bool is_ok, int64_t now_ms)
{
    bool had_succeeded = watch->has_succeeded;
    bool is_news = !watch->has_told || watch->was_ok != is_ok;
    watch->has_succeeded |= is_ok;
    if (is_ok) {
        watch->has_told = watch->was_ok = true;
        return is_news;
    }
    if (!had_succeeded) {
        if (now_ms < watch->tell_at_ms)
            return false;
        bool has_start = now_ms - watch->born_ms < watch->start_period_ms;
        watch->tell_at_ms = now_ms + (has_start ? watch->start_interval_ms : watch->interval_ms);
    }
    watch->has_told = true;
    watch->was_ok = false;
    return true;
}
