// Faults that people ask for: who is meant, may it be broken, and as many rows as nodes are meant.
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/rng.h"
#include "engine/fault_volume.h"
#include "engine/places.h"
#include "engine/self.h"
#include "engine/view.h"
#include "model/interpolate.h"

struct aim { // a fault on its way to its targets
    struct lp_engine *engine;
    const struct lp_fault_ask *ask;
    struct lp_fault_spec spec;
    uint32_t infra, service;
    uint32_t app; // LP_NONE: the node
    uint32_t *nodes;
    size_t count;
    struct lp_arena *arena;
};

LP_MUST_CHECK static int app_find(struct aim *aim, const char *name, struct lp_err *err)
{
    uint16_t count = lp_state_service(aim->engine->state, aim->service)->want.app_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct lp_app *app = lp_catalog_find_app(&aim->engine->catalog, aim->service, i);
        bool may_be_meant = app && app->kind == LP_APP_SERVE;
        if (!may_be_meant || (name && strcmp(app->name, name) != 0))
            continue;
        if (aim->app != LP_NONE)
            return lp_err_set(err, LP_EINPUT, "%s runs several applications: name one, as in %s/%s",
                              aim->ask->target, aim->ask->target, app->name);
        aim->app = i;
    }
    if (aim->app == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no application '%s'", aim->ask->target,
                          name ? name : "");
    return 0;
}

// "one", "all", "2" or "50%" of so many.
LP_MUST_CHECK static int select_count(const char *select, size_t all, size_t *ret_count,
                                      struct lp_err *err)
{
    char *end;
    unsigned long number = select ? strtoul(select, &end, 10) : 1;
    if (!select || strcmp(select, "one") == 0)
        *ret_count = 1;
    else if (strcmp(select, "all") == 0)
        *ret_count = all;
    else if (end > select && strcmp(end, "%") == 0 && number > 0 && number <= 100)
        *ret_count = (all * number + 99) / 100;
    else if (end > select && !*end && number > 0 && number <= all)
        *ret_count = number;
    else
        return lp_err_set(err, LP_EINPUT,
                          "'%s' does not select: one, all, a number up to %zu, or a "
                          "share such as 50%%",
                          select, all);
    return 0;
}

// Keep `count` of the nodes, by chance from the seed.
static void choose(struct aim *aim, size_t count)
{
    struct lp_rng rng;
    lp_rng_init(&rng, aim->spec.seed);
    for (size_t i = 0; i < count; i++) {
        size_t other = i + lp_rng_below(&rng, aim->count - i);
        uint32_t node = aim->nodes[i];
        aim->nodes[i] = aim->nodes[other];
        aim->nodes[other] = node;
    }
    aim->count = count;
}

static void add_nodes(struct aim *aim, uint32_t service)
{
    const struct lp_state *state = aim->engine->state;
    for (uint32_t n = lp_state_next_node(state, service, LP_NONE); n != LP_NONE;
         n = lp_state_next_node(state, service, n))
        if (lp_state_node(state, n)->is_wanted)
            aim->nodes[aim->count++] = n;
}

