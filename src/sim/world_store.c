// The simulated disk under the journal. A daemon can die before or after each write, and a write
// can be refused. Whatever is stored is folded at once, from its text, into a shadow of the
// controller's state: what a replay from the beginning would give.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "core/step.h"
#include "sim/world.h"

enum outcome { WRITTEN, REFUSED, DIES_BEFORE, DIES_AFTER };

static enum outcome outcome_choose(struct lp_world *world)
{
    const struct lp_sim_config *config = &world->config;
    world->report->writes++;
    if (world->is_dying)
        return REFUSED;
    if (config->crash_at_write)
        return world->report->writes != config->crash_at_write ? WRITTEN
               : config->is_crash_after                        ? DIES_AFTER
                                                               : DIES_BEFORE;
    if (lp_world_chance(world, world->faults.disk_full))
        return REFUSED;
    if (lp_world_chance(world, world->faults.daemon_dies))
        return lp_rng_chance(&world->rng, 500) ? DIES_BEFORE : DIES_AFTER;
    return WRITTEN;
}

static void shadow_fold(struct lp_world *world, const struct lp_record *record)
{
    struct lp_arena arena = {0};
    struct lp_event event;
    struct lp_err err = {0};
    if (lp_event_parse(record->body, strlen(record->body), &arena, &event, &err) < 0)
        lp_world_accuse(world, "law 5 (replay)", "a record does not parse: %s: %s", err.text,
                        record->body);
    else if (event.seq != record->seq || event.at_ms != record->at_ms)
        lp_world_accuse(world, "law 5 (replay)", "the record's seq or time is not the event's: %s",
                        record->body);
    if (!world->is_broken && event.kind == LP_EVENT_SERVICE_SET && event.text)
        snprintf(world->services[event.service], sizeof(world->services[0]), "%s", event.text);
    struct lp_action actions[LP_PLAN_CAPACITY];
    struct lp_plan plan = {.capacity = LP_PLAN_CAPACITY, .actions = actions};
    if (!world->is_broken)
        lp_step(world->store.shadow, &event, &plan);
    lp_arena_release(&arena);
}

static void record_keep(struct lp_world *world, const struct lp_record *record)
{
    struct lp_world_store *store = &world->store;
    if (store->count == store->capacity) {
        store->capacity = store->capacity ? store->capacity * 2 : 256;
        store->records = lp_heap_grow(store->records, store->capacity, sizeof(*record));
    }
    struct lp_record *kept = &store->records[store->count++];
    *kept = *record;
    kept->word = strdup(record->word);
    kept->subject = strdup(record->subject);
    kept->body = strdup(record->body);
    lp_assert(kept->word && kept->subject && kept->body);
    store->last_seq = record->seq;
    if (record->at_ms < store->last_at_ms)
        lp_world_accuse(world, "law 5 (replay)", "time goes back along the journal");
    store->last_at_ms = record->at_ms;
    world->report->records++;
    lp_world_say(world, "record %" PRIu64 " %s %s %s", record->seq, record->word, record->subject,
                 record->body);
    world->report->trace_hash =
        lp_fnv(world->report->trace_hash, record->body, strlen(record->body) + 1);
    if (record->kind == LP_RECORD_EVENT)
        shadow_fold(world, record);
}

static int store_append(void *self, uint64_t expected_seq, const struct lp_record *records,
                        size_t count, struct lp_err *err)
{
    struct lp_world *world = self;
    enum outcome outcome = outcome_choose(world);
    if (outcome == DIES_BEFORE)
        lp_world_crash(world, "before a write");
    if (outcome == REFUSED || outcome == DIES_BEFORE)
        return lp_err_set(err, LP_EIO, "append: no space left on the disk");
    if (expected_seq != world->store.last_seq + 1) {
        lp_world_accuse(world, "law 1 (journal)",
                        "append of record %" PRIu64 " to a journal of %" PRIu64, expected_seq,
                        world->store.last_seq);
        return lp_err_set(err, LP_ECONFLICT, "not the next record");
    }
    for (size_t i = 0; i < count; i++)
        record_keep(world, &records[i]);
    if (outcome == DIES_AFTER) {
        lp_world_crash(world, "after a write");
        return lp_err_set(err, LP_EIO, "append: the daemon died");
    }
    return 0;
}

static int store_read(void *self, uint64_t from,
                      int (*visit)(void *context, const struct lp_record *), void *context,
                      struct lp_err *err)
{
    struct lp_world_store *store = &((struct lp_world *)self)->store;
    if (from <= store->trimmed)
        return lp_err_set(err, LP_EIO, "record %" PRIu64 " is not kept any more", from);
    for (size_t i = from - store->trimmed - 1; i < store->count; i++) {
        int stop = visit(context, &store->records[i]);
        if (stop)
            return stop;
    }
    return 0;
}

