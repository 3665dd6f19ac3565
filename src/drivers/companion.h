// Files of Limpet's own beside its program: limpet-init, the clock library.
#pragma once

#include "base/err.h"

enum { LP_COMPANION_PATH_MAX = 512 };

// Where the file lies: beside the program; in src/<folder> of a build; or installed, in
// ../libexec/limpet. LIMPET_INIT=PATH in the environment stands in for limpet-init. LP_ENOTFOUND.
LP_MUST_CHECK int lp_companion_find(const char *folder, const char *name,
                                    char ret_path[LP_COMPANION_PATH_MAX], struct lp_err *err);
