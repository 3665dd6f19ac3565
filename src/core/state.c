// The state block: layout, access, and what others may read of it.
#include "core/state.h"

#include <string.h>

#include "base/err.h"
#include "core/tables.h"

enum { ALIGN = 64, LAYOUT_VERSION = 3 }; // tables begin on a cache line

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t timers_max(const struct lp_limits *limits)
{
    return (uint64_t)limits->nodes + limits->infras + limits->images + LP_FAULTS_MAX;
}

// Fill the offsets of the tables; returns the size of the whole block.
static uint64_t lay_out(struct lp_state *s, const struct lp_limits *limits)
{
    uint64_t at = round_up(sizeof(*s));
    const struct {
        uint64_t *offset, bytes;
    } tables[] = {
        {&s->infras_at, (uint64_t)limits->infras * sizeof(struct lp_infra_inside)},
        {&s->services_at, (uint64_t)limits->services * sizeof(struct lp_service_inside)},
        {&s->nodes_at, (uint64_t)limits->nodes * sizeof(struct lp_node_inside)},
        {&s->apps_at, (uint64_t)limits->apps * sizeof(struct lp_app_inside)},
        {&s->wants_at, (uint64_t)limits->apps * sizeof(struct lp_app_want_inside)},
        {&s->images_at, (uint64_t)limits->images * sizeof(struct lp_image_inside)},
        {&s->hosts_at, (uint64_t)limits->hosts * sizeof(struct lp_host)},
        {&s->faults_at, LP_FAULTS_MAX * sizeof(struct lp_fault_inside)},
        {&s->heap_at, timers_max(limits) * sizeof(struct lp_heap_entry)},
        {&s->timers_at, timers_max(limits) * sizeof(struct lp_timer)},
        {&s->ring_at, (uint64_t)limits->nodes * sizeof(uint32_t)},
        {&s->rooms_at, 4 * ((uint64_t)limits->hosts + 1) * sizeof(uint32_t)},
        {&s->addresses_at,
         (uint64_t)limits->infras * ((limits->nodes + 63) / 64) * sizeof(uint64_t)},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        *tables[i].offset = at;
        at += round_up(tables[i].bytes);
    }
    return at;
}

size_t lp_state_bytes(const struct lp_limits *limits)
{
    struct lp_state scratch;
    return (size_t)lay_out(&scratch, limits);
}

// Sizes of all rows and all limits, folded into one number: another program version differs.
static uint64_t layout_of(const struct lp_limits *limits)
{
    const uint64_t parts[] = {LAYOUT_VERSION,
                              sizeof(struct lp_state),
                              sizeof(struct lp_infra_inside),
                              sizeof(struct lp_service_inside),
                              sizeof(struct lp_node_inside),
                              sizeof(struct lp_app_inside),
                              sizeof(struct lp_app_want_inside),
                              sizeof(struct lp_image_inside),
                              sizeof(struct lp_host),
                              sizeof(struct lp_fault_inside),
                              limits->infras,
                              limits->services,
                              limits->nodes,
                              limits->apps,
                              limits->images,
                              limits->hosts};
    uint64_t mixed = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        mixed = (mixed ^ parts[i]) * 0x100000001b3u;
    return mixed;
}

static void blocks_init(struct lp_blocks *blocks, uint32_t capacity)
{
    for (size_t i = 0; i <= LP_APPS_MAX; i++)
        blocks->heads[i] = LP_NONE;
    blocks->capacity = capacity;
}

struct lp_state *lp_state_init(void *memory, const struct lp_limits *limits, uint64_t seed)
{
    struct lp_state *s = memory;
    memset(memory, 0, sizeof(*s));
    lay_out(s, limits);
    s->layout = layout_of(limits);
    s->limits = *limits;
    lp_rng_init(&s->rng, seed);
    s->free_node = LP_NONE;
    // Free nodes in a list, lowest id first. The rest of the tables is zero: calloc'ed memory is
    // not touched, so that large limits cost nothing until they are used.
    for (uint32_t i = limits->nodes; i-- > 0;) {
        lp_node_get(s, i)->next = s->free_node;
        s->free_node = i;
    }
    blocks_init(&s->app_blocks, limits->apps);
    blocks_init(&s->want_blocks, limits->apps);
    return s;
}

struct lp_state *lp_state_from_bytes(void *memory, size_t bytes, const struct lp_limits *limits)
{
    struct lp_state *s = memory;
    if (bytes != lp_state_bytes(limits) || s->layout != layout_of(limits))
        return NULL;
    return s;
}

static void *row_at(const struct lp_state *s, uint64_t table_at, uint64_t index, size_t size)
{
    return (char *)(uintptr_t)s + table_at + index * size;
}

static void prefetch(const void *row, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch((const char *)row + at, 1);
}

