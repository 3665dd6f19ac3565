// What went wrong, in words a person can act on.
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef lp_err_set // what the analyzer is told instead of them
#undef lp_err_wrap

int lp_err_set(struct lp_err *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    err->code = code;
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return code;
}

int lp_err_wrap(struct lp_err *err, const char *fmt, ...)
{
    if (!err)
        return LP_EIO;
    char inner[sizeof(err->text)];
    memcpy(inner, err->text, sizeof(inner));
    va_list args;
    va_start(args, fmt);
    int used = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->text) - 3)
        snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %.*s",
                 (int)(sizeof(err->text) - (size_t)used - 3), inner);
    return err->code;
}

const char *lp_code_word(int code)
{
    static const char *const words[] = {"ok",   "io",      "input",       "not-found", "conflict",
                                        "full", "timeout", "unsupported", "corrupt",   "denied"};
    return code <= 0 && code >= LP_EDENIED ? words[-code] : "unknown";
}

_Noreturn void lp_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "limpet: bug: %s is false at %s:%d\n", what, file, line);
    abort();
}
