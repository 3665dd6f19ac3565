// Contents of secrets that came with a request: files that only root reads.
#include "engine/secrets.h"

#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { SECRET_BYTES_MAX = 512 * 1024 };

int lp_secrets_keep(const char *root, const char *infra, const struct lp_pairs *secrets,
                    struct lp_err *err)
{
    if (!root || !secrets || secrets->count == 0)
        return 0;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *folder = lp_arena_printf(&arena, "%s/secrets/%s", root, infra);
    if (lp_dir_make(folder, 0700, err) < 0)
        return err->code;
    for (size_t i = 0; i < secrets->count; i++) {
        const struct lp_pair *pair = &secrets->items[i];
        if (strchr(pair->key, '/') || pair->key[0] == '.' || !pair->key[0])
            return lp_err_set(err, LP_EINPUT, "'%s' cannot be the name of a secret", pair->key);
        char *path = lp_arena_printf(&arena, "%s/%s", folder, pair->key);
        if (lp_file_write(path, pair->value, strlen(pair->value), 0600, err) < 0)
            return lp_err_wrap(err, "keep secret %s", pair->key);
    }
    return 0;
}

int lp_secrets_read(const char *root, const char *infra, const struct lp_secret *secret,
                    struct lp_str *ret_text, struct lp_err *err)
{
    if (!root)
        return 0;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *path = secret->file
                           ? secret->file
                           : lp_arena_printf(&arena, "%s/secrets/%s/%s", root, infra, secret->name);
    if (lp_file_read(path, SECRET_BYTES_MAX, ret_text, err) < 0)
        return lp_err_wrap(err, "secret %s", secret->name);
    return 0;
}

int lp_secrets_remove(const char *root, const char *infra, struct lp_err *err)
{
    if (!root)
        return 0;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    return lp_dir_remove(lp_arena_printf(&arena, "%s/secrets/%s", root, infra), err);
}
