// Images, networks, published names and hosts of the simulated world.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/world.h"

static struct lp_event infra_event(enum lp_event_kind kind, uint32_t infra)
{
    struct lp_event event;
    lp_event_init(&event, kind);
    event.infra = infra;
    return event;
}

static void tell_host(struct lp_world *world, uint32_t host)
{
    struct lp_event event;
    lp_event_init(&event, world->hosts[host].is_dead ? LP_EVENT_HOST_DEAD : LP_EVENT_HOST_UP);
    event.host = host;
    if (event.kind == LP_EVENT_HOST_UP)
        event.host_facts = (struct lp_host_facts){UINT64_C(64) << 30, 64000};
    lp_world_tell(world, &event, false);
}

void lp_world_tell_places(struct lp_world *world)
{
    for (uint32_t host = 0; host < world->config.hosts; host++)
        tell_host(world, host);
    for (uint32_t infra = 0; infra < world->limits.infras; infra++) {
        if (!world->infras[infra].has_network)
            continue;
        struct lp_event event = infra_event(LP_EVENT_NETWORK_READY, infra);
        lp_world_tell(world, &event, false);
        world->infras[infra].last_mail_ms = world->tell_at_ms;
    }
}

// Images.

static bool has_image(const struct lp_world *world, const char *hash)
{
    for (size_t i = 0; i < world->image_count; i++)
        if (strcmp(world->images[i], hash) == 0)
            return true;
    return false;
}

static void image_done(struct lp_world *world, const struct lp_happening *this)
{
    if (this->serial != world->daemon)
        return; // the build died with the daemon
    bool is_failed = this->status != 0;
    struct lp_event event;
    lp_event_init(&event, is_failed ? LP_EVENT_IMAGE_FAILED : LP_EVENT_IMAGE_READY);
    event.image = this->image;
    event.text = is_failed ? "the simulated download broke off" : NULL;
    lp_world_tell(world, &event, false); // a child's exit, which is never missed
}

static void image_ensure(struct lp_world *world, const struct lp_order *order)
{
    struct lp_happening done = {
        .happen = image_done, .image = order->action.image, .serial = world->daemon};
    bool is_known = has_image(world, order->image->hash);
    bool is_failed = !is_known && lp_world_chance(world, world->faults.image_fails);
    if (!is_known && !is_failed && world->image_count < LP_SIM_IMAGES_MAX)
        snprintf(world->images[world->image_count++], sizeof(world->images[0]), "%s",
                 order->image->hash);
    done.status = is_failed;
    int64_t most_ms = is_known ? 3 : 20000 + world->faults.slow_ms;
    lp_world_later(world, lp_world_between(world, 1, most_ms), done);
}

// Networks and names.

static void network_done(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_world_infra *infra = &world->infras[this->infra];
    if (this->serial != world->daemon)
        return;
    struct lp_event event =
        infra_event(this->status ? LP_EVENT_NETWORK_FAILED : LP_EVENT_NETWORK_READY, this->infra);
    event.text = this->status ? "the simulated bridge cannot be made" : NULL;
    if (!this->status)
        infra->has_network = true;
    lp_world_tell(world, &event, true);
}

static void network_goes(struct lp_world *world, const struct lp_happening *this)
{
    struct lp_world_infra *infra = &world->infras[this->infra];
    if (this->serial != world->daemon)
        return;
    infra->has_network = false;
    infra->published = 0;
    lp_str_clear(&infra->names);
    lp_world_say(world, "network gone: %u", this->infra);
    struct lp_event event = infra_event(LP_EVENT_NETWORK_GONE, this->infra);
    lp_world_tell(world, &event, true);
}

static void names_keep(struct lp_world_infra *infra, const struct lp_order *order)
{
    lp_str_clear(&infra->names);
    for (size_t i = 0; i < order->name_count; i++)
        lp_str_printf(&infra->names, "%s=%u ", order->names[i].name, order->names[i].address);
}

static void published(struct lp_world *world, const struct lp_happening *this)
{
    if (this->serial != world->daemon)
        return;
    struct lp_event event = infra_event(LP_EVENT_PUBLISHED, this->infra);
    event.revision = this->revision;
    lp_world_tell(world, &event, true);
}

void lp_world_begin_place(struct lp_world *world, const struct lp_order *order)
{
    const struct lp_action *action = &order->action;
    if (action->kind == LP_ACTION_ENSURE_IMAGE) {
        image_ensure(world, order);
        return;
    }
    struct lp_world_infra *infra = &world->infras[action->infra];
    struct lp_happening happening = {.happen = network_done,
                                     .infra = action->infra,
                                     .revision = action->revision,
                                     .serial = world->daemon};
    int64_t most_ms = 20 + world->faults.slow_ms;
    if (action->kind == LP_ACTION_ENSURE_NETWORK) {
        snprintf(infra->name, sizeof(infra->name), "%s", order->infra_name);
        happening.status =
            !infra->has_network && lp_world_chance(world, world->faults.network_fails);
    } else if (action->kind == LP_ACTION_REMOVE_NETWORK) {
        happening.happen = network_goes;
    } else {
        happening.happen = published;
        names_keep(infra, order);
        infra->published = action->revision;
    }
    int64_t at_ms = world->now_ms + lp_world_between(world, 1, most_ms);
    infra->busy_ms = at_ms > infra->busy_ms ? at_ms : infra->busy_ms + 1;
    lp_world_later(world, infra->busy_ms - world->now_ms, happening);
}
