// What the image driver builds from: an lp_image turned into the arguments of the build script.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "model/descriptor.h"
#include "model/driver.h"

struct lp_image_build { // arguments of image_build.sh; texts in the build's arena
    const char *kind, *reference, *cache, *hash;
    const char *recipe; // folder that stage fills; removed by the script with its work folder
    const char *script; // image_build.sh, in that folder
    const char *facts;  // of the image's mark: "kind":...,"reference":...,"recipe":... as JSON
    const char *log_path;
    const struct lp_recipe *source; // a copy; NULL unless kind is "recipe"
};

// Is there nothing to build? Host and folder images only have to exist: LP_ENOTFOUND if not.
LP_MUST_CHECK int lp_image_look(const struct lp_driver_env *env, const struct lp_image *image,
                                bool *ret_is_ready, struct lp_err *err);
// Copy what the build needs: the order is only lent.
LP_MUST_CHECK int lp_image_build_plan(const struct lp_driver_env *env, const struct lp_image *image,
                                      struct lp_arena *arena, struct lp_image_build *ret_plan,
                                      struct lp_err *err);
// Write the recipe's folder and open the log (replacing an older one).
LP_MUST_CHECK int lp_image_build_stage(const struct lp_driver_env *env,
                                       const struct lp_image_build *plan, int *ret_log_fd,
                                       struct lp_err *err);

// The environment of a build: that of all children, and how this process reaches the network
// (proxies, the registries' credentials). NULL-terminated, in arena.
const char *const *lp_image_environment(struct lp_arena *arena);
// The reason of a failure from the end of a build's log: its last line "E: ...", with the line
// before it when that says more; else its last lines. text is cut to pieces.
const char *lp_image_log_reason(char *text, struct lp_arena *arena);