static int store_find(void *self, const struct lp_store_query *query,
                      int (*visit)(void *context, const struct lp_record *), void *context,
                      struct lp_err *err)
{
    (void)err;
    struct lp_world_store *store = &((struct lp_world *)self)->store;
    const char *subject = query->subject ? query->subject : "";
    size_t bytes = strlen(subject), matching = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t seen = 0,
               skip = query->is_last && matching > query->limit ? matching - query->limit : 0;
        for (size_t i = 0; i < store->count; i++) {
            const struct lp_record *record = &store->records[i];
            const char *behind = record->subject + bytes;
            if (record->seq <= query->after || strncmp(record->subject, subject, bytes) != 0 ||
                (bytes && *behind && *behind != '/'))
                continue;
            seen++;
            int stop = pass == 1 && seen > skip && seen - skip <= query->limit
                           ? visit(context, record)
                           : 0;
            if (stop)
                return stop;
        }
        matching = seen;
    }
    return 0;
}

// What the snapshot holds need not be kept: days of simulated time would fill the memory.
static void trim(struct lp_world_store *store, uint64_t seq)
{
    size_t gone = seq > store->trimmed ? (size_t)(seq - store->trimmed) : 0;
    for (size_t i = 0; i < gone; i++) {
        free((char *)(uintptr_t)store->records[i].word);
        free((char *)(uintptr_t)store->records[i].subject);
        free((char *)(uintptr_t)store->records[i].body);
    }
    if (gone)
        memmove(store->records, store->records + gone,
                (store->count - gone) * sizeof(*store->records));
    store->count -= gone;
    store->trimmed += gone;
}

static int store_save(void *self, uint64_t seq, const void *bytes, size_t count, struct lp_err *err)
{
    struct lp_world *world = self;
    struct lp_world_store *store = &world->store;
    enum outcome outcome = outcome_choose(world);
    if (outcome == DIES_BEFORE)
        lp_world_crash(world, "before a snapshot");
    if (outcome == REFUSED || outcome == DIES_BEFORE)
        return lp_err_set(err, LP_EIO, "save: no space left on the disk");
    lp_world_say(world, "snapshot %" PRIu64, seq);
    lp_heap_free(store->snapshot);
    store->snapshot = lp_heap_take(count + 1);
    memcpy(store->snapshot, bytes, count);
    store->snapshot_count = count;
    store->snapshot_seq = seq;
    trim(store, seq);
    if (outcome == DIES_AFTER)
        lp_world_crash(world, "after a snapshot");
    return 0;
}

static int store_load(void *self, uint64_t *ret_seq, void **ret_bytes, size_t *ret_count,
                      struct lp_err *err)
{
    (void)err;
    const struct lp_world_store *store = &((struct lp_world *)self)->store;
    *ret_seq = store->snapshot_seq;
    *ret_count = store->snapshot_count;
    *ret_bytes = NULL;
    if (!store->snapshot_seq)
        return 0;
    *ret_bytes = malloc(store->snapshot_count + 1);
    lp_assert(*ret_bytes);
    memcpy(*ret_bytes, store->snapshot, store->snapshot_count);
    return 0;
}

static void store_close(void *self)
{
    (void)self; // the disk outlives the daemon
}

static const struct lp_store_ops ops = {.append = store_append,
                                        .read = store_read,
                                        .save = store_save,
                                        .load = store_load,
                                        .close = store_close,
                                        .find = store_find};

struct lp_store lp_world_store_open(struct lp_world *world)
{
    return (struct lp_store){&ops, world};
}

void lp_world_store_init(struct lp_world *world)
{
    struct lp_world_store *store = &world->store;
    store->shadow_memory = lp_heap_take(lp_state_bytes(&world->limits));
    store->shadow = lp_state_init(store->shadow_memory, &world->limits, world->config.seed);
}

void lp_world_store_release(struct lp_world *world)
{
    trim(&world->store, world->store.last_seq);
    lp_heap_free(world->store.records);
    lp_heap_free(world->store.snapshot);
    lp_heap_free(world->store.shadow_memory);
}

bool lp_world_store_has(const struct lp_world *world, uint64_t after, const char *word)
{
    const struct lp_world_store *store = &world->store;
    for (size_t i = store->count; i > 0 && store->records[i - 1].seq > after; i--)
        if (strcmp(store->records[i - 1].word, word) == 0)
            return true;
    return false;
}
