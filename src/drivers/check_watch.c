// A watch made from an order, and when it looks.
#define _GNU_SOURCE
#include "drivers/check_parts.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/hash.h"
#include "base/own.h"
#include "drivers/check_watch.h"
#include "drivers/place.h"

enum { RETRY_FIRST_MS = 20, FIRST_MS = 5 };

static struct lp_texts texts_copy(struct lp_arena *arena, const struct lp_texts *texts)
{
    struct lp_texts copy = {lp_arena_new_array(arena, const char *, texts->count + 1),
                            texts->count};
    for (size_t i = 0; i < texts->count; i++)
        copy.items[i] = lp_arena_text(arena, texts->items[i]);
    return copy;
}

static struct lp_pairs pairs_copy(struct lp_arena *arena, const struct lp_pairs *pairs)
{
    struct lp_pairs copy = {lp_arena_new_array(arena, struct lp_pair, pairs->count + 1),
                            pairs->count};
    for (size_t i = 0; i < pairs->count; i++)
        copy.items[i] = (struct lp_pair){lp_arena_text(arena, pairs->items[i].key),
                                         lp_arena_text(arena, pairs->items[i].value)};
    return copy;
}

// Whom the URL means: the node itself, or an address that stands there.
static const char *host_resolve(struct lp_watch *watch, const struct lp_http_url *url,
                                const char *node_name)
{
    struct in_addr bytes;
    if (lp_text_equal(url->host, "localhost") || lp_text_starts(url->host, "127.") ||
        lp_text_equal(url->host, "0.0.0.0") || lp_text_equal(url->host, node_name))
        return NULL;
    if (inet_pton(AF_INET, url->host, &bytes) == 1) {
        watch->address = ntohl(bytes.s_addr);
        return NULL;
    }
    return lp_arena_printf(&watch->arena,
                           "the check's URL must name localhost, %s or an IPv4 address, not %s",
                           node_name ? node_name : "the node", url->host);
}

static void url_take(struct lp_watch *watch, const struct lp_order *order)
{
    struct lp_http_url url;
    struct lp_err err;
    LP_OWNS_STR struct lp_str request = {0};
    watch->url = lp_arena_text(&watch->arena, order->check->url ? order->check->url : "");
    if (lp_http_url_parse(watch->url, &url, &err) < 0) {
        watch->mistake = lp_arena_text(&watch->arena, err.text);
        return;
    }
    watch->port = url.port;
    watch->mistake = host_resolve(watch, &url, order->node_name);
    lp_http_request_print(&url, &request);
    watch->request = lp_arena_text(&watch->arena, lp_str_text(&request));
}

struct lp_watch *lp_watch_make(const struct lp_driver_env *env, const struct lp_order *order)
{
    const struct lp_check *check = order->check;
    struct lp_watch *watch = lp_heap_take(sizeof(*watch));
    struct lp_arena *arena = &watch->arena;
    *watch = (struct lp_watch){.infra = order->action.infra,
                               .service = order->action.service,
                               .node = order->action.node,
                               .app = order->action.app,
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
    watch->netns = lp_arena_text(arena, lp_place_netns(env, order->infra_name).text);
    watch->init_socket =
        lp_arena_text(arena, lp_place_init_socket(env, order->infra_name, order->node_name).text);
    watch->argv = texts_copy(arena, &order->argv);
    watch->environment = pairs_copy(arena, &order->environment);
    watch->user = lp_arena_text(arena, order->app ? order->app->user : NULL);
    watch->working_dir = lp_arena_text(arena, order->app ? order->app->working_dir : NULL);
    if (check->kind == LP_CHECK_HTTP)
        url_take(watch, order);
    watch->born_ms = lp_check_now_us() / 1000;
    watch->at_ms = watch->born_ms + FIRST_MS;
    bool has_start = watch->start_period_ms > 0;
    watch->tell_at_ms =
        watch->born_ms + (has_start ? watch->start_interval_ms : watch->interval_ms);
    return watch;
}

void lp_watch_release(struct lp_watch *watch)
{
    lp_check_end(watch);
    lp_arena_release(&watch->arena);
    lp_heap_free(watch);
}

int64_t lp_check_next_ms(const struct lp_watch *watch, int64_t now_ms)
{
    int64_t interval_ms = watch->interval_ms, age_ms = now_ms - watch->born_ms;
    if (!watch->has_succeeded) {
        int64_t limit_ms = age_ms < watch->start_period_ms && watch->start_interval_ms < interval_ms
                               ? watch->start_interval_ms
                               : interval_ms;
        int64_t delay_ms = age_ms / 10 > RETRY_FIRST_MS ? age_ms / 10 : RETRY_FIRST_MS;
        return now_ms + (delay_ms < limit_ms ? delay_ms : limit_ms);
    }
    const uint32_t key[2] = {watch->node, watch->app};
    int64_t phase_ms = (int64_t)(lp_fnv(LP_FNV_START, key, sizeof(key)) % (uint64_t)interval_ms);
    return now_ms + interval_ms - (now_ms - phase_ms) % interval_ms;
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