LP_MUST_CHECK static int aim_at_name(struct aim *aim, struct lp_err *err)
{
    const struct lp_engine *engine = aim->engine;
    const struct lp_fault_ask *ask = aim->ask;
    const char *slash = strchr(ask->target, '/');
    char *name = slash ? lp_arena_text_n(aim->arena, ask->target, (size_t)(slash - ask->target))
                       : lp_arena_text(aim->arena, ask->target);
    uint32_t node = lp_catalog_find_node(&engine->catalog, engine->state, aim->infra, name);
    aim->service = lp_catalog_find_service(&engine->catalog, engine->state, aim->infra, name);
    if (node != LP_NONE) {
        aim->service = lp_state_node(engine->state, node)->service;
        aim->nodes[aim->count++] = node;
        if (ask->select)
            return lp_err_set(err, LP_EINPUT, "%s is one node: there is nothing to select", name);
    }
    if (aim->service == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no node or service '%s'", name);
    size_t count = 1;
    if (node == LP_NONE) {
        add_nodes(aim, aim->service);
        if (select_count(ask->select, aim->count, &count, err) < 0)
            return err->code;
        if (aim->count == 0)
            return lp_err_set(err, LP_ENOTFOUND, "%s has no node", name);
        choose(aim, count);
    }
    bool is_of_app = lp_fault_about((enum lp_fault_kind)aim->spec.kind)->place == LP_FAULT_OF_APP;
    if (slash && !is_of_app)
        return lp_err_set(err, LP_EINPUT, "the fault %s is of a node, not of an application",
                          ask->fault);
    return is_of_app ? app_find(aim, slash ? slash + 1 : NULL, err) : 0;
}

LP_MUST_CHECK static int network_find(struct aim *aim, const char *name, struct lp_err *err)
{
    const struct lp_catalog_version *version = aim->engine->catalog.infras[aim->infra].version;
    aim->spec.network =
        version ? lp_places_network_index(version->descriptor, name) : (uint32_t)LP_NONE;
    if (aim->spec.network == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no network '%s'", name);
    return 0;
}

// A network: each node on it, cut or slowed on that network only.
LP_MUST_CHECK static int aim_at_network(struct aim *aim, const char *network, struct lp_err *err)
{
    const struct lp_engine *engine = aim->engine;
    if (network_find(aim, network, err) < 0)
        return err->code;
    for (uint32_t s = 0; s < engine->limits.services; s++) {
        const struct lp_service_row *row = lp_state_service(engine->state, s);
        const struct lp_service *service = engine->catalog.services[s].service;
        bool is_on_it = false;
        for (size_t i = 0;
             row->is_used && row->infra == aim->infra && service && i < service->network_count; i++)
            is_on_it = is_on_it || strcmp(service->networks[i].network, network) == 0;
        if (is_on_it)
            add_nodes(aim, s);
    }
    return 0;
}

// Load on the machine itself, as one fault that is aimed at no node.
static bool is_of_machine(const struct aim *aim)
{
    return aim->spec.kind == LP_FAULT_CPU || aim->spec.kind == LP_FAULT_MEMORY ||
           aim->spec.kind == LP_FAULT_DISK_LOAD;
}

// The whole host: its load as one fault, its power as one of each node.
static void aim_at_host(struct aim *aim)
{
    const struct lp_engine *engine = aim->engine;
    if (is_of_machine(aim)) {
        aim->nodes[aim->count++] = LP_NONE;
        return;
    }
    for (uint32_t s = 0; s < engine->limits.services; s++)
        if (lp_state_service(engine->state, s)->is_used)
            add_nodes(aim, s);
}

LP_MUST_CHECK static int aim_take(struct aim *aim, struct lp_err *err)
{
    const struct lp_fault_ask *ask = aim->ask;
    enum lp_fault_place place = lp_fault_about((enum lp_fault_kind)aim->spec.kind)->place;
    bool is_daemon = strcmp(ask->target, "limpet") == 0;
    bool is_host = strcmp(ask->target, "host") == 0;
    bool is_network = lp_text_starts(ask->target, "network:");
    if (ask->select && (is_daemon || is_host || is_network))
        return lp_err_set(err, LP_EINPUT, "of %s there is nothing to select: only of a service",
                          ask->target);
    if (is_daemon != (place == LP_FAULT_OF_DAEMON))
        return lp_err_set(err, LP_EINPUT, "the fault %s is %s", ask->fault,
                          is_daemon ? "not one of Limpet itself"
                                    : "of Limpet itself: aim it at "
                                      "'limpet'");
    if (is_daemon) {
        aim->nodes[aim->count++] = LP_NONE;
        return 0;
    }
    if ((is_host || is_network) && place == LP_FAULT_OF_APP)
        return lp_err_set(err, LP_EINPUT, "the fault %s is of an application, not of %s",
                          ask->fault, is_host ? "the host" : "a network");
    if (is_host &&
        aim->spec.kind == LP_FAULT_EXEC) // what it would do to the machine, nobody undoes
        return lp_err_set(err, LP_EINPUT, "the fault exec runs in a node, not on the host");
    if (is_host) {
        aim_at_host(aim);
        return 0;
    }
    aim->infra = lp_catalog_find_infra(&aim->engine->catalog, aim->engine->state, ask->infra);
    if (aim->infra == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no infrastructure '%s'", ask->infra);
    if (is_network)
        return aim_at_network(aim, ask->target + strlen("network:"), err);
    return aim_at_name(aim, err);
}

// The names among the options: who the peers are, and on which network.
LP_MUST_CHECK static int names_read(struct aim *aim, struct lp_err *err)
{
    const struct lp_engine *engine = aim->engine;
    const char *peer = lp_pairs_find(&aim->ask->options, "peer");
    const char *network = lp_pairs_find(&aim->ask->options, "network");
    if (network && aim->spec.network != LP_NONE)
        return lp_err_set(err, LP_EINPUT, "%s says already which network", aim->ask->target);
    if ((peer || network) && aim->infra == LP_NONE)
        return lp_err_set(err, LP_EINPUT, "the host has no peer and no network to choose");
    if (peer) {
        aim->spec.peer_node =
            lp_catalog_find_node(&engine->catalog, engine->state, aim->infra, peer);
        aim->spec.peer_service =
            lp_catalog_find_service(&engine->catalog, engine->state, aim->infra, peer);
        if (aim->spec.peer_node == LP_NONE && aim->spec.peer_service == LP_NONE)
            return lp_err_set(err, LP_ENOTFOUND, "there is no node or service '%s' as a peer",
                              peer);
    }
    return network ? network_find(aim, network, err) : 0;
}

LP_MUST_CHECK static int refuse_unbreakable(const struct lp_service *service, struct lp_err *err)
{
    return service && service->is_unbreakable
               ? lp_err_set(err, LP_EDENIED,
                            "its descriptor says that %s is not to be broken (breakable: false)",
                            service->name)
               : 0;
}

// Load on the machine hits every node on it.
LP_MUST_CHECK static int may_load_machine(const struct aim *aim, struct lp_err *err)
{
    const struct lp_engine *engine = aim->engine;
    for (uint32_t s = 0; s < engine->limits.services; s++)
        if (lp_state_service(engine->state, s)->is_used &&
            lp_state_service(engine->state, s)->node_count > 0 &&
            refuse_unbreakable(engine->catalog.services[s].service, err) < 0)
            return err->code;
    return 0;
}

LP_MUST_CHECK static int may_break(const struct aim *aim, struct lp_err *err)
{
    for (size_t i = 0; i < aim->count; i++) {
        if (aim->nodes[i] == LP_NONE && is_of_machine(aim) && may_load_machine(aim, err) < 0)
            return err->code;
        if (aim->nodes[i] == LP_NONE)
            continue;
        uint32_t id = lp_state_node(aim->engine->state, aim->nodes[i])->service;
        const struct lp_service *service = aim->engine->catalog.services[id].service;
        if (refuse_unbreakable(service, err) < 0)
            return err->code;
        if (service && aim->spec.kind == LP_FAULT_CLOCK && !service->is_clock_adjustable)
            return lp_err_set(err, LP_EUNSUPPORTED,
                              "the clock of a container is the machine's: only where the "
                              "descriptor says `clock: adjustable` of %s can it be set",
                              service->name);
    }
    return 0;
}

// Of a fault of the disk: where the volume is mounted in the node, or NULL when it is of no such
// kind. It was found once already when the aim was taken.
LP_MUST_CHECK static int volume_find(const struct aim *aim, uint32_t node, const char **ret_target,
                                     struct lp_err *err)
{
    enum lp_fault_place place = lp_fault_about((enum lp_fault_kind)aim->spec.kind)->place;
    *ret_target = NULL;
    if (place != LP_FAULT_OF_VOLUME || node == LP_NONE)
        return 0;
    uint32_t id = lp_state_node(aim->engine->state, node)->service;
    const struct lp_service *service = aim->engine->catalog.services[id].service;
    if (!service)
        return lp_err_set(err, LP_ENOTFOUND, "nothing is known of the volumes of %s",
                          aim->ask->target);
    return lp_fault_volume_find(service, lp_pairs_find(&aim->ask->options, "volume"), ret_target,
                                err);
}

LP_MUST_CHECK static int volumes_find(const struct aim *aim, struct lp_err *err)
{
    const char *ignored;
    for (size_t i = 0; i < aim->count; i++)
        if (volume_find(aim, aim->nodes[i], &ignored, err) < 0)
            return err->code;
    return 0;
}

static void add_option(struct lp_str *text, const char *key, const char *value)
{
    lp_str_add(text, text->text[text->bytes - 1] == '{' ? "" : ",");
    lp_str_add_json(text, key);
    lp_str_add_char(text, ':');
    lp_str_add_json(text, value);
}

// What the driver and listings need of the words: kept with the row.
static const char *text_of(const struct aim *aim, uint32_t node)
{
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str name = {0};
    if (node == LP_NONE)
        lp_str_add(&name, aim->ask->target);
    else
        lp_catalog_add_node_name(&aim->engine->catalog, aim->engine->state, node, &name);
    lp_str_add(&text, "{\"target\":");
    lp_str_add_json(&text, lp_str_text(&name));
    lp_str_add(&text, ",\"options\":{");
    const char *volume = NULL;
    struct lp_err ignored;
    (void)!volume_find(aim, node, &volume, &ignored);
    for (size_t i = 0; i < aim->ask->options.count; i++) {
        const struct lp_pair *option = &aim->ask->options.items[i];
        if (!volume || strcmp(option->key, "volume") != 0)
            add_option(&text, option->key, option->value);
    }
    if (volume)
        add_option(&text, "volume", volume);
    if (lp_text_starts(aim->ask->target, "network:"))
        add_option(&text, "network", aim->ask->target + strlen("network:"));
    lp_str_add(&text, "}}");
    return lp_arena_text(aim->arena, lp_str_text(&text));
}

// The answer to a request: which faults it is about, and where the journal tells of it.
static void add_numbers(const struct lp_engine *engine, const struct lp_event *events, size_t count,
                        struct lp_str *json)
{
    lp_str_add(json, "{\"faults\":[");
    for (size_t i = 0; i < count; i++)
        lp_str_printf(json, "%s\"f%llu\"", i ? "," : "", (unsigned long long)events[i].revision);
    lp_str_printf(json, "],\"journal_seq\":%llu}", (unsigned long long)engine->last_seq);
}

static uint32_t free_slot(const struct lp_state *state, uint32_t from)
{
    while (from < LP_FAULTS_MAX && lp_state_fault(state, from)->is_used)
        from++;
    return from;
}

LP_MUST_CHECK static int submit(struct aim *aim, struct lp_str *ret_json, struct lp_err *err)
{
    struct lp_engine *engine = aim->engine;
    struct lp_event *events = lp_arena_new_array(aim->arena, struct lp_event, aim->count + 1);
    uint32_t slot = 0, number = lp_state_faults_asked(engine->state);
    for (size_t i = 0; i < aim->count; i++, slot++) {
        struct lp_event *event = &events[i];
        slot = free_slot(engine->state, slot);
        lp_event_init(event, LP_EVENT_FAULT_ASKED);
        event->fault = slot;
        event->revision = ++number;
        event->fault_spec = aim->spec;
        event->node = aim->nodes[i];
        event->app = aim->app;
        if (event->node != LP_NONE) {
            event->service = lp_state_node(engine->state, event->node)->service;
            event->infra = lp_state_node(engine->state, event->node)->infra;
        }
        event->text = text_of(aim, event->node);
        if (lp_step_check(engine->state, event, err) < 0)
            return err->code;
    }
    if (lp_engine_submit(engine, events, aim->count, err) < 0)
        return err->code;
    add_numbers(engine, events, aim->count, ret_json);
    return 0;
}

int lp_request_fault(struct lp_engine *engine, const struct lp_fault_ask *ask,
                     struct lp_str *ret_json, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct aim aim = {.engine = engine,
                      .ask = ask,
                      .infra = LP_NONE,
                      .service = LP_NONE,
                      .app = LP_NONE,
                      .nodes = lp_arena_new_array(&arena, uint32_t, engine->limits.nodes + 1u),
                      .arena = &arena};
    if (lp_fault_parse(ask->fault, ask->duration, &ask->options, &aim.spec, err) < 0)
        return err->code;
    if (!lp_pairs_find(&ask->options, "seed"))
        aim.spec.seed = (uint32_t)(engine->last_seq * 2654435761u);
    if (aim_take(&aim, err) < 0 || names_read(&aim, err) < 0 || may_break(&aim, err) < 0 ||
        volumes_find(&aim, err) < 0)
        return err->code;
    return submit(&aim, ret_json, err);
}

// Is the fault one that is limited to the network of this name?
static bool is_on_network(const struct lp_engine *engine, const struct lp_fault_row *row,
                          const char *name)
{
    const struct lp_catalog_version *version = engine->catalog.infras[row->infra].version;
    return version && row->spec.network != LP_NONE &&
           lp_places_network_index(version->descriptor, name) == row->spec.network;
}

// Is the fault one of those meant by "all", "f7", "db-1", "db", "db-1/mariadb", "network:back",
// "host" (the machine and all on it) or "limpet"?
static bool is_meant(const struct lp_engine *engine, const struct lp_fault_row *row,
                     const char *what, uint32_t infra)
{
    bool is_of_daemon =
        lp_fault_about((enum lp_fault_kind)row->spec.kind)->place == LP_FAULT_OF_DAEMON;
    if (strcmp(what, "all") == 0)
        return true;
    char *end;
    unsigned long number = what[0] == 'f' ? strtoul(what + 1, &end, 10) : 0;
    if (number > 0 && *end == '\0')
        return row->number == number;
    if (strcmp(what, "limpet") == 0 || strcmp(what, "host") == 0)
        return is_of_daemon == (what[0] == 'l');
    if (row->node == LP_NONE || (infra != LP_NONE && row->infra != infra))
        return false;
    if (lp_text_starts(what, "network:"))
        return is_on_network(engine, row, what + strlen("network:"));
    size_t bytes = strcspn(what, "/");
    LP_OWNS_STR struct lp_str name = {0};
    lp_catalog_add_node_name(&engine->catalog, engine->state, row->node, &name);
    const char *service = engine->catalog.services[row->service].name;
    bool is_node = strlen(lp_str_text(&name)) == bytes && strncmp(what, name.text, bytes) == 0;
    bool is_service = strlen(service) == bytes && strncmp(what, service, bytes) == 0;
    const struct lp_app *app =
        what[bytes] ? lp_catalog_find_app(&engine->catalog, row->service, row->app) : NULL;
    return (is_node || is_service) &&
           (!what[bytes] || (app && strcmp(app->name, what + bytes + 1) == 0));
}

int lp_request_heal(struct lp_engine *engine, const char *infra, const char *what,
                    struct lp_str *ret_json, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_event *events = lp_arena_new_array(&arena, struct lp_event, LP_FAULTS_MAX);
    uint32_t only;
    size_t count = 0;
    if (lp_view_find_infra(engine, infra, &only, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_row *row = lp_state_fault(engine->state, i);
        if (!row->is_used || !is_meant(engine, row, what, only))
            continue;
        lp_event_init(&events[count], LP_EVENT_HEAL_ASKED);
        events[count].fault = i;
        events[count].revision = row->number;
        events[count].infra = row->infra;
        events[count].service = row->service;
        events[count].node = row->node;
        events[count++].app = row->app;
    }
    if (count == 0 && strcmp(what, "all") != 0)
        return lp_err_set(err, LP_ENOTFOUND,
                          "there is no fault '%s', and nothing of that name is broken on purpose",
                          what);
    if (count > 0 && lp_engine_submit(engine, events, count, err) < 0)
        return err->code;
    add_numbers(engine, events, count, ret_json);
    return 0;
}

int lp_request_faults_lock(struct lp_engine *engine, bool is_locked, struct lp_err *err)
{
    struct lp_event event;
    lp_event_init(&event, LP_EVENT_FAULTS_LOCKED);
    event.is_ok = is_locked;
    return lp_engine_submit(engine, &event, 1, err);
}
