// What makes two images the same: a SHA-256 in 64 hexadecimal digits.
#pragma once

#include "model/descriptor.h"

// host: a constant. Directory and tar: path, and the size and time of change of what is there.
// OCI: path, tag, and the time of change of the layout's index. Registry: the reference. Recipe:
// base (with the same rules), packages, run steps, and path, mode and bytes of each file.
// Fails when something that must be looked at is not there.
LP_MUST_CHECK int lp_image_hash(const struct lp_image *image, struct lp_arena *arena,
                                const char **ret_hash, struct lp_err *err);
// Kind and absolute form of a reference as people write it ("host", "./dir", "oci:path:tag", ...).
// resolve makes a path absolute. LP_EINPUT when it cannot be one.
struct lp_path_resolver {
    const char *(*resolve)(void *context, const char *path);
    void *context;
};
LP_MUST_CHECK int lp_image_reference_parse(const char *text, const struct lp_path_resolver *paths,
                                           struct lp_arena *arena, struct lp_image *ret_image,
                                           struct lp_err *err);
bool lp_image_is_tar_name(const char *path); // .tar, .tar.gz, .tar.xz, .tar.zst
