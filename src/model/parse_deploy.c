// Reads deploy and scale: replicas, limits, restart policy.
#include <string.h>

#include "model/duration.h"
#include "model/limits.h"
#include "model/parse_service.h"

static void replicas_set(struct lp_reader *reader, struct lp_yaml_node *value,
                         struct lp_service_draft *draft)
{
    uint64_t replicas = 0;
    if (!lp_parse_number(reader, value, (struct lp_range){0, LP_REPLICAS_MAX}, &replicas))
        return;
    if (draft->scale && draft->scale != value && draft->service->replicas != replicas)
        lp_mistake_at(reader, value, "deploy.replicas is %llu, but scale is %u",
                      (unsigned long long)replicas, draft->service->replicas);
    draft->service->replicas = (uint32_t)replicas;
}

void lp_read_scale(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    replicas_set(reader, value, draft);
    draft->scale = value;
}

static void replicas_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    replicas_set(reader, value, into);
}

static void mode_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)into;
    static const char *const words[] = {"replicated"};
    lp_parse_word(reader, value, words, LP_COUNT(words));
}

static void cpus_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    const char *text = lp_parse_text(reader, value);
    uint32_t permille = 0;
    if (text && (!lp_permille_parse(text, &permille) || !permille))
        lp_mistake_at(reader, value, "'%s' is not a number of cores such as 2 or 0.5", text);
    draft->service->cpu_permille = permille;
}

static void memory_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    enum { LEAST = 1024 * 1024 };
    if (lp_parse_size(reader, value, &draft->service->memory_bytes) &&
        draft->service->memory_bytes < LEAST)
        lp_mistake_at(reader, value, "less than 1m of memory; limpet-init alone needs that");
}

static void pids_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct lp_service_draft *draft = into;
    uint64_t pids = 0;
    if (lp_parse_number(reader, value, (struct lp_range){2, 1 << 22}, &pids))
        draft->service->pids = (uint32_t)pids;
}

static void limits_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {
        {"cpus", cpus_read, 0}, {"memory", memory_read, 0}, {"pids", pids_read, 0}};
    const struct lp_schema schema = {"limits", keys, LP_COUNT(keys), lp_compose_limits,
                                     lp_compose_limits_count};
    lp_schema_read(reader, &schema, value, into);
}

static void resources_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"limits", limits_read, 0}};
    const struct lp_schema schema = {"resources", keys, LP_COUNT(keys), lp_compose_resources,
                                     lp_compose_resources_count};
    lp_schema_read(reader, &schema, value, into);
}

void lp_read_deploy(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    static const struct lp_key keys[] = {{"mode", mode_read, 0},
                                         {"replicas", replicas_read, 0},
                                         {"resources", resources_read, 0},
                                         {"restart_policy", lp_read_restart_policy, 0}};
    const struct lp_schema schema = {"deploy", keys, LP_COUNT(keys), lp_compose_deploy,
                                     lp_compose_deploy_count};
    lp_schema_read(reader, &schema, value, into);
}
