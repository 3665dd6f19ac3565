// The simulated people.
#include "sim/people.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"
#include "engine/engine.h"
#include "model/descriptor.h"
#include "sim/world.h"

static uint32_t pick(struct lp_rng *rng, uint32_t least, uint32_t most)
{
    return least + (uint32_t)lp_rng_below(rng, most - least + 1);
}

static void service_invent(struct lp_rng *rng, struct lp_wish_service *service, int index)
{
    *service = (struct lp_wish_service){.described = 1, .depends_on = -1, .observes = -1};
    snprintf(service->name, sizeof(service->name), "s%d", index);
    if (index > 0 && lp_rng_chance(rng, 600))
        service->depends_on = (int)lp_rng_below(rng, (uint64_t)index);
    if (index > 0 && lp_rng_chance(rng, 600))
        service->observes = (int)lp_rng_below(rng, (uint64_t)index);
    service->has_check = lp_rng_chance(rng, 700);
    service->is_depend_healthy = lp_rng_chance(rng, 700);
    service->has_setup = lp_rng_chance(rng, 300);
    service->has_second_app = lp_rng_chance(rng, 250);
    service->has_volume = lp_rng_chance(rng, 300);
    service->interval_s = pick(rng, 1, 10);
    service->retries = pick(rng, 1, 3);
    service->max_attempts = lp_rng_chance(rng, 500) ? pick(rng, 1, 8) : 0;
    service->delay_ms = pick(rng, 100, 5000);
    service->window_s = pick(rng, 30, 300);
    service->restart = LP_RESTART_ALWAYS;
    service->reload = (uint8_t)pick(rng, LP_RELOAD_RESTART, LP_RELOAD_NOTHING);
}

void lp_people_init(struct lp_world *world)
{
    struct lp_people *people = &world->people;
    // A stream of its own: what people want does not change with what happens to them.
    lp_rng_init(&people->rng, world->config.seed ^ 0x70656f706c65);
    people->infra_count = world->config.nodes >= 4 && lp_rng_chance(&people->rng, 500) ? 2 : 1;
    uint32_t left = world->config.nodes / people->infra_count;
    for (uint32_t i = 0; i < people->infra_count; i++) {
        struct lp_wish *wish = &people->wishes[i];
        snprintf(wish->name, sizeof(wish->name), "infra%u", i);
        uint32_t most = left < LP_PEOPLE_SERVICES ? left : LP_PEOPLE_SERVICES;
        wish->service_count = most ? pick(&people->rng, 1, most) : 1;
        for (uint32_t s = 0; s < wish->service_count; s++)
            service_invent(&people->rng, &wish->services[s], (int)s);
        if (world->config.fault_kind)
            wish->services[0].has_volume = true; // so that any fault can be had
        for (uint32_t n = wish->service_count; n < left; n++)
            wish->services[lp_rng_below(&people->rng, wish->service_count)].described++;
    }
}

// The descriptor's text.

static void print_check(const struct lp_wish_service *service, const char *indent,
                        struct lp_str *yaml)
{
    if (service->has_check)
        lp_str_printf(yaml,
                      "%shealthcheck: {test: [TCP, 80], interval: %us, timeout: 1s, retries: %u,"
                      " start_period: 1s}\n",
                      indent, service->interval_s, service->retries);
}

static void print_reload(const struct lp_wish_service *service, struct lp_str *yaml)
{
    static const char *const reloads[] = {"restart", "{command: [reload]}", "{signal: SIGHUP}",
                                          "nothing"};
    lp_str_printf(yaml, "    reload: %s\n", reloads[service->reload]);
}

static void print_apps(const struct lp_wish_service *service, struct lp_str *yaml)
{
    if (service->has_setup)
        lp_str_add(yaml,
                   "    setup:\n      - {name: prepare, command: [prepare], timeout: 300s}\n");
    if (!service->has_second_app) {
        lp_str_add(yaml, "    command: [serve]\n");
        print_check(service, "    ", yaml);
        return;
    }
    lp_str_add(yaml, "    applications:\n      first:\n        command: [serve]\n");
    print_check(service, "        ", yaml);
    lp_str_add(yaml, "      second:\n        command: [help]\n");
}

