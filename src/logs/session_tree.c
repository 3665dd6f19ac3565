// Which count of an event depends on which other: a tree over clipped counts, and what it finds
// odd.
#include "logs/session_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "logs/log2.h"

enum { VALUES = LP_LOG_SESSION_VALUES, NONE = LP_LOG_SESSION_NO_EVENT };

uint32_t lp_log_session_value(uint32_t count)
{
    return count <= 4 ? count : 4 + 31 - (uint32_t)__builtin_clz(count - 3);
}

uint32_t lp_log_session_value_least(uint32_t value)
{
    return value <= 4 ? value : 3 + ((uint32_t)1 << (value - 4));
}

struct place { // an event in a session
    uint32_t session, member;
    uint8_t value;
};

struct grower {
    const struct lp_log_session_set *set;
    const bool *picked;
    uint32_t sessions;  // picked
    uint32_t *members;  // [count] events in the tree, ascending
    uint32_t *place_of; // [event]: its index in members, or NONE
    uint32_t count;
    struct place *by_session; // ascending by session, then in any order
    size_t *session_first;    // [sessions + 1] in by_session
    struct place *by_member;
    size_t *member_first;              // [count + 1] in by_member
    uint32_t (*own)[VALUES];           // [count]: sessions with each value
    uint32_t (*joint)[VALUES][VALUES]; // [count]: the row at hand beside every other
    int64_t *log;                      // [sessions + 1]
    int64_t *row;                      // [count]: information of the row at hand with every other
};

// ---- which events, and where they stand

struct frequency {
    uint64_t count;
    uint32_t event;
};

static int by_frequency(const void *a, const void *b)
{
    const struct frequency *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->event < y->event ? -1 : x->event > y->event;
}

static void members_choose(struct grower *grower)
{
    const struct lp_log_session_set *set = grower->set;
    struct frequency *found = lp_heap_take((set->event_count + 1) * sizeof *found);
    for (uint32_t e = 0; e < set->event_count; e++)
        found[e].event = e;
    for (size_t s = 0; s < set->count; s++) {
        if (grower->picked && !grower->picked[s])
            continue;
        grower->sessions++;
        const struct lp_log_session *session = &set->sessions[s];
        for (size_t i = 0; i < session->count; i++)
            found[set->events[session->first + i]].count++;
    }
    qsort(found, set->event_count, sizeof *found, by_frequency);
    grower->place_of = lp_heap_grow(NULL, set->event_count + 1, sizeof *grower->place_of);
    for (uint32_t e = 0; e < set->event_count; e++)
        grower->place_of[e] = NONE;
    for (uint32_t i = 0; i < set->event_count && i < LP_LOG_SESSION_TREE_MAX; i++)
        if (found[i].count)
            grower->place_of[found[i].event] = 0;
    grower->members = lp_heap_take((set->event_count + 1) * sizeof *grower->members);
    for (uint32_t e = 0; e < set->event_count; e++) {
        if (grower->place_of[e] == NONE)
            continue;
        grower->place_of[e] = grower->count;
        grower->members[grower->count++] = e;
    }
    lp_heap_free(found);
}

// One place for each event of the session, with its clipped count. counts: [members], all 0.
static size_t session_places(const struct grower *grower, const struct lp_log_session *session,
                             uint32_t *counts, struct place *ret_places)
{
    size_t found = 0;
    for (size_t i = 0; i < session->count; i++) {
        uint32_t member = grower->place_of[grower->set->events[session->first + i]];
        if (member != NONE && counts[member]++ == 0)
            ret_places[found++].member = member;
    }
    for (size_t i = 0; i < found; i++) {
        ret_places[i].value = (uint8_t)lp_log_session_value(counts[ret_places[i].member]);
        counts[ret_places[i].member] = 0;
    }
    return found;
}

static void places_by_session(struct grower *grower)
{
    const struct lp_log_session_set *set = grower->set;
    size_t total = 0, filled = 0;
    for (size_t s = 0; s < set->count; s++)
        total += set->sessions[s].count;
    uint32_t *counts = lp_heap_take((grower->count + 1) * sizeof *counts);
    grower->by_session = lp_heap_take((total + 1) * sizeof *grower->by_session);
    grower->session_first = lp_heap_take((grower->sessions + 1) * sizeof *grower->session_first);
    grower->own = lp_heap_take((grower->count + 1) * sizeof *grower->own);
    for (uint32_t m = 0; m < grower->count; m++)
        grower->own[m][0] = grower->sessions;
    uint32_t session = 0;
    for (size_t s = 0; s < set->count; s++) {
        if (grower->picked && !grower->picked[s])
            continue;
        struct place *places = grower->by_session + filled;
        size_t found = session_places(grower, &set->sessions[s], counts, places);
        for (size_t i = 0; i < found; i++) {
            places[i].session = session;
            grower->own[places[i].member][places[i].value]++;
            grower->own[places[i].member][0]--;
        }
        filled += found;
        grower->session_first[++session] = filled;
    }
    lp_heap_free(counts);
}

