// Which volume a fault of the disk is aimed at: by its name, by its place, or the only one.
#include "engine/fault_volume.h"

#include <stdbool.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor.h"

static bool is_meant(const struct lp_mount *mount, const char *wanted)
{
    if (mount->kind == LP_MOUNT_TMPFS)
        return false; // memory: no disk can fail below it
    return !wanted || strcmp(mount->target, wanted) == 0 ||
           (mount->kind == LP_MOUNT_VOLUME && strcmp(mount->source, wanted) == 0);
}

LP_MUST_CHECK static int choice_fail(const struct lp_service *service, const char *wanted,
                                     struct lp_err *err)
{
    LP_OWNS_STR struct lp_str list = {0};
    for (size_t i = 0; i < service->mount_count; i++)
        if (is_meant(&service->mounts[i], NULL))
            lp_str_printf(&list, "%s%s", list.bytes ? ", " : "", service->mounts[i].target);
    if (list.bytes == 0)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no volume whose disk could fail",
                          service->name);
    if (wanted)
        return lp_err_set(err, LP_ENOTFOUND, "%s has no volume '%s'; it has: %s", service->name,
                          wanted, lp_str_text(&list));
    return lp_err_set(err, LP_EINPUT, "%s has several volumes, name one with --volume: %s",
                      service->name, lp_str_text(&list));
}

int lp_fault_volume_find(const struct lp_service *service, const char *wanted,
                         const char **ret_target, struct lp_err *err)
{
    const char *target = NULL;
    for (size_t i = 0; i < service->mount_count; i++) {
        if (!is_meant(&service->mounts[i], wanted))
            continue;
        if (target)
            return choice_fail(service, NULL, err);
        target = service->mounts[i].target;
    }
    if (!target)
        return choice_fail(service, wanted, err);
    *ret_target = target;
    return 0;
}