void lp_state_prefetch(const struct lp_state *s, uint32_t id, uint32_t app, bool is_near)
{
    if (id >= s->limits.nodes)
        return;
    const struct lp_node_inside *node = row_at(s, s->nodes_at, id, sizeof(*node));
    if (!is_near) {
        prefetch(node, sizeof(*node));
        prefetch(row_at(s, s->timers_at, id, sizeof(struct lp_timer)), 1);
        return;
    }
    if (!node->row.is_used)
        return;
    const struct lp_service_inside *service =
        row_at(s, s->services_at, node->row.service, sizeof(*service));
    prefetch(service, sizeof(*service));
    uint32_t first = app < node->app_count ? app : 0;
    if (first < node->app_count)
        prefetch(row_at(s, s->apps_at, node->app_first + first, sizeof(struct lp_app_inside)),
                 sizeof(struct lp_app_inside));
}

struct lp_infra_inside *lp_infra_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < s->limits.infras);
    return row_at(s, s->infras_at, id, sizeof(struct lp_infra_inside));
}

struct lp_service_inside *lp_service_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < s->limits.services);
    return row_at(s, s->services_at, id, sizeof(struct lp_service_inside));
}

struct lp_node_inside *lp_node_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < s->limits.nodes);
    return row_at(s, s->nodes_at, id, sizeof(struct lp_node_inside));
}

struct lp_app_inside *lp_app_get(struct lp_state *s, const struct lp_node_inside *node,
                                 uint32_t app)
{
    lp_assert(app < node->app_count && node->app_first + app < s->limits.apps);
    return row_at(s, s->apps_at, node->app_first + app, sizeof(struct lp_app_inside));
}

struct lp_app_want_inside *lp_want_get(struct lp_state *s, uint32_t service, uint32_t app)
{
    const struct lp_service_inside *inside = lp_service_get(s, service);
    lp_assert(app < inside->app_want_count);
    return row_at(s, s->wants_at, inside->app_want_first + app, sizeof(struct lp_app_want_inside));
}

struct lp_image_inside *lp_image_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < s->limits.images);
    return row_at(s, s->images_at, id, sizeof(struct lp_image_inside));
}

struct lp_host *lp_host_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < s->limits.hosts);
    return row_at(s, s->hosts_at, id, sizeof(struct lp_host));
}

struct lp_fault_inside *lp_fault_get(struct lp_state *s, uint32_t id)
{
    lp_assert(id < LP_FAULTS_MAX);
    return row_at(s, s->faults_at, id, sizeof(struct lp_fault_inside));
}

// What the engine reads. The casts only drop const inside this file.
static struct lp_state *inside(const struct lp_state *state)
{
    return (struct lp_state *)(uintptr_t)state;
}

const struct lp_limits *lp_state_limits(const struct lp_state *state)
{
    return &state->limits;
}

const struct lp_infra_row *lp_state_infra(const struct lp_state *state, uint32_t infra)
{
    return &lp_infra_get(inside(state), infra)->row;
}

const struct lp_service_row *lp_state_service(const struct lp_state *state, uint32_t service)
{
    return &lp_service_get(inside(state), service)->row;
}

const struct lp_node_row *lp_state_node(const struct lp_state *state, uint32_t node)
{
    return &lp_node_get(inside(state), node)->row;
}

const struct lp_fault_row *lp_state_fault(const struct lp_state *state, uint32_t fault)
{
    return &lp_fault_get(inside(state), fault)->row;
}

bool lp_state_faults_are_locked(const struct lp_state *state)
{
    return state->are_faults_locked;
}

uint32_t lp_state_faults_asked(const struct lp_state *state)
{
    return state->faults_asked;
}

const struct lp_app_row *lp_state_app(const struct lp_state *state, uint32_t node, uint32_t app)
{
    static const struct lp_app_row idle = {0};
    const struct lp_node_inside *row = lp_node_get(inside(state), node);
    return app < row->app_count ? &lp_app_get(inside(state), row, app)->row : &idle;
}

int64_t lp_state_app_suspected_ms(const struct lp_state *state, uint32_t node, uint32_t app)
{
    const struct lp_node_inside *row = lp_node_get(inside(state), node);
    return app < row->app_count ? lp_app_get(inside(state), row, app)->suspected_s * INT64_C(1000)
                                : 0;
}

const struct lp_app_want *lp_state_app_want(const struct lp_state *state, uint32_t service,
                                            uint32_t app)
{
    return &lp_want_get(inside(state), service, app)->want;
}

uint32_t lp_state_next_node(const struct lp_state *state, uint32_t service, uint32_t node)
{
    return node == LP_NONE ? lp_service_get(inside(state), service)->row.first_node
                           : lp_node_get(inside(state), node)->next;
}

static bool node_is_settled(struct lp_state *s, const struct lp_node_inside *node,
                            bool may_have_given_up)
{
    const struct lp_service_inside *service = lp_service_get(s, node->row.service);
    if (!node->row.is_wanted || node->is_dirty)
        return false;
    if (node->row.verdict == LP_VERDICT_GAVE_UP)
        return may_have_given_up;
    return (node->row.verdict == LP_VERDICT_HEALTHY || node->row.verdict == LP_VERDICT_COMPLETED) &&
           node->order.kind == LP_ACTION_NONE && node->render.kind == LP_ACTION_NONE &&
           node->fix == LP_FIX_NONE && !node->is_restart_asked &&
           node->node_hash == service->row.want.node_hash &&
           node->render_done == service->render_version;
}

