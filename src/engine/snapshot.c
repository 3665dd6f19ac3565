// A snapshot: the state's bytes and the catalog, so that a start need not replay everything.
#include <string.h>

#include "base/hash.h"
#include "engine/self.h"

struct header {
    uint64_t state_bytes;
    int64_t at_ms, wake_at_ms;
};

void lp_engine_snapshot(const struct lp_engine *engine, struct lp_str *ret_bytes)
{
    struct header header = {lp_state_bytes(&engine->limits), engine->last_at_ms,
                            engine->wake_at_ms};
    lp_str_add_n(ret_bytes, (const char *)&header, sizeof(header));
    lp_str_add_n(ret_bytes, engine->state_memory, header.state_bytes);
    lp_catalog_print(&engine->catalog, engine->state, ret_bytes);
}

int lp_engine_restore(struct lp_engine *engine, const void *bytes, size_t count, struct lp_err *err)
{
    struct header header;
    size_t state_bytes = lp_state_bytes(&engine->limits);
    if (count < sizeof(header))
        return lp_err_set(err, LP_ECORRUPT, "the snapshot is too short");
    memcpy(&header, bytes, sizeof(header));
    if (header.state_bytes != state_bytes || count < sizeof(header) + state_bytes)
        return lp_err_set(err, LP_ECORRUPT, "the snapshot has another layout");
    const char *at = (const char *)bytes + sizeof(header);
    void *memory = lp_heap_take(state_bytes);
    memcpy(memory, at, state_bytes);
    struct lp_state *state = lp_state_from_bytes(memory, state_bytes, &engine->limits);
    if (!state) {
        lp_heap_free(memory);
        return lp_err_set(err, LP_ECORRUPT, "the snapshot has another layout");
    }
    struct lp_catalog catalog;
    lp_catalog_init(&catalog, &engine->limits);
    if (lp_catalog_load(&catalog, at + state_bytes, count - sizeof(header) - state_bytes, err) <
        0) {
        lp_catalog_release(&catalog);
        lp_heap_free(memory);
        return err->code;
    }
    lp_catalog_release(&engine->catalog);
    engine->catalog = catalog;
    lp_heap_free(engine->state_memory);
    engine->state_memory = memory;
    engine->state = state;
    engine->last_at_ms = header.at_ms;
    engine->wake_at_ms = header.wake_at_ms;
    return 0;
}

int lp_engine_save(struct lp_engine *engine, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str bytes = {0};
    lp_engine_snapshot(engine, &bytes);
    const struct lp_store *store = &engine->config.store;
    if (store->ops->save(store->self, engine->last_seq, bytes.text, bytes.bytes, err) < 0)
        return lp_err_wrap(err, "save a snapshot");
    engine->saved_seq = engine->last_seq;
    return 0;
}
