// Faults on purpose that are out, as JSON.
#include <stddef.h>

#include "engine/self.h"
#include "engine/view.h"

static void add_time(struct lp_str *json, const char *key, int64_t at_ms)
{
    if (at_ms == 0 || at_ms == INT64_MAX)
        lp_str_printf(json, ",\"%s\":null", key);
    else
        lp_str_printf(json, ",\"%s\":%lld", key, (long long)at_ms);
}

static void add_fault(const struct lp_engine *engine, uint32_t id, struct lp_str *json)
{
    const struct lp_fault_row *row = lp_state_fault(engine->state, id);
    LP_OWNS_STR struct lp_str says = {0};
    lp_fault_print(&row->spec, engine->catalog.faults[id].text, &says);
    lp_str_printf(json, "{\"fault\":\"f%u\",", row->number);
    lp_view_add_text(json, "infrastructure",
                     row->infra == LP_NONE ? NULL : engine->catalog.infras[row->infra].name);
    lp_str_add_char(json, ',');
    const struct lp_app *app =
        row->app == LP_NONE ? NULL : lp_catalog_find_app(&engine->catalog, row->service, row->app);
    lp_view_add_text(json, "application", app ? app->name : NULL);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "kind", lp_fault_words[row->spec.kind]);
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "says", lp_str_text(&says));
    lp_str_add_char(json, ',');
    lp_view_add_text(json, "phase", lp_fault_phase_word((enum lp_fault_phase)row->phase));
    add_time(json, "asked", row->asked_ms);
    add_time(json, "active", row->active_ms);
    add_time(json, "until", row->until_ms);
    // {"target":...,"options":{...}} as it was asked for
    lp_str_printf(json, ",\"as_asked\":%s}",
                  engine->catalog.faults[id].text ? engine->catalog.faults[id].text : "{}");
}

int lp_view_faults(struct lp_engine *engine, const char *infra, struct lp_str *ret_json,
                   struct lp_err *err)
{
    uint32_t only;
    const char *comma = "";
    if (lp_view_find_infra(engine, infra, &only, err) < 0)
        return err->code;
    lp_str_printf(ret_json, "{\"locked\":%s,\"faults\":[",
                  lp_state_faults_are_locked(engine->state) ? "true" : "false");
    for (uint32_t i = 0; i < LP_FAULTS_MAX; i++) {
        const struct lp_fault_row *row = lp_state_fault(engine->state, i);
        if (!row->is_used || (only != LP_NONE && row->infra != only))
            continue;
        lp_str_add(ret_json, comma);
        add_fault(engine, i, ret_json);
        comma = ",";
    }
    lp_str_add(ret_json, "]}");
    return 0;
}