struct lost { // services whose state of being lost was asked for already
    uint64_t seen[64];
};

static bool any_is_lost(struct lp_state *s, const struct lp_want_depend *depends, uint32_t count,
                        struct lost *lost);

// Has it a node that gave up, or does it wait for such a service?
static bool service_is_lost(struct lp_state *s, uint32_t id, struct lost *lost)
{
    if (id >= s->limits.services || id / 64 >= 64 || lost->seen[id / 64] >> (id % 64) & 1)
        return false;
    lost->seen[id / 64] |= (uint64_t)1 << (id % 64);
    const struct lp_service_inside *service = lp_service_get(s, id);
    if (!service->row.is_used)
        return false;
    for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next)
        if (lp_node_get(s, n)->row.verdict == LP_VERDICT_GAVE_UP)
            return true;
    bool is_lost = any_is_lost(s, service->row.want.depends, service->row.want.depend_count, lost);
    for (uint32_t i = 0; i < service->app_want_count && !is_lost; i++) {
        const struct lp_app_want *want = &lp_want_get(s, id, i)->want;
        is_lost = any_is_lost(s, want->depends, want->depend_count, lost);
    }
    return is_lost;
}

static bool any_is_lost(struct lp_state *s, const struct lp_want_depend *depends, uint32_t count,
                        struct lost *lost)
{
    for (uint32_t i = 0; i < count; i++)
        if (service_is_lost(s, depends[i].service, lost))
            return true;
    return false;
}

// A node that waits for one that gave up will never be more than waiting.
static bool waits_for_the_lost(struct lp_state *s, const struct lp_node_inside *node)
{
    struct lost lost = {{0}};
    if (node->order.kind != LP_ACTION_NONE || node->render.kind != LP_ACTION_NONE ||
        (node->row.verdict != LP_VERDICT_WAITING && node->row.verdict != LP_VERDICT_STARTING))
        return false;
    for (uint32_t i = 0; i < node->app_count && node->row.phase == LP_NODE_UP; i++) {
        uint8_t phase = lp_app_get(s, node, i)->row.phase;
        if (phase != LP_APP_IDLE && phase != LP_APP_READY && phase != LP_APP_DONE)
            return false;
    }
    return service_is_lost(s, node->row.service, &lost);
}

static bool infra_is_settled(struct lp_state *s, const struct lp_infra_inside *infra,
                             bool may_have_given_up)
{
    if (!infra->row.is_used)
        return true;
    if (!infra->row.is_wanted || infra->is_open || infra->row.network_phase != 2 ||
        infra->row.publish_done != infra->row.publish_wanted)
        return false;
    for (uint32_t id = infra->first_service; id != LP_NONE; id = lp_service_get(s, id)->next) {
        const struct lp_service_inside *service = lp_service_get(s, id);
        if (!service->row.is_wanted || service->row.node_count != service->row.replicas)
            return false;
        for (uint32_t n = service->row.first_node; n != LP_NONE; n = lp_node_get(s, n)->next) {
            const struct lp_node_inside *node = lp_node_get(s, n);
            bool is_lost = may_have_given_up && waits_for_the_lost(s, node);
            if (!is_lost && !node_is_settled(s, node, may_have_given_up))
                return false;
        }
    }
    return true;
}

bool lp_state_is_settled(const struct lp_state *state, uint32_t infra, bool may_have_given_up)
{
    struct lp_state *s = inside(state);
    for (uint32_t i = 0; i < s->limits.infras; i++)
        if ((infra == LP_NONE || infra == i) &&
            !infra_is_settled(s, lp_infra_get(s, i), may_have_given_up))
            return false;
    return true;
}

const char *lp_node_phase_word(enum lp_node_phase phase)
{
    static const char *const words[] = {"unknown", "absent", "starting", "up", "mute", "stopping"};
    return (size_t)phase < sizeof(words) / sizeof(words[0]) ? words[phase] : "?";
}

const char *lp_app_phase_word(enum lp_app_phase phase)
{
    static const char *const words[] = {"idle",     "starting", "running", "ready",  "suspect",
                                        "stopping", "exited",   "done",    "gave up"};
    return (size_t)phase < sizeof(words) / sizeof(words[0]) ? words[phase] : "?";
}

const char *lp_fault_phase_word(enum lp_fault_phase phase)
{
    static const char *const words[] = {"asked", "injecting", "active", "healing"};
    return (size_t)phase < sizeof(words) / sizeof(words[0]) ? words[phase] : "?";
}

const char *lp_verdict_word(enum lp_node_verdict verdict)
{
    static const char *const words[] = {"waiting",   "starting", "healthy",   "unhealthy",
                                        "repairing", "stopping", "completed", "gave up"};
    return (size_t)verdict < sizeof(words) / sizeof(words[0]) ? words[verdict] : "?";
}
