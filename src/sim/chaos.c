// Faults, swizzled: in phases of random length each kind of fault is on or off, so that runs differ
// in kind and not only in dose. Source: FoundationDB's swizzle-clogging and BUGGIFY.
#include <string.h>

#include "sim/world.h"

static uint32_t dose(struct lp_world *world, uint32_t most)
{
    return lp_world_chance(world, 300) ? 1 + (uint32_t)lp_rng_below(&world->rng, most) : 0;
}

static void faults_choose(struct lp_world *world)
{
    struct lp_faults *faults = &world->faults;
    *faults = (struct lp_faults){0};
    faults->reply_lost = dose(world, 300);
    faults->reply_twice = dose(world, 300);
    faults->late_ms = dose(world, 1) ? (uint32_t)lp_world_between(world, 1, 20000) : 0;
    faults->sensor_lies = dose(world, 200);
    faults->start_fails = dose(world, 500);
    faults->app_start_fails = dose(world, 300);
    faults->app_fails_early = dose(world, 400);
    faults->order_refused = dose(world, 200);
    faults->slow_ms = dose(world, 1) ? (uint32_t)lp_world_between(world, 1, 60000) : 0;
    faults->disk_full = dose(world, 300);
    faults->daemon_dies = dose(world, 60);
    faults->image_fails = dose(world, 800);
    faults->network_fails = dose(world, 800);
    faults->log_doubts = dose(world, 300);
    faults->break_every_ms = dose(world, 1) ? lp_world_between(world, 500, 120000) : 0;
    // When everything is quiet, a little of something.
    if (!faults->break_every_ms && lp_world_chance(world, 500))
        faults->break_every_ms = 30000;
}

// One of what is there, by chance; LP_NONE when nothing is.
static uint32_t node_choose(struct lp_world *world)
{
    uint32_t count = 0, chosen = LP_NONE;
    for (uint32_t node = 0; node < world->limits.nodes; node++)
        if (world->lives[node].is_there && world->lives[node].phase == LP_LIFE_UP &&
            lp_rng_below(&world->rng, ++count) == 0)
            chosen = node;
    return chosen;
}

static void app_break(struct lp_world *world, uint32_t node)
{
    static const int32_t statuses[] = {0, 1, 2, 127, 137, 256 + 6, 256 + 9, 256 + 11};
    struct lp_life *life = &world->lives[node];
    uint32_t a = (uint32_t)lp_rng_below(&world->rng, life->app_count);
    struct lp_world_app *app = &life->apps[a];
    if (app->life != LP_APP_ALIVE || app->is_setup)
        return;
    uint64_t way = lp_rng_below(&world->rng, 4);
    if (way == 0 && app->has_check) {
        app->is_hung = true;
        lp_world_say(world, "hangs: %s/%s app %u", life->infra_name, life->name, a);
        return;
    }
    app->is_oom = way == 1;
    lp_world_app_end(world, node, a,
                     app->is_oom ? 256 + 9 : statuses[lp_rng_below(&world->rng, 8)]);
}

static void tell_dead(struct lp_world *world, uint32_t node)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_NODE_DEAD);
    event.node = node;
    event.incarnation = world->lives[node].incarnation;
    event.status = world->lives[node].status;
    event.is_oom = world->lives[node].is_oom;
    lp_world_tell(world, &event, false);
}

static void node_speaks(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_life *life = lp_world_find_life(world, this->node, this->incarnation);
    if (!life || life->serial != this->serial || !life->is_mute)
        return;
    life->is_mute = false;
    lp_world_say(world, "speaks: %s/%s", life->infra_name, life->name);
    lp_world_tell_life(world, this->node); // and says what happened meanwhile
}

static void node_mute(struct lp_world *world, uint32_t node)
{
    struct lp_life *life = &world->lives[node];
    if (life->is_mute)
        return;
    life->is_mute = true;
    lp_world_say(world, "mute: %s/%s", life->infra_name, life->name);
    lp_world_tell_life(world, node);
    if (lp_world_chance(world, 500))
        lp_world_later(world, lp_world_between(world, 1000, 60000),
                       (struct lp_happening){.happen = node_speaks,
                                             .node = node,
                                             .incarnation = life->incarnation,
                                             .serial = life->serial});
}

static void host_ends(struct lp_world *world, uint32_t host)
{
    for (uint32_t node = 0; node < world->limits.nodes; node++) {
        struct lp_life *life = &world->lives[node];
        if (life->is_there && life->host == host && life->phase != LP_LIFE_DEAD)
            lp_world_life_end(world, node, 256 + 9, false);
    }
}

