// The simulated world's own clock, chance, mail and trace.
#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"

static void defaults(struct lp_sim_config *config)
{
    config->hosts = config->hosts ? config->hosts : 1;
    config->nodes = config->nodes ? config->nodes : 6;
    config->span_ms = config->span_ms ? config->span_ms : 60 * 60 * 1000;
}

void lp_world_init(struct lp_world *world, const struct lp_sim_config *config,
                   struct lp_sim_report *report)
{
    memset(world, 0, sizeof(*world));
    memset(report, 0, sizeof(*report));
    world->config = *config;
    defaults(&world->config);
    world->report = report;
    report->trace_hash = LP_FNV_START;
    lp_rng_init(&world->rng, world->config.seed);
    world->start_ms = world->now_ms = 1700000000000;
    world->end_ms = world->start_ms + world->config.span_ms;
    // Room for twice as many nodes: those on their way out still have rows.
    world->limits = (struct lp_limits){.infras = 4,
                                       .services = 32,
                                       .nodes = world->config.nodes * 4 + 16,
                                       .apps = (world->config.nodes * 4 + 16) * LP_SIM_APPS_MAX,
                                       .images = 16,
                                       .hosts = LP_SIM_HOSTS_MAX};
    world->lives = lp_heap_take(world->limits.nodes * sizeof(*world->lives));
    world->services = lp_heap_take(world->limits.services * sizeof(*world->services));
    world->infras = lp_heap_take(world->limits.infras * sizeof(*world->infras));
    lp_world_store_init(world);
    lp_people_init(world);
    lp_world_clock_init(world);
}

void lp_world_release(struct lp_world *world)
{
    lp_queue_release(&world->queue);
    for (size_t i = 0; i < world->mail_count; i++)
        lp_heap_free(world->mail[i]);
    lp_heap_free(world->mail);
    for (uint32_t i = 0; i < world->limits.infras; i++)
        lp_str_release(&world->infras[i].names);
    lp_heap_free(world->infras);
    lp_heap_free(world->services);
    lp_heap_free(world->lives);
    lp_world_store_release(world);
}

void lp_world_say(struct lp_world *world, const char *fmt, ...)
{
    char *line = world->lines[world->line_count++ % LP_SIM_LINES];
    size_t room = sizeof(world->lines[0]);
    int64_t at_ms = world->now_ms - world->start_ms;
    int head = snprintf(line, room, "%" PRId64 ".%03d ", at_ms / 1000, (int)(at_ms % 1000));
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + head, room - (size_t)head, fmt, args);
    va_end(args);
    world->report->trace_hash = lp_fnv(world->report->trace_hash, line, strlen(line) + 1);
    if (world->config.trace)
        fprintf(world->config.trace, "%s\n", line);
}

void lp_world_accuse(struct lp_world *world, const char *law, const char *fmt, ...)
{
    if (world->is_broken)
        return;
    world->is_broken = true;
    char what[700];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    int64_t at_ms = world->now_ms - world->start_ms;
    snprintf(world->verdict, sizeof(world->verdict),
             "%s at %" PRId64 ".%03d s, record %" PRIu64 ": %s", law, at_ms / 1000,
             (int)(at_ms % 1000), world->store.last_seq, what);
}

bool lp_world_chance(struct lp_world *world, uint32_t permille)
{
    return permille && lp_rng_chance(&world->rng, permille);
}

int64_t lp_world_between(struct lp_world *world, int64_t least, int64_t most)
{
    return least + (int64_t)lp_rng_below(&world->rng, (uint64_t)(most - least) + 1);
}

void lp_world_later(struct lp_world *world, int64_t delay_ms, struct lp_happening happening)
{
    happening.at_ms = world->now_ms + delay_ms;
    lp_queue_add(&world->queue, &happening);
}