static void places_by_member(struct grower *grower)
{
    size_t total = grower->session_first[grower->sessions];
    size_t *first = lp_heap_take((grower->count + 2) * sizeof *first);
    for (size_t i = 0; i < total; i++)
        first[grower->by_session[i].member + 2]++;
    for (uint32_t m = 0; m < grower->count; m++)
        first[m + 2] += first[m + 1];
    grower->by_member = lp_heap_take((total + 1) * sizeof *grower->by_member);
    for (size_t i = 0; i < total; i++)
        grower->by_member[first[grower->by_session[i].member + 1]++] = grower->by_session[i];
    grower->member_first = first;
}

// ---- mutual information

// N * I of a member's values with another's, 1/256 bit; joint holds the pairs where both are > 0,
// and is cleared.
static int64_t information(const struct grower *grower, uint32_t a, uint32_t b)
{
    uint32_t(*joint)[VALUES] = grower->joint[b];
    const uint32_t *own_a = grower->own[a], *own_b = grower->own[b];
    int64_t sum = 0, log_all = grower->log[grower->sessions];
    uint32_t left[VALUES]; // of b's values: without those beside a value of a above 0
    memcpy(left, own_b, sizeof left);
    for (int v = VALUES - 1; v >= 0; v--) {
        if (!own_a[v])
            continue;
        uint32_t rest = own_a[v];
        for (int w = VALUES - 1; w >= 0; w--) {
            if (!own_b[w])
                continue;
            uint32_t count = v == 0 ? left[w] : w == 0 ? rest : joint[v][w];
            rest -= count;
            left[w] -= count;
            joint[v][w] = 0;
            if (count)
                sum += (int64_t)count * (grower->log[count] + log_all - grower->log[own_a[v]] -
                                         grower->log[own_b[w]]);
        }
    }
    return sum;
}

static void row_compute(struct grower *grower, uint32_t member)
{
    for (size_t i = grower->member_first[member]; i < grower->member_first[member + 1]; i++) {
        const struct place *place = &grower->by_member[i];
        size_t end = grower->session_first[place->session + 1];
        for (size_t k = grower->session_first[place->session]; k < end; k++) {
            const struct place *other = &grower->by_session[k];
            grower->joint[other->member][place->value][other->value]++;
        }
    }
    for (uint32_t m = 0; m < grower->count; m++)
        grower->row[m] = information(grower, member, m);
    grower->row[member] = 0;
}

static uint32_t root_choose(struct grower *grower)
{
    uint32_t root = 0;
    int64_t most = INT64_MIN;
    for (uint32_t m = 0; m < grower->count; m++) {
        int64_t sum = 0;
        row_compute(grower, m);
        for (uint32_t k = 0; k < grower->count; k++)
            sum += grower->row[k];
        if (sum > most) {
            most = sum;
            root = m;
        }
    }
    return root;
}

// ---- the tree

static void branches_find(struct grower *grower, struct lp_log_session_tree *tree)
{
    int64_t *best = lp_heap_take((grower->count + 1) * sizeof *best);
    uint32_t *parent = lp_heap_take((grower->count + 1) * sizeof *parent);
    bool *is_in = lp_heap_take((grower->count + 1) * sizeof *is_in);
    for (uint32_t m = 0; m < grower->count; m++) {
        best[m] = INT64_MIN;
        parent[m] = NONE;
    }
    uint32_t next = grower->count ? root_choose(grower) : 0;
    while (tree->count < grower->count) {
        is_in[next] = true;
        tree->branches[tree->count].event = grower->members[next];
        tree->branches[tree->count].parent = parent[next];
        row_compute(grower, next);
        uint32_t chosen = NONE;
        for (uint32_t m = 0; m < grower->count; m++) {
            if (!is_in[m] && grower->row[m] > best[m]) {
                best[m] = grower->row[m];
                parent[m] = tree->count;
            }
            if (!is_in[m] && (chosen == NONE || best[m] > best[chosen]))
                chosen = m;
        }
        tree->count++;
        next = chosen;
    }
    lp_heap_free(best);
    lp_heap_free(parent);
    lp_heap_free(is_in);
}

