// The journal as JSON: events, and the story of one node.
#include <string.h>

#include "engine/self.h"
#include "engine/story.h"
#include "engine/view.h"

enum { STORY_RECORDS_MAX = 2000 };

struct listing {
    struct lp_str *json;
    bool is_first, is_told_only;
    uint64_t last_seq;
    size_t seen, told; // records, and those that are listed
    size_t skip;       // of those that could be listed: so many from the first are left out
};

// Appends the record's sentence. False: the record is not to be listed.
static bool is_listed(struct listing *listing, const struct lp_record *record,
                      struct lp_str *sentence)
{
    listing->seen++;
    listing->last_seq = record->seq;
    lp_story_sentence(record, sentence);
    if (listing->is_told_only && !sentence->bytes)
        return false;
    listing->told++;
    return listing->told > listing->skip;
}

static int count_visit(void *context, const struct lp_record *record)
{
    LP_OWNS_STR struct lp_str sentence = {0};
    (void)is_listed(context, record, &sentence);
    return 0;
}

static int event_visit(void *context, const struct lp_record *record)
{
    struct listing *listing = context;
    LP_OWNS_STR struct lp_str sentence = {0};
    if (!is_listed(listing, record, &sentence))
        return 0;
    lp_str_printf(listing->json, "%s{\"seq\":%llu,\"at\":%lld,\"record\":\"%s\",",
                  listing->is_first ? "" : ",", (unsigned long long)record->seq,
                  (long long)record->at_ms, record->kind == LP_RECORD_EVENT ? "event" : "action");
    listing->is_first = false;
    lp_view_add_text(listing->json, "kind", record->word);
    lp_str_add_char(listing->json, ',');
    lp_view_add_text(listing->json, "subject", record->subject);
    lp_str_add_char(listing->json, ',');
    lp_view_add_text(listing->json, "sentence", lp_str_text(&sentence));
    // The descriptor itself would drown the rest; `infra-set` is told by its sentence.
    bool is_large = strcmp(record->word, lp_event_word(LP_EVENT_INFRA_SET)) == 0;
    lp_str_printf(listing->json, ",\"body\":%s}", is_large ? "{}" : record->body);
    return 0;
}

// How far back the last `limit` records reach of which something can be told: query->limit is
// raised until enough were seen, listing->skip says how many of them are too many.
LP_MUST_CHECK static int reach_back(const struct lp_store *store, struct lp_store_query *query,
                                    struct listing *listing, struct lp_err *err)
{
    size_t wanted = query->limit;
    for (;;) {
        struct listing count = {.is_told_only = true};
        if (store->ops->find(store->self, query, count_visit, &count, err) < 0)
            return err->code;
        listing->skip = count.told > wanted ? count.told - wanted : 0;
        if (count.told >= wanted || count.seen < query->limit)
            return 0;
        query->limit *= 4;
    }
}

int lp_view_events(struct lp_engine *engine, const struct lp_view_query *asked,
                   struct lp_str *ret_json, struct lp_err *err)
{
    if (lp_engine_flush(engine, err) < 0)
        return err->code;
    LP_OWNS_STR struct lp_str subject = {0};
    if (asked->infra)
        lp_str_add(&subject, asked->infra);
    if (asked->infra && asked->node)
        lp_str_printf(&subject, "/%s", asked->node);
    struct listing listing = {.json = ret_json,
                              .is_first = true,
                              .is_told_only = asked->is_told_only,
                              .last_seq = asked->after};
    struct lp_store_query query = {.subject = lp_str_text(&subject),
                                   .after = asked->after,
                                   .limit = asked->limit,
                                   .is_last = asked->after == 0};
    const struct lp_store *store = &engine->config.store;
    if (asked->is_told_only && query.is_last && query.limit > 0 &&
        reach_back(store, &query, &listing, err) < 0)
        return err->code;
    lp_str_add(ret_json, "{\"events\":[");
    do { // a page of which nothing can be told is passed over
        listing.seen = 0;
        if (store->ops->find(store->self, &query, event_visit, &listing, err) < 0)
            return err->code;
        query.after = listing.last_seq;
    } while (listing.is_first && !query.is_last && listing.seen > 0 && listing.seen == query.limit);
    lp_str_printf(ret_json, "],\"next\":%llu}", (unsigned long long)listing.last_seq);
    return 0;
}

