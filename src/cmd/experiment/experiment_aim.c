// Whether a fault can be aimed where an experiment aims it, before anything is touched: what the
// daemon would refuse once the infrastructure is up, known from its descriptor alone.
#include "cmd/experiment/experiment_aim.h"

#include <string.h>

#include "base/str.h"
#include "engine/fault_volume.h"
#include "engine/places.h"
#include "model/descriptor.h"
#include "model/experiment.h"
#include "model/fault.h"
#include "model/interpolate.h"
#include "model/want.h"

struct aim {
    const struct lp_descriptor *descriptor;
    const struct lp_experiment_step *step;
    struct lp_fault_spec spec;
    enum lp_fault_place place;
    struct lp_err *err;
};

const struct lp_service *lp_experiment_service_of(const struct lp_descriptor *descriptor,
                                                  const char *target, bool *ret_is_node)
{
    char name[128];
    size_t bytes = strcspn(target, "/");
    *ret_is_node = false;
    if (bytes >= sizeof(name))
        return NULL;
    memcpy(name, target, bytes);
    name[bytes] = '\0';
    const struct lp_service *service = lp_descriptor_find_service(descriptor, name);
    char *dash = strrchr(name, '-');
    if (service || !dash || !dash[1] || dash[1 + strspn(dash + 1, "0123456789")] != '\0')
        return service;
    *dash = '\0';
    *ret_is_node = true;
    return lp_descriptor_find_service(descriptor, name);
}

LP_MUST_CHECK static int breakable_check(const struct aim *aim, const struct lp_service *service)
{
    if (service->is_unbreakable)
        return lp_err_set(aim->err, LP_EDENIED, "%s is not to be broken (breakable: false)",
                          service->name);
    if (aim->spec.kind == LP_FAULT_CLOCK && !service->is_clock_adjustable)
        return lp_err_set(aim->err, LP_EUNSUPPORTED,
                          "the clock of %s can be set only with `clock: adjustable`",
                          service->name);
    return 0;
}

static bool is_on(const struct lp_service *service, const char *network)
{
    for (size_t i = 0; i < service->network_count; i++)
        if (strcmp(service->networks[i].network, network) == 0)
            return true;
    return false;
}

LP_MUST_CHECK static int network_check(const struct aim *aim, const char *network)
{
    return lp_places_network_index(aim->descriptor, network) != LP_NONE
               ? 0
               : lp_err_set(aim->err, LP_ENOTFOUND, "there is no network '%s'", network);
}

// All nodes of a network (NULL: of the host).
LP_MUST_CHECK static int many_check(const struct aim *aim, const char *network)
{
    if (aim->place == LP_FAULT_OF_APP)
        return lp_err_set(aim->err, LP_EINPUT, "the fault %s is of an application, not of %s",
                          aim->step->fault, network ? "a network" : "the host");
    if (aim->step->select)
        return lp_err_set(aim->err, LP_EINPUT, "of %s there is nothing to select",
                          aim->step->target);
    for (size_t i = 0; i < aim->descriptor->service_count; i++) {
        const struct lp_service *service = &aim->descriptor->services[i];
        if ((!network || is_on(service, network)) && breakable_check(aim, service) < 0)
            return aim->err->code;
    }
    return 0;
}

// The one application that is meant by "web-1/httpd", or by "web-1" where there is only one.
LP_MUST_CHECK static int app_check(const struct aim *aim, const struct lp_service *service)
{
    const char *slash = strchr(aim->step->target, '/');
    size_t count = 0;
    for (size_t i = 0; i < service->app_count; i++)
        count += service->apps[i].kind == LP_APP_SERVE &&
                 (!slash || strcmp(service->apps[i].name, slash + 1) == 0);
    if (count > 1)
        return lp_err_set(aim->err, LP_EINPUT,
                          "%s runs several applications: name one, as in %s/%s", service->name,
                          aim->step->target, service->apps[0].name);
    return count ? 0
                 : lp_err_set(aim->err, LP_ENOTFOUND, "%s has no application '%s'", service->name,
                              slash ? slash + 1 : "");
}