static void print_service(const struct lp_wish *wish, const struct lp_wish_service *service,
                          struct lp_str *yaml)
{
    static const char *const conditions[] = {"none", "on-failure", "any"};
    lp_str_printf(yaml, "  %s:\n    image: \"program:%u\"\n    environment: {VERSION: \"%u\"}\n",
                  service->name, service->node_version / 2, service->node_version);
    print_apps(service, yaml);
    print_reload(service, yaml);
    lp_str_printf(yaml,
                  "    deploy:\n      replicas: %u\n      restart_policy: {condition: %s, delay:"
                  " %ums, max_attempts: %u, window: %us}\n",
                  service->described, conditions[service->restart], service->delay_ms,
                  service->max_attempts, service->window_s);
    if (service->depends_on >= 0)
        lp_str_printf(yaml, "    depends_on: {%s: {condition: service_%s}}\n",
                      wish->services[service->depends_on].name,
                      service->is_depend_healthy ? "healthy" : "started");
    if (service->has_volume)
        lp_str_printf(yaml, "    volumes: [\"data-%s:/data\"]\n", service->name);
    lp_str_printf(yaml, "    configs: [{source: c-%s, target: /etc/c}]\n", service->name);
    lp_str_add(yaml, "    stop_grace_period: 2s\n    clock: adjustable\n");
}

void lp_wish_print(const struct lp_wish *wish, struct lp_str *ret_yaml)
{
    bool has_volumes = false;
    lp_str_printf(ret_yaml, "name: %s\nservices:\n", wish->name);
    for (uint32_t s = 0; s < wish->service_count; s++) {
        print_service(wish, &wish->services[s], ret_yaml);
        has_volumes = has_volumes || wish->services[s].has_volume;
    }
    lp_str_add(ret_yaml, "configs:\n");
    for (uint32_t s = 0; s < wish->service_count; s++) {
        const struct lp_wish_service *service = &wish->services[s];
        lp_str_printf(ret_yaml, "  c-%s: {content: \"%u:", service->name, service->file_version);
        if (service->observes >= 0)
            lp_str_printf(ret_yaml, "{{ each %s }}{{ .name }}={{ .address }},{{ end }}",
                          wish->services[service->observes].name);
        lp_str_add(ret_yaml, "\"}\n");
    }
    if (has_volumes)
        lp_str_add(ret_yaml, "volumes:\n");
    for (uint32_t s = 0; s < wish->service_count; s++)
        if (wish->services[s].has_volume)
            lp_str_printf(ret_yaml, "  data-%s: {}\n", wish->services[s].name);
}

// Requests. What counts is whether the journal has it: a daemon that dies may have written the
// request without answering. What it has answered it must have written. LP_ECONFLICT is an answer,
// too: what is being taken down can only be brought up again once it is gone.

struct asked {
    uint64_t before_seq;
    const char *word; // of the record that makes the request complete
};

static bool is_in_force(struct lp_world *world, const struct asked *asked, int result,
                        const struct lp_err *err)
{
    bool is_written = lp_world_store_has(world, asked->before_seq, asked->word);
    world->report->requests++;
    if (result == 0 && !is_written)
        lp_world_accuse(world, "law 1 (journal)",
                        "a request was acknowledged, but the journal has no %s", asked->word);
    if (result < 0 && result != LP_EIO && result != LP_ECONFLICT)
        lp_world_accuse(world, "people", "a right request was refused: %s", err->text);
    lp_world_say(world, "asked: %s: %s", asked->word,
                 result == 0  ? "acknowledged"
                 : is_written ? "not answered"
                              : "not written");
    return is_written;
}