void lp_log_session_branch_sum(struct lp_log_session_branch *branch)
{
    memset(branch->sums, 0, sizeof branch->sums);
    memset(branch->kinds, 0, sizeof branch->kinds);
    memset(branch->own, 0, sizeof branch->own);
    for (int v = 0; v < VALUES; v++)
        for (int w = 0; w < VALUES; w++) {
            branch->sums[v] += branch->pairs[v][w];
            branch->kinds[v] += branch->pairs[v][w] > 0;
            branch->own[w] += branch->pairs[v][w];
        }
}

static void branches_fill(const struct grower *grower, struct lp_log_session_tree *tree)
{
    uint8_t *values = lp_heap_take(grower->set->event_count + 1);
    for (uint32_t s = 0; s < grower->sessions; s++) {
        size_t first = grower->session_first[s], end = grower->session_first[s + 1];
        for (size_t i = first; i < end; i++)
            values[grower->members[grower->by_session[i].member]] = grower->by_session[i].value;
        for (uint32_t b = 0; b < tree->count; b++) {
            struct lp_log_session_branch *branch = &tree->branches[b];
            uint8_t of_parent =
                branch->parent == NONE ? 0 : values[tree->branches[branch->parent].event];
            branch->pairs[of_parent][values[branch->event]]++;
        }
        for (size_t i = first; i < end; i++)
            values[grower->members[grower->by_session[i].member]] = 0;
    }
    for (uint32_t b = 0; b < tree->count; b++)
        lp_log_session_branch_sum(&tree->branches[b]);
    lp_heap_free(values);
}

void lp_log_session_tree_grow(const struct lp_log_session_set *set, const bool *picked,
                              struct lp_log_session_tree *ret_tree)
{
    struct grower grower = {.set = set, .picked = picked};
    members_choose(&grower);
    places_by_session(&grower);
    places_by_member(&grower);
    grower.joint = lp_heap_take((grower.count + 1) * sizeof *grower.joint);
    grower.row = lp_heap_take((grower.count + 1) * sizeof *grower.row);
    grower.log = lp_heap_take((grower.sessions + 1) * sizeof *grower.log);
    for (uint32_t i = 1; i <= grower.sessions; i++)
        grower.log[i] = lp_log2(i);
    *ret_tree = (struct lp_log_session_tree){.sessions = grower.sessions};
    ret_tree->branches = lp_heap_take((grower.count + 1) * sizeof *ret_tree->branches);
    branches_find(&grower, ret_tree);
    branches_fill(&grower, ret_tree);
    void *const taken[] = {
        grower.members,   grower.place_of,     grower.by_session, grower.session_first, grower.own,
        grower.by_member, grower.member_first, grower.joint,      grower.row,           grower.log};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        lp_heap_free(taken[i]);
}

void lp_log_session_tree_release(struct lp_log_session_tree *tree)
{
    lp_heap_free(tree->branches);
    *tree = (struct lp_log_session_tree){0};
}

// ---- scores

int64_t lp_log_session_branch_bits(const struct lp_log_session_tree *tree, uint32_t branch,
                                   uint32_t parent_value, uint32_t value)
{
    const struct lp_log_session_branch *at = &tree->branches[branch];
    unsigned __int128 one = LP_LOG_ONE;
    unsigned __int128 own =
        (16 * (unsigned __int128)at->own[value] + 1) * one / (16 * ((uint64_t)tree->sessions + 1));
    int64_t whole = (int64_t)LP_LOG_BIT * LP_LOG_ONE_BITS;
    uint64_t cases = at->sums[parent_value], kinds = at->kinds[parent_value];
    if (at->parent == NONE || !cases)
        return whole - lp_log2(own);
    return whole + lp_log2(cases + kinds) -
           lp_log2(at->pairs[parent_value][value] * one + kinds * own);
}

struct lp_log_session_counts_score lp_log_session_tree_score(const struct lp_log_session_tree *tree,
                                                             const uint32_t *counts)
{
    struct lp_log_session_counts_score score = {.most = INT64_MIN};
    for (uint32_t b = 0; b < tree->count; b++) {
        const struct lp_log_session_branch *branch = &tree->branches[b];
        uint32_t of_parent = 0;
        if (branch->parent != NONE)
            of_parent = lp_log_session_value(counts[tree->branches[branch->parent].event]);
        int64_t bits = lp_log_session_branch_bits(tree, b, of_parent,
                                                  lp_log_session_value(counts[branch->event]));
        score.sum += bits;
        if (bits > score.most) {
            score.most = bits;
            score.branch = b;
        }
    }
    if (!tree->count)
        score.most = 0;
    return score;
}