int lp_view_find_node(const struct lp_engine *engine, uint32_t infra, const char *name,
                      uint32_t *ret_node, struct lp_err *err)
{
    *ret_node = LP_NONE;
    for (uint32_t i = 0; i < engine->limits.infras; i++) {
        if ((infra != LP_NONE && infra != i) || !lp_state_infra(engine->state, i)->is_used)
            continue;
        uint32_t node = lp_catalog_find_node(&engine->catalog, engine->state, i, name);
        if (node == LP_NONE)
            continue;
        if (*ret_node != LP_NONE)
            return lp_err_set(err, LP_ECONFLICT,
                              "several infrastructures have a node '%s': say which", name);
        *ret_node = node;
    }
    for (uint32_t i = 0; *ret_node == LP_NONE && i < engine->limits.infras; i++)
        if ((infra == LP_NONE || infra == i) && lp_state_infra(engine->state, i)->is_used &&
            lp_catalog_find_service(&engine->catalog, engine->state, i, name) != LP_NONE)
            return lp_err_set(err, LP_ENOTFOUND,
                              "'%s' is a service: name one of its nodes, such as %s-1", name, name);
    if (*ret_node == LP_NONE)
        return lp_err_set(err, LP_ENOTFOUND, "there is no node '%s'", name);
    return 0;
}

static int sentence_visit(void *context, const struct lp_record *record)
{
    struct listing *listing = context;
    LP_OWNS_STR struct lp_str sentence = {0};
    lp_story_sentence(record, &sentence);
    if (!sentence.bytes)
        return 0;
    lp_str_printf(listing->json, "%s{\"at\":%lld,\"seq\":%llu,", listing->is_first ? "" : ",",
                  (long long)record->at_ms, (unsigned long long)record->seq);
    lp_view_add_text(listing->json, "text", lp_str_text(&sentence));
    lp_str_add_char(listing->json, '}');
    listing->is_first = false;
    return 0;
}

static void add_summary(const struct lp_engine *engine, uint32_t node, const char *name,
                        struct lp_str *json)
{
    const struct lp_node_row *row = lp_state_node(engine->state, node);
    LP_OWNS_STR struct lp_str text = {0};
    lp_str_printf(&text, "%s has been %s for ", name, lp_verdict_word(row->verdict));
    lp_story_duration(lp_engine_now_ms(engine) - row->since_ms, &text);
    lp_str_printf(&text, "; repaired %u time%s so far.", row->restarts,
                  row->restarts == 1 ? "" : "s");
    lp_view_add_text(json, "summary", lp_str_text(&text));
}

int lp_view_why(struct lp_engine *engine, const char *infra, const char *node,
                struct lp_str *ret_json, struct lp_err *err)
{
    uint32_t infra_id, id;
    if (lp_view_find_infra(engine, infra, &infra_id, err) < 0 ||
        lp_view_find_node(engine, infra_id, node, &id, err) < 0 || lp_engine_flush(engine, err) < 0)
        return err->code;
    const struct lp_node_row *row = lp_state_node(engine->state, id);
    struct lp_subject about = {LP_NONE, LP_NONE, id, LP_NONE};
    LP_OWNS_STR struct lp_str subject = {0};
    lp_catalog_add_subject(&engine->catalog, engine->state, &about, &subject);
    lp_str_add_char(ret_json, '{');
    lp_view_add_text(ret_json, "infrastructure", engine->catalog.infras[row->infra].name);
    lp_str_add_char(ret_json, ',');
    lp_view_add_text(ret_json, "node", node);
    lp_str_add_char(ret_json, ',');
    lp_view_add_text(ret_json, "state", lp_node_phase_word(row->phase));
    lp_str_add_char(ret_json, ',');
    lp_view_add_text(ret_json, "health", lp_verdict_word(row->verdict));
    lp_str_add_char(ret_json, ',');
    add_summary(engine, id, node, ret_json);
    lp_str_add(ret_json, ",\"sentences\":[");
    struct listing listing = {.json = ret_json, .is_first = true};
    struct lp_store_query query = {
        .subject = lp_str_text(&subject), .limit = STORY_RECORDS_MAX, .is_last = true};
    const struct lp_store *store = &engine->config.store;
    if (store->ops->find(store->self, &query, sentence_visit, &listing, err) < 0)
        return err->code;
    lp_str_add(ret_json, "]}");
    return 0;
}
