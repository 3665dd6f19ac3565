// Reads depends_on, the list and the mapping. What a name means is settled in descriptor_refs.c,
// when all names are known.
#include "model/limits.h"
#include "model/parse_service.h"

static void condition_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const char *const words[] = {"service_started", "service_healthy",
                                        "service_completed_successfully"}; // as the enum's order
    struct lp_depend *depend = into;
    int condition = lp_parse_word(reader, value, words, LP_COUNT(words));
    if (condition >= 0)
        depend->condition = (enum lp_depend_condition)condition;
}

static void required_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    bool is_required = true;
    if (lp_parse_bool(reader, value, &is_required) && !is_required)
        lp_mistake_at(reader, value, "Limpet has no optional dependencies; leave it out");
}

static void restart_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    bool is_restarted = false;
    if (lp_parse_bool(reader, value, &is_restarted) && is_restarted)
        lp_mistake_at(reader, value,
                      "Limpet does not restart dependents; files that mention addresses are "
                      "rendered anew and reloaded");
}

void lp_read_depends(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"condition", condition_read, 0},
                                         {"required", required_read, 0},
                                         {"restart", restart_read, 0}};
    const struct lp_schema schema = {"depends_on", keys, LP_COUNT(keys), NULL, 0};
    struct lp_depends *depends = into;
    if (value->kind == LP_YAML_SCALAR) {
        lp_mistake_at(reader, value, "depends_on must be a list or a mapping of names");
        return;
    }
    if (value->count > LP_DEPENDS_MAX) {
        lp_mistake_at(reader, value, "%zu dependencies; at most %d", value->count, LP_DEPENDS_MAX);
        return;
    }
    *depends =
        (struct lp_depends){lp_arena_new_array(reader->arena, struct lp_depend, value->count), 0};
    for (size_t i = 0; i < value->count; i++) {
        struct lp_depend depend = {0};
        if (value->kind == LP_YAML_SEQUENCE) {
            depend.service = lp_parse_text(reader, value->items[i]);
        } else {
            depend.service = value->keys[i]->text;
            lp_mark_add(reader, depend.service, value->keys[i]);
            if (!lp_yaml_is_null(value->items[i]))
                lp_schema_read(reader, &schema, value->items[i], &depend);
        }
        if (depend.service)
            depends->items[depends->count++] = depend;
    }
}