void lp_world_add_node_name(const struct lp_world *world, uint32_t node, struct lp_str *ret_text)
{
    const struct lp_node_row *row = lp_state_node(lp_engine_state(world->engine), node);
    lp_str_printf(ret_text, "%s-%u", world->services[row->service], row->ordinal);
}

struct lp_life *lp_world_find_life(struct lp_world *world, uint32_t node, uint32_t incarnation)
{
    if (node >= world->limits.nodes)
        return NULL;
    struct lp_life *life = &world->lives[node];
    return life->is_there && life->incarnation == incarnation ? life : NULL;
}

void lp_world_crash(struct lp_world *world, const char *where)
{
    if (world->is_dying)
        return;
    world->is_dying = true;
    world->report->crashes++;
    lp_world_say(world, "daemon dies: %s", where);
}

// Mail.

static void mail_arrives(struct lp_world *world, const struct lp_happening *this)
{
    if (this->serial != world->daemon || !world->engine) {
        lp_heap_free(this->mail); // the daemon that it was for is no more
        return;
    }
    if (world->mail_count == world->mail_capacity) {
        world->mail_capacity = world->mail_capacity ? world->mail_capacity * 2 : 64;
        world->mail = lp_heap_grow(world->mail, world->mail_capacity, sizeof(struct lp_event *));
    }
    world->mail[world->mail_count++] = this->mail;
}

static void mail_send(struct lp_world *world, const struct lp_event *event, int64_t at_ms)
{
    struct lp_happening happening = {
        .at_ms = at_ms, .happen = mail_arrives, .serial = world->daemon};
    happening.mail = lp_heap_take(sizeof(*event));
    *happening.mail = *event;
    lp_queue_add(&world->queue, &happening);
}

// What is told of one node arrives in order, and so what is told of one infrastructure: drivers
// read one socket or one child's exit after the other.
static int64_t *order_of(struct lp_world *world, const struct lp_event *event)
{
    static int64_t nobody;
    if (event->node < world->limits.nodes)
        return &world->lives[event->node].last_mail_ms;
    if (event->infra < world->limits.infras)
        return &world->infras[event->infra].last_mail_ms;
    nobody = 0;
    return &nobody;
}

// Facts with a life, a run or a revision in them may come again at any later time: whoever reads
// them can see that they are old. The others only come again at once.
static bool may_come_late_again(enum lp_event_kind kind)
{
    static const uint64_t kinds =
        UINT64_C(1) << LP_EVENT_NODE_FAILED | UINT64_C(1) << LP_EVENT_NODE_DEAD |
        UINT64_C(1) << LP_EVENT_NODE_GONE | UINT64_C(1) << LP_EVENT_APP_STARTED |
        UINT64_C(1) << LP_EVENT_APP_EXITED | UINT64_C(1) << LP_EVENT_APP_FAILED |
        UINT64_C(1) << LP_EVENT_RENDERED | UINT64_C(1) << LP_EVENT_PUBLISHED;
    return kinds >> kind & 1;
}

void lp_world_tell(struct lp_world *world, const struct lp_event *event, bool is_reply)
{
    if (world->is_telling) {
        mail_send(world, event, world->tell_at_ms);
        return;
    }
    if (!world->engine)
        return;
    if (is_reply && lp_world_chance(world, world->faults.reply_lost)) {
        lp_world_say(world, "lost: %s node %u app %u", lp_event_word(event->kind), event->node,
                     event->app);
        return;
    }
    int64_t late_ms = world->faults.late_ms;
    int64_t at_ms = world->now_ms + lp_world_between(world, 0, 2 + late_ms);
    int64_t *last_ms = order_of(world, event);
    if (at_ms < *last_ms)
        at_ms = *last_ms;
    *last_ms = at_ms;
    mail_send(world, event, at_ms);
    if (!lp_world_chance(world, world->faults.reply_twice))
        return;
    bool is_late = may_come_late_again(event->kind);
    mail_send(world, event, at_ms + (is_late ? lp_world_between(world, 0, 60000) : 0));
}