LP_MUST_CHECK static int limit_check(const struct aim *aim, const struct lp_service *service)
{
    bool needs_memory = aim->spec.kind == LP_FAULT_MEMORY || aim->spec.kind == LP_FAULT_OOM;
    if (needs_memory && !service->memory_bytes)
        return lp_err_set(aim->err, LP_EUNSUPPORTED,
                          "%s has no memory limit to fill (deploy.resources.limits.memory)",
                          service->name);
    if (aim->spec.kind == LP_FAULT_PROCESSES && !service->pids)
        return lp_err_set(aim->err, LP_EUNSUPPORTED,
                          "%s has no limit of processes to fill (deploy.resources.limits.pids)",
                          service->name);
    return 0;
}

LP_MUST_CHECK static int link_check(const struct aim *aim, const struct lp_service *service)
{
    bool is_node;
    const char *peer = lp_pairs_find(&aim->step->options, "peer");
    const char *network = lp_pairs_find(&aim->step->options, "network");
    if (peer && !lp_experiment_service_of(aim->descriptor, peer, &is_node))
        return lp_err_set(aim->err, LP_ENOTFOUND, "there is no node or service '%s' as a peer",
                          peer);
    if (network && network_check(aim, network) < 0)
        return aim->err->code;
    return !network || is_on(service, network)
               ? 0
               : lp_err_set(aim->err, LP_EINPUT, "%s is not on the network '%s'", service->name,
                            network);
}

LP_MUST_CHECK static int service_check(const struct aim *aim, const struct lp_service *service,
                                       bool is_node)
{
    const char *ignored;
    if (aim->place != LP_FAULT_OF_APP && strchr(aim->step->target, '/'))
        return lp_err_set(aim->err, LP_EINPUT, "the fault %s is of a node, not of an application",
                          aim->step->fault);
    if (is_node && aim->step->select)
        return lp_err_set(aim->err, LP_EINPUT, "it is one node: there is nothing to select");
    if (breakable_check(aim, service) < 0 || limit_check(aim, service) < 0 ||
        link_check(aim, service) < 0)
        return aim->err->code;
    if (aim->place == LP_FAULT_OF_VOLUME)
        return lp_fault_volume_find(service, lp_pairs_find(&aim->step->options, "volume"), &ignored,
                                    aim->err);
    return aim->place == LP_FAULT_OF_APP ? app_check(aim, service) : 0;
}

int lp_experiment_aim_check(const struct lp_descriptor *descriptor,
                            const struct lp_experiment_step *step, struct lp_err *err)
{
    bool is_node, is_limpet = strcmp(step->target, "limpet") == 0;
    struct aim aim = {.descriptor = descriptor, .step = step, .err = err};
    if (lp_fault_parse(step->fault, step->duration, &step->options, &aim.spec, err) < 0)
        return err->code;
    aim.place = lp_fault_about((enum lp_fault_kind)aim.spec.kind)->place;
    if (is_limpet != (aim.place == LP_FAULT_OF_DAEMON))
        return lp_err_set(err, LP_EINPUT, "the fault %s is %s", step->fault,
                          is_limpet ? "not one of Limpet itself"
                                    : "of Limpet itself: aim it at 'limpet'");
    if (is_limpet)
        return 0;
    if (strcmp(step->target, "host") == 0)
        return many_check(&aim, NULL);
    if (lp_text_starts(step->target, "network:")) {
        const char *network = step->target + strlen("network:");
        return network_check(&aim, network) < 0 ? err->code : many_check(&aim, network);
    }
    const struct lp_service *service = lp_experiment_service_of(descriptor, step->target, &is_node);
    return service ? service_check(&aim, service, is_node) : 0;
}