static void apply(struct lp_world *world, const struct lp_wish *wish, uint32_t index)
{
    LP_OWNS_STR struct lp_str yaml = {0};
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_err err = {0};
    lp_wish_print(wish, &yaml);
    const struct lp_descriptor *descriptor = NULL;
    struct lp_mistakes *mistakes = lp_arena_new(&arena, struct lp_mistakes);
    struct lp_parse_input input = {.path = "/sim.yaml", .text = yaml.text, .bytes = yaml.bytes};
    if (lp_descriptor_parse(&input, &arena, mistakes, &descriptor, &err) < 0) {
        lp_world_accuse(world, "people", "a right descriptor was refused: %s", err.text);
        return;
    }
    lp_descriptor_print(descriptor, &text);
    struct asked asked = {world->store.last_seq, "infra-applied"};
    lp_judge_forgive(world); // what changed begins anew
    int result = lp_request_apply(world->engine, text.text, text.bytes, NULL, &err);
    if (!is_in_force(world, &asked, result, &err))
        return;
    struct lp_wish *kept = &world->people.wishes[index];
    struct lp_wish before = *kept;
    *kept = *wish;
    kept->is_wanted = true;
    for (uint32_t s = 0; s < kept->service_count; s++) {
        bool is_same = before.is_wanted && s < before.service_count &&
                       before.services[s].described == kept->services[s].described;
        kept->services[s].replicas =
            is_same ? before.services[s].replicas : kept->services[s].described;
    }
}

static void down(struct lp_world *world, uint32_t index)
{
    struct lp_wish *wish = &world->people.wishes[index];
    struct lp_err err = {0};
    struct asked asked = {world->store.last_seq, "infra-unset"};
    int result = lp_request_down(world->engine, wish->name, false, &err);
    if (is_in_force(world, &asked, result, &err))
        wish->is_wanted = false;
}

// A new service; it does not wait for one that was scaled down to nothing.
static void service_come(struct lp_rng *rng, struct lp_wish *wish)
{
    struct lp_wish_service *service = &wish->services[wish->service_count];
    service_invent(rng, service, (int)wish->service_count++);
    if (service->depends_on >= 0 && wish->services[service->depends_on].replicas == 0)
        service->depends_on = -1;
}

static void change(struct lp_world *world, uint32_t index)
{
    struct lp_rng *rng = &world->people.rng;
    struct lp_wish wish = world->people.wishes[index];
    struct lp_wish_service *service = &wish.services[lp_rng_below(rng, wish.service_count)];
    switch (lp_rng_below(rng, 5)) {
    case 0:
        service->node_version++;
        break;
    case 1:
        service->file_version++;
        break;
    case 2:
        service->described = pick(rng, 1, 1 + world->config.nodes / 2);
        break;
    case 3: // the last service leaves, or a new one comes
        if (wish.service_count > 1 && lp_rng_chance(rng, 500))
            wish.service_count--;
        else if (wish.service_count < LP_PEOPLE_SERVICES)
            service_come(rng, &wish);
        break;
    default: // the same again: nothing may happen
        break;
    }
    apply(world, &wish, index);
}

// Down to nothing only where nobody waits for it.
static uint32_t least_replicas(const struct lp_wish *wish, uint32_t service)
{
    for (uint32_t s = 0; s < wish->service_count; s++)
        if (wish->services[s].depends_on == (int)service)
            return 1;
    return 0;
}

static void scale(struct lp_world *world, uint32_t index)
{
    struct lp_rng *rng = &world->people.rng;
    struct lp_wish *wish = &world->people.wishes[index];
    uint32_t at = (uint32_t)lp_rng_below(rng, wish->service_count);
    struct lp_wish_service *service = &wish->services[at];
    uint32_t replicas = pick(rng, least_replicas(wish, at), 1 + world->config.nodes / 2);
    struct lp_err err = {0};
    struct asked asked = {world->store.last_seq, "scale-set"};
    int result = lp_request_scale(world->engine, wish->name, service->name, replicas, &err);
    if (is_in_force(world, &asked, result, &err))
        service->replicas = replicas;
}