static void tell_host(struct lp_world *world, uint32_t host, enum lp_event_kind kind)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.host = host;
    if (kind == LP_EVENT_HOST_UP)
        event.host_facts = (struct lp_host_facts){UINT64_C(64) << 30, 64000};
    lp_world_tell(world, &event, false);
}

static void host_back(struct lp_world *world, const struct lp_happening *this)
{
    uint32_t host = this->node;
    if (!world->hosts[host].is_dead || world->hosts[host].serial != this->serial)
        return;
    world->hosts[host].is_dead = false;
    lp_world_say(world, "host %u is back", host);
    tell_host(world, host, LP_EVENT_HOST_UP);
}

static void host_told(struct lp_world *world, const struct lp_happening *this)
{
    if (world->hosts[this->node].is_dead && world->hosts[this->node].serial == this->serial)
        tell_host(world, this->node, LP_EVENT_HOST_DEAD);
}

static void host_break(struct lp_world *world)
{
    if (world->config.hosts < 2)
        return;
    uint32_t host = 1 + (uint32_t)lp_rng_below(&world->rng, world->config.hosts - 1);
    if (world->hosts[host].is_dead)
        return;
    world->hosts[host] = (struct lp_world_host){.is_dead = true, .serial = ++world->serials};
    lp_world_say(world, "host %u dies", host);
    host_ends(world, host);
    for (uint32_t node = 0; node < world->limits.nodes; node++)
        if (world->lives[node].is_there && world->lives[node].host == host)
            lp_world_root_lose(world, node); // its disks do not come back with it
    struct lp_happening told = {
        .happen = host_told, .node = host, .serial = world->hosts[host].serial};
    lp_world_later(world, lp_world_between(world, 1000, 30000), told);
    told.happen = host_back;
    lp_world_later(world, lp_world_between(world, 60000, 600000), told);
}

// Power fails on the daemon's own machine: what runs there ends, and what lives in memory only.
static void machine_break(struct lp_world *world)
{
    lp_world_say(world, "the machine reboots");
    lp_world_crash(world, "its machine reboots");
    host_ends(world, 0);
    for (uint32_t i = 0; i < world->limits.infras; i++) {
        world->infras[i].has_network = false;
        world->infras[i].published = 0;
        lp_str_clear(&world->infras[i].names);
    }
}

static void something_breaks(struct lp_world *world)
{
    world->report->faults++;
    uint32_t node = node_choose(world);
    uint64_t way = lp_rng_below(&world->rng, 100);
    if (way < 3 && !world->config.crash_at_write) {
        machine_break(world);
    } else if (way < 10 && !world->config.crash_at_write) {
        lp_world_crash(world, "kill -9");
    } else if (way < 15) {
        host_break(world);
    } else if (node == LP_NONE) {
        return;
    } else if (way < 30) {
        lp_world_life_end(world, node, way % 2 ? 1 : 256 + 9, way == 20);
        tell_dead(world, node);
    } else if (way < 40) {
        node_mute(world, node);
    } else {
        app_break(world, node);
    }
}

static void breaks(struct lp_world *world, const struct lp_happening *this)
{
    if (this->serial != world->chaos)
        return;
    something_breaks(world);
    lp_world_later(world, lp_world_between(world, 1, 2 * world->faults.break_every_ms), *this);
}

static void phase_begins(struct lp_world *world, const struct lp_happening *this)
{
    if (this->serial != world->chaos)
        return;
    faults_choose(world);
    struct lp_happening next = {.happen = phase_begins, .serial = ++world->chaos};
    lp_world_say(world, "faults: break %lld late %u lost %u dies %u disk %u",
                 (long long)world->faults.break_every_ms, world->faults.late_ms,
                 world->faults.reply_lost, world->faults.daemon_dies, world->faults.disk_full);
    lp_world_later(world, lp_world_between(world, 10000, 240000), next);
    next.happen = breaks;
    if (world->faults.break_every_ms)
        lp_world_later(world, lp_world_between(world, 1, world->faults.break_every_ms), next);
}

void lp_chaos_start(struct lp_world *world)
{
    world->is_calm = false;
    struct lp_happening first = {.happen = phase_begins, .serial = ++world->chaos};
    phase_begins(world, &first);
}

void lp_chaos_stop(struct lp_world *world)
{
    lp_world_say(world, "faults stop");
    world->is_calm = true;
    world->chaos++;
    world->faults = (struct lp_faults){0};
    for (uint32_t host = 0; host < world->config.hosts; host++) {
        struct lp_happening back = {
            .happen = host_back, .node = host, .serial = world->hosts[host].serial};
        lp_world_later(world, 30000, back);
    }
}
