// Which event follows which in sessions, their start and end included: Witten-Bell over two events.
#include "logs/session_parts.h"

#include <string.h>

#include "base/arena.h"
#include "logs/log2.h"

enum { NONE = LP_LOG_GRAM_NONE, SYMBOL_BITS = 20, SYMBOL_MASK = (1 << SYMBOL_BITS) - 1 };

uint64_t lp_log_gram_key(uint32_t before, uint32_t last, uint32_t symbol)
{
    return (uint64_t)before << 2 * SYMBOL_BITS | (uint64_t)last << SYMBOL_BITS | symbol;
}

// The row, or the free one where it would stand. The table has free rows.
static struct lp_log_gram *gram_at(const struct lp_log_session_order *order, uint64_t key)
{
    uint64_t mixed = key * 0x9e3779b97f4a7c15U;
    uint32_t slot = (uint32_t)(mixed >> 32) & (order->slot_count - 1);
    while (order->slots[slot].count && order->slots[slot].key != key)
        slot = (slot + 1) & (order->slot_count - 1);
    return &order->slots[slot];
}

static void grow(struct lp_log_session_order *order)
{
    struct lp_log_session_order larger = *order;
    larger.slot_count = order->slot_count ? 2 * order->slot_count : 1024;
    larger.slots = lp_heap_take(larger.slot_count * sizeof *larger.slots);
    for (uint32_t i = 0; i < order->slot_count; i++)
        if (order->slots[i].count)
            *gram_at(&larger, order->slots[i].key) = order->slots[i];
    lp_heap_free(order->slots);
    *order = larger;
}

bool lp_log_session_order_add(struct lp_log_session_order *order, uint64_t key, uint32_t count)
{
    if (2 * (order->count + 2) > order->slot_count)
        grow(order);
    struct lp_log_gram *gram = gram_at(order, key);
    bool is_new = !gram->count;
    if (is_new && order->count + 2 > LP_LOG_SESSION_GRAMS_MAX)
        return false;
    order->count += is_new;
    gram->key = key;
    gram->count += count;
    struct lp_log_gram *all = gram_at(order, (key & ~(uint64_t)SYMBOL_MASK) | LP_LOG_GRAM_ALL);
    order->count += !all->count;
    all->key = (key & ~(uint64_t)SYMBOL_MASK) | LP_LOG_GRAM_ALL;
    all->count += count;
    all->kinds += is_new;
    if (is_new && key >> SYMBOL_BITS == lp_log_gram_key(0, NONE, NONE))
        order->symbols += (key & SYMBOL_MASK) != LP_LOG_GRAM_END;
    return true;
}

static bool session_count(struct lp_log_session_order *order, const uint32_t *events, size_t count)
{
    uint32_t before = NONE, last = LP_LOG_GRAM_START;
    for (size_t i = 0; i <= count; i++) {
        uint32_t symbol = i < count ? events[i] : (uint32_t)LP_LOG_GRAM_END;
        if (!lp_log_session_order_add(order, lp_log_gram_key(NONE, NONE, symbol), 1) ||
            !lp_log_session_order_add(order, lp_log_gram_key(NONE, last, symbol), 1))
            return false;
        if (before != NONE &&
            !lp_log_session_order_add(order, lp_log_gram_key(before, last, symbol), 1))
            return false;
        before = last;
        last = symbol;
    }
    return true;
}

int lp_log_session_order_count(const struct lp_log_session_set *set, const bool *picked,
                               struct lp_log_session_order *ret_order, struct lp_err *err)
{
    struct lp_log_session_order order = {0};
    for (size_t s = 0; s < set->count; s++) {
        const struct lp_log_session *session = &set->sessions[s];
        if (picked && !picked[s])
            continue;
        if (!session_count(&order, set->events + session->first, session->count)) {
            lp_log_session_order_release(&order);
            return lp_err_set(err, LP_EFULL, "more than %d different neighbours in sessions",
                              LP_LOG_SESSION_GRAMS_MAX);
        }
    }
    *ret_order = order;
    return LP_OK;
}

void lp_log_session_order_release(struct lp_log_session_order *order)
{
    lp_heap_free(order->slots);
    *order = (struct lp_log_session_order){0};
}

// P(symbol | before last), in units of 2^-LP_LOG_ONE_BITS.
static uint64_t probability(const struct lp_log_session_order *order, uint32_t before,
                            uint32_t last, uint32_t symbol)
{
    const uint32_t contexts[][2] = {{NONE, NONE}, {NONE, last}, {before, last}};
    uint64_t p = LP_LOG_ONE / ((uint64_t)order->symbols + 1);
    for (int j = 0; j < (before == NONE ? 2 : 3); j++) {
        uint64_t key = lp_log_gram_key(contexts[j][0], contexts[j][1], symbol);
        const struct lp_log_gram *all =
            gram_at(order, (key & ~(uint64_t)SYMBOL_MASK) | LP_LOG_GRAM_ALL);
        if (!all->count)
            break;
        unsigned __int128 seen = gram_at(order, key)->count;
        p = (uint64_t)((seen * LP_LOG_ONE + (unsigned __int128)all->kinds * p) /
                       ((uint64_t)all->count + all->kinds));
    }
    return p ? p : 1;
}

struct lp_log_session_order_score
lp_log_session_order_score(const struct lp_log_session_order *order, const uint32_t *events,
                           size_t count)
{
    struct lp_log_session_order_score score = {.most = INT64_MIN};
    uint32_t before = NONE, last = LP_LOG_GRAM_START;
    for (size_t i = 0; i <= count; i++) {
        uint32_t symbol = i < count ? events[i] : (uint32_t)LP_LOG_GRAM_END;
        int64_t bits = (int64_t)LP_LOG_BIT * LP_LOG_ONE_BITS -
                       lp_log2(probability(order, before, last, symbol));
        if (bits > score.most) {
            score.most = bits;
            score.at = i;
        }
        before = last;
        last = symbol;
    }
    return score;
}