// Is it a fault of the simulation that this was refused? What exists and runs only the controller
// knows: LP_ENOTFOUND and LP_ECONFLICT are fine, and so is a disk that is full.
static void refusal_judge(struct lp_world *world, const char *what, int result,
                          const struct lp_err *err)
{
    world->report->requests++;
    lp_world_say(world, "asked: %s: %d", what, result);
    if (result < 0 && result != LP_EIO && result != LP_ENOTFOUND && result != LP_ECONFLICT &&
        result != LP_EFULL)
        lp_world_accuse(world, "people", "%s was refused: %s", what, err->text);
}

static void restart(struct lp_world *world, const struct lp_wish *wish, const char *target)
{
    char what[120];
    struct lp_err err = {0};
    lp_judge_forgive(world);
    int result = lp_request_restart(world->engine, wish->name, target, &err);
    snprintf(what, sizeof(what), "restart %s/%s", wish->name, target);
    refusal_judge(world, what, result, &err);
}

// Break something on purpose, mostly for a while.
static void break_it(struct lp_world *world, const struct lp_wish *wish, const char *target)
{
    // Those of a disk are refused where there is no volume.
    static const char *const of_node[] = {"crash", "pause", "cut",       "crash",
                                          "exec",  "clock", "read-only", "lose-writes"};
    static struct lp_pair exec[] = {{"command", "break"}, {"undo", "mend"}},
                          clock[] = {{"jump", "-1h"}};
    static const char *const of_app[] = {"kill", "kill", "hang"};
    struct lp_rng *rng = &world->people.rng;
    bool is_app = strchr(target, '/') != NULL;
    char duration[16], what[120];
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str answer = {0};
    struct lp_fault_ask ask = {.infra = wish->name,
                               .target = target,
                               .fault = is_app ? of_app[lp_rng_below(rng, 3)]
                                               : of_node[lp_rng_below(rng, 8)]};
    snprintf(duration, sizeof(duration), "%us", pick(rng, 1, 90));
    bool is_held = strcmp(ask.fault, "crash") != 0 || lp_rng_chance(rng, 500);
    if (strcmp(ask.fault, "kill") != 0 && is_held)
        ask.duration = duration;
    if (strcmp(ask.fault, "exec") == 0)
        ask.options = (struct lp_pairs){exec, 2};
    else if (strcmp(ask.fault, "clock") == 0)
        ask.options = (struct lp_pairs){clock, 1};
    int result = lp_request_fault(world->engine, &ask, &answer, &err);
    snprintf(what, sizeof(what), "break %s/%s %s", wish->name, target, ask.fault);
    refusal_judge(world, what, result, &err);
}

void lp_people_break(struct lp_world *world, enum lp_fault_kind kind)
{
    static struct lp_pair needed[] = {{"delay", "1ms"},
                                      {"rate", "1mbit"},
                                      {"command", "break"},
                                      {"undo", "mend"},
                                      {"jump", "-1h"}};
    const struct lp_fault_about *about = lp_fault_about(kind);
    const struct lp_wish *wish = &world->people.wishes[0];
    const char *service = wish->services[0].name;
    bool has_time = !about->is_instant || about->may_hold;
    char target[40];
    struct lp_pair given[sizeof(needed) / sizeof(needed[0])];
    struct lp_fault_ask ask = {.infra = wish->name,
                               .target = target,
                               .fault = lp_fault_words[kind],
                               .duration = has_time ? "2s" : NULL,
                               .options = {.items = given}};
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str takes = {0};
    LP_OWNS_STR struct lp_str answer = {0};
    bool has_two = wish->services[0].has_second_app;
    snprintf(target, sizeof(target), "%s-1%s%s", service,
             about->place == LP_FAULT_OF_APP ? "/" : "",
             about->place != LP_FAULT_OF_APP ? ""
             : has_two                       ? "first"
                                             : service);
    lp_str_add_char(&takes, ' ');
    lp_fault_options(kind, &takes);
    lp_str_add_char(&takes, ' ');
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        char word[32];
        snprintf(word, sizeof(word), " %s ", needed[i].key);
        if (strstr(lp_str_text(&takes), word))
            given[ask.options.count++] = needed[i];
    }
    if (world->engine)
        refusal_judge(world, "break for a sweep",
                      lp_request_fault(world->engine, &ask, &answer, &err), &err);
}

