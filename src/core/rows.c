// Rows come and go: nodes, blocks of applications, services.
#include <string.h>

#include "base/err.h"
#include "core/tables.h"

// Blocks of 1 to LP_APPS_MAX rows. A free block's first row holds the index of the next of its
// size. A larger block is split when there is none of the right size.

typedef uint32_t *(*next_free_of)(struct lp_state *s, uint32_t row);

static uint32_t *app_next_free(struct lp_state *s, uint32_t row)
{
    return &((struct lp_app_inside *)(void *)((char *)s + s->apps_at))[row].next_free;
}

static uint32_t *want_next_free(struct lp_state *s, uint32_t row)
{
    return &((struct lp_app_want_inside *)(void *)((char *)s + s->wants_at))[row].next_free;
}

static void block_give(struct lp_state *s, struct lp_blocks *blocks, next_free_of next,
                       uint32_t first, uint32_t count)
{
    if (count == 0)
        return;
    *next(s, first) = blocks->heads[count];
    blocks->heads[count] = first;
}

static uint32_t block_take(struct lp_state *s, struct lp_blocks *blocks, next_free_of next,
                           uint32_t count)
{
    if (count == 0)
        return 0;
    for (uint32_t size = count; size <= LP_APPS_MAX; size++) {
        bool may_split = size == count || blocks->capacity - blocks->top < count;
        uint32_t first = blocks->heads[size];
        if (first == LP_NONE || !may_split)
            continue;
        blocks->heads[size] = *next(s, first);
        block_give(s, blocks, next, first + count, size - count);
        return first;
    }
    if (blocks->capacity - blocks->top < count)
        return LP_NONE;
    blocks->top += count;
    return blocks->top - count;
}

bool lp_node_apps_resize(struct lp_state *s, uint32_t node, uint16_t count)
{
    struct lp_node_inside *row = lp_node_get(s, node);
    if (count == row->app_count)
        return true; // the rows keep their budgets
    uint32_t first = block_take(s, &s->app_blocks, app_next_free, count);
    if (first == LP_NONE)
        return false;
    block_give(s, &s->app_blocks, app_next_free, row->app_first, row->app_count);
    row->app_first = first;
    row->app_count = count;
    for (uint32_t i = 0; i < count; i++)
        memset(lp_app_get(s, row, i), 0, sizeof(struct lp_app_inside));
    return true;
}

bool lp_service_wants_resize(struct lp_state *s, uint32_t service, uint16_t count)
{
    struct lp_service_inside *row = lp_service_get(s, service);
    if (count == row->app_want_count)
        return true;
    uint32_t first = block_take(s, &s->want_blocks, want_next_free, count);
    if (first == LP_NONE)
        return false;
    block_give(s, &s->want_blocks, want_next_free, row->app_want_first, row->app_want_count);
    row->app_want_first = first;
    row->app_want_count = count;
    for (uint32_t i = 0; i < count; i++)
        memset(lp_want_get(s, service, i), 0, sizeof(struct lp_app_want_inside));
    lp_want_recount(s, service); // nodes of the old list may still run
    return true;
}

// Addresses: dense and unique in an infrastructure, the lowest free one first.

static uint64_t *address_words(struct lp_state *s, uint32_t infra)
{
    uint64_t words = (s->limits.nodes + 63) / 64;
    return (uint64_t *)(void *)((char *)s + s->addresses_at) + infra * words;
}

static uint32_t address_take(struct lp_state *s, uint32_t infra)
{
    uint64_t *words = address_words(s, infra);
    uint32_t word = lp_infra_get(s, infra)->address_hint;
    while (words[word] == UINT64_MAX)
        word++;
    lp_infra_get(s, infra)->address_hint = word;
    uint32_t bit = (uint32_t)__builtin_ctzll(~words[word]);
    words[word] |= (uint64_t)1 << bit;
    return word * 64 + bit;
}

static void address_give(struct lp_state *s, uint32_t infra, uint32_t address)
{
    address_words(s, infra)[address / 64] &= ~((uint64_t)1 << (address % 64));
    struct lp_infra_inside *row = lp_infra_get(s, infra);
    if (address / 64 < row->address_hint)
        row->address_hint = address / 64;
}

// The place of a new node in its service's list: after the last when there is no gap.
static uint32_t find_place(struct lp_state *s, const struct lp_service_inside *service,
                           uint32_t *ret_ordinal)
{
    uint32_t last = service->last_node;
    uint32_t highest = last == LP_NONE ? 0 : lp_node_get(s, last)->row.ordinal;
    *ret_ordinal = highest + 1;
    if (highest == service->row.node_count)
        return last;
    uint32_t after = LP_NONE;
    uint32_t ordinal = 1;
    for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
        if (lp_node_get(s, n)->row.ordinal != ordinal)
            break;
        after = n;
        ordinal++;
    }
    *ret_ordinal = ordinal;
    return after;
}

