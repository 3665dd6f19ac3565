// Files of Limpet's own beside its program.
#include "drivers/companion.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int lp_companion_find(const char *folder, const char *name, char ret_path[LP_COMPANION_PATH_MAX],
                      struct lp_err *err)
{
    static const struct {
        const char *way;
        bool has_folder;
    } places[] = {{"", false},       {"src/", true},       {"../", true},
                  {"../src/", true}, {"../../src/", true}, {"../libexec/limpet/", false}};
    char self[256], found[LP_COMPANION_PATH_MAX];
    const char *given = strcmp(name, "limpet-init") == 0 ? getenv("LIMPET_INIT") : NULL;
    if (given) {
        snprintf(ret_path, LP_COMPANION_PATH_MAX, "%s", given);
        return access(ret_path, X_OK) == 0
                   ? 0
                   : lp_err_set(err, LP_ENOTFOUND, "LIMPET_INIT=%s: %s", given, strerror(errno));
    }
    if (lp_program_path(self, sizeof(self), err) < 0)
        return err->code;
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(found, sizeof(found), "%.*s/%s%s%s%s", (int)(slash - self), self, places[i].way,
                 places[i].has_folder ? folder : "", places[i].has_folder ? "/" : "", name);
        if (access(found, X_OK) < 0)
            continue;
        snprintf(ret_path, LP_COMPANION_PATH_MAX, "%s", found);
        return 0;
    }
    return lp_err_set(err, LP_ENOTFOUND, "%s is neither beside %s nor in ../libexec/limpet", name,
                      self);
}