// Heal what was broken, or pull the lever that stops all of it for a moment.
static void mend(struct lp_world *world)
{
    struct lp_err err = {0};
    LP_OWNS_STR struct lp_str answer = {0};
    if (lp_rng_chance(&world->people.rng, 700)) {
        refusal_judge(world, "heal all", lp_request_heal(world->engine, NULL, "all", &answer, &err),
                      &err);
        return;
    }
    int result = lp_request_faults_lock(world->engine, true, &err);
    refusal_judge(world, "lock", result, &err);
    if (world->engine && !world->is_dying)
        refusal_judge(world, "unlock", lp_request_faults_lock(world->engine, false, &err), &err);
}

static void disturb(struct lp_world *world, uint32_t index)
{
    struct lp_rng *rng = &world->people.rng;
    const struct lp_wish *wish = &world->people.wishes[index];
    const struct lp_wish_service *service = &wish->services[lp_rng_below(rng, wish->service_count)];
    char target[40];
    bool is_node = lp_rng_chance(rng, 400);
    snprintf(target, sizeof(target), "%s-%u%s", service->name, pick(rng, 1, 3),
             is_node                   ? ""
             : service->has_second_app ? "/first"
                                       : "");
    if (!is_node && !service->has_second_app)
        snprintf(target + strlen(target), sizeof(target) - strlen(target), "/%s", service->name);
    uint64_t way = lp_rng_below(rng, 100);
    if (way < 40)
        restart(world, wish, target);
    else if (way < 90)
        break_it(world, wish, target);
    else
        mend(world);
}

void lp_people_ask(struct lp_world *world)
{
    struct lp_people *people = &world->people;
    uint32_t index = (uint32_t)lp_rng_below(&people->rng, people->infra_count);
    uint64_t way = lp_rng_below(&people->rng, 100);
    if (!world->engine)
        return;
    if (!people->wishes[index].is_wanted)
        apply(world, &people->wishes[index], index);
    else if (way < 35)
        change(world, index);
    else if (way < 60)
        scale(world, index);
    else if (way < 92)
        disturb(world, index);
    else
        down(world, index);
}

void lp_people_up(struct lp_world *world)
{
    for (uint32_t i = 0; i < world->people.infra_count && world->engine && !world->is_dying; i++)
        if (!world->people.wishes[i].is_wanted)
            apply(world, &world->people.wishes[i], i);
}

void lp_people_down(struct lp_world *world)
{
    for (uint32_t i = 0; i < world->people.infra_count && world->engine; i++)
        if (world->people.wishes[i].is_wanted)
            down(world, i);
}

void lp_people_change_all(struct lp_world *world)
{
    struct lp_wish wish = world->people.wishes[0];
    struct lp_wish_service *last = &wish.services[wish.service_count - 1];
    wish.services[0].node_version++;
    last->file_version++;
    last->described++;
    if (world->engine)
        apply(world, &wish, 0);
}

void lp_people_retry(struct lp_world *world)
{
    lp_judge_forgive(world);
    for (uint32_t node = 0; node < world->limits.nodes && world->engine; node++) {
        const struct lp_node_row *row = lp_state_node(lp_engine_state(world->engine), node);
        if (!row->is_used || row->verdict != LP_VERDICT_GAVE_UP)
            continue;
        struct lp_err err = {0};
        LP_OWNS_STR struct lp_str name = {0};
        const char *infra = world->infras[row->infra].name;
        lp_world_add_node_name(world, node, &name);
        lp_world_say(world, "asked: restart %s/%s, which gave up", infra, name.text);
        if (lp_request_restart(world->engine, infra, name.text, &err) < 0)
            lp_world_accuse(world, "people", "restart of %s was refused: %s", name.text, err.text);
    }
}