static void link_after(struct lp_state *s, struct lp_service_inside *service, uint32_t after,
                       uint32_t node)
{
    struct lp_node_inside *row = lp_node_get(s, node);
    row->prev = after;
    row->next = after == LP_NONE ? service->row.first_node : lp_node_get(s, after)->next;
    if (after == LP_NONE)
        service->row.first_node = node;
    else
        lp_node_get(s, after)->next = node;
    if (row->next == LP_NONE)
        service->last_node = node;
    else
        lp_node_get(s, row->next)->prev = node;
}

uint32_t lp_node_add(struct lp_state *s, uint32_t service)
{
    struct lp_service_inside *owner = lp_service_get(s, service);
    uint32_t id = s->free_node;
    if (id == LP_NONE)
        return LP_NONE;
    struct lp_node_inside *node = lp_node_get(s, id);
    uint32_t next_free = node->next;
    bool was_dirty = node->is_dirty; // it may still stand in the ring
    // Lives are counted on through all rows that had this id: a late word of an earlier row's life
    // is never taken for one of this row's.
    uint32_t lives = node->row.incarnation;
    *node = (struct lp_node_inside){.is_dirty = was_dirty, .row.incarnation = lives};
    if (!lp_node_apps_resize(s, id, owner->app_want_count)) {
        node->next = next_free;
        return LP_NONE;
    }
    s->free_node = next_free;
    node->row = (struct lp_node_row){.is_used = true,
                                     .is_wanted = true,
                                     .phase = LP_NODE_ABSENT,
                                     .verdict = LP_VERDICT_WAITING,
                                     .infra = owner->row.infra,
                                     .service = service,
                                     .host = LP_NONE,
                                     .incarnation = lives,
                                     .since_ms = s->now_ms};
    node->row.address_index = address_take(s, owner->row.infra);
    uint32_t after = find_place(s, owner, &node->row.ordinal);
    link_after(s, owner, after, id);
    owner->row.node_count++;
    owner->wanted_count++;
    lp_infra_get(s, owner->row.infra)->row.node_count++;
    lp_node_touch(s, id);
    return id;
}

void lp_node_remove(struct lp_state *s, uint32_t id)
{
    struct lp_node_inside *node = lp_node_get(s, id);
    struct lp_service_inside *service = lp_service_get(s, node->row.service);
    if (node->prev == LP_NONE)
        service->row.first_node = node->next;
    else
        lp_node_get(s, node->prev)->next = node->next;
    if (node->next == LP_NONE)
        service->last_node = node->prev;
    else
        lp_node_get(s, node->next)->prev = node->prev;
    service->row.node_count--;
    service->wanted_count -= node->row.is_wanted;
    lp_infra_get(s, node->row.infra)->row.node_count--;
    address_give(s, node->row.infra, node->row.address_index);
    block_give(s, &s->app_blocks, app_next_free, node->app_first, node->app_count);
    lp_timer_set(s, lp_timer_id(s, LP_TIMER_NODE, id), INT64_MAX);
    bool was_dirty = node->is_dirty;
    uint32_t lives = node->row.incarnation;
    *node = (struct lp_node_inside){
        .is_dirty = was_dirty, .next = s->free_node, .row.incarnation = lives};
    s->free_node = id;
}

// At the end of its infrastructure's list: services come up in the order of the file.
void lp_service_link(struct lp_state *s, uint32_t service, uint32_t infra)
{
    struct lp_service_inside *row = lp_service_get(s, service);
    struct lp_infra_inside *owner = lp_infra_get(s, infra);
    uint32_t last = owner->first_service;
    while (last != LP_NONE && lp_service_get(s, last)->next != LP_NONE)
        last = lp_service_get(s, last)->next;
    *row = (struct lp_service_inside){.prev = last,
                                      .next = LP_NONE,
                                      .last_node = LP_NONE,
                                      .by_hand = LP_NONE,
                                      .roll_node = LP_NONE,
                                      .has_dependents = row->has_dependents,
                                      .has_observers = row->has_observers,
                                      .is_dirty = row->is_dirty};
    row->row.is_used = true;
    row->row.infra = infra;
    row->row.first_node = LP_NONE;
    row->render_version = 1;
    if (last == LP_NONE)
        owner->first_service = service;
    else
        lp_service_get(s, last)->next = service;
}

void lp_service_remove(struct lp_state *s, uint32_t service)
{
    struct lp_service_inside *row = lp_service_get(s, service);
    lp_assert(row->row.node_count == 0);
    block_give(s, &s->want_blocks, want_next_free, row->app_want_first, row->app_want_count);
    if (row->prev == LP_NONE)
        lp_infra_get(s, row->row.infra)->first_service = row->next;
    else
        lp_service_get(s, row->prev)->next = row->next;
    if (row->next != LP_NONE)
        lp_service_get(s, row->next)->prev = row->prev;
    bool was_dirty = row->is_dirty;
    *row = (struct lp_service_inside){.is_dirty = was_dirty};
}
