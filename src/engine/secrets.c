// Contents of secrets that came with a request: files that only root reads.
#include "engine/secrets.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"
#include "model/interpolate.h"

enum { SECRET_BYTES_MAX = 512 * 1024, KEY_BYTES = 32 };

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

// The key, made at the first use.
LP_MUST_CHECK static int key_get(const char *root, struct lp_str *ret_key, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *folder = lp_arena_printf(&arena, "%s/secrets", root);
    const char *path = lp_arena_printf(&arena, "%s/.key", folder); // no infrastructure has a dot
    int code = lp_file_read(path, KEY_BYTES, ret_key, err);
    if (code != LP_ENOTFOUND)
        return code;
    char bytes[KEY_BYTES];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return lp_err_set(err, LP_EIO, "getrandom: %s", strerror(errno));
    if (lp_dir_make(folder, 0700, err) < 0 ||
        lp_file_write(path, bytes, sizeof(bytes), 0600, err) < 0)
        return err->code;
    lp_str_add_n(ret_key, bytes, sizeof(bytes));
    return 0;
}

uint64_t lp_secrets_fingerprint(const char *root, const char *infra, const struct lp_secret *secret,
                                const struct lp_pairs *given)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_err err;
    if (!root || key_get(root, &text, &err) < 0)
        return 0;
    const char *content = secret->file ? NULL : lp_pairs_find(given, secret->name);
    if (content)
        lp_str_add(&text, content);
    else if (lp_secrets_read(root, infra, secret, &text, &err) < 0)
        return 0; // whoever needs it will say so
    return lp_hash64(lp_str_text(&text), text.bytes);
}

int lp_secrets_remove(const char *root, const char *infra, struct lp_err *err)
{
    if (!root)
        return 0;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    return lp_dir_remove(lp_arena_printf(&arena, "%s/secrets/%s", root, infra), err);
}
