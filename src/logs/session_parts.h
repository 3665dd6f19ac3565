// Inside the session detector: the dense events, the tree over their counts, the order of events.
#pragma once

#include "logs/logs.h"

enum {
    LP_LOG_SESSION_VALUES = 36,         // clipped counts: 0..4, then one for each doubling
    LP_LOG_SESSION_TREE_MAX = 2000,     // events in the tree: the most frequent ones
    LP_LOG_SESSION_EVENTS_MAX = 65535,  // distinct events in training
    LP_LOG_SESSION_GRAMS_MAX = 1 << 22, // rows of the order model
    LP_LOG_SESSION_NO_EVENT = 0xfffff,
};
// ---- events: ids of training, numbered from 0 in ascending order

struct lp_log_session_events {
    uint32_t *ids; // [count], ascending
    uint32_t count;
    uint32_t *slots; // number + 1, 0 for free
    uint32_t slot_count;
};
void lp_log_session_events_init(struct lp_log_session_events *events); // from ids and count
void lp_log_session_events_release(struct lp_log_session_events *events);
// The event's number, or LP_LOG_SESSION_NO_EVENT.
uint32_t lp_log_session_events_find(const struct lp_log_session_events *events, uint32_t id);

// What training reads: sessions as numbers of events.
struct lp_log_session_set {
    uint32_t event_count;                  // distinct
    const uint32_t *events;                // all sessions' events, as numbers
    const struct lp_log_session *sessions; // [count]
    size_t count;
};

// ---- the tree (session_tree.c)

// The clipped count: n up to 4, then 4 + floor(log2(n - 3)).
uint32_t lp_log_session_value(uint32_t count);
uint32_t lp_log_session_value_least(uint32_t value); // the lowest count that has it

struct lp_log_session_branch {
    uint32_t event, parent; // parent: of an earlier branch; of the root LP_LOG_SESSION_NO_EVENT
    uint32_t pairs[LP_LOG_SESSION_VALUES][LP_LOG_SESSION_VALUES]; // [of parent, root: 0][own]
    uint32_t sums[LP_LOG_SESSION_VALUES];                         // of pairs, over own
    uint32_t kinds[LP_LOG_SESSION_VALUES];                        // own values > 0 in pairs
    uint32_t own[LP_LOG_SESSION_VALUES];                          // of pairs, over parent
};
struct lp_log_session_tree {
    struct lp_log_session_branch *branches; // [count], parents first
    uint32_t count;
    uint32_t sessions; // N
};
// The maximum spanning tree by mutual information. picked: [set->count], or NULL for all.
// Source: Chow and Liu 1968; Prim 1957.
void lp_log_session_tree_grow(const struct lp_log_session_set *set, const bool *picked,
                              struct lp_log_session_tree *ret_tree);
void lp_log_session_tree_release(struct lp_log_session_tree *tree);
void lp_log_session_branch_sum(struct lp_log_session_branch *branch); // sums, kinds, own of pairs
// -log2 P(own value | parent's value), 1/256 bit.
int64_t lp_log_session_branch_bits(const struct lp_log_session_tree *tree, uint32_t branch,
                                   uint32_t parent_value, uint32_t value);
struct lp_log_session_counts_score {
    int64_t most, sum;
    uint32_t branch; // of `most`
};
// counts: how often each event stands in the session, by its number.
struct lp_log_session_counts_score lp_log_session_tree_score(const struct lp_log_session_tree *tree,
                                                             const uint32_t *counts);

// ---- the order (session_order.c)

enum {                          // symbols beside the events' numbers
    LP_LOG_GRAM_NONE = 0xffff0, // no symbol: the context is shorter
    LP_LOG_GRAM_START,
    LP_LOG_GRAM_END,
    LP_LOG_GRAM_ALL, // the context itself: how often it was followed by anything
};
struct lp_log_gram {
    uint64_t key; // two symbols before, then the symbol; 20 bits each; 0 with count 0: free
    uint32_t count;
    uint32_t kinds; // of LP_LOG_GRAM_ALL: distinct successors
};
struct lp_log_session_order {
    struct lp_log_gram *slots;
    uint32_t slot_count, count, symbols; // symbols: distinct events that were counted
};
// LP_EFULL: more rows than LP_LOG_SESSION_GRAMS_MAX.
LP_MUST_CHECK int lp_log_session_order_count(const struct lp_log_session_set *set,
                                             const bool *picked,
                                             struct lp_log_session_order *ret_order,
                                             struct lp_err *err);
void lp_log_session_order_release(struct lp_log_session_order *order);
uint64_t lp_log_gram_key(uint32_t before, uint32_t last, uint32_t symbol);
// Add to a row and to its context's. False: no room.
bool lp_log_session_order_add(struct lp_log_session_order *order, uint64_t key, uint32_t count);
struct lp_log_session_order_score {
    int64_t most;
    size_t at; // position; count of the session: its end
};
// events: numbers, LP_LOG_SESSION_NO_EVENT for events that training never saw.
struct lp_log_session_order_score
lp_log_session_order_score(const struct lp_log_session_order *order, const uint32_t *events,
                           size_t count);

// ---- the whole

enum { LP_LOG_SESSION_THRESHOLDS = LP_LOG_CHANNEL_ORDER + 1 };
struct lp_log_session_model {
    struct lp_log_session_events events;
    struct lp_log_session_tree tree;
    struct lp_log_session_order order;
    struct lp_log_states *states; // or NULL: events have no texts
    struct lp_log_session_config config;
    int64_t thresholds[LP_LOG_SESSION_THRESHOLDS];
};
struct lp_str;
void lp_log_session_model_print(const struct lp_log_session_model *model, struct lp_str *ret_text);
LP_MUST_CHECK int lp_log_session_model_parse(const char *bytes, size_t count,
                                             struct lp_log_session_model **ret_model,
                                             struct lp_err *err);
